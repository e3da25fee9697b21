// What was done to a world, to whom and for how long.
#include "tests/scenarios/run_text.hpp"

namespace drover::scenario {
namespace {

fault::Action action_of(const std::string& name, const std::string& target, Duration time = Duration{0}) {
  fault::Action action;
  action.name = name;
  action.target = target;
  fault::Arguments::Value value;
  value.name = "for";
  value.duration = time;
  action.arguments.add(value);
  return action;
}

// Runs the pair and looks at its world at ten minutes.
void at_ten(std::function<void(SimWorld&)> look, const std::string& text = pair_text()) {
  run_text(text, at(10min, std::move(look)));
}

const cloud::Instance& vm_of(SimWorld& world, const std::string& node) { return *world.instance_of(node); }

TEST(Evidence, AQuietRunHasNone) {
  at_ten([](SimWorld& world) {
    EXPECT_FALSE(world.evidence().touched(vm_of(world, "node-1")));
    EXPECT_FALSE(world.evidence().any({"vm.crash"}));
  });
}

TEST(Evidence, ADeedTouchesWhomItWasDoneToAndNobodyElse) {
  at_ten([](SimWorld& world) {
    ASSERT_TRUE(world.act(action_of("agent.hang", "node-2", 30s)).has_value());
    EXPECT_TRUE(world.evidence().touched(vm_of(world, "node-2")));
    EXPECT_FALSE(world.evidence().touched(vm_of(world, "node-1")));
    EXPECT_TRUE(world.evidence().any({"agent.hang"}));
    EXPECT_FALSE(world.evidence().any({"agent.crash"}));
  });
}

TEST(Evidence, ADeedLastsAsLongAsItsArgumentsSay) {
  at_ten([](SimWorld& world) {
    ASSERT_TRUE(world.act(action_of("agent.hang", "node-2", 30s)).has_value());
    const auto& vm = vm_of(world, "node-2");
    EXPECT_TRUE(world.evidence().touched(vm, world.scheduler().later(30s)));
    EXPECT_FALSE(world.evidence().touched(vm, world.scheduler().later(31s)));
  });
}

TEST(Evidence, WhenItBecomesQuietEverythingEnds) {
  at_ten([](SimWorld& world) {
    ASSERT_TRUE(world.act(action_of("agent.hang", "node-2", fault::kNeverHappens)).has_value());
    const auto& vm = vm_of(world, "node-2");
    EXPECT_TRUE(world.evidence().touched(vm, world.scheduler().later(24h)));
    world.quiesce();
    EXPECT_FALSE(world.evidence().touched(vm, world.scheduler().later(1s)));
  });
}

TEST(Evidence, WhatCouldNotBeDoneIsNone) {
  at_ten([](SimWorld& world) {
    EXPECT_TRUE(world.act(action_of("agent.hang", "node-9", 30s)).has_error());
    EXPECT_FALSE(world.evidence().any({"agent.hang"}));
  });
}

TEST(Evidence, ACallFaultTouchesTheNodeThatTheCallWasAbout) {
  at_ten(
      [](SimWorld& world) {
        EXPECT_TRUE(world.evidence().any_to(vm_of(world, "node-2"), {"lose_reply"}));
        EXPECT_FALSE(world.evidence().any_to(vm_of(world, "node-1"), {"lose_reply"}));
      },
      pair_text(
          "faults:\n  - {when: \"iaas.newInstance.reply\", subject: node-2, times: 1, do: lose_reply}\n"));
}

TEST(Evidence, TokensTellWhomAVmWasMadeFor) {
  EXPECT_EQ(node_of_token("drover:node-3.2"), "node-3");
  EXPECT_EQ(node_of_token("drover:node-12.1/ignored-1"), "node-12");
  EXPECT_EQ(node_of_token("somebody"), "");
  EXPECT_EQ(attempt_of_token("drover:node-3.2"), 2U);
  EXPECT_EQ(attempt_of_token("drover:node-3"), 0U);
  EXPECT_EQ(node_number("node-3"), 3);
  EXPECT_EQ(node_number("reconcile"), 0);
}

}  // namespace
}  // namespace drover::scenario
