// What the library reaches, by running it: that every action of the catalogue is done by some scenario, each
// alternative of a `pick` too, and that every declared observation point is seen.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "mockcloud/fault/catalogue.hpp"
#include "mockcloud/fault/points.hpp"
#include "paths.hpp"
#include "scenarios/engine/load_library.hpp"
#include "scenarios/engine/runner.hpp"

namespace drover::scenario {
namespace {

struct Reached {
  std::set<std::string> actions;  // "VM: vm.crash"
  std::set<std::string> points;
  std::set<std::string> picks;  // "mixed/all-at-once.yaml vm.crash", done there
};

bool has_pick(const Scenario& scenario) {
  return std::ranges::any_of(scenario.faults, [](const fault::Rule& rule) { return !rule.pick.empty(); });
}

std::vector<std::string> library_files() {
  return find_scenarios({DROVER_SOURCE_DIR "/scenarios/library"}).value();
}

// Every case of every file, with its first seed; files that draw actions with all of theirs.
Reached run_library() {
  Reached reached;
  for (const auto& path : library_files()) {
    const auto file = load_scenario(path);
    if (file.has_error()) {
      ADD_FAILURE() << file.error().message;
      continue;
    }
    if (path.ends_with("/a-thousand-nodes.yaml")) continue;  // large, and without faults
    for (const Scenario& one : file.value().cases) {
      const auto last = has_pick(one) ? one.seeds.last : one.seeds.first;
      for (auto seed = one.seeds.first; seed <= last; ++seed) {
        RunOptions options;
        options.prepare = [&reached](SimWorld& world) {
          world.faults().set_recorder([&reached](std::string_view point, std::string_view) {
            if (!reached.points.contains(std::string(point))) reached.points.emplace(point);
          });
        };
        const RunResult run = run_scenario(one, seed, options);
        for (const auto& action : run.actions) {
          reached.actions.insert(action);
          reached.picks.insert(path + " " + action.substr(action.find(": ") + 2));
        }
      }
    }
  }
  return reached;
}

const Reached& reached() {
  static const Reached all = run_library();
  return all;
}

TEST(Coverage, EveryActionOfTheCatalogueIsDoneByTheLibrary) {
  const std::set<std::string_view> impossible{
      "vm.detach_volume",  // the manager buys no volumes, so nothing can be detached
  };
  for (const auto& row : fault::catalogue()) {
    if (impossible.contains(row.name)) continue;
    const std::string action = std::string(fault::to_text(row.target)) + ": " + std::string(row.name);
    EXPECT_TRUE(reached().actions.contains(action)) << action << " was never done";
  }
}

TEST(Coverage, EveryAlternativeOfAPickIsDrawnAndDone) {
  for (const auto& path : library_files()) {
    const auto file = load_scenario(path);
    if (file.has_error()) continue;
    for (const Scenario& one : file.value().cases)
      for (const auto& rule : one.faults)
        for (const auto& action : rule.pick)
          EXPECT_TRUE(reached().picks.contains(path + " " + action)) << path << ": " << action;
  }
}

TEST(Coverage, EveryObservationPointIsSeenInTheLibrary) {
  for (const auto& point : fault::declared_points()) {
    // The manager makes none of these calls.
    const bool never = point.find("Volume") != std::string::npos || point.starts_with("agent.stop_server.") ||
                       point.starts_with("agent.restart_server.") ||
                       point == "vm.stopping";  // nobody stops a machine in good order
    if (never) continue;
    EXPECT_TRUE(reached().points.contains(point)) << point << " was never seen";
  }
}

}  // namespace
}  // namespace drover::scenario
