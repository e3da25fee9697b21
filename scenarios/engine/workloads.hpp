// Workloads in C++ for what a list of steps cannot say; a step names one: `workload: mixed_calls`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "scenarios/engine/world.hpp"

namespace drover::scenario {

struct NamedWorkload {
  std::string name;
  std::string summary;
  // Returns what went wrong, or "".
  Task<std::string> (*run)(World& world, Referee& referee, nlohmann::json with);
};

const std::vector<NamedWorkload>& workloads();
const NamedWorkload* find_workload(const std::string& name);

}  // namespace drover::scenario
