// Recursive descent over the text of an expression, children before parents. Depth and length are bounded:
// files are hostile.
#include <charconv>
#include <cmath>

#include "scenarios/engine/document.hpp"
#include "scenarios/engine/expression.hpp"

namespace drover::scenario {
namespace {

constexpr std::size_t kTextMax = 4000;
constexpr int kDepthMax = 50;

Error fail_at(std::size_t offset, std::string_view message) {
  return make_error(ErrorCode::invalid, std::to_string(offset) + ": " + std::string(message));
}

bool starts_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

class ExpressionParser {
 public:
  explicit ExpressionParser(std::string_view text) : text_(text) { out_.text_ = text; }

  Result<Expression> parse() {
    if (text_.size() > kTextMax) return fail_at(kTextMax, "the expression is longer than 4,000 characters");
    skip_space();
    if (at_ == text_.size()) return fail_at(0, "the expression is empty");
    DROVER_TRY(either());
    skip_space();
    if (at_ < text_.size() && text_[at_] == '=')
      return fail_at(at_, "a single '=' compares nothing; write '=='");
    if (at_ != text_.size()) return fail_at(at_, "expected an operator or the end, found " + here());
    return std::move(out_);
  }

 private:
  using Op = Expression::Op;
  using Index = std::uint32_t;

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  std::string here() const {
    if (at_ >= text_.size()) return "the end";
    auto end = at_ + 1;
    while (end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xC0U) == 0x80U) ++end;
    while (starts_name(text_[at_]) && end < text_.size() && (starts_name(text_[end]) || is_digit(text_[end])))
      ++end;
    return in_quotes(text_.substr(at_, end - at_));
  }

  // Whether this symbol stands here; moves behind it.
  bool take(std::string_view symbol) {
    skip_space();
    if (!text_.substr(at_).starts_with(symbol)) return false;
    at_ += symbol.size();
    return true;
  }
  // The same for a whole word.
  bool take_word(std::string_view word) {
    skip_space();
    if (!text_.substr(at_).starts_with(word)) return false;
    const auto end = at_ + word.size();
    if (end < text_.size() && (starts_name(text_[end]) || is_digit(text_[end]) || text_[end] == '.'))
      return false;
    at_ = end;
    return true;
  }

  Index add(Op op, std::size_t offset, std::span<const Index> children) {
    const auto first = static_cast<Index>(out_.children_.size());
    out_.children_.insert(out_.children_.end(), children.begin(), children.end());
    return push(op, offset, first, static_cast<Index>(children.size()));
  }
  Index push(Op op, std::size_t offset, Index first, Index count) {
    out_.nodes_.push_back({op, static_cast<std::uint32_t>(offset), first, count});
    return static_cast<Index>(out_.nodes_.size() - 1);
  }
  Index literal(Value value, std::size_t offset) {
    out_.literals_.push_back(std::move(value));
    return push(Op::literal, offset, static_cast<Index>(out_.literals_.size() - 1), 0);
  }

  Result<Index> either() {
    if (++depth_ > kDepthMax) return fail_at(at_, "the expression is nested deeper than 50 levels");
    DROVER_TRY(auto first, both());
    std::vector<Index> sides{first};
    const auto offset = at_;
    while (take("||") || take_word("or")) {
      DROVER_TRY(auto side, both());
      sides.push_back(side);
    }
    --depth_;
    return sides.size() == 1 ? first : add(Op::either, offset, sides);
  }

  Result<Index> both() {
    DROVER_TRY(auto first, negation());
    std::vector<Index> sides{first};
    const auto offset = at_;
    while (take("&&") || take_word("and")) {
      DROVER_TRY(auto side, negation());
      sides.push_back(side);
    }
    return sides.size() == 1 ? first : add(Op::both, offset, sides);
  }

  Result<Index> negation() {
    skip_space();
    const auto offset = at_;
    const bool symbol = at_ < text_.size() && text_[at_] == '!' && !text_.substr(at_).starts_with("!=");
    if (!(symbol && take("!")) && !take_word("not")) return comparison();
    if (++depth_ > kDepthMax) return fail_at(at_, "the expression is nested deeper than 50 levels");
    DROVER_TRY(auto inner, negation());
    --depth_;
    return add(Op::negation, offset, std::span(&inner, 1));
  }

  std::optional<Op> comparison_sign() {
    if (take("==")) return Op::equal;
    if (take("!=")) return Op::not_equal;
    if (take("<=")) return Op::less_equal;
    if (take(">=")) return Op::greater_equal;
    if (take("<")) return Op::less;
    if (take(">")) return Op::greater;
    return std::nullopt;
  }

  Result<Index> comparison() {
    DROVER_TRY(auto left, sum());
    skip_space();
    const auto offset = at_;
    const auto sign = comparison_sign();
    if (!sign) return left;
    DROVER_TRY(auto right, sum());
    skip_space();
    const auto chained = at_;
    if (comparison_sign()) return fail_at(chained, "comparisons do not chain; write \"a < b and b < c\"");
    const Index sides[] = {left, right};
    return add(*sign, offset, sides);
  }

  Result<Index> sum() {
    DROVER_TRY(auto left, product());
    while (true) {
      skip_space();
      const auto offset = at_;
      const auto op = take("+") ? Op::add : take("-") ? Op::subtract : Op::literal;
      if (op == Op::literal) return left;
      DROVER_TRY(auto right, product());
      const Index sides[] = {left, right};
      left = add(op, offset, sides);
    }
  }

