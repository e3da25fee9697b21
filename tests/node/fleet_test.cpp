// The fleet as the manager, the cloud and the fault engine see it.
#include <gmock/gmock.h>

#include "tests/node/fleet_fixture.hpp"

namespace drover::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ErrorCode code_of(const Result<AgentReply>& reply) {
  return reply.has_error() ? reply.error().code : ErrorCode::unknown;
}

TEST(Routing, AHostWithoutAnAgentYetRefusesAtOnce) {
  Cluster c;
  c.boot(1);
  const auto reply = c.call(1, GetServerState{}, 100ms);
  ASSERT_EQ(code_of(reply), ErrorCode::unavailable);
  EXPECT_EQ(reply.error().effect, Effect::none);
}

TEST(Routing, APausedHostIsSilentAndAnswersWhenItGoesOn) {
  Cluster c;
  c.bring_up(1);
  c.fleet.instance_paused(Cluster::id(1), true);
  std::optional<Result<AgentReply>> answer;
  c.ask(1, c.read_only_command(true), answer);
  c.run(60s);
  EXPECT_FALSE(answer.has_value());
  EXPECT_FALSE(c.server(1).read_only());
  c.fleet.instance_paused(Cluster::id(1), false);
  c.run(1s);
  EXPECT_TRUE(answer.has_value() && answer->has_value()) << "the command was in its socket";
}

TEST(Routing, APoweredOffHostIsSilent) {
  Cluster c;
  c.bring_up(1);
  c.fleet.instance_stopped(Cluster::id(1));
  EXPECT_EQ(code_of(c.call(1, GetServerState{})), ErrorCode::timeout);
}

TEST(Routing, ATerminatedInstancesAddressIsRefused) {
  Cluster c;
  c.bring_up(1);
  c.fleet.instance_terminated(Cluster::id(1));
  EXPECT_EQ(code_of(c.call(1, GetServerState{})), ErrorCode::unavailable);
  EXPECT_FALSE(c.fleet.truth(Cluster::id(1)).has_value());
}

TEST(Routing, OfTwoInstancesWithOneAddressTheLatestAnswers) {
  Cluster c;
  c.bring_up(2);
  c.fleet.instance_address_changed(Cluster::id(2), Cluster::address(1));
  EXPECT_EQ(c.call(1, GetServerState{}).value().state.instance_id, Cluster::id(2));
  c.fleet.instance_terminated(Cluster::id(2));
  EXPECT_EQ(c.call(1, GetServerState{}).value().state.instance_id, Cluster::id(1));
}

TEST(Routing, WhatTheLinksLoseIsSilence) {
  Cluster c;
  c.bring_up(1);
  c.links.cut("node-1", std::string(kManager));
  EXPECT_EQ(code_of(c.call(1, c.read_only_command(true))), ErrorCode::timeout);
  EXPECT_TRUE(c.server(1).read_only()) << "the effect is there, its answer was lost";
}

TEST(Routing, ACommandThatTheLinksLoseOnTheWayHasNoEffect) {
  Cluster c;
  c.bring_up(1);
  c.links.copies = 0;
  EXPECT_EQ(code_of(c.call(1, c.read_only_command(true))), ErrorCode::timeout);
  EXPECT_FALSE(c.server(1).read_only());
}

TEST(Routing, ACommandThatArrivesTwiceIsAnsweredOnce) {
  Cluster c;
  c.bring_up(1);
  c.links.copies = 2;
  unsigned answers = 0;
  c.fleet.call(CallContext{}, Cluster::endpoint(1), c.read_only_command(true),
               [&](Result<AgentReply>) { ++answers; });
  c.run(1s);
  EXPECT_EQ(answers, 1U);
  c.fleet.lose_read_only(Cluster::id(1));
  c.run(5s);
  EXPECT_TRUE(c.server(1).read_only()) << "the second copy has its effect, too";
  EXPECT_EQ(answers, 1U);
}

TEST(HalfOpen, ACallUnderWayIsNeverAnsweredAndTheNextIs) {
  Cluster c;
  c.bring_up(1);
  c.links.copies = 1;
  bool answered = false;
  WaitForGtid wait;
  wait.epoch = 1;
  wait.gtid = "0-1-1000";
  c.fleet.call(CallContext{}, Cluster::endpoint(1), wait, [&](Result<AgentReply>) { answered = true; });
  c.run(1s);
  EXPECT_TRUE(c.fleet.half_open(Cluster::id(1)));
  c.run(10min);
  EXPECT_FALSE(answered);
  Cluster::must(c.call(1, GetServerState{}));
}

