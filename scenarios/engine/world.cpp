#include "scenarios/engine/world.hpp"

#include "scenarios/engine/world_settings.hpp"

namespace drover::scenario {

World::World(const Scenario& scenario, std::uint64_t seed)
    : scenario_(scenario), configuration_(manager_config(scenario)), domain_(scheduler_), choices_(seed) {
  trace_.follow(scheduler_.now_address());
  secrets_.insert(configuration_.replication_password.value);
}

World::~World() = default;

void World::report(std::string invariant, std::string message, std::string fingerprint) {
  if (fingerprint.empty()) fingerprint = invariant;
  for (const auto& known : violations_)
    if (known.fingerprint == fingerprint) return;  // once is enough
  trace_.add(TraceKind::check, invariant, message);
  violations_.push_back({std::move(invariant), std::move(message), scheduler_.now(), std::move(fingerprint)});
}

}  // namespace drover::scenario
