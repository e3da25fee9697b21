// From the text of a scenario file to its typed cases. Every error is "file:line:column: message", several at
// once one a line (ErrorCode::invalid). Pure functions, any thread; reads no file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "manager/base/result.hpp"
#include "scenarios/engine/matrix.hpp"
#include "scenarios/engine/scenario.hpp"

namespace drover::scenario {

// Names that the rest of the program knows; an empty list leaves that kind unchecked.
struct Vocabulary {
  std::vector<std::string> methods;  // of the API
  std::vector<std::string> metrics;  // in conditions and expressions, beside "<fault id>.fired"
  std::vector<std::string> actions;  // of `do` and `pick`
  std::vector<std::string> workloads;
};

// A loaded file: what all cases share, and the cases.
struct ScenarioFile {
  std::string file;
  std::string name;
  std::string description;
  std::vector<std::string> tags;
  SeedRange seeds;
  Matrix matrix;
  std::vector<Scenario> cases;  // one per combination, first key slowest; at least one
};

// Loads and checks every case. `file` is for messages and tells YAML from JSON by its ending.
Result<ScenarioFile> parse_scenario(std::string_view text, const std::string& file,
                                    const Vocabulary& known = {});

// Roots of references that exist without a step's `as`: "nodes" (ids of the present nodes in order),
// "master".
inline constexpr std::string_view kBuiltInRoots[] = {"nodes", "master"};

}  // namespace drover::scenario
