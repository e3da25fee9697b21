// From nodes to steps.
#include "mockcloud/fault/step_arguments.hpp"
#include "scenarios/engine/parse_scenario_reader.hpp"

namespace drover::scenario {
namespace {

// The documented codes of the API, by their values.
constexpr std::string_view kCodes[] = {"E_ARGS_UNEXPECTED", "E_CONFIG_READ_FAILED", "E_CONFIG_NOT_EXIST",
                                       "E_UNKNOWN",         "E_ARGS_MISSING",       "E_ARGS_INVALID",
                                       "E_STATE_ERROR"};

constexpr double kRepetitionsMax = 100'000;

struct ComparisonSign {
  std::string_view sign;
  Comparison comparison;
};
constexpr ComparisonSign kComparisons[] = {
    {"==", Comparison::equal},         {"!=", Comparison::not_equal}, {"<=", Comparison::less_equal},
    {">=", Comparison::greater_equal}, {"<", Comparison::less},       {">", Comparison::greater},
};

Match to_match(const std::string& text) {
  const bool is_regex = text.size() >= 2 && text.front() == '/' && text.back() == '/';
  return is_regex ? Match{text.substr(1, text.size() - 2), true} : Match{text, false};
}

Duration duration_or(const Node& map, const char* key, Duration otherwise) {
  const auto* node = map.find(key);
  return node == nullptr ? otherwise : *parse_duration(node->text);
}

}  // namespace

std::vector<Step> ScenarioReader::read_steps(const Node& list) {
  std::vector<Step> out;
  for (const auto& item : list.items)
    if (auto step = read_step(item)) out.push_back(std::move(*step));
  return out;
}

const StepShape* ScenarioReader::shape_of(const Node& node) {
  const StepShape* found = nullptr;
  for (const auto& shape : step_shapes()) {
    if (node.find(shape.kind) == nullptr) continue;
    if (found != nullptr) {
      problems_.add(node.place, "a step does one thing, this one has both " + in_quotes(found->kind) +
                                    " and " + in_quotes(shape.kind) + "; make two steps of it");
      return nullptr;
    }
    found = &shape;
  }
  if (found == nullptr) {
    std::string kinds;
    for (const auto& shape : step_shapes()) kinds += (kinds.empty() ? "" : ", ") + std::string(shape.kind);
    problems_.add(node.place, "a step has exactly one of " + kinds);
    return nullptr;
  }
  bool fine = true;
  for (const auto& member : node.members) {
    const bool general = member.key == "name" || member.key == "if" || member.key == found->kind;
    if (general || std::ranges::find(found->keys, member.key) != found->keys.end()) continue;
    problems_.add(member.place, "the key " + in_quotes(member.key) + " does not belong to a step with " +
                                    in_quotes(found->kind));
    fine = false;
  }
  return fine ? found : nullptr;
}

std::optional<Step> ScenarioReader::read_step(const Node& node) {
  if (!check_map(node, step_fields(), "a step", problems_)) return std::nullopt;
  const auto* shape = shape_of(node);
  if (shape == nullptr) return std::nullopt;
  if (const auto* condition = node.find("if");
      condition != nullptr && !decide(*condition, values_, problems_))
    return std::nullopt;
  Step step;
  step.place = node.place;
  if (const auto* name = node.find("name")) step.name = name->text;
  const auto& subject = *node.find(shape->kind);
  if (shape->kind == "call") step.action = read_call(node);
  if (shape->kind == "eventually")
    step.action = Eventually{read_checks(subject), duration_or(node, "within", kWithinDefault)};
  if (shape->kind == "check") step.action = Check{read_checks(subject)};
  if (shape->kind == "wait") step.action = Wait{*parse_duration(subject.text)};
  if (shape->kind == "until") step.action = Until{*parse_duration(subject.text)};
  if (shape->kind == "await") step.action = read_await(node);
  if (shape->kind == "parallel") step.action = read_parallel(subject);
  if (shape->kind == "repeat") step.action = read_repeat(subject);
  if (shape->kind == "do") step.action = read_do(node);
  if (shape->kind == "workload") {
    check_known(subject, "workload", known_.workloads);
    Workload workload{subject.text};
    if (const auto* with = node.find("with")) {
      check_references(*with);
      workload.with = to_json(*with);
    }
    step.action = std::move(workload);
  }
  return step;
}

Call ScenarioReader::read_call(const Node& node) {
  Call call;
  const auto& method = *node.find("call");
  check_known(method, "method", known_.methods);
  call.method = method.text;
  if (const auto* with = node.find("with")) {
    check_references(*with);
    call.with = to_json(*with);
  }
  if (const auto* expect = node.find("expect")) call.expect = read_call_expect(*expect);
  if (const auto* client = node.find("client")) {
    Client patience;
    patience.timeout = duration_or(*client, "timeout", patience.timeout);
    patience.backoff = duration_or(*client, "backoff", patience.backoff);
    if (const auto* retries = client->find("retries"))
      patience.retries = static_cast<unsigned>(retries->number);
    call.client = patience;
  }
  if (const auto* background = node.find("background")) call.background = background->boolean;
  if (const auto* ends = node.find("ends")) {
    call.ends = ends->text;
    if (call.background || call.expect.error || call.expect.code)
      problems_.add(ends->place,
                    "a call that is not waited for, or fails, has no operation whose end could come");
  } else if (const auto* within = node.find("within")) {
    problems_.add(within->place, "a call waits only with `ends`, such as {ends: DONE, within: 30m}");
  }
  call.within = duration_or(node, "within", kWithinDefault);
  if (const auto* as = node.find("as")) {
    // "master" may be taken: the step's capture then hides the built-in meaning.
    const bool taken = as->text == "nodes" || values_.find(as->text) != nullptr;
    if (taken) problems_.add(as->place, "$" + as->text + " has a meaning already; choose another name");
    if (as->text.find('-') != std::string::npos)
      problems_.add(as->place,
                    "a name that steps refer to with '$' has no '-', found " + in_quotes(as->text));
    call.as = as->text;
    if (std::ranges::find(roots_, as->text) == roots_.end()) roots_.push_back(as->text);
  }
  return call;
}

CallExpect ScenarioReader::read_call_expect(const Node& node) {
  CallExpect expect;
  if (const auto* error = node.find("error")) expect.error = to_match(error->text);
  if (const auto* code = node.find("code")) expect.code = read_code(*code);
  if (const auto* state = node.find("state")) expect.state = state->text;
  if (const auto* result = node.find("result")) {
    check_references(*result);
    expect.result = to_json(*result);
  }
  return expect;
}

std::optional<int> ScenarioReader::read_code(const Node& node) {
  if (node.kind == Node::Kind::number) return static_cast<int>(node.number);
  const auto found = std::ranges::find(kCodes, node.text);
  if (found != std::end(kCodes)) return static_cast<int>(found - std::begin(kCodes));
  check_known(node, "error code", {std::begin(kCodes), std::end(kCodes)});
  return std::nullopt;
}

Checks ScenarioReader::read_checks(const Node& node) {
  Checks checks;
  if (node.kind == Node::Kind::text) {
    checks.expression = read_expression(node);
    return checks;
  }
  for (const auto& member : node.members)
    if (auto condition = read_condition(member)) checks.conditions.push_back(std::move(*condition));
  return checks;
}

std::optional<Condition> ScenarioReader::read_condition(const Member& member) {
  const auto& [name, place, value] = member;
  const auto fail = [&](Place where, const std::string& message) {
    problems_.add(where, message);
    return std::nullopt;
  };
  if (!known_.metrics.empty() && std::ranges::find(known_.metrics, name) == known_.metrics.end())
    return fail(place, "unknown condition " + in_quotes(name) + suggestion(name, known_.metrics));
  if (!value.is_scalar() || value.kind == Node::Kind::null)
    return fail(value.place, "the condition " + in_quotes(name) +
                                 " takes a value or a comparison such as \">= 2\", found " + describe(value));
  check_references(value);
  Condition out{name, Comparison::equal, to_json(value), place};
  if (value.kind != Node::Kind::text) return out;
  for (const auto& [sign, comparison] : kComparisons) {
    if (!value.text.starts_with(sign)) continue;
    const auto from = value.text.find_first_not_of(' ', sign.size());
    const auto operand = plain_scalar(from == std::string::npos ? "" : value.text.substr(from));
    const bool orders = comparison != Comparison::equal && comparison != Comparison::not_equal;
    const bool fits = operand.kind == Node::Kind::number || operand.text.starts_with('$') ||
                      (!orders && operand.kind != Node::Kind::null);
    if (!fits)
      return fail(value.place, "the comparison " + in_quotes(value.text) + " needs a " +
                                   (orders ? "number" : "value") + " behind " + in_quotes(sign));
    out.comparison = comparison;
    out.value = to_json(operand);
    return out;
  }
  return out;
}

Await ScenarioReader::read_await(const Node& node) {
  Await out;
  const auto& map = *node.find("await");
  const auto* operation = map.find("operation");
  if (operation == nullptr) {
    problems_.add(map.place, "await needs the operation to wait for, such as {operation: $job.operation}");
    return out;
  }
  check_references(*operation);
  out.operation = operation->text;
  if (const auto* state = map.find("state")) out.state = state->text;
  out.within = duration_or(node, "within", kWithinDefault);
  return out;
}

Parallel ScenarioReader::read_parallel(const Node& list) {
  // No branch can rely on what another one captures; what follows can on all of them.
  const auto before = roots_;
  auto after = roots_;
  Parallel out;
  for (const auto& item : list.items) {
    roots_ = before;
    if (auto step = read_step(item)) out.steps.push_back(std::move(*step));
    for (const auto& root : roots_)
      if (std::ranges::find(after, root) == after.end()) after.push_back(root);
  }
  roots_ = std::move(after);
  return out;
}

Repeat ScenarioReader::read_repeat(const Node& map) {
  Repeat out;
  const auto* times = map.find("times");
  const auto* steps = map.find("steps");
  if (times == nullptr || steps == nullptr) {
    problems_.add(map.place, "repeat needs times and steps");
    return out;
  }
  out.times = static_cast<unsigned>(times->number);
  const auto outside = repetitions_;
  repetitions_ *= out.times;
  if (repetitions_ > kRepetitionsMax)
    problems_.add(times->place, "nested repeats carry out these steps more than 100000 times");
  out.steps = read_steps(*steps);
  repetitions_ = outside;
  return out;
}

Do ScenarioReader::read_do(const Node& node) {
  Do out;
  const auto& action = *node.find("do");
  check_known(action, "action", known_.actions);
  out.action = action.text;
  if (const auto* subject = node.find("on")) {
    check_references(*subject);
    out.subject = subject->text;
  }
  const auto* with = node.find("with");
  if (with == nullptr) {
    check_arguments(out, action.place);
    return out;
  }
  check_references(*with);
  for (const auto& [key, place, value] : with->members) {
    if (!value.is_scalar() || value.kind == Node::Kind::null) {
      problems_.add(value.place,
                    "the argument " + in_quotes(key) + " takes a value, found " + describe(value));
      continue;
    }
    out.arguments[key] = value.kind == Node::Kind::boolean ? (value.boolean ? "true" : "false") : value.text;
  }
  check_arguments(out, with->place);
  return out;
}

void ScenarioReader::check_arguments(const Do& out, const Place& place) {
  const auto* row = fault::find_action(out.action);
  if (row == nullptr || row->is_call()) return;
  if (const auto checked = fault::check_step_arguments(*row, out.arguments); checked.has_error())
    problems_.add(place, checked.error().message);
}

}  // namespace drover::scenario
