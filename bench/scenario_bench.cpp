// Whole scenarios: "add 3 nodes, master, 2 slaves, 10 simulated minutes with traffic", and one with a slow
// and lossy network, clients, a switchover and a partition; every invariant checked, one world and one seed
// per run. And what a run costs before its first event.
#include <benchmark/benchmark.h>

#include "bench/bench_world.hpp"
#include "paths.hpp"
#include "scenarios/engine/runner.hpp"

namespace drover {
namespace {

constexpr const char* kFile = DROVER_SOURCE_DIR "/bench/scenarios/three-nodes-traffic.yaml";
constexpr const char* kNetworkFile = DROVER_SOURCE_DIR "/bench/scenarios/network-and-clients.yaml";

void run_file(benchmark::State& state, const char* file) {
  const auto loaded = scenario::load_scenario(file);
  if (loaded.has_error()) {
    state.SkipWithError(loaded.error().message.c_str());
    return;
  }
  const auto& one = loaded.value().cases.front();
  std::uint64_t seed = 0, events = 0;
  double hours = 0;
  for (auto _ : state) {
    const auto run = scenario::run_scenario(one, ++seed);
    if (run.verdict != scenario::Verdict::pass) {
      state.SkipWithError(("seed " + std::to_string(seed) + " did not pass").c_str());
      break;
    }
    events += run.events;
    hours += to_seconds(run.simulated) / 3600;
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["events_per_scenario"] =
      benchmark::Counter(static_cast<double>(events), benchmark::Counter::kAvgIterations);
  state.counters["simulated_hours_per_s"] = benchmark::Counter(hours, benchmark::Counter::kIsRate);
  state.counters["events_per_s"] =
      benchmark::Counter(static_cast<double>(events), benchmark::Counter::kIsRate);
}
BENCHMARK_CAPTURE(run_file, traffic, kFile)
    ->Name("scenario/three_nodes_traffic")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_file, network, kNetworkFile)
    ->Name("scenario/network_and_clients")
    ->Unit(benchmark::kMillisecond);

// The world made, the manager started and all of it destroyed: the fixed cost of every run.
void set_up(benchmark::State& state) {
  const auto loaded = scenario::load_scenario(kFile);
  if (loaded.has_error()) {
    state.SkipWithError(loaded.error().message.c_str());
    return;
  }
  std::uint64_t seed = 0;
  for (auto _ : state) {
    scenario::SimWorld world(loaded.value().cases.front(), ++seed);
    world.start();
    benchmark::DoNotOptimize(world.manager());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(set_up)->Name("scenario/world_set_up")->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace drover
