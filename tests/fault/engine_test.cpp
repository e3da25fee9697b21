#include "mockcloud/fault/engine.hpp"

#include <chrono>

#include "tests/fault/support.hpp"

namespace drover::fault {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(EngineTest, SinkActionGoesToTheObservationsSubject) {
  start({rule("vm.running", "vm.crash")}).observe("vm.running", "node-1");
  EXPECT_THAT(sink.names(), ElementsAre("vm.crash node-1"));
}

TEST_F(EngineTest, TargetArgumentWinsOverTheSubject) {
  start({rule("vm.running", "vm.crash", {{"target", "node-7"}})}).observe("vm.running", "node-1");
  EXPECT_THAT(sink.names(), ElementsAre("vm.crash node-7"));
}

TEST_F(EngineTest, SinkGetsDefaultsAndDrawnDurations) {
  start({rule("vm.running", "agent.crash"), rule("vm.running", "vm.pause", {{"for", "uniform(1s, 2s)"}})})
      .observe("vm.running", "node-1");
  ASSERT_EQ(sink.performed.size(), 2U);
  EXPECT_EQ(sink.performed[0].arguments.duration("restart"), 5s);
  EXPECT_GE(sink.performed[1].arguments.duration("for"), 1s);
  EXPECT_LE(sink.performed[1].arguments.duration("for"), 2s);
}

TEST_F(EngineTest, NeverIsADurationBeyondAllTime) {
  start({rule("vm.running", "agent.crash", {{"restart", "never"}})}).observe("vm.running", "node-1");
  EXPECT_EQ(sink.performed.at(0).arguments.duration("restart"), kNeverHappens);
}

TEST_F(EngineTest, SubjectFiltersAndOccurrencesCountWhatPasses) {
  Rule second = rule("vm.running#2", "vm.crash");
  second.subject = "node-*";
  start({second});
  for (const char* subject : {"node-1", "proxy-1", "node-2", "node-3"})
    engine->observe("vm.running", subject);
  EXPECT_THAT(sink.names(), ElementsAre("vm.crash node-2"));
}

TEST_F(EngineTest, CapitalStatesAreTheSamePoints) {
  start({rule("node.running", "vm.crash")}).observe("node.RUNNING", "node-1");
  EXPECT_EQ(sink.names().size(), 1U);
}

TEST_F(EngineTest, RuleIdIsAPointThatMeansItFired) {
  start({named("lost", rule("iaas.newInstance.reply#1", "lose_reply")),
         rule("lost; operation.retry", "manager.crash")});
  engine->observe("operation.retry", "op-1");
  engine->at_call(Port::iaas, "newInstance", Phase::reply, "node-1");
  engine->observe("operation.retry", "op-1");
  engine->observe("operation.retry", "op-1");
  EXPECT_THAT(sink.names(), ElementsAre("manager.crash op-1"));
}

TEST_F(EngineTest, RulesThatNameEachOtherFireOncePerObservation) {
  start({named("a", rule("vm.running | b", "vm.crash")), named("b", rule("a", "vm.crash"))});
  engine->observe("vm.running", "node-1");
  EXPECT_EQ(sink.names().size(), 2U);
}

TEST_F(EngineTest, ActionThatCausesItsOwnTriggerEnds) {
  start({rule("vm.stopped", "vm.crash")});
  sink.on_perform = [this](const Action& action) { engine->observe("vm.stopped", action.target); };
  engine->observe("vm.stopped", "node-1");
  EXPECT_EQ(sink.names().size(), 32U);
}

TEST_F(EngineTest, DisabledRuleNeverFires) {
  Rule off = rule("vm.running", "vm.crash");
  off.enabled = false;
  start({off}).observe("vm.running", "node-1");
  EXPECT_THAT(sink.names(), IsEmpty());
  EXPECT_FALSE(engine->watching());
  EXPECT_FALSE(engine->counts().at(0).enabled);
}

TEST_F(EngineTest, TimesLimitsTheFirings) {
  Rule twice = rule("vm.running", "vm.crash");
  twice.times = 2;
  start({twice});
  for (int i = 0; i < 5; ++i) engine->observe("vm.running", "node-1");
  EXPECT_EQ(engine->counts().at(0).matched, 5U);
  EXPECT_EQ(engine->counts().at(0).fired, 2U);
}

TEST_F(EngineTest, NothingFiresAfterUntil) {
  Rule early = rule("vm.running", "vm.crash");
  early.until = 10s;
  start({early});
  run_for(10s);
  engine->observe("vm.running", "node-1");
  run_for(1ns);
  engine->observe("vm.running", "node-2");
  EXPECT_THAT(sink.names(), ElementsAre("vm.crash node-1"));
}

TEST_F(EngineTest, AtFiresOnceAtItsTimeOnItsSubject) {
  Rule crash = timed(5s, "vm.crash");
  crash.subject = "node-2";
  start({crash});
  run_for(4999ms);
  EXPECT_THAT(sink.names(), IsEmpty());
  run_for(1h);
  EXPECT_THAT(sink.names(), ElementsAre("vm.crash node-2"));
}

TEST_F(EngineTest, EveryFiresAgainUntilItsEnd) {
  Rule again;
  again.every = Distribution::constant(10s);
  again.until = 35s;
  again.action = "vm.crash";
  start({again});
  run_for(10min);
  EXPECT_EQ(engine->counts().at(0).fired, 3U);
}

TEST_F(EngineTest, EveryStopsAfterItsTimes) {
  Rule again;
  again.every = Distribution::exponential(10s);
  again.times = 4;
  again.action = "vm.crash";
  start({again});
  run_for(10h);
  EXPECT_EQ(engine->counts().at(0).fired, 4U);
  EXPECT_TRUE(domain.idle());
}

TEST_F(EngineTest, PickDrawsEachOfItsActions) {
  Rule picking = rule("vm.running", "");
  picking.pick = {"vm.crash", "vm.reboot"};
  start({picking});
  for (int i = 0; i < 50; ++i) engine->observe("vm.running", "node-1");
  EXPECT_THAT(sink.names(), testing::Contains("vm.crash node-1"));
  EXPECT_THAT(sink.names(), testing::Contains("vm.reboot node-1"));
}

Rule sometimes(std::string id = {}) {
  Rule made = rule("vm.running", "vm.crash");
  made.id = std::move(id);
  made.probability = 0.5;
  return made;
}

std::string firings(Engine& engine, RecordingSink& sink, const char* rule_name) {
  std::string text;
  for (int i = 0; i < 64; ++i) {
    sink.performed.clear();
    engine.observe("vm.running", "node-1");
    bool fired = false;
    for (const auto& action : sink.performed) fired = fired || action.rule == rule_name;
    text += fired ? '1' : '.';
  }
  return text;
}

TEST_F(EngineTest, ProbabilityFiresSometimes) {
  const auto fired = firings(start({sometimes("p")}), sink, "p");
  EXPECT_THAT(fired, HasSubstr("1"));
  EXPECT_THAT(fired, HasSubstr("."));
}

TEST_F(EngineTest, DecisionsDependOnTheSeed) {
  const auto one = firings(start({sometimes("p")}, 1), sink, "p");
  const auto two = firings(start({sometimes("p")}, 2), sink, "p");
  EXPECT_NE(one, two);
}

TEST_F(EngineTest, DeletingAnotherRuleMovesNoDecision) {
  Rule other = sometimes();
  other.action = "vm.reboot";
  const auto with = firings(start({other, sometimes()}), sink, "fault-2");
  const auto without = firings(start({sometimes()}), sink, "fault-1");
  EXPECT_EQ(with, without);
}

TEST_F(EngineTest, EqualUnnamedRulesDecideSeparately) {
  const auto first = firings(start({sometimes(), sometimes()}), sink, "fault-1");
  const auto second = firings(start({sometimes(), sometimes()}), sink, "fault-2");
  EXPECT_NE(first, second);
  EXPECT_EQ(first, firings(start({sometimes()}), sink, "fault-1"));
}

TEST_F(EngineTest, OtherSubjectsMoveNoDecision) {
  start({sometimes("p")});
  const auto alone = firings(*engine, sink, "p");
  start({sometimes("p")});
  for (int i = 0; i < 7; ++i) engine->observe("vm.running", "node-2");
  EXPECT_EQ(firings(*engine, sink, "p"), alone);
}

TEST_F(EngineTest, ZeroAndOneAreCertain) {
  Rule never = sometimes("never"), always = sometimes("always");
  never.probability = 0;
  always.probability = 1;
  start({never, always});
  for (int i = 0; i < 100; ++i) engine->observe("vm.running", "node-1");
  EXPECT_EQ(engine->counts().at(0).fired, 0U);
  EXPECT_EQ(engine->counts().at(0).matched, 100U);
  EXPECT_EQ(engine->counts().at(1).fired, 100U);
}

TEST_F(EngineTest, CountsNameUnnamedRulesByPosition) {
  start({rule("vm.running", "vm.crash"), named("x", rule("vm.running", "vm.crash")),
         rule("vm.error", "vm.crash")});
  const auto counts = engine->counts();
  EXPECT_EQ(counts.at(0).name, "fault-1");
  EXPECT_EQ(counts.at(1).name, "x");
  EXPECT_EQ(counts.at(2).name, "fault-2");
}

TEST_F(EngineTest, OnHitsTheNextCallsAfterTheTime) {
  start({timed(5s, "stuck", {{"on", "iaas.newInstance"}, {"calls", "2"}})});
  EXPECT_FALSE(engine->at_call(Port::iaas, "newInstance", Phase::before, "node-1").any);
  run_for(6s);
  EXPECT_EQ(engine->counts().at(0).fired, 0U);
  EXPECT_FALSE(engine->at_call(Port::iaas, "listVMs", Phase::before, "node-1").any);
  EXPECT_TRUE(engine->at_call(Port::iaas, "newInstance", Phase::before, "node-1").stuck);
  EXPECT_TRUE(engine->at_call(Port::iaas, "newInstance", Phase::before, "node-2").stuck);
  EXPECT_FALSE(engine->at_call(Port::iaas, "newInstance", Phase::before, "node-3").any);
  EXPECT_EQ(engine->counts().at(0).fired, 2U);
}

TEST_F(EngineTest, OnWithTargetHitsTheCallsForThatSubject) {
  start({rule("vm.running", "stuck", {{"on", "agent.*"}, {"target", "node-2"}})})
      .observe("vm.running", "node-1");
  EXPECT_FALSE(engine->at_call(Port::agent, "get_users", Phase::before, "node-1").any);
  EXPECT_TRUE(engine->at_call(Port::agent, "get_users", Phase::before, "node-2").stuck);
}

TEST_F(EngineTest, OnWithoutPhaseMeansTheActionsFirst) {
  start({timed(0s, "error_after_effect", {{"on", "iaas.killInstance"}})});
  run_for(1s);
  EXPECT_FALSE(engine->at_call(Port::iaas, "killInstance", Phase::before, "").any);
  EXPECT_TRUE(engine->at_call(Port::iaas, "killInstance", Phase::effect, "").error);
}

TEST_F(EngineTest, OnWithPhaseMeansThatPhase) {
  start({timed(0s, "error_after_effect", {{"on", "iaas.killInstance.reply"}})});
  run_for(1s);
  EXPECT_FALSE(engine->at_call(Port::iaas, "killInstance", Phase::effect, "").any);
  EXPECT_TRUE(engine->at_call(Port::iaas, "killInstance", Phase::reply, "").error);
}

TEST_F(EngineTest, BrownOutSlowsAllCallsAndFailsAShareForAWhile) {
  start({timed(1s, "brown_out", {{"for", "1m"}, {"failing", "0.5"}, {"slow", "uniform(1s, 2s)"}})});
  run_for(1s);
  int failed = 0;
  for (int i = 0; i < 100; ++i) {
    const auto faults = engine->at_call(Port::iaas, "listVMs", Phase::before, "service");
    EXPECT_GE(faults.delay, 1s);
    failed += faults.error ? 1 : 0;
  }
  EXPECT_GT(failed, 20);
  EXPECT_LT(failed, 80);
  run_for(1min);
  EXPECT_FALSE(engine->at_call(Port::iaas, "listVMs", Phase::before, "service").any);
  EXPECT_EQ(engine->counts().at(0).fired, 1U);
}

TEST_F(EngineTest, WindowOpenedByACallTakesThatCallToo) {
  start({rule("iaas.newInstance.before#1", "expired_credentials", {{"for", "10s"}})});
  const auto faults = engine->at_call(Port::iaas, "newInstance", Phase::before, "node-1");
  ASSERT_TRUE(faults.error);
  EXPECT_EQ(faults.error->code, ErrorCode::unauthenticated);
  EXPECT_TRUE(engine->at_call(Port::iaas, "getVMInfo", Phase::before, "node-1").error);
  run_for(10s);
  EXPECT_FALSE(engine->at_call(Port::iaas, "getVMInfo", Phase::before, "node-1").any);
}

TEST_F(EngineTest, WhatTheSinkCouldNotDoHasNotFired) {
  start({rule("vm.running", "vm.crash")});
  sink.on_perform = [this](const Action& action) {
    if (action.target == "node-2") engine->not_performed(action);
  };
  engine->observe("vm.running", "node-1");
  engine->observe("vm.running", "node-2");
  EXPECT_EQ(engine->counts().at(0).matched, 2U);
  EXPECT_EQ(engine->counts().at(0).fired, 1U);
}

TEST_F(EngineTest, StoppedEngineFiresNothingMoreAndKeepsItsCounts) {
  Rule again;
  again.every = Distribution::constant(1s);
  again.action = "vm.crash";
  start({again, rule("vm.running", "vm.crash"), timed(1s, "brown_out", {{"for", "1h"}})});
  run_for(1500ms);
  engine->stop();
  sink.performed.clear();
  run_for(10s);
  engine->observe("vm.running", "node-1");
  EXPECT_THAT(sink.names(), IsEmpty());
  EXPECT_FALSE(engine->at_call(Port::iaas, "listVMs", Phase::before, "s").any);
  EXPECT_EQ(engine->counts().at(0).fired, 1U);
  EXPECT_TRUE(domain.idle());
}

TEST_F(EngineTest, RecorderSeesEveryObservationEvenWithoutRules) {
  start({});
  std::vector<std::string> seen;
  engine->set_recorder([&seen](std::string_view point, std::string_view subject) {
    seen.push_back(std::string(point) + " " + std::string(subject));
  });
  engine->observe("vm.running", "node-1");
  engine->at_call(Port::store, "commit", Phase::reply, "node-2");
  EXPECT_THAT(seen, ElementsAre("vm.running node-1", "store.commit.reply node-2"));
  engine->set_recorder(nullptr);
  EXPECT_FALSE(engine->watching());
}

TEST_F(EngineTest, CrashOfTheManagerIsAPoint) {
  start({rule("manager.crashed; vm.running", "vm.crash")});
  engine->manager_crashed();
  engine->observe("vm.running", "node-1");
  EXPECT_THAT(sink.names(), ElementsAre("vm.crash node-1"));
  EXPECT_EQ(engine->incarnation(), 1U);
}

TEST_F(EngineTest, FiringIsTraced) {
  trace.keep();
  start({named("boom", rule("vm.running", "vm.crash"))}).observe("vm.running", "node-1");
  ASSERT_EQ(trace.entries().size(), 1U);
  EXPECT_EQ(trace.entries()[0].kind, TraceKind::fault);
  EXPECT_EQ(trace.entries()[0].detail, "boom vm.crash vm.running");
}

std::vector<Rule> saved_rules() {
  Rule twice = rule("vm.running", "vm.crash");
  twice.times = 2;
  return {named("seq", rule("vm.running#2; vm.error", "vm.reboot")), twice,
          timed(5s, "stuck", {{"on", "iaas.listVMs"}, {"calls", "2"}})};
}

TEST_F(EngineTest, CountsSurviveARestart) {
  start(saved_rules());
  run_for(6s);
  engine->at_call(Port::iaas, "listVMs", Phase::before, "s");
  for (int i = 0; i < 2; ++i) engine->observe("vm.running", "node-1");
  const auto saved = nlohmann::json::parse(engine->export_counts().dump());

  sink.performed.clear();
  start(saved_rules());
  ASSERT_TRUE(engine->import_counts(saved));
  run_for(6s);
  engine->observe("vm.running", "node-1");
  engine->observe("vm.error", "node-1");
  EXPECT_THAT(sink.names(), ElementsAre("vm.reboot node-1"));
  EXPECT_TRUE(engine->at_call(Port::iaas, "listVMs", Phase::before, "s").stuck);
  EXPECT_FALSE(engine->at_call(Port::iaas, "listVMs", Phase::before, "s").any);
  EXPECT_EQ(engine->counts().at(2).matched, 1U);
}

TEST_F(EngineTest, SavedCountsOfOtherRulesAreLeftOut) {
  start({named("a", rule("vm.running", "vm.crash"))}).observe("vm.running", "node-1");
  const auto saved = engine->export_counts();
  start({named("b", rule("vm.running", "vm.crash"))});
  ASSERT_TRUE(engine->import_counts(saved));
  EXPECT_EQ(engine->counts().at(0).fired, 0U);
}

TEST_F(EngineTest, BrokenSavedCountsChangeNothing) {
  start({named("a", rule("vm.running", "vm.crash"))}).observe("vm.running", "node-1");
  for (const char* broken : {"[]", R"({"fault:a": 1})", R"({"fault:a": {"matched": -1}})",
                             R"({"fault:a": {"matched":9,"started":9,"fired":9,"waiting_calls":0}})",
                             R"({"fault:a": {"matched":9,"started":9,"fired":9,"waiting_calls":1,)"
                             R"("waiting_action":"nonsense","progress":[1,0]}})",
                             R"({"fault:a": {"matched":9,"started":9,"fired":9,"waiting_calls":0,)"
                             R"("waiting_action":"","progress":[1]}})"}) {
    EXPECT_FALSE(engine->import_counts(nlohmann::json::parse(broken))) << broken;
    EXPECT_EQ(engine->counts().at(0).fired, 1U);
  }
}

TEST_F(EngineTest, ObservingWithoutRulesTakesNextToNoTime) {
  start({});
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 1'000'000; ++i) engine->observe("vm.running", "node-1");
  // 0.3 ns each in a release build; the bound leaves room for sanitizers and a busy machine.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 300ms);
}

}  // namespace
}  // namespace drover::fault
