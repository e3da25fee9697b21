#include <chrono>

#include "tests/node/fleet_fixture.hpp"

namespace drover::node {
namespace {

TrafficConfig busy(unsigned writers, double rate) {
  TrafficConfig config;
  config.writers = writers;
  config.rate_per_second = rate;
  return config;
}

class TrafficTest : public testing::Test {
 protected:
  void begin(unsigned nodes, const TrafficConfig& config, bool semi_sync = false) {
    c.semi_sync = semi_sync;
    c.bring_up(nodes);
    master = Cluster::address(1);
    traffic.emplace(
        c.scheduler, c.choices, c.trace, c.fleet, [this] { return master; }, config);
    traffic->start();
  }
  void promote(unsigned n) {
    ++c.epoch;
    Cluster::must(c.call(n, StopReplica{c.epoch}));
    Cluster::must(c.call(n, c.primary_command(n)));
    Cluster::must(c.call(n, c.read_only_command(false)));
    master = Cluster::address(n);
  }
  const TrafficStats& stats() { return traffic->stats(); }

  Cluster c;
  std::optional<std::string> master;
  std::optional<Traffic> traffic;
};

TEST_F(TrafficTest, QuietTimesLoseNothing) {
  begin(3, busy(2, 50));
  c.run(60s);
  traffic->stop();
  c.run(1s);
  EXPECT_GT(stats().acknowledged, 4000U);
  EXPECT_EQ(stats().failed, 0U);
  EXPECT_EQ(stats().stale_reads, 0U);
  for (unsigned n = 1; n <= 3; ++n) {
    EXPECT_EQ(traffic->lost(c.server(n)), 0U) << n;
    EXPECT_EQ(traffic->phantoms(c.server(n)), 0U) << n;
  }
}

TEST_F(TrafficTest, WithoutSemiSyncALaggingReplicaLacksWhatThePrimaryAcknowledged) {
  begin(2, busy(1, 100));
  c.run(1s);
  c.fleet.lag(Cluster::id(2), 1h);
  c.run(10s);
  c.fleet.crash_server(Cluster::id(1));
  promote(2);
  c.run(10s);
  traffic->stop();
  EXPECT_GT(traffic->lost(c.server(2)), 500U);
  const StampSet nowhere = traffic->acknowledged().minus(c.server(1).data()).minus(c.server(2).data());
  EXPECT_EQ(nowhere.size(), 0U) << "each acknowledged write is on one of them";
  EXPECT_GT(stats().stale_reads, 0U);
}

TEST_F(TrafficTest, WithSemiSyncADrainedReplicaHasEveryAcknowledgedWrite) {
  begin(2, busy(3, 100), true);
  c.run(10s);
  c.fleet.crash_server(Cluster::id(1));
  c.run(1s);
  WaitForGtid drain;
  drain.epoch = 1;
  drain.gtid = c.replication(2).gtid_io_pos;
  Cluster::must(c.call(2, drain));
  promote(2);
  c.run(10s);
  traffic->stop();
  EXPECT_EQ(traffic->lost(c.server(2)), 0U);
  EXPECT_EQ(traffic->phantoms(c.server(2)), 0U);
  EXPECT_GT(stats().failed, 0U);
}

TEST_F(TrafficTest, AWriteWhoseConnectionBreaksIsUnknown) {
  begin(1, busy(1, 100), true);
  c.run(5s);
  c.fleet.crash_server(Cluster::id(1), 1s);
  c.run(3s);
  traffic->stop();
  EXPECT_EQ(stats().unknown, 1U);
  EXPECT_EQ(traffic->unknown().size(), 1U);
  EXPECT_EQ(traffic->phantoms(c.server(1)), 0U);
}

TEST_F(TrafficTest, AHungServerLeavesItsClientsUnknowingAfterTheirTimeout) {
  begin(1, busy(2, 10));
  c.run(5s);
  c.fleet.hang_server(Cluster::id(1), true);
  c.run(29s);
  EXPECT_EQ(stats().unknown, 0U);
  c.run(5s);
  // Both writers wait; one of them may have been reading.
  EXPECT_GE(stats().unknown, 1U);
  EXPECT_LE(stats().unknown, 2U);
}

TEST_F(TrafficTest, AReplyLostOnTheWayIsNoPhantom) {
  begin(1, busy(1, 100));
  c.run(1s);
  c.links.cut("node-1", std::string(kClients));
  c.run(60s);
  c.links.heal();
  traffic->stop();
  EXPECT_GE(stats().unknown, 1U);
  EXPECT_EQ(traffic->phantoms(c.server(1)), 0U);
}

TEST_F(TrafficTest, WithoutAMasterNothingIsSent) {
  begin(1, busy(1, 10));
  master.reset();
  c.run(10s);
  EXPECT_EQ(stats().attempted, 0U);
  EXPECT_GT(stats().no_master, 50U);
}

TEST_F(TrafficTest, ExhaustedConnectionsFailWritesWhileReplicasLookFine) {
  begin(2, busy(1, 10));
  c.fleet.exhaust_connections(Cluster::id(1), true);
  c.run(10s);
  EXPECT_EQ(stats().acknowledged, 0U);
  EXPECT_GT(stats().failed, 50U);
  EXPECT_EQ(c.replication(2).io, ThreadState::yes);
}

std::uint64_t digest_of(std::uint64_t seed) {
  Cluster c(quiet_config(), seed);
  c.semi_sync = true;
  c.bring_up(3);
  Traffic traffic(
      c.scheduler, c.choices, c.trace, c.fleet, [] { return Cluster::address(1); }, busy(3, 50));
  traffic.start();
  c.run(10s);
  c.fleet.crash_server(Cluster::id(1), 2s);
  c.fleet.pretend_commands(Cluster::id(2), 1);
  c.run(20s);
  traffic.stop();
  return mix(mix(c.trace.digest(), traffic.digest()), c.scheduler.digest());
}

TEST(FleetDeterminism, TheSameSeedGivesTheSameDigest) {
  EXPECT_EQ(digest_of(1), digest_of(1));
  EXPECT_NE(digest_of(1), digest_of(2));
}

TEST_F(TrafficTest, AHundredThousandWritesToThreeNodesAreCheap) {
  begin(3, busy(10, 1000), true);
  const std::uint64_t before = c.scheduler.events();
  const auto started = std::chrono::steady_clock::now();
  while (stats().acknowledged < 100'000) c.scheduler.run_until(c.scheduler.later(1s));
  const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - started;
  traffic->stop();
  c.run(1s);
  EXPECT_EQ(traffic->lost(c.server(3)), 0U);
  EXPECT_TRUE(c.fleet.same_data(Cluster::id(1), Cluster::id(3)));
  EXPECT_LE(c.server(1).data().intervals().size(), 4U) << "histories stay compact";
  const auto writes = static_cast<double>(stats().acknowledged);
  RecordProperty("microseconds_per_write", std::to_string(spent.count() / writes));
  RecordProperty("events_per_write",
                 std::to_string(static_cast<double>(c.scheduler.events() - before) / writes));
  EXPECT_LT(spent.count() / writes, 60.0) << "a generous bound: about 1.5 is expected of an optimised build";
}

}  // namespace
}  // namespace drover::node
