// What an expectation of a scenario's own rests on. A step that fails, or an expectation that is broken, is a
// finding only as long as a correct service would meet it: with the promotion deleted, nobody else is the
// master for no reason of interest. Pure.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "scenarios/engine/scenario.hpp"
#include "scenarios/engine/world.hpp"
#include "scenarios/explore/ideal_service.hpp"

namespace drover::explore {

class Premise {
 public:
  // Of the step or expectation (invariant "step" or "expect") that failed in a run of `one`.
  Premise(const scenario::Scenario& one, const scenario::Violation& failure);

  // Whether an ideal service without any fault would meet it.
  bool would_be_met() const { return would_be_met_; }
  // Whether what fails still rests on all that it rested on in `original`.
  bool rests_on(const Premise& original) const;

 private:
  void take(const scenario::Step& step, nlohmann::ordered_json written);
  void add_effect(const scenario::Step& step, nlohmann::ordered_json written);
  bool is_settled() const { return service_.is_settled() || waits_itself_; }
  void judge_step(const scenario::Step& failed);
  void judge_expectation(const scenario::Scenario& one, const std::string& text);
  bool holds(const scenario::Checks& checks) const;
  void project(const std::vector<std::string>& metrics);

  IdealService service_;
  bool would_be_met_ = false;
  bool waits_itself_ = false;  // what fails does, long enough for every operation to end
  bool is_only_hindered_ =
      false;                     // by what disturbs: an ideal service would meet it with less of that as well
  bool rests_on_a_key_ = false;  // that was used before: right whatever disturbs
  std::string failing_;          // as it is written
  std::string service_text_;     // the ideal service
  std::string looked_at_;        // what is asked for of it
  std::vector<std::string> effects_;          // of steps that are not foreseen, in their order
  std::map<std::string, std::string> begun_;  // those that begin an operation, by their capture
  std::multiset<std::string> disturbances_;   // faults, and steps that make one
  std::vector<std::string> waits_;
  std::map<std::string, std::string> settings_;      // of the manager and its clients
  std::map<std::string, std::string> surroundings_;  // what the cloud, the machines and the network are like
};

}  // namespace drover::explore
