// One run of a scenario: its steps, then quiet, then the judgement. The same in every world; whoever makes
// the world (runner.cpp for the simulation, scenarios/local for real servers) drives its scheduler and calls
// after_event().
#pragma once

#include <string>
#include <vector>

#include "scenarios/engine/runner.hpp"
#include "scenarios/engine/steps.hpp"
#include "scenarios/engine/world.hpp"

namespace drover::scenario {

class Run {
 public:
  // All must outlive the run.
  Run(const Scenario& scenario, const RunOptions& options, World& world, Referee& referee);

  // Starts the world and what the scenario says; from now on the scheduler must be driven until ended().
  void begin();
  void after_event();
  bool ended() const { return ended_ || !gave_up_.empty(); }
  // The verdict is UNKNOWN then.
  void give_up(std::string why) { gave_up_ = std::move(why); }
  RunResult result(std::uint64_t seed);

 private:
  Task<void> drive();
  Task<void> settle();
  Task<void> catch_up();
  void check_expectations(Expectation::Kind kind);
  void check_always();
  void check_end();
  bool beyond_budget() const;
  void count_faults(RunResult& run, std::string& silent) const;
  void decide(RunResult& run, const std::string& silent) const;

  const Scenario& scenario_;
  const RunOptions& options_;
  World& world_;
  Referee& referee_;
  Steps steps_;
  std::vector<bool> seen_;  // of `sometimes` expectations
  bool has_running_expectations_ = false;
  std::uint64_t changes_ = 0;
  std::uint64_t lost_ = 0;
  EndState end_;
  bool ended_ = false;
  std::string gave_up_;
};

}  // namespace drover::scenario
