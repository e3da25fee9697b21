// The scenario language: reading a file, and evaluating an expectation as it is done after every change.
#include <benchmark/benchmark.h>

#include <fstream>
#include <sstream>

#include "paths.hpp"
#include "scenarios/engine/expression.hpp"
#include "scenarios/engine/load_library.hpp"

namespace drover {
namespace {

std::string bench_file() {
  std::ifstream in(DROVER_SOURCE_DIR "/bench/scenarios/three-nodes-traffic.yaml");
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void parse_file(benchmark::State& state) {
  const std::string text = bench_file();
  for (auto _ : state) {
    auto file = scenario::prepare_scenario(text, "bench.yaml");
    if (file.has_error()) {
      state.SkipWithError(file.error().message.c_str());
      break;
    }
    benchmark::DoNotOptimize(file);
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(parse_file)->Name("language/parse_scenario")->Unit(benchmark::kMicrosecond);

void evaluate(benchmark::State& state) {
  const std::vector<std::string> known{"leaked_instances", "nodes", "writable_masters", "state"};
  auto parsed = scenario::Expression::parse("writable_masters <= 1 and leaked_instances == 0 and nodes >= 2");
  if (parsed.has_error() || parsed.value().bind(known).has_error()) {
    state.SkipWithError("the expression is wrong");
    return;
  }
  const std::vector<scenario::Value> values{0.0, 3.0, 1.0, std::string("RUNNING")};
  bool held = true;
  for (auto _ : state) {
    const auto holds = parsed.value().holds([&](unsigned slot) { return values[slot]; });
    held = held && holds.has_value() && holds.value();
  }
  if (!held) state.SkipWithError("the expression does not hold");
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(evaluate)->Name("language/evaluate_expression");

}  // namespace
}  // namespace drover
