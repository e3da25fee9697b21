// What the driver asks, and what it makes of answers.
#include "tests/openstack/scripted_client.hpp"

namespace drover {
namespace {

using test::kCreate;
using test::kDetail;
using test::kLogin;
using test::kShow;
using test::ScriptedClient;

class Driver : public test::ScriptedOpenStack {};

TEST_F(Driver, LogsInOnceForManyCalls) {
  ASSERT_TRUE(create("a").has_value());
  ASSERT_TRUE(list().has_value());
  EXPECT_EQ(client_.count(kLogin), 1U);
  EXPECT_EQ(client_.count("GET /compute/v2.1/"), 1U);
}

TEST_F(Driver, CallsAtOnceShareOneLogin) {
  int answered = 0;
  for (int i = 0; i < 5; ++i)
    driver().listVMs(CallContext{}, {}, {},
                     [&](Result<std::vector<InstanceInfo>> result) { answered += result ? 1 : 0; });
  scheduler_.run_until(scheduler_.now() + 5s);
  EXPECT_EQ(answered, 5);
  EXPECT_EQ(client_.count(kLogin), 1U);
}

TEST_F(Driver, AFailedLoginIsNotRepeatedByThoseWhoWaitedForIt) {
  client_.always(kLogin, 401, R"({"error": {"code": 401, "message": "no", "title": "Unauthorized"}})");
  int refused = 0;
  for (int i = 0; i < 5; ++i)
    driver().listVMs(CallContext{}, {}, {}, [&](Result<std::vector<InstanceInfo>> result) {
      refused += !result && result.error().code == ErrorCode::unauthenticated ? 1 : 0;
    });
  scheduler_.run_until(scheduler_.now() + 5s);
  EXPECT_EQ(refused, 5);
  EXPECT_EQ(client_.count(kLogin), 1U);
}

TEST_F(Driver, RenewsTheTokenBeforeItExpires) {
  ASSERT_TRUE(list().has_value());
  scheduler_.run_until(scheduler_.now() + 57min);
  ASSERT_TRUE(list().has_value());
  EXPECT_EQ(client_.count(kLogin), 1U);
  scheduler_.run_until(scheduler_.now() + 1min);
  ASSERT_TRUE(list().has_value());
  EXPECT_EQ(client_.count(kLogin), 2U);
}

TEST_F(Driver, RenewsTheTokenOnceWhenItIsRefusedAndRepeatsTheCall) {
  client_.once(kCreate, 401, R"({"error": {"code": 401, "message": "expired"}})");
  const auto created = create();
  ASSERT_TRUE(created.has_value()) << created.error().message;
  EXPECT_EQ(client_.count(kLogin), 2U);
  EXPECT_EQ(client_.count(kCreate), 2U);
}

TEST_F(Driver, ATokenThatIsRefusedTwiceIsAnError) {
  client_.always(kDetail, 401, R"({"error": {"code": 401, "message": "expired"}})");
  const auto listed = list();
  ASSERT_TRUE(listed.has_error());
  EXPECT_EQ(listed.error().code, ErrorCode::unauthenticated);
  EXPECT_EQ(client_.count(kLogin), 2U);
}

TEST_F(Driver, LogsInWithAnApplicationCredential) {
  config_.credential_id = "cred";
  config_.credential_secret = Secret{"hidden"};
  ASSERT_TRUE(list().has_value());
  const auto body = nlohmann::json::parse(client_.last(kLogin).body);
  EXPECT_EQ(body["auth"]["identity"]["methods"][0], "application_credential");
  EXPECT_EQ(body["auth"]["identity"]["application_credential"]["secret"], "hidden");
  EXPECT_FALSE(body["auth"].contains("scope"));
}

TEST_F(Driver, SendsWhatNovaNeeds) {
  config_.key_name = "key";
  config_.security_groups = {"web"};
  config_.config_drive = true;
  ASSERT_TRUE(create().has_value());
  const auto request = client_.last(kCreate);
  EXPECT_EQ(request.value("X-Auth-Token"), "token-1");
  EXPECT_EQ(request.value("OpenStack-API-Version"), "compute 2.47");
  EXPECT_EQ(request.value("User-Agent"), "drover/" DROVER_VERSION " subject/node-1");
  const auto server = nlohmann::json::parse(request.body)["server"];
  EXPECT_EQ(server["imageRef"], "image-1");
  EXPECT_EQ(server["flavorRef"], "7");
  EXPECT_EQ(server["networks"][0]["uuid"], "network-1");
  EXPECT_EQ(server["metadata"][kServiceTag], "s");
  EXPECT_EQ(server["metadata"]["drover-token"], "t-1");
  EXPECT_EQ(server["user_data"], "IyEvYmluL3NoCg==");
  EXPECT_EQ(server["key_name"], "key");
  EXPECT_EQ(server["security_groups"][0]["name"], "web");
  EXPECT_EQ(server["config_drive"], true);
}

TEST_F(Driver, SettlesOnTheNewestVersionThatTheServerHas) {
  client_.always("GET /compute/v2.1/", 200, R"({"version": {"version": "2.10", "min_version": "2.1"}})");
  spec_.network = "auto";
  ASSERT_TRUE(create().has_value());
  const auto request = client_.last(kCreate);
  EXPECT_EQ(request.value("OpenStack-API-Version"), "compute 2.10");
  EXPECT_FALSE(nlohmann::json::parse(request.body)["server"].contains("networks"));
}

TEST_F(Driver, ASubjectCannotBreakTheRequest) {
  const std::string subject = "a b\r\nX: y/ü";
  driver().listVMs(CallContext{subject, 5s}, {}, {}, [](const Result<std::vector<InstanceInfo>>&) {});
  scheduler_.run_until(scheduler_.now() + 5s);
  EXPECT_EQ(client_.last(kDetail).value("User-Agent"), "drover/" DROVER_VERSION " subject/a-b--X--y---");
}

TEST_F(Driver, AnIdIsNoPath) {
  ASSERT_TRUE(kill("../flavors/1?x").has_value());
  EXPECT_EQ(client_.count("DELETE /compute/v2.1/servers/..%2Fflavors%2F1%3Fx"), 1U);
}

TEST_F(Driver, AnAmbiguousImageNamesItsIds) {
  client_.always("GET /image/v2/images", 200,
                 R"({"images": [{"id": "i-a", "name": "debian", "status": "active"},
                                {"id": "i-b", "name": "debian", "status": "active"},
                                {"id": "i-c", "name": "debian", "status": "queued"}]})");
  const auto created = create();
  ASSERT_TRUE(created.has_error());
  EXPECT_EQ(created.error().code, ErrorCode::invalid);
  EXPECT_EQ(created.error().effect, Effect::none);
  EXPECT_NE(created.error().message.find("i-a, i-b"), std::string::npos) << created.error().message;
  EXPECT_EQ(client_.count(kCreate), 0U);
}

