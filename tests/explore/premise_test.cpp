// What a service without a fault would be after some steps, and what an expectation of a file rests on.
#include "scenarios/explore/premise.hpp"

#include <gtest/gtest.h>

#include "scenarios/engine/load_library.hpp"

namespace drover::explore {
namespace {

constexpr const char* kTwoNodes =
    "  - {call: add_nodes, with: {count: 2}, ends: DONE}\n"
    "  - {call: set_up_replica_master, with: {id: \"1\"}}\n"
    "  - {call: set_up_replica_slave, with: {id: \"2\"}, ends: DONE}\n";

scenario::Scenario scenario_of(const std::string& steps, const std::string& more = {}) {
  auto read = scenario::prepare_scenario("schema: 1\nname: one\nsteps:\n" + steps + more, "one.yaml");
  EXPECT_TRUE(read.has_value()) << read.error().message;
  return read.value().cases.front();
}

IdealService after(const std::string& steps) {
  IdealService service;
  for (const auto& step : scenario_of(steps).steps) (void)service.take(step);
  return service;
}

double number(const IdealService& service, const char* metric) {
  const auto value = service.value(metric);
  return value ? std::get<double>(*value) : -1;
}

// The last step fails, or the expectation.
Premise premise(const std::string& steps, const std::string& more = {}) {
  const auto one = scenario_of(steps, more);
  scenario::Violation failure;
  failure.invariant = one.expect.empty() ? "step" : "expect";
  failure.message = "line " + std::to_string(one.steps.back().place.line) + ", it does not hold";
  failure.fingerprint = "step";
  if (!one.expect.empty()) failure.fingerprint = "expect " + one.expect.front().expression.text();
  return Premise(one, failure);
}

TEST(IdealServices, FollowWhatTheStepsDo) {
  const auto service =
      after(std::string(kTwoNodes) + "  - {call: promote, with: {id: \"$nodes[1]\"}, ends: DONE}\n");
  EXPECT_TRUE(service.known());
  EXPECT_TRUE(service.is_settled());
  EXPECT_EQ(std::get<std::string>(service.value("master").value()), "2");
  EXPECT_EQ(number(service, "epoch"), 2);
  EXPECT_EQ(number(service, "healthy_replicas"), 1);
  EXPECT_EQ(number(service, "instances_created"), 2);
  EXPECT_FALSE(service.value("time_s").has_value());
}

TEST(IdealServices, AreSettledByTheLastOfThoseThatRunOneAfterTheOther) {
  EXPECT_FALSE(after("  - {call: add_nodes, with: {count: 1}, as: job}\n").is_settled());
  EXPECT_TRUE(
      after("  - {call: add_nodes, with: {count: 1}, as: job}\n  - await: {operation: $job.operation}\n")
          .is_settled());
  EXPECT_FALSE(after(std::string(kTwoNodes) + "  - {call: promote, with: {id: \"2\"}}\n").is_settled());
  EXPECT_TRUE(after(kTwoNodes).is_settled()) << "the master was set up before the slave";
}

TEST(IdealServices, ForeseeNothingAfterWhatIsUnknownOrRefused) {
  EXPECT_FALSE(after("  - {call: promote, with: {id: \"2\"}}\n").known());
  EXPECT_FALSE(
      after("  - {call: add_nodes, with: {count: 2}}\n  - {call: set_up_replica_master, with: {id: \"1\"}}\n")
          .known())
      << "its node may not be there yet";
  EXPECT_FALSE(after(std::string(kTwoNodes) +
                     "  - {call: remove_nodes, with: {serviceNodeId: \"1\", force: true}, ends: DONE}\n")
                   .known())
      << "a replica without a master";
  EXPECT_FALSE(after(std::string(kTwoNodes) + "  - {call: fail_over, ends: DONE}\n").known());
  EXPECT_FALSE(after("  - {call: add_nodes, with: {count: 1}, ends: FAILED}\n").known());
}

TEST(IdealServices, TakeAwayThoseWithoutARoleFirstAndTheMasterLast) {
  const std::string four =
      "  - {call: add_nodes, with: {count: 4}, ends: DONE}\n"
      "  - {call: set_up_replica_master, with: {id: \"3\"}}\n"
      "  - {call: set_up_replica_slave, with: {id: \"4\"}, ends: DONE}\n";
  const auto two = after(four + "  - {call: remove_nodes, with: {count: 2}, ends: DONE}\n");
  EXPECT_EQ(number(two, "nodes"), 2);
  EXPECT_EQ(number(two, "healthy_replicas"), 1);
  EXPECT_EQ(number(two, "instances_terminated"), 2);
  const auto named = after(four +
                           "  - {call: remove_nodes, with: {serviceNodeId: $nodes[0]}, ends: DONE}\n"
                           "  - {call: promote, with: {id: $nodes[2]}, ends: DONE}\n");
  EXPECT_EQ(std::get<std::string>(named.value("master").value()), "4") << "the third of those that are left";
  const auto none = after(four + "  - {call: remove_nodes, with: {count: 4, force: true}, ends: DONE}\n");
  EXPECT_EQ(number(none, "instances"), 0);
  EXPECT_EQ(std::get<std::string>(none.value("master").value()), "");
  EXPECT_FALSE(after(four + "  - {call: remove_nodes, with: {count: 4}, ends: DONE}\n").known());
}

TEST(IdealServices, HaveNoMoreThanTheAccountAllows) {
  const auto with_quota = [](const std::string& steps) {
    IdealService service(3);
    for (const auto& step : scenario_of(steps).steps) (void)service.take(step);
    return service;
  };
  const std::string two = "  - {call: add_nodes, with: {count: 2}, ends: DONE}\n";
  const auto over = with_quota(two +
                               "  - {call: add_nodes, with: {count: 2}, as: more}\n"
                               "  - await: {operation: $more.operation, state: FAILED}\n" +
                               "  - {call: add_nodes, with: {count: 1}, ends: DONE}\n");
  EXPECT_TRUE(over.known());
  EXPECT_EQ(number(over, "nodes"), 3);
  EXPECT_EQ(number(over, "operations_failed"), 1);
  EXPECT_FALSE(over.value("instances_created").has_value());
  EXPECT_FALSE(with_quota(two + "  - {call: add_nodes, with: {count: 2}, ends: DONE}\n").known());
  EXPECT_FALSE(with_quota(two + "  - {call: remove_nodes, with: {count: 1}}\n"
                                "  - {call: add_nodes, with: {count: 2}}\n")
                   .known())
      << "the one that goes may still count";
}

TEST(IdealServices, HaveSomeOtherMasterAfterAForcedFailOver) {
  const std::string moved =
      std::string(kTwoNodes) + "  - {call: fail_over, with: {force: true}, ends: DONE}\n";
  const auto service = after(moved);
  EXPECT_EQ(number(service, "epoch"), 2);
  EXPECT_EQ(number(service, "writable_masters"), 1);
  EXPECT_FALSE(service.value("master").has_value());
  EXPECT_FALSE(after(moved + "  - {call: promote, with: {id: \"1\"}, ends: DONE}\n").known());
}

TEST(IdealServices, AreSettledOnceNoOperationIsUnderWay) {
  const std::string begun = "  - {call: add_nodes, with: {count: 2}}\n";
  EXPECT_TRUE(after(begun + "  - eventually: {operations: 0}\n").is_settled());
  EXPECT_FALSE(after(begun + "  - eventually: {nodes: 2}\n").is_settled());
}

TEST(IdealServices, DoNothingTwiceForOneKey) {
  const std::string add = "  - {call: add_nodes, with: {count: 2, key: k}, ends: DONE}\n";
  EXPECT_EQ(number(after(add + add), "nodes"), 2);
  EXPECT_FALSE(after(add + "  - {call: add_nodes, with: {count: 1, key: k}, ends: DONE}\n").known());
}

TEST(Premises, AreMetByWhatAKeyWasUsedForWhateverElseHappens) {
  const std::string add = "  - {call: add_nodes, with: {count: 2, key: k}, as: job, ends: DONE}\n";
  const std::string again =
      "  - {call: add_nodes, with: {count: 2, key: k}, expect: {result: {operation: $job.operation}}}\n";
  const std::string crash = "  - {do: db.crash, on: node-1}\n  - {call: fail_over}\n";
  EXPECT_TRUE(premise(add + again).would_be_met());
  EXPECT_TRUE(premise(add + crash + again).would_be_met());
  EXPECT_FALSE(premise(add + "  - {do: manager.crash, with: {restart: 1m}}\n" + again).would_be_met());
  EXPECT_FALSE(premise(add + "  - {do: store.roll_back, with: {to: 1s}}\n" + again).would_be_met());
  EXPECT_FALSE(
      premise("  - {call: add_nodes, with: {count: 2}, as: job, ends: DONE}\n" + again).would_be_met());
  EXPECT_TRUE(
      premise(add + "  - {call: add_nodes, with: {count: 1, key: k}, expect: {code: 5}}\n").would_be_met());
  EXPECT_FALSE(
      premise(add + "  - {call: add_nodes, with: {count: 2, key: k}, expect: {code: 5}}\n").would_be_met());
}

TEST(Premises, AreMetWhereTheAccountIsFull) {
  const std::string quota = "cloud: {quota: {instances: 1}}\n",
                    add = "  - {call: add_nodes, with: {count: 2}, ends: ";
  EXPECT_TRUE(premise(add + "FAILED}\n", quota).would_be_met());
  EXPECT_FALSE(premise(add + "FAILED}\n").would_be_met());
  EXPECT_FALSE(premise(add + "DONE}\n", quota).would_be_met());
}

TEST(Premises, OfAFullAccountAreOnlyHinderedByFaults) {
  const std::string steps =
      "  - {call: add_nodes, with: {count: 3}, ends: DONE, within: 30m}\n"
      "  - {call: set_up_replica_master, with: {id: $nodes[0]}}\n"
      "  - {call: set_up_replica_slave, with: {id: $nodes[1]}}\n"
      "  - eventually: {healthy_replicas: 1, operations: 0}\n"
      "  - {call: add_nodes, with: {count: 2}, as: more}\n"
      "  - {await: {operation: $more.operation, state: FAILED}, within: 30m}\n";
  const std::string fault = "faults:\n  - {when: \"iaas.newInstance.reply#1\", do: lose_reply}\n";
  const std::string quota = "cloud: {quota: {instances: 4}";
  const auto original = premise(steps, quota + ", throttle: {rate: 2/s, burst: 4}}\n" + fault);
  EXPECT_TRUE(premise(steps, quota + "}\n").would_be_met());
  EXPECT_TRUE(premise(steps, quota + ", throttle: {rate: 2/s, burst: 4}}\n").rests_on(original));
}

TEST(Premises, AreMetWhereAnIdealServiceWouldHold) {
  const std::string promoted =
      std::string(kTwoNodes) + "  - {call: promote, with: {id: \"2\"}, ends: DONE}\n";
  EXPECT_TRUE(premise(promoted + "  - check: {master: \"2\", healthy_replicas: 1}\n").would_be_met());
  EXPECT_FALSE(
      premise(kTwoNodes + std::string("  - check: {master: \"2\", healthy_replicas: 1}\n")).would_be_met());
  EXPECT_TRUE(premise(promoted + "  - check: \"epoch == 2 and nodes == 2\"\n").would_be_met());
  EXPECT_FALSE(premise(promoted + "  - check: \"epoch == 2 and time_s < 900\"\n").would_be_met());
  EXPECT_TRUE(premise(kTwoNodes, "expect:\n  - finally: healthy_replicas == 1\n").would_be_met());
  EXPECT_FALSE(premise(kTwoNodes, "expect:\n  - always: healthy_replicas == 1\n").would_be_met());
  EXPECT_TRUE(premise(promoted).would_be_met()) << "a call that must be accepted, and its operation end well";
  EXPECT_FALSE(premise("  - {call: promote, with: {id: \"2\"}, ends: DONE}\n").would_be_met());
}

TEST(Premises, AreNotMetWhileSomethingDisturbsOrIsUnderWay) {
  const std::string check = "  - check: healthy_replicas == 1\n",
                    eventually = "  - eventually: healthy_replicas == 1\n";
  const std::string begun =
      "  - {call: add_nodes, with: {count: 2}, ends: DONE}\n"
      "  - {call: set_up_replica_master, with: {id: \"1\"}}\n"
      "  - {call: set_up_replica_slave, with: {id: \"2\"}}\n";
  EXPECT_FALSE(premise(begun + check).would_be_met());
  EXPECT_TRUE(premise(begun + eventually).would_be_met());
  EXPECT_FALSE(premise(begun + "  - eventually: healthy_replicas == 1\n    within: 2s\n").would_be_met());
  EXPECT_FALSE(premise(kTwoNodes + std::string("  - {do: db.crash, on: node-2}\n") + check).would_be_met());
  EXPECT_FALSE(
      premise(kTwoNodes + check, "faults:\n  - {at: 1m, do: db.crash, target: node-2}\n").would_be_met());
  EXPECT_FALSE(premise(kTwoNodes + check, "cloud: {boot: 1h}\n").would_be_met());
}

TEST(Premises, RestOnWhatTheConditionLooksAt) {
  const std::string third = "  - {call: add_nodes, with: {count: 1}, ends: DONE}\n";
  const std::string removed = "  - {call: remove_nodes, with: {count: 1, partial: x}, ends: DONE}\n";
  const auto original = premise(kTwoNodes + third + "  - check: {writable_masters: 2}\n");
  EXPECT_TRUE(premise(kTwoNodes + std::string("  - check: {writable_masters: 2}\n")).rests_on(original));
  EXPECT_FALSE(
      premise("  - {call: add_nodes, with: {count: 2}, ends: DONE}\n  - check: {writable_masters: 2}\n")
          .rests_on(original))
      << "there is no master";
  EXPECT_FALSE(premise(kTwoNodes + std::string("  - check: {writable_masters: 2}\n"))
                   .rests_on(premise(kTwoNodes + removed + "  - check: {writable_masters: 2}\n")));
}

TEST(Premises, RestOnFaultsAndTimeUnlessSuccessIsWanted) {
  const std::string fault = "faults:\n  - {at: 1m, do: db.crash, target: node-2}\n";
  const std::string wait = "  - wait: 2m\n", check = "  - check: {writable_masters: 2}\n";
  const auto disturbed = premise(kTwoNodes + wait + check, fault);
  EXPECT_TRUE(premise(kTwoNodes + wait + check, fault).rests_on(disturbed));
  EXPECT_FALSE(premise(kTwoNodes + check, fault).rests_on(disturbed));
  EXPECT_FALSE(premise(kTwoNodes + wait + check).rests_on(disturbed));
  const std::string late = "  - {call: promote, with: {id: \"1\"}}\n";
  const auto refused = premise(kTwoNodes + wait + late, fault);
  EXPECT_TRUE(premise(kTwoNodes + late).rests_on(refused)) << "no fault helps it to be accepted";
  EXPECT_FALSE(premise(kTwoNodes + late, fault).rests_on(refused));
}

}  // namespace
}  // namespace drover::explore
