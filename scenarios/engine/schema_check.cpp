// Whether a node fits its field: the one place where types, ranges, choices and unknown keys are judged.
#include <charconv>
#include <cmath>
#include <regex>

#include "mockcloud/fault/rule.hpp"
#include "scenarios/engine/expression.hpp"
#include "scenarios/engine/reference.hpp"
#include "scenarios/engine/schema_fields.hpp"

namespace drover::scenario {
namespace {

constexpr std::size_t kRegexMax = 500;

bool is_identifier(std::string_view text) {
  const auto letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  const auto inside = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= 100 && letter(text.front()) && std::ranges::all_of(text, inside);
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

bool whole_between(const Node& value, long least, long most) {
  return value.kind == Node::Kind::number && value.number == std::floor(value.number) &&
         value.number >= static_cast<double>(least) && value.number <= static_cast<double>(most);
}

bool is_seeds(const Node& value) {
  if (value.kind == Node::Kind::number) return whole_between(value, 0, 1'000'000'000);
  if (value.kind != Node::Kind::text) return false;
  const auto dots = value.text.find("..");
  if (dots == std::string::npos) return false;
  const auto first = plain_scalar(value.text.substr(0, dots));
  const auto last = plain_scalar(value.text.substr(dots + 2));
  return whole_between(first, 0, 1'000'000'000) && whole_between(last, 0, 1'000'000'000) &&
         first.number <= last.number;
}

bool is_factor(const Node& value) {
  if (value.kind != Node::Kind::text || !value.text.ends_with('x')) return false;
  const auto number = parse_number(std::string_view(value.text).substr(0, value.text.size() - 1));
  return number && *number > 0 && *number <= 1000;
}

// An error "7: …" of an inner language whose offsets start at `base`, at its place in the file.
bool report_inner(const Node& value, std::string_view what, const std::string& message, std::size_t base,
                  Problems& problems) {
  std::size_t offset = 0;
  const auto [end, error] = std::from_chars(message.data(), message.data() + message.size(), offset);
  const auto skip = error == std::errc{} ? static_cast<std::size_t>(end - message.data()) + 2 : 0;
  problems.add(value.place_at(offset < base ? 0 : offset - base),
               std::string(what) + ": " + message.substr(std::min(skip, message.size())));
  return false;
}

bool check_regex(const Node& value, Problems& problems) {
  const auto& text = value.text;
  if (text.size() < 2 || text.front() != '/') return true;
  if (text.back() != '/') {
    problems.add(value.place, "this regular expression has no closing '/'");
    return false;
  }
  if (text.size() > kRegexMax) {
    problems.add(value.place, "a regular expression has at most 500 characters");
    return false;
  }
  try {
    const std::regex compiled(text.substr(1, text.size() - 2));
  } catch (const std::regex_error& error) {
    problems.add(value.place, "bad regular expression " + in_quotes(text) + ": " + error.what());
    return false;
  }
  return true;
}

bool report(const Node& value, const Field& field, Problems& problems) {
  std::string message = std::string(field.name) + " takes " + expected(field) + ", found " + describe(value);
  const bool timed = field.type == FieldType::duration || field.type == FieldType::distribution;
  if (timed && value.kind == Node::Kind::number) message += ": the unit is missing";
  if (field.type == FieldType::duration && value.kind == Node::Kind::text)
    message += "; units are ns, us, ms, s, m, h, d";
  if (field.type == FieldType::choice && value.kind == Node::Kind::text) {
    const std::vector<std::string> known(field.choices.begin(), field.choices.end());
    if (const auto near = nearest(value.text, known)) message += "; did you mean " + in_quotes(*near) + "?";
  }
  problems.add(value.place, message);
  return false;
}

bool check_matrix(const Node& value, const Field& field, Problems& problems) {
  if (value.kind != Node::Kind::map) return report(value, field, problems);
  bool fine = true;
  for (const auto& [key, place, values] : value.members) {
    const auto bad = [&](Place where, const std::string& message) {
      problems.add(where, message);
      fine = false;
    };
    if (!is_identifier(key) || key.find('-') != std::string::npos)
      bad(place, "a key of the matrix is a name of letters, digits and '_', found " + in_quotes(key));
    if (values.kind != Node::Kind::list || values.items.empty()) {
      bad(values.place, "the matrix takes a list of values for " + in_quotes(key) + ", found " +
                            (values.kind == Node::Kind::list ? "an empty list" : describe(values)));
      continue;
    }
    for (const auto& item : values.items)
      if (!item.is_scalar() || item.kind == Node::Kind::null)
        bad(item.place, "values of the matrix are booleans, numbers and texts, found " + describe(item));
  }
  return fine;
}

bool check_texts(const Node& value, const Field& field, Problems& problems) {
  if (value.kind != Node::Kind::list) return report(value, field, problems);
  bool fine = true;
  for (const auto& item : value.items) {
    if (item.kind == Node::Kind::text) continue;
    problems.add(item.place, std::string(field.name) + " takes texts, found " + describe(item));
    fine = false;
  }
  return fine;
}

bool check_distribution(const Node& value, const Field& field, Problems& problems) {
  if (value.kind != Node::Kind::text) return report(value, field, problems);
  const auto parsed = Distribution::parse(value.text);
  if (!parsed) problems.add(value.place, std::string(field.name) + ": " + parsed.error().message);
  return static_cast<bool>(parsed);
}

// References to anything but the matrix are gone by now where only plain values can stand.
bool check_left_over_reference(const Node& value, const Field& field, Problems& problems) {
  constexpr FieldType kTakesMore[] = {FieldType::text, FieldType::match, FieldType::condition,
                                      FieldType::any};
  const bool plain = std::ranges::find(kTakesMore, field.type) == std::end(kTakesMore);
  if (!plain || value.kind != Node::Kind::text || !value.text.starts_with('$')) return true;
  problems.add(value.place, std::string(field.name) + " takes " + expected(field) +
                                " or a key of the matrix; " + in_quotes(value.text) + " is no key of it");
  return false;
}

bool check_expression(const Node& value, Problems& problems) {
  const auto parsed = Expression::parse(value.text);
  return parsed || report_inner(value, "bad expression", parsed.error().message, 0, problems);
}

bool check_trigger(const Node& value, Problems& problems) {
  const auto parsed = fault::parse_trigger(value.text);
  return parsed || report_inner(value, "bad trigger", parsed.error().message, 1, problems);
}

}  // namespace

bool check_value(const Node& value, const Field& field, Problems& problems) {
  const bool is_text = value.kind == Node::Kind::text;
  const auto fits = [&](bool fine) { return fine || report(value, field, problems); };
  if (!check_left_over_reference(value, field, problems)) return false;
  switch (field.type) {
    case FieldType::boolean:
      return fits(value.kind == Node::Kind::boolean);
    case FieldType::integer:
      return fits(whole_between(value, field.least, field.most));
    case FieldType::number:
      return fits(value.kind == Node::Kind::number && value.number >= static_cast<double>(field.least) &&
                  value.number <= static_cast<double>(field.most));
    case FieldType::text:
      return fits(is_text);
    case FieldType::identifier:
      return fits(is_text && is_identifier(value.text));
    case FieldType::choice:
      return fits(is_text && std::ranges::find(field.choices, value.text) != field.choices.end());
    case FieldType::duration:
      return fits(is_text && parse_duration(value.text));
    case FieldType::distribution:
      return check_distribution(value, field, problems);
    case FieldType::rate:
      return fits(is_text && parse_rate(value.text));
    case FieldType::factor:
      return fits(is_factor(value));
    case FieldType::seeds:
      return fits(is_seeds(value));
    case FieldType::texts:
      return check_texts(value, field, problems);
    case FieldType::steps:
    case FieldType::faults:
    case FieldType::expectations:
    case FieldType::list:
      return fits(value.kind == Node::Kind::list);
    case FieldType::map:
      return fits(value.kind == Node::Kind::map);
    case FieldType::section:
      return check_map(value, field.fields, field.name, problems);
    case FieldType::matrix:
      return check_matrix(value, field, problems);
    case FieldType::condition:
      return fits(is_text || value.kind == Node::Kind::boolean);
    case FieldType::trigger:
      return fits(is_text) && check_trigger(value, problems);
    case FieldType::expression:
      return fits(is_text) && check_expression(value, problems);
    case FieldType::checks:
      if (is_text) return check_expression(value, problems);
      return fits(value.kind == Node::Kind::map && !value.members.empty());
    case FieldType::match:
      return fits(is_text && !value.text.empty()) && check_regex(value, problems);
    case FieldType::code:
      return fits(is_text || whole_between(value, 0, 1'000'000));
    case FieldType::any:
      return true;
  }
  return false;
}

bool check_map(const Node& map, std::span<const Field> fields, std::string_view owner, Problems& problems) {
  if (map.kind != Node::Kind::map) {
    problems.add(map.place, std::string(owner) + " takes a map of keys, found " + describe(map));
    return false;
  }
  bool fine = true;
  for (const auto& [key, place, value] : map.members) {
    const auto* field = find_field(fields, key);
    if (field == nullptr) {
      problems.add(place, "unknown key " + in_quotes(key) + " in " + std::string(owner) +
                              suggestion(key, names_of(fields)));
      fine = false;
    } else if (!check_value(value, *field, problems)) {
      fine = false;
    }
  }
  return fine;
}

std::string expected(const Field& field) {
  const auto range = [&](std::string_view what) {
    return std::string(what) + " from " + std::to_string(field.least) + " to " + std::to_string(field.most);
  };
  switch (field.type) {
    case FieldType::boolean:
      return "yes or no";
    case FieldType::integer:
      return field.least == field.most ? "the number " + std::to_string(field.least)
                                       : range("a whole number");
    case FieldType::number:
      return range("a number");
    case FieldType::text:
      return "a text";
    case FieldType::identifier:
      return "a name of letters, digits, '_' and '-'";
    case FieldType::choice: {
      std::string out = "one of ";
      for (const auto choice : field.choices)
        out += (choice == field.choices.front() ? "" : ", ") + std::string(choice);
      return out;
    }
    case FieldType::duration:
      return "a duration with its unit such as \"35s\"";
    case FieldType::distribution:
      return "a duration such as \"35s\" or a distribution such as \"uniform(0s, 20s)\"";
    case FieldType::rate:
      return "a rate such as \"50/s\", \"10/m\" or \"6/h\"";
    case FieldType::factor:
      return "a factor above 0 and up to 1000 such as \"3x\"";
    case FieldType::seeds:
      return "seeds such as \"1..200\", or one seed";
    case FieldType::texts:
      return "a list of texts";
    case FieldType::list:
      return "a list";
    case FieldType::map:
      return "a map";
    case FieldType::section:
      return "a map of keys";
    case FieldType::matrix:
      return "a map of lists";
    case FieldType::condition:
      return "yes, no, or a condition over the matrix such as \"$crash\" or \"n > 1\"";
    case FieldType::trigger:
      return "a trigger such as \"iaas.newInstance.reply#1\"";
    case FieldType::expression:
      return "an expression such as \"leaked_instances == 0\"";
    case FieldType::checks:
      return "an expression, or a map of conditions such as {state: RUNNING, nodes: 3}";
    case FieldType::match:
      return "a text, or a regular expression between slashes";
    case FieldType::code:
      return "an error code by number or name";
    case FieldType::steps:
      return "a list of steps";
    case FieldType::faults:
      return "a list of faults";
    case FieldType::expectations:
      return "a list of expectations";
    case FieldType::any:
      return "anything";
  }
  return {};
}

std::optional<double> parse_rate(std::string_view text) {
  if (text.size() < 3 || text[text.size() - 2] != '/') return std::nullopt;
  const auto number = parse_number(text.substr(0, text.size() - 2));
  const double seconds = text.back() == 's' ? 1 : text.back() == 'm' ? 60 : text.back() == 'h' ? 3600 : 0;
  if (!number || seconds == 0 || *number < 0 || *number > 1e6) return std::nullopt;
  return *number / seconds;
}

std::string rate_text(double per_second) {
  for (const auto& [unit, seconds] : {std::pair("/s", 1.0), std::pair("/m", 60.0), std::pair("/h", 3600.0)}) {
    const double count = std::round(per_second * seconds);
    if (count / seconds == per_second && count < 1e9) return std::to_string(static_cast<long>(count)) + unit;
  }
  char digits[40];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, per_second);
  return (error == std::errc{} ? std::string(digits, end) : "0") + "/s";
}

}  // namespace drover::scenario
