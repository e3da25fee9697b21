// The API without sockets: a call from its parameters to its answer, over a service of three nodes.
// list_nodes asks the mock cloud each time, as documented.
#include <benchmark/benchmark.h>

#include "bench/bench_world.hpp"

namespace drover {
namespace {

constexpr const char* kWorld = R"yaml(schema: 1
name: api-bench
cloud: {call_latency: "const(1ms)"}
steps: [{wait: 1s}]
)yaml";

void dispatch(benchmark::State& state, const char* method) {
  const auto scenario = bench::scenario_of(kWorld);
  scenario::SimWorld world(scenario, 1);
  world.start();
  world.scheduler().run_until(kEpoch + 1s);
  (void)bench::call(world, "add_nodes", nlohmann::json{{"count", 3}});
  if (!bench::run_until_listed(world, 3)) {
    state.SkipWithError("the nodes did not come up");
    return;
  }
  std::uint64_t failed = 0;
  for (auto _ : state) failed += bench::call(world, method, nlohmann::json::object()).failed ? 1U : 0U;
  if (failed > 0) state.SkipWithError("calls failed");
  state.SetItemsProcessed(state.iterations());
}

void get_service_info(benchmark::State& state) { dispatch(state, "get_service_info"); }
BENCHMARK(get_service_info)->Name("api/get_service_info")->Unit(benchmark::kMicrosecond);
void list_nodes(benchmark::State& state) { dispatch(state, "list_nodes"); }
BENCHMARK(list_nodes)->Name("api/list_nodes")->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace drover
