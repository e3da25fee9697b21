#include "scenarios/explore/timed_actions.hpp"

#include <algorithm>

#include "scenarios/engine/runner.hpp"
#include "scenarios/explore/recording.hpp"

namespace drover::explore {
namespace {

using scenario::Scenario;
using scenario::Step;

// What a fault looks like in the trace, whether a step or a rule made it.
struct Moment {
  std::string action;
  Duration at{0};
};

std::vector<Moment> moments_of(const Scenario& scenario, std::uint64_t seed) {
  std::vector<Moment> moments;
  scenario::RunOptions options;
  options.max_events = kEventsAtMost;
  options.prepare = [](scenario::SimWorld& world) { world.trace().keep(); };
  options.finish = [&](scenario::SimWorld& world) {
    for (const TraceEntry& entry : world.trace().entries())
      if (entry.kind == TraceKind::fault) moments.push_back({entry.subject, entry.at.time_since_epoch()});
  };
  Scenario judged = scenario;
  judged.judge.as_without_faults = false;
  (void)scenario::run_scenario(judged, seed, options);
  return moments;
}

bool has_references(const scenario::Do& action) {
  const auto refers = [](const std::string& text) { return text.find('$') != std::string::npos; };
  return refers(action.subject) ||
         std::ranges::any_of(action.arguments, [&](const auto& argument) { return refers(argument.second); });
}

bool is_wait(const std::vector<Step>& steps, std::size_t i) {
  return i < steps.size() && std::holds_alternative<scenario::Wait>(steps[i].action);
}

fault::Rule rule_of(const scenario::Do& action, Duration at) {
  fault::Rule rule;
  rule.action = action.action;
  rule.at = at;
  rule.arguments = action.arguments;
  if (!action.subject.empty()) rule.arguments["target"] = action.subject;
  return rule;
}

// Without the steps [from, to), but with the fault.
Scenario replaced(const Scenario& scenario, std::size_t from, std::size_t to, const fault::Rule& rule) {
  Scenario one = scenario;
  one.steps.erase(one.steps.begin() + static_cast<std::ptrdiff_t>(from),
                  one.steps.begin() + static_cast<std::ptrdiff_t>(to));
  one.faults.push_back(rule);
  one.fault_places.resize(one.faults.size());
  return one;
}

}  // namespace

std::vector<Scenario> with_timed_actions(const Scenario& scenario, std::uint64_t seed, bool keeps_waits) {
  std::vector<Scenario> saving, alone;
  std::vector<Moment> moments;
  const auto& steps = scenario.steps;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto* action = std::get_if<scenario::Do>(&steps[i].action);
    if (action == nullptr || has_references(*action)) continue;
    if (moments.empty()) moments = moments_of(scenario, seed);
    for (const Moment& moment : moments) {
      if (moment.action != action->action) continue;
      const fault::Rule rule = rule_of(*action, moment.at);
      if (!keeps_waits && i > 0 && is_wait(steps, i - 1))
        saving.push_back(replaced(scenario, i - 1, i + 1, rule));
      if (!keeps_waits && is_wait(steps, i + 1)) saving.push_back(replaced(scenario, i, i + 2, rule));
      alone.push_back(replaced(scenario, i, i + 1, rule));
    }
  }
  saving.insert(saving.end(), alone.begin(), alone.end());
  return saving;
}

}  // namespace drover::explore
