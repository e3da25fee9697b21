// The small language of expectations: "writable_masters <= 1", "leaked_instances == 0 && nodes >= 2",
// "not lost.fired or (a + b) * 2 < max(c, 10)". Parsed once, names bound to slots once, then evaluated after
// every event without allocating. Immutable after bind(): evaluation from any thread.
//
// Precedence, loosest first: or ||, and &&, not !, comparisons (== != < <= > >=, not chained), + -, * /,
// unary -. Numbers are doubles; texts stand in single quotes; true, false, yes and no are booleans; functions
// are min, max (two or more arguments) and abs. `and` and `or` do not look at their right side when the left
// one decides.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "manager/base/result.hpp"

namespace drover::scenario {

using Value = std::variant<bool, double, std::string>;
using Lookup = std::function<std::optional<Value>(std::string_view)>;

std::string to_text(const Value& value);

class Expression {
 public:
  struct Name {
    std::string name;
    std::size_t offset = 0;  // of its first use
    unsigned slot = 0;       // its index in what bind() was given; until then in names()
  };

  Expression() = default;  // empty: evaluates to true
  // Errors (ErrorCode::invalid) carry the offset in characters in front of the message: "7: …".
  static Result<Expression> parse(std::string_view text);

  const std::string& text() const { return text_; }
  bool empty() const { return nodes_.empty(); }
  const std::vector<Name>& names() const { return names_; }

  // Gives every name its index in `known`. An unknown one is an error "offset: message" that says the
  // nearest.
  Result<void> bind(std::span<const std::string> known);

  // `fetch(slot)` gives a Value. Errors (ErrorCode::invalid, "offset: message"): a type that does not fit, a
  // division by zero.
  template <class Fetch>
  requires std::is_invocable_r_v<Value, Fetch&, unsigned> Result<Value> evaluate(Fetch&& fetch)
  const {
    using Plain = std::remove_reference_t<Fetch>;
    return run([](void* context, unsigned slot) -> Value { return (*static_cast<Plain*>(context))(slot); },
               const_cast<void*>(static_cast<const void*>(&fetch)));
  }
  // One value per name that bind() knew, in that order.
  Result<Value> evaluate(std::span<const Value> values) const;
  // By name, without bind(); an unknown name is an error. Slow: for tests and tools.
  Result<Value> evaluate(const Lookup& lookup) const;
  // As evaluate(), for what must be true or false: another type is an error.
  template <class Source>
  Result<bool> holds(Source&& source) const {
    return as_boolean(evaluate(std::forward<Source>(source)));
  }

  friend bool operator==(const Expression& a, const Expression& b) { return a.text_ == b.text_; }

 private:
  friend class ExpressionParser;
  friend class ExpressionRun;
  using FetchFunction = Value (*)(void* context, unsigned slot);

  enum class Op : std::uint8_t {
    literal,
    name,
    either,
    both,
    negation,
    equal,
    not_equal,
    less,
    less_equal,
    greater,
    greater_equal,
    add,
    subtract,
    multiply,
    divide,
    minus,
    minimum,
    maximum,
    absolute,
  };
  struct Node {
    Op op = Op::literal;
    std::uint32_t offset = 0;
    std::uint32_t first = 0;  // index into children_ (operators), literals_ or names_
    std::uint32_t count = 0;  // of children
  };

  Result<Value> run(FetchFunction fetch, void* context) const;
  static Result<bool> as_boolean(Result<Value> value);

  std::string text_;
  std::vector<Node> nodes_;  // the last one is the root
  std::vector<std::uint32_t> children_;
  std::vector<Value> literals_;
  std::vector<Name> names_;
};

}  // namespace drover::scenario
