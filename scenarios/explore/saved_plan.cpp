#include "scenarios/explore/saved_plan.hpp"

#include <nlohmann/json.hpp>

#include "scenarios/engine/load_library.hpp"

namespace drover::explore {
namespace {

using nlohmann::json;

// Rules and steps are written and read as those of a scenario file: {"faults": […], "steps": […]}.
json written_in(const Plan& plan) {
  scenario::Scenario holder;
  holder.name = "saved";
  holder.faults = plan.faults;
  holder.fault_places.resize(plan.faults.size());
  holder.steps = plan.steps;
  const auto written = to_json(holder);
  json parts = json::object();
  for (const char* part : {"faults", "steps"})
    parts[part] = written.contains(part) ? json::parse(written.at(part).dump()) : json::array();
  return parts;
}

}  // namespace

json to_json(const Plan& plan) {
  json saved = written_in(plan);
  saved.update({{"base", plan.base},
                {"mode", to_text(plan.mode)},
                {"seed", plan.seed},
                {"masked", plan.masked},
                {"as_written", plan.as_written},
                {"tolerantly", plan.tolerantly},
                {"wants_recording", plan.wants_recording},
                {"wants_features", plan.wants_features},
                {"cell", plan.cell},
                {"context", plan.context}});
  return saved;
}

Result<Plan> plan_of(const json& saved) {
  Plan plan;
  try {
    const auto mode = parse_mode(saved.at("mode").get<std::string>());
    if (!mode) return make_error(ErrorCode::invalid, "a saved plan of an unknown mode");
    plan.mode = *mode;
    saved.at("base").get_to(plan.base);
    saved.at("seed").get_to(plan.seed);
    saved.at("masked").get_to(plan.masked);
    saved.at("as_written").get_to(plan.as_written);
    plan.tolerantly = saved.value("tolerantly", false);
    saved.at("wants_recording").get_to(plan.wants_recording);
    saved.at("wants_features").get_to(plan.wants_features);
    saved.at("cell").get_to(plan.cell);
    saved.at("context").get_to(plan.context);
    const json steps = saved.value("steps", json::array());
    if (saved.at("faults").empty() && steps.empty()) return plan;
    const json holder{{"schema", 1}, {"name", "saved"}, {"faults", saved.at("faults")}, {"steps", steps}};
    DROVER_TRY(const auto file, scenario::prepare_scenario(holder.dump(), "saved.json"));
    plan.faults = file.cases.front().faults;
    plan.steps = file.cases.front().steps;
  } catch (const json::exception& error) {
    return make_error(ErrorCode::invalid, std::string("a saved plan cannot be read: ") + error.what());
  }
  return plan;
}

}  // namespace drover::explore
