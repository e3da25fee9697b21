#include "mockcloud/cloud/lifecycle.hpp"

#include <map>
#include <set>

#include "tests/cloud/cloud_stage.hpp"

namespace drover::cloud {
namespace {

using testing::_;
using testing::InSequence;

// Written down a second time, per event; '-' is illegal. States in the order pending, running, rebooting,
// stopping, stopped, shutting-down, terminated, error: r running, b rebooting, g stopping, s stopped, d
// shutting-down, t terminated, e error, p pending.
const std::map<Event, std::string> kExpected = {
    {Event::boot_done, "r-------"},     {Event::boot_failed, "e-------"}, {Event::boot_stopped, "s-------"},
    {Event::start, "----p---"},         {Event::stop, "-gg-----"},        {Event::stop_done, "---s----"},
    {Event::reboot, "-b------"},        {Event::reboot_done, "--r-----"}, {Event::crash, "ssss----"},
    {Event::fail, "eeeee---"},          {Event::vanish, "tttttt-t"},      {Event::terminate, "ddddd--d"},
    {Event::terminate_done, "-----t--"}};

TEST(Lifecycle, EveryPairOfStateAndEventLeadsWhereTheTableSays) {
  ASSERT_EQ(kExpected.size(), static_cast<std::size_t>(kEvents));
  const std::string letters = "prbgsdte";
  for (const auto& [event, row] : kExpected)
    for (int i = 0; i < kInstanceStates; ++i) {
      const auto to = next_state(static_cast<InstanceState>(i), event);
      const char letter = to ? letters[static_cast<std::size_t>(*to)] : '-';
      EXPECT_EQ(letter, row[static_cast<std::size_t>(i)])
          << drover::to_text(static_cast<InstanceState>(i)) << " x " << to_text(event);
    }
}

TEST(Lifecycle, NoPairOfStateAndEventIsListedTwice) {
  std::set<std::pair<InstanceState, Event>> pairs;
  for (const Transition& t : transitions())
    EXPECT_TRUE(pairs.insert({t.from, t.event}).second)
        << drover::to_text(t.from) << " x " << to_text(t.event);
}

TEST(Lifecycle, EveryStateIsReadBackFromItsText) {
  for (int i = 0; i < kInstanceStates; ++i)
    EXPECT_EQ(parse_state(drover::to_text(static_cast<InstanceState>(i))), static_cast<InstanceState>(i));
  EXPECT_EQ(parse_state("shutting down"), std::nullopt);
}

TEST(InstanceLife, IsPendingThenRunsAfterTheBootLatency) {
  Stage stage;
  const std::string id = stage.create("node-1");
  EXPECT_EQ(id, "i-00000001");
  stage.pass(40s - 1ns);
  EXPECT_EQ(stage.state(id), InstanceState::pending);
  stage.pass(1ns);
  EXPECT_EQ(stage.state(id), InstanceState::running);
}

TEST(InstanceLife, StopsAfterTheStopLatency) {
  Stage stage;
  const std::string id = stage.create_running("node-1");
  ASSERT_TRUE(stage.cloud->stop_instance(id).has_value());
  EXPECT_EQ(stage.state(id), InstanceState::stopping);
  stage.pass(10s);
  EXPECT_EQ(stage.state(id), InstanceState::stopped);
}

TEST(InstanceLife, BootsAgainAfterAStart) {
  Stage stage;
  const std::string id = stage.create_running("node-1");
  ASSERT_TRUE(stage.cloud->crash_instance(id).has_value());
  ASSERT_TRUE(stage.cloud->start_instance(id).has_value());
  EXPECT_EQ(stage.state(id), InstanceState::pending);
  stage.pass(40s);
  EXPECT_EQ(stage.state(id), InstanceState::running);
}

TEST(InstanceLife, RebootsAndRunsAgain) {
  Stage stage;
  const std::string id = stage.create_running("node-1");
  ASSERT_TRUE(stage.cloud->reboot_instance(id).has_value());
  EXPECT_EQ(stage.state(id), InstanceState::rebooting);
  stage.pass(20s);
  EXPECT_EQ(stage.state(id), InstanceState::running);
}

TEST(InstanceLife, ShutsDownBeforeItIsTerminated) {
  Stage stage;
  const std::string id = stage.create_running("node-1");
  ASSERT_TRUE(stage.kill(id).has_value());
  EXPECT_EQ(stage.state(id), InstanceState::shutting_down);
  stage.pass(15s);
  EXPECT_EQ(stage.state(id), InstanceState::terminated);
}

TEST(InstanceLife, AKillDuringTheBootEndsTheBoot) {
  Stage stage;
  const std::string id = stage.create("node-1");
  stage.pass(39s);
  ASSERT_TRUE(stage.kill(id).has_value());
  stage.pass(5s);
  EXPECT_EQ(stage.state(id), InstanceState::shutting_down);
  stage.pass(10s);
  EXPECT_EQ(stage.state(id), InstanceState::terminated);
}

TEST(InstanceLife, AnIllegalTransitionIsRefusedAndSaysWhy) {
  Stage stage;
  const std::string id = stage.create("node-1");
  const auto refused = stage.cloud->reboot_instance(id);
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code, ErrorCode::wrong_state);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("node-1"));
  EXPECT_THAT(refused.error().message, testing::HasSubstr("pending"));
}

