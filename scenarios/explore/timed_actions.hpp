// Steps that disturb something at a moment, written down as faults at that time: the waiting before or after
// them is then no step of its own.
#pragma once

#include <vector>

#include "scenarios/engine/scenario.hpp"

namespace drover::explore {

// Runs the scenario once to learn when its `do` steps come. What it would be with one of them as a fault `at`
// its time, each without the `wait` before it, without the one behind it (unless all `keeps_waits`), and by
// itself; most saving first. Nothing for steps in `repeat` and `parallel`, or with references.
std::vector<scenario::Scenario> with_timed_actions(const scenario::Scenario& scenario, std::uint64_t seed,
                                                   bool keeps_waits);

}  // namespace drover::explore
