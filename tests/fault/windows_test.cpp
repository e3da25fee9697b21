// Faults that last: every call of a port, or those that `on` names, for a while.
#include "tests/fault/support.hpp"

namespace drover::fault {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

CallFaults at_before(Engine& engine, Port port, std::string_view call, std::string_view subject = "node-1") {
  return engine.at_call(port, call, Phase::before, subject);
}

TEST_F(EngineTest, WindowTakesEveryCallOfItsPortUntilItEnds) {
  start({rule("iaas.listVMs.before#1", "stuck", {{"for", "10s"}})});
  EXPECT_TRUE(at_before(*engine, Port::iaas, "listVMs").stuck);
  EXPECT_TRUE(at_before(*engine, Port::iaas, "getVMInfo").stuck);
  EXPECT_FALSE(at_before(*engine, Port::agent, "get_users").any);
  run_for(10s);
  EXPECT_FALSE(at_before(*engine, Port::iaas, "listVMs").any);
}

TEST_F(EngineTest, WindowWithOnTakesOnlyTheCallsThatOnNames) {
  start(
      {timed(1s, "delay", {{"for", "10s"}, {"by", "3s"}, {"on", "agent.get_users"}, {"target", "node-2"}})});
  run_for(1s);
  EXPECT_FALSE(at_before(*engine, Port::agent, "get_users", "node-1").any);
  EXPECT_EQ(at_before(*engine, Port::agent, "get_users", "node-2").delay, 3s)
      << "once, although it opens there";
  EXPECT_EQ(at_before(*engine, Port::agent, "get_users", "node-2").delay, 3s);
  EXPECT_FALSE(at_before(*engine, Port::agent, "dump", "node-2").any);
  EXPECT_FALSE(at_before(*engine, Port::agent, "get_users", "node-1").any);
}

TEST_F(EngineTest, WindowWithoutACallHasNotFired) {
  start({timed(1s, "brown_out", {{"for", "5s"}})});
  run_for(10s);
  EXPECT_FALSE(at_before(*engine, Port::iaas, "listVMs").any);
  EXPECT_EQ(engine->counts().at(0).fired, 0U);
  EXPECT_THAT(engine->fired_actions(), IsEmpty());
}

TEST_F(EngineTest, WindowThatIsStoppedBeforeACallHasNotFired) {
  start({timed(1s, "brown_out", {{"for", "5m"}})});
  run_for(2s);
  engine->stop();
  EXPECT_EQ(engine->counts().at(0).fired, 0U);
  EXPECT_THAT(engine->fired_actions(), IsEmpty());
}

TEST_F(EngineTest, WindowFiresOnceHoweverManyCallsItTakes) {
  start({timed(1s, "brown_out", {{"for", "5s"}})});
  run_for(2s);
  for (int i = 0; i < 3; ++i) at_before(*engine, Port::iaas, "listVMs");
  EXPECT_EQ(engine->counts().at(0).fired, 1U);
}

TEST_F(EngineTest, ArmedRuleThatNoCallMeetsHasNotFired) {
  start({timed(1s, "stuck", {{"on", "iaas.killInstance"}})});
  run_for(2s);
  at_before(*engine, Port::iaas, "listVMs");
  EXPECT_EQ(engine->counts().at(0).matched, 1U);
  EXPECT_EQ(engine->counts().at(0).fired, 0U);
}

TEST_F(EngineTest, FiredActionsAreWhatWasDrawnAndDone) {
  Rule picking = rule("vm.running", "");
  picking.pick = {"vm.crash", "vm.reboot"};
  start({picking, rule("agent.dump.before", "stuck"), rule("vm.error", "vm.zombie")});
  sink.on_perform = [this](const Action& action) {
    if (action.name == "vm.reboot") engine->not_performed(action);
  };
  for (int i = 0; i < 20; ++i) engine->observe("vm.running", "node-1");
  at_before(*engine, Port::agent, "dump");
  std::vector<std::string> fired;
  for (const auto* row : engine->fired_actions())
    fired.push_back(std::string(to_text(row->target)) + ": " + std::string(row->name));
  EXPECT_THAT(fired, ElementsAre("agent call: stuck", "VM: vm.crash"));
}

}  // namespace
}  // namespace drover::fault
