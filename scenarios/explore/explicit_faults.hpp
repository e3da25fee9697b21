// Faults that fell by chance, written down as what they were: each firing becomes a rule of its own that
// names its moment. Only then can the shrinker delete one without the others.
#pragma once

#include <optional>

#include "scenarios/engine/scenario.hpp"

namespace drover::explore {

// Runs the scenario once and replaces every rule with `probability`, `every` or `pick`. Nothing when there is
// none, or when too many fired for that to be of use.
std::optional<scenario::Scenario> with_explicit_faults(const scenario::Scenario& scenario,
                                                       std::uint64_t seed);

}  // namespace drover::explore
