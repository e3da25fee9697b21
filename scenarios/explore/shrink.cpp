#include "scenarios/explore/shrink.hpp"

#include <algorithm>
#include <optional>

#include "scenarios/engine/load_library.hpp"
#include "scenarios/engine/runner.hpp"
#include "scenarios/explore/explicit_faults.hpp"
#include "scenarios/explore/premise.hpp"
#include "scenarios/explore/recording.hpp"
#include "scenarios/explore/simplify.hpp"
#include "scenarios/explore/timed_actions.hpp"

namespace drover::explore {
namespace {

using scenario::RunResult;
using scenario::Scenario;

constexpr std::size_t kFewFaults = 2;
constexpr std::size_t kManySteps = 6;   // with more, some are turned into faults,
constexpr std::size_t kMostFaults = 3;  // as long as there are not so many of those
constexpr std::uint64_t kOtherSeeds = 12;

// What a file itself asks for fails as well, for a reason of no interest, once its steps are gone: such a
// failure is the same only when it says the same. Times, numbers of operations and lines may differ; what was
// observed in place of what was expected may not. "" where nothing is said.
std::string substance(const scenario::Violation& failure) {
  const auto observed = failure.message.rfind(failure.invariant == "step" ? "does not hold:" : "is broken:");
  if (observed != std::string::npos) return failure.message.substr(observed);
  if (failure.invariant == "expect") return {};
  const bool compares =
      failure.fingerprint.starts_with("step check") || failure.fingerprint.starts_with("step eventually");
  if (compares) return failure.message.substr(std::min(failure.message.find(", "), failure.message.size()));
  std::string text;
  for (const char c : failure.message) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit)
      text += c;
    else if (text.empty() || text.back() != '#')
      text += '#';
  }
  return text;
}

class Shrinker {
 public:
  Shrinker(Scenario start, std::uint64_t seed, std::string fingerprint, const ShrinkLimits& limits)
      : best_(std::move(start)), fingerprint_(std::move(fingerprint)), limits_(limits) {
    out_.seed = seed;
  }

  Shrunk run() {
    best_.seeds = {out_.seed, out_.seed};
    out_.reproduced = fails(best_);
    out_.events_before = last_events_;
    substance_ = seen_.invariant.empty() ? std::string() : substance(seen_);
    if (!out_.reproduced) return finish();
    if (is_of_the_file(seen_)) premise_.emplace(best_, seen_);
    if (auto fixed = with_explicit_faults(best_, out_.seed)) try_the_same(*fixed);
    if (premise_) try_it(undisturbed(best_));
    do {
      for (bool changed = true; changed && !exhausted();) {
        changed = delete_chunks(&Shrinker::fault_count, &Shrinker::without_faults_from);
        changed = delete_chunks(&Shrinker::step_count, &Shrinker::without_steps_from) || changed;
        changed = try_simpler(simplifications, &Shrinker::try_it) || changed;
        changed = try_simpler(gatherings, &Shrinker::try_the_same) || changed;
      }
    } while (delete_with_other_seed() || make_step_a_fault());
    return finish();
  }

 private:
  bool exhausted() const { return out_.runs >= limits_.runs || out_.events >= limits_.events; }

  bool fails(const Scenario& one) {
    scenario::RunOptions options;
    options.max_events = kEventsAtMost;
    if (out_.runs > 0) options.until = fingerprint_;  // the first one is measured whole
    const RunResult result = scenario::run_scenario(one, one.seeds.first, options);
    ++out_.runs;
    out_.events += result.events;
    last_events_ = result.events;
    for (const auto& failure : result.failures) {
      if (failure.fingerprint != fingerprint_) continue;
      seen_ = failure;
      return true;
    }
    return fingerprint_ == "gave up" && result.verdict == scenario::Verdict::unknown;
  }

  // Takes it over when it still fails as it would be read from its file.
  bool try_it(const Scenario& one) { return take_over(one, &Shrinker::is_the_same); }
  // One that does the same by other means: what the expectation rests on is then what it says.
  bool try_the_same(const Scenario& one) {
    if (!take_over(one, &Shrinker::says_the_same)) return false;
    if (premise_) premise_.emplace(best_, seen_);
    return true;
  }
  bool take_over(const Scenario& one, bool (Shrinker::*is_right)(const Scenario&) const) {
    if (exhausted() || one == best_) return false;
    auto read = scenario::prepare_scenario(to_canonical_text(one), "shrunk.json");
    if (read.has_error()) return false;
    Scenario& written = read.value().cases.front();
    if (!fails(written) || !(this->*is_right)(written)) return false;
    best_ = std::move(written);
    out_.message = seen_.message;
    return true;
  }

  static bool is_of_the_file(const scenario::Violation& failure) {
    return failure.invariant == "step" || failure.invariant == "expect";
  }

  // Whether what was seen last is what was found: an invariant is one whatever the scenario; what the file
  // asks for is to fail where it is rightly asked for.
  bool is_the_same(const Scenario& one) const {
    if (!premise_) return true;
    const Premise premise(one, seen_);
    return premise.would_be_met() || (says_the_same(one) && premise.rests_on(*premise_));
  }
  bool says_the_same(const Scenario&) const {
    return !premise_ || substance_.empty() || substance(seen_) == substance_;
  }

