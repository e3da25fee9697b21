// The net.* actions as the world carries them out: who reaches whom meanwhile, and that it ends.
#include "scenarios/engine/steps.hpp"
#include "tests/scenarios/run_text.hpp"

namespace drover::scenario {
namespace {

using node::kClients;
using node::kManager;

// A world of `count` nodes, node-1 the master of a quiet service, at ten minutes.
class NetworkFaults : public testing::Test {
 protected:
  explicit NetworkFaults(unsigned count = 4) {
    world_.emplace(
        scenario_of("schema: 1\nname: quiet\ncloud: {boot: 20s}\nagents: {start: 2s}\nsteps: []\n"), 1);
    world_->start();
    run(1min);
    call("add_nodes", {{"count", count}});
    run(4min);
    call("set_up_replica_master", {{"id", "1"}});
    run(1min);
  }

  void call(const std::string& method, const nlohmann::json& params) {
    world_->request(make_request(*world_, method, params),
                    [](ClientAnswer answer) { EXPECT_TRUE(answer.has_value() && !answer.value().failed); });
  }
  void run(Duration time) { world_->scheduler().run_until(world_->scheduler().later(time)); }
  bool act(const std::string& name, std::map<std::string, std::string> arguments,
           const std::string& target = "") {
    fault::Rule rule;
    rule.action = name;
    rule.arguments = std::move(arguments);
    fault::Action action;
    action.name = name;
    action.target = target;
    action.rule = "test";
    action.arguments = fault::resolve_arguments(*fault::find_action(name), rule, world_->choices(), "test");
    return world_->act(action).has_value();
  }
  std::string party(const std::string& name) const {
    if (name == kManager || name == kClients) return name;
    return world_->instance_of(name)->spec.name;
  }
  bool reach(const std::string& from, const std::string& to) {
    return world_->network().links().can_reach(party(from), party(to));
  }
  bool linked(const std::string& a, const std::string& b) { return reach(a, b) && reach(b, a); }
  // Pairs of manager, clients and nodes that do not reach each other in some direction.
  unsigned cut_pairs() {
    const std::vector<std::string> all{"manager", "clients", "node-1", "node-2", "node-3", "node-4"};
    unsigned cut = 0;
    for (std::size_t i = 0; i < all.size(); ++i)
      for (std::size_t j = i + 1; j < all.size(); ++j) cut += linked(all[i], all[j]) ? 0 : 1;
    return cut;
  }

