#include "manager/runtime/scheduler.hpp"

#include <gtest/gtest.h>

#include <string>

#include "manager/runtime/task.hpp"

namespace drover {
namespace {

TEST(Scheduler, RunsEventsByTimeThenByOrderOfQueueing) {
  Scheduler scheduler;
  Domain domain(scheduler);
  std::string order;
  scheduler.call_after(domain, 2s, [&] { order += 'c'; });
  scheduler.call_after(domain, 1s, [&] { order += 'b'; });
  scheduler.call_after(domain, 2s, [&] { order += 'd'; });
  scheduler.call_soon(domain, [&] { order += 'a'; });
  scheduler.run_until(kNever);
  EXPECT_EQ(order, "abcd");
  EXPECT_EQ(scheduler.now(), kEpoch + 2s);
}

TEST(Scheduler, ATimerThatIsDueRunsBeforeWorkQueuedLater) {
  Scheduler scheduler;
  Domain domain(scheduler);
  std::string order;
  scheduler.call_after(domain, 1s, [&] {
    order += 'a';
    scheduler.call_soon(domain, [&] { order += 'c'; });
  });
  scheduler.call_after(domain, 1s, [&] { order += 'b'; });
  scheduler.run_until(kNever);
  EXPECT_EQ(order, "abc");
}

TEST(Scheduler, StopsAtTheLimitAndLeavesTheClockThere) {
  Scheduler scheduler;
  Domain domain(scheduler);
  bool ran = false;
  scheduler.call_after(domain, 10s, [&] { ran = true; });
  scheduler.run_until(kEpoch + 4s);
  EXPECT_FALSE(ran);
  EXPECT_EQ(scheduler.now(), kEpoch + 4s);
}

struct Counted {
  explicit Counted(int& count) : count_(&count) { ++*count_; }
  Counted(const Counted& other) : count_(other.count_) { ++*count_; }
  ~Counted() { --*count_; }
  int* count_;
};

Task<void> sleep_twice(int& alive, int& steps) {
  Counted counted(alive);
  co_await sleep_for(1s);
  ++steps;
  co_await sleep_for(1s);
  ++steps;
}

TEST(Task, SleepsInVirtualTime) {
  Scheduler scheduler;
  Domain domain(scheduler);
  int alive = 0, steps = 0;
  spawn(domain, sleep_twice(alive, steps));
  scheduler.run_until(kNever);
  EXPECT_EQ(steps, 2);
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(scheduler.now(), kEpoch + 2s);
}

TEST(Domain, KillDestroysSuspendedCoroutinesAtOnce) {
  Scheduler scheduler;
  Domain domain(scheduler);
  int alive = 0, steps = 0;
  for (int i = 0; i < 3; ++i) spawn(domain, sleep_twice(alive, steps));
  scheduler.run_until(kEpoch + 1500ms);
  EXPECT_EQ(alive, 3);
  domain.kill();
  EXPECT_EQ(alive, 0);
  scheduler.run_until(kNever);
  EXPECT_EQ(steps, 3);
}

Task<void> ask(int& alive, Handler<int>& kept, Result<int>& answer) {
  Counted counted(alive);
  answer = co_await await_reply<int>(5s, [&](Handler<int> handler) { kept = std::move(handler); });
}

TEST(AwaitReply, GivesTheAnswer) {
  Scheduler scheduler;
  Domain domain(scheduler);
  int alive = 0;
  Handler<int> kept;
  Result<int> answer = make_error(ErrorCode::unknown, "none");
  spawn(domain, ask(alive, kept, answer));
  scheduler.run_until(kEpoch + 1s);
  kept(42);
  EXPECT_EQ(alive, 1) << "resumed from inside the port";
  scheduler.run_until(kNever);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer.value(), 42);
  EXPECT_EQ(scheduler.now(), kEpoch + 1s) << "the abandoned deadline moved the clock";
}

TEST(AwaitReply, TimesOutWithAPossibleEffectAndDropsTheLateAnswer) {
  Scheduler scheduler;
  Domain domain(scheduler);
  int alive = 0;
  Handler<int> kept;
  Result<int> answer = 1;
  spawn(domain, ask(alive, kept, answer));
  scheduler.run_until(kNever);
  ASSERT_TRUE(answer.has_error());
  EXPECT_EQ(answer.error().code, ErrorCode::timeout);
  EXPECT_EQ(answer.error().effect, Effect::possible);
  EXPECT_EQ(scheduler.now(), kEpoch + 5s);
  kept(42);
  scheduler.run_until(kNever);
  EXPECT_TRUE(answer.has_error());
}

TEST(AwaitReply, AKilledWaiterIgnoresTheAnswer) {
  Scheduler scheduler;
  Handler<int> kept;
  int alive = 0;
  Result<int> answer = 1;
  {
    Domain domain(scheduler);
    spawn(domain, ask(alive, kept, answer));
    scheduler.run_until(kEpoch + 1s);
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
  kept(42);
  scheduler.run_until(kNever);
  EXPECT_EQ(answer.value(), 1);
}

TEST(AwaitReply, AWaiterKilledBetweenAnswerAndResumptionIsDestroyed) {
  Scheduler scheduler;
  Handler<int> kept;
  int alive = 0;
  Result<int> answer = 1;
  Domain domain(scheduler);
  spawn(domain, ask(alive, kept, answer));
  scheduler.run_until(kEpoch + 1s);
  kept(42);
  domain.kill();
  EXPECT_EQ(alive, 0);
  scheduler.run_until(kNever);
  EXPECT_EQ(answer.value(), 1);
}

TEST(Signal, WakesItsWaitersInOrder) {
  Scheduler scheduler;
  Domain domain(scheduler);
  Signal signal;
  std::string order;
  auto waiter = [](Signal& s, std::string& o, char name) -> Task<void> {
    const Result<void> woken = co_await s.wait(kForever);
    if (woken) o += name;
  };
  spawn(domain, waiter(signal, order, 'a'));
  spawn(domain, waiter(signal, order, 'b'));
  scheduler.run_until(kEpoch + 1s);
  signal.notify_all();
  scheduler.run_until(kEpoch + 2s);
  EXPECT_EQ(order, "ab");
}

}  // namespace
}  // namespace drover
