// Rates of the database servers from their counters.
#include "manager/ops/performance.hpp"

#include <gtest/gtest.h>

namespace drover::ops {
namespace {

ServerState counters(std::uint64_t queries, std::uint64_t errors, Duration busy) {
  ServerState state;
  state.running = true;
  state.queries = queries;
  state.errors = errors;
  state.busy = busy;
  return state;
}

TimePoint at(int second) { return kEpoch + std::chrono::seconds(second); }

TEST(ServerPerformance, TellsNothingUntilCountersWereSeenTwice) {
  ServerPerformance performance;
  EXPECT_EQ(performance.of(1, at(0)).query_rate, 0);
  performance.saw(1, counters(1000, 9, 5s), at(0));
  EXPECT_EQ(performance.of(1, at(1)).query_rate, 0) << "it does not know since when";
}

TEST(ServerPerformance, IsWhatTheCountersGrewBy) {
  ServerPerformance performance;
  performance.saw(1, counters(1000, 9, 5s), at(0));
  performance.saw(1, counters(1100, 14, 6s), at(10));
  const auto rates = performance.of(1, at(12));
  EXPECT_DOUBLE_EQ(rates.query_rate, 10);
  EXPECT_DOUBLE_EQ(rates.error_rate, 0.5);
  EXPECT_DOUBLE_EQ(rates.response_time, 10);
}

TEST(ServerPerformance, ForgetsWhatIsLongerAgoThanAMinute) {
  ServerPerformance performance;
  performance.saw(1, counters(0, 0, 0s), at(0));
  for (int second = 10; second <= 120; second += 10)
    performance.saw(1, counters(second <= 60 ? 100 * static_cast<unsigned>(second) : 6000, 0, 0s),
                    at(second));
  EXPECT_EQ(performance.of(1, at(120)).query_rate, 0);
  performance.saw(1, counters(6600, 0, 0s), at(180));
  EXPECT_EQ(performance.of(1, at(180)).query_rate, 10);
  EXPECT_EQ(performance.of(1, at(241)).query_rate, 0) << "nothing was heard of it for a minute";
}

TEST(ServerPerformance, BeginsAnewWithARestartedServer) {
  ServerPerformance performance;
  performance.saw(1, counters(1000, 0, 5s), at(0));
  performance.saw(1, counters(20, 0, 1s), at(10));
  EXPECT_EQ(performance.of(1, at(10)).query_rate, 0);
  performance.saw(1, counters(40, 0, 1s), at(20));
  EXPECT_EQ(performance.of(1, at(20)).query_rate, 2);
  ServerState down;
  performance.saw(1, down, at(30));
  EXPECT_EQ(performance.of(1, at(30)).query_rate, 0);
}

TEST(ServerPerformance, OfSeveralServersWeighsTheirAnswersByTheirNumber) {
  ServerPerformance performance;
  performance.saw(1, counters(0, 0, 0s), at(0));
  performance.saw(2, counters(0, 0, 0s), at(0));
  performance.saw(1, counters(300, 0, 300ms), at(10));
  performance.saw(2, counters(100, 0, 500ms), at(10));
  const auto all = performance.of(std::vector<model::NodeId>{1, 2, 3}, at(10));
  EXPECT_DOUBLE_EQ(all.query_rate, 40);
  EXPECT_DOUBLE_EQ(all.response_time, 2);
}

}  // namespace
}  // namespace drover::ops
