// What becomes of packets by the rules, without a network.
#include "scenarios/local/packet_fate.hpp"

#include <gmock/gmock.h>

namespace drover::scenario {
namespace {

using sim::Effect;
using sim::LinkRule;
using sim::Parties;
using Kind = Fate::Kind;

LinkRule between(std::vector<std::string> from, Parties to, Effect effect = Effect::cut) {
  LinkRule rule;
  rule.from = Parties{std::move(from), false};
  rule.to = std::move(to);
  rule.effect = effect;
  return rule;
}

struct Fates : testing::Test {
  Fate fate(const std::string& from, const std::string& to) { return fate_of(rules, from, to, draws); }
  unsigned lost_of_a_thousand() {
    unsigned lost = 0;
    for (int i = 0; i < 1000; ++i) lost += fate("vm-1", "vm-2").kind == Kind::lost ? 1 : 0;
    return lost;
  }
  std::vector<LinkRule> rules;
  Draws draws{7};
};

TEST_F(Fates, WithoutRulesEverythingArrivesAtOnce) {
  EXPECT_EQ(fate("vm-1", "vm-2").kind, Kind::arrives);
  EXPECT_EQ(fate("vm-1", "vm-2").late, Duration{0});
}

TEST_F(Fates, ACutLosesBothDirectionsAndNobodyElses) {
  rules = {between({"vm-1"}, {{"vm-2", "vm-3"}, false})};
  EXPECT_EQ(fate("vm-1", "vm-3").kind, Kind::lost);
  EXPECT_EQ(fate("vm-3", "vm-1").kind, Kind::lost);
  EXPECT_EQ(fate("vm-2", "vm-3").kind, Kind::arrives);
  EXPECT_EQ(fate("manager", "vm-1").kind, Kind::arrives);
}

TEST_F(Fates, AOneWayCutLeavesTheWayBack) {
  rules = {between({"vm-1"}, {{"manager"}, false})};
  rules.front().both_ways = false;
  EXPECT_FALSE(reaches(rules, "vm-1", "manager"));
  EXPECT_TRUE(reaches(rules, "manager", "vm-1"));
}

TEST_F(Fates, AnIsolationHoldsForPartiesThatComeLater) {
  rules = {between({"vm-1"}, {{"vm-1"}, true})};
  EXPECT_EQ(fate("vm-9", "vm-1").kind, Kind::lost);
}

TEST_F(Fates, ACutBeatsADelay) {
  rules = {between({"vm-1"}, Parties::everybody(), Effect::delay), between({"vm-1"}, {{"vm-2"}, false})};
  rules.front().by = Distribution::constant(2s);
  EXPECT_EQ(fate("vm-1", "vm-2").kind, Kind::lost);
  EXPECT_EQ(fate("vm-1", "vm-3").late, 2s);
}

TEST_F(Fates, DelaysAddUp) {
  rules = {between({"vm-1"}, Parties::everybody(), Effect::delay),
           between({"vm-2"}, Parties::everybody(), Effect::reorder)};
  rules[0].by = Distribution::constant(2s);
  rules[1].by = Distribution::constant(300ms);
  EXPECT_EQ(fate("vm-2", "vm-1").late, 2300ms);
}

TEST_F(Fates, ALossIsOfItsShare) {
  rules = {between({"vm-1"}, Parties::everybody(), Effect::loss)};
  rules.front().share = 0.3;
  EXPECT_NEAR(lost_of_a_thousand(), 300, 60);
}

TEST_F(Fates, WhatIsHeldWaitsForTheRuleToEndUnlessItNeverEnds) {
  rules = {between({"vm-1"}, Parties::everybody(), Effect::hold)};
  rules.front().until = TimePoint{} + 20s;
  EXPECT_EQ(fate("vm-2", "vm-1").kind, Kind::held);
  rules.front().until = kNever;
  EXPECT_EQ(fate("vm-2", "vm-1").kind, Kind::lost);
}

TEST_F(Fates, NothingOfAStreamArrivesTwice) {
  rules = {between({"vm-1"}, Parties::everybody(), Effect::duplicate)};
  EXPECT_EQ(fate("vm-2", "vm-1").kind, Kind::arrives);
}

}  // namespace
}  // namespace drover::scenario
