#include "scenarios/engine/expression.hpp"

#include <cmath>

#include "scenarios/engine/document.hpp"

namespace drover::scenario {
namespace {

Error fail_at(std::size_t offset, std::string_view message) {
  return make_error(ErrorCode::invalid, std::to_string(offset) + ": " + std::string(message));
}

const char* type_name(const Value& value) {
  return value.index() == 0 ? "a boolean" : value.index() == 1 ? "a number" : "a text";
}

}  // namespace

std::string to_text(const Value& value) {
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value)) return "'" + *text + "'";
  return nlohmann::json(std::get<double>(value)).dump();
}

// Evaluates one tree. Every step leaves its result in `out` and answers whether it could; what went wrong is
// in error_, so that nothing is built on the way that succeeds.
class ExpressionRun {
 public:
  ExpressionRun(const Expression& expression, Expression::FetchFunction fetch, void* context)
      : expression_(expression), fetch_(fetch), context_(context) {}

  bool run(std::uint32_t index, Value& out) {
    using Op = Expression::Op;
    const auto& node = expression_.nodes_[index];
    switch (node.op) {
      case Op::literal:
        out = expression_.literals_[node.first];
        return true;
      case Op::name:
        out = fetch_(context_, expression_.names_[node.first].slot);
        return true;
      case Op::either:
      case Op::both:
        return logic(node, out);
      case Op::negation: {
        bool value = false;
        if (!boolean(child(node, 0), "not", value)) return false;
        out = !value;
        return true;
      }
      case Op::equal:
      case Op::not_equal:
        return equality(node, out);
      case Op::less:
      case Op::less_equal:
      case Op::greater:
      case Op::greater_equal:
        return order(node, out);
      default:
        return arithmetic(node, out);
    }
  }

  Error error_;

 private:
  using Node = Expression::Node;

  std::uint32_t child(const Node& node, std::uint32_t which) const {
    return expression_.children_[node.first + which];
  }
  bool fail(std::size_t offset, std::string_view message) {
    error_ = fail_at(offset, message);
    return false;
  }
  bool boolean(std::uint32_t index, std::string_view what, bool& out) {
    Value value;
    if (!run(index, value)) return false;
    if (const auto* found = std::get_if<bool>(&value)) {
      out = *found;
      return true;
    }
    return fail(expression_.nodes_[index].offset,
                std::string(what) + " takes booleans, this is " + type_name(value));
  }
  bool number(std::uint32_t index, double& out) {
    Value value;
    if (!run(index, value)) return false;
    if (const auto* found = std::get_if<double>(&value)) {
      out = *found;
      return true;
    }
    return fail(expression_.nodes_[index].offset,
                std::string("arithmetic and order take numbers, this is ") + type_name(value));
  }

  bool logic(const Node& node, Value& out) {
    const bool decides = node.op == Expression::Op::either;
    for (std::uint32_t i = 0; i < node.count; ++i) {
      bool value = false;
      if (!boolean(child(node, i), decides ? "or" : "and", value)) return false;
      if (value == decides) {
        out = decides;
        return true;
      }
    }
    out = !decides;
    return true;
  }

  bool equality(const Node& node, Value& out) {
    Value a, b;
    if (!run(child(node, 0), a) || !run(child(node, 1), b)) return false;
    if (a.index() != b.index())
      return fail(node.offset, std::string("cannot compare ") + type_name(a) + " with " + type_name(b));
    out = (a == b) == (node.op == Expression::Op::equal);
    return true;
  }

  bool order(const Node& node, Value& out) {
    using Op = Expression::Op;
    double a = 0, b = 0;
    if (!number(child(node, 0), a) || !number(child(node, 1), b)) return false;
    out = node.op == Op::less         ? a < b
          : node.op == Op::less_equal ? a <= b
          : node.op == Op::greater    ? a > b
                                      : a >= b;
    return true;
  }

  bool arithmetic(const Node& node, Value& out) {
    using Op = Expression::Op;
    double result = 0;
    if (!number(child(node, 0), result)) return false;
    if (node.op == Op::minus) result = -result;
    if (node.op == Op::absolute) result = std::fabs(result);
    for (std::uint32_t i = 1; i < node.count; ++i) {
      double operand = 0;
      if (!number(child(node, i), operand)) return false;
      if (node.op == Op::divide && operand == 0) return fail(node.offset, "division by zero");
      switch (node.op) {
        case Op::add:
          result += operand;
          break;
        case Op::subtract:
          result -= operand;
          break;
        case Op::multiply:
          result *= operand;
          break;
        case Op::divide:
          result /= operand;
          break;
        case Op::minimum:
          result = std::min(result, operand);
          break;
        default:
          result = std::max(result, operand);
          break;
      }
    }
    out = result;
    return true;
  }

  const Expression& expression_;
  Expression::FetchFunction fetch_;
  void* context_;
};

Result<void> Expression::bind(std::span<const std::string> known) {
  for (auto& name : names_) {
    const auto found = std::ranges::find(known, name.name);
    if (found == known.end())
      return fail_at(name.offset, "unknown name " + in_quotes(name.name) + suggestion(name.name, known));
    name.slot = static_cast<unsigned>(found - known.begin());
  }
  return success();
}

Result<Value> Expression::run(FetchFunction fetch, void* context) const {
  if (nodes_.empty()) return Value(true);
  ExpressionRun run(*this, fetch, context);
  Value out;
  if (!run.run(static_cast<std::uint32_t>(nodes_.size() - 1), out)) return std::move(run.error_);
  return out;
}

Result<Value> Expression::evaluate(std::span<const Value> values) const {
  for (const auto& name : names_)
    if (name.slot >= values.size()) return fail_at(name.offset, "no value for " + in_quotes(name.name));
  return evaluate([&](unsigned slot) { return values[slot]; });
}

Result<Value> Expression::evaluate(const Lookup& lookup) const {
  Expression numbered = *this;
  std::vector<Value> values;
  for (auto& name : numbered.names_) {
    auto value = lookup(name.name);
    if (!value) return fail_at(name.offset, "unknown name " + in_quotes(name.name));
    name.slot = static_cast<unsigned>(values.size());
    values.push_back(std::move(*value));
  }
  return numbered.evaluate(std::span<const Value>(values));
}

Result<bool> Expression::as_boolean(Result<Value> value) {
  if (!value) return std::move(value).error();
  if (const auto* found = std::get_if<bool>(&value.value())) return *found;
  return fail_at(0, std::string("expected true or false, the expression is ") + type_name(value.value()));
}

}  // namespace drover::scenario
