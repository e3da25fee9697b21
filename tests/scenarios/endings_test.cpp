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

TEST(Endings, AMemberThatGoesForACancelledRemovalIsReported) {
  const auto destroy = [](model::OperationState state) {
    return at(kLater, [state](SimWorld& world) {
      auto& of = core(world);
      model::Operation removal;
      removal.id = 90;
      removal.request.kind = model::OperationKind::remove_nodes;
      removal.state = state;
      of.model.add(removal);
      auto& node = *of.model.node(2);
      of.change(node, model::NodeEvent::remove);
      node.operation = removal.id;
      of.iaas.killInstance(CallContext{"node-2", 10s}, node.vm, [](Result<void>) {});
    });
  };
  constexpr const char* kSaid = "S12 removed by a cancelled operation";
  EXPECT_THAT(fingerprints_of(destroy(model::OperationState::cancelled)), Contains(kSaid));
  EXPECT_THAT(fingerprints_of(destroy(model::OperationState::running)), Not(Contains(kSaid)));
}

TEST(Endings, AMachineThatRunsAndIsDestroyedAsLostIsReported) {
  const auto destroy = [](bool off) {
    return at(kLater, [off](SimWorld& world) {
      auto& of = core(world);
      model::Operation over;
      over.id = 90;
      over.request.kind = model::OperationKind::fail_over;
      over.state = model::OperationState::running;
      over.former = 2;
      of.model.add(over);
      auto& node = *of.model.node(2);
      if (off) world.fleet().instance_stopped(node.vm);
      of.change(node, model::NodeEvent::remove);
      node.operation = over.id;
      of.iaas.killInstance(CallContext{"node-2", 10s}, node.vm, [](Result<void>) {});
    });
  };
  EXPECT_THAT(fingerprints_of(destroy(false)), Contains("S6 running VM destroyed"));
  EXPECT_THAT(fingerprints_of(destroy(true)), Not(Contains("S6 running VM destroyed")));
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
