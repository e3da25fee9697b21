// What the mock cloud's OpenStack face does beyond the recorded samples.
#include <gtest/gtest.h>

#include <set>

#include "mockcloud/wire/openstack/ids.hpp"
#include "mockcloud/wire/openstack/name_pattern.hpp"
#include "tests/openstack/samples.hpp"
#include "tests/openstack/wired_openstack.hpp"

namespace drover {
namespace {

using nlohmann::json;
using wire::openstack::NamePattern;

TEST(OpenStackIds, AreOneToOneAndReadBack) {
  std::set<std::string> all;
  for (std::uint32_t number : {1U, 2U, 3U, 1000U, 0x7fffffffU, 0xffffffffU}) {
    const std::string uuid = wire::openstack::numbered_uuid("server", number);
    EXPECT_TRUE(wire::openstack::is_uuid(uuid)) << uuid;
    EXPECT_EQ(uuid[14], '4');
    EXPECT_EQ(wire::openstack::number_of_uuid("server", uuid), number);
    EXPECT_EQ(wire::openstack::number_of_uuid("volume", uuid), 0U);
    EXPECT_TRUE(all.insert(uuid).second);
  }
  EXPECT_EQ(wire::openstack::number_of_uuid("server", "7d7161b1-f1ac-40ab-ad0c-e28cfa3415da"), 0U);
  EXPECT_EQ(wire::openstack::number_of_uuid("server", "i-00000001"), 0U);
}

TEST(OpenStackNamePattern, FindsWhatARegularExpressionFinds) {
  const auto found = [](const char* pattern, const char* text) {
    const auto parsed = NamePattern::parse(pattern);
    return parsed.has_value() && parsed->found_in(text);
  };
  EXPECT_TRUE(found("", "anything"));
  EXPECT_TRUE(found("^m", "m-1"));
  EXPECT_FALSE(found("^m", "am"));
  EXPECT_TRUE(found("M", "am"));
  EXPECT_TRUE(found("^a\\.b$", "a.b"));
  EXPECT_FALSE(found("^a\\.b$", "axb"));
  EXPECT_TRUE(found("^(node|db)-[0-9]+$", "db-12"));
  EXPECT_FALSE(found("^(node|db)-[0-9]+$", "db-1x"));
  EXPECT_TRUE(found("^[^a-c]?x*$", "dxx"));
  EXPECT_TRUE(found("a|b$", "xb"));
  for (const char* broken : {"[", "a(", ")", "*a", "a\\", "[a"})
    EXPECT_FALSE(NamePattern::parse(broken)) << broken;
  EXPECT_FALSE(NamePattern::parse(std::string(2000, 'a')));
  EXPECT_FALSE(NamePattern::parse(std::string(500, '(') + std::string(500, ')')));
  // A pattern over which a matcher that tries all ways would never end.
  EXPECT_FALSE(found("(a+)+$", std::string(5000, 'a').append("b").c_str()));
}

class Face : public testing::Test {
 protected:
  void SetUp() override { open(test::recorded_cloud()); }
  void open(cloud::CloudConfig config, const std::function<std::unique_ptr<Iaas>(Iaas&)>& through = nullptr) {
    wired_ = std::make_unique<test::WiredOpenStack>(std::move(config), through);
    place_ = std::make_unique<test::Place>(
        [this](const http::Url&, http::Request request) { return wired_->ask(std::move(request)); },
        wired_->auth_url());
    ASSERT_TRUE(place_->is_open());
  }
  struct Seen {
    int status = 0;
    json body;
  };
  Seen ask(const std::string& method, const std::string& path, const std::string& body = {},
           const std::string& service = "compute", const std::string& version = "2.37") {
    const auto answer =
        place_->ask(service, method, path, body,
                    {{"X-Auth-Token", place_->token()}, {"OpenStack-API-Version", "compute " + version}});
    Seen seen;
    if (!answer) return seen;
    seen.status = answer.value().status;
    seen.body = json::parse(answer.value().body, nullptr, false);
    return seen;
  }
  std::string create(const std::string& name, const std::string& more = "") {
    const auto made = ask("POST", "/v2.1/servers", body_for(name, more));
    EXPECT_EQ(made.status, 202) << made.body;
    return made.status == 202 && made.body.contains("server") ? made.body["server"]["id"].get<std::string>()
                                                              : "";
  }
  static std::string body_for(const std::string& name, const std::string& more = "") {
    return R"({"server": {"name": ")" + name + R"(", "flavorRef": "1", "networks": "auto", "imageRef": ")" +
           wire::openstack::named_uuid("image", "tiny") + "\"" + more + "}}";
  }
  std::vector<std::string> names(const Seen& seen) {
    std::vector<std::string> all;
    if (seen.body.contains("servers"))
      for (const auto& server : seen.body["servers"]) all.push_back(server["name"]);
    return all;
  }

