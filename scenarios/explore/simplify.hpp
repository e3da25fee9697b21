// Scenarios that are a little simpler than a given one: what the shrinker tries after deleting. Pure.
#pragma once

#include <vector>

#include "scenarios/engine/scenario.hpp"

namespace drover::explore {

// In a fixed order, the most promising first; each differs from `scenario` in one thing.
std::vector<scenario::Scenario> simplifications(const scenario::Scenario& scenario);

}  // namespace drover::explore
