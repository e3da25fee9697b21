#include "scenarios/explore/drawn_plan.hpp"

#include "scenarios/explore/candidates.hpp"
#include "scenarios/explore/drawn_calls.hpp"

namespace drover::explore {
namespace {

constexpr std::string_view kEntity = "plan";

}  // namespace

void add_drawn_fault(const Base& base, Choices& choices, Plan& plan) {
  const auto& points = base.reference.points;
  if (points.empty()) return;
  const auto& point = points[choices.below(points.size(), kEntity, "point")];
  auto all = candidates_at(point);
  std::erase_if(all, [](const Candidate& one) { return one.rule.beyond_budget; });
  if (all.empty()) return;
  auto& drawn = all[choices.below(all.size(), kEntity, "candidate")];
  if (choices.chance(0.3, kEntity, "elsewhere"))
    drawn.rule.when->first += static_cast<unsigned>(choices.below(5, kEntity, "shift"));
  plan.cell = point.point + " × " + drawn.action;
  plan.context = point.context;
  plan.faults.push_back(std::move(drawn.rule));
}

Plan draw_plan(const std::vector<Base>& bases, Choices& choices, std::size_t most_faults) {
  Plan plan;
  plan.mode = Mode::coverage;
  plan.base = choices.below(bases.size(), kEntity, "base");
  plan.seed = 1 + choices.below(64, kEntity, "seed");
  const bool takes_calls = may_take_calls(bases[plan.base].scenario);
  if (choices.chance(0.25, kEntity, "uninvited") && takes_calls)
    plan.steps = with_drawn_calls(bases[plan.base].calm.steps, choices.draw(kEntity, "calls"), std::string());
  if (choices.chance(0.25, kEntity, "call at a point") && takes_calls)
    if (auto rule = drawn_call_at(bases[plan.base].reference.points, choices))
      plan.faults.push_back(std::move(*rule));
  const std::size_t faults = choices.below(most_faults + 1, kEntity, "faults");
  for (std::size_t i = 0; i < faults; ++i) add_drawn_fault(bases[plan.base], choices, plan);
  return plan;
}

}  // namespace drover::explore