  std::unique_ptr<test::WiredOpenStack> wired_;
  std::unique_ptr<test::Place> place_;
};

TEST_F(Face, ListsTheNewestFirstAndInPages) {
  for (const char* name : {"a", "b", "c"}) {
    create(name);
    wired_->pass(1s);
  }
  EXPECT_EQ(names(ask("GET", "/v2.1/servers")), (std::vector<std::string>{"c", "b", "a"}));
  EXPECT_EQ(names(ask("GET", "/v2.1/servers?sort_key=created_at&sort_dir=asc")),
            (std::vector<std::string>{"a", "b", "c"}));
  const auto page = ask("GET", "/v2.1/servers?limit=2");
  EXPECT_EQ(names(page), (std::vector<std::string>{"c", "b"}));
  const std::string next = page.body["servers_links"][0]["href"];
  const auto rest = ask("GET", next.substr(next.find("/v2.1")));
  EXPECT_EQ(names(rest), (std::vector<std::string>{"a"}));
  EXPECT_FALSE(rest.body.contains("servers_links"));
}

TEST_F(Face, FiltersAsNovaDoes) {
  create("web-1", R"(, "metadata": {"k": "v"})");
  create("db-1");
  wired_->pass(10min);
  create("db-2");
  EXPECT_EQ(names(ask("GET", "/v2.1/servers?name=db")).size(), 2U);
  EXPECT_EQ(names(ask("GET", "/v2.1/servers?name=%5EDB-1%24")), (std::vector<std::string>{"db-1"}));
  EXPECT_EQ(names(ask("GET", "/v2.1/servers?status=build")), (std::vector<std::string>{"db-2"}));
  EXPECT_EQ(names(ask("GET", "/v2.1/servers?status=ACTIVE")).size(), 2U);
  EXPECT_EQ(names(ask("GET", "/v2.1/servers?flavor=2")).size(), 0U);
  EXPECT_EQ(names(ask("GET", "/v2.1/servers?flavor=1")).size(), 3U);
  EXPECT_EQ(names(ask("GET", "/v2.1/servers?image=" + wire::openstack::named_uuid("image", "tiny"))).size(),
            3U);
  EXPECT_EQ(names(ask("GET", "/v2.1/servers?ip=10.0.")).size(), 3U);
  EXPECT_EQ(names(ask("GET", "/v2.1/servers?ip=0.0.")).size(), 0U);
}

TEST_F(Face, ListingsSayWhatTheLaggingCloudSays) {
  auto config = test::recorded_cloud();
  config.list_lag = Distribution::constant(30s);
  open(config);
  const std::string id = create("late");
  EXPECT_TRUE(names(ask("GET", "/v2.1/servers")).empty());
  EXPECT_EQ(ask("GET", "/v2.1/servers/" + id).status, 200);
  wired_->pass(40s);
  EXPECT_EQ(names(ask("GET", "/v2.1/servers")), (std::vector<std::string>{"late"}));
}

TEST_F(Face, AServerWithoutAHostIsListedShownAndDeleted) {
  auto config = test::recorded_cloud();
  config.capacity = 1;
  open(config);
  create("fits");
  const std::string id = create("fits-not", R"(, "metadata": {"k": "v"})");
  EXPECT_EQ(names(ask("GET", "/v2.1/servers?status=ERROR")), (std::vector<std::string>{"fits-not"}));
  const auto shown = ask("GET", "/v2.1/servers/" + id);
  EXPECT_EQ(shown.body["server"]["fault"]["message"], "No valid host was found. ");
  EXPECT_EQ(shown.body["server"]["metadata"]["k"], "v");
  EXPECT_EQ(ask("POST", "/v2.1/servers/" + id + "/action", R"({"os-stop": null})").status, 409);
  EXPECT_EQ(ask("DELETE", "/v2.1/servers/" + id).status, 204);
  EXPECT_EQ(ask("GET", "/v2.1/servers/" + id).status, 404);
  EXPECT_EQ(ask("DELETE", "/v2.1/servers/" + id).status, 404);
  EXPECT_EQ(names(ask("GET", "/v2.1/servers")), (std::vector<std::string>{"fits"}));
  EXPECT_EQ(names(ask("GET", "/v2.1/servers?changes-since=1969-01-01T00:00:00Z")).size(), 2U);
}

TEST_F(Face, NamesMayRepeatAndManyMayBeMadeAtOnce) {
  EXPECT_NE(create("same"), create("same"));
  create("many", R"(, "min_count": 2, "max_count": 3)");
  EXPECT_EQ(names(ask("GET", "/v2.1/servers?name=many")),
            (std::vector<std::string>{"many-3", "many-2", "many-1"}));
  auto config = test::recorded_cloud();
  config.quota_instances = 6;
  ASSERT_TRUE(wired_->cloud().reconfigure(config).has_value());
  create("few", R"(, "min_count": 1, "max_count": 5)");
  EXPECT_EQ(names(ask("GET", "/v2.1/servers?name=few")).size(), 1U);
  EXPECT_EQ(ask("POST", "/v2.1/servers", body_for("none")).status, 403);
}

TEST_F(Face, DetailsThatOnlyNovaKnowsAreKept) {
  ASSERT_EQ(ask("POST", "/v2.1/os-keypairs", R"({"keypair": {"name": "key"}})").status, 201);
  const std::string id =
      create("detailed",
             R"(, "key_name": "key", "config_drive": true, "description": "d", "user_data": "aGVsbG8=")");
  const auto server = ask("GET", "/v2.1/servers/" + id).body["server"];
  EXPECT_EQ(server["key_name"], "key");
  EXPECT_EQ(server["config_drive"], "True");
  EXPECT_EQ(server["description"], "d");
  EXPECT_EQ(wired_->cloud().instance("i-00000001")->spec.user_data, "hello");
}

TEST_F(Face, LockedServersAreLeftAlone) {
  const std::string id = create("locked");
  wired_->pass(10min);
  EXPECT_EQ(ask("POST", "/v2.1/servers/" + id + "/action", R"({"lock": null})").status, 202);
  EXPECT_EQ(ask("POST", "/v2.1/servers/" + id + "/action", R"({"os-stop": null})").status, 409);
  EXPECT_EQ(ask("DELETE", "/v2.1/servers/" + id).status, 409);
  EXPECT_EQ(ask("POST", "/v2.1/servers/" + id + "/action", R"({"unlock": null})").status, 202);
  EXPECT_EQ(ask("DELETE", "/v2.1/servers/" + id).status, 204);
}

TEST_F(Face, VolumesAreMadeAttachedAndDeleted) {
  const std::string base = "/v3/" + place_->named(test::kRecordedProject) + "/volumes";
  const std::string id = create("holder");
  wired_->pass(10min);
  // The place's root of the volume service has the version and the project in it.
  const auto volumes = [&](const std::string& method, const std::string& path, const std::string& body = {}) {
    return ask(method, path, body, "volumev3");
  };
  const auto made =
      volumes("POST", "/volumes", R"({"volume": {"name": "data", "size": 3, "metadata": {"k": "v"}}})");
  ASSERT_EQ(made.status, 202) << made.body;
  const std::string volume = made.body["volume"]["id"];
  EXPECT_EQ(volumes("GET", "/volumes/detail?name=data").body["volumes"][0]["metadata"]["k"], "v");
  EXPECT_EQ(ask("POST", "/v2.1/servers/" + id + "/os-volume_attachments",
                R"({"volumeAttachment": {"volumeId": ")" + volume + R"("}})")
                .status,
            200);
  EXPECT_EQ(volumes("GET", "/volumes/" + volume).body["volume"]["status"], "in-use");
  EXPECT_EQ(volumes("DELETE", "/volumes/" + volume).status, 400);
  EXPECT_EQ(ask("DELETE", "/v2.1/servers/" + id + "/os-volume_attachments/" + volume).status, 202);
  EXPECT_EQ(volumes("DELETE", "/volumes/" + volume).status, 202);
  EXPECT_EQ(volumes("GET", "/volumes/" + volume).status, 404);
  EXPECT_FALSE(base.empty());
}

TEST_F(Face, ThrottledCallsSayWhenToComeBack) {
  auto config = test::recorded_cloud();
  config.throttle.rate_per_second = 0.1;
  config.throttle.burst = 1;
  ASSERT_TRUE(wired_->cloud().reconfigure(config).has_value());
  ask("GET", "/v2.1/flavors");
  const auto answer = place_->ask("compute", "GET", "/v2.1/flavors", {}, {{"X-Auth-Token", place_->token()}});
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer.value().status, 429);
  ASSERT_NE(answer.value().field("Retry-After"), nullptr);
  EXPECT_EQ(*answer.value().field("Retry-After"), "10");
}

