#include "tools/drover/serve_faults.hpp"

#include "manager/model/records.hpp"
#include "scenarios/engine/load_library.hpp"
#include "tools/drover/cloud_actions.hpp"

namespace drover::tools {
namespace {

struct Stage {
  Scheduler& scheduler;
  Domain& domain;
  node::Fleet& fleet;

  void later(Duration after, std::function<void()> undo) const {
    if (after != fault::kNeverHappens) scheduler.call_after(domain, after, std::move(undo));
  }
};

Result<void> known(bool found) {
  if (found) return success();
  return make_error(ErrorCode::not_found, "nothing has started there yet");
}

std::optional<Duration> restart_of(const fault::Arguments& arguments) {
  const Duration after = arguments.duration("restart");
  return after == fault::kNeverHappens ? std::nullopt : std::optional<Duration>(after);
}

struct ActionHere {
  const char* name;
  Result<void> (*act)(const Stage&, const std::string& id, const fault::Arguments&);
};

constexpr ActionHere kActions[] = {
    {"agent.crash", [](const Stage& s, const std::string& id,
                       const fault::Arguments& a) { return known(s.fleet.crash_agent(id, restart_of(a))); }},
    {"agent.hang",
     [](const Stage& s, const std::string& id, const fault::Arguments& a) {
       s.later(a.duration("for"), [&fleet = s.fleet, id] { fleet.hang_agent(id, false); });
       return known(s.fleet.hang_agent(id, true));
     }},
    {"db.crash", [](const Stage& s, const std::string& id,
                    const fault::Arguments& a) { return known(s.fleet.crash_server(id, restart_of(a))); }},
    {"db.hang",
     [](const Stage& s, const std::string& id, const fault::Arguments& a) {
       s.later(a.duration("for"), [&fleet = s.fleet, id] { fleet.hang_server(id, false); });
       return known(s.fleet.hang_server(id, true));
     }},
    {"db.lag",
     [](const Stage& s, const std::string& id, const fault::Arguments& a) {
       s.later(a.duration("for"), [&fleet = s.fleet, id] { fleet.lag(id, std::nullopt); });
       return known(s.fleet.lag(id, a.duration("by")));
     }},
    {"db.stop_io", [](const Stage& s, const std::string& id,
                      const fault::Arguments&) { return known(s.fleet.disconnect_io(id)); }},
};

const ActionHere* find_here(std::string_view name) {
  for (const ActionHere& row : kActions)
    if (name == row.name) return &row;
  return nullptr;
}

}  // namespace

Result<std::vector<fault::Rule>> load_fault_rules(const std::string& path, TimePoint start) {
  DROVER_TRY(const scenario::ScenarioFile file, scenario::load_scenario(path));
  std::vector<fault::Rule> rules = file.cases.front().faults;
  std::string missing;
  for (fault::Rule& rule : rules) {
    if (rule.at) *rule.at += start.time_since_epoch();
    if (rule.until) *rule.until += start.time_since_epoch();
    std::vector<std::string> actions = rule.pick;
    if (!rule.action.empty()) actions.push_back(rule.action);
    for (const std::string& name : actions) {
      const fault::ActionRow* row = fault::find_action(name);
      if (row != nullptr && !row->is_call() && !is_cloud_action(name) && find_here(name) == nullptr)
        missing += (missing.empty() ? "" : ", ") + name;
    }
  }
  if (missing.empty()) return rules;
  std::string here = cloud_action_names();
  for (const ActionHere& row : kActions) here += std::string(", ") + row.name;
  return make_error(ErrorCode::unavailable, path + ": drover serve cannot make " + missing +
                                                " in this version; beside faults of calls it makes " + here +
                                                ". Leave the others out, or use drover run");
}

Result<void> ServeFaults::act(const fault::Action& action, const std::string& id) {
  if (is_cloud_action(action.name)) return act_on_cloud({scheduler_, domain_, cloud_}, action, id);
  const ActionHere* row = find_here(action.name);
  if (row == nullptr) return make_error(ErrorCode::unavailable, "not available in drover serve");
  if (id.empty()) return make_error(ErrorCode::not_found, "there is no running VM \"" + action.target + "\"");
  return row->act(Stage{scheduler_, domain_, fleet_}, id, action.arguments);
}

void ServeFaults::perform(const fault::Action& action) {
  const std::string id = find_target(cloud_, choices_, action);
  const auto done = act(action, id);
  if (done.has_error()) engine_->not_performed(action);
  log_("fault " + action.name + " on " + (id.empty() ? "nothing" : id) +
       (done.has_error() ? ": " + done.error().message : std::string()));
}

}  // namespace drover::tools
