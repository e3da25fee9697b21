// What the tests of the runner share: scenarios as text, and short ways to run them and to reach into their
// world.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>

#include "scenarios/engine/load_library.hpp"
#include "scenarios/engine/runner.hpp"

namespace drover::scenario {

// The first case of a scenario text.
inline Scenario scenario_of(const std::string& text) {
  auto file = prepare_scenario(text, "test.yaml");
  EXPECT_TRUE(file.has_value()) << (file.has_error() ? file.error().message : "");
  return file.has_value() ? file.value().cases.front() : Scenario();
}

inline RunResult run_text(const std::string& text, const RunOptions& options = {}, std::uint64_t seed = 1) {
  return run_scenario(scenario_of(text), seed, options);
}

using Prepare = std::function<void(SimWorld&)>;

inline RunResult run_text(const std::string& text, Prepare prepare) {
  RunOptions options;
  options.prepare = std::move(prepare);
  return run_text(text, options);
}

// Does `act` to the world at a time, behind everybody's back: neither a fault nor a step.
inline Prepare at(Duration time, std::function<void(SimWorld&)> act) {
  return [time, act](SimWorld& world) {
    world.scheduler().call_at(world.domain(), kEpoch + time, [&world, act] { act(world); });
  };
}

// The instance of a node, by name.
inline std::string id_of(const SimWorld& world, const std::string& node) {
  const auto* vm = world.instance_of(node);
  EXPECT_NE(vm, nullptr) << node;
  return vm == nullptr ? std::string() : vm->id;
}

inline std::set<std::string> broken(const RunResult& run) {
  std::set<std::string> names;
  for (const auto& failure : run.failures) names.insert(failure.invariant);
  return names;
}

// Verdict, reason and failures, for messages of tests.
inline std::string told(const RunResult& run) {
  std::string text = std::string(to_text(run.verdict)) + " " + run.reason;
  for (const auto& failure : run.failures)
    text += "\n  " + failure.invariant + " at " + drover::to_text(failure.at.time_since_epoch()) + ": " +
            failure.message;
  return text;
}

// A master and a slave, ready after a minute or so, then 30 quiet minutes.
inline std::string pair_text(const std::string& more = {}) {
  return R"(schema: 1
name: pair
cloud: {boot: 20s}
agents: {start: 2s}
steps:
  - call: add_nodes
    with: {count: 2}
    as: job
  - await: {operation: $job.operation}
  - call: set_up_replica_master
    with: {id: "1"}
    as: master
  - await: {operation: $master.operation}
  - call: set_up_replica_slave
    with: {id: "2"}
    as: slave
  - await: {operation: $slave.operation}
  - until: 30m
)" + more;
}

}  // namespace drover::scenario
