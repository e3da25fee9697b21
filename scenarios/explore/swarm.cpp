// Modes sweep, swarm and order: many seeds of the same files, as they are, in random weather, and with events
// of the same moment in other orders.
#include <algorithm>

#include "mockcloud/fault/catalogue.hpp"
#include "scenarios/explore/drawer.hpp"
#include "scenarios/explore/drawn_calls.hpp"
#include "scenarios/explore/generator.hpp"
#include "scenarios/explore/weather.hpp"

namespace drover::explore {
namespace {

constexpr double kUninvited = 0.5;           // of a swarm's plans have calls that nobody wrote
constexpr std::uint64_t kCallsAtPoints = 3;  // of those at most, beside those between the steps

// Every file once for each seed. Files that take long come rarely: every so many rounds.
class Rounds : public Generator {
 public:
  Rounds(Mode mode, const GeneratorContext& context) : Generator(mode), context_(context) {}

  std::optional<Plan> next() override {
    if (context_.bases.empty()) return std::nullopt;
    while (true) {
      if (position_ == context_.bases.size()) {
        position_ = 0;
        ++round_;
      }
      const std::size_t index = position_++;
      const auto& base = context_.bases[index];
      if (base.too_large && round_ % 50 != 0) continue;
      Plan plan;
      plan.base = index;
      plan.mode = mode();
      plan.seed = context_.settings.seed + round_;
      if (make(base, plan)) return plan;
    }
  }

  nlohmann::json save() const override { return {{"position", position_}, {"round", round_}}; }
  void load(const nlohmann::json& saved) override {
    saved.at("position").get_to(position_);
    saved.at("round").get_to(round_);
  }

 protected:
  virtual bool make(const Base& base, Plan& plan) = 0;
  GeneratorContext context_;
  std::uint64_t round_ = 0;

 private:
  std::size_t position_ = 0;
};

class Sweep final : public Rounds {
 public:
  explicit Sweep(const GeneratorContext& context) : Rounds(Mode::sweep, context) { round_ = 1; }

 private:
  bool make(const Base&, Plan& plan) override {
    plan.as_written = true;
    plan.cell = "as written";
    return true;
  }
};

class Swarm final : public Rounds {
 public:
  explicit Swarm(const GeneratorContext& context) : Rounds(Mode::swarm, context) {}

 private:
  bool make(const Base& base, Plan& plan) override {
    const TimePoint end = base.reference.run.simulated + kEpoch;
    const std::string entity = base.scenario.name + to_text(base.scenario.values);
    plan.faults = weather(plan.seed, entity, end.time_since_epoch(), context_.settings.beyond_budget);
    plan.cell = plan.faults.empty() ? "calm" : "weather";
    const bool beyond = std::ranges::any_of(plan.faults, &fault::Rule::beyond_budget);
    const bool takes_calls = !beyond && may_take_calls(base.scenario);
    if (Drawer draw(plan.seed, entity); takes_calls && draw.chance(kUninvited, "uninvited")) {
      const auto where = draw.below(3, "where");
      if (where != 0) plan.steps = with_drawn_calls(base.calm.steps, plan.seed, entity);
      if (where != 1) add_calls_at_points(base, Choices(mix(plan.seed, hash_text(entity))), plan);
      plan.cell += " and calls";
    }
    return true;
  }

  static void add_calls_at_points(const Base& base, Choices choices, Plan& plan) {
    const auto count = 1 + choices.below(kCallsAtPoints, "swarm", "calls at points");
    for (std::uint64_t i = 0; i < count; ++i)
      if (auto rule = drawn_call_at(base.reference.points, choices)) plan.faults.push_back(std::move(*rule));
  }
};

class Order final : public Rounds {
 public:
  explicit Order(const GeneratorContext& context) : Rounds(Mode::order, context) {}

 private:
  bool make(const Base& base, Plan& plan) override {
    plan.seed = context_.settings.seed;
    fault::Rule shuffle;
    shuffle.at = Duration{0};
    shuffle.action = "order.shuffle";
    shuffle.arguments["seed"] = std::to_string(round_ + 1);
    if (round_ % 2 == 1) shuffle.arguments["spread"] = "2ms";
    plan.faults.push_back(std::move(shuffle));
    plan.masked = true;
    plan.cell = "order";
    (void)base;
    return true;
  }
};

}  // namespace

std::unique_ptr<Generator> make_sweep(const GeneratorContext& context) {
  return std::make_unique<Sweep>(context);
}
std::unique_ptr<Generator> make_swarm(const GeneratorContext& context) {
  return std::make_unique<Swarm>(context);
}
std::unique_ptr<Generator> make_order(const GeneratorContext& context) {
  return std::make_unique<Order>(context);
}

}  // namespace drover::explore
