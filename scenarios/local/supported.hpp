// What of a scenario real servers on one machine cannot show. Pure.
#pragma once

#include <string>

#include "scenarios/engine/scenario.hpp"

namespace drover::scenario {

// VMs of one run at the same time.
inline constexpr unsigned kLocalInstancesMax = 32;

// Why the scenario is SKIPPED in the local world, naming the fault or the setting; "" when it can be run.
std::string why_not_local(const Scenario& scenario);

// The same for the world "cloud".
std::string why_not_on_a_cloud(const Scenario& scenario);

// How many VMs the steps ask for by number. What operations replace comes on top.
std::int64_t vms_asked_for(const Scenario& scenario);

}  // namespace drover::scenario
