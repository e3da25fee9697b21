// Timer events per second: coroutines that sleep in virtual time.
#include <benchmark/benchmark.h>

#include "manager/runtime/task.hpp"

namespace drover {
namespace {

Task<void> sleeper(std::uint64_t& wakes, Duration period) {
  while (true) {
    co_await sleep_for(period);
    ++wakes;
  }
}

void timer_events(benchmark::State& state) {
  Scheduler scheduler;
  Domain domain(scheduler);
  std::uint64_t wakes = 0;
  for (int i = 0; i < state.range(0); ++i) spawn(domain, sleeper(wakes, Duration(1'000 + i % 97)));
  scheduler.run_until(kNever, static_cast<std::uint64_t>(state.range(0)) * 4);
  constexpr std::uint64_t kBatch = 100'000;
  for (auto _ : state) scheduler.run_until(kNever, kBatch);
  benchmark::DoNotOptimize(wakes);
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kBatch));
}
BENCHMARK(timer_events)->Name("timer_events/coroutines")->Arg(1)->Arg(100)->Arg(10'000);

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

}  // namespace
}  // namespace drover
