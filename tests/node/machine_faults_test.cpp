// Faults of a machine that are neither on nor off: its clock, its speed, its disk, what its logs hold; and
// what observers are told of a replica's way.
#include <gmock/gmock.h>

#include "tests/node/fleet_fixture.hpp"

namespace drover::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Phases {
  Phases() : cluster(with_phases()) {}
  FleetConfig with_phases() {
    FleetConfig config = quiet_config();
    config.on_replication = [this](const std::string& id, ReplicationPhase phase) {
      if (id == Cluster::id(2)) seen.emplace_back(to_text(phase));
    };
    return config;
  }
  std::vector<std::string> take() { return std::exchange(seen, {}); }
  std::vector<std::string> seen;
  Cluster cluster;
};

TEST(ReplicationPhases, AreToldFromTheConnectionToCaughtUp) {
  Phases phases;
  phases.cluster.bring_up(2);
  const auto seen = phases.take();
  ASSERT_GE(seen.size(), 3U);
  EXPECT_THAT(std::vector<std::string>(seen.end() - 3, seen.end()),
              ElementsAre("connecting", "running", "caught_up"));
}

TEST(ReplicationPhases, OrdinaryWritesTellNothing) {
  Phases phases;
  phases.cluster.bring_up(2);
  phases.take();
  for (int i = 0; i < 10; ++i) {
    phases.cluster.write(1);
    phases.cluster.run(10ms);
  }
  EXPECT_THAT(phases.take(), ElementsAre());
}

TEST(ReplicationPhases, LagAndItsEndAreTold) {
  Phases phases;
  Cluster& c = phases.cluster;
  c.bring_up(2);
  phases.take();
  c.fleet.lag(Cluster::id(2), 30s);
  c.write(1);
  c.run(1s);
  EXPECT_THAT(phases.take(), ElementsAre("lagging"));
  c.run(1min);
  EXPECT_THAT(phases.take(), ElementsAre("caught_up"));
}

TEST(ReplicationPhases, StoppedThreadsAreTold) {
  Phases phases;
  Cluster& c = phases.cluster;
  c.bring_up(2);
  phases.take();
  c.fleet.fail_sql_thread(Cluster::id(2), 1062);
  EXPECT_THAT(phases.take(), ElementsAre("sql_stopped"));
  c.server(2).stop_slave();
  ASSERT_TRUE(c.server(2).start_slave().has_value());
  c.run(1s);
  phases.take();
  c.server(2).stop_slave();
  EXPECT_THAT(phases.take(), ElementsAre("stopped"));
}

TEST(Clock, JumpForwardEndsTheWaitForASemiSyncAcknowledgement) {
  Cluster c;
  c.semi_sync = true;
  c.bring_up(2);
  c.links.isolate(Cluster::name(2));
  c.write(1);
  c.run(1s);
  EXPECT_EQ(c.recorder.done, 0U);
  c.fleet.jump_clock(Cluster::id(1), 1min);
  c.run(1ms);
  EXPECT_EQ(c.recorder.done, 1U);
  EXPECT_FALSE(c.server(1).semi_sync_active());
}

TEST(Clock, JumpAfterTheConnectionShowsAsLag) {
  Cluster c;
  c.bring_up(2);
  c.fleet.lag(Cluster::id(2), 10s);
  c.write(1);
  c.run(1s);
  c.fleet.jump_clock(Cluster::id(2), 1h);
  EXPECT_EQ(c.replication(2).seconds_behind, 3601);
  c.fleet.jump_clock(Cluster::id(2), -2h);
  EXPECT_EQ(c.replication(2).seconds_behind, 0);
}

TEST(Clock, ThatStandsStillEndsNoTimeOut) {
  Cluster c;
  c.semi_sync = true;
  c.bring_up(2);
  c.links.isolate(Cluster::name(2));
  c.fleet.freeze_clock(Cluster::id(1), 1min);
  c.write(1);
  c.run(1min);
  EXPECT_EQ(c.recorder.done, 0U);
  c.run(10s);
  EXPECT_EQ(c.recorder.done, 1U);
}

TEST(Clock, ThatIsFastShortensTimeOuts) {
  Cluster c;
  c.semi_sync = true;
  c.bring_up(2);
  c.links.isolate(Cluster::name(2));
  c.fleet.set_clock(Cluster::id(1), 4);
  c.write(1);
  c.run(2500ms);
  EXPECT_EQ(c.recorder.done, 1U) << "10s by its clock";
}

TEST(Speed, OfTheProcessorScalesCommands) {
  Cluster c;
  c.boot(1);
  c.run(5s);
  c.fleet.slow_cpu(Cluster::id(1), 1000);
  const TimePoint asked = c.scheduler.now();
  Cluster::must(c.call(1, GetServerState{}));
  EXPECT_GE(c.scheduler.now() - asked, 5s);
}

