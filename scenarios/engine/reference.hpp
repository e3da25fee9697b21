// References in scenario texts: "$n", "$job.operation", "$job.result.serviceNode[0]", "$nodes[0]", "$master".
// Checked when the file is loaded, resolved at run time against the captures, a JSON object with one key per
// root. A text that is one reference takes the JSON value with its type; inside a longer text it is written
// in, and
// "${n}th" marks where the name ends; "$$" is a dollar, and so is a '$' before anything that cannot start a
// name. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "manager/base/result.hpp"

namespace drover::scenario {

struct Reference {
  std::string root;                                          // "job"
  std::vector<std::variant<std::string, std::size_t>> path;  // "result", "serviceNode", 0
  std::size_t offset = 0;                                    // of its '$' in the text
  std::size_t length = 0;                                    // in the text
};
// As it is written: "$job.result.serviceNode[0]".
std::string to_text(const Reference& reference);

// A text cut into literal stretches and references.
struct TextTemplate {
  std::vector<std::variant<std::string, Reference>> parts;
  bool is_one_reference() const { return parts.size() == 1 && std::holds_alternative<Reference>(parts[0]); }
  bool has_references() const;
};
// Errors (ErrorCode::invalid, "offset: message"): a missing ']' or '}', an index that is no number below
// 1,000,000.
Result<TextTemplate> parse_template(std::string_view text);

// The value a reference stands for. Error (ErrorCode::not_found): what is missing, and what there is instead.
Result<nlohmann::json> resolve(const Reference& reference, const nlohmann::json& captures);
// `value` with every reference in its texts (not its keys) replaced. Texts inside captures are not looked at
// again.
Result<nlohmann::json> resolve(const nlohmann::json& value, const nlohmann::json& captures);
// The same for one text whose result must be text: numbers and booleans are written out, lists and maps as
// JSON.
Result<std::string> resolve_text(std::string_view text, const nlohmann::json& captures);

}  // namespace drover::scenario