TEST(HalfOpen, AReplicaNoticesBySilenceAndCatchesUp) {
  Cluster c;
  c.bring_up(2);
  c.fleet.half_open(Cluster::id(2));
  c.write(1, 5);
  c.run(4s);
  EXPECT_EQ(c.replication(2).io, ThreadState::yes) << "it believes that it is connected";
  EXPECT_EQ(c.count(2), 0U);
  c.run(2min);
  EXPECT_EQ(c.count(2), 5U);
}

TEST(HalfOpen, AResetIsNoticedAtOnce) {
  Cluster c;
  c.bring_up(2);
  c.fleet.half_open(Cluster::id(1));
  c.write(1, 5);
  c.run(5s);
  EXPECT_EQ(c.count(2), 0U);
  c.fleet.reset_half_open(Cluster::id(1));
  c.run(2s);
  EXPECT_EQ(c.count(2), 5U);
}

TEST(Heartbeats, ComeAsSoonAsThereIsAnAddressAndThenEveryInterval) {
  FleetConfig config;
  std::vector<Heartbeat> beats;
  config.on_heartbeat = [&beats](const Heartbeat& beat) { beats.push_back(beat); };
  Cluster c(std::move(config));
  InstanceInfo info;
  info.id = "i-1";
  info.name = "node-1";
  c.fleet.instance_booted(info, "");
  c.run(60s);
  EXPECT_TRUE(beats.empty());
  c.fleet.instance_address_changed("i-1", Cluster::address(1));
  c.run(1ms);
  ASSERT_EQ(beats.size(), 1U);
  EXPECT_EQ(beats[0].state, "STOPPED");
  Cluster::must(c.call(1, StartServer{1}));
  c.run(61s);
  ASSERT_EQ(beats.size(), 3U);
  EXPECT_EQ(beats[2].state, "RUNNING");
  EXPECT_EQ(beats[2].ip, Cluster::address(1));
  c.fleet.instance_paused("i-1", true);
  c.run(5min);
  EXPECT_EQ(beats.size(), 3U);
}

TEST(Reboot, KeepsEpochRoleAndDataAndComesBackReadOnly) {
  Cluster c;
  c.bring_up(1);
  c.write(1, 5);
  c.fleet.instance_rebooted(Cluster::id(1), true);
  EXPECT_FALSE(c.truth(1).server_running);
  c.run(5s);
  const NodeTruth truth = c.truth(1);
  EXPECT_TRUE(truth.server_running);
  EXPECT_TRUE(truth.read_only);
  EXPECT_EQ(truth.role, Role::primary);
  EXPECT_EQ(truth.epoch, 1U);
  EXPECT_EQ(c.count(1), 5U);
}

TEST(Reboot, WithoutItsDiskANodeIsFresh) {
  Cluster c;
  c.bring_up(1);
  c.write(1, 5);
  c.fleet.instance_rebooted(Cluster::id(1), false);
  c.run(5s);
  EXPECT_FALSE(c.truth(1).server_running);
  EXPECT_EQ(c.truth(1).role, Role::none);
  EXPECT_EQ(c.truth(1).epoch, 0U);
  EXPECT_EQ(c.truth(1).transactions, 0U);
}

TEST(AgentFaults, ACrashAtTheStartOfACommandHasNoEffect) {
  Cluster c;
  c.bring_up(1);
  c.fleet.crash_agent_at(Cluster::id(1), CrashPoint::start, 5s);
  const auto reply = c.call(1, c.read_only_command(true));
  ASSERT_EQ(code_of(reply), ErrorCode::connection_lost);
  EXPECT_EQ(reply.error().effect, Effect::possible);
  EXPECT_FALSE(c.server(1).read_only());
  EXPECT_EQ(code_of(c.call(1, GetServerState{})), ErrorCode::unavailable);
  c.run(6s);
  Cluster::must(c.call(1, GetServerState{}));
}

TEST(AgentFaults, ACrashInTheMiddleLeavesAReplicaHalfConfigured) {
  Cluster c;
  c.bring_up(3);
  ++c.epoch;
  c.fleet.crash_agent_at(Cluster::id(3), CrashPoint::middle, 1s);
  EXPECT_EQ(code_of(c.call(3, StopReplica{c.epoch})), ErrorCode::connection_lost);
  EXPECT_EQ(c.replication(3).io, ThreadState::no);
  EXPECT_TRUE(c.replication(3).configured);
  EXPECT_EQ(c.truth(3).epoch, c.epoch);
  c.run(2s);
  Cluster::must(c.call(3, c.replica_command(3, 1, false)));
  EXPECT_EQ(c.replication(3).io, ThreadState::yes);
}

