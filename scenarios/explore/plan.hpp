// One run that exploration wants to make, and what a mode is. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mockcloud/fault/rule.hpp"
#include "scenarios/engine/scenario.hpp"
#include "scenarios/explore/recording.hpp"

namespace drover::explore {

enum class Mode : unsigned char { reference, single, crash, pairs, sweep, swarm, order, coverage };
inline constexpr int kModes = 8;
const char* to_text(Mode mode);
std::optional<Mode> parse_mode(std::string_view text);

// A case of a scenario file that exploration starts from.
struct Base {
  scenario::Scenario scenario;  // as the file says
  scenario::Scenario calm;      // without its faults, judged tolerantly: what faults are added to
  Recording reference;          // of `calm`
  bool own_faults = false;
  bool comparable = false;  // its end can be compared with that of a run under a masked fault
  bool too_large = false;   // for exploration point by point
  bool repeated = false;    // without its faults it is the same as an earlier one
};

struct Plan {
  std::size_t base = 0;
  Mode mode = Mode::single;
  std::uint64_t seed = 1;
  std::vector<fault::Rule> faults;
  std::vector<scenario::Step> steps;  // in place of the file's, unless there are none
  bool masked = false;                // one transient fault that must not be seen from outside
  bool as_written = false;            // the scenario of the file itself, steps and expectations in force
  bool tolerantly = false;            // with as_written: nothing but invariants in force
  bool wants_recording = false;       // of what happens after a crash of the manager
  bool wants_features = false;        // which successions of observation points it came by
  std::string cell;                   // "iaas.newInstance.reply × lose_reply": what this tries, for coverage
  std::string context;                // what was under way there
  std::uint64_t key = 0;              // of the kind of fault, the point and the context; 0: nobody counts it
};

// The scenario that a plan runs, judged as the plan says; also what is written when it fails.
scenario::Scenario scenario_of(const Base& base, const Plan& plan);

// Equal for bases that are the same without their faults.
std::uint64_t identity_of(const Base& base);

// Loads a case as a base: its reference run is made.
Base make_base(const scenario::Scenario& scenario, std::uint64_t seed);

}  // namespace drover::explore
