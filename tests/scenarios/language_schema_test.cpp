// The JSON Schema against the parser: both are made from the same tables and must agree on the sample files.
#include <gmock/gmock.h>
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>
#pragma GCC diagnostic pop

#include <fstream>
#include <sstream>

#include "paths.hpp"
#include "scenarios/engine/document.hpp"
#include "scenarios/engine/parse_scenario.hpp"
#include "scenarios/engine/schema.hpp"

namespace drover::scenario {
namespace {

class SchemaCheck {
 public:
  SchemaCheck() : text_(nlohmann::json::parse(scenario_schema_text())) {
    const valijson::adapters::NlohmannJsonAdapter adapter(text_);
    valijson::SchemaParser().populateSchema(adapter, schema_);
  }
  // "" when the schema accepts the value, else its complaints.
  std::string complaints(const nlohmann::json& value) {
    valijson::Validator validator;
    valijson::ValidationResults results;
    const valijson::adapters::NlohmannJsonAdapter target(value);
    if (validator.validate(schema_, target, &results)) return "";
    std::string out;
    valijson::ValidationResults::Error error;
    while (results.popError(error)) {
      for (const auto& part : error.context) out += part;
      out += ": " + error.description + "\n";
    }
    return out.empty() ? "refused" : out;
  }

 private:
  nlohmann::json text_;
  valijson::Schema schema_;
};

std::string sample(const std::string& name) {
  std::ifstream file(std::string(DROVER_SOURCE_DIR) + "/tests/data/scenarios/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}
nlohmann::json yaml(const std::string& text) { return to_json(parse_yaml(text, "x.yaml").value()); }

class SchemaSamples : public testing::TestWithParam<const char*> {};

TEST_P(SchemaSamples, FitTheSchemaAsWritten) {
  EXPECT_EQ(SchemaCheck().complaints(yaml(sample(GetParam()))), "");
}
TEST_P(SchemaSamples, FitTheSchemaInCanonicalForm) {
  const auto parsed = parse_scenario(sample(GetParam()), GetParam());
  ASSERT_TRUE(parsed) << parsed.error().message;
  SchemaCheck check;
  for (const auto& one : parsed.value().cases)
    EXPECT_EQ(check.complaints(nlohmann::json::parse(to_canonical_text(one))), "");
}
INSTANTIATE_TEST_SUITE_P(All, SchemaSamples, testing::Values("lost-create-reply.yaml", "every-key.yaml"));

class SchemaRefusals : public testing::TestWithParam<const char*> {};

TEST_P(SchemaRefusals, AgreeWithTheParser) {
  const std::string text = std::string("schema: 1\nname: x\n") + GetParam();
  EXPECT_FALSE(parse_scenario(text, "x.yaml"));
  EXPECT_NE(SchemaCheck().complaints(yaml(text)), "");
}
INSTANTIATE_TEST_SUITE_P(Each, SchemaRefusals,
                         testing::Values("stepz: []\n", "manager: {boot_timeout: 10}\n",
                                         "manager: {boot_timeout: 10x}\n", "cloud: {quota: {vms: 3}}\n",
                                         "steps: [{call: f, wait: 1s}]\n", "steps: [{name: f}]\n",
                                         "steps: [{wait: 1s, as: job}]\n", "faults: [{do: x}]\n",
                                         "faults: [{at: 1s, do: x, pick: [y]}]\n", "expect: [{allways: a}]\n",
                                         "expect: [{always: a, never: b}]\n", "real: {slack: 3}\n",
                                         "matrix: {n: 3}\n", "manager: {durability: none}\n",
                                         "traffic: {rate: 50}\n", "seeds: some\n",
                                         "steps: [{parallel: [{wait: 5}]}]\n"));

TEST(Schema, DescribesEveryKey) {
  const auto text = scenario_schema_text();
  for (const auto fields : {scenario_fields(), cloud_fields(), agents_fields(), network_fields(),
                            manager_fields(), traffic_fields(), step_fields(), fault_fields(), real_fields()})
    for (const auto& field : fields) EXPECT_NE(text.find(field.description), std::string::npos) << field.name;
}
TEST(Schema, ReferenceTextListsEveryKey) {
  const auto text = scenario_reference_text();
  for (const auto fields :
       {scenario_fields(), cloud_fields(), manager_fields(), step_fields(), fault_fields()})
    for (const auto& field : fields)
      EXPECT_NE(text.find("| `" + std::string(field.name) + "` |"), std::string::npos) << field.name;
}

}  // namespace
}  // namespace drover::scenario