TEST(AgentFaults, AnInterruptedCloneLeavesNoServerUntilItIsRepeated) {
  Cluster c;
  c.bring_up(2);
  c.fleet.crash_agent_at(Cluster::id(2), CrashPoint::middle, 1s);
  EXPECT_EQ(code_of(c.call(2, c.replica_command(2, 1))), ErrorCode::connection_lost);
  c.run(3s);
  EXPECT_EQ(code_of(c.call(2, StartServer{2})), ErrorCode::database);
  Cluster::must(c.call(2, c.replica_command(2, 1)));
  EXPECT_TRUE(c.fleet.same_data(Cluster::id(1), Cluster::id(2)));
}

TEST(AgentFaults, ASourceThatDiesDuringACloneIsReported) {
  Cluster c;
  c.bring_up(1);
  c.boot(2);
  c.run(5s);
  std::optional<Result<AgentReply>> answer;
  c.ask(2, c.replica_command(2, 1), answer);
  c.run(300ms);
  c.fleet.crash_server(Cluster::id(1), 100ms);
  c.run(10s);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(code_of(*answer), ErrorCode::unavailable);
  EXPECT_EQ(answer->error().effect, Effect::possible);
}

TEST(AgentFaults, AServerStartedByOthersDuringACloneIsReplaced) {
  Cluster c;
  c.bring_up(2);
  c.fleet.crash_server(Cluster::id(2), 500ms);
  Cluster::must(c.call(2, c.replica_command(2, 1)));
  EXPECT_TRUE(c.fleet.same_data(Cluster::id(1), Cluster::id(2)));
  EXPECT_EQ(c.replication(2).io, ThreadState::yes);
}

TEST(AgentFaults, AHungAgentAcceptsAndGoesOnWhenReleased) {
  Cluster c;
  c.bring_up(1);
  c.fleet.hang_agent(Cluster::id(1), true);
  EXPECT_EQ(code_of(c.call(1, c.read_only_command(true), 10s)), ErrorCode::timeout);
  EXPECT_FALSE(c.server(1).read_only());
  c.fleet.hang_agent(Cluster::id(1), false);
  c.run(1s);
  EXPECT_TRUE(c.server(1).read_only()) << "a late effect";
}

TEST(AgentFaults, ADuplicateCommandIsCarriedOutTwiceAndAnsweredOnce) {
  Cluster c;
  c.bring_up(2);
  c.fleet.duplicate_commands(Cluster::id(2), 1);
  Cluster::must(c.call(2, c.replica_command(2, 1)));
  c.run(20s);
  EXPECT_EQ(c.replication(2).io, ThreadState::yes);
}

TEST(AgentFaults, SayingOkAndDoingNothingShowsInTheState) {
  Cluster c;
  c.bring_up(1);
  c.fleet.pretend_commands(Cluster::id(1), 1);
  const auto reply = c.call(1, c.read_only_command(true));
  Cluster::must(reply);
  EXPECT_FALSE(reply.value().state.read_only);
  EXPECT_TRUE(c.call(1, c.read_only_command(true)).value().state.read_only);
}

TEST(AgentFaults, AStaleAnswerShowsTheStateBefore) {
  Cluster c;
  c.bring_up(1);
  c.fleet.answer_stale(Cluster::id(1), 1);
  EXPECT_FALSE(c.call(1, c.read_only_command(true)).value().state.read_only);
  EXPECT_TRUE(c.call(1, GetServerState{}).value().state.read_only);
}

TEST(AgentFaults, AStaleAnswerMayShowAnOlderState) {
  Cluster c;
  c.bring_up(1);
  (void)c.call(1, GetServerState{});
  c.run(10s);
  Cluster::must(c.call(1, c.read_only_command(true)));
  c.fleet.answer_stale(Cluster::id(1), 1);
  EXPECT_TRUE(c.call(1, GetServerState{}).value().state.read_only);
  c.fleet.answer_stale(Cluster::id(1), 1, 5s);
  EXPECT_FALSE(c.call(1, GetServerState{}).value().state.read_only);
  // Older than all that is remembered: the oldest, of a server that had just been started.
  c.fleet.answer_stale(Cluster::id(1), 1, 1h);
  EXPECT_TRUE(c.call(1, GetServerState{}).value().state.read_only);
}

