#include "scenarios/explore/plan.hpp"

#include <algorithm>

namespace drover::explore {
namespace {

constexpr const char* kNames[kModes] = {"reference", "single", "crash", "pairs",
                                        "sweep",     "swarm",  "order", "coverage"};
constexpr std::uint64_t kLargestEvents = 400'000;  // of a reference run that is explored point by point
constexpr std::uint64_t kLargestFleet = 40;

// Steps whose outcome depends on when exactly they happen make operations fail legitimately once a fault has
// shifted them.
bool is_comparable(const std::vector<scenario::Step>& steps) {
  return std::ranges::none_of(steps, [](const scenario::Step& step) {
    if (std::holds_alternative<scenario::Workload>(step.action)) return true;
    if (std::holds_alternative<scenario::Parallel>(step.action)) return true;
    if (std::holds_alternative<scenario::Do>(step.action)) return true;
    if (std::holds_alternative<scenario::Until>(step.action)) return true;
    if (const auto* again = std::get_if<scenario::Repeat>(&step.action)) return !is_comparable(again->steps);
    const auto* call = std::get_if<scenario::Call>(&step.action);
    if (call == nullptr) return false;
    return call->background || call->client.has_value() || call->method == "cancel_operation" ||
           call->method == "shutdown" || call->method == "startup" || call->method == "fail_over";
  });
}

bool disturbs(const std::vector<scenario::Step>& steps) {
  return std::ranges::any_of(steps, [](const scenario::Step& step) {
    if (std::holds_alternative<scenario::Do>(step.action)) return true;
    if (const auto* again = std::get_if<scenario::Repeat>(&step.action)) return disturbs(again->steps);
    if (const auto* beside = std::get_if<scenario::Parallel>(&step.action)) return disturbs(beside->steps);
    return false;
  });
}

}  // namespace

const char* to_text(Mode mode) { return kNames[static_cast<int>(mode)]; }

std::optional<Mode> parse_mode(std::string_view text) {
  for (int i = 0; i < kModes; ++i)
    if (text == kNames[i]) return static_cast<Mode>(i);
  return std::nullopt;
}

scenario::Scenario scenario_of(const Base& base, const Plan& plan) {
  if (plan.as_written) {
    scenario::Scenario written = base.scenario;
    written.judge.tolerant = written.judge.tolerant || plan.tolerantly;
    return written;
  }
  scenario::Scenario one = base.calm;
  if (base.own_faults && plan.mode == Mode::swarm) {
    one.faults = base.scenario.faults;
    one.fault_places = base.scenario.fault_places;
  }
  if (!plan.steps.empty()) one.steps = plan.steps;
  for (const auto& rule : plan.faults) {
    one.faults.push_back(rule);
    one.fault_places.emplace_back();
  }
  one.judge.as_without_faults = plan.masked && base.comparable;
  return one;
}

std::uint64_t identity_of(const Base& base) {
  scenario::Scenario one = base.calm;
  one.name = one.description = "";
  one.tags.clear();
  one.values.values.clear();
  one.seeds = {};
  return hash_text(to_canonical_text(one));
}

Base make_base(const scenario::Scenario& written, std::uint64_t seed) {
  Base base;
  base.scenario = written;
  base.calm = scenario::without_faults(written);
  base.calm.judge.tolerant = true;
  base.own_faults = std::ranges::any_of(written.faults, [](const auto& rule) { return rule.enabled; }) ||
                    disturbs(written.steps);
  base.reference = record(base.calm, seed);
  base.comparable = is_comparable(written.steps) && base.reference.run.failures.empty();
  base.too_large =
      base.reference.run.events > kLargestEvents || base.reference.run.end.created > kLargestFleet;
  return base;
}

}  // namespace drover::explore