TEST_F(Driver, AnUnknownFlavorNamesThoseThereAre) {
  spec_.size = "huge";
  const auto created = create();
  ASSERT_TRUE(created.has_error());
  EXPECT_EQ(created.error().code, ErrorCode::invalid);
  EXPECT_NE(created.error().message.find("it has: small"), std::string::npos) << created.error().message;
}

TEST_F(Driver, AnIdThatIsOutOfDateIsLookedUpAgain) {
  ASSERT_TRUE(create("a").has_value());
  client_.always("GET /image/v2/images", 200,
                 R"({"images": [{"id": "image-2", "name": "debian", "status": "active"}]})");
  client_.once(kCreate, 400, R"({"badRequest": {"code": 400, "message": "Can not find requested image"}})");
  const auto created = create("b");
  ASSERT_TRUE(created.has_value()) << created.error().message;
  EXPECT_EQ(nlohmann::json::parse(client_.last(kCreate).body)["server"]["imageRef"], "image-2");
}

TEST_F(Driver, WhatNovaDoesNotTakeIsRefusedBeforeItIsAsked) {
  InstanceSpec long_value = spec_, big = spec_, own = spec_, many = spec_, unnamed = spec_;
  long_value.tags = {{"k", std::string(256, 'v')}};
  big.user_data = std::string(49'150, 'x');
  own.tags = {{"drover-token", "x"}};
  for (int i = 0; i < 127; ++i) many.tags.emplace_back("k" + std::to_string(i), "v");
  unnamed.name = "";
  for (const InstanceSpec& spec : {long_value, big, own, many, unnamed}) {
    const auto created = create(spec, "t");
    ASSERT_TRUE(created.has_error());
    EXPECT_EQ(created.error().code, ErrorCode::invalid) << created.error().message;
  }
  EXPECT_TRUE(client_.seen.empty());
  InstanceSpec fits = spec_;
  fits.user_data = std::string(49'149, 'x');
  EXPECT_TRUE(create(fits, "t").has_value());
}

TEST_F(Driver, OwnMetadataIsNotShown) {
  client_.always(
      kShow, 200,
      R"({"server": )" +
          server("s-1",
                 R"("status": "ACTIVE", "metadata": {"a": "b", "drover-token": "t", "drover-spec": "d"})") +
          "}");
  const auto shown = show();
  ASSERT_TRUE(shown.has_value()) << shown.error().message;
  EXPECT_EQ(shown.value().tags, (Tags{{"a", "b"}}));
  EXPECT_EQ(shown.value().size, "small");
}

TEST_F(Driver, PrefersAFixedIPv4AddressOrAFloatingOneWhenToldSo) {
  client_.always(kShow, 200,
                 R"({"server": )" +
                     server("s-1",
                            R"("status": "ACTIVE", "addresses": {"net": [
                                 {"version": 6, "addr": "fd00::1", "OS-EXT-IPS:type": "fixed"},
                                 {"version": 4, "addr": "10.0.0.1", "OS-EXT-IPS:type": "fixed"},
                                 {"version": 4, "addr": "198.51.100.1", "OS-EXT-IPS:type": "floating"}]})") +
                     "}");
  EXPECT_EQ(show().value().address, "10.0.0.1");
  driver_.reset();
  config_.floating_address = true;
  EXPECT_EQ(show().value().address, "198.51.100.1");
}

