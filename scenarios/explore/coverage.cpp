// Mode coverage: what a run showed for the first time decides what is tried next. A run that saw a new
// succession of observation points is kept, and changed: faults are added, moved, taken away, a call that
// nobody wrote comes in, its seed is drawn anew.
#include <set>

#include "scenarios/explore/drawn_calls.hpp"
#include "scenarios/explore/drawn_plan.hpp"
#include "scenarios/explore/generator.hpp"
#include "scenarios/explore/saved_plan.hpp"

namespace drover::explore {
namespace {

constexpr std::size_t kMostFaults = 4;
constexpr std::size_t kMostCalls = 12;  // with their waits

class Coverage final : public Generator {
 public:
  explicit Coverage(const GeneratorContext& context) : Generator(Mode::coverage), context_(context) {
    for (std::size_t i = 0; i < context.bases.size(); ++i) {
      const Base& base = context.bases[i];
      if (base.too_large || base.repeated || base.reference.points.empty()) continue;
      Plan plan;
      plan.base = i;
      plan.mode = Mode::coverage;
      plan.seed = context.settings.seed;
      kept_.push_back(std::move(plan));
    }
  }

  std::optional<Plan> next() override {
    if (kept_.empty()) return std::nullopt;
    Choices choices(
        mix(mix(context_.settings.seed, 0xc0fe), ++drawn_));  // each plan its own: can be taken up again
    // The newest half is tried as often as all the others.
    const std::size_t recent = kept_.size() / 2;
    const bool newest = choices.chance(0.5, "coverage", "newest");
    const std::size_t from = newest ? recent : 0;
    Plan plan = kept_[from + choices.below(kept_.size() - from, "coverage", "parent")];
    change(choices, plan);
    plan.wants_features = true;
    plan.masked = false;
    return plan;
  }

  void learn(const Plan& plan, const Outcome& outcome) override {
    bool is_new = false;
    for (const std::uint64_t feature : outcome.features) is_new |= features_.insert(feature).second;
    if (is_new && outcome.result.failures.empty()) kept_.push_back(plan);
  }

  nlohmann::json save() const override {
    nlohmann::json saved{{"drawn", drawn_}, {"features", features_}, {"kept", nlohmann::json::array()}};
    for (const Plan& plan : kept_) saved["kept"].push_back(to_json(plan));
    return saved;
  }
  void load(const nlohmann::json& saved) override {
    saved.at("drawn").get_to(drawn_);
    saved.at("features").get_to(features_);
    kept_.clear();
    for (const auto& plan : saved.at("kept")) kept_.push_back(plan_of(plan).value());
  }

 private:
  void change(Choices& choices, Plan& plan) {
    const auto what = choices.below(7, "coverage", "change");
    if (what == 6 && may_take_calls(context_.bases[plan.base].scenario)) return add_call(choices, plan);
    if (what == 0 && !plan.faults.empty())
      plan.faults.erase(plan.faults.begin() +
                        static_cast<std::ptrdiff_t>(choices.below(plan.faults.size(), "coverage", "drop")));
    else if (what == 1)
      plan.seed = 1 + choices.below(10'000, "coverage", "seed");
    else if (plan.faults.size() >= kMostFaults)
      plan.faults.pop_back();
    if (what != 0 || plan.faults.empty()) add_drawn_fault(context_.bases[plan.base], choices, plan);
    if (plan.cell.empty()) plan.cell = "none";
  }

  void add_call(Choices& choices, Plan& plan) {
    plan.cell = "a call";
    const Base& base = context_.bases[plan.base];
    if (plan.faults.size() < kMostFaults && choices.chance(0.5, "coverage", "at a point")) {
      if (auto rule = drawn_call_at(base.reference.points, choices)) plan.faults.push_back(std::move(*rule));
      return;
    }
    const auto& written = base.calm.steps;
    if (plan.steps.size() > written.size() + kMostCalls) plan.steps.clear();
    plan.steps = with_drawn_calls(plan.steps.empty() ? written : plan.steps, choices.draw("coverage", "call"),
                                  std::string(), 1);
  }

  GeneratorContext context_;
  std::uint64_t drawn_ = 0;
  std::vector<Plan> kept_;
  std::set<std::uint64_t> features_;
};

}  // namespace

std::unique_ptr<Generator> make_coverage(const GeneratorContext& context) {
  return std::make_unique<Coverage>(context);
}

}  // namespace drover::explore
