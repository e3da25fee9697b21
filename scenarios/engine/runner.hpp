// Runs one case of a scenario with one seed in the simulated world, and judges it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/engine/end_state.hpp"
#include "scenarios/engine/invariants.hpp"
#include "scenarios/engine/scenario.hpp"
#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {

enum class Verdict : unsigned char { pass, fail, expected_loss, vacuous, unknown, skipped, nondeterministic };
const char* to_text(Verdict verdict);  // "PASS", "FAIL", "EXPECTED-LOSS", …
std::optional<Verdict> parse_verdict(std::string_view text);

struct FaultCount {
  std::string id;
  std::uint64_t fired = 0;
  bool random = false;  // fires by chance: silence in one run proves nothing
};

struct RunResult {
  std::string scenario;
  std::string file;
  Case values;
  std::uint64_t seed = 0;
  std::string world = "sim";
  std::vector<std::string> judged;  // the invariants that this world can judge
  Verdict verdict = Verdict::unknown;
  std::string reason;  // of SKIPPED, UNKNOWN, VACUOUS, EXPECTED-LOSS
  Duration simulated{0};
  double wall_s = 0;  // filled in by who has a clock
  std::uint64_t events = 0;
  std::uint64_t digest = 0;
  std::vector<FaultCount> faults;
  std::vector<std::string> actions;  // what faults and steps did, "IaaS call: refuse"
  std::vector<Violation> failures;
  EndState end;                       // of a run that came to its end
  std::vector<std::string> timeline;  // of a failed run, when asked for
  std::string repro;                  // a command line
};

struct RunOptions {
  bool timeline = false;                  // keep the trace and render it when the run fails
  std::uint64_t max_events = 20'000'000;  // more: UNKNOWN
  Duration max_time = std::chrono::hours(24 * 30);
  std::string
      until;  // the fingerprint of a failure: the run ends with it, for nothing else is asked; "": none
  // For tests: called when the world is made and nothing has run yet.
  std::function<void(SimWorld&)> prepare;
  // Called when the run has ended and its world is still there.
  std::function<void(SimWorld&)> finish;
  // For tests: what is broken on purpose; must outlive the run.
  const Sabotage* sabotage = nullptr;
  // The end of the same scenario and seed without faults, for files that are judged by it; null: it is run
  // first.
  const EndState* reference = nullptr;
  // Makes what lies between the manager and its cloud, for one run; null: nothing.
  std::function<std::unique_ptr<Detour>()> detour;
  // Every trace entry is rendered as well, failed or not (--trace).
  bool full_trace = false;
};

RunResult run_scenario(const Scenario& scenario, std::uint64_t seed, const RunOptions& options = {});

// The same scenario without any of its faults, judged by nothing but invariants: what `as_without_faults`
// compares with.
Scenario without_faults(const Scenario& scenario);

// Runs it again with a full trace; the result carries the timeline, or the verdict NONDETERMINISTIC when the
// second run differs from `first`.
RunResult explain(const Scenario& scenario, const RunResult& first, const RunOptions& options = {});

// "drover run FILE --seed N --case n=3,crash=true".
std::string repro_line(const Scenario& scenario, std::uint64_t seed, std::string_view world = "sim");

}  // namespace drover::scenario
