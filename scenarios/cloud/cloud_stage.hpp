// Runs on a real cloud, one after the other: each with its tag, its limits and its clean-up. Real time.
#pragma once

#include <functional>

#include "scenarios/cloud/cloud_world.hpp"
#include "scenarios/engine/runner.hpp"

namespace drover::scenario {

// What a run would create, for people; nothing is created.
std::string describe_plan(const Scenario& scenario, const CloudPlace& place);

// `name` is unique among all runs of the account ("drover-run-1f3a"); `wall` seconds since 1970 now.
// `interrupted` is looked at ten times a second: the run ends as UNKNOWN, and is cleaned up all the same.
// What is left behind is a failure of the run that names it; `log` is told of it and of the clean-up.
RunResult run_on_cloud(const Scenario& scenario, std::uint64_t seed, const RunOptions& options,
                       const CloudPlace& place, const std::string& name, std::int64_t wall,
                       const std::function<bool()>& interrupted,
                       const std::function<void(const std::string&)>& log);

}  // namespace drover::scenario