  // Halves, quarters, … single ones; from the end, where what comes after a failure sits.
  using Count = std::size_t (*)(const Scenario&);
  using Without = Scenario (*)(const Scenario&, std::size_t from, std::size_t count);
  bool delete_chunks(Count count, Without without) {
    bool changed = false;
    for (std::size_t chunk = std::max<std::size_t>(1, count(best_) / 2); !exhausted(); chunk /= 2) {
      std::size_t end = count(best_);
      while (end > 0 && !exhausted()) {
        const std::size_t size = std::min(chunk, end);
        if (try_it(without(best_, end - size, size))) changed = true;
        end = std::min(end - size, count(best_));
      }
      if (chunk == 1) break;
    }
    return changed;
  }

  // A failure that hangs on moments: with less it is still there, at other moments.
  bool delete_with_other_seed() {
    if (best_.faults.size() <= kFewFaults) return false;
    for (std::size_t chunk = best_.faults.size() / 2; chunk > 0 && !exhausted(); chunk /= 2) {
      for (std::size_t end = best_.faults.size(); end >= chunk; end -= chunk) {
        Scenario less = without_faults_from(best_, end - chunk, chunk);
        for (std::uint64_t seed = 1; seed <= kOtherSeeds && !exhausted(); ++seed) {
          less.seeds = {seed, seed};
          if (seed == out_.seed || !try_it(less)) continue;
          out_.seed = seed;
          return true;
        }
      }
    }
    return false;
  }

  // A step says more than a time does: only where there are many.
  bool make_step_a_fault() {
    if (exhausted() || best_.faults.size() >= kMostFaults || count_steps(best_.steps) <= kManySteps)
      return false;
    for (const Scenario& one : with_timed_actions(best_, out_.seed, premise_.has_value()))
      if (try_the_same(one)) return true;
    return false;
  }

  // Without whatever disturbs it: if it still fails then, there is less to explain.
  static Scenario undisturbed(const Scenario& one) {
    Scenario calm = one;
    calm.faults.clear();
    calm.fault_places.clear();
    std::erase_if(calm.steps,
                  [](const auto& step) { return std::holds_alternative<scenario::Do>(step.action); });
    for (scenario::Settings Scenario::*section : {&Scenario::cloud, &Scenario::agents, &Scenario::network})
      for (const auto& key : (one.*section).changed()) (calm.*section).reset(key);
    return calm;
  }

  // An invariant is broken whatever becomes of the steps: what they ask for need not hold here.
  void judge_tolerantly() {
    if (premise_ || best_.judge.tolerant) return;
    Scenario tolerant = best_;
    tolerant.judge.tolerant = true;
    try_it(tolerant);
  }

  static std::size_t fault_count(const Scenario& one) { return one.faults.size(); }
  static Scenario without_faults_from(const Scenario& one, std::size_t from, std::size_t count) {
    Scenario less = one;
    const auto first = static_cast<std::ptrdiff_t>(from), last = static_cast<std::ptrdiff_t>(from + count);
    less.faults.erase(less.faults.begin() + first, less.faults.begin() + last);
    less.fault_places.resize(less.faults.size());
    return less;
  }
  static std::size_t step_count(const Scenario& one) { return one.steps.size(); }
  static Scenario without_steps_from(const Scenario& one, std::size_t from, std::size_t count) {
    Scenario less = one;
    const auto first = static_cast<std::ptrdiff_t>(from), last = static_cast<std::ptrdiff_t>(from + count);
    less.steps.erase(less.steps.begin() + first, less.steps.begin() + last);
    return less;
  }

  bool try_simpler(std::vector<Scenario> (*simpler)(const Scenario&),
                   bool (Shrinker::*attempt)(const Scenario&)) {
    bool changed = false;
    // Each change that works gives new ones: ask again, but go on behind it.
    for (std::size_t next = 0; !exhausted();) {
      auto all = simpler(best_);
      if (next >= all.size()) break;
      if ((this->*attempt)(all[next]))
        changed = true;
      else
        ++next;
    }
    return changed;
  }

  Shrunk finish() {
    if (out_.reproduced) judge_tolerantly();
    if (out_.message.empty()) out_.message = seen_.message;
    out_.faults = best_.faults.size();
    out_.steps = count_steps(best_.steps);
    out_.scenario = std::move(best_);
    return std::move(out_);
  }

  Scenario best_;
  std::string fingerprint_, substance_;
  std::optional<Premise> premise_;  // of what the file itself asks for
  ShrinkLimits limits_;
  Shrunk out_;
  scenario::Violation seen_;  // the failure, in the latest run that showed it
  std::uint64_t last_events_ = 0;
};

}  // namespace

std::size_t count_steps(const std::vector<scenario::Step>& steps) {
  std::size_t count = 0;
  for (const auto& step : steps) {
    if (const auto* beside = std::get_if<scenario::Parallel>(&step.action))
      count += count_steps(beside->steps);
    else if (const auto* again = std::get_if<scenario::Repeat>(&step.action))
      count += count_steps(again->steps);
    else
      ++count;
  }
  return count;
}

Shrunk shrink(const Scenario& scenario, std::uint64_t seed, const std::string& fingerprint,
              const ShrinkLimits& limits) {
  return Shrinker(scenario, seed, fingerprint, limits).run();
}

}  // namespace drover::explore
