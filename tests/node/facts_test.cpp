// What MariaDB 10.11 was observed to do, fact by fact; the simulated server must do the same. Not modelled:
// the IDEMPOTENT mode of fact 7; warnings 4190 and 1618 of fact 9; grants, LOCK TABLES and open transactions
// of fact 12; SHOW SLAVE HOSTS (15); SQL_Remaining_Delay as a column (16); the files of mariadb-backup (19).
#include <gmock/gmock.h>

#include "tests/node/fleet_fixture.hpp"

namespace drover::node {
namespace {

using testing::HasSubstr;

TEST(Fact1, APrimaryThatNeverReplicatedHasNoSlavePosition) {
  Cluster c;
  c.bring_up(1);
  c.write(1, 3);
  EXPECT_EQ(c.server(1).gtid_slave_pos().to_text(), "");
  EXPECT_EQ(c.server(1).gtid_binlog_pos().to_text(), "0-1-4") << "the replication user and three writes";
}

TEST(Fact1, ALocalWriteOnAReplicaShowsOnlyInTheBinlogPosition) {
  Cluster c;
  c.bring_up(2);
  const std::string before = c.server(2).gtid_slave_pos().to_text();
  c.fleet.errant_transaction(Cluster::id(2));
  EXPECT_EQ(c.server(2).gtid_slave_pos().to_text(), before);
  EXPECT_EQ(c.server(2).gtid_binlog_pos().to_text(), "0-2-2");
}

TEST(Fact1, TheCurrentPositionCountsTheBinlogsTailOnlyForTheOwnServerId) {
  Cluster c;
  c.bring_up(2);
  c.fleet.errant_transaction(Cluster::id(2));
  EXPECT_EQ(c.server(2).gtid_current_pos().to_text(), "0-2-2");
  c.server(2).set_server_id(9);
  EXPECT_EQ(c.server(2).gtid_current_pos().to_text(), "0-1-1");
}

TEST(Fact2, SecondsBehindIsNullOnceThePrimaryIsDead) {
  Cluster c;
  c.bring_up(2);
  EXPECT_EQ(c.replication(2).seconds_behind, 0);
  c.fleet.crash_server(Cluster::id(1));
  c.run(1s);
  EXPECT_EQ(c.replication(2).seconds_behind, -1);
}

TEST(Fact2, TheIoPositionSurvivesStopSlaveAndIsResetByStart) {
  Cluster c;
  c.bring_up(2);
  c.fleet.lag(Cluster::id(2), 1h);
  c.write(1, 5);
  c.run(1s);
  c.server(2).stop_slave();
  EXPECT_EQ(c.replication(2).gtid_io_pos, "0-1-6");
  ASSERT_TRUE(c.server(2).start_slave().has_value());
  EXPECT_EQ(c.replication(2).gtid_io_pos, "0-1-1");
}

TEST(Fact2, WhoWasMetIsForgottenOnlyWithTheProcess) {
  Cluster c;
  c.bring_up(2);
  EXPECT_EQ(c.replication(2).source_server_id, 1U);
  c.fleet.crash_server(Cluster::id(1));
  c.run(1s);
  EXPECT_EQ(c.replication(2).source_server_id, 1U) << "it tries again";
  c.server(2).stop_slave();
  ASSERT_TRUE(c.server(2).start_slave().has_value());
  EXPECT_EQ(c.replication(2).source_server_id, 1U);
  c.fleet.crash_server(Cluster::id(2));
  c.server(2).start();
  c.run(1s);
  EXPECT_EQ(c.replication(2).source_server_id, 0U) << "its relay log went as well";
}

TEST(Fact3, ARefusedConnectionShows2003AndIsTriedAgain) {
  Cluster c;
  c.bring_up(2);
  c.fleet.crash_server(Cluster::id(1), 15s);
  c.run(2s);
  EXPECT_EQ(c.replication(2).io, ThreadState::connecting);
  EXPECT_EQ(c.replication(2).io_errno, 2003);
  c.run(25s);
  EXPECT_EQ(c.replication(2).io, ThreadState::yes);
}

TEST(Fact3, WrongCredentialsShow1045) {
  Cluster c;
  c.bring_up(1);
  c.boot(2);
  c.run(5s);
  SetUpReplica command = c.replica_command(2, 1);
  command.replication_password.value = "wrong";
  const auto reply = c.call(2, command);
  ASSERT_TRUE(reply.has_error());
  EXPECT_EQ(reply.error().code, ErrorCode::database);
  EXPECT_THAT(reply.error().message, HasSubstr("1045"));
  EXPECT_THAT(reply.error().message, testing::Not(HasSubstr("wrong")));
}

TEST(Fact3, ExhaustedConnectionsRefuseNewThreadsOnly) {
  Cluster c;
  c.bring_up(3);
  c.fleet.exhaust_connections(Cluster::id(1), true);
  c.fleet.disconnect_io(Cluster::id(2));
  c.run(1s);
  EXPECT_EQ(c.replication(2).io_errno, 1040);
  EXPECT_EQ(c.replication(3).io, ThreadState::yes);
}

TEST(Fact3, ABrokenConnectionShows2013UntilItIsBack) {
  Cluster c;
  c.bring_up(2);
  c.fleet.disconnect_io(Cluster::id(2));
  EXPECT_EQ(c.replication(2).io_errno, 2013);
  EXPECT_EQ(c.replication(2).io, ThreadState::connecting);
  c.run(1s);
  EXPECT_EQ(c.replication(2).io, ThreadState::yes);
}

TEST(Fact3, TheSameServerIdAsThePrimaryStopsTheThreadWith1593) {
  Cluster c;
  c.bring_up(2);
  c.fleet.change_server_id(Cluster::id(2), 1);
  c.run(1s);
  EXPECT_EQ(c.replication(2).io, ThreadState::no);
  EXPECT_EQ(c.replication(2).io_errno, 1593);
}

TEST(Fact4, AHungPrimaryIsNoticedOnlyAfterTheNetTimeout) {
  Cluster c;
  c.bring_up(2);
  c.fleet.hang_server(Cluster::id(1), true);
  c.run(4s);
  EXPECT_EQ(c.replication(2).io, ThreadState::yes);
  EXPECT_EQ(c.replication(2).io_errno, 0);
  c.run(7s);
  EXPECT_EQ(c.replication(2).io, ThreadState::connecting);
  EXPECT_EQ(c.replication(2).io_errno, 0) << "an error shows only when the reconnection has failed";
  c.run(11s);
  EXPECT_EQ(c.replication(2).io_errno, 2013);
}

TEST(Fact4, AHeartbeatEveryHalfOfTheTimeoutKeepsAnIdleConnection) {
  Cluster c;
  c.bring_up(2);
  c.run(1h);
  EXPECT_EQ(c.replication(2).io, ThreadState::yes);
}

TEST(Fact5, APurgedBinlogGives1236) {
  Cluster c;
  c.bring_up(2);
  c.server(2).stop_slave();
  c.write(1, 5);
  c.fleet.purge_binlogs(Cluster::id(1));
  ASSERT_TRUE(c.server(2).start_slave().has_value());
  c.run(1s);
  EXPECT_EQ(c.replication(2).io_errno, 1236);
  EXPECT_THAT(c.replication(2).last_error, HasSubstr("purged"));
  EXPECT_EQ(c.replication(2).io, ThreadState::no);
  EXPECT_TRUE(c.replication(2).sql_running);
}

TEST(Fact5, ATransactionThePrimaryDoesNotHaveGives1236) {
  Cluster c;
  c.bring_up(2);
  c.fleet.errant_transaction(Cluster::id(2));
  const auto reply = c.call(2, c.replica_command(2, 1, false));
  ASSERT_TRUE(reply.has_value()) << "still replicating: nothing to do";
  c.server(2).stop_slave();
  const auto again = c.call(2, c.replica_command(2, 1, false));
  ASSERT_TRUE(again.has_error());
  EXPECT_THAT(again.error().message, HasSubstr("1236"));
  EXPECT_THAT(again.error().message, HasSubstr("not in the master's binlog"));
  EXPECT_THAT(again.error().message, testing::Not(HasSubstr("diverged")));
}

TEST(Fact5, ThePrimarysHigherNumbersAreCalledDivergence) {
  Cluster c;
  c.bring_up(2);
  c.server(2).stop_slave();
  c.fleet.errant_transaction(Cluster::id(2));
  c.write(1, 5);
  const auto reply = c.call(2, c.replica_command(2, 1, false));
  ASSERT_TRUE(reply.has_error());
  EXPECT_THAT(reply.error().message, HasSubstr("diverged"));
}

TEST(Fact6, StrictModeStopsTheSqlThreadWith1950OnAnOutOfOrderGtid) {
  Cluster c;
  c.bring_up(2);
  c.fleet.errant_transaction(Cluster::id(2));
  c.write(1);
  c.run(1s);
  EXPECT_EQ(c.replication(2).sql_errno, 1950);
  EXPECT_FALSE(c.replication(2).sql_running);
  EXPECT_EQ(c.replication(2).io, ThreadState::yes);
}

TEST(Fact6, WithoutStrictModeItReplicatesAndDivergesInSilence) {
  FleetConfig config = quiet_config();
  config.server.gtid_strict_mode = false;
  Cluster c(std::move(config));
  c.bring_up(2);
  c.fleet.errant_transaction(Cluster::id(2));
  c.write(1);
  c.run(1s);
  EXPECT_EQ(c.replication(2).seconds_behind, 0);
  EXPECT_EQ(c.count(2), 1U);
  EXPECT_FALSE(c.fleet.same_data(Cluster::id(1), Cluster::id(2)));
}

class Fact7 : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Errors, Fact7, testing::Values(1062, 1032));

TEST_P(Fact7, ARowErrorFreezesTheSqlThreadUntilTheTransactionIsSkipped) {
  Cluster c;
  c.bring_up(2);
  c.fleet.fail_sql_thread(Cluster::id(2), GetParam());
  c.write(1, 3);
  c.run(1s);
  EXPECT_EQ(c.replication(2).sql_errno, GetParam());
  EXPECT_EQ(c.replication(2).io, ThreadState::yes);
  EXPECT_EQ(c.server(2).gtid_slave_pos().to_text(), "0-1-1");
  ASSERT_TRUE(c.server(2).start_slave().has_value());
  EXPECT_EQ(c.replication(2).sql_errno, GetParam()) << "starting again meets the same row";
  ASSERT_TRUE(c.server(2).skip_transactions(1).has_value());
  ASSERT_TRUE(c.server(2).start_slave().has_value());
  c.run(1s);
  EXPECT_EQ(c.server(2).gtid_slave_pos().to_text(), "0-1-4");
  EXPECT_EQ(c.count(2), 2U);
}

class Fact8 : public testing::Test {
 protected:
  void SetUp() override {
    c.bring_up(2);
    c.fleet.lag(Cluster::id(2), 1h);
    c.write(1, 7);
    c.run(1s);
    ASSERT_EQ(c.server(2).relay_pending(), 7U);
    c.fleet.crash_server(Cluster::id(1));
    c.run(1s);
  }
  Cluster c;
};

TEST_F(Fact8, StartingTheSqlThreadAloneDiscardsTheRelayLogOnceBothWereStopped) {
  c.server(2).stop_slave();
  EXPECT_EQ(c.server(2).relay_pending(), 7U);
  ASSERT_TRUE(c.server(2).start_slave(false, true).has_value());
  EXPECT_EQ(c.server(2).relay_pending(), 0U);
}

TEST_F(Fact8, ResetSlaveAllDiscardsTheRelayLog) {
  c.server(2).stop_slave();
  ASSERT_TRUE(c.server(2).reset_slave_all().has_value());
  EXPECT_EQ(c.server(2).relay_pending(), 0U);
}

TEST_F(Fact8, ACrashOfTheReplicaDiscardsTheRelayLog) {
  c.fleet.crash_server(Cluster::id(2), 1s);
  c.run(2s);
  EXPECT_EQ(c.server(2).relay_pending(), 0U);
  EXPECT_EQ(c.count(2), 0U);
}

TEST_F(Fact8, DrainingWithTheIoThreadConnectingLosesNothing) {
  EXPECT_EQ(c.replication(2).io, ThreadState::connecting);
  c.server(2).stop_slave(false, true);
  ASSERT_TRUE(c.server(2).start_slave(false, true).has_value());
  c.fleet.lag(Cluster::id(2), Duration{0});
  WaitForGtid wait;
  wait.epoch = 1;
  wait.gtid = c.replication(2).gtid_io_pos;
  Cluster::must(c.call(2, wait));
  EXPECT_EQ(c.count(2), 7U);
}

TEST(Fact9, ChangeMasterAndTheSlavePositionAreRefusedWhileThreadsRun) {
  Cluster c;
  c.bring_up(2);
  EXPECT_THAT(c.server(2).change_master({}).error().message, HasSubstr("1198"));
  EXPECT_THAT(c.server(2).set_gtid_slave_pos({}).error().message, HasSubstr("1198"));
}

TEST(Fact9, AFilePositionIsFollowedWithoutGtid) {
  Cluster c;
  c.bring_up(1);
  c.write(1, 2);
  const std::string file = c.server(1).binlog().file_name();
  const std::uint64_t position = c.server(1).binlog().file_position();
  c.write(1, 3);
  c.boot(2);
  c.run(5s);
  SetUpReplica command = c.replica_command(2, 1, false);
  command.log_file = file;
  command.log_position = position;
  Cluster::must(c.call(2, command));
  c.run(1s);
  EXPECT_EQ(c.count(2), 3U);
}

TEST(Fact10, AnEmptySlavePositionWithOwnHistoryIsError1948WhenStrict) {
  Cluster c;
  c.bring_up(1);
  EXPECT_THAT(c.server(1).set_gtid_slave_pos({}).error().message, HasSubstr("1948"));
  c.server(1).config().gtid_strict_mode = false;
  EXPECT_TRUE(c.server(1).set_gtid_slave_pos({}).has_value());
}

TEST(Fact11, AFormerPrimaryRejoinsByMergingItsBinlogPosition) {
  Cluster c;
  c.bring_up(2);
  c.write(1, 4);
  c.run(1s);
  c.fleet.crash_server(Cluster::id(1), 1s);
  c.run(2s);
  ++c.epoch;
  Cluster::must(c.call(2, StopReplica{c.epoch}));
  Cluster::must(c.call(2, c.primary_command(2)));
  Cluster::must(c.call(2, c.read_only_command(false)));
  c.write(2, 2);
  Cluster::must(c.call(1, c.replica_command(1, 2, false)));
  c.run(1s);
  EXPECT_EQ(c.count(1), 6U);
  EXPECT_TRUE(c.fleet.same_data(Cluster::id(1), Cluster::id(2)));
}

TEST(Fact11, AFormerPrimaryWithAnUnreplicatedTransactionGets1236) {
  Cluster c;
  c.bring_up(2);
  c.links.isolate("node-1");
  c.fleet.links_changed();
  c.write(1, 4);
  c.run(1s);
  c.links.heal();
  c.server(2).stop_slave();
  ++c.epoch;
  Cluster::must(c.call(2, StopReplica{c.epoch}));
  Cluster::must(c.call(2, c.primary_command(2)));
  const auto reply = c.call(1, c.replica_command(1, 2, false));
  ASSERT_TRUE(reply.has_error());
  EXPECT_THAT(reply.error().message, HasSubstr("1236"));
}

TEST(Fact12, AReadOnlyServerRefusesClientsAndSetGlobalIsLostOnRestart) {
  Cluster c;
  c.bring_up(1);
  c.write(1);
  EXPECT_EQ(c.recorder.last, WriteOutcome::acknowledged);
  c.fleet.crash_server(Cluster::id(1), 1s);
  c.run(2s);
  c.write(1);
  EXPECT_EQ(c.recorder.last, WriteOutcome::read_only);
}

class Fact13 : public testing::Test {
 protected:
  void bring_up(unsigned count) {
    c.semi_sync = true;
    c.bring_up(count);
  }
  Cluster c;
};

TEST_F(Fact13, WithoutAReplicaTheFirstCommitWaitsTheWholeTimeoutThenCommitsAreFast) {
  bring_up(1);
  c.write(1);
  c.run(9900ms);
  EXPECT_EQ(c.recorder.done, 0U);
  c.run(200ms);
  EXPECT_EQ(c.recorder.done, 1U);
  EXPECT_FALSE(c.server(1).semi_sync_active());
  c.write(1);
  EXPECT_EQ(c.recorder.done, 2U);
}

TEST_F(Fact13, ACommitIsAcknowledgedWhenAReplicaHasIt) {
  bring_up(2);
  c.write(1);
  EXPECT_EQ(c.recorder.done, 0U);
  c.run(10ms);
  EXPECT_EQ(c.recorder.done, 1U);
}

TEST_F(Fact13, ItIsOnAgainWhenAReplicaHasCaughtUp) {
  bring_up(2);
  c.fleet.drop_semi_sync(Cluster::id(1));
  EXPECT_FALSE(c.server(1).semi_sync_active());
  c.write(1);
  EXPECT_EQ(c.recorder.done, 1U);
  c.run(1s);
  EXPECT_TRUE(c.server(1).semi_sync_active());
}

TEST_F(Fact13, TheReplicaSideNeedsAnIoRestart) {
  c.bring_up(2);
  c.server(2).set_semi_sync_replica(true);
  c.server(1).set_semi_sync_primary(true);
  c.write(1);
  c.run(1s);
  EXPECT_EQ(c.recorder.done, 0U);
  c.server(2).stop_slave(true, false);
  ASSERT_TRUE(c.server(2).start_slave(true, false).has_value());
  c.run(1s);
  EXPECT_EQ(c.recorder.done, 1U);
}

TEST_F(Fact13, AWaitingTransactionIsVisibleAfterCommitAndNotAfterSync) {
  bring_up(1);
  c.server(1).config().semi_sync_point = SemiSyncPoint::after_commit;
  c.write(1);
  EXPECT_EQ(c.count(1), 1U);
  c.server(1).config().semi_sync_point = SemiSyncPoint::after_sync;
  c.write(1);
  EXPECT_EQ(c.count(1), 1U);
}

TEST_F(Fact13, AWaitingTransactionIsCommittedAfterKill) {
  bring_up(1);
  c.write(1);
  c.fleet.crash_server(Cluster::id(1), 1s);
  EXPECT_EQ(c.recorder.last, WriteOutcome::unknown);
  c.run(2s);
  EXPECT_EQ(c.count(1), 1U);
}

TEST_F(Fact13, ACopyOfAServerHoldsTheTransactionsThatWait) {
  bring_up(1);
  c.write(1, 2);
  c.boot(2);
  c.run(2s);
  Cluster::must(c.call(2, c.replica_command(2, 1)));
  EXPECT_EQ(c.count(2), 2U);
}

TEST_F(Fact13, InitRplRoleSlaveTruncatesTheWaitingTransaction) {
  bring_up(1);
  c.server(1).config().init_rpl_role_slave = true;
  c.write(1, 2);
  const std::string after = c.server(1).gtid_binlog_pos().to_text();
  c.fleet.crash_server(Cluster::id(1), 1s);
  c.run(2s);
  EXPECT_EQ(after, "0-1-3");
  EXPECT_EQ(c.server(1).gtid_binlog_pos().to_text(), "0-1-1");
  EXPECT_EQ(c.count(1), 0U);
}

TEST(Fact14, OfTwoReplicasWithOneServerIdOneFlipsAndMissesTransactions) {
  Cluster c;
  c.bring_up(3);
  c.fleet.change_server_id(Cluster::id(3), 2);
  bool flipped = false;
  for (int i = 0; i < 10; ++i) {
    c.write(1);
    c.run(1s);
    flipped = flipped || (c.replication(2).io == ThreadState::connecting && c.replication(2).io_errno == 0);
    EXPECT_EQ(c.replication(3).io, ThreadState::yes);
  }
  EXPECT_TRUE(flipped);
  EXPECT_EQ(c.count(3), 10U);
  EXPECT_LT(c.count(2), 10U);
}

TEST(Fact16, ALaggingReplicasSecondsBehindGrowUpToTheLag) {
  Cluster c;
  c.bring_up(2);
  c.fleet.lag(Cluster::id(2), 20s);
  c.write(1);
  c.run(15s);
  EXPECT_GE(c.replication(2).seconds_behind, 14);
  EXPECT_EQ(c.count(2), 0U);
  c.run(6s);
  EXPECT_EQ(c.replication(2).seconds_behind, 0);
  EXPECT_EQ(c.count(2), 1U);
}

TEST(Fact17, PurgingStopsAtALogThatAReplicaStillReads) {
  Cluster c;
  c.bring_up(2);
  c.links.isolate("node-2");
  c.fleet.links_changed();
  c.write(1, 5);
  c.fleet.purge_binlogs(Cluster::id(1));
  c.links.heal();
  c.fleet.links_changed();
  c.run(1s);
  EXPECT_EQ(c.count(2), 5U);
}

TEST(Fact18, WithoutLogSlaveUpdatesAReplicasBinlogStaysEmpty) {
  FleetConfig config = quiet_config();
  config.server.log_slave_updates = false;
  Cluster c(std::move(config));
  c.boot(1);
  c.boot(2);
  c.run(5s);
  Cluster::must(c.call(1, c.primary_command(1)));
  Cluster::must(c.call(1, c.read_only_command(false)));
  Cluster::must(c.call(2, c.replica_command(2, 1, false)));
  c.write(1, 3);
  c.run(1s);
  EXPECT_EQ(c.count(2), 3U);
  EXPECT_EQ(c.server(2).gtid_binlog_pos().to_text(), "");
}

}  // namespace
}  // namespace drover::node
