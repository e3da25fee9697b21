// What the benchmarks share: worlds made from the text of a scenario, and calls of their API. Bench only;
// single-threaded.
#pragma once

#include <benchmark/benchmark.h>

#include <optional>
#include <string>

#include "scenarios/engine/load_library.hpp"
#include "scenarios/engine/sim_world.hpp"
#include "scenarios/engine/steps.hpp"

namespace drover::bench {

// The only case of a scenario text. Ends the program when the text is wrong.
inline scenario::Scenario scenario_of(const std::string& text) {
  auto file = scenario::prepare_scenario(text, "bench.yaml");
  DROVER_CHECK(file.has_value(), file.has_value() ? "" : file.error().message.c_str());
  return file.value().cases.front();
}

// One answered call; runs the world until then. Ends the program when no answer comes.
inline api::Response call(scenario::SimWorld& world, const std::string& method, nlohmann::json params) {
  std::optional<scenario::ClientAnswer> answer;
  world.request(scenario::make_request(world, method, std::move(params)),
                [&answer](scenario::ClientAnswer got) { answer.emplace(std::move(got)); });
  while (!answer && world.scheduler().run_one()) {
  }
  DROVER_CHECK(answer.has_value() && answer->has_value(), "a call of the benchmark was not answered");
  return std::move(*answer).value();
}

// Runs the world until the service has so many members; false when that takes more than an hour there.
inline bool run_until_listed(scenario::SimWorld& world, std::size_t nodes) {
  const TimePoint limit = world.scheduler().later(1h);
  world.scheduler().run_each(limit, [&] { return world.manager()->model().listed() < nodes; });
  return world.manager()->model().listed() >= nodes;
}

}  // namespace drover::bench
