// The same scenario and seed give the same digest, whatever surrounds the run; what is not deterministic is
// found.
#include <clocale>
#include <cstdlib>
#include <list>
#include <locale>

#include "tests/scenarios/run_text.hpp"

namespace drover::scenario {
namespace {

// Something of everything: random times, faults by chance, crashes, clients.
const char* const kBusy = R"(schema: 1
name: busy
cloud: {boot: 'lognormal(p50=40s, p99=5m)',
                  list_lag : 'uniform(0s, 20s)'
}
steps:
  - call: add_nodes
    with: {count: 3, key: k}
    client: {timeout: 10s, retries: 9}
    as: job
  - await: {operation: $job.operation}
    within: 60m
  - call: set_up_replica_master
    with: {id: '1', key: m}
    client: {timeout: 10s, retries: 9}
    as: master
  - await: {operation: $master.operation}
    within: 60m
  - call: set_up_replica_slave
    with: {id: '2', key: s}
    client: {timeout: 10s, retries: 9}
  - wait: 5m
faults:
  - {when: "iaas.getVMInfo.reply", probability: 0.2, do: lose_reply}
  - {when: "operation.retry#3", do: manager.crash, restart: 10s}
  - {every: 'exp(90s)', until: 5m, do: vm.reboot}
)";

std::uint64_t digest_of(std::uint64_t seed = 1) { return run_text(kBusy, RunOptions{}, seed).digest; }

TEST(Determinism, TheSameSeedGivesTheSameDigest) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) EXPECT_EQ(digest_of(seed), digest_of(seed)) << seed;
}

TEST(Determinism, EverySeedGivesADigestOfItsOwn) {
  std::set<std::uint64_t> digests;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) digests.insert(digest_of(seed));
  EXPECT_EQ(digests.size(), 20U);
}

TEST(Determinism, KeepingTheTraceDoesNotChangeTheDigest) {
  RunOptions options;
  options.full_trace = true;
  const auto traced = run_text(kBusy, options);
  EXPECT_EQ(traced.digest, digest_of());
  EXPECT_FALSE(traced.timeline.empty());
}

TEST(Determinism, TwoTracesOfTheSameSeedAreTheSameLineForLine) {
  RunOptions options;
  options.full_trace = true;
  EXPECT_EQ(run_text(kBusy, options).timeline, run_text(kBusy, options).timeline);
}

// Writes 1.234,5 and "JA".
struct Foreign : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
  std::string do_truename() const override { return "JA"; }
};

TEST(Determinism, TheLocaleDoesNotMatter) {
  const auto digest = digest_of();
  const std::locale before = std::locale::global(std::locale(std::locale(), new Foreign));
  const std::string c_locale = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"de_DE.utf8", "tr_TR.utf8", "C.utf8"})
    if (std::setlocale(LC_ALL, name) != nullptr) break;
  const auto abroad = digest_of();
  std::setlocale(LC_ALL, c_locale.c_str());
  std::locale::global(before);
  EXPECT_EQ(abroad, digest);
}

TEST(Determinism, TheEnvironmentDoesNotMatter) {
  const auto digest = digest_of();
  setenv("TZ", "Asia/Kathmandu", 1);
  setenv("LANG", "tr_TR.UTF-8", 1);
  setenv("DROVER_SEED", "99", 1);
  const auto abroad = digest_of();
  unsetenv("TZ");
  unsetenv("LANG");
  unsetenv("DROVER_SEED");
  EXPECT_EQ(abroad, digest);
}

TEST(Determinism, TheLayoutOfTheHeapDoesNotMatter) {
  const auto digest = digest_of();
  Choices choices(5);
  std::list<std::string> garbage;
  for (int i = 0; i < 20'000; ++i) {
    garbage.emplace_back(choices.below(3000, "test", "size"), 'x');
    if (choices.chance(0.5, "test", "free")) garbage.pop_front();
  }
  for (auto at = garbage.begin(); at != garbage.end();) {
    at = garbage.erase(at);
    if (at != garbage.end()) ++at;
  }
  EXPECT_EQ(digest_of(), digest);
}

TEST(Determinism, AnotherRunBeforeDoesNotMatter) {
  const auto digest = digest_of();
  (void)digest_of(7);
  (void)run_text(pair_text());
  EXPECT_EQ(digest_of(), digest);
}

// --- planted nondeterminism ---

TEST(Nondeterminism, OfACounterThatOutlivesTheRunIsFound) {
  static unsigned counter = 0;
  RunOptions options;
  options.prepare = [](SimWorld& world) { world.trace().add(TraceKind::note, "planted", ++counter); };
  const auto scenario = scenario_of(kBusy);
  const auto first = run_scenario(scenario, 1, options);
  EXPECT_EQ(explain(scenario, first, options).verdict, Verdict::nondeterministic);
}

TEST(Nondeterminism, OfAnAddressIsFound) {
  std::vector<std::unique_ptr<int>> kept;
  RunOptions options;
  options.prepare = [&](SimWorld& world) {
    kept.push_back(std::make_unique<int>(1));
    world.trace().add(TraceKind::note, "planted", reinterpret_cast<std::uintptr_t>(kept.back().get()));
  };
  const auto scenario = scenario_of(kBusy);
  const auto first = run_scenario(scenario, 1, options);
  EXPECT_EQ(explain(scenario, first, options).verdict, Verdict::nondeterministic);
}

// Nothing of it is in the trace: the order of events alone tells.
TEST(Nondeterminism, OfAnExtraEventIsFound) {
  static unsigned runs = 0;
  RunOptions options;
  options.prepare = [](SimWorld& world) {
    if (++runs % 2 == 0) world.scheduler().call_after(world.domain(), 1s, [] {});
  };
  const auto scenario = scenario_of(kBusy);
  const auto first = run_scenario(scenario, 1, options);
  EXPECT_EQ(explain(scenario, first, options).verdict, Verdict::nondeterministic);
}

TEST(Nondeterminism, IsNotFoundWhereThereIsNone) {
  const auto scenario = scenario_of(kBusy);
  const auto first = run_scenario(scenario, 1);
  EXPECT_EQ(explain(scenario, first).verdict, first.verdict);
}

}  // namespace
}  // namespace drover::scenario
