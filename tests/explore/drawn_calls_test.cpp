// Calls that nobody wrote: what is drawn is a scenario that can be written down, with the file's own steps in
// it.
#include "scenarios/explore/drawn_calls.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "manager/api/service.hpp"
#include "scenarios/engine/load_library.hpp"
#include "scenarios/explore/plan.hpp"
#include "scenarios/explore/saved_plan.hpp"

namespace drover::explore {
namespace {

using scenario::Scenario;
using scenario::Step;

Scenario grows() {
  constexpr const char* kGrows = R"(
schema: 1
name: grows
steps:
  - {call: add_nodes, with: {count: 2}, ends: DONE}
  - {call: set_up_replica_master, with: {id: "1"}}
  - {name: pause, wait: 10m}
  - {call: set_up_replica_slave, with: {id: "2"}, as: slave}
  - await: {operation: $slave.operation}
)";
  return scenario::prepare_scenario(kGrows, "grows.yaml").value().cases.front();
}

Scenario drawn_into(const Scenario& from, std::uint64_t seed) {
  Scenario one = from;
  one.steps = with_drawn_calls(from.steps, seed, "test");
  return one;
}

std::vector<const scenario::Call*> calls_of(const Scenario& one) {
  std::vector<const scenario::Call*> calls;
  for (const Step& step : one.steps)
    if (const auto* call = std::get_if<scenario::Call>(&step.action)) calls.push_back(call);
  return calls;
}

TEST(DrawnCalls, AreTheSameForTheSameSeedAndCase) {
  const Scenario from = grows();
  std::set<std::string> different;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    EXPECT_EQ(drawn_into(from, seed), drawn_into(from, seed));
    different.insert(to_canonical_text(drawn_into(from, seed)));
  }
  EXPECT_EQ(different.size(), 50U);
  EXPECT_NE(with_drawn_calls(from.steps, 1, "test"), with_drawn_calls(from.steps, 1, "another"));
}

TEST(DrawnCalls, MakeScenariosThatCanBeWrittenAndRead) {
  const Scenario from = grows();
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const Scenario one = drawn_into(from, seed);
    const auto read = scenario::prepare_scenario(to_canonical_text(one), "drawn.json");
    ASSERT_TRUE(read.has_value()) << read.error().message << to_canonical_text(one);
    EXPECT_EQ(read.value().cases.front(), one);
  }
}

// In their order, at the same length, each waited for as it was.
TEST(DrawnCalls, LeaveTheFilesOwnStepsAsTheyAre) {
  const Scenario from = grows();
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const Scenario one = drawn_into(from, seed);
    std::vector<std::string> own;
    Duration waited{0};
    std::size_t awaited = 0;
    for (const Step& step : one.steps) {
      if (const auto* call = std::get_if<scenario::Call>(&step.action)) {
        if (!call->background) own.push_back(call->method);
        if (!call->background && !call->ends.empty()) ++awaited;
      }
      if (std::holds_alternative<scenario::Await>(step.action)) ++awaited;
      if (const auto* wait = std::get_if<scenario::Wait>(&step.action)) waited += wait->time;
    }
    EXPECT_EQ(own, (std::vector<std::string>{"add_nodes", "set_up_replica_master", "set_up_replica_slave"}));
    EXPECT_EQ(awaited, 2U);
    EXPECT_GE(waited, 10min);
    EXPECT_GT(calls_of(one).size(), 3U);
  }
}

// Whatever changes something, but an agent's own heartbeat and a dump on a node, and some of what reads.
TEST(DrawnCalls, AskForWhateverTheApiHas) {
  std::map<std::string, int> drawn;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const Scenario one = drawn_into(grows(), seed);
    for (const auto* call : calls_of(one))
      if (call->background) ++drawn[call->method];
  }
  for (const auto& row : api::exposed_functions()) {
    const std::string name = row.name;
    if (row.verb == api::Verb::get || name == "register_node" || name == "send_mysqldump") continue;
    EXPECT_GT(drawn[name], 2) << name;
  }
  EXPECT_GT(drawn["list_nodes"], 0);
  EXPECT_GT(drawn["get_topology"], 0);
}

TEST(DrawnCalls, AreNotDrawnWhereTheJournalLosesWhatClientsWereTold) {
  Scenario one = grows();
  EXPECT_TRUE(may_take_calls(one));
  Step lost;
  lost.action = scenario::Do{"store.lose_tail", {}, ""};
  Step again;
  again.action = scenario::Repeat{2, {lost}};
  one.steps.push_back(again);
  EXPECT_FALSE(may_take_calls(one));
}

TEST(DrawnCalls, ArePartOfASavedPlan) {
  Plan plan;
  plan.mode = Mode::swarm;
  plan.steps = with_drawn_calls(grows().steps, 7, "test");
  const auto again = plan_of(to_json(plan));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again.value().steps, plan.steps);
}

}  // namespace
}  // namespace drover::explore
