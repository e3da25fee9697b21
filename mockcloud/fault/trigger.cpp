#include <cstdint>
#include <optional>
#include <string>

#include "mockcloud/fault/rule.hpp"

namespace drover::fault {
namespace {

using Kind = Trigger::Kind;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.' || c == '*';
}

// The operators, loosest first.
struct Operator {
  char sign;
  Kind kind;
};
constexpr Operator kOperators[] = {{'|', Kind::either}, {';', Kind::then}, {'&', Kind::both}};
constexpr std::size_t kTightest = std::size(kOperators);

std::size_t binding(Kind kind) {
  for (std::size_t level = 0; level < kTightest; ++level)
    if (kOperators[level].kind == kind) return level;
  return kTightest;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Trigger> whole() {
    if (text_.size() > kLongest) return error(kLongest, "a trigger has at most 2000 characters");
    DROVER_TRY(auto trigger, level(0));
    if (at_ < text_.size()) {
      if (text_[at_] == ')') return error(at_, "')' without its '('");
      return error(at_, "expected '|', ';', '&' or the end, found " + found());
    }
    return trigger;
  }

 private:
  static constexpr std::size_t kLongest = 2000;
  static constexpr unsigned kDeepest = 50;

  static Error error(std::size_t offset, const std::string& what) {
    return make_error(ErrorCode::invalid, std::to_string(offset + 1) + ": " + what);
  }
  std::string found() const {
    if (at_ >= text_.size()) return "the end";
    const char c = text_[at_];
    if (c < ' ' || c > '~') return "a character that is not printable ASCII";
    return std::string("'") + c + "'";
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
  }

  Result<Trigger> level(std::size_t operator_level) {
    if (operator_level == kTightest) return operand();
    DROVER_TRY(auto first, level(operator_level + 1));
    const auto [sign, kind] = kOperators[operator_level];
    if (at_ >= text_.size() || text_[at_] != sign) return first;
    Trigger combined;
    combined.kind = kind;
    combined.children.push_back(std::move(first));
    while (at_ < text_.size() && text_[at_] == sign) {
      ++at_;
      DROVER_TRY(auto next, level(operator_level + 1));
      combined.children.push_back(std::move(next));
    }
    return combined;
  }

  Result<Trigger> operand() {
    skip_space();
    if (at_ < text_.size() && text_[at_] == '(') return parenthesised();
    DROVER_TRY(auto trigger, point());
    skip_space();
    return trigger;
  }

  Result<Trigger> parenthesised() {
    const std::size_t open = at_;
    if (++depth_ > kDeepest) return error(open, "parentheses are nested more than 50 deep");
    ++at_;
    DROVER_TRY(auto inside, level(0));
    if (at_ >= text_.size()) return error(open, "'(' is never closed");
    if (text_[at_] != ')') return error(at_, "expected '|', ';', '&' or ')', found " + found());
    ++at_;
    --depth_;
    skip_space();
    return inside;
  }

  Result<Trigger> point() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_name_character(text_[at_])) ++at_;
    if (at_ == begin)
      return error(at_, "expected an observation point, the id of a rule or '(', found " + found());
    Trigger trigger;
    trigger.point = text_.substr(begin, at_ - begin);
    if (const auto empty = empty_part(trigger.point))
      return error(begin + *empty, "a part of the name \"" + trigger.point + "\" is empty");
    if (at_ < text_.size() && text_[at_] == '#') {
      DROVER_TRY(occurrence(trigger));
    }
    return trigger;
  }

  // The offset at which a part of a dotted name is missing.
  static std::optional<std::size_t> empty_part(const std::string& name) {
    if (name.front() == '.') return 0;
    if (name.back() == '.') return name.size();
    if (const auto twice = name.find(".."); twice != std::string::npos) return twice + 1;
    return std::nullopt;
  }

  Result<void> occurrence(Trigger& trigger) {
    const std::size_t sign = at_++;
    constexpr unsigned kHighest = 1'000'000'000;
    unsigned number = 0;
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
      number = number * 10 + static_cast<unsigned>(text_[at_] - '0');
      if (number > kHighest) return error(begin, "the number after '#' is above 1000000000");
      ++at_;
    }
    if (at_ == begin) return error(sign, "'#' needs a number from 1 on, such as \"#1\" or \"#2+\"");
    if (number == 0) return error(begin, "occurrences are counted from 1");
    trigger.first = number;
    trigger.onward = at_ < text_.size() && text_[at_] == '+';
    if (trigger.onward) ++at_;
    return success();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  unsigned depth_ = 0;
};

void append(std::string& text, const Trigger& trigger) {
  if (trigger.kind == Kind::point) {
    text += trigger.point;
    if (trigger.first == 1 && trigger.onward) return;
    text += '#';
    text += std::to_string(trigger.first);
    if (trigger.onward) text += '+';
    return;
  }
  const std::size_t own = binding(trigger.kind);
  bool first = true;
  for (const auto& child : trigger.children) {
    if (!first) {
      if (trigger.kind != Kind::then) text += ' ';
      text += kOperators[own].sign;
      text += ' ';
    }
    first = false;
    const bool parentheses = binding(child.kind) <= own;
    if (parentheses) text += '(';
    append(text, child);
    if (parentheses) text += ')';
  }
}

// Length in front, so that no text can pass for another with a separator in it.
void field(std::string& text, std::string_view name, std::string_view value) {
  text += name;
  text += '=';
  text += std::to_string(value.size());
  text += ':';
  text += value;
  text += ' ';
}

}  // namespace

Result<Trigger> parse_trigger(std::string_view text) { return Parser(text).whole(); }

std::string to_text(const Trigger& trigger) {
  std::string text;
  append(text, trigger);
  return text;
}

std::string canonical_text(const Rule& rule) {
  std::string text;
  if (!rule.id.empty()) field(text, "id", rule.id);
  if (rule.when) field(text, "when", to_text(*rule.when));
  if (rule.at) field(text, "at", drover::to_text(*rule.at));
  if (rule.every) field(text, "every", rule.every->to_text());
  if (rule.until) field(text, "until", drover::to_text(*rule.until));
  if (rule.subject) field(text, "subject", *rule.subject);
  if (rule.probability) {
    // In parts of 10^15, an integer: printing a double depends on the locale.
    field(text, "probability", std::to_string(static_cast<std::int64_t>(*rule.probability * 1e15)));
  }
  if (rule.times) field(text, "times", std::to_string(*rule.times));
  if (!rule.action.empty()) field(text, "do", rule.action);
  for (const auto& action : rule.pick) field(text, "pick", action);
  for (const auto& [name, value] : rule.arguments) field(text, "arg." + name, value);
  if (rule.beyond_budget) field(text, "budget", "beyond");
  return text;
}

}  // namespace drover::fault
