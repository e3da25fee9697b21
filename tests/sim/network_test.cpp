#include "mockcloud/sim/network.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace drover::sim {
namespace {

using node::Arrivals;
using node::kClients;
using node::kManager;
using node::Message;

LinkRule rule(Effect effect, Parties from, Parties to = Parties::everybody()) {
  LinkRule made;
  made.key = std::string("rule ") + to_text(effect);
  made.effect = effect;
  made.from = std::move(from);
  made.to = std::move(to);
  return made;
}
Parties only(const std::string& name) { return {{name}, false}; }
Parties all_but(const std::string& name) { return {{name}, true}; }

class NetworkTest : public testing::Test {
 protected:
  explicit NetworkTest(const NetworkConfig& config = {}) : network(scheduler, choices, trace, config) {}

  bool reach(std::string_view from, std::string_view to) const { return network.can_reach(from, to); }
  std::size_t arriving(unsigned sent, Message message = Message::agent_call) {
    std::size_t arrived = 0;
    for (unsigned i = 0; i < sent; ++i) arrived += network.send(kManager, "node-1", message).size();
    return arrived;
  }
  Duration way(std::string_view from, std::string_view to) {
    const Arrivals arrivals = network.send(from, to, Message::agent_call);
    EXPECT_EQ(arrivals.size(), 1U);
    return *arrivals.begin();
  }

