#include "scenarios/engine/runner.hpp"

#include <algorithm>

#include "scenarios/engine/metrics.hpp"
#include "scenarios/engine/steps.hpp"

namespace drover::scenario {
namespace {

constexpr Duration kSettleBound = 90min;  // L-invariants: how long everything may take after the last fault
constexpr Duration kSettleLook = 5s;
constexpr Duration kSettleHold = 90s;      // and stay so
constexpr Duration kCatchUpBound = 10min;  // replicas, once the clients have stopped

bool fires_by_chance(const fault::Rule& rule) {
  return rule.probability.has_value() || rule.every.has_value();
}

// One run: the world, its checkers, and the coroutine that carries the scenario out.
class Run {
 public:
  Run(const Scenario& scenario, std::uint64_t seed, const RunOptions& options)
      : scenario_(scenario),
        options_(options),
        world_(scenario, seed, options.sabotage),
        checkers_(world_),
        steps_(world_, checkers_) {}

  RunResult execute(std::uint64_t seed);

 private:
  Task<void> drive();
  Task<void> settle();
  void after_event();
  void check_expectations(Expectation::Kind kind);
  void check_always();
  void check_end();
  bool beyond_budget() const;
  bool replicas_lag() const;
  RunResult result(std::uint64_t seed);

  const Scenario& scenario_;
  const RunOptions& options_;
  SimWorld world_;
  Checkers checkers_;
  Steps steps_;
  std::vector<bool> seen_;  // of `sometimes` expectations
  bool has_running_expectations_ = false;
  std::uint64_t changes_ = 0;
  std::uint64_t lost_ = 0;
  EndState end_;
  bool ended_ = false;
  std::string gave_up_;
};

// By the truth: what a server reports of its lag follows its clock.
bool Run::replicas_lag() const {
  SimWorld& world = const_cast<Run*>(this)->world_;
  if (std::get<double>(find_metric("lag_max")->read(world)) > 0) return true;
  const auto ids = world.fleet().ids();
  return std::any_of(ids.begin(), ids.end(), [&world](const std::string& id) {
    const auto truth = world.fleet().truth(id);
    return truth && truth->replication.configured && truth->relay_pending > 0;
  });
}

bool Run::beyond_budget() const {
  for (const auto& count : const_cast<Run*>(this)->world_.faults().counts())
    if (count.beyond_budget && count.fired > 0) return true;
  return false;
}

void Run::check_expectations(Expectation::Kind kind) {
  for (const Expectation& expectation : scenario_.expect) {
    if (expectation.kind != kind) continue;
    const auto held = expectation.expression.holds([this](unsigned slot) { return read_slot(world_, slot); });
    const bool bad = held.has_error() || held.value() == (kind == Expectation::Kind::never);
    if (!bad) continue;
    std::string message = std::string(to_text(kind)) + " \"" + expectation.expression.text() + "\" (line " +
                          std::to_string(expectation.place.line) + ")";
    if (held.has_error()) {
      message += ": " + held.error().message;
    } else {
      message += " is broken:";
      for (const auto& name : expectation.expression.names())
        message += " " + name.name + "=" + to_text(read_slot(world_, name.slot));
    }
    world_.report("expect", message, "expect " + expectation.expression.text());
  }
}

void Run::check_always() {
  check_expectations(Expectation::Kind::always);
  check_expectations(Expectation::Kind::never);
  for (std::size_t i = 0; i < scenario_.expect.size(); ++i) {
    const auto& expectation = scenario_.expect[i];
    if (expectation.kind != Expectation::Kind::sometimes || seen_[i]) continue;
    const auto held = expectation.expression.holds([this](unsigned slot) { return read_slot(world_, slot); });
    if (held.has_value() && held.value()) seen_[i] = true;
  }
}

void Run::after_event() {
  checkers_.after_event();
  const auto changes = world_.trace().count();
  if (changes == changes_) return;
  changes_ = changes;
  checkers_.after_change();
  if (has_running_expectations_) check_always();
  steps_.after_change();
}

// After the last fault: until nothing is under way any more, and it has stayed so for a while.
Task<void> Run::settle() {
  const TimePoint deadline = world_.scheduler().later(kSettleBound);
  TimePoint since = kNever;
  while (world_.scheduler().now() < deadline) {
    if (!checkers_.settled())
      since = kNever;
    else if (since == kNever)
      since = world_.scheduler().now();
    else if (world_.scheduler().now() - since >= kSettleHold)
      co_return;
    co_await sleep_for(kSettleLook);
  }
}

Task<void> Run::drive() {
  if (scenario_.quiesce.at)
    world_.scheduler().call_at(world_.domain(), kEpoch + *scenario_.quiesce.at, [this] { world_.quiesce(); });
  co_await steps_.run(scenario_.steps);
  if (!steps_.failed()) {
    if (scenario_.quiesce.at && world_.scheduler().now() < kEpoch + *scenario_.quiesce.at)
      co_await sleep_until(kEpoch + *scenario_.quiesce.at);
    world_.quiesce();
    co_await settle();
    world_.stop_traffic();
    if (world_.traffic() != nullptr) {
      // What is under way arrives; then the replicas have what the master has.
      const TimePoint deadline = world_.scheduler().later(kCatchUpBound);
      co_await sleep_for(5s);
      while (world_.scheduler().now() < deadline && replicas_lag()) co_await sleep_for(5s);
      co_await sleep_for(5s);
    }
    checkers_.after_change();
    lost_ = checkers_.check_writes();
    checkers_.at_end(!beyond_budget());
    end_ = end_state(world_, steps_.shortfalls());
    if (scenario_.judge.as_without_faults && !beyond_budget()) check_end();
    if (!scenario_.judge.tolerant) {
      check_expectations(Expectation::Kind::finally);
      check_always();
    }
  }
  ended_ = true;
}

// The differential oracle.
void Run::check_end() {
  DROVER_CHECK(options_.reference != nullptr, "a run is compared with an end that nobody made");
  for (const auto& difference : compare_ends(*options_.reference, end_))
    world_.report("D", difference.message, "D " + difference.what);
}

RunResult Run::execute(std::uint64_t seed) {
  if (options_.timeline || options_.full_trace) world_.trace().keep();
  seen_.resize(scenario_.expect.size());
  for (const auto& expectation : scenario_.expect)
    has_running_expectations_ = has_running_expectations_ ||
                                (!scenario_.judge.tolerant && expectation.kind != Expectation::Kind::finally);
  if (options_.prepare) options_.prepare(world_);
  world_.start();
  spawn(world_.domain(), drive());
  const TimePoint limit = world_.scheduler().later(options_.max_time);
  world_.scheduler().run_each(limit, [this] {
    after_event();
    if (world_.scheduler().events() >= options_.max_events) {
      gave_up_ = "gave up after " + std::to_string(options_.max_events) + " events";
      return false;
    }
    return !ended_;
  });
  if (!ended_ && gave_up_.empty())
    gave_up_ = "gave up after " + drover::to_text(options_.max_time) + " of virtual time";
  if (options_.finish) options_.finish(world_);
  return result(seed);
}

RunResult Run::result(std::uint64_t seed) {
  RunResult run;
  run.scenario = scenario_.name;
  run.file = scenario_.file;
  run.values = scenario_.values;
  run.seed = seed;
  run.simulated = world_.scheduler().now().time_since_epoch();
  run.events = world_.scheduler().events();
  for (const auto* row : world_.faults().fired_actions())
    run.actions.push_back(std::string(fault::to_text(row->target)) + ": " + std::string(row->name));
  for (const auto& action : world_.done())
    if (const auto* row = fault::find_action(action); row != nullptr)
      run.actions.push_back(std::string(fault::to_text(row->target)) + ": " + action);
  std::string silent;
  const auto counts = world_.faults().counts();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (!counts[i].enabled) continue;
    const bool random = fires_by_chance(scenario_.faults[i]);
    run.faults.push_back({counts[i].name, counts[i].fired, random});
    if (counts[i].fired == 0 && !random) silent += (silent.empty() ? "" : ", ") + counts[i].name;
  }
  for (std::size_t i = 0; i < scenario_.expect.size(); ++i) {
    if (scenario_.expect[i].kind != Expectation::Kind::sometimes || seen_[i] || steps_.failed()) continue;
    if (scenario_.judge.tolerant) continue;
    world_.report("expect", "sometimes \"" + scenario_.expect[i].expression.text() + "\" never held",
                  "expect sometimes " + scenario_.expect[i].expression.text());
  }
  run.failures = world_.violations();
  run.end = std::move(end_);
  if (!world_.unsupported().empty()) {
    run.verdict = Verdict::skipped;
    run.reason = "the simulation cannot make " + world_.unsupported().front();
  } else if (!run.failures.empty()) {
    run.verdict = Verdict::fail;
  } else if (!gave_up_.empty()) {
    run.verdict = Verdict::unknown;
    run.reason = gave_up_;
  } else if (!silent.empty()) {
    run.verdict = Verdict::vacuous;
    run.reason = "never fired: " + silent;
  } else if (lost_ > 0) {
    run.verdict = Verdict::expected_loss;
    run.reason =
        std::to_string(lost_) + " acknowledged write(s) lost that the durability mode does not promise";
  } else {
    run.verdict = Verdict::pass;
  }
  std::uint64_t digest = mix(world_.trace().digest(), world_.scheduler().digest());
  digest = mix(digest, world_.trace().count());
  digest = mix(digest, static_cast<std::uint64_t>(run.verdict));
  run.digest = digest;
  if (options_.full_trace || (options_.timeline && run.verdict == Verdict::fail))
    for (const auto& entry : world_.trace().entries()) run.timeline.push_back(to_text(entry));
  run.repro = repro_line(scenario_, seed);
  return run;
}

}  // namespace

