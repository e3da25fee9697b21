// Results of runs as JSON (stable, see INTERFACE in docs/command-line.md), as JUnit XML and as lines for
// people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "scenarios/engine/runner.hpp"

namespace drover::scenario {

struct Summary {
  std::size_t runs = 0, passed = 0, failed = 0, skipped = 0, vacuous = 0, unknown = 0, nondeterministic = 0;
  std::size_t expected_losses = 0;  // also counted as passed
  double wall_s = 0;
  double simulated_s = 0;
  std::uint64_t events = 0;
};

Summary summarize(const std::vector<RunResult>& runs, double wall_s);

nlohmann::ordered_json results_json(const std::vector<RunResult>& runs, const Summary& summary);
std::string junit_xml(const std::vector<RunResult>& runs, const Summary& summary);

// What failed in one run, with the end of its timeline and the line to run it again.
std::string failure_text(const RunResult& run);
// "57 scenarios, 612 runs: 612 passed; 1,204 simulated hours in 11.3 s (…)."
std::string summary_text(const Summary& summary, std::size_t scenarios, std::size_t seeds);

std::string digest_text(std::uint64_t digest);
Result<void> write_file(const std::string& path, const std::string& text);  // "-" is stdout
Result<std::string> read_file(const std::string& path);

}  // namespace drover::scenario
