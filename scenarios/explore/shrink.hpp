// Makes a failing scenario small: deletes faults, steps, nodes and settings and simplifies what is left, as
// long as the same failure (by its fingerprint) is still there. Deterministic.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "scenarios/engine/scenario.hpp"

namespace drover::explore {

struct ShrinkLimits {
  std::uint64_t runs = 1200;
  std::uint64_t events = 12'000'000;
};

struct Shrunk {
  scenario::Scenario scenario;  // with its only seed; parses, and fails by itself
  std::uint64_t seed = 1;
  bool reproduced = false;  // false: the failure could not be seen again at all
  std::size_t faults = 0;
  std::size_t steps = 0;
  std::uint64_t runs = 0;
  std::uint64_t events = 0;         // of all runs
  std::uint64_t events_before = 0;  // of one run, before
  std::string message;              // what the small one fails with
};

Shrunk shrink(const scenario::Scenario& scenario, std::uint64_t seed, const std::string& fingerprint,
              const ShrinkLimits& limits = {});

// Steps at all depths.
std::size_t count_steps(const std::vector<scenario::Step>& steps);

}  // namespace drover::explore
