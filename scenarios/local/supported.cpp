#include "scenarios/local/supported.hpp"

#include <algorithm>

#include "mockcloud/fault/catalogue.hpp"

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

std::string why_not(const fault::Rule& rule, const Here& here) {
  if (!rule.enabled) return {};
  if (rule.pick.empty()) return why_not(rule.action, here);
  for (const auto& action : rule.pick)
    if (auto why = why_not(action, here); !why.empty()) return why;
  return {};
}

std::int64_t nodes_wanted(const Call& call) {
  if (call.method != "add_nodes" || call.expect.error || call.expect.code) return 0;
  const auto count = call.with.find("count");
  return count != call.with.end() && count->is_number_integer() ? count->get<std::int64_t>() : 0;
}

// VMs that the steps ask for by number, and the first thing among them that cannot be done.
std::string look_at(const std::vector<Step>& steps, const Here& here, std::int64_t& wanted) {
  for (const Step& step : steps) {
    std::string why;
    if (const auto* action = std::get_if<Do>(&step.action)) why = why_not(action->action, here);
    if (const auto* beside = std::get_if<Parallel>(&step.action)) why = look_at(beside->steps, here, wanted);
    if (const auto* again = std::get_if<Repeat>(&step.action)) why = look_at(again->steps, here, wanted);
    if (const auto* call = std::get_if<Call>(&step.action); call != nullptr) wanted += nodes_wanted(*call);
    if (!why.empty()) return why;
  }
  return {};
}

std::string why_not(const char* section, const Settings& settings, std::span<const std::string_view> known) {
  for (const auto& key : settings.changed())
    if (std::find(known.begin(), known.end(), key) == known.end())
      return "the local world cannot set " + std::string(section) + "." + key;
  return {};
}

// The first fault that cannot be made here; `wanted` is what the steps ask for, in VMs.
std::string first_impossible(const Scenario& scenario, const Here& here, std::int64_t& wanted) {
  for (const auto& rule : scenario.faults)
    if (auto why = why_not(rule, here); !why.empty()) return why;
  return look_at(scenario.steps, here, wanted);
}

}  // namespace

std::string why_not_on_a_cloud(const Scenario& scenario) {
  std::int64_t wanted = 0;
  if (!scenario.real.allow) return "the file does not allow it (real: {allow: yes})";
  if (auto why = first_impossible(scenario, {fault::kCloud, "a real cloud"}, wanted); !why.empty())
    return why;
  if (scenario.traffic.integer("writers") > 0)
    return "a real cloud has no clients of the database here (traffic)";
  if (scenario.judge.as_without_faults)
    return "a real cloud cannot compare a run with one without its faults";
  return {};
}

std::int64_t vms_asked_for(const Scenario& scenario) {
  std::int64_t wanted = 0;
  (void)look_at(scenario.steps, {~0U, ""}, wanted);
  return wanted;
}

std::string why_not_local(const Scenario& scenario) {
  if (auto why = why_not("cloud", scenario.cloud, kCloud); !why.empty()) return why;
  if (auto why = why_not("network", scenario.network, {}); !why.empty()) return why;
  if (auto why = why_not("agents", scenario.agents, {}); !why.empty()) return why;
  std::int64_t wanted = 0;
  if (auto why = first_impossible(scenario, kHere, wanted); !why.empty()) return why;
  if (wanted > kLocalInstancesMax && !scenario.cloud.has("quota.instances"))
    return "the local world has room for " + std::to_string(kLocalInstancesMax) + " VMs";
  if (scenario.judge.as_without_faults)
    return "the local world cannot compare a run with one without its faults";
  return {};
}

}  // namespace drover::scenario
