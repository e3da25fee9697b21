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

// Where an action on a machine, an agent or a server means something.
enum class Place : unsigned char { booting, alive, going, tagged, destroyed, commanded, anywhere, nowhere };

Place place_of(const ActionRow& row) {
  const auto name = row.name;
  if (is_any_of(name, {"vm.never_boot", "vm.slow_boot", "vm.boot_error", "vm.boot_stopped", "vm.wrong_image",
                       "vm.late_address"}))
    return Place::booting;
  if (name == "vm.dies_after") return Place::alive;
  if (is_any_of(name, {"vm.zombie", "vm.stuck_deletion"})) return Place::going;
  if (name == "vm.forget_tags") return Place::tagged;
  if (name == "vm.reuse_address") return Place::destroyed;
  if (is_any_of(name, {"agent.crash_at_command", "agent.restart_in_command", "agent.partial_configuration",
                       "agent.lie", "agent.stale_result"}))
    return Place::commanded;
  if (row.target == Target::vm || row.target == Target::agent || row.target == Target::database ||
      row.target == Target::net)
    return Place::anywhere;
  return Place::nowhere;
}

}  // namespace

struct Choice {
  const ActionRow* row = nullptr;
  const Variant* variant = nullptr;
  enum class Way : unsigned char { once, for_a_while, on_the_master } way = Way::once;
  std::string action, kind;  // as in Candidate
  std::uint64_t action_hash = 0, kind_hash = 0;
};

namespace {

using Way = Choice::Way;

Choice choice_of(const ActionRow& row, const Variant& variant, Way way) {
  const char* how = way == Way::for_a_while ? " for 4m" : way == Way::on_the_master ? " on the master" : "";
  Choice choice{&row, &variant, way, label(row, variant) + how, std::string(row.name) + how, 0, 0};
  choice.action_hash = hash_text(choice.action);
  choice.kind_hash = hash_text(choice.kind);
  return choice;
}

bool lasts_anyway(const Variant& variant) {
  return std::ranges::any_of(variant.arguments, [](const auto& argument) { return argument.first == "for"; });
}

// The disk of a machine is lost.
bool loses_the_disk(const Variant& variant) {
  return std::ranges::any_of(variant.arguments, [](const auto& argument) {
    return argument.first == "keep_disk" && argument.second == "no";
  });
}

// A row of the catalogue as exploration sees it.
struct Entry {
  const ActionRow* row = nullptr;
  std::optional<fault::Port> port;      // of actions on calls
  Place place = Place::nowhere;         // of the others
  std::vector<Choice> once, otherwise;  // `otherwise`: for a while, or on the master
};

const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = [] {
    std::vector<Entry> made;
    for (const ActionRow& row : fault::catalogue()) {
      if ((row.worlds & fault::kSim) == 0) continue;
      Entry entry{&row, std::nullopt, Place::nowhere, {}, {}};
      if (row.is_call())
        entry.port = fault::port_of(row.target);
      else
        entry.place = place_of(row);
      for (const Variant& variant : row.variants) {
        entry.once.push_back(choice_of(row, variant, Way::once));
        if (!row.is_call())
          entry.otherwise.push_back(choice_of(row, variant, Way::on_the_master));
        else if (&variant == &row.variants.front() && !lasts_anyway(variant))
          entry.otherwise.push_back(choice_of(row, variant, Way::for_a_while));
      }
      made.push_back(std::move(entry));
    }
    return made;
  }();
  return all;
}

Option option_of(const Choice& choice, std::uint64_t where) {
  return {&choice, choice.action_hash, choice.kind_hash, mix(choice.action_hash, where),
          choice.row->beyond_budget};
}

void add_call_faults(const ObservedPoint& point, const fault::CallPoint& call, std::vector<Option>& to) {
  for (const Entry& entry : entries()) {
    const ActionRow& row = *entry.row;
    if (entry.port != call.port || !row.in_phase(call.phase) || !row.applies_to(call.call)) continue;
    for (const Choice& choice : entry.once) to.push_back(option_of(choice, point.situation));
    for (const Choice& choice : entry.otherwise) to.push_back(option_of(choice, point.situation));
  }
}

