#include "scenarios/local/supported.hpp"

#include <algorithm>

#include "mockcloud/fault/local_need.hpp"

namespace drover::scenario {
namespace {

// The settings of a section that mean something to real machines; the others describe the simulation.
constexpr std::string_view kCloud[] = {"boot", "quota.instances", "reboot"};

// Of which world, and what it is called in messages.
struct Here {
  unsigned world;
  std::string_view name;
};
constexpr Here kHere{fault::kLocal, "the local world"};

bool is_made_here(const std::string& action, const Here& here) {
  const auto rows = fault::find_actions(action);
  return std::any_of(rows.begin(), rows.end(),
                     [&](const fault::ActionRow* row) { return (row->worlds & here.world) != 0; });
}

std::string why_not(const std::string& action, const Here& here) {
  return is_made_here(action, here) ? std::string() : std::string(here.name) + " cannot make " + action;
}

// Every action that the steps and rules may do, in their order.
void add_actions(const std::vector<Step>& steps, std::vector<std::string>& actions) {
  for (const Step& step : steps) {
    if (const auto* action = std::get_if<Do>(&step.action)) actions.push_back(action->action);
    if (const auto* beside = std::get_if<Parallel>(&step.action)) add_actions(beside->steps, actions);
    if (const auto* again = std::get_if<Repeat>(&step.action)) add_actions(again->steps, actions);
  }
}

std::vector<std::string> actions_of(const Scenario& scenario) {
  std::vector<std::string> actions;
  for (const auto& rule : scenario.faults) {
    if (!rule.enabled) continue;
    if (rule.pick.empty()) actions.push_back(rule.action);
    actions.insert(actions.end(), rule.pick.begin(), rule.pick.end());
  }
  add_actions(scenario.steps, actions);
  return actions;
}

std::int64_t nodes_wanted(const Call& call) {
  if (call.method != "add_nodes" || call.expect.error || call.expect.code) return 0;
  const auto count = call.with.find("count");
  return count != call.with.end() && count->is_number_integer() ? count->get<std::int64_t>() : 0;
}

// VMs that the steps ask for by number.
std::int64_t vms_of(const std::vector<Step>& steps) {
  std::int64_t wanted = 0;
  for (const Step& step : steps) {
    if (const auto* beside = std::get_if<Parallel>(&step.action)) wanted += vms_of(beside->steps);
    if (const auto* again = std::get_if<Repeat>(&step.action)) wanted += vms_of(again->steps);
    if (const auto* call = std::get_if<Call>(&step.action); call != nullptr) wanted += nodes_wanted(*call);
  }
  return wanted;
}

std::string why_not(const char* section, const Settings& settings, std::span<const std::string_view> known) {
  for (const auto& key : settings.changed())
    if (std::find(known.begin(), known.end(), key) == known.end())
      return "the local world cannot set " + std::string(section) + "." + key;
  return {};
}

// The first fault that cannot be made here.
std::string first_impossible(const Scenario& scenario, const Here& here) {
  for (const auto& action : actions_of(scenario))
    if (auto why = why_not(action, here); !why.empty()) return why;
  return {};
}

// The first action that needs it; "" when none does.
std::string first_in_need(const Scenario& scenario, fault::LocalNeed need) {
  for (const auto& action : actions_of(scenario))
    for (const auto* row : fault::find_actions(action))
      if (fault::local_need_of(*row) == need) return action;
  return {};
}

std::string why_lacking(const Scenario& scenario, fault::LocalNeed need, const char* what,
                        const std::string& why) {
  const std::string action = why.empty() ? std::string() : first_in_need(scenario, need);
  return action.empty() ? std::string() : action + " needs " + what + ": " + why;
}

}  // namespace

std::string why_not_on_a_cloud(const Scenario& scenario) {
  if (!scenario.real.allow) return "the file does not allow it (real: {allow: yes})";
  if (auto why = first_impossible(scenario, {fault::kCloud, "a real cloud"}); !why.empty()) return why;
  if (scenario.traffic.integer("writers") > 0)
    return "a real cloud has no clients of the database here (traffic)";
  if (scenario.judge.as_without_faults)
    return "a real cloud cannot compare a run with one without its faults";
  return {};
}

std::int64_t vms_asked_for(const Scenario& scenario) { return vms_of(scenario.steps); }

GroundWanted ground_wanted(const Scenario& scenario) {
  return {.networks = !first_in_need(scenario, fault::LocalNeed::network).empty(),
          .disks = !first_in_need(scenario, fault::LocalNeed::disk).empty()};
}

std::string why_not_local(const Scenario& scenario, const LocalLacks& lacks) {
  if (auto why = why_not("cloud", scenario.cloud, kCloud); !why.empty()) return why;
  if (auto why = why_not("network", scenario.network, {}); !why.empty()) return why;
  if (auto why = why_not("agents", scenario.agents, {}); !why.empty()) return why;
  if (auto why = first_impossible(scenario, kHere); !why.empty()) return why;
  using fault::LocalNeed;
  if (auto why = why_lacking(scenario, LocalNeed::network, "a network of each VM's own", lacks.networks);
      !why.empty())
    return why;
  if (auto why = why_lacking(scenario, LocalNeed::disk, "a small disk for each VM", lacks.disks);
      !why.empty())
    return why;
  if (vms_of(scenario.steps) > kLocalInstancesMax && !scenario.cloud.has("quota.instances"))
    return "the local world has room for " + std::to_string(kLocalInstancesMax) + " VMs";
  if (scenario.judge.as_without_faults)
    return "the local world cannot compare a run with one without its faults";
  return {};
}

}  // namespace drover::scenario
