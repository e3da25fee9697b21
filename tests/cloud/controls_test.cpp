#include "tests/cloud/cloud_stage.hpp"

namespace drover::cloud {
namespace {

using Kind = BootOutcome::Kind;

BootOutcome outcome(Kind kind, Duration extra = 0s, std::string text = {}) {
  return {kind, extra, std::move(text), 0s};
}

void expect_ok(const Result<void>& result) { EXPECT_TRUE(result.has_value()) << result.error().message; }

TEST(BootOutcome, CanBeThatItNeverBoots) {
  Stage stage;
  expect_ok(stage.cloud->set_boot_outcome("node-1", outcome(Kind::never)));
  const std::string id = stage.create("node-1");
  stage.pass(24h);
  EXPECT_EQ(stage.state(id), InstanceState::pending);
  EXPECT_TRUE(stage.kill(id).has_value());
}

TEST(BootOutcome, CanBeSlow) {
  Stage stage;
  expect_ok(stage.cloud->set_boot_outcome("node-1", outcome(Kind::normal, 5min)));
  const std::string id = stage.create("node-1");
  stage.pass(5min + 39s);
  EXPECT_EQ(stage.state(id), InstanceState::pending);
  stage.pass(1s);
  EXPECT_EQ(stage.state(id), InstanceState::running);
}

TEST(BootOutcome, CanBeAnErrorWithItsMessage) {
  Stage stage;
  expect_ok(stage.cloud->set_boot_outcome("node-1", outcome(Kind::error, 0s, "no valid host")));
  const std::string id = stage.create("node-1");
  stage.pass(40s);
  EXPECT_EQ(stage.look_up(id).value().state, InstanceState::error);
  EXPECT_EQ(stage.look_up(id).value().fault, "no valid host");
  EXPECT_TRUE(stage.cloud->instance(id)->live());
}

TEST(BootOutcome, CanBeStopped) {
  Stage stage;
  expect_ok(stage.cloud->set_boot_outcome("node-1", outcome(Kind::stopped)));
  const std::string id = stage.create("node-1");
  stage.pass(40s);
  EXPECT_EQ(stage.state(id), InstanceState::stopped);
}

TEST(BootOutcome, CanBeThatItDiesSoonAfter) {
  Stage stage;
  expect_ok(stage.cloud->set_boot_outcome("node-1", outcome(Kind::dies, 3s)));
  const std::string id = stage.create_running("node-1");
  stage.pass(3s);
  EXPECT_EQ(stage.state(id), InstanceState::stopped);
}

TEST(BootOutcome, CanBeTheWrongImage) {
  Stage stage;
  expect_ok(stage.cloud->set_boot_outcome("node-1", outcome(Kind::wrong_image, 0s, "debian-9")));
  EXPECT_EQ(stage.look_up(stage.create_running("node-1")).value().image, "debian-9");
}

TEST(BootOutcome, CanDelayTheAddress) {
  Stage stage;
  expect_ok(stage.cloud->set_boot_outcome("node-1", {Kind::normal, 0s, "", 2min}));
  const std::string id = stage.create_running("node-1");
  EXPECT_EQ(stage.look_up(id).value().address, "");
  stage.pass(80s);
  EXPECT_EQ(stage.look_up(id).value().address, "10.0.0.1");
}

TEST(BootOutcome, IsUsedOnceAndOnlyByItsName) {
  Stage stage;
  expect_ok(stage.cloud->set_boot_outcome("node-2", outcome(Kind::never)));
  stage.create_running("node-1");
  const std::string never = stage.create("node-2");
  stage.create_running("node-2");
  EXPECT_EQ(stage.state(never), InstanceState::pending);
}

TEST(BootOutcome, WithoutANameIsForTheNextInstance) {
  Stage stage;
  expect_ok(stage.cloud->set_boot_outcome("", outcome(Kind::error)));
  const std::string first = stage.create("node-9");
  stage.create_running("node-8");
  EXPECT_EQ(stage.state(first), InstanceState::error);
}

TEST(BootOutcome, OfAPendingInstanceChangesAtOnce) {
  Stage stage;
  const std::string id = stage.create("node-1");
  stage.pass(10s);
  expect_ok(stage.cloud->set_boot_outcome("node-1", outcome(Kind::error)));
  stage.pass(30s);
  EXPECT_EQ(stage.state(id), InstanceState::error);
  EXPECT_TRUE(stage.cloud->set_boot_outcome(id, outcome(Kind::never)).has_error());
}

TEST(Controls, ACrashIsAnAbruptPowerOffWithTheDiskKept) {
  Stage stage;
  testing::StrictMock<ListenerMock> listener;
  const std::string id = stage.create_running("node-1");
  stage.cloud->set_listener(&listener);
  EXPECT_CALL(listener, instance_stopped(id));
  expect_ok(stage.cloud->crash_instance(id));
  EXPECT_EQ(stage.state(id), InstanceState::stopped);
}

TEST(Controls, ACrashMayTakeTheInstanceAway) {
  Stage stage;
  const std::string id = stage.create_running("node-1");
  expect_ok(stage.cloud->crash_instance(id, true));
  EXPECT_EQ(stage.state(id), InstanceState::terminated);
  EXPECT_EQ(stage.cloud->live(), 0U);
}

TEST(Controls, AFailedInstanceTellsItsFault) {
  Stage stage;
  const std::string id = stage.create_running("node-1");
  expect_ok(stage.cloud->fail_instance(id, "host lost"));
  EXPECT_EQ(stage.look_up(id).value().fault, "host lost");
}

TEST(Controls, PausingLeavesTheStateAndIsToldOnce) {
  Stage stage;
  testing::StrictMock<ListenerMock> listener;
  const std::string id = stage.create_running("node-1");
  stage.cloud->set_listener(&listener);
  EXPECT_CALL(listener, instance_paused(id, true)).Times(1);
  expect_ok(stage.cloud->pause_instance(id));
  expect_ok(stage.cloud->pause_instance(id));
  EXPECT_EQ(stage.state(id), InstanceState::running);
  EXPECT_TRUE(stage.cloud->instance(id)->paused);
}

TEST(Controls, APauseEndsWithThePower) {
  Stage stage;
  const std::string id = stage.create_running("node-1");
  expect_ok(stage.cloud->pause_instance(id));
  expect_ok(stage.cloud->crash_instance(id));
  EXPECT_FALSE(stage.cloud->instance(id)->paused);
}

TEST(Controls, OnlyAPoweredInstanceCanBePaused) {
  Stage stage;
  EXPECT_TRUE(stage.cloud->pause_instance(stage.create("node-1")).has_error());
}

TEST(Controls, AnAddressChangesToAFreshOne) {
  Stage stage;
  const std::string id = stage.create_running("node-1");
  expect_ok(stage.cloud->change_address(id));
  EXPECT_EQ(stage.look_up(id).value().address, "10.0.0.2");
}

TEST(Controls, TwoInstancesCanHaveTheSameAddress) {
  Stage stage;
  const std::string first = stage.create_running("node-1"), second = stage.create_running("node-2");
  expect_ok(stage.cloud->duplicate_address(second, first));
  EXPECT_EQ(stage.look_up(second).value().address, stage.look_up(first).value().address);
}

TEST(Controls, AnOldAddressIsReusedByTheNextInstance) {
  Stage stage;
  const std::string old = stage.create_running("node-1");
  stage.create("node-2");
  ASSERT_TRUE(stage.kill(old).has_value());
  stage.pass(15s);
  stage.cloud->reuse_address_next();
  EXPECT_EQ(stage.try_create(make_spec("node-3")).value().address, "10.0.0.1");
  EXPECT_EQ(stage.try_create(make_spec("node-4")).value().address, "10.0.0.3");
}

TEST(Controls, AnOldAddressIsReusedOnce) {
  Stage stage;
  ASSERT_TRUE(stage.kill(stage.create_running("node-1")).has_value());
  stage.pass(15s);
  stage.cloud->reuse_address_next();
  EXPECT_EQ(stage.try_create(make_spec("node-2")).value().address, "10.0.0.1");
  stage.cloud->reuse_address_next();
  EXPECT_EQ(stage.try_create(make_spec("node-3")).value().address, "10.0.0.2");
}

TEST(Controls, ADelayedAddressComesBack) {
  Stage stage;
  const std::string id = stage.create_running("node-1");
  expect_ok(stage.cloud->delay_address(id, 1min));
  EXPECT_EQ(stage.look_up(id).value().address, "");
  stage.pass(1min);
  EXPECT_EQ(stage.look_up(id).value().address, "10.0.0.1");
}

TEST(Controls, ADelayedAddressDoesNotReplaceANewerOne) {
  Stage stage;
  const std::string id = stage.create_running("node-1");
  expect_ok(stage.cloud->delay_address(id, 1min));
  expect_ok(stage.cloud->change_address(id, "10.0.9.9"));
  stage.pass(1min);
  EXPECT_EQ(stage.look_up(id).value().address, "10.0.9.9");
}

TEST(Zombie, IsReportedGoneButGoesOnRunning) {
  Stage stage;
  testing::StrictMock<ListenerMock> listener;
  const std::string id = stage.create_running("node-1");
  stage.cloud->set_listener(&listener);
  expect_ok(stage.cloud->set_terminate_outcome(id, TerminateOutcome::zombie));
  ASSERT_TRUE(stage.kill(id).has_value());
  stage.pass(15s);
  EXPECT_EQ(stage.look_up(id).value().state, InstanceState::terminated);
  EXPECT_EQ(stage.cloud->live(), 1U);
  EXPECT_EQ(stage.cloud->zombies(), 1U);
  EXPECT_CALL(listener, instance_stopped(id));
  EXPECT_CALL(listener, instance_terminated(id));
  expect_ok(stage.cloud->finish_termination(id));
  EXPECT_EQ(stage.cloud->live(), 0U);
  EXPECT_EQ(stage.cloud->zombies(), 0U);
}

TEST(Controls, ADeletionCanBeStuck) {
  Stage stage;
  const std::string id = stage.create_running("node-1");
  expect_ok(stage.cloud->set_terminate_outcome(id, TerminateOutcome::stuck));
  ASSERT_TRUE(stage.kill(id).has_value());
  stage.pass(24h);
  EXPECT_EQ(stage.state(id), InstanceState::shutting_down);
  expect_ok(stage.cloud->finish_termination(id));
  EXPECT_EQ(stage.state(id), InstanceState::terminated);
}

TEST(Controls, ADeletionCanBeIgnoredOnce) {
  Stage stage;
  const std::string id = stage.create_running("node-1");
  expect_ok(stage.cloud->set_terminate_outcome(id, TerminateOutcome::ignored));
  EXPECT_TRUE(stage.kill(id).has_value());
  EXPECT_EQ(stage.state(id), InstanceState::running);
  EXPECT_TRUE(stage.kill(id).has_value());
  EXPECT_EQ(stage.state(id), InstanceState::shutting_down);
}

TEST(Controls, TagsCanBeForgotten) {
  Stage stage;
  const std::string id = stage.create_running("node-1");
  expect_ok(stage.cloud->forget_tags(id));
  EXPECT_TRUE(stage.list().empty());
  EXPECT_EQ(stage.list("", "").size(), 1U);
}

TEST(Controls, ATokenCanBeForgotten) {
  Stage stage;
  ASSERT_TRUE(stage.try_create(make_spec("node-1"), "t").has_value());
  stage.cloud->forget_token("t");
  ASSERT_TRUE(stage.try_create(make_spec("node-1"), "t").has_value());
  EXPECT_EQ(stage.cloud->total_created(), 2U);
}

TEST(Zones, FollowFromTheNameAlone) {
  Stage first, second;
  first.create("other");
  EXPECT_EQ(first.cloud->instance(first.create("node-1"))->zone,
            second.cloud->instance(second.create("node-1"))->zone);
}

TEST(Zones, LosingOneStopsItsInstancesAndNoOthers) {
  Stage stage;
  for (int i = 0; i < 30; ++i) stage.create("node-" + std::to_string(i));
  stage.pass(40s);
  expect_ok(stage.cloud->lose_zone("b"));
  std::size_t lost = 0;
  stage.cloud->for_each_instance([&](const Instance& vm) {
    EXPECT_EQ(vm.state == InstanceState::stopped, vm.zone == "b");
    lost += vm.zone == "b" ? 1 : 0;
  });
  EXPECT_GT(lost, 0U);
  EXPECT_LT(lost, 30U);
}

TEST(Zones, ALostOneGetsNoNewInstancesUntilItIsRestored) {
  Stage stage;
  expect_ok(stage.cloud->lose_zone("a"));
  for (int i = 0; i < 20; ++i)
    EXPECT_NE(stage.cloud->instance(stage.create("node-" + std::to_string(i)))->zone, "a");
  expect_ok(stage.cloud->lose_zone("b"));
  expect_ok(stage.cloud->lose_zone("c"));
  EXPECT_EQ(stage.try_create(make_spec("node-1")).error().code, ErrorCode::capacity);
  expect_ok(stage.cloud->restore_zone("a"));
  EXPECT_EQ(stage.cloud->instance(stage.create("node-1"))->zone, "a");
}

TEST(Controls, NameWhatDoesNotExist) {
  Stage stage;
  EXPECT_EQ(stage.cloud->crash_instance("i-00000042").error().code, ErrorCode::not_found);
  EXPECT_EQ(stage.cloud->crash_instance("").error().code, ErrorCode::not_found);
  EXPECT_EQ(stage.cloud->crash_instance("i-99999999999999999999").error().code, ErrorCode::not_found);
  EXPECT_EQ(stage.cloud->lose_zone("z").error().code, ErrorCode::not_found);
  EXPECT_EQ(stage.cloud->detach_volume("vol-1").error().code, ErrorCode::not_found);
}

TEST(Controls, ReconfiguringChangesLatenciesButNotTheCatalogue) {
  Stage stage;
  CloudConfig config = steady_config();
  config.boot = Distribution::constant(1s);
  expect_ok(stage.cloud->reconfigure(config));
  const std::string id = stage.create("node-1");
  stage.pass(1s);
  EXPECT_EQ(stage.state(id), InstanceState::running);
  config.images.push_back("other");
  EXPECT_EQ(stage.cloud->reconfigure(config).error().code, ErrorCode::invalid);
}

}  // namespace
}  // namespace drover::cloud
