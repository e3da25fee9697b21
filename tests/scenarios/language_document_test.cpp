#include <gmock/gmock.h>

#include "scenarios/engine/document.hpp"

namespace drover::scenario {
namespace {

using Kind = Node::Kind;

Node yaml(std::string_view text) { return parse_yaml(text, "x.yaml").value(); }
Node json(std::string_view text) { return parse_json(text, "x.json").value(); }
std::string at(Place place) { return std::to_string(place.line) + ":" + std::to_string(place.column); }

TEST(PlainScalar, OnlyTrueFalseYesNoAreBooleans) {
  for (const char* word : {"true", "false", "yes", "no"})
    EXPECT_EQ(plain_scalar(word).kind, Kind::boolean) << word;
  for (const char* word : {"on", "off", "y", "n", "True", "YES", "No"})
    EXPECT_EQ(plain_scalar(word).kind, Kind::text) << word;
}
TEST(PlainScalar, NumbersAreWrittenAsInJson) {
  for (const char* word : {"0", "-1", "1.5", "1e3", "-0.25E-2"})
    EXPECT_EQ(plain_scalar(word).kind, Kind::number) << word;
  for (const char* word :
       {"007", "0x10", "1_000", "+1", ".5", "1.", "1..5", "35s", "3x", ".inf", "1e999", "1:30"})
    EXPECT_EQ(plain_scalar(word).kind, Kind::text) << word;
}
TEST(PlainScalar, KeepsHowANumberWasWritten) { EXPECT_EQ(plain_scalar("1.50").text, "1.50"); }

TEST(YamlDocument, QuotedWordsAreText) {
  const auto node = yaml("a: 'yes'\nb: \"3\"\n");
  EXPECT_EQ(node.find("a")->kind, Kind::text);
  EXPECT_EQ(node.find("b")->kind, Kind::text);
}
TEST(YamlDocument, KeepsTheOrderOfKeys) {
  const auto node = yaml("z: 1\na: 2\nm: 3\n");
  ASSERT_EQ(node.members.size(), 3U);
  EXPECT_EQ(node.members[0].key + node.members[1].key + node.members[2].key, "zam");
}
TEST(YamlDocument, KnowsWhereKeysAndValuesStand) {
  const auto node = yaml("a: 1\nlist:\n  - {b: \"x\", c: [y, zz]}\n");
  const auto& inner = node.find("list")->items[0];
  EXPECT_EQ(at(inner.members[0].place), "3:6");
  EXPECT_EQ(at(inner.find("b")->place), "3:9");
  EXPECT_EQ(at(inner.find("c")->items[1].place), "3:21");
}
TEST(YamlDocument, TakesIndicesOfReferencesInsideBraces) {
  const auto node = yaml("{id: $nodes[0], all: [$a.b[12].c, $nodes[1]], not: [0]}");
  EXPECT_EQ(node.find("id")->text, "$nodes[0]");
  EXPECT_EQ(node.find("all")->items[0].text, "$a.b[12].c");
  EXPECT_EQ(node.find("all")->items[1].text, "$nodes[1]");
  EXPECT_EQ(node.find("not")->kind, Kind::list);
}
TEST(YamlDocument, LeavesIndicesInQuotedTextsAndKeysAsTheyAre) {
  const auto node = yaml("\"$k[0]\": '$v[1] and $w[2]'\nblock: |\n  $x[3]\n");
  EXPECT_EQ(node.members[0].key, "$k[0]");
  EXPECT_EQ(node.members[0].value.text, "$v[1] and $w[2]");
  EXPECT_EQ(node.find("block")->text, "$x[3]\n");
}
TEST(YamlDocument, TakesCarriageReturnsAndAByteOrderMark) {
  const auto node = yaml(
      "\xEF\xBB\xBF"
      "a: 1\r\nb:\r\n  - x\r\n");
  EXPECT_EQ(at(node.find("b")->items[0].place), "3:5");
}
TEST(YamlDocument, TakesTabsAfterTheIndentation) {
  EXPECT_EQ(yaml("a:\t1\t# note\n\t\nb: 2\n").members.size(), 2U);
}
TEST(YamlDocument, AMissingValueStandsWhereItsKeyStands) {
  const auto node = yaml("a: 1\nb:\nc: 2\n");
  EXPECT_EQ(node.find("b")->kind, Kind::null);
  EXPECT_EQ(at(node.find("b")->place), "2:1");
}
TEST(YamlDocument, LevelSixtyFourIsStillRead) {
  EXPECT_TRUE(parse_yaml(std::string(65, '[') + std::string(65, ']'), "x.yaml"));
  EXPECT_FALSE(parse_yaml(std::string(66, '[') + std::string(66, ']'), "x.yaml"));
}

TEST(JsonDocument, LevelSixtyFourIsStillRead) {
  EXPECT_TRUE(parse_json(std::string(65, '[') + "1" + std::string(65, ']'), "x.json").has_error());
  EXPECT_FALSE(parse_json(std::string(64, '[') + "1" + std::string(64, ']'), "x.json").has_error());
}
TEST(JsonDocument, KnowsWhereKeysAndValuesStand) {
  const auto node = json("{\n  \"ü\": [1,\n    {\"b\": null}]\n}");
  EXPECT_EQ(at(node.members[0].place), "2:3");
  EXPECT_EQ(at(node.find("ü")->place), "2:8");
  EXPECT_EQ(at(node.find("ü")->items[1].find("b")->place), "3:11");
}
TEST(JsonDocument, ReadsEveryEscape) {
  EXPECT_EQ(json(R"(["\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00"])").items[0].text,
            "\"\\/\b\f\n\r\tAé€😀");
}
TEST(JsonDocument, AgreesWithTheJsonLibrary) {
  const std::string text =
      R"({"a": [1, -2.5e3, true, false, null, "x"], "b": {"c": {}}, "d": [], "e": 12345678901234567890})";
  EXPECT_EQ(to_json(json(text)), nlohmann::json::parse(text));
}
TEST(JsonDocument, IsAlsoReadFromAFileWithoutAnEnding) {
  EXPECT_TRUE(parse_document("\n {\"a\": 1}", "-").has_value());
  EXPECT_TRUE(parse_document("a: 1", "-").has_value());
}

TEST(PlaceInAText, CountsFromTheFirstCharacterBehindTheQuote) {
  const auto node = yaml("a: \"éxy\"\nb: plain\nc: \"t\\tx\"\n");
  EXPECT_EQ(at(node.find("a")->place_at(2)), "1:6");
  EXPECT_EQ(at(node.find("b")->place_at(3)), "2:7");
  EXPECT_EQ(at(node.find("c")->place_at(2)), "3:4")
      << "with an escape inside only the text's own place is known";
}

TEST(Nearest, FindsSwapsAndSlips) {
  const std::vector<std::string> names{"boot", "reboot", "stop", "list_lag"};
  EXPECT_EQ(nearest("bott", names), "boot");
  EXPECT_EQ(nearest("list_lga", names), "list_lag");
  EXPECT_EQ(nearest("rebot", names), "reboot");
}
TEST(Nearest, FindsNothingFarAway) {
  const std::vector<std::string> names{"boot", "stop"};
  EXPECT_EQ(nearest("quota", names), std::nullopt);
  EXPECT_EQ(nearest("", names), std::nullopt);
  EXPECT_EQ(nearest(std::string(10'000, 'x'), names), std::nullopt);
}

TEST(Locator, CountsCharactersAlsoBackwards) {
  Locator locator("aé\nxü€z");
  EXPECT_EQ(at(locator.place_of(9)), "2:3");
  EXPECT_EQ(at(locator.place_of(1)), "1:2");
  EXPECT_EQ(at(locator.place_of(99)), "2:5");
}

}  // namespace
}  // namespace drover::scenario
