#include <gmock/gmock.h>

#include "scenarios/engine/matrix.hpp"
#include "scenarios/engine/reference.hpp"

namespace drover::scenario {
namespace {

using nlohmann::json;

const json kCaptures = json::parse(R"({
  "n": 3, "crash": true, "mode": "semi$sync", "nodes": ["n-1", "n-2"], "master": "n-1",
  "job": {"operation": "op-7", "result": {"serviceNode": [{"id": "n-1"}, "second"], "count": 2.5}}})");

// The resolved value as JSON text, or the error.
std::string resolved(const json& value) {
  const auto result = resolve(value, kCaptures);
  return result ? result.value().dump() : result.error().message;
}

TEST(Reference, AloneKeepsItsType) {
  EXPECT_EQ(resolved("$n"), "3");
  EXPECT_EQ(resolved("$crash"), "true");
  EXPECT_EQ(resolved("$nodes"), R"(["n-1","n-2"])");
  EXPECT_EQ(resolved("${job.result.count}"), "2.5");
}
TEST(Reference, GoesDownPathsAndIndices) {
  EXPECT_EQ(resolved("$job.operation"), R"("op-7")");
  EXPECT_EQ(resolved("$job.result.serviceNode[1]"), R"("second")");
  EXPECT_EQ(resolved("$job.result.serviceNode[0].id"), R"("n-1")");
}
TEST(Reference, IsWrittenIntoALongerText) {
  EXPECT_EQ(resolved("k-$n/$master."), R"("k-3/n-1.")");
  EXPECT_EQ(resolved("${n}th of $nodes"), R"("3th of [\"n-1\",\"n-2\"]")");
}
TEST(Reference, DoubledDollarIsADollar) {
  EXPECT_EQ(resolved("$$n costs $5 and $"), R"("$n costs $5 and $")");
}
TEST(Reference, ValuesAreNotLookedAtAgain) { EXPECT_EQ(resolved("$mode"), R"("semi$sync")"); }
TEST(Reference, IsFoundInsideListsAndMaps) {
  EXPECT_EQ(resolved({{"a", {1, "$n"}}, {"$n", nullptr}}), R"({"$n":null,"a":[1,3]})");
}
TEST(Reference, ToNothingNamesTheNearest) {
  EXPECT_EQ(resolved("$mastr"), "nothing is known yet as $mastr; did you mean \"master\"?");
  EXPECT_EQ(
      resolved("$job.result.cuont"),
      "$job.result.cuont does not exist: in $job.result there is no \"cuont\"; did you mean \"count\"?");
  EXPECT_EQ(resolved("$nodes[2]"), "$nodes[2] does not exist: in $nodes it has only 2 elements");
  EXPECT_EQ(resolved("$n.x"), "$n.x does not exist: in $n it is number, not an object with keys");
  EXPECT_EQ(resolved("$master[0]"), "$master[0] does not exist: in $master it is string, not a list");
}
TEST(Reference, BrokenTextsSayWhere) {
  EXPECT_EQ(resolved("ab $nodes[x]"), "9: an index is a whole number from 0 to 999999, such as [0]");
  EXPECT_EQ(resolved("$nodes[1"), "6: this index has no closing ']'");
  EXPECT_EQ(resolved("$nodes[99999999999999999999]"),
            "6: an index is a whole number from 0 to 999999, such as [0]");
  EXPECT_EQ(resolved("x ${n"), "2: this reference has no closing '}'");
  EXPECT_EQ(resolved("${}"), "0: a name must follow \"${\"");
}
TEST(ResolveText, GivesTextForEveryType) {
  EXPECT_EQ(resolve_text("$n", kCaptures).value(), "3");
  EXPECT_EQ(resolve_text("$master", kCaptures).value(), "n-1");
}

Matrix matrix() { return {{{"n", {1, 3}}, {"crash", {false, true}}, {"mode", {"async"}}}}; }

TEST(MatrixCases, ChangeTheFirstKeySlowest) {
  std::vector<std::string> names;
  for (const auto& one : expand(matrix())) names.push_back(to_text(one));
  EXPECT_THAT(names, testing::ElementsAre("n=1,crash=false,mode=async", "n=1,crash=true,mode=async",
                                          "n=3,crash=false,mode=async", "n=3,crash=true,mode=async"));
}
TEST(MatrixCases, WithoutKeysAreOneWithoutValues) { EXPECT_EQ(to_text(expand({}).at(0)), ""); }
TEST(MatrixCases, AreCountedWithoutExpanding) {
  Matrix large;
  for (int i = 0; i < 40; ++i) large.rows.push_back({"k" + std::to_string(i), {1, 2, 3}});
  EXPECT_EQ(count_cases(large), kCasesMax + 1);
  EXPECT_EQ(count_cases(matrix()), 4U);
}

const Case kCase{{{"n", 3}, {"crash", true}, {"mode", "a$b"}}};

// The text with the case written in, as JSON, without a second resolving.
std::string substituted(const std::string& text) {
  Problems problems("x");
  Node node;
  node.kind = Node::Kind::text;
  node.text = text;
  return to_json(substitute(node, kCase, problems)).dump();
}

TEST(MatrixValues, KeepTheirTypeAlone) { EXPECT_EQ(substituted("$n"), "3"); }
TEST(MatrixValues, LeaveOtherReferencesForLater) {
  EXPECT_EQ(substituted("$n of $job.operation"), R"("3 of $job.operation")");
}
TEST(MatrixValues, CannotLengthenTheNameBefore) { EXPECT_EQ(substituted("$job$n"), R"("${job}3")"); }
TEST(MatrixValues, DollarsInThemStayDollars) { EXPECT_EQ(substituted("x $mode $$n"), R"("x a$$b $$n")"); }
TEST(MatrixValues, LeaveRegularExpressionsAlone) { EXPECT_EQ(substituted("/^\\$5 $n$/"), R"("/^\\$5 3$/")"); }

bool decided(const std::string& text) {
  Problems problems("x");
  const bool result = decide(plain_scalar(text), kCase, problems);
  EXPECT_TRUE(problems.empty()) << problems.to_error().message;
  return result;
}
TEST(MatrixCondition, TakesBooleansKeysAndExpressions) {
  EXPECT_TRUE(decided("yes"));
  EXPECT_FALSE(decided("no"));
  EXPECT_TRUE(decided("$crash"));
  EXPECT_FALSE(decided("not $crash"));
  EXPECT_TRUE(decided("n > 2 and crash"));
  EXPECT_FALSE(decided("mode == 'async'"));
}

}  // namespace
}  // namespace drover::scenario