bool means_something(Place place, const ObservedPoint& point, bool on_subject,
                     const std::optional<fault::CallPoint>& call) {
  switch (place) {
    case Place::booting:
      return on_subject && point.point == "vm.pending";
    case Place::alive:
      return on_subject && (point.point == "vm.pending" || point.point == "vm.running");
    case Place::going:
      return on_subject && (point.point == "iaas.killInstance.before" || point.point == "vm.running");
    case Place::tagged:
      return on_subject && (point.point == "vm.pending" || point.point == "node.running");
    case Place::destroyed:
      return on_subject && point.point == "iaas.killInstance.before";
    case Place::commanded:
      return on_subject && call && call->port == fault::Port::agent && call->phase == fault::Phase::before;
    case Place::anywhere:
      // Between two looks that saw the same nothing has changed: the situation tells, whatever the look.
      return !call || !is_look(call->call) || (call->phase == fault::Phase::before && on_subject);
    case Place::nowhere:
      break;
  }
  return false;
}

// The disk of the only server that is sure to have what clients were promised: nobody can mend that.
bool has_the_data(const ObservedPoint& point, const std::string& target) {
  const bool moving = point.context.find("promote") != std::string::npos ||
                      point.context.find("set_up_replica_master") != std::string::npos;
  return point.master.empty() || point.master == target || moving;
}

void add_world_faults(const ObservedPoint& point, const std::optional<fault::CallPoint>& call,
                      std::vector<Option>& to) {
  const bool has_subject = point.subject.starts_with("node-");
  const bool has_other = !point.master.empty() && point.master != point.subject;
  const bool keeps_subject = has_the_data(point, point.subject);
  const bool keeps_other = has_the_data(point, point.master);
  // In the middle of a command it matters where; everywhere else only what has changed.
  const bool changing = call && call->port == fault::Port::agent && !is_look(call->call);
  const std::uint64_t where = changing ? point.situation : point.state;
  for (const Entry& entry : entries()) {
    if (entry.place == Place::nowhere) continue;
    const auto add = [&](const std::vector<Choice>& choices, bool keeps_disk) {
      for (const Choice& choice : choices)
        if (!keeps_disk || !loses_the_disk(*choice.variant)) to.push_back(option_of(choice, where));
    };
    if (has_subject && means_something(entry.place, point, true, call)) add(entry.once, keeps_subject);
    if (has_other && means_something(entry.place, point, false, call)) add(entry.otherwise, keeps_other);
  }
}

}  // namespace

fault::Rule rule_at(const ObservedPoint& point, bool onward) {
  fault::Rule rule;
  rule.when = fault::Trigger{fault::Trigger::Kind::point, point.point, point.occurrence, onward, {}};
  if (!point.subject.empty()) rule.subject = point.subject;
  return rule;
}

Candidate candidate_of(const ObservedPoint& point, const Option& option) {
  const Choice& choice = *option.choice;
  Candidate one;
  one.rule = rule_at(point);
  one.rule.action = choice.row->name;
  one.rule.beyond_budget = choice.row->beyond_budget;
  add_arguments(one.rule, *choice.variant);
  one.masked = choice.variant->masked && !choice.row->beyond_budget;
  if (choice.way == Way::on_the_master) one.rule.arguments["target"] = point.master;
  if (choice.way == Way::for_a_while) {
    one.rule.when->onward = true;
    one.rule.until = point.at.time_since_epoch() + kPersists;
    one.masked = one.transient = false;
  }
  one.action = choice.action;
  one.kind = choice.kind;
  return one;
}

std::vector<Option> options_at(const ObservedPoint& point) {
  std::vector<Option> found;
  const auto call = fault::as_call_point(point.point);
  if (call) add_call_faults(point, *call, found);
  add_world_faults(point, call, found);
  return found;
}

std::vector<Option> crashes_at(const ObservedPoint& point) {
  static const Choice crash = [] {
    const ActionRow* row = fault::find_action("manager.crash");
    return choice_of(*row, row->variants.front(), Way::once);
  }();
  if (!fault::as_call_point(point.point)) return {};
  return {option_of(crash, point.situation)};
}

std::vector<Candidate> candidates_at(const ObservedPoint& point) {
  std::vector<Candidate> found;
  for (const Option& option : options_at(point)) found.push_back(candidate_of(point, option));
  for (const Option& option : crashes_at(point)) found.push_back(candidate_of(point, option));
  return found;
}

}  // namespace drover::explore
