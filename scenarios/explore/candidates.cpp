#include "scenarios/explore/candidates.hpp"

#include <algorithm>

#include "mockcloud/fault/catalogue.hpp"

namespace drover::explore {
namespace {

using fault::ActionRow;
using fault::Target;
using fault::Variant;

constexpr Duration kPersists = 4min;  // longer than every time-out of the manager, shorter than its patience

bool is_any_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Calls that only look: nothing is changed by them.
bool is_look(std::string_view call) {
  return is_any_of(call, {"getVMInfo", "listVMs", "listVolumes", "get_server_state", "get_users"});
}

void add_arguments(fault::Rule& rule, const Variant& variant) {
  for (const auto& [name, value] : variant.arguments) rule.arguments[std::string(name)] = std::string(value);
}

std::string label(const ActionRow& row, const Variant& variant) {
  std::string text(row.name);
  for (const auto& [name, value] : variant.arguments) {
    text += text.size() == row.name.size() ? "{" : ",";
    text += std::string(name) + "=" + std::string(value);
  }
  return text.size() == row.name.size() ? text : text + "}";
}

void add_call_faults(const ObservedPoint& point, const fault::CallPoint& call, std::vector<Candidate>& to) {
  for (const ActionRow& row : fault::catalogue()) {
    if (!row.is_call() || (row.worlds & fault::kSim) == 0 || fault::port_of(row.target) != call.port)
      continue;
    if (!row.applies_to(call.call) || !row.in_phase(call.phase)) continue;
    for (const Variant& variant : row.variants) {
      Candidate once;
      once.rule = rule_at(point);
      once.rule.action = row.name;
      once.rule.beyond_budget = row.beyond_budget;
      add_arguments(once.rule, variant);
      once.masked = variant.masked && !row.beyond_budget;
      once.action = label(row, variant);
      once.kind = row.name;
      once.identity = mix(hash_text(once.action), point.situation);
      to.push_back(once);
      if (&variant != &row.variants.front() || once.rule.arguments.contains("for")) continue;
      once.rule.when->onward = true;
      once.rule.until = point.at.time_since_epoch() + kPersists;
      once.masked = false;
      once.transient = false;
      once.action += " for 4m";
      once.kind += " for 4m";
      once.identity = mix(hash_text(once.action), point.situation);
      to.push_back(std::move(once));
    }
  }
}

// Whether an action on a machine, an agent or a server means something at this point.
bool means_something(const ActionRow& row, const ObservedPoint& point, bool on_subject,
                     const std::optional<fault::CallPoint>& call) {
  const auto name = row.name;
  if (is_any_of(name, {"vm.never_boot", "vm.slow_boot", "vm.boot_error", "vm.boot_stopped", "vm.wrong_image",
                       "vm.late_address"}))
    return on_subject && point.point == "vm.pending";
  if (name == "vm.dies_after")
    return on_subject && (point.point == "vm.pending" || point.point == "vm.running");
  if (is_any_of(name, {"vm.zombie", "vm.stuck_deletion"}))
    return on_subject && (point.point == "iaas.killInstance.before" || point.point == "vm.running");
  if (name == "vm.forget_tags")
    return on_subject && (point.point == "vm.pending" || point.point == "node.running");
  if (name == "vm.reuse_address") return on_subject && point.point == "iaas.killInstance.before";
  if (is_any_of(name, {"agent.crash_at_command", "agent.restart_in_command", "agent.partial_configuration",
                       "agent.lie", "agent.stale_result"}))
    return on_subject && call && call->port == fault::Port::agent && call->phase == fault::Phase::before;
  if (row.target == Target::vm || row.target == Target::agent || row.target == Target::database ||
      row.target == Target::net) {
    // Between two looks that saw the same nothing has changed: the situation tells, whatever the look.
    if (call && is_look(call->call)) return call->phase == fault::Phase::before && on_subject;
    return true;
  }
  return false;
}

// The disk of the only server that is sure to have what clients were promised: nobody can mend that.
bool loses_the_data(const Variant& variant, const ObservedPoint& point, const std::string& target) {
  const bool disk = std::ranges::any_of(variant.arguments, [](const auto& argument) {
    return argument.first == "keep_disk" && argument.second == "no";
  });
  const bool moving = point.context.find("promote") != std::string::npos ||
                      point.context.find("set_up_replica_master") != std::string::npos;
  return disk && (point.master.empty() || point.master == target || moving);
}

void add_world_faults(const ObservedPoint& point, const std::optional<fault::CallPoint>& call,
                      std::vector<Candidate>& to) {
  std::vector<std::string> targets;
  if (point.subject.starts_with("node-")) targets.push_back(point.subject);
  if (!point.master.empty() && point.master != point.subject) targets.push_back(point.master);
  for (const ActionRow& row : fault::catalogue()) {
    if (row.is_call() || (row.worlds & fault::kSim) == 0) continue;
    for (const auto& target : targets) {
      const bool on_subject = target == point.subject;
      if (!means_something(row, point, on_subject, call)) continue;
      for (const Variant& variant : row.variants) {
        if (loses_the_data(variant, point, target)) continue;
        Candidate one;
        one.rule = rule_at(point);
        one.rule.action = row.name;
        one.rule.beyond_budget = row.beyond_budget;
        add_arguments(one.rule, variant);
        if (!on_subject) one.rule.arguments["target"] = target;
        one.masked = variant.masked && !row.beyond_budget;
        const char* whose = on_subject ? "" : " on the master";
        one.action = label(row, variant) + whose;
        one.kind = std::string(row.name) + whose;
        // In the middle of a command it matters where; everywhere else only what has changed.
        const bool changing = call && call->port == fault::Port::agent && !is_look(call->call);
        one.identity = mix(hash_text(one.action), changing ? point.situation : point.state);
        to.push_back(std::move(one));
      }
    }
  }
}

}  // namespace

fault::Rule rule_at(const ObservedPoint& point, bool onward) {
  fault::Rule rule;
  rule.when = fault::Trigger{fault::Trigger::Kind::point, point.point, point.occurrence, onward, {}};
  if (!point.subject.empty()) rule.subject = point.subject;
  return rule;
}

std::vector<Candidate> candidates_at(const ObservedPoint& point) {
  std::vector<Candidate> found;
  const auto call = fault::as_call_point(point.point);
  if (call) add_call_faults(point, *call, found);
  add_world_faults(point, call, found);
  return found;
}

std::vector<Candidate> crashes_at(const ObservedPoint& point) {
  const auto call = fault::as_call_point(point.point);
  if (!call) return {};
  Candidate one;
  one.rule = rule_at(point);
  one.rule.action = "manager.crash";
  one.masked = true;
  one.action = one.kind = "manager.crash";
  one.identity = mix(hash_text(one.action), point.situation);
  return {one};
}

}  // namespace drover::explore