  Result<Index> product() {
    DROVER_TRY(auto left, factor());
    while (true) {
      skip_space();
      const auto offset = at_;
      const auto op = take("*") ? Op::multiply : take("/") ? Op::divide : Op::literal;
      if (op == Op::literal) return left;
      DROVER_TRY(auto right, factor());
      const Index sides[] = {left, right};
      left = add(op, offset, sides);
    }
  }

  Result<Index> factor() {
    skip_space();
    const auto offset = at_;
    if (at_ == text_.size()) return fail_at(at_, "a value is missing at the end");
    const char c = text_[at_];
    if (take("-")) {
      if (++depth_ > kDepthMax) return fail_at(at_, "the expression is nested deeper than 50 levels");
      DROVER_TRY(auto inner, factor());
      --depth_;
      return add(Op::minus, offset, std::span(&inner, 1));
    }
    if (take("(")) {
      DROVER_TRY(auto inner, either());
      if (!take(")")) return fail_at(at_, "expected ')', found " + here());
      return inner;
    }
    if (c == '\'') return text();
    if (is_digit(c)) return number();
    if (starts_name(c)) return name();
    if (c == '$') return fail_at(at_, "only matrix keys can stand after '$' in an expression");
    if (c == '"') return fail_at(at_, "texts stand in single quotes here");
    return fail_at(at_, "expected a value, found " + here());
  }

  Result<Index> text() {
    const auto offset = at_++;
    const auto end = text_.find('\'', at_);
    if (end == std::string_view::npos) return fail_at(offset, "this text has no closing quote");
    std::string value(text_.substr(at_, end - at_));
    at_ = end + 1;
    return literal(Value(std::move(value)), offset);
  }

  Result<Index> number() {
    const auto offset = at_;
    double value = 0;
    const char* const end = text_.data() + text_.size();
    const auto [stop, error] = std::from_chars(text_.data() + at_, end, value);
    if (error != std::errc{} || !std::isfinite(value)) return fail_at(offset, "this number is too large");
    at_ = static_cast<std::size_t>(stop - text_.data());
    if (at_ < text_.size() && starts_name(text_[at_]))
      return fail_at(offset,
                     "numbers have no unit here; metrics with a unit say it in their name (lag_max_s)");
    return literal(Value(value), offset);
  }

  Result<Index> name() {
    const auto offset = at_;
    while (at_ < text_.size() &&
           (starts_name(text_[at_]) || is_digit(text_[at_]) || text_[at_] == '-' || text_[at_] == '.')) {
      const bool joins = at_ + 1 < text_.size() && (starts_name(text_[at_ + 1]) || is_digit(text_[at_ + 1]));
      // "a-b" is a subtraction unless the dash is inside a dotted name ("fault-1.fired").
      if ((text_[at_] == '.' && !joins) || (text_[at_] == '-' && !dash_in_name(offset))) break;
      ++at_;
    }
    const std::string found(text_.substr(offset, at_ - offset));
    if (found == "true" || found == "yes") return literal(Value(true), offset);
    if (found == "false" || found == "no") return literal(Value(false), offset);
    if (found == "and" || found == "or" || found == "not")
      return fail_at(offset, "expected a value, found " + in_quotes(found));
    skip_space();
    if (at_ < text_.size() && text_[at_] == '(') return call(found, offset);
    auto known = std::ranges::find(out_.names_, found, &Expression::Name::name);
    if (known == out_.names_.end()) {
      const auto slot = static_cast<unsigned>(out_.names_.size());
      known = out_.names_.insert(known, {found, offset, slot});
    }
    return push(Op::name, offset, static_cast<Index>(known - out_.names_.begin()), 0);
  }

  // Whether the name that began at `offset` goes on over this dash: without a space around, and a dot follows
  // in the same word, as in the ids of faults ("lost-reply.fired").
  bool dash_in_name(std::size_t offset) const {
    auto end = at_;
    while (end < text_.size() && (starts_name(text_[end]) || is_digit(text_[end]) || text_[end] == '-'))
      ++end;
    return end < text_.size() && text_[end] == '.' &&
           text_.substr(offset, at_ - offset).find('.') == std::string_view::npos;
  }

  Result<Index> call(const std::string& function, std::size_t offset) {
    static const std::vector<std::string> kFunctions{"min", "max", "abs"};
    if (std::ranges::find(kFunctions, function) == kFunctions.end())
      return fail_at(offset, "unknown function " + in_quotes(function) + suggestion(function, kFunctions));
    take("(");
    std::vector<Index> arguments;
    do {
      DROVER_TRY(auto argument, either());
      arguments.push_back(argument);
    } while (take(","));
    if (!take(")")) return fail_at(at_, "expected ',' or ')', found " + here());
    const bool absolute = function == "abs";
    if (absolute && arguments.size() != 1) return fail_at(offset, "abs takes one argument");
    if (!absolute && arguments.size() < 2) return fail_at(offset, function + " takes two or more arguments");
    return add(absolute ? Op::absolute : function == "min" ? Op::minimum : Op::maximum, offset, arguments);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  Expression out_;
};

Result<Expression> Expression::parse(std::string_view text) { return ExpressionParser(text).parse(); }

}  // namespace drover::scenario