const char* to_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "PASS";
    case Verdict::fail:
      return "FAIL";
    case Verdict::expected_loss:
      return "EXPECTED-LOSS";
    case Verdict::vacuous:
      return "VACUOUS";
    case Verdict::unknown:
      return "UNKNOWN";
    case Verdict::skipped:
      return "SKIPPED";
    case Verdict::nondeterministic:
      return "NONDETERMINISTIC";
  }
  return "?";
}

std::optional<Verdict> parse_verdict(std::string_view text) {
  for (int i = 0; i <= static_cast<int>(Verdict::nondeterministic); ++i)
    if (text == to_text(static_cast<Verdict>(i))) return static_cast<Verdict>(i);
  return std::nullopt;
}

std::string repro_line(const Scenario& scenario, std::uint64_t seed) {
  std::string line = "drover run " + scenario.file + " --seed " + std::to_string(seed);
  const std::string one = to_text(scenario.values);
  if (!one.empty()) line += " --case " + one;
  return line;
}

Scenario without_faults(const Scenario& scenario) {
  Scenario calm = scenario;
  calm.faults.clear();
  calm.fault_places.clear();
  calm.expect.clear();
  calm.judge.as_without_faults = false;
  return calm;
}

RunResult run_scenario(const Scenario& scenario, std::uint64_t seed, const RunOptions& options) {
  if (!scenario.judge.as_without_faults || options.reference != nullptr) {
    Run run(scenario, seed, options);
    return run.execute(seed);
  }
  RunOptions plain = options;
  plain.timeline = plain.full_trace = false;
  const RunResult calm = run_scenario(without_faults(scenario), seed, plain);
  RunOptions judged = options;
  judged.reference = &calm.end;
  Run run(scenario, seed, judged);
  return run.execute(seed);
}

RunResult explain(const Scenario& scenario, const RunResult& first, const RunOptions& options) {
  RunOptions again = options;
  again.timeline = true;
  RunResult second = run_scenario(scenario, first.seed, again);
  second.wall_s = first.wall_s;
  if (second.digest != first.digest) {
    second.verdict = Verdict::nondeterministic;
    second.reason = "two runs of the same seed differ";
  }
  return second;
}

}  // namespace drover::scenario
