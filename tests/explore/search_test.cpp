// Exploration finds what a sabotaged manager does wrong, makes it small, and does the same twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "scenarios/engine/load_library.hpp"
#include "scenarios/explore/explicit_faults.hpp"
#include "scenarios/explore/report.hpp"
#include "scenarios/explore/search.hpp"
#include "scenarios/explore/shrink.hpp"

namespace drover::explore {
namespace {

constexpr const char* kReplicas = R"(
schema: 1
name: replicas
traffic: {writers: 1, rate: "1/s"}
steps:
  - {call: add_nodes, with: {count: 2}, as: job}
  - await: {operation: $job.operation}
  - {call: set_up_replica_master, with: {id: "1"}}
  - {call: set_up_replica_slave, with: {id: "2"}, as: slave}
  - await: {operation: $slave.operation}
  - wait: 1m
)";

scenario::Scenario replicas() {
  return scenario::prepare_scenario(kReplicas, "replicas.yaml").value().cases.front();
}

std::vector<Base> one_base(const scenario::Scenario& from) {
  std::vector<Base> bases;
  bases.push_back(make_base(from, 1));
  return bases;
}

// All runs of a search, as "cell: digest".
std::vector<std::string> run_all(Search& search, std::size_t batch) {
  std::vector<std::string> seen;
  for (auto plans = search.next(batch); !plans.empty(); plans = search.next(batch)) {
    std::vector<Outcome> outcomes;
    for (const auto& plan : plans) outcomes.push_back(run_plan(search.bases()[plan.base], plan));
    for (std::size_t i = 0; i < plans.size(); ++i)
      seen.push_back(plans[i].cell + ": " + std::to_string(outcomes[i].result.digest));
    search.absorb(plans, outcomes);
  }
  return seen;
}

Settings small(std::vector<Mode> modes, std::uint64_t runs) {
  Settings settings;
  settings.modes = std::move(modes);
  settings.runs = runs;
  return settings;
}

TEST(Explore, MakesTheSameRunsWhateverTheSizeOfABatch) {
  const std::vector<Mode> all = {Mode::single, Mode::crash, Mode::pairs,   Mode::sweep,
                                 Mode::swarm,  Mode::order, Mode::coverage};
  Search one(one_base(replicas()), small(all, 140));
  Search other(one_base(replicas()), small(all, 140));
  // What a mode learns comes at the end of a batch: equal batches, then.
  EXPECT_EQ(run_all(one, 64), run_all(other, 64));
}

TEST(Explore, ASavedSearchGoesOnWhereItWas) {
  const std::vector<Mode> all = {Mode::single, Mode::crash, Mode::pairs,   Mode::sweep,
                                 Mode::swarm,  Mode::order, Mode::coverage};
  Search whole(one_base(replicas()), small(all, 128));
  const auto wanted = run_all(whole, 64);
  Search first(one_base(replicas()), small(all, 64));
  auto seen = run_all(first, 64);
  Search second(one_base(replicas()), small(all, 64));
  ASSERT_TRUE(second.take_up(nlohmann::json::parse(first.save().dump())).has_value());
  for (auto& one : run_all(second, 64)) seen.push_back(std::move(one));
  EXPECT_EQ(seen, wanted);
  EXPECT_EQ(second.runs(), 128U);
}

TEST(Explore, EveryKindOfFaultComesBeforeTheSecondOfItsVariants) {
  Search search(one_base(replicas()), small({Mode::single}, 1'000'000));
  const auto keys = search.keys(0);
  ASSERT_GT(keys.size(), 400U);
  const auto tried = [&] {
    return static_cast<std::size_t>(
        std::count_if(keys.begin(), keys.end(), [&](std::uint64_t key) { return search.tried(key); }));
  };
  EXPECT_EQ(tried(), 0U);
  // Reference runs take the first places; then hardly a plan is spent on what was tried, until all was: only
  // to try a kind on an idle master and on others.
  std::size_t runs = 0;
  const std::size_t enough = keys.size() + keys.size() / 8;
  while (runs < enough) {
    const auto plans = search.next(std::min<std::size_t>(64, enough - runs));
    ASSERT_FALSE(plans.empty());
    std::vector<Outcome> outcomes;
    for (const auto& plan : plans) outcomes.push_back(run_plan(search.bases()[plan.base], plan));
    search.absorb(plans, outcomes);
    runs += plans.size();
  }
  EXPECT_EQ(tried(), keys.size());
  const auto took_effect =
      std::count_if(keys.begin(), keys.end(), [&](std::uint64_t key) { return search.took_effect(key); });
  EXPECT_GT(static_cast<std::size_t>(took_effect), keys.size() / 2);
}

TEST(Explore, ModesGetEqualSharesOfEvents) {
  Search search(one_base(replicas()), small({Mode::single, Mode::crash}, 150));
  run_all(search, 16);
  const auto& counts = search.counts();
  const auto single = static_cast<double>(counts.at(Mode::single).events);
  const auto crash = static_cast<double>(counts.at(Mode::crash).events);
  EXPECT_NEAR(single / crash, 1, 0.3);
}

TEST(Explore, ASearchOfSomethingElseIsNotTakenUp) {
  Search one(one_base(replicas()), small({Mode::single}, 10));
  Search other(one_base(replicas()), small({Mode::crash}, 10));
  EXPECT_TRUE(other.take_up(one.save()).has_error());
}

TEST(Explore, StaysSilentOnASoundManager) {
  Search search(one_base(replicas()), small({Mode::single, Mode::crash}, 600));
  run_all(search, 64);
  for (const auto* finding : search.in_order())
    ADD_FAILURE() << finding->fingerprint << ": " << finding->message;
  EXPECT_EQ(search.runs(), 600U);
}

TEST(Explore, AStepThatFailsWithNoInvariantBehindItIsTheFinding) {
  const auto from = scenario::prepare_scenario(R"(
schema: 1
name: asks-for-more
steps:
  - {call: add_nodes, with: {count: 1}, ends: DONE}
  - check: {nodes: 2}
)",
                                               "asks-for-more.yaml")
                        .value()
                        .cases.front();
  Search search(one_base(from), small({Mode::reference}, 10));
  run_all(search, 4);
  ASSERT_EQ(search.in_order().size(), 1U);
  EXPECT_EQ(search.in_order().front()->invariant, "step");
  EXPECT_FALSE(search.in_order().front()->plan.tolerantly);
}

