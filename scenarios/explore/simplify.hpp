// Scenarios that are a little simpler than a given one: what the shrinker tries after deleting. Pure.
#pragma once

#include <vector>

#include "scenarios/engine/scenario.hpp"

namespace drover::explore {

// In a fixed order, the most promising first; each differs from `scenario` in one thing.
std::vector<scenario::Scenario> simplifications(const scenario::Scenario& scenario);

// The same in fewer words: faults that hit occurrences in a row one by one, as one; two waits in a row, as
// one.
std::vector<scenario::Scenario> gatherings(const scenario::Scenario& scenario);

}  // namespace drover::explore
