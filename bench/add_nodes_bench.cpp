// add_nodes of many nodes in one service, through the API, in the simulated world: from the call until the
// last node is registered. Time per node must not grow with their number. And the manager's memory per node.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <memory>

#include "bench/bench_world.hpp"
#include "scenarios/engine/runner.hpp"

namespace drover {
namespace {

constexpr const char* kWorld = R"yaml(schema: 1
name: add-nodes
steps: [{wait: 1s}]
)yaml";

void add_nodes(benchmark::State& state) {
  const auto scenario = bench::scenario_of(kWorld);
  const auto count = static_cast<std::size_t>(state.range(0));
  std::uint64_t events = 0;
  double seconds = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto world = std::make_unique<scenario::SimWorld>(scenario, 1);
    world->start();
    world->scheduler().run_until(kEpoch + 1s);
    state.ResumeTiming();
    const auto answer = bench::call(*world, "add_nodes", nlohmann::json{{"count", count}});
    if (answer.failed || !bench::run_until_listed(*world, count)) {
      state.SkipWithError("the nodes did not come up");
      break;
    }
    state.PauseTiming();
    events += world->scheduler().events();
    seconds += to_seconds(world->scheduler().now());
    world.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["events"] =
      benchmark::Counter(static_cast<double>(events), benchmark::Counter::kAvgIterations);
  state.counters["simulated_s"] = benchmark::Counter(seconds, benchmark::Counter::kAvgIterations);
}
BENCHMARK(add_nodes)
    ->Name("add_nodes/world")
    ->Arg(100)
    ->Arg(1'000)
    ->Arg(10'000)
    ->Unit(benchmark::kMillisecond);

// The same as a scenario: with every checker, and the quiet minutes at its end.
void add_nodes_checked(benchmark::State& state) {
  const std::string count = std::to_string(state.range(0));
  const auto scenario = bench::scenario_of(
      "schema: 1\nname: add-nodes-checked\nsteps:\n  - call: add_nodes\n    with: {count: " + count +
      "}\n  - eventually: {state: RUNNING, nodes: " + count + "}\n    within: 1h\n");
  std::uint64_t events = 0;
  for (auto _ : state) {
    const auto run = scenario::run_scenario(scenario, 1);
    if (run.verdict != scenario::Verdict::pass) {
      state.SkipWithError(run.failures.empty() ? run.reason.c_str() : run.failures.front().message.c_str());
      break;
    }
    events += run.events;
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["events"] =
      benchmark::Counter(static_cast<double>(events), benchmark::Counter::kAvgIterations);
}
BENCHMARK(add_nodes_checked)
    ->Name("add_nodes/scenario")
    ->Arg(100)
    ->Arg(1'000)
    ->Arg(10'000)
    ->Unit(benchmark::kMillisecond);

std::size_t bytes_in_use() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// How many bytes the heap gives back when only the manager dies and the world (cloud, servers, journal
// database) stays: records, indexes, history, log, operations and coroutines, with malloc's overhead.
// Blocks that the scheduler recycles are not given back and do not count (one of at most 256 bytes for each
// coroutine that waits). Measured with all nodes running, between two polls.
void memory_per_node(benchmark::State& state) {
  const auto scenario = bench::scenario_of(kWorld);
  const auto count = static_cast<std::size_t>(state.range(0));
  double bytes = 0;
  for (auto _ : state) {
    scenario::SimWorld world(scenario, 1);
    world.start();
    world.scheduler().run_until(kEpoch + 1s);
    (void)bench::call(world, "add_nodes", nlohmann::json{{"count", count}});
    if (!bench::run_until_listed(world, count)) {
      state.SkipWithError("the nodes did not come up");
      break;
    }
    world.scheduler().run_until(world.scheduler().later(5s));
    const auto before = bytes_in_use();
    fault::Action crash;
    crash.name = "manager.crash";
    crash.arguments.add({.name = "restart", .text = "never", .duration = fault::kNeverHappens});
    if (world.act(crash).has_error()) state.SkipWithError("the manager cannot be crashed");
    while (world.manager() != nullptr && world.scheduler().run_one()) {
    }
    bytes += static_cast<double>(before - bytes_in_use());
  }
  state.counters["bytes_per_node"] =
      benchmark::Counter(bytes / static_cast<double>(count), benchmark::Counter::kAvgIterations);
}
BENCHMARK(memory_per_node)
    ->Name("manager_memory/nodes")
    ->Arg(1'000)
    ->Arg(10'000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace drover