TEST(Listener, HearsOfTheWholeLife) {
  Stage stage;
  testing::StrictMock<ListenerMock> listener;
  stage.cloud->set_listener(&listener);
  {
    InSequence sequence;
    EXPECT_CALL(listener, instance_booted(testing::Field(&InstanceInfo::address, "10.0.0.1"), "#!/bin/sh"));
    EXPECT_CALL(listener, instance_stopped("i-00000001"));
    EXPECT_CALL(listener, instance_rebooted("i-00000001", false));
    EXPECT_CALL(listener, instance_paused("i-00000001", true));
    EXPECT_CALL(listener, instance_paused("i-00000001", false));
    EXPECT_CALL(listener, instance_address_changed("i-00000001", "10.9.9.9"));
    EXPECT_CALL(listener, instance_stopped("i-00000001"));
    EXPECT_CALL(listener, instance_terminated("i-00000001"));
  }
  const std::string id = stage.create_running("node-1");
  ASSERT_TRUE(stage.cloud->reboot_instance(id, false).has_value());
  stage.pass(20s);
  ASSERT_TRUE(stage.cloud->pause_instance(id).has_value());
  ASSERT_TRUE(stage.cloud->resume_instance(id).has_value());
  ASSERT_TRUE(stage.cloud->change_address(id, "10.9.9.9").has_value());
  ASSERT_TRUE(stage.kill(id).has_value());
  stage.pass(15s);
}

TEST(Listener, HearsNothingOfAnInstanceThatNeverBooted) {
  Stage stage;
  testing::StrictMock<ListenerMock> listener;
  stage.cloud->set_listener(&listener);
  const std::string id = stage.create("node-1");
  EXPECT_CALL(listener, instance_terminated(id));
  ASSERT_TRUE(stage.kill(id).has_value());
  stage.pass(15s);
}

TEST(Observer, SeesEveryTransition) {
  Stage stage;
  std::string seen;
  stage.cloud->set_observer([&](const Instance& vm, InstanceState from) {
    seen += std::string(drover::to_text(from)) + ">" + drover::to_text(vm.state) + " ";
  });
  const std::string id = stage.create_running("node-1");
  ASSERT_TRUE(stage.kill(id).has_value());
  stage.pass(15s);
  EXPECT_EQ(seen, "pending>pending pending>running running>shutting-down shutting-down>terminated ");
}

TEST(Observer, MayCrashTheInstanceThatItIsToldOf) {
  Stage stage;
  stage.cloud->set_observer([&](const Instance& vm, InstanceState from) {
    if (vm.state != InstanceState::running || from != InstanceState::pending) return;
    EXPECT_TRUE(stage.cloud->crash_instance(vm.id).has_value());
  });
  const std::string id = stage.create("node-1");
  stage.pass(40s);
  EXPECT_EQ(stage.state(id), InstanceState::stopped);
}

TEST(Truth, CountsByStateAndKeepsTheHighWaterMark) {
  Stage stage;
  const std::string first = stage.create("node-1");
  stage.create("node-2");
  stage.pass(40s);
  ASSERT_TRUE(stage.kill(first).has_value());
  EXPECT_EQ(stage.cloud->live(), 1U);
  EXPECT_EQ(stage.cloud->high_water(), 2U);
  EXPECT_EQ(stage.cloud->count(InstanceState::shutting_down), 1U);
  stage.pass(15s);
  EXPECT_EQ(stage.cloud->count(InstanceState::running), 1U);
  EXPECT_EQ(stage.cloud->total_created(), 2U);
  EXPECT_EQ(stage.cloud->total_terminated(), 1U);
}

TEST(Truth, TellsOnceWhatHasChanged) {
  Stage stage;
  stage.create("node-1");
  const std::string second = stage.create("node-2");
  EXPECT_THAT(stage.cloud->take_changed(), testing::ElementsAre("i-00000001", "i-00000002"));
  EXPECT_THAT(stage.cloud->take_changed(), testing::IsEmpty());
  ASSERT_TRUE(stage.kill(second).has_value());
  EXPECT_THAT(stage.cloud->take_changed(), testing::ElementsAre(second));
}

TEST(Truth, TracesEveryTransitionUnderTheInstancesName) {
  Stage stage;
  stage.trace.keep();
  stage.create_running("node-1");
  ASSERT_EQ(stage.trace.entries().size(), 2U);
  EXPECT_EQ(stage.trace.entries()[1].subject, "node-1");
  EXPECT_EQ(stage.trace.entries()[1].detail, "i-00000001 boot_done running");
  EXPECT_EQ(stage.trace.entries()[1].at, kEpoch + 40s);
}

}  // namespace
}  // namespace drover::cloud
