#include <gmock/gmock.h>

#include "scenarios/engine/expression.hpp"

namespace drover::scenario {
namespace {

std::optional<Value> world(std::string_view name) {
  if (name == "a") return Value(1.0);
  if (name == "b") return Value(2.0);
  if (name == "c") return Value(7.0);
  if (name == "x") return Value(false);
  if (name == "lost.fired" || name == "fault-1.fired") return Value(true);
  if (name == "state") return Value(std::string("RUNNING"));
  return std::nullopt;
}

// The value as text, or the error.
std::string result(std::string_view text) {
  const auto parsed = Expression::parse(text);
  if (!parsed) return parsed.error().message;
  const auto value = parsed.value().evaluate(Lookup(world));
  return value ? to_text(value.value()) : value.error().message;
}

struct Example {
  const char* text;
  const char* result;
  friend void PrintTo(const Example& example, std::ostream* out) {
    *out << testing::PrintToString(std::string(example.text));
  }
};
class Expressions : public testing::TestWithParam<Example> {};

TEST_P(Expressions, GiveTheirValue) {
  EXPECT_EQ(result(GetParam().text), GetParam().result) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Values, Expressions,
    testing::Values(Example{"1 + 2 * 3", "7.0"}, Example{"(1 + 2) * 3", "9.0"}, Example{"10 - 2 - 3", "5.0"},
                    Example{"12 / 2 / 3", "2.0"}, Example{"--a", "1.0"}, Example{"-a + 3", "2.0"},
                    Example{"a-b", "-1.0"}, Example{"not x or (a + b) * 2 < c", "true"},
                    Example{"x or not x and x", "false"}, Example{"!x && a == 1", "true"},
                    Example{"! ! x", "false"}, Example{"x || lost.fired", "true"},
                    Example{"lost.fired", "true"}, Example{"fault-1.fired and a != b", "true"},
                    Example{"state == 'RUNNING'", "true"}, Example{"'a b' != state", "true"},
                    Example{"x == no", "true"}, Example{"yes", "true"}, Example{"min(3, b, 9)", "2.0"},
                    Example{"max(a, b) + abs(-1)", "3.0"},
                    Example{"a <= 1 and b >= 2 and a < b and b > a", "true"}, Example{"1e3 == 1000", "true"},
                    Example{"a\n ==\t1", "true"}, Example{"order == 1", "0: unknown name \"order\""},
                    Example{"x and 1 / 0 > 1", "false"}, Example{"not a == 2", "true"}));

INSTANTIATE_TEST_SUITE_P(
    Errors, Expressions,
    testing::Values(Example{"", "0: the expression is empty"},
                    Example{"a +", "3: a value is missing at the end"},
                    Example{"a < b < c", "6: comparisons do not chain; write \"a < b and b < c\""},
                    Example{"a = 1", "2: a single '=' compares nothing; write '=='"},
                    Example{"1 / 0", "2: division by zero"},
                    Example{"a and x", "0: and takes booleans, this is a number"},
                    Example{"x + 1", "0: arithmetic and order take numbers, this is a boolean"},
                    Example{"not state", "4: not takes booleans, this is a text"},
                    Example{"state == 1", "6: cannot compare a text with a number"},
                    Example{"'abc", "0: this text has no closing quote"},
                    Example{
                        "10s > a",
                        "0: numbers have no unit here; metrics with a unit say it in their name (lag_max_s)"},
                    Example{"a § b", "2: expected an operator or the end, found \"§\""},
                    Example{"min(1)", "0: min takes two or more arguments"},
                    Example{"abs(1, 2)", "0: abs takes one argument"},
                    Example{"a)", "1: expected an operator or the end, found \")\""},
                    Example{"a && || b", "5: expected a value, found \"|\""},
                    Example{"a and and b", "6: expected a value, found \"and\""},
                    Example{"\"a\" == state", "0: texts stand in single quotes here"},
                    Example{"1e999", "0: this number is too large"}));

std::string deep(char sign, char name) {
  std::string out(3001, sign);
  out.back() = name;
  return out;
}

TEST(ExpressionDepth, IsBoundedForParentheses) {
  EXPECT_THAT(result(deep('(', 'a')), testing::HasSubstr("nested deeper than 50 levels"));
}
TEST(ExpressionDepth, IsBoundedForSigns) {
  EXPECT_THAT(result(deep('-', 'a')), testing::HasSubstr("nested deeper than 50 levels"));
  EXPECT_THAT(result(deep('!', 'x')), testing::HasSubstr("nested deeper than 50 levels"));
}
TEST(ExpressionDepth, IsNotUsedUpByLongChains) {
  std::string text = "(a)";
  for (int i = 0; i < 200; ++i) text += " + (a) - (b)";
  EXPECT_EQ(result(text), "-199.0");
}
TEST(ExpressionLength, IsBounded) {
  EXPECT_THAT(result(std::string(5000, 'a')), testing::HasSubstr("longer than 4,000 characters"));
}

TEST(ExpressionBinding, SuggestsTheNearestName) {
  auto parsed = Expression::parse("nodes > 1 and leaked_instnces == 0").value();
  const std::vector<std::string> known{"nodes", "leaked_instances"};
  const auto bound = parsed.bind(known);
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().message,
            "14: unknown name \"leaked_instnces\"; did you mean \"leaked_instances\"?");
}
TEST(ExpressionBinding, FetchesValuesBySlot) {
  auto parsed = Expression::parse("c - a > b").value();
  const std::vector<std::string> known{"a", "b", "c"};
  ASSERT_TRUE(parsed.bind(known));
  const std::vector<Value> values{1.0, 2.0, 4.0};
  EXPECT_TRUE(parsed.holds(std::span<const Value>(values)).value());
  unsigned fetched = 0;
  EXPECT_TRUE(parsed.holds([&](unsigned slot) { return ++fetched, values[slot]; }).value());
  EXPECT_EQ(fetched, 3U);
}
TEST(ExpressionBinding, FetchesOnlyWhatDecides) {
  auto parsed = Expression::parse("x or y").value();
  unsigned fetched = 0;
  EXPECT_TRUE(parsed.holds([&](unsigned) { return ++fetched, Value(true); }).value());
  EXPECT_EQ(fetched, 1U);
}
TEST(ExpressionBinding, TooFewValuesAreAnError) {
  auto parsed = Expression::parse("a > b").value();
  const std::vector<Value> values{1.0};
  EXPECT_EQ(parsed.evaluate(std::span<const Value>(values)).error().message, "4: no value for \"b\"");
}
TEST(ExpressionHolds, WantsABoolean) {
  EXPECT_EQ(Expression::parse("1 + 1").value().holds(Lookup(world)).error().message,
            "0: expected true or false, the expression is a number");
}
TEST(ExpressionHolds, WithoutATextIsTrue) { EXPECT_TRUE(Expression().holds(Lookup(world)).value()); }
TEST(ExpressionNames, AreListedOnceInOrder) {
  std::vector<std::string> names;
  const auto parsed = Expression::parse("b + a * b > lost.fired").value();
  for (const auto& name : parsed.names()) names.push_back(name.name);
  EXPECT_THAT(names, testing::ElementsAre("b", "a", "lost.fired"));
}

}  // namespace
}  // namespace drover::scenario