TEST(Speed, OfTheDiskDelaysCommitsAndReplication) {
  Cluster c;
  c.bring_up(2);
  c.fleet.slow_disk(Cluster::id(1), 3s);
  c.fleet.slow_disk(Cluster::id(2), 2s);
  c.write(1);
  c.run(2900ms);
  EXPECT_EQ(c.recorder.done, 0U);
  c.run(200ms);
  EXPECT_EQ(c.recorder.done, 1U);
  EXPECT_EQ(c.count(2), 0U);
  c.run(2s);
  EXPECT_EQ(c.count(2), 1U);
}

TEST(Speed, CommitOnASlowDiskIsRefusedOnceTheServerIsReadOnly) {
  Cluster c;
  c.bring_up(1);
  c.fleet.slow_disk(Cluster::id(1), 3s);
  c.write(1);
  c.run(1s);
  Cluster::must(c.call(1, c.read_only_command(true)));
  c.run(3s);
  EXPECT_EQ(c.recorder.last, WriteOutcome::read_only);
  EXPECT_EQ(c.count(1), 0U);
}

TEST(Disk, ThatIsFullStopsReplicationUntilThereIsRoom) {
  Cluster c;
  c.bring_up(2);
  c.fleet.fill_disk(Cluster::id(2), true);
  c.write(1, 3);
  c.run(1min);
  EXPECT_EQ(c.count(2), 0U);
  c.fleet.fill_disk(Cluster::id(2), false);
  c.run(1s);
  EXPECT_EQ(c.count(2), 3U);
}

TEST(Logs, CorruptRelayLogIsReadAnewAfterTheThreadsWereStopped) {
  Cluster c;
  c.bring_up(2);
  c.fleet.corrupt_relay_log(Cluster::id(2));
  EXPECT_EQ(c.replication(2).sql_errno, 1594);
  c.write(1);
  c.run(1s);
  EXPECT_EQ(c.count(2), 0U);
  c.server(2).stop_slave();
  ASSERT_TRUE(c.server(2).start_slave().has_value());
  c.run(1s);
  EXPECT_EQ(c.count(2), 1U);
}

TEST(Logs, CorruptBinlogEventStopsWhoNeedsItForGood) {
  Cluster c;
  c.bring_up(2);
  c.write(1);
  c.run(1s);
  c.fleet.corrupt_binlog(Cluster::id(1));
  c.write(1, 2);
  c.run(1s);
  EXPECT_EQ(c.replication(2).io_errno, 1236);
  EXPECT_THAT(c.replication(2).last_error, HasSubstr("truncated in the middle of event"));
  ASSERT_TRUE(c.server(2).start_slave().has_value());
  c.run(1s);
  EXPECT_EQ(c.replication(2).io_errno, 1236);
  Cluster::must(c.call(2, c.replica_command(2, 1)));
  c.run(1s);
  EXPECT_EQ(c.count(2), 3U) << "a new copy does not need it";
}

TEST(Clone, ThatIsInterruptedLeavesNoData) {
  Cluster c;
  c.bring_up(2);
  c.write(1);
  c.run(1s);
  c.fleet.interrupt_clone(Cluster::id(2));
  const auto broken = c.call(2, c.replica_command(2, 1));
  ASSERT_TRUE(broken.has_error());
  EXPECT_EQ(broken.error().code, ErrorCode::unavailable);
  EXPECT_EQ(c.count(2), 0U);
  Cluster::must(c.call(2, c.replica_command(2, 1)));
  EXPECT_EQ(c.count(2), 1U);
}

TEST(Agents, ThatAreCalmedDoNothingOfWhatWasArmed) {
  Cluster c;
  c.bring_up(2);
  c.fleet.crash_agent_at(Cluster::id(2), CrashPoint::middle, std::nullopt);
  c.fleet.interrupt_clone(Cluster::id(2));
  c.fleet.corrupt_binlog(Cluster::id(1));
  c.fleet.calm(Cluster::id(1));
  c.fleet.calm(Cluster::id(2));
  Cluster::must(c.call(2, c.replica_command(2, 1)));
  c.write(1);
  c.run(1s);
  EXPECT_EQ(c.count(2), 1U);
}

TEST(Agents, DieAfterTheStepThatIsSaid) {
  // Of a replica's set-up without a copy: the threads stopped, the source changed.
  for (const unsigned step : {1U, 2U}) {
    Cluster c;
    c.bring_up(3);
    c.fleet.crash_agent_at(Cluster::id(3), CrashPoint::middle, std::nullopt, step);
    EXPECT_TRUE(c.call(3, c.replica_command(3, 2, false)).has_error());
    EXPECT_EQ(c.server(3).source().host, Cluster::address(step == 1 ? 1 : 2)) << step;
    EXPECT_EQ(c.replication(3).io, ThreadState::no);
  }
}

}  // namespace
}  // namespace drover::node