  std::optional<SimWorld> world_;
};

TEST_F(NetworkFaults, IsolateCutsTheTargetFromItsPeersForAWhile) {
  EXPECT_TRUE(act("net.isolate", {{"for", "20s"}}, "node-2"));
  EXPECT_EQ(cut_pairs(), 5U);
  run(19s);
  EXPECT_FALSE(linked("node-2", "manager"));
  run(2s);
  EXPECT_EQ(cut_pairs(), 0U);
}

TEST_F(NetworkFaults, PeersNarrowAnIsolationDown) {
  act("net.isolate", {{"peers", "manager"}}, "node-2");
  EXPECT_FALSE(linked("node-2", "manager"));
  EXPECT_EQ(cut_pairs(), 1U);
  act("net.isolate", {{"peers", "clients"}}, "node-3");
  EXPECT_FALSE(linked("node-3", "clients"));
  EXPECT_EQ(cut_pairs(), 2U);
  act("net.isolate", {{"peers", "servers"}}, "node-4");
  EXPECT_TRUE(linked("node-4", "manager"));
  EXPECT_EQ(cut_pairs(), 5U);
  world_->network().heal();
  act("net.isolate", {{"peers", "agents"}}, "manager");
  EXPECT_TRUE(linked("manager", "clients"));
  EXPECT_EQ(cut_pairs(), 4U);
}

TEST_F(NetworkFaults, TheMasterIsFoundByItsRole) {
  EXPECT_TRUE(act("net.isolate_master", {}));
  EXPECT_FALSE(linked("node-1", "node-2"));
  EXPECT_EQ(cut_pairs(), 5U);
  world_->network().heal();
  EXPECT_TRUE(act("net.isolate", {}, "master"));
  EXPECT_FALSE(linked("node-1", "clients"));
}

TEST_F(NetworkFaults, APartitionCutsTwoSidesOnly) {
  EXPECT_TRUE(act("net.partition", {{"from", "node-1"}, {"to", "node-2, node-3"}}));
  EXPECT_FALSE(linked("node-1", "node-3"));
  EXPECT_TRUE(linked("node-2", "node-3"));
  EXPECT_EQ(cut_pairs(), 2U);
}

TEST_F(NetworkFaults, OneWayLeavesTheWayBack) {
  act("net.one_way", {{"from", "node-1"}, {"to", "manager"}});
  EXPECT_FALSE(reach("node-1", "manager"));
  EXPECT_TRUE(reach("manager", "node-1"));
}

TEST_F(NetworkFaults, HalvesSplitSixPartiesInThreeAndThree) {
  act("net.halves", {});
  EXPECT_EQ(cut_pairs(), 9U);
}

TEST_F(NetworkFaults, AMinorityOfFourIsOne) {
  EXPECT_TRUE(act("net.isolate_minority", {}));
  EXPECT_EQ(cut_pairs(), 5U);
}

TEST_F(NetworkFaults, InARingOfFiveFiveWaysAreLeft) {
  EXPECT_TRUE(act("net.ring", {}));
  EXPECT_EQ(cut_pairs(), 5U) << "ten pairs of manager and nodes";
  for (const std::string hub : {"manager", "node-1", "node-2", "node-3", "node-4"}) {
    unsigned neighbours = 0;
    for (const std::string other : {"manager", "node-1", "node-2", "node-3", "node-4"})
      neighbours += other != hub && linked(hub, other) ? 1 : 0;
    EXPECT_EQ(neighbours, 2U) << hub;
  }
}

TEST_F(NetworkFaults, ASwizzleEndsWithEverybodyBack) {
  act("net.swizzle", {{"for", "1m"}});
  bool any = false;
  for (int i = 0; i < 61; ++i) {
    any = any || cut_pairs() > 0;
    run(1s);
  }
  EXPECT_TRUE(any);
  EXPECT_EQ(cut_pairs(), 0U);
}

TEST_F(NetworkFaults, FlappingLinksGoDownMoreThanOnce) {
  act("net.flap", {{"for", "1m"}, {"down", "2s"}, {"up", "3s"}}, "node-2");
  unsigned falls = 0;
  bool was_linked = true;
  for (int i = 0; i < 70; ++i) {
    const bool is_linked = linked("node-2", "manager");
    falls += was_linked && !is_linked ? 1 : 0;
    was_linked = is_linked;
    run(1s);
  }
  EXPECT_EQ(falls, 12U);
  EXPECT_TRUE(was_linked);
}

TEST_F(NetworkFaults, WhatCannotBeDoneIsSaid) {
  EXPECT_FALSE(act("net.isolate", {}, "node-9"));
  EXPECT_FALSE(act("net.partition", {{"from", "node-1"}, {"to", "node-9"}}));
  EXPECT_EQ(cut_pairs(), 0U);
}

TEST_F(NetworkFaults, WithoutATargetANodeIsDrawn) {
  EXPECT_TRUE(act("net.isolate", {}, "op-3"));
  EXPECT_EQ(cut_pairs(), 5U);
}

TEST_F(NetworkFaults, QuiesceEndsThemForGood) {
  act("net.isolate", {{"for", "never"}}, "node-1");
  act("net.swizzle", {{"for", "10m"}});
  act("net.flap", {{"for", "never"}}, "node-2");
  world_->quiesce();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(cut_pairs(), 0U);
    run(7s);
  }
}

TEST_F(NetworkFaults, ARequestThatIsLostVanishesOnceAndArrivesLaterWhenTheCallerIsPatient) {
  act("net.partition", {{"from", "clients"}, {"to", "manager"}, {"for", "1m"}});
  unsigned once = 0;
  unsigned patient = 0;
  const auto request = make_request(*world_, "get_service_info", nlohmann::json::object());
  world_->request(
      request, [&](ClientAnswer) { ++once; }, Patience::once);
  world_->request(request, [&](ClientAnswer) { ++patient; });
  run(50s);
  EXPECT_EQ(patient, 0U);
  run(20s);
  EXPECT_EQ(patient, 1U);
  EXPECT_EQ(once, 0U);
}

TEST_F(NetworkFaults, OnlyRequestsThatMayBeRepeatedAreRepeated) {
  act("net.duplicate", {{"share", "1"}, {"for", "never"}}, "manager");
  call("add_nodes", {{"count", 1}});
  call("add_nodes", {{"count", 1}, {"key", "k"}});
  run(5min);
  EXPECT_EQ(world_->manager()->model().listed(), 6U);
}

TEST(ClientTopology, ClientsLearnOfANewMasterByAsking) {
  const std::string text = pair_text(
      "  - {call: promote, with: {id: \"2\"}, as: switch}\n"
      "  - await: {operation: $switch.operation}\n"
      "  - wait: 1m\n");
  std::string traffic = text;
  traffic.replace(traffic.find("steps:"), 0, "traffic: {writers: 1, rate: \"5/s\", topology_every: 20s}\n");
  const auto run = run_text(traffic +
                            "expect:\n"
                            "  - finally: \"failed_writes > 0 and failed_writes < 30\"\n"
                            "  - finally: \"lost_writes == 0 and longest_outage_s < 15\"\n");
  EXPECT_EQ(run.verdict, Verdict::pass) << told(run);
}

TEST(ClientTopology, AMasterThatDoesNotShowWhatItAcknowledgedIsReported) {
  std::string text = pair_text();
  text.replace(text.find("steps:"), 0, "traffic: {writers: 1, rate: \"5/s\"}\n");
  const auto run = run_text(text, at(10min, [](SimWorld& world) {
                              node::Change back;
                              back.counters["writer-1"] = 1;
                              world.fleet().server(id_of(world, "node-1"))->change(back, true);
                            }));
  EXPECT_THAT(broken(run), testing::Contains("S3"));
  ASSERT_FALSE(run.failures.empty());
  EXPECT_EQ(run.failures.front().fingerprint, "S3 stale") << told(run);
}

}  // namespace
}  // namespace drover::scenario
