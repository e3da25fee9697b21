#include "scenarios/engine/load_library.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "manager/api/service.hpp"
#include "mockcloud/fault/catalogue.hpp"
#include "scenarios/engine/metrics.hpp"
#include "scenarios/engine/workloads.hpp"

namespace drover::scenario {
namespace {

namespace fs = std::filesystem;

bool is_scenario_file(const fs::path& path) {
  const std::string ending = path.extension().string();
  return ending == ".yaml" || ending == ".yml" || ending == ".json";
}

Error at_place(const std::string& file, const Place& place, const std::string& message) {
  return make_error(ErrorCode::invalid, file + ":" + std::to_string(place.line) + ":" +
                                            std::to_string(place.column) + ": " + message);
}

Result<void> bind_checks(Checks& checks, const std::vector<std::string>& names, const std::string& file,
                         const Place& place) {
  if (!checks.expression) return success();
  if (auto bound = checks.expression->bind(names); bound.has_error())
    return at_place(file, place, bound.error().message);
  return success();
}

Result<void> bind_steps(std::vector<Step>& steps, const std::vector<std::string>& names,
                        const std::string& file) {
  for (Step& step : steps) {
    Result<void> bound = success();
    if (auto* eventually = std::get_if<Eventually>(&step.action))
      bound = bind_checks(eventually->checks, names, file, step.place);
    else if (auto* check = std::get_if<Check>(&step.action))
      bound = bind_checks(check->checks, names, file, step.place);
    else if (auto* parallel = std::get_if<Parallel>(&step.action))
      bound = bind_steps(parallel->steps, names, file);
    else if (auto* repeat = std::get_if<Repeat>(&step.action))
      bound = bind_steps(repeat->steps, names, file);
    if (bound.has_error()) return bound;
  }
  return success();
}

Result<void> prepare_case(Scenario& scenario, const std::string& file) {
  for (std::size_t i = 0; i < scenario.faults.size(); ++i) {
    if (auto checked = fault::check_rule(scenario.faults[i]); checked.has_error())
      return at_place(file, i < scenario.fault_places.size() ? scenario.fault_places[i] : Place{},
                      checked.error().message);
  }
  if (auto checked = fault::check_rules(scenario.faults); checked.has_error())
    return make_error(ErrorCode::invalid, file + ": " + checked.error().message);
  const auto names = known_names(scenario);
  for (Expectation& expectation : scenario.expect)
    if (auto bound = expectation.expression.bind(names); bound.has_error())
      return at_place(file, expectation.place, bound.error().message);
  return bind_steps(scenario.steps, names, file);
}

}  // namespace

Vocabulary vocabulary() {
  Vocabulary known;
  for (const auto& method : api::exposed_functions()) known.methods.emplace_back(method.name);
  known.metrics = metric_names();
  for (const auto& row : fault::catalogue()) known.actions.emplace_back(row.name);
  for (const auto& workload : workloads()) known.workloads.push_back(workload.name);
  return known;
}

Result<std::vector<std::string>> find_scenarios(const std::vector<std::string>& paths) {
  std::vector<std::string> found;
  std::set<std::string> seen;
  for (const std::string& path : paths) {
    std::error_code error;
    if (fs::is_regular_file(path, error)) {
      if (seen.insert(path).second) found.push_back(path);
      continue;
    }
    if (!fs::is_directory(path, error))
      return make_error(ErrorCode::not_found, path + ": there is no such file or folder");
    std::vector<std::string> inside;
    for (auto at = fs::recursive_directory_iterator(path, error);
         !error && at != fs::recursive_directory_iterator(); at.increment(error))
      if (at->is_regular_file() && is_scenario_file(at->path()))
        inside.push_back(at->path().lexically_normal().string());
    if (error) return make_error(ErrorCode::not_found, path + ": " + error.message());
    std::sort(inside.begin(), inside.end());
    for (auto& file : inside)
      if (seen.insert(file).second) found.push_back(std::move(file));
  }
  return found;
}

Result<ScenarioFile> prepare_scenario(const std::string& text, const std::string& file) {
  static const Vocabulary known = vocabulary();
  DROVER_TRY(auto loaded, parse_scenario(text, file, known));
  for (Scenario& one : loaded.cases) {
    auto prepared = prepare_case(one, file);
    if (prepared.has_error()) return std::move(prepared).error();
  }
  return loaded;
}

Result<ScenarioFile> load_scenario(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return make_error(ErrorCode::not_found, path + ": cannot be read");
  std::ostringstream text;
  text << in.rdbuf();
  return prepare_scenario(text.str(), path);
}

}  // namespace drover::scenario
