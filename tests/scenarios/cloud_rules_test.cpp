// W1: a simulated cloud that breaks the rules of a cloud is reported.
#include "scenarios/engine/check_cloud.hpp"

#include "mockcloud/cloud/lifecycle.hpp"
#include "tests/scenarios/oracle_text.hpp"

namespace drover::scenario {
namespace {

using testing::Contains;
using testing::IsEmpty;

// Shows the checker something at ten minutes that is not so.
std::set<std::string> found(std::function<void(SimWorld&, CloudRules&)> show) {
  return fingerprints_of(at(kLater, [show](SimWorld& world) {
    CloudRules rules(world);
    show(world, rules);
  }));
}

TEST(CloudRules, TheLifecycleIsThatOfTheCloud) {
  for (int from = 0; from < kInstanceStates; ++from)
    for (int to = 0; to < kInstanceStates; ++to) {
      const auto a = static_cast<InstanceState>(from), b = static_cast<InstanceState>(to);
      bool declared = false;
      for (const auto& row : cloud::transitions()) declared = declared || (row.from == a && row.to == b);
      EXPECT_EQ(is_legal_step(a, b), declared) << to_text(a) << " " << to_text(b);
    }
}

TEST(CloudRules, AVmThatComesBackIsReported) {
  EXPECT_THAT(found([](SimWorld& world, CloudRules& rules) {
                cloud::Instance vm = *world.instance_of("node-1");
                rules.changed(vm, InstanceState::terminated);
              }),
              Contains("W1 illegal step terminated running"));
}

TEST(CloudRules, ATokenThatMakesTwoVmsIsReported) {
  EXPECT_THAT(found([](SimWorld& world, CloudRules& rules) {
                cloud::Instance vm = *world.instance_of("node-1");
                vm.state = InstanceState::pending;
                rules.changed(vm, InstanceState::pending);
                vm.id = "i-other";
                rules.changed(vm, InstanceState::pending);
              }),
              Contains("W1 token not honoured"));
}

TEST(CloudRules, ADestructionThatDidNothingIsReported) {
  EXPECT_THAT(
      found([](SimWorld& world, CloudRules& rules) { rules.killed(id_of(world, "node-1"), success()); }),
      Contains("W1 killInstance of nothing"));
}

TEST(CloudRules, ALookThatIsWrongIsReported) {
  EXPECT_THAT(found([](SimWorld& world, CloudRules& rules) {
                InstanceInfo info = world.cloud().info(*world.instance_of("node-1"));
                info.state = InstanceState::stopped;
                rules.looked(info.id, world.scheduler().now(), info);
              }),
              Contains("W1 state told wrongly"));
  EXPECT_THAT(found([](SimWorld& world, CloudRules& rules) {
                rules.looked(id_of(world, "node-1"), world.scheduler().now(),
                             make_error(ErrorCode::not_found, "no"));
              }),
              Contains("W1 VM not found"));
}

TEST(CloudRules, AListingThatLeavesOneOutIsReported) {
  EXPECT_THAT(found([](SimWorld& world, CloudRules& rules) {
                std::vector<InstanceInfo> infos{world.cloud().info(*world.instance_of("node-2"))};
                rules.listed("", "", world.scheduler().now(), infos);
              }),
              Contains("W1 VM left out"));
}

TEST(CloudRules, WhatIsSoIsNotReported) {
  EXPECT_THAT(found([](SimWorld& world, CloudRules& rules) {
                std::vector<InstanceInfo> infos;
                world.cloud().for_each_instance(
                    [&](const cloud::Instance& vm) { infos.push_back(world.cloud().info(vm)); });
                rules.listed("", "", world.scheduler().now(), infos);
                rules.looked(infos[0].id, world.scheduler().now(), infos[0]);
                rules.killed(infos[0].id, make_error(ErrorCode::throttled, "slow down"));
              }),
              IsEmpty());
}

}  // namespace
}  // namespace drover::scenario
