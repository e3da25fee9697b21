// The JSON Schema (draft 7) of scenario files, and their reference as text, both made from the tables in
// schema_fields.hpp. Printed by `drover schema`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace drover::scenario {

nlohmann::ordered_json scenario_schema();
// scenario_schema() as text, two spaces deep, with a newline at the end.
std::string scenario_schema_text();
// Every key as Markdown tables: key, type, default, meaning.
std::string scenario_reference_text();

}  // namespace drover::scenario
