// What of a scenario real servers on one machine cannot show. Pure.
#pragma once

#include <string>

#include "scenarios/engine/scenario.hpp"
#include "scenarios/local/run_ground.hpp"

namespace drover::scenario {

// VMs of one run at the same time.
inline constexpr unsigned kLocalInstancesMax = 32;

// What this machine cannot give to a run, and why; "" what it can.
struct LocalLacks {
  std::string networks;
  std::string disks;
};

// What the scenario's faults need: networks that can be cut, disks that can be full.
GroundWanted ground_wanted(const Scenario& scenario);

// Why the scenario is SKIPPED in the local world, naming the fault or the setting; "" when it can be run.
std::string why_not_local(const Scenario& scenario, const LocalLacks& lacks = {});

// The same for the world "cloud".
std::string why_not_on_a_cloud(const Scenario& scenario);

// How many VMs the steps ask for by number. What operations replace comes on top.
std::int64_t vms_asked_for(const Scenario& scenario);

}  // namespace drover::scenario
