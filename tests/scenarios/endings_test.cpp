// What is judged when something comes to its end, each broken by hand.
#include <gmock/gmock.h>

#include "tests/scenarios/oracle_text.hpp"

namespace drover::scenario {
namespace {

using testing::Contains;
using testing::Not;

TEST(Endings, ANodeThatIsLostBeforeItMissedEnoughLooksIsReported) {
  const auto seen = fingerprints_of(at(kLater, [](SimWorld& world) {
    core(world).change(*core(world).model.node(2), model::NodeEvent::miss);
  }));
  EXPECT_THAT(seen, Contains("L5 lost too soon"));
  const auto hung = fingerprints_of(
      at(kLater, [](SimWorld& world) { world.fleet().hang_agent(id_of(world, "node-2"), true); }));
  EXPECT_THAT(hung, Not(Contains("L5 lost too soon")));
}

TEST(Endings, AMasterThatIsDestroyedWhileItMayTakeWritesIsReported) {
  const auto destroy = [](SimWorld& world, model::NodeId id) {
    auto& node = *core(world).model.node(id);
    core(world).change(node, model::NodeEvent::remove);
    const std::string name = model::node_name(id), vm = node.vm;
    core(world).iaas.killInstance(CallContext{name, 10s}, vm, [](Result<void>) {});
  };
  EXPECT_THAT(fingerprints_of(at(kLater, [&](SimWorld& world) { destroy(world, 1); })),
              Contains("S2 destroyed while open"));
  EXPECT_THAT(fingerprints_of(at(kLater, [&](SimWorld& world) { destroy(world, 2); })),
              Not(Contains("S2 destroyed while open")));
}

TEST(Endings, AMemberOfAnAdditionThatFailedIsReported) {
  EXPECT_THAT(fingerprints_of(at(1s,
                                 [](SimWorld& world) {
                                   auto& model = core(world).model;
                                   model.node(1)->state = model::NodeState::running;
                                   core(world).change(*model.operation(1), model::OperationEvent::fail);
                                 })),
              Contains("S12 not taken back"));
}

TEST(Endings, AServiceThatIsStoppedWhileAVmIsAskedForIsReported) {
  EXPECT_THAT(fingerprints_of(at(kLater,
                                 [](SimWorld& world) {
                                   auto& of = core(world);
                                   of.iaas.newInstance(CallContext{"node-9", 10s},
                                                       world.configuration().instance, "drover:node-9.1",
                                                       [](Result<InstanceInfo>) {});
                                   of.change(model::ServiceEvent::shut_down);
                                   of.change(model::ServiceEvent::stopped);
                                 })),
              Contains("S12 stopped too early"));
}

TEST(Endings, ReplicasThatNobodyGivesASuccessorAreReported) {
  std::string text = pair_text();
  text.replace(text.find("steps:"), 0, "manager: {failover: {automatic: yes}}\n");
  EXPECT_THAT(
      fingerprints_of(at(29min, [](SimWorld& world) { core(world).model.service.primary = 0; }), text),
      Contains("L2 no master"));
}

}  // namespace
}  // namespace drover::scenario
