// A run as exploration sees it: every observation point it came by, with the situation there, and its end.
#pragma once

#include <string>
#include <vector>

#include "scenarios/engine/runner.hpp"
#include "scenarios/engine/scenario.hpp"

namespace drover::explore {

struct ObservedPoint {
  std::string point;  // canonical: "iaas.newInstance.reply"
  std::string subject;
  unsigned occurrence = 1;  // of this point with this subject: what "#n" with `subject` counts
  TimePoint at{};
  std::uint64_t state = 0;      // of the world and of the subject
  std::uint64_t situation = 0;  // the same with the point's name mixed in
  std::string context;
  std::string master;        // the node that was the master then, "" when there was none
  unsigned incarnation = 1;  // of the manager
};

struct Recording {
  scenario::RunResult run;
  std::uint64_t observed = 0;         // points in all
  std::vector<ObservedPoint> points;  // the first of each (point, subject's description, situation)
};

// Runs the scenario and records. `after_crash`: only what was observed from the second incarnation of the
// manager on, occurrences counted from there; a few hundred points then, the recovery is what matters.
// `reference` is what RunOptions wants.
Recording record(const scenario::Scenario& scenario, std::uint64_t seed,
                 const scenario::EndState* reference = nullptr, bool after_crash = false);

// A run that makes more events than this has got lost.
inline constexpr std::uint64_t kEventsAtMost = 5'000'000;

}  // namespace drover::explore
