// What a cloud with a file knows after a restart of the process: a second Stage with its own scheduler at
// time 0.
#include <fstream>

#include "tests/cloud/cloud_stage.hpp"

namespace drover::cloud {
namespace {

std::string describe(const Cloud& cloud, TimePoint now) {
  std::string text;
  const auto add = [&](const auto&... parts) { ((text += parts, text += '|'), ...); };
  cloud.for_each_instance([&](const Instance& vm) {
    add(vm.id, vm.spec.name, vm.spec.image, vm.spec.size, vm.spec.network, vm.spec.user_data, vm.zone,
        vm.token, drover::to_text(vm.state), vm.address, vm.fault, to_text(vm.terminate_outcome),
        drover::to_text(now - vm.created_at), drover::to_text(now - vm.state_since),
        std::to_string(vm.powered), std::to_string(vm.paused), std::to_string(vm.counts_to_quota),
        std::to_string(vm.volumes.size()));
    if (vm.transition_timer != 0) add(drover::to_text(vm.transition_due - now));
    for (const auto& [key, value] : vm.spec.tags) add(key, value);
    text += '\n';
  });
  for (const auto& [number, volume] : cloud.all_volumes())
    add(volume.id, volume.name, std::to_string(volume.gigabytes), std::to_string(volume.attached_to));
  add(std::to_string(cloud.live()), std::to_string(cloud.zombies()), std::to_string(cloud.high_water()),
      std::to_string(cloud.quota_used()), std::to_string(cloud.total_terminated()));
  return text;
}

TEST(Restart, InMemoryNothingOutlivesTheCloud) {
  const auto live_once = [] {
    Stage stage;
    stage.create("node-1");
    stage.create("node-2");
    stage.cloud->set_fault_count("tick", 3);
    stage.pass(10s);
    return describe(*stage.cloud, stage.scheduler.now());
  };
  const std::string first = live_once();
  EXPECT_EQ(live_once(), first);
  const Stage after;
  EXPECT_EQ(after.cloud->live(), 0U);
  EXPECT_TRUE(after.cloud->fault_counts().empty());
}

TEST(Restart, PendingTimersGoOnWhereTheyStood) {
  const DatabaseFile file;
  {
    Stage stage(steady_config(), file.path());
    stage.pass(100s);
    stage.create("node-1");
    stage.pass(25s);
    stage.cloud->set_fault_count("tick", 1);  // any change: the clock is stored with it
  }
  Stage stage(steady_config(), file.path());
  EXPECT_EQ(stage.state("i-00000001"), InstanceState::pending);
  stage.pass(15s - 1ns);
  EXPECT_EQ(stage.state("i-00000001"), InstanceState::pending);
  stage.pass(1ns);
  EXPECT_EQ(stage.state("i-00000001"), InstanceState::running);
}

TEST(Restart, KeepsEverythingThatCanBeSeen) {
  const DatabaseFile file;
  CloudConfig config = steady_config();
  config.quota_keeps_terminated = 10min;
  std::string before;
  {
    Stage stage(config, file.path());
    std::vector<std::string> ids;
    for (int i = 0; i < 12; ++i) {
      const std::string name = "node-" + std::to_string(i);
      ids.push_back(stage.try_create(make_spec(name), "token-" + name).value().id);
    }
    stage.pass(40s);
    ASSERT_TRUE(stage.kill(ids[0]).has_value());
    ASSERT_TRUE(stage.cloud->set_terminate_outcome(ids[1], TerminateOutcome::zombie).has_value());
    ASSERT_TRUE(stage.kill(ids[1]).has_value());
    ASSERT_TRUE(stage.cloud->crash_instance(ids[2]).has_value());
    ASSERT_TRUE(stage.cloud->fail_instance(ids[3], "host lost").has_value());
    ASSERT_TRUE(stage.cloud->pause_instance(ids[4]).has_value());
    ASSERT_TRUE(stage.cloud->forget_tags(ids[5]).has_value());
    ASSERT_TRUE(stage.cloud->change_address(ids[6], "172.16.0.1").has_value());
    ASSERT_TRUE(stage.create_volume("data", 10, "token").has_value());
    ASSERT_TRUE(stage.attach("vol-00000001", ids[7]).has_value());
    stage.pass(20s);
    ASSERT_TRUE(stage.cloud->reboot_instance(ids[8], false).has_value());
    ASSERT_TRUE(stage.cloud->stop_instance(ids[9]).has_value());
    ASSERT_TRUE(stage.kill(ids[10]).has_value());
    before = describe(*stage.cloud, stage.scheduler.now());
  }
  Stage stage(config, file.path());
  EXPECT_EQ(describe(*stage.cloud, stage.scheduler.now()), before);
  stage.pass(11min);
  EXPECT_EQ(stage.cloud->quota_used(), 9U) << "three were terminated";
}

TEST(Restart, NothingIsLostWhenTheProcessDies) {
  const DatabaseFile file;
  const std::string copy = file.path() + ".copy";
  Stage running(steady_config(), file.path());
  running.create_running("node-1");
  running.create("node-2");
  for (const char* suffix : {"", "-wal"})
    std::filesystem::copy_file(file.path() + suffix, copy + suffix,
                               std::filesystem::copy_options::overwrite_existing);
  {
    Stage stage(steady_config(), copy);
    EXPECT_EQ(describe(*stage.cloud, stage.scheduler.now()),
              describe(*running.cloud, running.scheduler.now()));
  }
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(copy + suffix);
}

TEST(Restart, TokensStillProtect) {
  const DatabaseFile file;
  { ASSERT_TRUE(Stage(steady_config(), file.path()).try_create(make_spec("node-1"), "t").has_value()); }
  Stage stage(steady_config(), file.path());
  EXPECT_EQ(stage.try_create(make_spec("node-1"), "t").value().id, "i-00000001");
  EXPECT_EQ(stage.try_create(make_spec("node-2"), "t").error().code, ErrorCode::already_exists);
}

TEST(Restart, AddressesInUseAreNotGivenAgain) {
  const DatabaseFile file;
  { Stage(steady_config(), file.path()).create("node-1"); }
  Stage stage(steady_config(), file.path());
  EXPECT_EQ(stage.try_create(make_spec("node-2")).value().address, "10.0.0.2");
}

TEST(Restart, AddressesGivenAndReservedStayTaken) {
  const DatabaseFile file;
  CloudConfig config = steady_config();
  config.address_prefix = "192.168.7.";
  {
    Stage stage(config, file.path());
    for (int i = 0; i < 254; ++i) stage.create("node");
  }
  {
    Stage stage(config, file.path());
    EXPECT_TRUE(stage.try_create(make_spec("node")).has_error()) << "one that was given is free";
    ASSERT_TRUE(stage.cloud->delay_address("i-00000007", 1h).has_value());
  }
  Stage stage(config, file.path());
  EXPECT_TRUE(stage.try_create(make_spec("node")).has_error()) << "the reserved one is free";
}

TEST(Restart, AUsedBootOutcomeIsNotUsedAgain) {
  const DatabaseFile file;
  {
    Stage stage(steady_config(), file.path());
    ASSERT_TRUE(stage.cloud->set_boot_outcome("node-1", {BootOutcome::Kind::never, 0s, "", 0s}).has_value());
    stage.create("node-1");
  }
  Stage stage(steady_config(), file.path());
  stage.create_running("node-1");
}

TEST(Restart, PendingFaultsAndCountsSurvive) {
  const DatabaseFile file;
  {
    Stage stage(steady_config(), file.path());
    ASSERT_TRUE(
        stage.cloud->set_boot_outcome("node-1", {BootOutcome::Kind::error, 0s, "no host", 0s}).has_value());
    stage.cloud->set_fault_count("lost", 2);
    stage.cloud->set_fault_count("lost", 3);
    stage.cloud->set_fault_count("crash", 1);
    ASSERT_TRUE(stage.cloud->lose_zone("a").has_value());
  }
  Stage stage(steady_config(), file.path());
  EXPECT_THAT(stage.cloud->fault_counts(),
              testing::ElementsAre(testing::Pair("crash", 1U), testing::Pair("lost", 3U)));
  const std::string id = stage.create("node-1");
  EXPECT_NE(stage.cloud->instance(id)->zone, "a");
  stage.pass(40s);
  EXPECT_EQ(stage.look_up(id).value().fault, "no host");
}

TEST(Restart, ALaggingListingStaysWhereItWas) {
  const DatabaseFile file;
  CloudConfig config = steady_config();
  config.list_lag = Distribution::constant(15s);
  {
    Stage stage(config, file.path());
    stage.create_running("node-1");
    EXPECT_EQ(stage.list()[0].state, InstanceState::pending);
  }
  Stage stage(config, file.path());
  EXPECT_EQ(stage.list()[0].state, InstanceState::pending);
  stage.pass(15s);
  EXPECT_EQ(stage.list()[0].state, InstanceState::running);
}

TEST(Restart, TheRateBucketStaysEmpty) {
  const DatabaseFile file;
  CloudConfig config = steady_config();
  config.throttle = {0.01, 1, 0s};
  { Stage(config, file.path()).list(); }
  Stage stage(config, file.path());
  EXPECT_EQ(stage.look_up("i-00000001").error().code, ErrorCode::throttled);
}

TEST(Restart, ACopyOfACloudInMemoryOpensLikeTheCloud) {
  const DatabaseFile file;
  std::string before;
  {
    Stage stage;
    stage.create_running("node-1");
    stage.create("node-2");
    ASSERT_TRUE(stage.cloud->save_copy(file.path()).has_value());
    EXPECT_EQ(stage.cloud->save_copy(file.path()).error().code, ErrorCode::storage) << "never overwrites";
    stage.pass(0s);
    before = describe(*stage.cloud, stage.scheduler.now());
    stage.create("node-3");
    EXPECT_EQ(stage.cloud->total_created(), 3U) << "the cloud goes on after the copy";
  }
  Stage stage(steady_config(), file.path());
  EXPECT_EQ(describe(*stage.cloud, stage.scheduler.now()), before);
}

Result<std::unique_ptr<Cloud>> try_open(const std::string& path) {
  static Scheduler scheduler;
  static Domain domain(scheduler);
  static Choices choices(1);
  static Trace trace;
  return Cloud::open(scheduler, domain, choices, trace, steady_config(), path);
}

TEST(Open, AFolderThatDoesNotExistIsAnError) {
  const auto opened = try_open("/nonexistent/folder/cloud.db");
  ASSERT_TRUE(opened.has_error());
  EXPECT_EQ(opened.error().code, ErrorCode::storage);
  EXPECT_THAT(opened.error().message, testing::HasSubstr("/nonexistent/folder/cloud.db"));
}

TEST(Open, AFileThatIsNoDatabaseIsAnErrorAndStaysAsItWas) {
  const DatabaseFile file;
  std::ofstream(file.path()) << std::string(5000, 'x');
  EXPECT_EQ(try_open(file.path()).error().code, ErrorCode::storage);
  EXPECT_EQ(std::filesystem::file_size(file.path()), 5000U);
}

TEST(Open, TheDatabaseOfAnotherProgramIsAnError) {
  const DatabaseFile file;
  {
    auto other = Database::open(file.path());
    ASSERT_TRUE(other.has_value());
    other.value().execute("CREATE TABLE instances (id TEXT)");
  }
  const auto opened = try_open(file.path());
  ASSERT_TRUE(opened.has_error());
  EXPECT_THAT(opened.error().message, testing::HasSubstr("not the database of a mock cloud"));
}

// What opening says after `sql` was run on the file of a cloud with one instance that boots.
std::string message_after(const char* sql) {
  const DatabaseFile file;
  { EXPECT_TRUE(Stage(steady_config(), file.path()).try_create(make_spec("node-1"), "t").has_value()); }
  {
    auto database = Database::open(file.path());
    EXPECT_TRUE(database.has_value());
    database.value().execute(sql);
  }
  const auto opened = try_open(file.path());
  return opened ? "" : opened.error().message;
}

TEST(Open, ATableChangedByHandIsAnErrorThatNamesTheRow) {
  using testing::HasSubstr;
  EXPECT_THAT(message_after("UPDATE instances SET state = 'sleeping'"), HasSubstr("row 1 of instances"));
  EXPECT_THAT(message_after("UPDATE instances SET number = 7"), HasSubstr("row 7 of instances"));
  EXPECT_THAT(message_after("UPDATE timers SET instance = 7"), HasSubstr("row 1 of timers"));
  EXPECT_THAT(message_after("UPDATE tokens SET number = 7"), HasSubstr("row instance:t of tokens"));
  EXPECT_THAT(message_after("PRAGMA user_version = 9"), HasSubstr("layout 9"));
}

}  // namespace
}  // namespace drover::cloud