TEST(AgentFaults, CredentialsVersionAndIdentityCanBeWrong) {
  Cluster c;
  c.bring_up(1);
  c.fleet.wrong_version(Cluster::id(1), "5.5.68-MariaDB");
  c.fleet.wrong_identity(Cluster::id(1), "i-99");
  const auto reply = c.call(1, GetServerState{});
  EXPECT_EQ(reply.value().state.version, "5.5.68-MariaDB");
  EXPECT_EQ(reply.value().state.instance_id, "i-99");
  c.fleet.wrong_credentials(Cluster::id(1), true);
  EXPECT_EQ(code_of(c.call(1, GetServerState{})), ErrorCode::unauthenticated);
}

TEST(AgentFaults, AFullDiskFailsSetUpsAndWrites) {
  Cluster c;
  c.bring_up(1);
  c.fleet.disk_full(Cluster::id(1), true);
  EXPECT_EQ(code_of(c.call(1, c.primary_command(1))), ErrorCode::storage);
  c.write(1);
  EXPECT_EQ(c.recorder.last, WriteOutcome::disk_full);
}

TEST(AgentFaults, AHungServerIsReportedAsADatabaseErrorNotAsSilence) {
  Cluster c;
  c.bring_up(1);
  c.fleet.hang_server(Cluster::id(1), true);
  const auto reply = c.call(1, GetServerState{}, 5s);
  ASSERT_EQ(code_of(reply), ErrorCode::database);
  EXPECT_THAT(reply.error().message, HasSubstr("2013"));
}

TEST(ServerFaults, StickyReadOnlyIgnoresCommandsAndLostReadOnlyOpensAReplica) {
  Cluster c;
  c.bring_up(2);
  c.fleet.stick_read_only(Cluster::id(1), true);
  EXPECT_FALSE(c.call(1, c.read_only_command(true)).value().state.read_only);
  c.fleet.lose_read_only(Cluster::id(2));
  EXPECT_EQ(c.fleet.writable_servers(), 2U);
  EXPECT_EQ(c.fleet.writable_primaries(), 1U);
}

TEST(ServerFaults, ALostRelayLogIsFetchedAgainWhileThePrimaryLives) {
  Cluster c;
  c.bring_up(2);
  c.fleet.lag(Cluster::id(2), 5s);
  c.write(1, 9);
  c.run(1s);
  c.fleet.lose_relay_log(Cluster::id(2));
  EXPECT_EQ(c.server(2).relay_pending(), 0U);
  c.run(10s);
  EXPECT_EQ(c.count(2), 9U);
}

TEST(ServerFaults, ASilentDivergenceShowsOnlyInTheData) {
  Cluster c;
  c.bring_up(2);
  EXPECT_TRUE(c.fleet.same_data(Cluster::id(1), Cluster::id(2)));
  c.fleet.diverge(Cluster::id(2));
  EXPECT_FALSE(c.fleet.same_data(Cluster::id(1), Cluster::id(2)));
  EXPECT_EQ(c.replication(2).seconds_behind, 0);
}

TEST(ServerFaults, UnknownAndTerminatedInstancesAreRefused) {
  Cluster c;
  c.bring_up(1);
  EXPECT_FALSE(c.fleet.hang_server("i-77", true));
  c.fleet.instance_terminated(Cluster::id(1));
  EXPECT_FALSE(c.fleet.crash_agent(Cluster::id(1), 1s));
}

TEST(Truth, TheNumberOfWritablePrimariesFollowsEveryCause) {
  Cluster c;
  c.bring_up(2);
  const auto count = [&c] { return c.fleet.writable_primaries(); };
  EXPECT_EQ(count(), 1U);
  c.fleet.hang_server(Cluster::id(1), true);
  EXPECT_EQ(count(), 0U);
  c.fleet.hang_server(Cluster::id(1), false);
  EXPECT_EQ(count(), 1U);
  c.fleet.instance_paused(Cluster::id(1), true);
  EXPECT_EQ(count(), 0U);
  c.fleet.instance_paused(Cluster::id(1), false);
  c.links.cut(std::string(kClients), "node-1");
  c.fleet.links_changed();
  EXPECT_EQ(count(), 0U);
  c.links.heal();
  c.fleet.links_changed();
  EXPECT_EQ(count(), 1U);
  Cluster::must(c.call(2, StopReplica{1}));
  Cluster::must(c.call(2, c.primary_command(2)));
  Cluster::must(c.call(2, c.read_only_command(false)));
  EXPECT_EQ(count(), 2U);
  c.fleet.crash_server(Cluster::id(1));
  EXPECT_EQ(count(), 1U);
  c.fleet.instance_terminated(Cluster::id(2));
  EXPECT_EQ(count(), 0U);
}