  Scheduler scheduler;
  Choices choices{1};
  Trace trace;
  Network network;
};

TEST_F(NetworkTest, WithoutRulesEveryMessageTakesTheUsualTime) {
  EXPECT_TRUE(reach("node-1", "node-2"));
  EXPECT_EQ(way(kManager, "node-1"), 500us);
  EXPECT_EQ(network.delay("node-1", "node-2"), 500us);
}

TEST_F(NetworkTest, ASymmetricCutStopsBothDirections) {
  network.add(rule(Effect::cut, only("node-1"), all_but("node-1")));
  EXPECT_FALSE(reach("node-1", kManager));
  EXPECT_FALSE(reach(kManager, "node-1"));
  EXPECT_FALSE(reach(kClients, "node-1"));
  EXPECT_TRUE(reach(kManager, "node-2"));
  EXPECT_EQ(arriving(10), 0U);
}

TEST_F(NetworkTest, AOneWayCutLeavesTheOtherDirection) {
  LinkRule cut = rule(Effect::cut, only("node-1"), only("node-2"));
  cut.both_ways = false;
  network.add(cut);
  EXPECT_FALSE(reach("node-1", "node-2"));
  EXPECT_TRUE(reach("node-2", "node-1"));
}

TEST_F(NetworkTest, APartialCutLeavesTheThird) {
  network.add(rule(Effect::cut, only("node-1"), only("node-2")));
  EXPECT_FALSE(reach("node-2", "node-1"));
  EXPECT_TRUE(reach("node-1", "node-3"));
  EXPECT_TRUE(reach("node-2", "node-3"));
}

TEST_F(NetworkTest, OverlappingCutsEndOneByOne) {
  const auto first = network.add(rule(Effect::cut, only("node-1"), only("node-2")));
  const auto second = network.add(rule(Effect::cut, only("node-1"), all_but("node-1")));
  network.remove(second);
  EXPECT_FALSE(reach("node-1", "node-2"));
  EXPECT_TRUE(reach("node-1", "node-3"));
  network.remove(first);
  EXPECT_TRUE(reach("node-1", "node-2"));
}

TEST_F(NetworkTest, HealingEndsEverythingAndTellsOfIt) {
  unsigned told = 0;
  network.on_change([&] { ++told; });
  network.add(rule(Effect::cut, only("node-1")));
  network.add(rule(Effect::delay, only("node-1")));
  EXPECT_EQ(told, 1U) << "a delay changes no reachability";
  network.heal();
  EXPECT_EQ(told, 2U);
  EXPECT_EQ(network.rules(), 0U);
  EXPECT_TRUE(reach("node-1", "node-2"));
}

TEST_F(NetworkTest, DelaysAddUpOnTheLinksTheyAreFor) {
  LinkRule slow = rule(Effect::delay, only("node-1"));
  slow.by = Distribution::constant(1s);
  network.add(slow);
  network.add(slow);
  EXPECT_EQ(way(kManager, "node-1"), 2s + 500us);
  EXPECT_EQ(network.delay("node-2", "node-1"), 2s + 500us);
  EXPECT_EQ(way(kManager, "node-2"), 500us);
}

TEST_F(NetworkTest, LossIsLatenessAndSometimesSilence) {
  LinkRule loss = rule(Effect::loss, only("node-1"));
  loss.share = 0.5;
  network.add(loss);
  std::size_t late = 0;
  std::size_t silent = 0;
  for (int i = 0; i < 10'000; ++i) {
    const Arrivals arrivals = network.send(kManager, "node-1", Message::agent_call);
    if (arrivals.size() == 0)
      ++silent;
    else if (*arrivals.begin() > 500us)
      ++late;
    if (arrivals.size() > 0) {
      EXPECT_LE(*arrivals.begin(), 12600ms + 500us);
    }
  }
  EXPECT_NEAR(static_cast<double>(silent), 10'000.0 / 128, 40) << "seven losses in a row";
  EXPECT_NEAR(static_cast<double>(late), 5000 - 10'000.0 / 128, 250);
}

TEST_F(NetworkTest, WhatAConnectionCarriesIsNeverLost) {
  LinkRule loss = rule(Effect::loss, only("node-1"));
  network.add(loss);  // every segment
  EXPECT_LT(network.delay("node-1", "node-2"), 1h);
  EXPECT_EQ(arriving(10), 0U);
}

TEST_F(NetworkTest, OnlyWhatMayBeRepeatedArrivesTwice) {
  LinkRule twice = rule(Effect::duplicate, only("node-1"));
  twice.by = Distribution::constant(1s);
  network.add(twice);
  const Arrivals arrivals = network.send(kManager, "node-1", Message::agent_call);
  EXPECT_THAT(std::vector<Duration>(arrivals.begin(), arrivals.end()),
              testing::ElementsAre(500us, 1s + 500us));
  EXPECT_EQ(arriving(10, Message::statement), 10U);
  EXPECT_EQ(arriving(10, Message::agent_reply), 10U);
}

TEST_F(NetworkTest, ReorderingKeepsTheOrderWithinAConnection) {
  LinkRule mixed = rule(Effect::reorder, only("node-1"));
  mixed.by = Distribution::uniform(0s, 5s);
  network.add(mixed);
  EXPECT_NE(way(kManager, "node-1"), way(kManager, "node-1"));
  EXPECT_EQ(network.delay("node-1", "node-2"), 500us);
}

TEST_F(NetworkTest, WhatIsHeldArrivesTogether) {
  LinkRule hold = rule(Effect::hold, only("node-1"));
  hold.until = scheduler.later(20s);
  network.add(hold);
  EXPECT_EQ(way(kManager, "node-1"), 20s + 500us);
  scheduler.run_until(scheduler.later(15s));
  EXPECT_EQ(way(kManager, "node-1"), 5s + 500us);
  EXPECT_TRUE(reach(kManager, "node-1"));
}

TEST_F(NetworkTest, WhatIsHeldForEverIsLost) {
  network.add(rule(Effect::hold, only("node-1")));
  EXPECT_EQ(arriving(3), 0U);
  EXPECT_FALSE(reach(kManager, "node-1"));
}

TEST(NetworkDecisions, ARuleMovesNoDecisionOfAnother) {
  const auto silent_of = [](bool with_other) {
    Scheduler scheduler;
    Choices choices(7);
    Trace trace;
    Network network(scheduler, choices, trace, {});
    LinkRule loss = rule(Effect::loss, only("node-1"));
    loss.share = 0.9;
    if (with_other) network.add(rule(Effect::reorder, only("node-1")));
    network.add(loss);
    std::vector<std::size_t> fates;
    for (int i = 0; i < 200; ++i)
      fates.push_back(network.send(kManager, "node-1", Message::agent_call).size());
    return fates;
  };
  EXPECT_EQ(silent_of(false), silent_of(true));
}

TEST(NetworkDecisions, KindsOfMessagesDecideByThemselves) {
  const auto fates_of = [](bool with_heartbeats) {
    Scheduler scheduler;
    Choices choices(7);
    Trace trace;
    Network network(scheduler, choices, trace, {});
    LinkRule loss = rule(Effect::loss, only("node-1"));
    loss.share = 0.9;
    network.add(loss);
    std::vector<std::size_t> fates;
    for (int i = 0; i < 200; ++i) {
      if (with_heartbeats) static_cast<void>(network.send("node-1", kManager, Message::heartbeat));
      fates.push_back(network.send("node-1", kManager, Message::agent_reply).size());
    }
    return fates;
  };
  EXPECT_EQ(fates_of(false), fates_of(true));
}

TEST(NetworkSettings, DelaysCanDifferByParty) {
  Scheduler scheduler;
  Choices choices(1);
  Trace trace;
  NetworkConfig config;
  config.delay = Distribution::constant(1ms);
  config.manager_delay = Distribution::constant(20ms);
  config.client_delay = Distribution::constant(5ms);
  Network network(scheduler, choices, trace, config);
  EXPECT_EQ(*network.send(kManager, "node-1", Message::agent_call).begin(), 20ms);
  EXPECT_EQ(*network.send(kClients, "node-1", Message::statement).begin(), 5ms);
  EXPECT_EQ(*network.send(kClients, kManager, Message::api_request).begin(), 20ms);
  EXPECT_EQ(network.delay("node-1", "node-2"), 1ms);
}

}  // namespace
}  // namespace drover::sim
