#include "manager/adapters/real_time.hpp"

#include <gtest/gtest.h>

#include "manager/runtime/task.hpp"

namespace drover {
namespace {

using Wall = std::chrono::steady_clock;

class RealTime : public testing::Test {
 protected:
  asio::io_context io_;
  Scheduler scheduler_;
  Domain domain_{scheduler_};
};

TEST_F(RealTime, RunsAnEventNoEarlierThanItsTime) {
  RealTimePump pump(io_, scheduler_);
  const auto begun = Wall::now();
  Wall::duration waited{};
  scheduler_.call_after(domain_, 30ms, [&] {
    waited = Wall::now() - begun;
    pump.stop();
  });
  pump.start();
  io_.run();
  EXPECT_GE(waited, 30ms);
}

TEST_F(RealTime, TimeScaleLetsAnHourPassInMilliseconds) {
  RealTimePump pump(io_, scheduler_, 3600.0 * 50);  // an hour in 20 ms
  bool ran = false;
  scheduler_.call_after(domain_, 1h, [&] {
    ran = true;
    pump.stop();
  });
  const auto begun = Wall::now();
  pump.start();
  io_.run();
  EXPECT_TRUE(ran);
  EXPECT_LT(Wall::now() - begun, 10s);
}

TEST_F(RealTime, ASleepBegunByOutsideInputCountsFromTheInput) {
  RealTimePump pump(io_, scheduler_);
  pump.start();
  Wall::time_point submitted{};
  Wall::duration waited{};
  asio::steady_timer outside(io_, std::chrono::milliseconds(60));
  outside.async_wait([&](const boost::system::error_code&) {
    pump.submit([&] {
      submitted = Wall::now();
      scheduler_.call_after(domain_, 40ms, [&] {
        waited = Wall::now() - submitted;
        pump.stop();
      });
    });
  });
  io_.run();
  EXPECT_GE(waited, 39ms);
}

TEST_F(RealTime, AnEarlierEventReplacesTheTimerThatIsArmed) {
  RealTimePump pump(io_, scheduler_);
  pump.start();
  scheduler_.call_after(domain_, 1h, [] {});
  asio::steady_timer outside(io_, std::chrono::milliseconds(10));
  outside.async_wait([&](const boost::system::error_code&) {
    pump.submit([&] { scheduler_.call_after(domain_, 5ms, [&] { pump.stop(); }); });
  });
  const auto begun = Wall::now();
  io_.run();
  EXPECT_LT(Wall::now() - begun, 30s);
}

TEST_F(RealTime, SocketsGetTheirTurnWhileEventsNeverEnd) {
  RealTimePump pump(io_, scheduler_);
  std::uint64_t events = 0;
  std::function<void()> again = [&] {
    ++events;
    scheduler_.call_soon(domain_, again);
  };
  again();
  pump.start();
  bool served = false;
  asio::steady_timer outside(io_, std::chrono::milliseconds(5));
  outside.async_wait([&](const boost::system::error_code&) {
    served = true;
    pump.stop();
  });
  io_.run();
  EXPECT_TRUE(served);
  EXPECT_GT(events, RealTimePump::kEventsPerTurn);
}

TEST_F(RealTime, StopKeepsQueuedWorkForTheNextStart) {
  RealTimePump pump(io_, scheduler_);
  bool ran = false;
  scheduler_.call_soon(domain_, [&] { ran = true; });
  pump.start();
  pump.stop();
  io_.run();
  EXPECT_FALSE(ran);
  io_.restart();
  scheduler_.call_after(domain_, 1ms, [&] { pump.stop(); });
  pump.start();
  io_.run();
  EXPECT_TRUE(ran);
}

TEST_F(RealTime, APumpThatIsGoneIsNotCalledBack) {
  {
    RealTimePump pump(io_, scheduler_);
    pump.start();
  }
  EXPECT_NO_FATAL_FAILURE(io_.run());
}

TEST_F(RealTime, CoroutinesSleepInRealTime) {
  RealTimePump pump(io_, scheduler_);
  const auto begun = Wall::now();
  const auto sleeper = [](RealTimePump& p) -> Task<void> {
    co_await sleep_for(10ms);
    co_await sleep_for(10ms);
    p.stop();
  };
  spawn(domain_, sleeper(pump));
  pump.start();
  io_.run();
  EXPECT_GE(Wall::now() - begun, 20ms);
}

}  // namespace
}  // namespace drover
