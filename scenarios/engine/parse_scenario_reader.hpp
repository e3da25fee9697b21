// The readers behind parse_scenario(): from checked nodes to the typed model, one case at a time. Internal to
// parse_scenario*.cpp. One Reader lives for one case.
#pragma once

#include <string>
#include <vector>

#include "scenarios/engine/parse_scenario.hpp"
#include "scenarios/engine/schema_fields.hpp"

namespace drover::scenario {

class ScenarioReader {
 public:
  ScenarioReader(const Case& values, const Vocabulary& known, Problems& problems);

  // `root` has the case's values written in.
  Scenario read(const Node& root, const std::string& file);

 private:
  void read_header(const Node& root, Scenario& out);
  void read_expectations(const Node& list, Scenario& out);
  void read_quiesce(const Node& map, Quiesce& out);
  void read_judge(const Node& map, Judge& out);
  void read_real(const Node& map, RealSettings& out);

  // parse_scenario_steps.cpp
  std::vector<Step> read_steps(const Node& list);
  std::optional<Step> read_step(const Node& node);
  const StepShape* shape_of(const Node& node);
  Call read_call(const Node& node);
  CallExpect read_call_expect(const Node& node);
  Checks read_checks(const Node& node);
  std::optional<Condition> read_condition(const Member& member);
  Await read_await(const Node& node);
  Parallel read_parallel(const Node& list);
  Repeat read_repeat(const Node& map);
  Do read_do(const Node& node);
  void check_arguments(const Do& out, const Place& place);
  std::optional<int> read_code(const Node& node);

  // parse_scenario_faults.cpp
  void collect_fault_ids(const Node& list);
  void read_faults(const Node& list, Scenario& out);
  std::optional<fault::Rule> read_fault(const Node& node);
  void read_arguments(const Node& node, fault::Rule& rule);
  void check_fault_shape(const Node& node);
  void check_trigger_ids(const Node& when, const fault::Trigger& trigger);

  // Checks every reference in the texts below `node` against the captures that exist by now.
  void check_references(const Node& node);
  void check_reference_text(const Node& node, const std::vector<std::string>& roots);
  // One of `names`, unless that list is empty.
  void check_known(const Node& node, std::string_view what, const std::vector<std::string>& names);
  Expression read_expression(const Node& node);

  double repetitions_ = 1;  // of the steps being read: nested repeats multiply
  const Case& values_;
  const Vocabulary& known_;
  Problems& problems_;
  std::vector<std::string> roots_;      // of references
  std::vector<std::string> fault_ids_;  // "fault-N" for the unnamed
  std::vector<std::string> fired_;      // "<id>.fired"
};

}  // namespace drover::scenario