TEST(Explore, EveryPlannedFaultIsTriedWhenTheBudgetAllows) {
  Search search(one_base(replicas()), small({Mode::crash}, UINT64_MAX));
  run_all(search, 64);
  EXPECT_TRUE(search.exhausted());
  const auto& counts = search.counts().at(Mode::crash);
  EXPECT_GE(counts.runs, counts.plans);        // and second crashes
  EXPECT_EQ(counts.applicable, counts.plans);  // one case: nothing repeats
}

TEST(Explore, PlansHoldRulesThatTheCatalogueAccepts) {
  Search search(one_base(replicas()), small({Mode::single, Mode::crash, Mode::pairs, Mode::swarm}, 2000));
  for (auto plans = search.next(500); !plans.empty() && search.runs() < 2000; plans = search.next(500)) {
    std::vector<Outcome> none(plans.size());
    for (const auto& plan : plans) {
      const auto checked = fault::check_rules(plan.faults);
      EXPECT_TRUE(checked.has_value()) << plan.cell << ": " << checked.error().message;
    }
    search.absorb(plans, none);
  }
}

// A writer that asks for a slave before there is a master: fails at its third step, whatever else there is.
constexpr const char* kTooEarly = R"(
schema: 1
name: too-early
cloud: {boot: "20s"}
traffic: {writers: 3, rate: "1/s"}
steps:
  - {call: add_nodes, with: {count: 4, key: first}, as: job}
  - await: {operation: $job.operation}
  - {call: list_nodes}
  - wait: 5m
  - {call: set_up_replica_slave, with: {id: "2"}}
  - wait: 10m
faults:
  - {when: "iaas.newInstance.reply#1", do: lose_reply}
  - {at: 3m, do: db.crash, target: node-1}
)";

