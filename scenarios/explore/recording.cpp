#include "scenarios/explore/recording.hpp"

#include <unordered_map>
#include <unordered_set>

#include "mockcloud/fault/points.hpp"
#include "scenarios/explore/situation.hpp"

namespace drover::explore {
namespace {

constexpr std::size_t kPoints = 4000;
constexpr std::size_t kRecoveryPoints = 100;

class Recorder {
 public:
  Recorder(scenario::SimWorld& world, Recording& to, bool after_crash, std::size_t max_points)
      : world_(world), to_(to), after_crash_(after_crash), max_points_(max_points) {}

  void observe(std::string_view name, std::string_view subject) {
    if (after_crash_ && world_.incarnations() < 2) return;
    ++to_.observed;
    const std::uint64_t key = mix(hash_text(name), hash_text(subject));
    const unsigned occurrence = ++occurrences_[key];
    if (to_.points.size() >= max_points_) return;
    Situation seen = situation_of(world_, subject);
    const std::uint64_t state = mix(seen.world, seen.subject);
    const std::uint64_t situation = mix(state, hash_text(name));
    if (!known_.insert(situation).second) return;
    std::string master;
    if (const auto* manager = world_.manager(); manager != nullptr && manager->model().service.primary != 0)
      master = model::node_name(manager->model().service.primary);
    to_.points.push_back({fault::canonical_point(name), std::string(subject), occurrence,
                          world_.scheduler().now(), state, situation, std::move(seen.context),
                          std::move(master), world_.incarnations()});
  }

 private:
  scenario::SimWorld& world_;
  Recording& to_;
  bool after_crash_;
  std::size_t max_points_;
  std::unordered_map<std::uint64_t, unsigned> occurrences_;
  std::unordered_set<std::uint64_t> known_;
};

}  // namespace

Recording record(const scenario::Scenario& scenario, std::uint64_t seed, const scenario::EndState* reference,
                 bool after_crash) {
  Recording made;
  std::unique_ptr<Recorder> recorder;
  scenario::RunOptions options;
  options.max_events = kEventsAtMost;
  options.reference = reference;
  const std::size_t max_points = after_crash ? kRecoveryPoints : kPoints;
  options.prepare = [&](scenario::SimWorld& world) {
    recorder = std::make_unique<Recorder>(world, made, after_crash, max_points);
    world.faults().set_recorder(
        [&recorder](std::string_view point, std::string_view subject) { recorder->observe(point, subject); });
  };
  made.run = scenario::run_scenario(scenario, seed, options);
  return made;
}

}  // namespace drover::explore
