#include "scenarios/engine/schema.hpp"

#include "scenarios/engine/schema_fields.hpp"

namespace drover::scenario {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDurationPattern = "^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h|d))+$";
constexpr const char* kDistributionPattern =
    "^\\s*((const|uniform|exp|lognormal)\\(.*\\)|([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h|d))+)\\s*$";

Json reference_to(const char* definition) {
  return Json{{"$ref", std::string("#/definitions/") + definition}};
}
Json pattern(const char* expression) { return Json{{"type", "string"}, {"pattern", expression}}; }

Json properties_of(std::span<const Field> fields);

Json object_of(std::span<const Field> fields) {
  return Json{{"type", "object"}, {"properties", properties_of(fields)}, {"additionalProperties", false}};
}

// What a value of this type must be once references are written in.
Json type_of(const Field& field) {
  switch (field.type) {
    case FieldType::boolean:
      return Json{{"type", "boolean"}};
    case FieldType::integer:
      return Json{{"type", "integer"}, {"minimum", field.least}, {"maximum", field.most}};
    case FieldType::number:
      return Json{{"type", "number"}, {"minimum", field.least}, {"maximum", field.most}};
    case FieldType::text:
      return Json{{"type", "string"}};
    case FieldType::identifier:
      return pattern("^[A-Za-z_][A-Za-z0-9_-]*$");
    case FieldType::choice: {
      auto choices = Json::array();
      for (const auto choice : field.choices) choices.push_back(std::string(choice));
      return Json{{"enum", std::move(choices)}};
    }
    case FieldType::duration:
      return pattern(kDurationPattern);
    case FieldType::distribution:
      return pattern(kDistributionPattern);
    case FieldType::rate:
      return pattern("^[0-9.eE+-]+/[smh]$");
    case FieldType::factor:
      return pattern("^[0-9.]+x$");
    case FieldType::seeds:
      return Json{{"anyOf", Json::array({Json{{"type", "integer"}, {"minimum", 0}},
                                         pattern("^[0-9]+\\.\\.[0-9]+$")})}};
    case FieldType::texts:
      return Json{{"type", "array"}, {"items", Json{{"type", "string"}}}};
    case FieldType::list:
      return Json{{"type", "array"}};
    case FieldType::map:
      return Json{{"type", "object"}};
    case FieldType::section:
      return object_of(field.fields);
    case FieldType::matrix: {
      const Json values{{"type", "array"}, {"minItems", 1}, {"items", reference_to("scalar")}};
      return Json{{"type", "object"}, {"additionalProperties", values}};
    }
    case FieldType::condition:
      return Json{{"type", Json::array({"boolean", "string"})}};
    case FieldType::trigger:
    case FieldType::expression:
    case FieldType::match:
      return Json{{"type", "string"}, {"minLength", 1}};
    case FieldType::checks: {
      const Json conditions{
          {"type", "object"}, {"minProperties", 1}, {"additionalProperties", reference_to("scalar")}};
      return Json{{"anyOf", Json::array({Json{{"type", "string"}, {"minLength", 1}}, conditions})}};
    }
    case FieldType::code:
      return Json{{"type", Json::array({"integer", "string"})}};
    case FieldType::steps:
      return Json{{"type", "array"}, {"items", reference_to("step")}};
    case FieldType::faults:
      return Json{{"type", "array"}, {"items", reference_to("fault")}};
    case FieldType::expectations:
      return Json{{"type", "array"}, {"items", reference_to("expectation")}};
    case FieldType::any:
      break;
  }
  return Json::object();
}

// Whether a matrix reference can stand in place of the value and the type alone would not let it.
bool takes_reference(const Field& field) {
  switch (field.type) {
    case FieldType::text:
    case FieldType::condition:
    case FieldType::trigger:
    case FieldType::expression:
    case FieldType::match:
    case FieldType::checks:
    case FieldType::code:
    case FieldType::any:
    case FieldType::section:
    case FieldType::matrix:
    case FieldType::steps:
    case FieldType::faults:
    case FieldType::expectations:
      return false;
    default:
      return field.name != "schema";
  }
}

Json property_of(const Field& field) {
  Json out{{"description", std::string(field.description)}};
  if (!field.fallback.empty()) {
    const auto fallback = plain_scalar(std::string(field.fallback));
    out["default"] = Json(to_json(fallback));
  }
  if (takes_reference(field)) {
    out["anyOf"] = Json::array({type_of(field), reference_to("reference")});
  } else {
    out.update(type_of(field));
  }
  return out;
}

Json properties_of(std::span<const Field> fields) {
  auto out = Json::object();
  for (const auto& field : fields) out[std::string(field.name)] = property_of(field);
  return out;
}

Json required(std::string_view key) { return Json{{"required", Json::array({std::string(key)})}}; }

Json step_definition() {
  auto kinds = Json::array();
  for (const auto& shape : step_shapes()) {
    auto properties = Json::object();
    for (const auto& field : step_fields()) {
      const bool belongs = field.name == "name" || field.name == "if" || field.name == shape.kind ||
                           std::ranges::find(shape.keys, field.name) != shape.keys.end();
      if (belongs) properties[std::string(field.name)] = property_of(field);
    }
    Json kind{{"type", "object"}};
    kind.update(required(shape.kind));
    kind["properties"] = std::move(properties);
    kind["additionalProperties"] = false;
    kinds.push_back(std::move(kind));
  }
  return Json{{"description", "A step does one thing: the key that says which is required."},
              {"oneOf", std::move(kinds)}};
}

Json fault_definition() {
  const auto one_of = [](std::initializer_list<std::string_view> keys) {
    auto list = Json::array();
    for (const auto key : keys) list.push_back(required(key));
    return Json{{"oneOf", std::move(list)}};
  };
  return Json{
      {"description", "When, and what. Other keys are arguments of the action: see the fault catalogue."},
      {"type", "object"},
      {"properties", properties_of(fault_fields())},
      {"additionalProperties", reference_to("scalar")},
      {"allOf", Json::array({one_of({"when", "at", "every"}), one_of({"do", "pick"})})}};
}

Json expectation_definition() {
  auto out = object_of(expectation_fields());
  out["minProperties"] = 1;
  out["maxProperties"] = 1;
  return out;
}

void append_table(std::string& out, const std::string& title, std::span<const Field> fields) {
  out += "\n## " + title + "\n\n| key | takes | default | meaning |\n|---|---|---|---|\n";
  for (const auto& field : fields) {
    const auto fallback = field.fallback.empty() ? std::string() : "`" + std::string(field.fallback) + "`";
    out += "| `" + std::string(field.name) + "` | " + expected(field) + " | " + fallback + " | " +
           std::string(field.description) + " |\n";
  }
  for (const auto& field : fields)
    if (field.type == FieldType::section)
      append_table(out, title + ": " + std::string(field.name), field.fields);
}

}  // namespace

nlohmann::ordered_json scenario_schema() {
  Json out{{"$schema", "http://json-schema.org/draft-07/schema#"},
           {"title", "drover scenario"},
           {"description",
            "A scenario of drover: what happens to a database service, what goes wrong, what must hold."},
           {"type", "object"},
           {"required", Json::array({"schema", "name"})},
           {"properties", properties_of(scenario_fields())},
           {"additionalProperties", false}};
  auto& definitions = out["definitions"];
  definitions["scalar"] = Json{{"type", Json::array({"boolean", "number", "string"})}};
  definitions["reference"] = pattern("\\$[A-Za-z_{]");
  definitions["reference"]["description"] = "A key of the matrix: $n";
  definitions["step"] = step_definition();
  definitions["fault"] = fault_definition();
  definitions["expectation"] = expectation_definition();
  return out;
}

std::string scenario_schema_text() { return scenario_schema().dump(2) + "\n"; }

std::string scenario_reference_text() {
  std::string out = "# Scenario files: every key\n";
  append_table(out, "Scenario", scenario_fields());
  append_table(out, "Step", step_fields());
  append_table(out, "Fault", fault_fields());
  append_table(out, "Expectation", expectation_fields());
  return out;
}

}  // namespace drover::scenario
