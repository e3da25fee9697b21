// Listings without copies show what was, whatever happens to the instances afterwards.
#include "mockcloud/cloud/snapshot.hpp"

#include "tests/cloud/cloud_stage.hpp"

namespace drover::cloud {
namespace {

Snapshot take(Stage& stage, const std::string& key = {}, const std::string& value = {}) {
  auto taken = stage.ask<Snapshot>(
      [&](auto handler) { stage.cloud->list_snapshot({}, key, value, std::move(handler)); });
  EXPECT_TRUE(taken.has_value());
  return std::move(taken).value();
}

InstanceInfo row(const Snapshot& snapshot, std::size_t index) {
  InstanceInfo info;
  snapshot.tell(index, info);
  return info;
}

TEST(Snapshot, ShowsInstancesAsTheyWereWhenItWasTaken) {
  Stage stage;
  const std::string first = stage.create_running("a"), second = stage.create_running("b");
  const InstanceInfo before = stage.look_up(first).value();
  const Snapshot snapshot = take(stage);
  const Snapshot again = snapshot;
  ASSERT_TRUE(stage.cloud->set_tags(first, {{"new", "tag"}}).has_value());
  ASSERT_TRUE(stage.cloud->change_address(first, "10.9.9.9").has_value());
  ASSERT_TRUE(stage.cloud->rename(second, "c").has_value());
  ASSERT_TRUE(stage.kill(first).has_value());
  stage.create("d");
  stage.pass(2h);
  for (const Snapshot* each : {&snapshot, &again}) {
    ASSERT_EQ(each->size(), 2U);
    EXPECT_EQ(each->id(0), first);
    EXPECT_EQ(row(*each, 0).state, InstanceState::running);
    EXPECT_EQ(row(*each, 0).address, before.address);
    EXPECT_EQ(row(*each, 0).tags, before.tags);
    EXPECT_EQ(row(*each, 1).name, "b");
  }
  const Snapshot later = take(stage);
  EXPECT_EQ(row(later, 0).name, "c") << "the first one is forgotten";
}

// Half of a call's latency passes behind its effect, and a rule may hold the answer back.
TEST(Snapshot, IsOfTheMomentOfTheEffectAndNotOfTheAnswer) {
  CloudConfig config = steady_config();
  config.call_latency = Distribution::constant(10s);
  Stage stage(config);
  const std::string id = stage.create("a");
  stage.pass(40s);
  std::optional<InstanceState> shown;
  stage.cloud->listVMs(
      {}, {}, {}, [&](Result<std::vector<InstanceInfo>> listed) { shown = listed.value().front().state; });
  stage.pass(6s);
  ASSERT_TRUE(stage.cloud->crash_instance(id).has_value());
  stage.pass(6s);
  EXPECT_EQ(shown, InstanceState::running);
  EXPECT_EQ(stage.cloud->instance(id)->state, InstanceState::stopped);
}

TEST(Snapshot, IsNarrowedToATagAndMayLoseRows) {
  Stage stage;
  for (const char* name : {"a", "b", "c", "b"}) stage.create(name);
  EXPECT_EQ(take(stage, kNodeTag, "b").size(), 2U);
  Snapshot all = take(stage);
  all.erase(1, 2);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(row(all, 0).name, "a");
  EXPECT_EQ(all.id(1), "i-00000004");
  EXPECT_EQ(all.infos().size(), 2U);
  EXPECT_EQ(Snapshot().size(), 0U);
}

}  // namespace
}  // namespace drover::cloud
