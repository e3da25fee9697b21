#include "scenarios/engine/parse_scenario.hpp"

#include <charconv>

#include "scenarios/engine/parse_scenario_reader.hpp"
#include "scenarios/engine/reference.hpp"

namespace drover::scenario {
namespace {

SeedRange to_seeds(const Node& node) {
  SeedRange out;
  const auto dots = node.text.find("..");
  const auto number = [](std::string_view text) {
    return static_cast<std::uint64_t>(plain_scalar(std::string(text)).number);
  };
  const std::string_view text = node.text;
  out.first = number(text.substr(0, dots));
  out.last = dots == std::string::npos ? out.first : number(text.substr(dots + 2));
  return out;
}

std::vector<std::string> to_texts(const Node& list) {
  std::vector<std::string> out;
  for (const auto& item : list.items) out.push_back(item.text);
  return out;
}

Matrix to_matrix(const Node& map) {
  Matrix out;
  for (const auto& [key, place, values] : map.members) {
    Matrix::Row row{key, {}};
    for (const auto& value : values.items) row.values.push_back(to_json(value));
    out.rows.push_back(std::move(row));
  }
  return out;
}

// What all cases together may hold: each is a copy of the file.
constexpr std::size_t kWrittenValuesMax = 2'000'000;

std::size_t count_values(const Node& node) {
  std::size_t count = 1;
  for (const auto& item : node.items) count += count_values(item);
  for (const auto& member : node.members) count += count_values(member.value);
  return count;
}

// The sections that pass their check, so that no reader meets a node it does not expect.
Node usable_part(const Node& root, Problems& problems) {
  Node out = root;
  out.members.clear();
  for (const auto& member : root.members) {
    const auto* field = find_field(scenario_fields(), member.key);
    if (field == nullptr) {
      problems.add(member.place, "unknown key " + in_quotes(member.key) + " in a scenario" +
                                     suggestion(member.key, names_of(scenario_fields())));
    } else if (check_value(member.value, *field, problems)) {
      out.members.push_back(member);
    }
  }
  return out;
}

// What must be right before the matrix can be written into the rest; nothing when it is not.
std::optional<Matrix> read_matrix(const Node& root, Problems& problems) {
  const auto* schema = root.find("schema");
  if (schema == nullptr) problems.add(root.place, "the key \"schema\" is missing; write \"schema: 1\" first");
  if (root.find("name") == nullptr)
    problems.add(root.place, "the key \"name\" is missing; every scenario has one");
  const auto* node = root.find("matrix");
  if (node == nullptr) return Matrix{};
  if (!check_value(*node, *find_field(scenario_fields(), "matrix"), problems)) return std::nullopt;
  for (const auto& member : node->members)
    if (std::ranges::find(kBuiltInRoots, member.key) != std::end(kBuiltInRoots))
      problems.add(member.place,
                   "$" + member.key + " has a meaning already; give this key of the matrix another name");
  auto matrix = to_matrix(*node);
  if (count_cases(matrix) > kCasesMax) {
    problems.add(node->place, "the matrix has more than " + std::to_string(kCasesMax) + " combinations");
    return std::nullopt;
  }
  if (count_cases(matrix) * count_values(root) > kWrittenValuesMax) {
    problems.add(node->place,
                 "the matrix has " + std::to_string(count_cases(matrix)) +
                     " combinations, too many for a file of this size; make several files of it");
    return std::nullopt;
  }
  return matrix;
}

}  // namespace

Result<ScenarioFile> parse_scenario(std::string_view text, const std::string& file, const Vocabulary& known) {
  DROVER_TRY(auto root, parse_document(text, file));
  Problems problems(file);
  if (root.kind != Node::Kind::map) {
    problems.add(root.place, "expected a map of keys, found " + describe(root));
    return problems.to_error();
  }
  ScenarioFile out;
  out.file = file;
  auto matrix = read_matrix(root, problems);
  if (!matrix) return problems.to_error();
  out.matrix = std::move(*matrix);
  for (const auto& values : expand(out.matrix)) {
    const auto written = substitute(root, values, problems);
    out.cases.push_back(ScenarioReader(values, known, problems).read(written, file));
    if (!problems.empty()) return problems.to_error();
  }
  out.name = out.cases.front().name;
  out.description = out.cases.front().description;
  out.tags = out.cases.front().tags;
  out.seeds = out.cases.front().seeds;
  return out;
}

ScenarioReader::ScenarioReader(const Case& values, const Vocabulary& known, Problems& problems)
    : values_(values),
      known_(known),
      problems_(problems),
      roots_(std::begin(kBuiltInRoots), std::end(kBuiltInRoots)) {}

Scenario ScenarioReader::read(const Node& whole, const std::string& file) {
  Scenario out;
  out.file = file;
  out.values = values_;
  const auto root = usable_part(whole, problems_);
  read_header(root, out);
  const auto section = [&](const char* key, Settings& settings) {
    if (const auto* node = root.find(key)) settings.assign(*node);
  };
  section("cloud", out.cloud);
  section("agents", out.agents);
  section("network", out.network);
  section("manager", out.manager);
  section("traffic", out.traffic);
  if (const auto* node = root.find("faults")) collect_fault_ids(*node);
  if (const auto* node = root.find("steps")) out.steps = read_steps(*node);
  if (const auto* node = root.find("faults")) read_faults(*node, out);
  if (const auto* node = root.find("quiesce")) read_quiesce(*node, out.quiesce);
  if (const auto* node = root.find("expect")) read_expectations(*node, out);
  if (const auto* node = root.find("judge")) read_judge(*node, out.judge);
  if (const auto* node = root.find("real")) read_real(*node, out.real);
  return out;
}

void ScenarioReader::read_header(const Node& root, Scenario& out) {
  if (const auto* node = root.find("name")) out.name = node->text;
  if (const auto* node = root.find("description")) out.description = node->text;
  if (const auto* node = root.find("tags")) out.tags = to_texts(*node);
  if (const auto* node = root.find("seeds")) out.seeds = to_seeds(*node);
}

void ScenarioReader::read_expectations(const Node& list, Scenario& out) {
  for (const auto& item : list.items) {
    if (!check_map(item, expectation_fields(), "an expectation", problems_)) continue;
    if (item.members.size() != 1) {
      problems_.add(item.place, "an expectation has exactly one of always, finally, sometimes, never");
      continue;
    }
    const auto& [key, place, value] = item.members.front();
    Expectation one;
    for (const auto kind :
         {Expectation::Kind::finally, Expectation::Kind::sometimes, Expectation::Kind::never})
      if (key == to_text(kind)) one.kind = kind;
    one.expression = read_expression(value);
    one.place = value.place;
    out.expect.push_back(std::move(one));
  }
}

void ScenarioReader::read_quiesce(const Node& map, Quiesce& out) {
  if (const auto* node = map.find("at")) out.at = parse_duration(node->text);
  if (const auto* node = map.find("core")) out.core = node->text;
}

void ScenarioReader::read_judge(const Node& map, Judge& out) {
  if (const auto* node = map.find("steps")) out.tolerant = node->text == "tolerant";
  if (const auto* node = map.find("end")) out.as_without_faults = node->text == "as_without_faults";
}

void ScenarioReader::read_real(const Node& map, RealSettings& out) {
  if (const auto* node = map.find("allow")) out.allow = node->boolean;
  if (const auto* node = map.find("max_instances")) out.max_instances = static_cast<unsigned>(node->number);
  if (const auto* node = map.find("ttl")) out.ttl = *parse_duration(node->text);
  if (const auto* node = map.find("slack"))
    out.slack = std::get<double>(to_setting(*node, *find_field(real_fields(), "slack")));
  if (const auto* node = map.find("on_unsupported")) out.skip_unsupported = node->text == "skip";
}

Expression ScenarioReader::read_expression(const Node& node) {
  auto parsed = Expression::parse(node.text);
  if (!parsed) return {};  // reported by check_value
  for (const auto& [name, offset, slot] : parsed.value().names()) {
    const bool is_fired = name.ends_with(".fired");
    if (!is_fired && known_.metrics.empty()) continue;
    std::vector<std::string> names = is_fired ? std::vector<std::string>{} : known_.metrics;
    names.insert(names.end(), fired_.begin(), fired_.end());
    if (std::ranges::find(names, name) != names.end()) continue;
    const auto hint = names.empty() ? "; the scenario has no faults" : suggestion(name, names);
    problems_.add(node.place_at(offset), "unknown name " + in_quotes(name) + " in an expression" + hint);
  }
  return std::move(parsed).value();
}

void ScenarioReader::check_known(const Node& node, std::string_view what,
                                 const std::vector<std::string>& names) {
  if (names.empty() || std::ranges::find(names, node.text) != names.end()) return;
  problems_.add(node.place,
                "unknown " + std::string(what) + " " + in_quotes(node.text) + suggestion(node.text, names));
}

void ScenarioReader::check_references(const Node& node) {
  if (node.kind == Node::Kind::text) check_reference_text(node, roots_);
  for (const auto& item : node.items) check_references(item);
  for (const auto& member : node.members) check_references(member.value);
}

void ScenarioReader::check_reference_text(const Node& node, const std::vector<std::string>& roots) {
  static const std::vector<std::string> kCaptured{"operation", "result", "error", "code"};
  const auto parsed = parse_template(node.text);
  if (!parsed) {
    const auto& message = parsed.error().message;
    const auto colon = message.find(": ");
    std::size_t offset = 0;
    std::from_chars(message.data(), message.data() + colon, offset);
    return problems_.add(node.place_at(offset), "bad reference: " + message.substr(colon + 2));
  }
  for (const auto& part : parsed.value().parts) {
    const auto* reference = std::get_if<Reference>(&part);
    if (reference == nullptr) continue;
    const auto place = node.place_at(reference->offset);
    if (std::ranges::find(roots, reference->root) == roots.end()) {
      auto names = roots;
      for (const auto& [key, value] : values_.values) names.push_back(key);
      problems_.add(place, "unknown reference " + in_quotes("$" + reference->root) +
                               suggestion(reference->root, names));
      continue;
    }
    const bool captured = std::ranges::find(kBuiltInRoots, reference->root) == std::end(kBuiltInRoots);
    if (!captured || reference->path.empty()) continue;
    const auto* first = std::get_if<std::string>(&reference->path.front());
    if (first == nullptr || std::ranges::find(kCaptured, *first) == kCaptured.end())
      problems_.add(place,
                    in_quotes(to_text(*reference)) + " does not exist: a call's answer has" +
                        (first == nullptr ? " .operation, .result, .error, .code"
                                          : " no " + in_quotes(*first) + suggestion(*first, kCaptured)));
  }
}

}  // namespace drover::scenario
