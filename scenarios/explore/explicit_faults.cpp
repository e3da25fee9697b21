#include "scenarios/explore/explicit_faults.hpp"

#include <unordered_map>

#include "mockcloud/fault/catalogue.hpp"
#include "scenarios/engine/runner.hpp"
#include "scenarios/explore/recording.hpp"

namespace drover::explore {
namespace {

constexpr std::size_t kMostFirings = 400;

bool falls_by_chance(const fault::Rule& rule) {
  return rule.enabled && (rule.probability || rule.every || !rule.pick.empty());
}

// Where one firing happened.
struct Moment {
  std::string point, subject;
  unsigned occurrence = 0;
};

// Follows a run: which firing belongs to which observation.
class Follower {
 public:
  explicit Follower(scenario::SimWorld& world) : world_(world) {}

  void observe(std::string_view point, std::string_view subject) {
    take_new();
    latest_.point = fault::canonical_point(point);
    latest_.subject = subject;
    latest_.occurrence = ++occurrences_[mix(hash_text(point), hash_text(subject))];
  }
  void take_new() {
    while (moments_.size() < world_.faults().firings().size()) {
      moments_.push_back(latest_);
      firings_.push_back(world_.faults().firings()[firings_.size()]);
    }
  }
  const std::vector<Moment>& moments() const { return moments_; }
  const std::vector<fault::Firing>& firings() const { return firings_; }

 private:
  scenario::SimWorld& world_;
  Moment latest_;
  std::unordered_map<std::uint64_t, unsigned> occurrences_;
  std::vector<Moment> moments_;
  std::vector<fault::Firing> firings_;
};

// Firings tell their rule by its name; unnamed ones are counted.
const fault::Rule* rule_named(const std::vector<fault::Rule>& rules, const std::string& name) {
  std::size_t unnamed = 0;
  for (const auto& rule : rules) {
    if (rule.id.empty()) ++unnamed;
    if ((rule.id.empty() ? "fault-" + std::to_string(unnamed) : rule.id) == name) return &rule;
  }
  return nullptr;
}

fault::Rule made_explicit(const fault::Rule& rule, const fault::Firing& firing, const Moment& moment) {
  fault::Rule one;
  one.action = firing.action;
  one.beyond_budget = rule.beyond_budget;
  one.arguments = rule.arguments;
  one.arguments.erase("on");
  one.arguments.erase("calls");
  const auto* row = fault::find_action(firing.action);
  const bool on_call = row != nullptr && row->is_call();
  if (on_call || rule.when) {
    one.when = fault::Trigger{fault::Trigger::Kind::point, moment.point, moment.occurrence, false, {}};
    if (!moment.subject.empty()) one.subject = moment.subject;
  } else {
    one.at = firing.at.time_since_epoch();
  }
  if (!on_call && !firing.target.empty() && firing.target != moment.subject)
    one.arguments["target"] = firing.target;
  return one;
}

}  // namespace

std::optional<scenario::Scenario> with_explicit_faults(const scenario::Scenario& scenario,
                                                       std::uint64_t seed) {
  if (!std::ranges::any_of(scenario.faults, falls_by_chance)) return std::nullopt;
  std::unique_ptr<Follower> follower;
  scenario::RunOptions options;
  options.max_events = kEventsAtMost;
  options.prepare = [&](scenario::SimWorld& world) {
    follower = std::make_unique<Follower>(world);
    world.faults().set_recorder(
        [&](std::string_view point, std::string_view subject) { follower->observe(point, subject); });
  };
  options.finish = [&](scenario::SimWorld&) { follower->take_new(); };
  scenario::Scenario judged = scenario;
  judged.judge.as_without_faults = false;
  (void)scenario::run_scenario(judged, seed, options);
  if (follower->firings().size() > kMostFirings) return std::nullopt;
  scenario::Scenario fixed = scenario;
  fixed.faults.clear();
  for (const auto& rule : scenario.faults)
    if (!falls_by_chance(rule)) fixed.faults.push_back(rule);
  for (std::size_t i = 0; i < follower->firings().size(); ++i) {
    const auto* rule = rule_named(scenario.faults, follower->firings()[i].rule);
    if (rule == nullptr || !falls_by_chance(*rule)) continue;
    fixed.faults.push_back(made_explicit(*rule, follower->firings()[i], follower->moments()[i]));
  }
  fixed.fault_places.resize(fixed.faults.size());
  return fixed;
}

}  // namespace drover::explore