// What is left of a scenario that fails in one way with seed 1.
Shrunk shrunk(const std::string& text) {
  const auto from = scenario::prepare_scenario(text, "from.yaml").value().cases.front();
  const auto failed = scenario::run_scenario(from, 1);
  EXPECT_EQ(failed.failures.size(), 1U);
  return failed.failures.empty() ? Shrunk() : shrink(from, 1, failed.failures.front().fingerprint);
}

TEST(Shrink, DeletesWhatTheFailureDoesNotNeed) {
  const Shrunk small = shrunk(kTooEarly);
  EXPECT_TRUE(small.reproduced);
  EXPECT_EQ(small.faults, 0U);
  EXPECT_EQ(small.steps, 2U) << "without nodes it would be refused for another reason";
  EXPECT_TRUE(small.scenario.traffic.changed().empty());
}

TEST(Shrink, WritesAFileThatFailsByItself) {
  const auto from = scenario::prepare_scenario(kTooEarly, "too-early.yaml").value().cases.front();
  const auto fingerprint = scenario::run_scenario(from, 1).failures.front().fingerprint;
  const Shrunk small = shrink(from, 1, fingerprint);
  const auto text = to_canonical_text(small.scenario, 1);
  const auto again = scenario::prepare_scenario(text, "found.json").value().cases.front();
  const auto failed = scenario::run_scenario(again, 1);
  ASSERT_FALSE(failed.failures.empty());
  EXPECT_EQ(failed.failures.front().fingerprint, fingerprint);
}

TEST(Shrink, MakesOneStepOfACallAndTheAwaitOfItsOperation) {
  const Shrunk small = shrunk(R"(
schema: 1
name: two-in-one
steps:
  - {call: add_nodes, with: {count: 1}, as: job}
  - await: {operation: $job.operation}
    within: 20m
  - {call: set_up_replica_master, with: {id: "1"}}
expect:
  - never: "writable_masters == 1"
)");
  ASSERT_EQ(small.steps, 2U);
  const auto& call = std::get<scenario::Call>(small.scenario.steps.front().action);
  EXPECT_EQ(call.ends, "DONE");
  EXPECT_EQ(call.within, Duration(20min));
  EXPECT_EQ(call.as, "");
}

TEST(Shrink, MakesOneStepOfThemAlsoWhenOthersStandBetween) {
  const Shrunk small = shrunk(R"(
schema: 1
name: apart
steps:
  - {call: add_nodes, with: {count: 1}, as: job}
  - {call: add_nodes, with: {count: 1}}
  - await: {operation: $job.operation}
  - {call: set_up_replica_master, with: {id: "1"}}
expect:
  - never: "writable_masters == 1 and nodes == 2"
)");
  EXPECT_EQ(small.steps, 3U) << scenario::to_canonical_text(small.scenario);
}

TEST(Shrink, MakesAFaultOfAStepWhereThereAreManySteps) {
  const Shrunk small = shrunk(R"(
schema: 1
name: many
steps:
  - {call: add_nodes, with: {count: 1}, ends: DONE}
  - {call: add_nodes, with: {count: 1}, ends: DONE}
  - {call: add_nodes, with: {count: 1}, ends: DONE}
  - {call: add_nodes, with: {count: 1}, ends: DONE}
  - {call: add_nodes, with: {count: 1}, ends: DONE}
  - wait: 1m
  - {do: agent.crash, on: node-2, with: {restart: never}}
  - wait: 1m
expect:
  - never: "records == 5 and lost_nodes == 1"
)");
  EXPECT_LE(small.steps, 6U) << scenario::to_canonical_text(small.scenario);
  ASSERT_EQ(small.scenario.faults.size(), 1U);
  EXPECT_EQ(small.scenario.faults.front().action, "agent.crash");
  EXPECT_TRUE(small.scenario.faults.front().at);
}

TEST(Shrink, WritesTheSameFaultSeveralTimesInARowAsOne) {
  std::string text = R"(
schema: 1
name: in-a-row
steps:
  - {call: add_nodes, with: {count: 1}, as: job}
  - await: {operation: $job.operation, state: FAILED}
expect:
  - never: "operations_failed == 1"
faults:
)";
  for (int i = 1; i <= 8; ++i)
    text += "  - {when: iaas.newInstance.before#" + std::to_string(i) + ", do: refuse}\n";
  const Shrunk small = shrunk(text);
  EXPECT_EQ(small.faults, 1U) << scenario::to_canonical_text(small.scenario);
}

