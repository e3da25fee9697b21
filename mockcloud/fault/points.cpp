#include "mockcloud/fault/points.hpp"

#include <algorithm>
#include <array>

#include "manager/ports/agent.hpp"
#include "manager/ports/iaas.hpp"
#include "mockcloud/fault/nearest.hpp"

namespace drover::fault {
namespace {

constexpr std::array<std::string_view, 8> kIaasCalls{"newInstance",  "killInstance", "getVMInfo",
                                                     "listVMs",      "createVolume", "attachVolume",
                                                     "deleteVolume", "listVolumes"};

// The names of all alternatives of AgentCommand, from the port itself.
template <std::size_t... I>
std::array<std::string_view, sizeof...(I)> agent_names(std::index_sequence<I...>) {
  return {agent_method(AgentCommand(std::in_place_index<I>))...};
}
const auto& agent_calls() {
  static const auto names = agent_names(std::make_index_sequence<std::variant_size_v<AgentCommand>>{});
  return names;
}
constexpr std::array<std::string_view, 1> kStoreCalls{"commit"};

std::vector<std::string> call_names(Port port) {
  std::vector<std::string> names;
  for (const auto call : calls_of(port))
    for (const auto phase : {Phase::before, Phase::effect, Phase::reply})
      if (has_phase(port, phase)) names.push_back(std::string(call) + "." + to_text(phase));
  return names;
}

std::vector<std::string> instance_states() {
  std::vector<std::string> names;
  for (int i = 0; i < kInstanceStates; ++i)
    names.emplace_back(drover::to_text(static_cast<InstanceState>(i)));
  return names;
}

std::vector<PointFamily> make_families() {
  return {
      {"iaas", "calls of the manager to the cloud; subject: the node", call_names(Port::iaas)},
      {"agent", "commands of the manager to an agent; subject: the node", call_names(Port::agent)},
      {"store",
       "commits to the journal; \"store.commit\" is \"store.commit.before\"; subject: the first document, "
       "\"node-3\"",
       call_names(Port::store)},
      {"vm", "the cloud's truth: an instance has entered a state", instance_states()},
      {"repl",
       "a replica's truth: its replication has entered a state",
       {"connecting", "running", "caught_up", "lagging", "io_stopped", "sql_stopped", "stopped"}},
      {"operation",
       "an operation of the manager",
       {"accepted", "started", "retry", "step", "done", "failed", "cancelled"}},
      {"step",
       "a named step of an operation has begun, about the node; or a step of the scenario, by its name",
       {"create_vm", "start_server", "replace_vm", "kill_vm", "make_primary", "make_writable", "make_replica",
        "catch_up", "come_close", "fence", "drain", "stop_replica", "check_data", "record_primary", "repoint",
        "hand_back", "suspect", "choose", "rejoin"},
       true},
      {"node",
       "the manager's record of a node has entered a state",
       {"creating", "booting", "configuring", "running", "lost", "removing", "removed", "failed", "adopted"}},
      {"service",
       "the service has entered a state",
       {"init", "starting", "running", "adapting", "epilogue", "stopped", "error"}},
      {"manager", "the manager's process", {"started", "crashed", "fenced"}},
  };
}

// Splits at the first dot.
std::pair<std::string_view, std::string_view> split(std::string_view name) {
  const auto dot = name.find('.');
  if (dot == std::string_view::npos) return {name, {}};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

// '*' stands for any characters; neither text holds a dot.
bool matches_part(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool in_open_family(std::string_view point) {
  const auto [prefix, name] = split(point);
  if (name.empty() || name.find('.') != std::string_view::npos) return false;
  return std::any_of(point_families().begin(), point_families().end(),
                     [&](const PointFamily& family) { return family.open && family.prefix == prefix; });
}

Error unknown_point(const std::string& point) {
  std::string message = "unknown observation point \"" + point + "\"";
  std::vector<std::string> candidates = declared_points();
  candidates.emplace_back("store.commit");
  message += did_you_mean(point, candidates);
  if (message.back() != '?') {
    message += "; the families are";
    for (const auto& family : point_families()) message += " " + std::string(family.prefix) + ".";
  }
  return make_error(ErrorCode::invalid, std::move(message));
}

}  // namespace

const char* to_text(Port port) {
  switch (port) {
    case Port::iaas:
      return "iaas";
    case Port::agent:
      return "agent";
    case Port::store:
      return "store";
  }
  return "?";
}

const char* to_text(Phase phase) {
  switch (phase) {
    case Phase::before:
      return "before";
    case Phase::effect:
      return "effect";
    case Phase::reply:
      return "reply";
  }
  return "?";
}

std::span<const std::string_view> calls_of(Port port) {
  switch (port) {
    case Port::iaas:
      return kIaasCalls;
    case Port::agent:
      return agent_calls();
    case Port::store:
      return kStoreCalls;
  }
  return {};
}

bool has_phase(Port port, Phase phase) { return port != Port::store || phase != Phase::effect; }

const std::vector<PointFamily>& point_families() {
  static const std::vector<PointFamily> families = make_families();
  return families;
}

const std::vector<std::string>& declared_points() {
  static const std::vector<std::string> points = [] {
    std::vector<std::string> all;
    for (const auto& family : point_families())
      for (const auto& name : family.names) all.push_back(std::string(family.prefix) + "." + name);
    return all;
  }();
  return points;
}

std::string canonical_point(std::string_view point) {
  if (point == "store.commit") return "store.commit.before";
  std::string canonical(point);
  const auto prefix = split(point).first;
  if (prefix == "node" || prefix == "service")
    for (char& c : canonical)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return canonical;
}

bool matches_point(std::string_view pattern, std::string_view point) {
  while (true) {
    const auto pattern_dot = pattern.find('.');
    const auto point_dot = point.find('.');
    if ((pattern_dot == std::string_view::npos) != (point_dot == std::string_view::npos)) return false;
    if (!matches_part(pattern.substr(0, pattern_dot), point.substr(0, point_dot))) return false;
    if (pattern_dot == std::string_view::npos) return true;
    pattern.remove_prefix(pattern_dot + 1);
    point.remove_prefix(point_dot + 1);
  }
}

bool matches_subject(std::string_view pattern, std::string_view subject) {
  return matches_part(pattern, subject);
}

std::vector<std::string> expand_point(std::string_view pattern) {
  const std::string canonical = canonical_point(pattern);
  std::vector<std::string> expanded;
  for (const auto& point : declared_points())
    if (matches_point(canonical, point)) expanded.push_back(point);
  if (expanded.empty() && in_open_family(canonical)) expanded.push_back(canonical);
  return expanded;
}

std::optional<CallPoint> as_call_point(std::string_view point) {
  const auto [prefix, rest] = split(point);
  const auto [name, moment] = split(rest);
  for (const auto port : {Port::iaas, Port::agent, Port::store}) {
    if (prefix != to_text(port)) continue;
    for (const auto call : calls_of(port)) {
      if (name != call) continue;
      for (const auto phase : {Phase::before, Phase::effect, Phase::reply})
        if (has_phase(port, phase) && moment == to_text(phase)) return CallPoint{port, call, phase};
    }
  }
  return std::nullopt;
}

Result<void> check_trigger(const Trigger& trigger, const std::vector<std::string>* rule_ids) {
  if (trigger.kind == Trigger::Kind::point) {
    if (trigger.point.find('.') != std::string::npos) {
      if (expand_point(trigger.point).empty()) return unknown_point(trigger.point);
      return success();
    }
    if (rule_ids == nullptr ||
        std::find(rule_ids->begin(), rule_ids->end(), trigger.point) != rule_ids->end())
      return success();
    return make_error(ErrorCode::invalid, "\"" + trigger.point +
                                              "\" is neither an observation point (those have a dot, such as "
                                              "\"vm.running\") nor the id of a rule" +
                                              did_you_mean(trigger.point, *rule_ids));
  }
  if (trigger.children.size() < 2)
    return make_error(ErrorCode::invalid, "a combined trigger needs at least two parts");
  for (const auto& child : trigger.children) {
    DROVER_TRY(check_trigger(child, rule_ids));
  }
  return success();
}

std::vector<std::string> completing_points(const Trigger& trigger) {
  switch (trigger.kind) {
    case Trigger::Kind::point: {
      if (trigger.point.find('.') == std::string::npos) return {trigger.point};
      return expand_point(trigger.point);
    }
    case Trigger::Kind::then:
      return completing_points(trigger.children.back());
    case Trigger::Kind::both:
    case Trigger::Kind::either: {
      std::vector<std::string> all;
      for (const auto& child : trigger.children)
        for (auto& point : completing_points(child))
          if (std::find(all.begin(), all.end(), point) == all.end()) all.push_back(std::move(point));
      return all;
    }
  }
  return {};
}

}  // namespace drover::fault
