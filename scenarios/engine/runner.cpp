#include "scenarios/engine/runner.hpp"

#include <algorithm>

#include "scenarios/engine/metrics.hpp"
#include "scenarios/engine/run.hpp"

namespace drover::scenario {
namespace {

bool fires_by_chance(const fault::Rule& rule) {
  return rule.probability.has_value() || rule.every.has_value();
}

}  // namespace

Run::Run(const Scenario& scenario, const RunOptions& options, World& world, Referee& referee)
    : scenario_(scenario), options_(options), world_(world), referee_(referee), steps_(world, referee) {}

bool Run::beyond_budget() const {
  for (const auto& count : world_.faults().counts())
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
  referee_.after_event();
  const auto changes = world_.trace().count();
  if (changes == changes_) return;
  changes_ = changes;
  referee_.after_change();
  if (has_running_expectations_) check_always();
  steps_.after_change();
}

// After the last fault: until nothing is under way any more, and it has stayed so for a while. What is beyond
// the budget is judged by safety alone, and need not come to rest: an exploration has seen enough of it
// sooner.
Task<void> Run::settle() {
  constexpr Duration kEnoughOfIt = 15min;
  const Pace pace = world_.pace();
  const bool rests = !scenario_.judge.tolerant || !beyond_budget();
  const TimePoint deadline =
      world_.scheduler().later(rests ? pace.settle_bound : std::min(pace.settle_bound, kEnoughOfIt));
  TimePoint since = kNever;
  while (world_.scheduler().now() < deadline) {
    if (!referee_.settled())
      since = kNever;
    else if (since == kNever)
      since = world_.scheduler().now();
    else if (world_.scheduler().now() - since >= pace.settle_hold)
      co_return;
    co_await sleep_for(pace.settle_look);
  }
}

// What is under way arrives; then the replicas have what the master has.
Task<void> Run::catch_up() {
  const Pace pace = world_.pace();
  const TimePoint deadline = world_.scheduler().later(pace.catch_up_bound);
  co_await sleep_for(pace.catch_up_look);
  co_await steps_.look();
  while (world_.scheduler().now() < deadline && world_.replicas_lag()) {
    co_await sleep_for(pace.catch_up_look);
    co_await steps_.look();
  }
  co_await sleep_for(pace.catch_up_look);
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
    if (world_.has_traffic()) co_await catch_up();
    co_await steps_.look();
    referee_.after_change();
    lost_ = referee_.check_writes();
    referee_.at_end(!beyond_budget());
    end_ = world_.end(steps_.shortfalls());
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

void Run::begin() {
  if (options_.timeline || options_.full_trace) world_.trace().keep();
  seen_.resize(scenario_.expect.size());
  for (const auto& expectation : scenario_.expect)
    has_running_expectations_ = has_running_expectations_ ||
                                (!scenario_.judge.tolerant && expectation.kind != Expectation::Kind::finally);
  world_.start();
  spawn(world_.domain(), drive());
}

// `silent` gets the names of those that never fired and should have.
void Run::count_faults(RunResult& run, std::string& silent) const {
  const auto counts = world_.faults().counts();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (!counts[i].enabled) continue;
    const bool random = fires_by_chance(scenario_.faults[i]);
    run.faults.push_back({counts[i].name, counts[i].fired, random});
    if (counts[i].fired == 0 && !random) silent += (silent.empty() ? "" : ", ") + counts[i].name;
  }
}

void Run::decide(RunResult& run, const std::string& silent) const {
  if (!world_.unsupported().empty()) {
    run.verdict = Verdict::skipped;
    run.reason = std::string(world_.for_people()) + " cannot make " + world_.unsupported().front();
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
}

RunResult Run::result(std::uint64_t seed) {
  RunResult run;
  run.scenario = scenario_.name;
  run.file = scenario_.file;
  run.values = scenario_.values;
  run.seed = seed;
  run.world = world_.name();
  run.judged = referee_.judged();
  run.simulated = world_.scheduler().now().time_since_epoch();
  run.events = world_.scheduler().events();
  for (const auto* row : world_.faults().fired_actions())
    run.actions.push_back(std::string(fault::to_text(row->target)) + ": " + std::string(row->name));
  for (const auto& action : world_.done())
    if (const auto* row = fault::find_action(action); row != nullptr)
      run.actions.push_back(std::string(fault::to_text(row->target)) + ": " + action);
  std::string silent;
  count_faults(run, silent);
  for (std::size_t i = 0; i < scenario_.expect.size(); ++i) {
    if (scenario_.expect[i].kind != Expectation::Kind::sometimes || seen_[i] || steps_.failed()) continue;
    if (scenario_.judge.tolerant) continue;
    world_.report("expect", "sometimes \"" + scenario_.expect[i].expression.text() + "\" never held",
                  "expect sometimes " + scenario_.expect[i].expression.text());
  }
  run.failures = world_.violations();
  run.end = std::move(end_);
  decide(run, silent);
  std::uint64_t digest = mix(world_.trace().digest(), world_.scheduler().digest());
  digest = mix(digest, world_.trace().count());
  digest = mix(digest, static_cast<std::uint64_t>(run.verdict));
  run.digest = digest;
  if (options_.full_trace || (options_.timeline && run.verdict == Verdict::fail))
    for (const auto& entry : world_.trace().entries()) run.timeline.push_back(to_text(entry));
  run.repro = repro_line(scenario_, seed, world_.name());
  return run;
}

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

std::string repro_line(const Scenario& scenario, std::uint64_t seed, std::string_view world) {
  std::string line = "drover run " + scenario.file + " --seed " + std::to_string(seed);
  if (world != "sim") line += " --world " + std::string(world);
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

namespace {

// One run in the simulation.
RunResult simulate(const Scenario& scenario, std::uint64_t seed, const RunOptions& options) {
  const std::unique_ptr<Detour> detour = options.detour ? options.detour() : nullptr;
  SimWorld world(scenario, seed, options.sabotage, detour.get());
  Checkers checkers(world);
  Run run(scenario, options, world, checkers);
  if (options.prepare) options.prepare(world);
  run.begin();
  const TimePoint limit = world.scheduler().later(options.max_time);
  std::size_t looked_through = 0;
  const auto has_failed_so = [&] {
    const auto& failures = world.violations();
    while (looked_through < failures.size())
      if (failures[looked_through++].fingerprint == options.until) return true;
    return false;
  };
  auto after = [&] {
    run.after_event();
    if (!options.until.empty() && has_failed_so()) run.give_up("ended with what was looked for");
    if (world.scheduler().events() >= options.max_events)
      run.give_up("gave up after " + std::to_string(options.max_events) + " events");
    return !run.ended();
  };
  if (detour != nullptr)
    detour->drive(world.scheduler(), limit, after);
  else
    world.scheduler().run_each(limit, after);
  if (!run.ended()) run.give_up("gave up after " + drover::to_text(options.max_time) + " of virtual time");
  if (options.finish) options.finish(world);
  return run.result(seed);
}

}  // namespace

RunResult run_scenario(const Scenario& scenario, std::uint64_t seed, const RunOptions& options) {
  if (!scenario.judge.as_without_faults || options.reference != nullptr) {
    return simulate(scenario, seed, options);
  }
  RunOptions plain = options;
  plain.timeline = plain.full_trace = false;
  const RunResult calm = run_scenario(without_faults(scenario), seed, plain);
  RunOptions judged = options;
  judged.reference = &calm.end;
  return simulate(scenario, seed, judged);
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
