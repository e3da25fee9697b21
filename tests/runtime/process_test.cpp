// Freezing a process: what is its own waits, everything else goes on.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "manager/runtime/task.hpp"

namespace drover {
namespace {

struct ProcessTest : testing::Test {
  Scheduler scheduler;
  Process process{scheduler};
  Domain own{scheduler, process};
  Domain child{scheduler, process};  // as an operation's beside its manager's
  Domain foreign{scheduler};
  std::string order;

  void after(Domain& domain, Duration delay, char mark) {
    scheduler.call_after(domain, delay, [this, mark] { order += mark; });
  }
  void run_until(Duration time) { scheduler.run_until(kEpoch + time); }
};

TEST_F(ProcessTest, NothingOfAFrozenProcessRuns) {
  process.freeze();
  after(own, 1s, 'a');
  after(foreign, 1s, 'f');
  scheduler.call_soon(child, [this] { order += 'b'; });
  run_until(10s);
  EXPECT_EQ(order, "f");
}

TEST_F(ProcessTest, WhatCameDueRunsInThatOrderWhenItGoesOn) {
  after(own, 2s, 'b');
  after(child, 1s, 'a');
  after(own, 20s, 'd');
  after(child, 3s, 'c');
  process.freeze();
  run_until(10s);
  process.thaw();
  run_until(15s);
  EXPECT_EQ(order, "abc");
  run_until(30s);
  EXPECT_EQ(order, "abcd");
}

TEST_F(ProcessTest, ItMayBeFrozenAgainBeforeItHasCaughtUp) {
  scheduler.call_after(own, 1s, [this] {
    order += 'a';
    process.freeze();
  });
  after(own, 2s, 'b');
  process.freeze();
  run_until(10s);
  process.thaw();
  run_until(20s);
  EXPECT_EQ(order, "a");
  process.thaw();
  run_until(30s);
  EXPECT_EQ(order, "ab");
}

TEST_F(ProcessTest, ADomainThatIsKilledWhileFrozenLosesItsParkedWork) {
  auto kept = std::make_shared<int>(0);
  scheduler.call_after(child, 1s, [this, kept] { order += 'x'; });
  after(own, 1s, 'a');
  process.freeze();
  run_until(2s);
  child.kill();
  EXPECT_EQ(kept.use_count(), 1);
  process.thaw();
  run_until(3s);
  EXPECT_EQ(order, "a");
}

Task<void> ask(Handler<int>* port, std::string* told) {
  const auto answer =
      co_await await_reply<int>(10s, [&](Handler<int> handler) { *port = std::move(handler); });
  *told = answer.has_value() ? std::to_string(answer.value()) : to_text(answer.error().code);
}

TEST_F(ProcessTest, AnAnswerThatCameWhileFrozenIsReadEvenIfItsDeadlineHasPassed) {
  Handler<int> port;
  spawn(own, ask(&port, &order));
  run_until(1s);
  process.freeze();
  run_until(20s);
  port(7);
  run_until(30s);
  EXPECT_EQ(order, "");
  process.thaw();
  run_until(31s);
  EXPECT_EQ(order, "7");
}

TEST_F(ProcessTest, ADeadlineIsAbandonedByAnAnswerThatComesAsItGoesOn) {
  Handler<int> port;
  spawn(own, ask(&port, &order));
  run_until(1s);
  scheduler.call_after(own, 1s, [&] { port(7); });  // due before the deadline is, and read with it
  process.freeze();
  run_until(20s);
  process.thaw();
  run_until(21s);
  EXPECT_EQ(order, "7");
}

// The same at the end: nothing is left of either.
TEST_F(ProcessTest, ADeadlineThatWasAbandonedAsItGoesOnNeedNotComeUp) {
  Handler<int> port;
  spawn(own, ask(&port, &order));
  run_until(1s);
  scheduler.call_after(own, 1s, [&] { port(7); });
  process.freeze();
  run_until(20s);
  process.thaw();
  scheduler.run_until(kEpoch + 21s, 1);  // the answer alone
}

TEST_F(ProcessTest, WithoutAnAnswerTheDeadlineIsSeenWhenItGoesOn) {
  Handler<int> port;
  spawn(own, ask(&port, &order));
  run_until(1s);
  process.freeze();
  run_until(20s);
  EXPECT_EQ(order, "");
  process.thaw();
  run_until(21s);
  EXPECT_EQ(order, "timeout");
}

}  // namespace
}  // namespace drover