// Whatever is sent is refused in the protocol's words, with 4xx.
TEST_F(Face, NonsenseIsRefused) {
  const std::string id = create("target");
  const std::vector<std::string> bodies{"",
                                        "{",
                                        "null",
                                        "5",
                                        "[]",
                                        "\"x\"",
                                        "{}",
                                        R"({"server": null})",
                                        R"({"server": []})",
                                        R"({"server": {"name": {}}})",
                                        R"({"server": {"name": "x", "flavorRef": {}, "imageRef": []}})",
                                        R"({"metadata": "x"})",
                                        R"({"keypair": 5})",
                                        R"({"volumeAttachment": []})",
                                        R"({"volume": {"size": -1}})",
                                        R"({"volume": {"size": 1e99}})",
                                        R"({"os-stop": null, "os-start": null})",
                                        "{\"\xff\": \"\xfe\"}",
                                        std::string(100'000, '['),
                                        std::string(1000, '{')};
  const std::pair<std::string, std::string> routes[] = {
      {"POST", "/v2.1/servers"},
      {"PUT", "/v2.1/servers/" + id},
      {"POST", "/v2.1/servers/" + id + "/action"},
      {"POST", "/v2.1/servers/" + id + "/metadata"},
      {"PUT", "/v2.1/servers/" + id + "/metadata/k"},
      {"PUT", "/v2.1/servers/" + id + "/tags"},
      {"POST", "/v2.1/servers/" + id + "/os-volume_attachments"},
      {"POST", "/v2.1/os-keypairs"}};
  for (const auto& [method, path] : routes)
    for (const auto& body : bodies) {
      const auto seen = ask(method, path, body);
      EXPECT_TRUE(seen.status >= 400 && seen.status < 500)
          << method << " " << path << " " << body.substr(0, 60);
      EXPECT_TRUE(seen.body.is_object()) << method << " " << path << " " << body.substr(0, 60);
    }
  for (const auto& body : bodies) {
    const auto login = ask("POST", "/v3/auth/tokens", body, "identity");
    EXPECT_TRUE(login.status == 400 || login.status == 401) << body.substr(0, 60);
    EXPECT_TRUE(ask("POST", "/volumes", body, "volumev3").status == 400) << body.substr(0, 60);
  }
  for (const std::string& path :
       {std::string("/v2.1/%zz"), "/v2.1/" + std::string(5000, 'x'), std::string("/v2.1"),
        std::string("/v3/servers"), std::string("/v2.1/servers/%00"),
        std::string("/v2.1/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s")})
    EXPECT_LT(ask("GET", path).status, 500) << path.substr(0, 40);
}

// Loses the answer to the first creation.
class LosesAnAnswer : public Iaas {
 public:
  explicit LosesAnAnswer(Iaas& calls) : calls_(calls) {}
  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override {
    if (lost_) return calls_.newInstance(context, spec, token, std::move(handler));
    lost_ = true;
    calls_.newInstance(context, spec, token, [](const Result<InstanceInfo>&) {});
  }
  void killInstance(const CallContext& context, const std::string& id, Handler<void> handler) override {
    calls_.killInstance(context, id, std::move(handler));
  }
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override {
    calls_.getVMInfo(context, id, std::move(handler));
  }
  void listVMs(const CallContext& context, const std::string& key, const std::string& value,
               Handler<std::vector<InstanceInfo>> handler) override {
    calls_.listVMs(context, key, value, std::move(handler));
  }
  void createVolume(const CallContext& context, const std::string& name, unsigned gigabytes,
                    const std::string& token, Handler<VolumeInfo> handler) override {
    // The effect happens, the answer does not come.
    calls_.createVolume(context, name, gigabytes, token, [](const Result<VolumeInfo>&) {});
    handler = nullptr;
  }
  void attachVolume(const CallContext& context, const std::string& volume, const std::string& instance,
                    Handler<void> handler) override {
    calls_.attachVolume(context, volume, instance, std::move(handler));
  }
  void deleteVolume(const CallContext& context, const std::string& volume, Handler<void> handler) override {
    calls_.deleteVolume(context, volume, std::move(handler));
  }
  void listVolumes(const CallContext& context, Handler<std::vector<VolumeInfo>> handler) override {
    calls_.listVolumes(context, std::move(handler));
  }

 private:
  Iaas& calls_;
  bool lost_ = false;
};

TEST_F(Face, ALostAnswerLosesNothingElse) {
  open(test::recorded_cloud(), [](Iaas& calls) { return std::make_unique<LosesAnAnswer>(calls); });
  OpenStackCloud driver(wired_->scheduler(), wired_->client(), wired_->driver_config());
  const InstanceSpec spec{"lost", "tiny", "m1.tiny", "private", "", {{kServiceTag, "s"}}};
  std::optional<Result<InstanceInfo>> first, second;
  driver.newInstance(CallContext{"n", 10s}, spec, "t",
                     [&](Result<InstanceInfo> r) { first.emplace(std::move(r)); });
  ASSERT_TRUE(wired_->run_until([&] { return first.has_value(); }, 1min));
  ASSERT_TRUE(first->has_error());
  EXPECT_EQ(first->error().effect, Effect::possible);
  driver.newInstance(CallContext{"n", 10s}, spec, "t",
                     [&](Result<InstanceInfo> r) { second.emplace(std::move(r)); });
  ASSERT_TRUE(wired_->run_until([&] { return second.has_value(); }, 1min));
  ASSERT_TRUE(second->has_value()) << second->error().message;
  EXPECT_EQ(wired_->cloud().total_created(), 1U);

  std::optional<Result<VolumeInfo>> lost, found;
  driver.createVolume(CallContext{"n", 5s}, "v", 1, "vt",
                      [&](Result<VolumeInfo> r) { lost.emplace(std::move(r)); });
  ASSERT_TRUE(wired_->run_until([&] { return lost.has_value(); }, 1min));
  EXPECT_TRUE(lost->has_error());
  driver.createVolume(CallContext{"n", 5s}, "v", 1, "vt",
                      [&](Result<VolumeInfo> r) { found.emplace(std::move(r)); });
  ASSERT_TRUE(wired_->run_until([&] { return found.has_value(); }, 1min));
  EXPECT_TRUE(found->has_value());
  EXPECT_EQ(wired_->cloud().volumes(), 1U);
}

TEST_F(Face, ClaimsItsPathsAndNoOthers) {
  const wire::OpenStackFace face(wired_->backend());
  const auto claims = [&](const std::string& method, const std::string& target, http::Fields fields = {}) {
    http::Request request;
    request.method = method;
    request.target = target;
    request.fields = std::move(fields);
    return face.claims(request);
  };
  EXPECT_TRUE(claims("GET", "/"));
  EXPECT_TRUE(claims("POST", "/identity/v3/auth/tokens"));
  EXPECT_TRUE(claims("POST", "/v3/auth/tokens"));
  EXPECT_TRUE(claims("GET", "/compute/v2.1/servers"));
  EXPECT_TRUE(claims("GET", "/odd", {{"X-Auth-Token", "x"}}));
  EXPECT_FALSE(claims("GET", "/?Action=DescribeInstances&Version=2016-11-15"));
  EXPECT_FALSE(claims("POST", "/"));
  EXPECT_FALSE(claims("POST", "/RPC2"));
  EXPECT_FALSE(claims("GET", "/computer"));
}

}  // namespace
}  // namespace drover
