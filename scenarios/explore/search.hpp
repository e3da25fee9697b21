// The search for failures: which runs to make, in what order, and what came of them. Deterministic: the same
// files, settings and budget give the same plans and the same findings, however many runs are made at once.
// Not thread-safe; the caller makes the runs of a batch in any order, on any threads, and hands them back in
// the order of the batch.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "scenarios/explore/plan.hpp"

namespace drover::explore {

struct Settings {
  std::vector<Mode> modes = {Mode::single, Mode::crash};
  std::uint64_t seed = 1;
  std::uint64_t runs = UINT64_MAX;    // at most
  std::uint64_t events = UINT64_MAX;  // the budget: simulated events at most, over all runs
  bool beyond_budget = true;          // also faults beyond the budget, judged by safety alone
};

// Of one mode, honestly.
struct ModeCounts {
  std::uint64_t points = 0;      // observation points that were told apart
  std::uint64_t observed = 0;    // and all that were seen
  std::uint64_t applicable = 0;  // faults × points
  std::uint64_t plans = 0;       // to be run, after pruning
  std::uint64_t runs = 0;
  std::uint64_t failed = 0;
  std::uint64_t vacuous = 0;                    // the fault found nothing to act on
  std::map<std::string, std::uint64_t> pruned;  // why → how many
  std::uint64_t events = 0;
};

struct Finding {
  std::string fingerprint;
  std::string invariant;
  std::string message;
  std::uint64_t count = 0;
  std::uint64_t first_run = 0;  // number of the run, from 1
  Plan plan;                    // of the smallest run that showed it (fewest faults, then first)
  std::uint64_t events = 0;     // of that run
};

// What a batch's runs are made of: made by the caller through run_plan().
struct Outcome {
  scenario::RunResult result;
  bool tolerantly = false;  // the result is that of the file judged so, for it broke an invariant
  Recording recording;      // both only when the plan asked for them
  std::vector<std::uint64_t> features;
};

class Generator;

class Search {
 public:
  Search(std::vector<Base> bases, Settings settings);
  ~Search();

  // The next plans, at most `limit`; empty when nothing is left or the budget is used up.
  std::vector<Plan> next(std::size_t limit);
  // Takes the outcomes of the latest batch, in its order. Those beyond the budget are dropped.
  void absorb(const std::vector<Plan>& plans, std::vector<Outcome>& outcomes);

  // Everything that is needed to go on later; take_up() must come before the first next(). Errors: invalid,
  // when it was made from other files, seeds or modes.
  nlohmann::json save() const;
  Result<void> take_up(const nlohmann::json& saved);

  const std::vector<Base>& bases() const { return bases_; }
  const std::map<std::string, Finding>& findings() const { return findings_; }
  // Findings in the order in which they were first seen.
  std::vector<const Finding*> in_order() const;
  std::uint64_t runs() const { return runs_; }
  std::uint64_t events() const { return events_; }
  // Over the digests of all runs so far, in their order: equal for equal searches, in every process.
  std::uint64_t digest() const { return digest_; }
  double simulated_s() const { return simulated_s_; }
  bool exhausted() const;  // everything that there was to try has been tried
  const std::map<Mode, ModeCounts>& counts() const { return counts_; }
  // Of one base: plans of its own that were made, and those that were run.
  struct BaseCounts {
    std::uint64_t points = 0, plans = 0, runs = 0;
  };
  const std::vector<BaseCounts>& base_counts() const { return base_counts_; }
  // Which kinds of faults there are at which points and in which contexts of this base, as keys; and of which
  // one was tried, and took effect, wherever that was.
  std::vector<std::uint64_t> keys(std::size_t base) const;
  bool tried(std::uint64_t key) const { return tried_.contains(key); }
  bool took_effect(std::uint64_t key) const { return fired_.contains(key); }
  std::size_t cells() const { return cells_.size(); }              // fault × point pairs that fired
  std::size_t transitions() const { return transitions_.size(); }  // fault × point × context that fired

 private:
  std::string identity() const;
  std::optional<Plan> next_of_modes(std::map<Mode, std::uint64_t>& planned);
  void note_failures(const Plan& plan, const scenario::RunResult& result);

  std::vector<Base> bases_;
  Settings settings_;
  std::vector<std::unique_ptr<Generator>> generators_;
  std::map<Mode, ModeCounts> counts_;
  std::vector<BaseCounts> base_counts_;
  std::map<std::string, Finding> findings_;
  std::set<std::string> cells_;
  std::set<std::string> transitions_;
  std::set<std::uint64_t> tried_, fired_;  // keys of plans
  std::uint64_t runs_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t digest_ = 0;
  double simulated_s_ = 0;
  bool over_ = false;
};

// Makes the run of a plan. Thread-safe: reads the base only.
Outcome run_plan(const Base& base, const Plan& plan);

}  // namespace drover::explore
