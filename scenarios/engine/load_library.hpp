// Scenario files from disk: found, parsed and checked against everything the program knows. Reading files is
// done here and in report_*.cpp only.
#pragma once

#include <string>
#include <vector>

#include "manager/base/result.hpp"
#include "scenarios/engine/parse_scenario.hpp"

namespace drover::scenario {

// Every scenario file below the given files and folders (.yaml, .yml, .json), sorted by path within a folder,
// each once. Errors: not_found, naming what is missing.
Result<std::vector<std::string>> find_scenarios(const std::vector<std::string>& paths);

// One file, ready to run: parsed, its faults checked against the catalogue, its expressions bound to the
// metrics. Errors: "file:line:column: message", one a line (ErrorCode::invalid), or not_found.
Result<ScenarioFile> load_scenario(const std::string& path);
// The same from text.
Result<ScenarioFile> prepare_scenario(const std::string& text, const std::string& file);

// The names that files may use.
Vocabulary vocabulary();

}  // namespace drover::scenario
