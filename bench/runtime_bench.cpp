// The scheduler alone: timer events per second of coroutines that sleep in virtual time, directly and in a
// child coroutine; awaited replies; and the end of a domain with 10,000 sleepers in it (a crash).
#include <benchmark/benchmark.h>

#include <memory>

#include "manager/runtime/task.hpp"

namespace drover {
namespace {

// 10,000 sleepers with slightly different periods: no two wake in the same order for long.
Duration period_of(std::int64_t i) { return Duration(1'000 + i % 97); }

Task<void> sleeper(std::uint64_t& wakes, Duration period) {
  while (true) {
    co_await sleep_for(period);
    ++wakes;
  }
}

Task<void> nap(Duration period) { co_await sleep_for(period); }

Task<void> parent(std::uint64_t& wakes, Duration period) {
  while (true) {
    co_await nap(period);
    ++wakes;
  }
}

using Body = Task<void> (*)(std::uint64_t&, Duration);

void run_timers(benchmark::State& state, Body body) {
  Scheduler scheduler;
  Domain domain(scheduler);
  std::uint64_t wakes = 0;
  for (std::int64_t i = 0; i < state.range(0); ++i) spawn(domain, body(wakes, period_of(i)));
  scheduler.run_until(kNever, static_cast<std::uint64_t>(state.range(0)) * 4);
  constexpr std::uint64_t kBatch = 100'000;
  for (auto _ : state) scheduler.run_until(kNever, kBatch);
  benchmark::DoNotOptimize(wakes);
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kBatch));
}

void timer_events(benchmark::State& state) { run_timers(state, &sleeper); }
BENCHMARK(timer_events)->Name("timer_events/coroutines")->Arg(1)->Arg(100)->Arg(10'000);

void timer_events_in_child(benchmark::State& state) { run_timers(state, &parent); }
BENCHMARK(timer_events_in_child)->Name("timer_events_in_child/coroutines")->Arg(1)->Arg(10'000);

Task<void> asker(std::uint64_t& answers) {
  while (true) {
    const Result<int> reply = co_await await_reply<int>(10s, [](Handler<int> handler) { handler(1); });
    answers += reply.has_value() ? 1U : 0U;
    co_await sleep_for(1ms);
  }
}

void awaited_replies(benchmark::State& state) {
  Scheduler scheduler;
  Domain domain(scheduler);
  std::uint64_t answers = 0;
  spawn(domain, asker(answers));
  for (auto _ : state) scheduler.run_until(kNever, 1000);
  state.SetItemsProcessed(static_cast<std::int64_t>(answers));
}
BENCHMARK(awaited_replies);

// Only the kill is timed; items are coroutines destroyed.
void kill_domain(benchmark::State& state) {
  std::uint64_t wakes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto scheduler = std::make_unique<Scheduler>();
    Domain domain(*scheduler);
    for (std::int64_t i = 0; i < state.range(0); ++i) spawn(domain, parent(wakes, period_of(i)));
    scheduler->run_until(kNever, static_cast<std::uint64_t>(state.range(0)) * 2);
    state.ResumeTiming();
    domain.kill();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(kill_domain)->Name("kill_domain/coroutines")->Arg(10'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace drover
