#include "tests/cloud/cloud_stage.hpp"

namespace drover::cloud {
namespace {

using testing::HasSubstr;

ErrorCode code_of(const auto& result) { return result ? ErrorCode::unknown : result.error().code; }

TEST(Calls, TheEffectComesInTheMiddleOfTheLatency) {
  CloudConfig config = steady_config();
  config.call_latency = Distribution::constant(100ms);
  Stage stage(config);
  bool answered = false;
  stage.cloud->newInstance({}, make_spec("node-1"), "", [&](auto) { answered = true; });
  stage.pass(49ms);
  EXPECT_EQ(stage.cloud->live(), 0U);
  stage.pass(1ms);
  EXPECT_EQ(stage.cloud->live(), 1U);
  stage.pass(49ms);
  EXPECT_FALSE(answered);
  stage.pass(1ms);
  EXPECT_TRUE(answered);
}

TEST(Calls, LatenciesAreDrawnFromTheirDistribution) {
  CloudConfig config = steady_config();
  config.call_latency = Distribution::uniform(20ms, 120ms);
  Stage stage(config);
  for (int i = 0; i < 100; ++i) {
    const TimePoint before = stage.scheduler.now();
    stage.list();
    const Duration took = stage.scheduler.now() - before;
    EXPECT_GE(took, 20ms);
    EXPECT_LE(took, 120ms);
  }
}

TEST(Calls, ACallIsNeverAnsweredAfterTheDomainWasKilled) {
  Stage stage;
  bool answered = false;
  stage.cloud->listVMs({}, "", "", [&](auto) { answered = true; });
  stage.domain.kill();
  stage.pass(1min);
  EXPECT_FALSE(answered);
}

TEST(NewInstance, RefusesWhatTheCatalogueDoesNotHave) {
  Stage stage;
  InstanceSpec image = make_spec("node-1"), size = image, network = image;
  image.image = "windows";
  size.size = "huge";
  network.network = "moon";
  for (const auto& spec : {image, size, network}) {
    const auto refused = stage.try_create(spec);
    ASSERT_EQ(code_of(refused), ErrorCode::invalid);
    EXPECT_EQ(refused.error().retry, Retry::no);
  }
  EXPECT_THAT(stage.try_create(image).error().message, HasSubstr("debian-12-drover"));
  EXPECT_EQ(stage.cloud->total_created(), 0U);
}

TEST(NewInstance, RefusesHostileSpecs) {
  Stage stage;
  InstanceSpec empty = make_spec(""), large = make_spec("node-1"), twice = make_spec("node-1");
  large.user_data = std::string(100'000, 'x');
  twice.tags = {{"a", "1"}, {"a", "2"}};
  EXPECT_EQ(code_of(stage.try_create(empty)), ErrorCode::invalid);
  EXPECT_EQ(code_of(stage.try_create(large)), ErrorCode::invalid);
  EXPECT_EQ(code_of(stage.try_create(twice)), ErrorCode::invalid);
  EXPECT_EQ(code_of(stage.try_create(make_spec(std::string(300, 'n')))), ErrorCode::invalid);
}

TEST(NewInstance, KeepsTextThatLooksLikeSqlAsText) {
  Stage stage;
  const std::string name = "'); DROP TABLE instances; --";
  const std::string id = stage.create(name);
  EXPECT_EQ(stage.look_up(id).value().name, name);
  stage.create("node-2");
  EXPECT_EQ(stage.cloud->total_created(), 2U);
}

TEST(NewInstance, AcceptsAnythingWithoutStrictValidation) {
  CloudConfig config = steady_config();
  config.strict = false;
  Stage stage(config);
  InstanceSpec spec = make_spec("node-1");
  spec.image = "ami-12345678";
  EXPECT_TRUE(stage.try_create(spec).has_value());
}

TEST(Tokens, TheSameRequestGivesTheSameInstanceAlsoWhenTheQuotaIsUsedUp) {
  CloudConfig config = steady_config();
  config.quota_instances = 1;
  Stage stage(config);
  const auto first = stage.try_create(make_spec("node-1"), "t-1");
  const auto again = stage.try_create(make_spec("node-1"), "t-1");
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(again.value().id, first.value().id);
  EXPECT_EQ(stage.cloud->total_created(), 1U);
}

TEST(Tokens, AnyOtherParameterIsAMismatch) {
  Stage stage;
  ASSERT_TRUE(stage.try_create(make_spec("node-1"), "t-1").has_value());
  InstanceSpec name = make_spec("node-2"), data = make_spec("node-1"), tags = make_spec("node-1");
  data.user_data += "x";
  tags.tags.pop_back();
  for (const auto& spec : {name, data, tags})
    EXPECT_EQ(code_of(stage.try_create(spec, "t-1")), ErrorCode::already_exists);
  EXPECT_EQ(stage.cloud->total_created(), 1U);
}

TEST(Tokens, WithoutATokenEveryRequestCreates) {
  Stage stage;
  EXPECT_NE(stage.create("node-1"), stage.create("node-1"));
}

TEST(Address, IsThereAtOnceByDefault) {
  Stage stage;
  EXPECT_EQ(stage.try_create(make_spec("node-1")).value().address, "10.0.0.1");
  EXPECT_EQ(stage.try_create(make_spec("node-2")).value().address, "10.0.0.2");
}

TEST(Address, ComesLateWhereTheCloudIsSlow) {
  CloudConfig config = steady_config();
  config.address_delay = Distribution::constant(70s);
  Stage stage(config);
  testing::NiceMock<ListenerMock> listener;
  stage.cloud->set_listener(&listener);
  const std::string id = stage.create_running("node-1");
  EXPECT_EQ(stage.look_up(id).value().address, "");
  EXPECT_CALL(listener, instance_address_changed(id, "10.0.0.1"));
  stage.pass(30s);
  EXPECT_EQ(stage.look_up(id).value().address, "10.0.0.1");
}

TEST(Address, OfATerminatedInstanceIsNoLongerTold) {
  Stage stage;
  const std::string id = stage.create_running("node-1");
  ASSERT_TRUE(stage.kill(id).has_value());
  stage.pass(15s);
  EXPECT_EQ(stage.look_up(id).value().address, "");
}

TEST(Address, RunsOutAsACapacityError) {
  CloudConfig config = steady_config();
  config.address_prefix = "192.168.7.";
  Stage stage(config);
  for (int i = 0; i < 254; ++i) stage.create("node");
  EXPECT_EQ(code_of(stage.try_create(make_spec("node"))), ErrorCode::capacity);
  ASSERT_TRUE(stage.kill("i-00000100").has_value());
  stage.pass(15s);
  EXPECT_EQ(stage.try_create(make_spec("node")).value().address, "192.168.7.100");
}

TEST(Address, ThatCameTooLateForItsInstanceIsFreeAgain) {
  CloudConfig config = steady_config();
  config.address_prefix = "192.168.7.";
  config.address_delay = Distribution::constant(70s);
  Stage stage(config);
  ASSERT_TRUE(stage.kill(stage.create("node")).has_value());
  stage.pass(70s);
  for (int i = 0; i < 254; ++i) stage.create("node");
}

TEST(Listing, GivesInstancesWithTheTagInTheOrderOfCreation) {
  Stage stage;
  InstanceSpec other = make_spec("other");
  other.tags = {{kServiceTag, "8"}};
  stage.create("node-2");
  ASSERT_TRUE(stage.try_create(other).has_value());
  stage.create("node-1");
  const auto listing = stage.list();
  ASSERT_EQ(listing.size(), 2U);
  EXPECT_EQ(listing[0].name, "node-2");
  EXPECT_EQ(listing[1].name, "node-1");
  EXPECT_EQ(stage.list("", "").size(), 3U);
}

TEST(Listing, ShowsTerminatedInstancesForAWhileAndThenNeither) {
  Stage stage;
  const std::string id = stage.create_running("node-1");
  ASSERT_TRUE(stage.kill(id).has_value());
  stage.pass(15s + 1h - 1ns);
  ASSERT_EQ(stage.list().size(), 1U);
  EXPECT_EQ(stage.list()[0].state, InstanceState::terminated);
  stage.pass(1ns);
  EXPECT_TRUE(stage.list().empty());
  EXPECT_EQ(code_of(stage.look_up(id)), ErrorCode::not_found);
  EXPECT_TRUE(stage.kill(id).has_value()) << "gone is gone";
}

TEST(LaggingListing, ShowsTheWorldAsItWas) {
  CloudConfig config = steady_config();
  config.list_lag = Distribution::constant(15s);
  Stage stage(config);
  const std::string id = stage.create("node-1");
  stage.pass(14s);
  EXPECT_TRUE(stage.list().empty()) << "shown too early";
  stage.pass(1s);
  ASSERT_EQ(stage.list().size(), 1U);
  stage.pass(39s);
  EXPECT_EQ(stage.state(id), InstanceState::running);
  EXPECT_EQ(stage.list()[0].state, InstanceState::pending);
  stage.pass(1s);
  EXPECT_EQ(stage.list()[0].state, InstanceState::running);
}

TEST(LaggingListing, DoesNotForgetWhatAnEarlierListingHasShown) {
  CloudConfig config = steady_config();
  config.list_lag = Distribution::uniform(0s, 60s);
  Stage stage(config);
  std::size_t shown = 0;
  std::size_t behind = 0;
  for (int i = 0; i < 200; ++i) {
    stage.create("node-" + std::to_string(i));
    stage.pass(1s);
    const std::size_t now = stage.list().size();
    ASSERT_GE(now, shown);
    shown = now;
    behind += now < stage.cloud->total_created() ? 1 : 0;
  }
  EXPECT_GT(behind, 100U) << "the listing hardly lagged";
}

TEST(LaggingListing, NeverShowsAnEarlierStateAfterALaterOne) {
  CloudConfig config = steady_config();
  config.list_lag = Distribution::uniform(0s, 60s);
  Stage stage(config);
  const std::string id = stage.create("node-1");
  stage.pass(1min);
  bool ran = false;
  for (int i = 0; i < 100; ++i) {
    if (i == 50) {
      ASSERT_TRUE(stage.kill(id).has_value());
    }
    const auto listing = stage.list();
    ASSERT_EQ(listing.size(), 1U);
    if (ran) {
      ASSERT_NE(listing[0].state, InstanceState::pending);
    }
    ran = ran || listing[0].state != InstanceState::pending;
    stage.pass(2s);
  }
  EXPECT_EQ(stage.list()[0].state, InstanceState::terminated);
}

TEST(LaggingListing, DoesNotConcernGetVMInfo) {
  CloudConfig config = steady_config();
  config.list_lag = Distribution::constant(15s);
  Stage stage(config);
  const std::string id = stage.create_running("node-1");
  EXPECT_EQ(stage.look_up(id).value().state, InstanceState::running);
}

TEST(Quota, RefusesOneMoreInstance) {
  CloudConfig config = steady_config();
  config.quota_instances = 2;
  Stage stage(config);
  const std::string first = stage.create("node-1");
  stage.create("node-2");
  const auto refused = stage.try_create(make_spec("node-3"));
  ASSERT_EQ(code_of(refused), ErrorCode::quota);
  EXPECT_EQ(refused.error().effect, Effect::none);
  EXPECT_THAT(refused.error().message, HasSubstr("2 instances"));
  ASSERT_TRUE(stage.kill(first).has_value());
  EXPECT_TRUE(stage.try_create(make_spec("node-3")).has_value());
}

TEST(Quota, MayCountTerminatedInstancesForAWhile) {
  CloudConfig config = steady_config();
  config.quota_instances = 1;
  config.quota_keeps_terminated = 10min;
  Stage stage(config);
  ASSERT_TRUE(stage.kill(stage.create("node-1")).has_value());
  stage.pass(15s + 10min - 1ns);
  EXPECT_EQ(code_of(stage.try_create(make_spec("node-2"))), ErrorCode::quota);
  stage.pass(1ns);
  EXPECT_TRUE(stage.try_create(make_spec("node-2")).has_value());
}

TEST(Capacity, IsAboutLiveInstancesAndWorthTryingLater) {
  CloudConfig config = steady_config();
  config.capacity = 1;
  Stage stage(config);
  const std::string id = stage.create("node-1");
  const auto refused = stage.try_create(make_spec("node-2"));
  ASSERT_EQ(code_of(refused), ErrorCode::capacity);
  EXPECT_EQ(refused.error().retry, Retry::later);
  ASSERT_TRUE(stage.kill(id).has_value());
  EXPECT_TRUE(stage.try_create(make_spec("node-2")).has_value());
}

TEST(Throttling, AllowsTheBurstThenTheRate) {
  CloudConfig config = steady_config();
  config.throttle = {2, 5, 0s};
  Stage stage(config);
  for (int i = 0; i < 5; ++i) EXPECT_NE(code_of(stage.look_up("i-00000001")), ErrorCode::throttled);
  const auto refused = stage.look_up("i-00000001");
  ASSERT_EQ(code_of(refused), ErrorCode::throttled);
  EXPECT_EQ(refused.error().retry, Retry::later);
  EXPECT_EQ(refused.error().effect, Effect::none);
  EXPECT_EQ(refused.error().retry_after, 500ms);
  stage.pass(500ms);
  EXPECT_NE(code_of(stage.look_up("i-00000001")), ErrorCode::throttled);
  EXPECT_EQ(code_of(stage.look_up("i-00000001")), ErrorCode::throttled);
}

TEST(Throttling, TellsTheConfiguredRetryAfter) {
  CloudConfig config = steady_config();
  config.throttle = {1, 1, 7s};
  Stage stage(config);
  stage.list();
  EXPECT_EQ(stage.look_up("i-00000001").error().retry_after, 7s);
}

TEST(Volumes, AreCreatedAttachedAndDeleted) {
  Stage stage;
  const std::string id = stage.create_running("node-1");
  const auto volume = stage.create_volume("data", 10);
  ASSERT_TRUE(volume.has_value());
  EXPECT_EQ(volume.value().id, "vol-00000001");
  ASSERT_TRUE(stage.attach("vol-00000001", id).has_value());
  EXPECT_EQ(stage.list_volumes()[0].attached_to, id);
  EXPECT_EQ(code_of(stage.delete_volume("vol-00000001")), ErrorCode::wrong_state);
  ASSERT_TRUE(stage.cloud->detach_volume("vol-00000001").has_value());
  EXPECT_TRUE(stage.delete_volume("vol-00000001").has_value());
  EXPECT_TRUE(stage.list_volumes().empty());
}

TEST(Volumes, AreFreeWhenTheirInstanceIsGone) {
  Stage stage;
  const std::string id = stage.create_running("node-1");
  ASSERT_TRUE(stage.create_volume("data", 10).has_value());
  ASSERT_TRUE(stage.attach("vol-00000001", id).has_value());
  ASSERT_TRUE(stage.kill(id).has_value());
  stage.pass(15s);
  EXPECT_EQ(stage.list_volumes()[0].attached_to, "");
  EXPECT_TRUE(stage.delete_volume("vol-00000001").has_value());
}

TEST(Volumes, AreAttachedToOneInstanceAtATime) {
  Stage stage;
  const std::string first = stage.create_running("node-1"), second = stage.create_running("node-2");
  ASSERT_TRUE(stage.create_volume("data", 10).has_value());
  ASSERT_TRUE(stage.attach("vol-00000001", first).has_value());
  EXPECT_TRUE(stage.attach("vol-00000001", first).has_value()) << "again the same is no error";
  EXPECT_EQ(code_of(stage.attach("vol-00000001", second)), ErrorCode::wrong_state);
}

TEST(Volumes, HaveQuotasOfNumberAndSize) {
  CloudConfig config = steady_config();
  config.quota_volumes = 2;
  config.quota_gigabytes = 100;
  Stage stage(config);
  ASSERT_TRUE(stage.create_volume("data-1", 60).has_value());
  EXPECT_EQ(code_of(stage.create_volume("data-2", 41)), ErrorCode::quota);
  ASSERT_TRUE(stage.create_volume("data-2", 40).has_value());
  ASSERT_TRUE(stage.delete_volume("vol-00000001").has_value());
  ASSERT_TRUE(stage.create_volume("data-3", 1).has_value());
  EXPECT_EQ(code_of(stage.create_volume("data-4", 1)), ErrorCode::quota);
}

TEST(Volumes, AreProtectedByTokens) {
  Stage stage;
  const auto first = stage.create_volume("data", 10, "t"), again = stage.create_volume("data", 10, "t");
  EXPECT_EQ(first.value().id, again.value().id);
  EXPECT_EQ(code_of(stage.create_volume("data", 11, "t")), ErrorCode::already_exists);
}

TEST(Config, NamesTheFieldThatIsWrong) {
  CloudConfig prefix, zones, burst;
  prefix.address_prefix = "10.0";
  zones.zones.clear();
  burst.throttle = {1, 0, 0s};
  EXPECT_THAT(check_config(prefix).error().message, HasSubstr("address_prefix"));
  EXPECT_THAT(check_config(zones).error().message, HasSubstr("zones"));
  EXPECT_THAT(check_config(burst).error().message, HasSubstr("burst"));
}

TEST(AddressPool, KnowsAPrefix) {
  for (const char* good : {"10.", "10.0.", "192.168.7."}) EXPECT_TRUE(AddressPool::is_prefix(good)) << good;
  for (const char* bad : {"", "10", "10.0.0.1", "10.0.0.1.", "256.", "01.", "a.", "10..", "-1."})
    EXPECT_FALSE(AddressPool::is_prefix(bad)) << bad;
}

TEST(AddressPool, DoesNotReuseAnAddressBeforeAllOthersWereUsed) {
  AddressPool pool("10.0.0.");
  pool.drop_user(*pool.take());
  for (int i = 2; i <= 254; ++i) EXPECT_EQ(*pool.take(), "10.0.0." + std::to_string(i));
  EXPECT_EQ(*pool.take(), "10.0.0.1");
  EXPECT_EQ(pool.take(), std::nullopt);
}

TEST(AddressPool, CountsTheUsersOfAnAddress) {
  AddressPool pool("10.0.0.");
  const std::string address = *pool.take();
  pool.add_user(address);
  pool.drop_user(address);
  for (int i = 2; i <= 254; ++i) ASSERT_NE(*pool.take(), address);
  EXPECT_TRUE(pool.full());
}

}  // namespace
}  // namespace drover::cloud