struct StateCase {
  std::string status, task;
  InstanceState state;
  friend void PrintTo(const StateCase& of, std::ostream* out) { *out << of.status << ' ' << of.task; }
};
class DriverStates : public test::ScriptedOpenStack, public testing::WithParamInterface<StateCase> {};
TEST_P(DriverStates, AreToldInThePortsWords) {
  client_.always(kShow, 200,
                 R"({"server": )" +
                     server("s-1", R"("status": ")" + GetParam().status + R"(", "OS-EXT-STS:task_state": )" +
                                       (GetParam().task.empty() ? "null" : "\"" + GetParam().task + "\"")) +
                     "}");
  const auto shown = show();
  ASSERT_TRUE(shown.has_value());
  EXPECT_EQ(to_text(shown.value().state), std::string(to_text(GetParam().state)));
}
INSTANTIATE_TEST_SUITE_P(All, DriverStates,
                         testing::Values(StateCase{"BUILD", "spawning", InstanceState::pending},
                                         StateCase{"ACTIVE", "", InstanceState::running},
                                         StateCase{"ACTIVE", "deleting", InstanceState::shutting_down},
                                         StateCase{"ERROR", "deleting", InstanceState::shutting_down},
                                         StateCase{"ACTIVE", "powering-off", InstanceState::stopping},
                                         StateCase{"SHUTOFF", "", InstanceState::stopped},
                                         StateCase{"SHUTOFF", "powering-on", InstanceState::pending},
                                         StateCase{"REBOOT", "rebooting", InstanceState::rebooting},
                                         StateCase{"HARD_REBOOT", "", InstanceState::rebooting},
                                         StateCase{"ERROR", "", InstanceState::error},
                                         StateCase{"UNKNOWN", "", InstanceState::error},
                                         StateCase{"DELETED", "", InstanceState::terminated},
                                         StateCase{"SOFT_DELETED", "", InstanceState::shutting_down},
                                         StateCase{"PAUSED", "", InstanceState::running},
                                         StateCase{"SOMETHING_NEW", "", InstanceState::running}));