TEST(Truth, TakeChangedNamesEachChangedInstanceOnceAndIgnoresMereData) {
  Cluster c;
  c.bring_up(2);
  EXPECT_THAT(c.fleet.take_changed(), ElementsAre("i-1", "i-2"));
  c.write(1, 10);
  c.run(1s);
  EXPECT_TRUE(c.fleet.take_changed().empty());
  c.fleet.lose_read_only(Cluster::id(2));
  c.fleet.hang_server(Cluster::id(2), true);
  EXPECT_THAT(c.fleet.take_changed(), ElementsAre("i-2"));
}

TEST(Truth, FindsAReplicationCycle) {
  Cluster c;
  c.bring_up(3);
  EXPECT_EQ(c.fleet.replication_cycle(), "");
  static_cast<void>(c.call(1, c.replica_command(1, 3, false)));
  Cluster::must(c.call(3, c.replica_command(3, 2, false)));
  EXPECT_EQ(c.fleet.replication_cycle(), "node-1 -> node-3 -> node-2 -> node-1");
}

TEST(Replication, GoesOnTryingWhenThePrimaryIsTerminated) {
  Cluster c;
  c.bring_up(2);
  c.fleet.instance_terminated(Cluster::id(1));
  c.run(5min);
  EXPECT_EQ(c.replication(2).io, ThreadState::connecting);
  EXPECT_EQ(c.replication(2).io_errno, 2003);
}

TEST(Replication, SurvivesAPartitionThatHealsInTime) {
  Cluster c;
  c.bring_up(2);
  c.links.isolate("node-2");
  c.fleet.links_changed();
  c.write(1, 100);
  c.run(20s);
  EXPECT_EQ(c.count(2), 0U);
  c.links.heal();
  c.fleet.links_changed();
  c.run(1s);
  EXPECT_EQ(c.count(2), 100U);
}

TEST(Replication, CatchesUpAfterAPauseOfTheReplica) {
  Cluster c;
  c.bring_up(2);
  c.fleet.instance_paused(Cluster::id(2), true);
  c.write(1, 100);
  c.run(10min);
  EXPECT_EQ(c.count(2), 0U);
  c.fleet.instance_paused(Cluster::id(2), false);
  c.run(20s);
  EXPECT_EQ(c.count(2), 100U);
}

TEST(Replication, FollowsAThirdThroughASecond) {
  Cluster c;
  c.bring_up(2);
  c.boot(3);
  c.run(5s);
  Cluster::must(c.call(3, c.replica_command(3, 2)));
  c.write(1, 50);
  c.run(1s);
  EXPECT_EQ(c.count(3), 50U);
  EXPECT_EQ(c.server(3).gtid_binlog_pos().to_text(), c.server(1).gtid_binlog_pos().to_text());
}

TEST(Replication, AnIdleClusterCostsNoEvents) {
  Cluster c;
  c.bring_up(3);
  c.run(1s);
  const std::uint64_t before = c.scheduler.events();
  c.run(24h);
  EXPECT_EQ(c.scheduler.events(), before);
}

TEST(Secrets, NeverAppearInTheTrace) {
  Cluster c;
  c.trace.keep();
  c.bring_up(2);
  SetUpReplica command = c.replica_command(2, 1);
  command.replication_password.value = "hunter2";
  static_cast<void>(c.call(2, command));
  for (const TraceEntry& entry : c.trace.entries()) {
    EXPECT_EQ(entry.detail.find("secret"), std::string::npos) << entry.detail;
    EXPECT_EQ(entry.detail.find("hunter2"), std::string::npos) << entry.detail;
  }
  EXPECT_GT(c.trace.entries().size(), 10U);
}

TEST(Counters, TellHowManyQueriesThereWereAndHowLongTheyTook) {
  Cluster c;
  c.bring_up(2);
  c.write(1, 3);
  c.fleet.slow_disk(Cluster::id(1), 40ms);
  c.write(1, 2);
  c.run(1s);
  const auto told = c.call(1, GetServerState{});
  Cluster::must(told);
  EXPECT_EQ(told.value().state.queries, 5U);
  EXPECT_EQ(told.value().state.busy, 80ms);
  c.fleet.crash_server(Cluster::id(1), 1s);
  c.run(2s);
  EXPECT_EQ(c.server(1).queries(), 0U) << "they count from the server's start";
}

}  // namespace
}  // namespace drover::node
