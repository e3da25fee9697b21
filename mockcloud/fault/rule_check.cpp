// What makes a rule acceptable: the checks of catalogue.hpp.
#include <algorithm>
#include <charconv>

#include "mockcloud/fault/catalogue.hpp"
#include "mockcloud/fault/nearest.hpp"
#include "mockcloud/fault/step_arguments.hpp"

namespace drover::fault {
namespace {

Error invalid(std::string message) { return make_error(ErrorCode::invalid, std::move(message)); }

std::string in_quotes(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::vector<std::string> action_names() {
  std::vector<std::string> names;
  for (const auto& row : catalogue())
    if (std::find(names.begin(), names.end(), row.name) == names.end()) names.emplace_back(row.name);
  return names;
}

const ArgumentRow* find_argument(const std::vector<ArgumentRow>& rows, std::string_view name) {
  for (const auto& row : rows)
    if (row.name == name) return &row;
  return nullptr;
}

bool is_choice(std::string_view choices, std::string_view value) {
  while (true) {
    const auto bar = choices.find('|');
    if (choices.substr(0, bar) == value) return true;
    if (bar == std::string_view::npos) return false;
    choices.remove_prefix(bar + 1);
  }
}

std::optional<double> parse_number(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!(number >= 0 && number <= 1e9)) return std::nullopt;
  return number;
}

Result<void> check_value(std::string_view action, const ArgumentRow& argument, const std::string& value) {
  const std::string where = "argument " + in_quotes(argument.name) + " of " + std::string(action) + ": ";
  switch (argument.type) {
    case ArgumentType::duration: {
      if (argument.or_never && value == "never") return success();
      const auto parsed = Distribution::parse(value);
      if (!parsed)
        return invalid(where + parsed.error().message + (argument.or_never ? ", or \"never\"" : ""));
      return success();
    }
    case ArgumentType::number: {
      const auto number = parse_number(value);
      if (!number) return invalid(where + in_quotes(value) + " is not a number from 0 to 1000000000");
      const bool share = argument.name == "keep" || argument.name == "failing" || argument.name == "share";
      if (share && *number > 1) return invalid(where + in_quotes(value) + " is not a share from 0 to 1");
      return success();
    }
    case ArgumentType::boolean:
      if (!is_choice("yes|no|true|false", value))
        return invalid(where + in_quotes(value) + " is neither yes nor no");
      return success();
    case ArgumentType::text:
      if (!argument.choices.empty() && !is_choice(argument.choices, value))
        return invalid(where + in_quotes(value) + " is none of " + std::string(argument.choices));
      return success();
  }
  return success();
}

// Common arguments of a call's rule are `on`, `calls`, `target`; of the others only `target`.
bool is_common(const ActionRow& row, std::string_view name) {
  return name == "target" || (row.is_call() && (name == "on" || name == "calls"));
}

// `alone` is false with `pick`, where each action takes the arguments it knows.
Result<void> check_arguments(const ActionRow& row, const Rule& rule, bool alone) {
  for (const auto& [name, value] : rule.arguments) {
    if (const ArgumentRow* argument = find_argument(row.arguments, name)) {
      DROVER_TRY(check_value(row.name, *argument, value));
      continue;
    }
    if (!alone || is_common(row, name)) continue;
    std::vector<std::string> names;
    for (const auto& argument : row.arguments) names.emplace_back(argument.name);
    for (const auto& argument : common_arguments())
      if (is_common(row, argument.name)) names.emplace_back(argument.name);
    std::string message =
        std::string(row.name) + " takes no argument " + in_quotes(name) + did_you_mean(name, names);
    if (message.back() != '?') {
      message += "; it takes";
      for (const auto& known : names) message += " " + known;
    }
    return invalid(std::move(message));
  }
  for (const auto& argument : row.arguments)
    if (argument.required && !rule.arguments.contains(std::string(argument.name)))
      return invalid(std::string(row.name) + " needs the argument " + in_quotes(argument.name) + " (" +
                     to_text(argument.type) + "): " + std::string(argument.summary));
  return success();
}

std::string phases_text(const ActionRow& row) {
  std::string text;
  for (const auto phase : {Phase::before, Phase::effect, Phase::reply}) {
    if (!row.in_phase(phase)) continue;
    if (!text.empty()) text += " or ";
    text += to_text(phase);
  }
  return text;
}

// The row of a call action that can be done at `point`; an error says why there is none.
Result<const ActionRow*> row_at(const std::vector<const ActionRow*>& rows, const std::string& point) {
  const std::string name(rows.front()->name);
  const auto call = as_call_point(point);
  if (!call)
    return invalid(
        name + " is done to a call, and " + in_quotes(point) +
        " is none: say with the argument \"on\" which calls it hits, such as on: \"iaas.newInstance\"");
  for (const ActionRow* row : rows) {
    if (port_of(row->target) != call->port) continue;
    if (!row->applies_to(call->call))
      return invalid(name + " cannot be done to " + std::string(call->call) +
                     ", only to: " + std::string(row->calls));
    if (!row->in_phase(call->phase))
      return invalid(name + " cannot be done at " + in_quotes(point) + ", only at " + phases_text(*row) +
                     " of that call");
    return row;
  }
  return invalid(name + " cannot be done to calls of the port " + std::string(to_text(call->port)));
}

Result<void> check_on(const std::vector<const ActionRow*>& rows, const Rule& rule, bool alone) {
  const std::string& on = rule.arguments.at("on");
  bool any = false;
  for (const auto& point : expand_on(on)) {
    const auto call = as_call_point(point);
    // Without a phase the pattern stands for the phases in which the action makes sense.
    const bool whole_call = std::count(on.begin(), on.end(), '.') < 2;
    if (whole_call && std::none_of(rows.begin(), rows.end(), [&](const ActionRow* row) {
          return port_of(row->target) == call->port && row->in_phase(call->phase);
        }))
      continue;
    DROVER_TRY(const auto* row, row_at(rows, point));
    DROVER_TRY(check_arguments(*row, rule, alone));
    any = true;
  }
  if (any) return success();
  std::vector<std::string> calls;
  for (const auto port : {Port::iaas, Port::agent, Port::store})
    for (const auto call : calls_of(port))
      calls.push_back(std::string(to_text(port)) + "." + std::string(call));
  return invalid("argument \"on\" of " + std::string(rows.front()->name) + ": " + in_quotes(on) +
                 " names no call it can be done to" + did_you_mean(on, calls));
}

Result<void> check_call_count(const Rule& rule) {
  const auto given = rule.arguments.find("calls");
  if (given == rule.arguments.end()) return success();
  if (!rule.arguments.contains("on"))
    return invalid("the argument \"calls\" is of use only together with \"on\"");
  const auto number = parse_number(given->second);
  if (!number || *number < 1 || *number > 1e6 || *number != static_cast<double>(static_cast<int>(*number)))
    return invalid("argument \"calls\": " + in_quotes(given->second) +
                   " is not a whole number from 1 to 1000000");
  return success();
}

Result<void> check_action(const std::string& name, const Rule& rule, bool alone) {
  const auto rows = find_actions(name);
  if (rows.empty())
    return invalid("unknown fault action " + in_quotes(name) + did_you_mean(name, action_names()));
  const ActionRow& first = *rows.front();
  if (!first.is_call()) return check_arguments(first, rule, alone);
  DROVER_TRY(check_call_count(rule));
  if (rule.arguments.contains("on")) return check_on(rows, rule, alone);
  if (first.window) {
    DROVER_TRY(check_arguments(first, rule, alone));
    const auto length = rule.arguments.find("for");
    if (length != rule.arguments.end() && length->second != "0s") return success();
  }
  if (!rule.when)
    return invalid(name +
                   " is done to a call, and this rule fires at a time: say with the argument \"on\" which "
                   "calls it hits, such as on: \"iaas.newInstance\"");
  for (const auto& point : completing_points(*rule.when)) {
    DROVER_TRY(const auto* row, row_at(rows, point));
    DROVER_TRY(check_arguments(*row, rule, alone));
  }
  return success();
}

Result<void> check_id(const std::string& id) {
  const auto legal = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  if (id.size() > 100) return invalid("the id of a fault rule has at most 100 characters");
  if (!std::all_of(id.begin(), id.end(), legal))
    return invalid("the id of a fault rule, " + in_quotes(id) +
                   ", may hold letters, digits, '_' and '-' only");
  if (id.starts_with("fault-"))
    return invalid("ids that begin with \"fault-\" are kept for unnamed rules: give " + in_quotes(id) +
                   " another one");
  return success();
}

Result<void> check_times(const Rule& rule) {
  const int given = (rule.when ? 1 : 0) + (rule.at ? 1 : 0) + (rule.every ? 1 : 0);
  if (given != 1)
    return invalid("a fault rule has exactly one of when, at, every; this one has " +
                   std::string(given == 0 ? "none" : "several"));
  if (rule.every && rule.every->median() <= Duration{0})
    return invalid("every: the gaps drawn from " + rule.every->to_text() + " are not above 0s");
  if (rule.at && *rule.at < Duration{0}) return invalid("at: a time before the start");
  if (rule.at && rule.until && *rule.until < *rule.at)
    return invalid("until (" + drover::to_text(*rule.until) + ") is before at (" + drover::to_text(*rule.at) +
                   "): it can never fire");
  if (rule.probability && !(*rule.probability >= 0 && *rule.probability <= 1))
    return invalid("probability must be a number from 0 to 1");
  if (rule.times && *rule.times == 0)
    return invalid("times: 0 means that it can never fire; use if: no instead");
  return success();
}

// With `pick`, every argument must be known by at least one of the actions.
Result<void> check_picked_arguments(const Rule& rule) {
  for (const auto& [name, value] : rule.arguments) {
    const auto known = [&name](const std::string& action) {
      const auto rows = find_actions(action);
      return std::any_of(rows.begin(), rows.end(), [&name](const ActionRow* row) {
        return find_argument(row->arguments, name) != nullptr || is_common(*row, name);
      });
    };
    if (!std::any_of(rule.pick.begin(), rule.pick.end(), known))
      return invalid("none of the picked actions takes an argument " + in_quotes(name));
  }
  return success();
}

Result<void> check_one(const Rule& rule, const std::vector<std::string>* ids) {
  DROVER_TRY(check_id(rule.id));
  DROVER_TRY(check_times(rule));
  if (rule.when) {
    const auto checked = check_trigger(*rule.when, ids);
    if (!checked) return invalid("when: " + checked.error().message);
  }
  if (rule.pick.empty() == rule.action.empty()) return invalid("a fault rule has exactly one of do and pick");
  if (!rule.action.empty()) return check_action(rule.action, rule, true);
  for (const auto& action : rule.pick) {
    DROVER_TRY(check_action(action, rule, false));
  }
  return check_picked_arguments(rule);
}

}  // namespace

std::vector<std::string> expand_on(std::string_view on) {
  std::vector<std::string> points;
  const bool whole_call = std::count(on.begin(), on.end(), '.') < 2;
  for (auto& point : expand_point(whole_call ? std::string(on) + ".*" : std::string(on)))
    if (as_call_point(point)) points.push_back(std::move(point));
  return points;
}

Result<void> check_step_arguments(const ActionRow& row, const std::map<std::string, std::string>& arguments) {
  ActionRow still = row;
  Rule plain;
  for (const auto& [name, value] : arguments) {
    const bool refers = value.find('$') != std::string::npos && find_argument(row.arguments, name) != nullptr;
    if (refers)
      std::erase_if(still.arguments, [&](const ArgumentRow& argument) { return argument.name == name; });
    else
      plain.arguments[name] = value;
  }
  return check_arguments(still, plain, true);
}

Result<void> check_rule(const Rule& rule) { return check_one(rule, nullptr); }

Result<void> check_rules(const std::vector<Rule>& rules) {
  std::vector<std::string> ids;
  std::size_t unnamed = 0;
  for (const auto& rule : rules) {
    if (rule.id.empty()) continue;
    if (std::find(ids.begin(), ids.end(), rule.id) != ids.end())
      return invalid("two fault rules have the id " + in_quotes(rule.id));
    ids.push_back(rule.id);
  }
  for (const auto& rule : rules) {
    const std::string name = rule.id.empty() ? "fault-" + std::to_string(++unnamed) : rule.id;
    const auto checked = check_one(rule, &ids);
    if (!checked) return invalid("fault " + name + ": " + checked.error().message);
  }
  return success();
}

}  // namespace drover::fault