TEST_F(Driver, ListingsFollowTheirPages) {
  client_.once(kDetail, 200,
               R"({"servers": [)" + server("s-1") + "," + server("s-2") +
                   R"(], "servers_links": [{"rel": "next", "href": "http://elsewhere/"}]})");
  client_.once(kDetail, 200, R"({"servers": [)" + server("s-3") + "]}");
  const auto listed = list();
  ASSERT_TRUE(listed.has_value()) << listed.error().message;
  ASSERT_EQ(listed.value().size(), 3U);
  EXPECT_NE(client_.last(kDetail).target.find("marker=s-2"), std::string::npos);
}

TEST_F(Driver, AListingThatDoesNotEndIsAnError) {
  client_.always(kDetail, 200,
                 R"({"servers": [)" + server("s-1") + R"(], "servers_links": [{"rel": "next"}]})");
  const auto listed = list();
  ASSERT_TRUE(listed.has_error());
  EXPECT_EQ(listed.error().code, ErrorCode::protocol);
  EXPECT_EQ(client_.count(kDetail), 2U);
}

TEST_F(Driver, TakesTheEndpointOfItsRegionAndInterface) {
  config_.region = "elsewhere";
  const auto listed = list();
  ASSERT_TRUE(listed.has_error());
  EXPECT_EQ(listed.error().code, ErrorCode::unavailable);
  EXPECT_NE(listed.error().message.find("elsewhere"), std::string::npos) << listed.error().message;
}

TEST_F(Driver, ACloudWithoutCinderSaysSo) {
  log_in(std::chrono::hours(1), "");
  const auto listed = ask<std::vector<VolumeInfo>>([&](Iaas& iaas, const CallContext& context, auto handler) {
    iaas.listVolumes(context, std::move(handler));
  });
  ASSERT_TRUE(listed.has_error());
  EXPECT_EQ(listed.error().code, ErrorCode::invalid);
  EXPECT_NE(listed.error().message.find("Cinder"), std::string::npos);
}

TEST_F(Driver, CheckFindsAllOrSaysHowToMendIt) {
  config_.image = "debian";
  config_.flavor = "huge";
  config_.network = "private";
  config_.key_name = "missing";
  client_.always("GET /compute/v2.1/limits", 200,
                 R"({"limits": {"absolute": {"maxTotalInstances": 5, "totalInstancesUsed": 5}}})");
  std::optional<std::vector<std::string>> lines;
  driver().check([&](Result<std::vector<std::string>> result) { lines = std::move(result).value(); });
  scheduler_.run_until(scheduler_.now() + 10s);
  ASSERT_TRUE(lines.has_value());
  std::string problems;
  for (const auto& line : *lines)
    if (line.starts_with("problem: ")) problems += line + "\n";
  EXPECT_NE(problems.find("flavor \"huge\""), std::string::npos) << problems;
  EXPECT_NE(problems.find("key pair \"missing\""), std::string::npos) << problems;
  EXPECT_NE(problems.find("5 instances of 5 are in use"), std::string::npos) << problems;
  EXPECT_EQ(problems.find("image"), std::string::npos) << problems;
}

TEST(DriverConfig, IsCheckedFieldByField) {
  OpenStackConfig good;
  good.auth_url = "https://cloud:5000/v3";
  good.user = "u";
  good.password = Secret{"p"};
  EXPECT_TRUE(check_config(good).has_value());
  const auto broken = [&](auto change, const std::string& field) {
    OpenStackConfig config = good;
    change(config);
    const auto checked = check_config(config);
    ASSERT_TRUE(checked.has_error()) << field;
    EXPECT_NE(checked.error().message.find("openstack." + field), std::string::npos)
        << checked.error().message;
  };
  broken([](auto& c) { c.auth_url = "cloud"; }, "auth_url");
  broken([](auto& c) { c.password = Secret{}; }, "user");
  broken([](auto& c) { c.credential_secret = Secret{"x"}; }, "credential_id");
  broken([](auto& c) { c.interface = "private"; }, "interface");
  broken([](auto& c) { c.microversion = 0; }, "microversion");
  broken([](auto& c) { c.page = 0; }, "page");
}

}  // namespace
}  // namespace drover
