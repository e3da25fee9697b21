// The tables of the scenario language: every key of every section, with its type, default and meaning.
// Parsing, error messages, canonical form, JSON Schema and the reference text are all made from these tables,
// so a new key is a new row here (and, outside the settings sections, its line in parse_scenario*.cpp and
// scenario_json.cpp). Constant data, any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "scenarios/engine/document.hpp"

namespace drover::scenario {

enum class FieldType : unsigned char {
  boolean,
  integer,  // between least and most
  number,
  text,
  identifier,    // letters, digits, '_' and '-', starting with a letter or '_'
  choice,        // one of `choices`
  duration,      // "35s"
  distribution,  // "uniform(0s, 20s)"
  rate,          // "50/s", "10/m", "6/h": per second as a double
  factor,        // "3x"
  seeds,         // "1..200" or one number
  texts,         // a list of texts
  list,          // a list of anything
  map,           // a map with keys of its own
  section,       // a map with the keys of `fields`
  matrix,        // a map of lists of scalars
  condition,     // of an `if`: a boolean, "$crash", or an expression over the matrix
  trigger,       // of a fault: see mockcloud/fault/rule.hpp
  expression,    // see expression.hpp
  checks,        // an expression, or a map of conditions
  match,         // a text, or a regular expression between slashes
  code,          // an error code by number or name
  steps,
  faults,
  expectations,
  any,
};

struct Field {
  std::string_view name;
  FieldType type = FieldType::any;
  std::string_view description;
  std::string_view fallback = "";  // the default as it would be written; "" for none
  std::span<const Field> fields = {};
  std::span<const std::string_view> choices = {};
  long least = 0;
  long most = 1'000'000'000;
};

std::span<const Field> scenario_fields();  // the top level, in canonical order
std::span<const Field> cloud_fields();
std::span<const Field> agents_fields();
std::span<const Field> network_fields();
std::span<const Field> manager_fields();
std::span<const Field> traffic_fields();
std::span<const Field> step_fields();  // the keys that any step may have, and those of every kind
std::span<const Field> call_expect_fields();
std::span<const Field> client_fields();
std::span<const Field> repeat_fields();
std::span<const Field> await_fields();
std::span<const Field> fault_fields();  // a fault takes other keys too: the arguments of its action
std::span<const Field> quiesce_fields();
std::span<const Field> expectation_fields();
std::span<const Field> judge_fields();
std::span<const Field> real_fields();

// A kind of step: the key that makes it one, and the keys it takes beside name and if.
struct StepShape {
  std::string_view kind;
  std::vector<std::string_view> keys;
};
std::span<const StepShape> step_shapes();

const Field* find_field(std::span<const Field> fields, std::string_view name);
std::vector<std::string> names_of(std::span<const Field> fields);
// "a duration with its unit such as \"35s\"": what the type takes, for messages and the schema.
std::string expected(const Field& field);

// "50/s" -> 50 per second; nothing when it is no rate.
std::optional<double> parse_rate(std::string_view text);
std::string rate_text(double per_second);

// Checks the value against its field (type, range, choice, for sections the keys inside). Every problem is
// added at its place. False when the value cannot be used.
bool check_value(const Node& value, const Field& field, Problems& problems);
// Checks that `map` is a map with known keys only, and each value. `owner` names it in messages ("cloud").
bool check_map(const Node& map, std::span<const Field> fields, std::string_view owner, Problems& problems);

}  // namespace drover::scenario
