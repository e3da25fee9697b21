#include "manager/base/choices.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace drover {
namespace {

std::vector<std::uint64_t> draws(Choices& choices, std::string_view entity, std::string_view site,
                                 int count) {
  std::vector<std::uint64_t> drawn;
  for (int i = 0; i < count; ++i) drawn.push_back(choices.draw(entity, site));
  return drawn;
}

TEST(Choices, OfTheSameSeedAreTheSame) {
  Choices one(7), other(7);
  EXPECT_EQ(draws(one, "node-1", "boot", 100), draws(other, "node-1", "boot", 100));
}

TEST(Choices, OfAnotherSeedEntityOrSiteAreOthers) {
  Choices one(7), other(8), third(7), fourth(7);
  const auto first = draws(one, "node-1", "boot", 4);
  EXPECT_NE(draws(other, "node-1", "boot", 4), first);
  EXPECT_NE(draws(third, "node-2", "boot", 4), first);
  EXPECT_NE(draws(fourth, "node-1", "lag", 4), first);
}

TEST(Choices, EntityAndSiteAreNotInterchangeable) {
  Choices one(7), other(7);
  EXPECT_NE(one.draw("a", "b"), other.draw("b", "a"));
  EXPECT_NE(one.draw("ab", "c"), other.draw("a", "bc"));
}

TEST(Choices, OfOneEntityDoNotMoveWhenAnothersAreLeftOut) {
  Choices with(7), without(7);
  std::vector<std::uint64_t> beside, alone;
  for (int i = 0; i < 50; ++i) {
    (void)with.draw("node-2", "boot");
    beside.push_back(with.draw("node-1", "boot"));
    (void)with.draw("node-1", "lag");
    alone.push_back(without.draw("node-1", "boot"));
  }
  EXPECT_EQ(beside, alone);
}

TEST(Choices, DoNotRepeatThemselves) {
  Choices choices(1);
  std::set<std::uint64_t> seen;
  for (int node = 0; node < 100; ++node)
    for (const auto value : draws(choices, "node-" + std::to_string(node), "boot", 100)) seen.insert(value);
  EXPECT_EQ(seen.size(), 10'000U);
}

TEST(Choices, BelowStaysBelowItsBoundAndReachesEverything) {
  Choices choices(1);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(choices.below(6, "die", "roll"));
  EXPECT_EQ(seen, (std::set<std::uint64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(choices.below(1, "die", "roll"), 0U);
}

TEST(Choices, UnitStaysInItsRangeWithTheRightMean) {
  Choices choices(1);
  double sum = 0;
  for (int i = 0; i < 10'000; ++i) {
    const double unit = choices.unit("a", "b");
    ASSERT_GE(unit, 0);
    ASSERT_LT(unit, 1);
    sum += unit;
  }
  EXPECT_NEAR(sum / 10'000, 0.5, 0.01);
  EXPECT_LT(Choices::to_unit(UINT64_MAX), 1);
}

TEST(Choices, ChanceIsNeverAtZeroAndAlwaysAtOne) {
  Choices choices(1);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(choices.chance(0, "a", "b"));
    EXPECT_TRUE(choices.chance(1, "a", "b"));
  }
}

// Seeds in files and recorded digests mean something for ever: these values may never change.
TEST(Choices, AreFixedForEver) {
  Choices choices(1);
  EXPECT_EQ(choices.draw("node-1", "boot_delay"), 1929684537374451294ULL);
  EXPECT_EQ(hash_text("drover"), 10035559942731046949ULL);
}

TEST(HashText, DependsOnEveryByteAndOnTheLength) {
  const std::string text = "0123456789abcdef0123456789";
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = '!';
    EXPECT_NE(hash_text(changed), hash_text(text)) << i;
    EXPECT_NE(hash_text(text.substr(0, i)), hash_text(text)) << i;
  }
  EXPECT_NE(hash_text(std::string(1, '\0')), hash_text(""));
  EXPECT_NE(hash_text(std::string(8, '\0')), hash_text(std::string(16, '\0')));
}

}  // namespace
}  // namespace drover
