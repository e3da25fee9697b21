#include "scenarios/engine/matrix.hpp"

#include "scenarios/engine/expression.hpp"
#include "scenarios/engine/reference.hpp"

namespace drover::scenario {
namespace {

std::string written(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// A matrix value as the node that would have been written in its place.
Node to_node(const nlohmann::json& value, Place place) {
  if (!value.is_string()) return plain_scalar(value.dump(), place);
  Node node;
  node.kind = Node::Kind::text;
  node.place = place;
  for (const char c : value.get_ref<const std::string&>())
    node.text += c == '$' ? std::string("$$") : std::string(1, c);
  return node;
}

// A reference that stays, written so that what comes right behind it cannot become part of its name.
std::string kept(const Node& node, const Reference& reference, bool value_follows) {
  if (value_follows) return "${" + to_text(reference).substr(1) + "}";
  return node.text.substr(reference.offset, reference.length);
}

Node substitute_text(const Node& node, const Case& one, Problems& problems) {
  if (node.text.find('$') == std::string::npos) return node;
  const auto parsed = parse_template(node.text);
  if (!parsed) return node;  // reported where the text is used
  const auto& parts = parsed.value().parts;
  std::string text;
  std::size_t copied = 0;  // of node.text
  bool changed = false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto* reference = std::get_if<Reference>(&parts[i]);
    if (reference == nullptr) continue;
    text += node.text.substr(copied, reference->offset - copied);
    copied = reference->offset + reference->length;
    const auto* value = one.find(reference->root);
    if (value == nullptr) {
      text += kept(node, *reference, i + 1 < parts.size() && std::holds_alternative<Reference>(parts[i + 1]));
      continue;
    }
    if (!reference->path.empty())
      problems.add(node.place_at(reference->offset), "$" + reference->root + " is a value of the matrix; " +
                                                         in_quotes(to_text(*reference)) +
                                                         " names something inside it");
    const auto written_in = to_node(*value, node.place);
    if (parts.size() == 1) return written_in;
    text += written_in.text;
    changed = true;
  }
  if (!changed) return node;
  Node out = node;
  out.text = text + node.text.substr(copied);
  out.text_offset = -1;
  return out;
}

// `holds_steps`: node is the list of steps or faults, whose `if` is decided by decide() and stays as it is.
Node substitute_below(const Node& node, const Case& one, bool holds_steps, bool is_step, Problems& problems) {
  if (node.kind == Node::Kind::text) return substitute_text(node, one, problems);
  Node out = node;
  for (auto& item : out.items) item = substitute_below(item, one, false, holds_steps, problems);
  for (auto& [key, place, value] : out.members) {
    if (is_step && key == "if") continue;
    const bool list = key == "steps" || key == "parallel" || key == "faults";
    value = substitute_below(value, one, list, false, problems);
  }
  return out;
}

}  // namespace

const nlohmann::json* Case::find(std::string_view key) const {
  for (const auto& [name, value] : values)
    if (name == key) return &value;
  return nullptr;
}

std::string to_text(const Case& one) {
  std::string out;
  for (const auto& [key, value] : one.values) out += (out.empty() ? "" : ",") + key + "=" + written(value);
  return out;
}

std::size_t count_cases(const Matrix& matrix) {
  std::size_t count = 1;
  for (const auto& row : matrix.rows) {
    count *= std::min(row.values.size(), kCasesMax + 1);
    count = std::min(count, kCasesMax + 1);
  }
  return count;
}

std::vector<Case> expand(const Matrix& matrix) {
  std::vector<Case> cases(1);
  for (const auto& row : matrix.rows) {
    std::vector<Case> longer;
    longer.reserve(cases.size() * row.values.size());
    for (const auto& one : cases) {
      for (const auto& value : row.values) {
        longer.push_back(one);
        longer.back().values.emplace_back(row.key, value);
      }
    }
    cases = std::move(longer);
  }
  return cases;
}

Node substitute(const Node& node, const Case& one, Problems& problems) {
  return one.values.empty() ? node : substitute_below(node, one, false, false, problems);
}

bool decide(const Node& condition, const Case& one, Problems& problems) {
  if (condition.kind == Node::Kind::boolean) return condition.boolean;
  if (condition.kind != Node::Kind::text) {
    problems.add(condition.place,
                 "if takes a boolean or a condition over the matrix, found " + describe(condition));
    return false;
  }
  // '$' before a key changes nothing, and a space in its place keeps every offset.
  std::string text = condition.text;
  std::ranges::replace(text, '$', ' ');
  const auto report = [&](const Error& error) {
    const auto colon = error.message.find(": ");
    const auto offset = static_cast<std::size_t>(std::strtoul(error.message.c_str(), nullptr, 10));
    problems.add(condition.place_at(offset), "bad condition: " + error.message.substr(colon + 2));
    return false;
  };
  auto expression = Expression::parse(text);
  if (!expression) return report(expression.error());
  std::vector<std::string> keys;
  std::vector<Value> values;
  for (const auto& [key, value] : one.values) {
    keys.push_back(key);
    if (value.is_boolean()) {
      values.emplace_back(value.get<bool>());
    } else if (value.is_number()) {
      values.emplace_back(value.get<double>());
    } else {
      values.emplace_back(value.get<std::string>());
    }
  }
  if (auto bound = expression.value().bind(keys); !bound) return report(bound.error());
  const auto holds = expression.value().holds(std::span<const Value>(values));
  if (!holds) return report(holds.error());
  return holds.value();
}

}  // namespace drover::scenario