TEST(Shrink, KeepsWhatMakesAnExpectationFailAsItDid) {
  const Shrunk small = shrunk(R"(
schema: 1
name: one-short
steps:
  - {call: list_nodes}
  - {call: add_nodes, with: {count: 1}, ends: DONE}
  - {call: list_nodes}
expect:
  - finally: "nodes == 2"
)");
  ASSERT_EQ(small.steps, 1U) << "without any step there are not 2 nodes either, but for no reason at all";
  EXPECT_EQ(std::get<scenario::Call>(small.scenario.steps.front().action).method, "add_nodes");
  EXPECT_TRUE(small.message.ends_with("is broken: nodes=1.0")) << small.message;
}

TEST(Shrink, KeepsWhatMakesAStepFailAsItDid) {
  const Shrunk small = shrunk(R"(
schema: 1
name: one-short
steps:
  - {call: add_nodes, with: {count: 1}, ends: DONE}
  - {call: list_nodes}
  - check: {writable_masters: 1, nodes: 1}
)");
  EXPECT_EQ(small.steps, 2U) << "without nodes nobody writes either, but there are no nodes";
}

TEST(Shrink, KeepsWhatAFaultNeedsToBreakAnExpectation) {
  const Shrunk small = shrunk(R"(
schema: 1
name: refused
steps:
  - {call: list_nodes}
  - {call: add_nodes, with: {count: 1}}
  - {wait: 10m}
expect:
  - finally: "operations_failed == 0 and nodes == 1"
faults:
  - {when: iaas.newInstance.before, do: refuse}
)");
  EXPECT_EQ(small.faults, 1U);
  EXPECT_GE(small.steps, 1U) << scenario::to_canonical_text(small.scenario);
  EXPECT_TRUE(small.message.ends_with("operations_failed=1.0 nodes=0.0")) << small.message;
}

constexpr const char* kStorm = R"~(
schema: 1
name: storm
traffic: {writers: 1, rate: "1/s"}
steps:
  - {call: add_nodes, with: {count: 2}, as: job}
  - await: {operation: $job.operation}
    within: 1h
  - wait: 10m
  - {call: set_up_replica_slave, with: {id: "2"}}
faults:
  - {every: "exp(40s)", do: agent.crash}
  - {when: "iaas.*.before", probability: 0.2, do: refuse}
)~";

TEST(Shrink, WritesFaultsThatFellByChanceDownAndDeletesThem) {
  const auto from = scenario::prepare_scenario(kStorm, "storm.yaml").value().cases.front();
  const auto fixed = with_explicit_faults(from, 3);
  ASSERT_TRUE(fixed.has_value());
  EXPECT_GT(fixed->faults.size(), 5U);
  // The same happens as before: the same run but for what draws no more.
  const auto before = scenario::run_scenario(from, 3), after = scenario::run_scenario(*fixed, 3);
  EXPECT_EQ(before.simulated, after.simulated);
  EXPECT_EQ(before.end, after.end);
  const Shrunk small = shrink(from, 3, before.failures.at(0).fingerprint);
  EXPECT_EQ(small.faults, 0U);
  EXPECT_EQ(small.steps, 2U);
}

TEST(EndStates, OperationsThatFailOnlyUnderTheFaultAreTold) {
  scenario::EndState reference, end;
  reference.operations["add_nodes DONE"] = 1;
  end.operations["add_nodes FAILED"] = 1;
  const auto found = compare_ends(reference, end);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found.front().what, "operation add_nodes FAILED");
}

TEST(EndStates, EndsAreComparedOnlyAfterTheSameOperations) {
  scenario::EndState reference, end;
  reference.operations["add_nodes DONE"] = 1;
  reference.values["members"] = "3";
  end.operations["add_nodes CANCELLED"] = 1;
  end.values["members"] = "0";
  EXPECT_TRUE(compare_ends(reference, end).empty());
  end.operations = reference.operations;
  ASSERT_EQ(compare_ends(reference, end).size(), 1U);
  EXPECT_EQ(compare_ends(reference, end).front().what, "end members");
}

}  // namespace
}  // namespace drover::explore
