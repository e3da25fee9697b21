// The manager against ports that a test can look into: nothing happens before it is journaled, failed calls
// are tried again as configured, and what cannot be journaled is not accepted.
#include "manager/ops/manager.hpp"

#include "manager/ops/bring_up.hpp"
#include "tests/ops/stage.hpp"

namespace drover::ops {
namespace {

using model::NodeState;
using model::OperationKind;
using model::OperationState;
using model::ServiceState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Looks at the journal whenever an effect reaches the world, through one whole life of a service.
struct JournalBeforeEffect : ManagerTest {
  void live() {
    start();
    complete(OperationKind::add_nodes, 3);
    complete(OperationKind::set_up_replica_master, 0, 1);
    complete(OperationKind::set_up_replica_slave, 0, 2);
    complete(OperationKind::create_replica, 0, 1);
    complete(OperationKind::promote, 0, 2);
    complete(OperationKind::remove_nodes, 1);
    complete(OperationKind::shutdown, 0);
    EXPECT_EQ(manager->dstate(), ServiceState::S_STOPPED);
    EXPECT_THAT(violations, IsEmpty());
  }
};

TEST_F(JournalBeforeEffect, NoVmIsAskedForBeforeItsNodeIsJournaled) {
  std::vector<std::string> early;
  iaas.before_create = [&](const std::string& subject) {
    const auto id = std::stoll(subject.substr(5));
    if (!store.holds(Table::node, id, "CREATING")) early.push_back(subject);
  };
  live();
  EXPECT_EQ(calls("newInstance").size(), 4U);
  EXPECT_THAT(early, IsEmpty());
}

TEST_F(JournalBeforeEffect, NoVmIsDestroyedBeforeItsRemovalIsJournaled) {
  std::vector<std::string> early;
  iaas.before_kill = [&](const std::string& vm) {
    bool journaled = false;
    for (const auto& [key, document] : store.documents)
      journaled =
          journaled || (key.first == Table::node && document.find("\"" + vm + "\"") != std::string::npos &&
                        document.find("REMOVING") != std::string::npos);
    if (!journaled) early.push_back(vm);
  };
  live();
  EXPECT_EQ(calls("killInstance").size(), 4U);
  EXPECT_THAT(early, IsEmpty());
}

TEST_F(JournalBeforeEffect, NoServerBecomesWritableBeforeItsEpochIsJournaled) {
  std::vector<std::uint64_t> early;
  agent.before_writable = [&](std::uint64_t epoch) {
    if (!store.holds(Table::service, 1, "\"epoch\":" + std::to_string(epoch))) early.push_back(epoch);
  };
  live();
  EXPECT_GE(calls("set_up_replica_master").size(), 2U);
  EXPECT_THAT(early, IsEmpty());
}

TEST_F(JournalBeforeEffect, NoServerBecomesWritableBeforeItIsJournaledAsPerhapsWritable) {
  std::vector<std::uint64_t> early;
  agent.before_writable = [&](std::uint64_t epoch) {
    const std::string target = epoch == 1 ? "1" : "2";
    if (!store.holds(Table::service, 1, "\"maybe_writable\":" + target)) early.push_back(epoch);
  };
  live();
  EXPECT_THAT(early, IsEmpty());
}

TEST_F(JournalBeforeEffect, NoClientIsToldBeforeTheOperationIsJournaled) {
  start();
  const auto accepted = submit(OperationKind::add_nodes, 1);
  ASSERT_TRUE(accepted.has_value());
  EXPECT_TRUE(store.documents.contains({Table::operation, accepted.value().operation}));
}

TEST_F(ManagerTest, APromotionFencesTheFormerMasterBeforeTheNewOneMayWrite) {
  start();
  complete(OperationKind::add_nodes, 2);
  complete(OperationKind::set_up_replica_master, 0, 1);
  complete(OperationKind::set_up_replica_slave, 0, 2);
  bool fenced = false;
  agent.before_writable = [&](std::uint64_t) { fenced = agent.servers["10.0.0.1"].read_only; };
  complete(OperationKind::promote, 0, 2);
  EXPECT_TRUE(fenced);
}

// --- restarts ---

TEST_F(ManagerTest, ARestartFindsEverythingAgain) {
  start();
  complete(OperationKind::add_nodes, 2);
  complete(OperationKind::set_up_replica_master, 0, 1);
  const auto before = store.documents;
  restart();
  EXPECT_EQ(manager->model().listed(), 2U);
  EXPECT_EQ(manager->model().service.primary, 1);
  EXPECT_EQ(manager->dstate(), ServiceState::S_RUNNING);
  EXPECT_EQ(iaas.vms.size(), 2U);
}

TEST_F(ManagerTest, AJournalThatCannotBeReadStopsTheStart) {
  store.documents[{Table::node, 1}] = "{";
  MySQLServerManager broken(Ports{scheduler, iaas, agent, store, trace}, config, {});
  const auto started = broken.start();
  ASSERT_TRUE(started.has_error());
  EXPECT_EQ(started.error().code, ErrorCode::storage);
}

TEST_F(ManagerTest, TwoRecordsOfOneIdStopTheStart) {
  store.documents[{Table::node, 1}] = R"({"id": 1, "state": "RUNNING"})";
  store.documents[{Table::node, 2}] = R"({"id": 1, "state": "RUNNING"})";
  MySQLServerManager broken(Ports{scheduler, iaas, agent, store, trace}, config, {});
  EXPECT_TRUE(broken.start().has_error());
}

// --- retries ---

Error refused(Effect effect = Effect::none, Duration retry_after = 0s) {
  Error error = make_error(ErrorCode::unavailable, "not now", effect, Retry::soon);
  error.retry_after = retry_after;
  return error;
}

TEST(RetryPolicy, DoublesItsPausesUpToTheLimit) {
  RetryPolicy policy;
  policy.first = 1s;
  policy.limit = 10s;
  std::vector<Duration> pauses;
  for (unsigned attempt = 1; attempt <= 6; ++attempt) pauses.push_back(policy.pause_after(attempt, 0s));
  EXPECT_THAT(pauses, ElementsAre(1s, 2s, 4s, 8s, 10s, 10s));
}

TEST(RetryPolicy, IsNeverShorterThanWhatTheOtherSideAsked) {
  RetryPolicy policy;
  EXPECT_EQ(policy.pause_after(1, 90s), 90s);
  EXPECT_EQ(policy.pause_after(3, 1s), 4s);
}

TEST(RetryPolicy, HasABoundForAnyAttempt) { EXPECT_EQ(RetryPolicy().pause_after(UINT32_MAX, 0s), 60s); }

TEST_F(ManagerTest, AFailedCreationIsTriedAgainAfterGrowingPauses) {
  start();
  iaas.errors = {refused(), refused(), refused()};
  complete(OperationKind::add_nodes, 1);
  const auto tries = calls("newInstance");
  ASSERT_EQ(tries.size(), 4U);
  EXPECT_EQ(tries[1].at - tries[0].at, 1s);
  EXPECT_EQ(tries[2].at - tries[1].at, 2s);
  EXPECT_EQ(tries[3].at - tries[2].at, 4s);
}

TEST_F(ManagerTest, AThrottledCreationWaitsAsLongAsItWasTold) {
  start();
  iaas.errors = {refused(Effect::none, 20s)};
  complete(OperationKind::add_nodes, 1);
  const auto tries = calls("newInstance");
  ASSERT_EQ(tries.size(), 2U);
  EXPECT_EQ(tries[1].at - tries[0].at, 20s);
}

TEST_F(ManagerTest, AFailedCreationIsGivenUpAfterTheConfiguredAttempts) {
  config.retry.attempts = 3;
  start();
  iaas.errors.assign(20, refused());
  const auto accepted = submit(OperationKind::add_nodes, 1);
  run_for(10min);
  EXPECT_EQ(calls("newInstance").size(), 3U);
  const auto* operation = manager->model().operation(accepted.value().operation);
  EXPECT_EQ(operation->state, OperationState::failed);
  EXPECT_THAT(operation->error, HasSubstr("not now"));
  EXPECT_EQ(manager->model().nodes().size(), 0U);
  EXPECT_EQ(manager->dstate(), ServiceState::S_RUNNING);
}

TEST_F(ManagerTest, AnErrorThatCannotPassIsNotTriedAgain) {
  for (const auto code : {ErrorCode::invalid, ErrorCode::quota, ErrorCode::permission, ErrorCode::wrong_state,
                          ErrorCode::already_exists, ErrorCode::cancelled})
    EXPECT_FALSE(is_worth_retrying(make_error(code, ""))) << to_text(code);
  start();
  iaas.errors = {make_error(ErrorCode::quota, "no more")};
  (void)submit(OperationKind::add_nodes, 1);
  run_for(10min);
  EXPECT_EQ(calls("newInstance").size(), 1U);
}

TEST_F(ManagerTest, ACreationWithAPossibleEffectIsLookedForBeforeItIsTriedAgain) {
  start();
  iaas.errors = {refused(Effect::possible)};
  (void)submit(OperationKind::add_nodes, 1);
  run_for(1min);
  std::vector<std::string> order;
  for (const auto& record : records)
    if (record.what == "newInstance" || record.what == "listVMs") order.push_back(record.what);
  EXPECT_THAT(order, ElementsAre("newInstance", "listVMs", "newInstance"));
}

TEST_F(ManagerTest, EveryTryOfACreationCarriesTheSameToken) {
  start();
  iaas.errors = {refused(Effect::possible), refused(Effect::possible)};
  complete(OperationKind::add_nodes, 1);
  EXPECT_EQ(iaas.vms.size(), 1U);
  EXPECT_THAT(iaas.tokens["i-1"], HasSubstr("node-1.1"));
}

// --- the journal fails ---

TEST_F(ManagerTest, WhatCannotBeJournaledIsNotAcceptedAndLeavesNothing) {
  start();
  store.refusals = 4;
  const auto refusal = submit(OperationKind::add_nodes, 3);
  ASSERT_TRUE(refusal.has_error());
  EXPECT_EQ(refusal.error().code, ErrorCode::storage);
  run_for(5min);
  EXPECT_EQ(manager->model().nodes().size(), 0U);
  EXPECT_EQ(manager->model().operations().size(), 0U);
  EXPECT_THAT(calls("newInstance"), IsEmpty());
  EXPECT_EQ(manager->dstate(), ServiceState::S_RUNNING);
}

TEST_F(ManagerTest, AJournalThatFailsForAWhileDelaysTheAnswerOnly) {
  start();
  store.refusals = 3;
  EXPECT_TRUE(submit(OperationKind::add_nodes, 1).has_value());
}

TEST_F(ManagerTest, AnIdIsNotGivenAgainAfterAFailedAcceptance) {
  start();
  store.refusals = 4;
  (void)submit(OperationKind::add_nodes, 3);
  const auto accepted = submit(OperationKind::add_nodes, 1);
  ASSERT_TRUE(accepted.has_value());
  EXPECT_EQ(accepted.value().operation, 2);
}

TEST_F(ManagerTest, ARemovalThatCannotBeJournaledKeepsItsNode) {
  start();
  complete(OperationKind::add_nodes, 1);
  store.refusals = 4;
  EXPECT_TRUE(submit(OperationKind::remove_nodes, 0, 1).has_error());
  run_for(5min);
  EXPECT_EQ(manager->model().node(1)->state, NodeState::running);
  EXPECT_THAT(calls("killInstance"), IsEmpty());
}

// A shutdown comes while a removal's commit is being tried in vain: the node is the shutdown's by then.
TEST_F(ManagerTest, AFailedAcceptanceTakesNothingFromAShutdown) {
  start();
  complete(OperationKind::add_nodes, 1);
  store.refusals = 4;
  bool answered = false;
  model::OperationRequest removal;
  removal.kind = OperationKind::remove_nodes;
  removal.node = 1;
  manager->submit(removal, [&](Result<Accepted>) { answered = true; });
  run_for(60ms);
  ASSERT_FALSE(answered);
  (void)submit(OperationKind::shutdown, 0);
  run_for(5min);
  EXPECT_TRUE(answered);
  EXPECT_THAT(violations, IsEmpty());
  EXPECT_EQ(manager->dstate(), ServiceState::S_STOPPED);
}

// Another operation ends, and the queue moves on, while the commit is being tried in vain.
TEST_F(ManagerTest, AnOperationDoesNotBeginBeforeItIsAccepted) {
  start();
  complete(OperationKind::add_nodes, 2);
  complete(OperationKind::set_up_replica_master, 0, 1);
  complete(OperationKind::set_up_replica_slave, 0, 2);
  ASSERT_TRUE(submit(OperationKind::set_up_replica_master, 0, 1).has_value());
  store.refusals = 4;
  std::optional<bool> accepted;
  model::OperationRequest removal;
  removal.kind = OperationKind::remove_nodes;
  removal.node = 2;
  manager->submit(removal, [&](Result<Accepted> answer) { accepted = answer.has_value(); });
  points.clear();
  run_for(5min);
  ASSERT_TRUE(accepted.has_value());
  EXPECT_THAT(violations, IsEmpty());
  if (!*accepted) {
    EXPECT_EQ(manager->model().node(2)->state, NodeState::running);
  }
  EXPECT_EQ(manager->dstate(), ServiceState::S_RUNNING);
}

// --- waiting for nodes ---

TEST_F(ManagerTest, WaitForNodesReturnsWhenThoseThatBootAreUpWhateverTheOthersAre) {
  start();
  complete(OperationKind::add_nodes, 1);
  auto& core = const_cast<Core&>(manager->core());
  model::Node booting;
  booting.id = 50;
  booting.state = NodeState::booting;
  booting.vm = "i-1";
  core.model.add(booting);
  std::optional<bool> ended;
  struct Wait {
    static Task<void> run(Core& in, std::optional<bool>& to) {
      std::vector<model::NodeId> both{1, 50};
      const auto up = co_await wait_for_nodes(in, std::move(both), 10s);
      to = up.has_value();
    }
  };
  spawn(domain, Wait::run(core, ended));
  run_for(1min);
  EXPECT_EQ(ended, true);
  core.model.erase_node(50);
}

}  // namespace
}  // namespace drover::ops
