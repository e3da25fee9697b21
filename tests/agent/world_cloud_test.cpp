// drover run --world cloud, with the real binary: a scenario of the library on machines with real servers,
// bought from the mock cloud over each protocol. What it must never do on a real one: exceed its limits,
// touch what is not its own, leave something behind.
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>

#include "manager/system/child_process.hpp"
#include "paths.hpp"
#include "tests/agent/stage.hpp"

namespace drover {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing_support::DroverProcess;
using testing_support::eventually;

const std::string kScenario =
    DROVER_SOURCE_DIR "/scenarios/library/replication/a-service-in-every-world.yaml";

class WorldCloud : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (const std::string missing = agent_test::missing_programs(); !missing.empty()) GTEST_SKIP() << missing;
    secret_ = scratch_.write("secret", "a-secret-of-this-test\n");
    std::filesystem::create_directory(folder());
    std::filesystem::copy(agent_test::template_folder(), folder() + "/template",
                          std::filesystem::copy_options::recursive);
    const std::string config =
        scratch_.write("mock.yaml", "machines: local\nsecret_file: " + secret_ +
                                        "\ncloud: {boot: 1s, terminate: 500ms, call_latency: 5ms}\n");
    mock_ = std::make_unique<DroverProcess>(std::vector<std::string>{
        "mockcloud", "--listen", "127.0.0.1:0", "--config", config, "--machines-dir", folder()});
    ASSERT_NE(mock_->wait_until_listening(), 0) << mock_->err();
  }
  void TearDown() override {
    mock_.reset();
    EXPECT_TRUE(eventually([&] { return system::processes_with(folder() + "/").empty(); })) << "left behind";
  }
  std::string folder() const { return scratch_.path("vms"); }
  std::string config(const std::string& cloud) const {
    const std::string url = "http://127.0.0.1:" + std::to_string(mock_->port());
    std::string text =
        "cloud: " + cloud + "\nnodes: {manager_url: \"http://127.0.0.1:50000\", buffer_pool_mb: 16}\n";
    if (cloud == "ec2")
      text += "ec2: {endpoint: \"" + url + "\", access_key: drover, secret_key_file: " + secret_ +
              ", image: debian-12-drover, size: small}\n";
    if (cloud == "openstack")
      text += "openstack: {auth_url: \"" + url +
              "/identity/v3\", user: drover, project: drover, password_file: " + secret_ +
              ", image: debian-12-drover, flavor: small, network: default}\n";
    if (cloud == "opennebula")
      text += "opennebula: {url: \"" + url + "/RPC2\", user: drover, password_file: " + secret_ +
              ", image: debian-12-drover, network: default}\n";
    return scratch_.write(cloud + ".yaml", text);
  }
  json state() const {
    testing_support::HttpClient client(mock_->port());
    const auto answer =
        client.exchange("GET /_drover/state HTTP/1.1\r\nHost: mock\r\nConnection: close\r\n\r\n");
    return json::parse(answer.body, nullptr, false);
  }
  std::size_t created() const { return state().value("created", std::size_t{0}); }
  std::size_t gone() const { return state()["instances"].value("terminated", std::size_t{0}); }
  // A VM of somebody else, in the same account.
  void make_foreign() const {
    const std::string call =
        "<?xml "
        "version=\"1.0\"?><methodCall><methodName>one.vm.allocate</methodName><params><param><value><string>"
        "drover:a-secret-of-this-test</string></value></param><param><value><string>NAME = \"foreign\"\nCPU "
        "= 1\nMEMORY = 128\nDISK "
        "= [ IMAGE "
        "= \"debian-12-drover\" ]\nNIC = [ NETWORK = \"default\" "
        "]</string></value></param></params></methodCall>";
    testing_support::HttpClient client(mock_->port());
    const auto answer = client.exchange(
        "POST /RPC2 HTTP/1.1\r\nHost: mock\r\nConnection: close\r\nContent-Type: "
        "text/xml\r\nContent-Length: " +
        std::to_string(call.size()) + "\r\n\r\n" + call);
    ASSERT_THAT(answer.body, HasSubstr("<boolean>1<"));
  }

  testing_support::ScratchFolder scratch_;
  std::string secret_;
  std::unique_ptr<DroverProcess> mock_;
};

TEST_P(WorldCloud, AScenarioOfTheLibraryPassesAndNothingIsLeft) {
  make_foreign();
  DroverProcess run({"run", kScenario, "--world", "cloud", "--config", config(GetParam())});
  EXPECT_EQ(run.wait(), 0) << run.out() << run.err();
  EXPECT_THAT(run.out(), HasSubstr("1 passed, 0 failed"));
  EXPECT_EQ(created(), 3U) << "one seed, two nodes, and the VM of somebody else";
  EXPECT_TRUE(eventually([&] { return gone() == 2; })) << state();
  EXPECT_THAT(run.out() + run.err(), testing::Not(HasSubstr("a-secret-of-this-test")));
}

INSTANTIATE_TEST_SUITE_P(Protocols, WorldCloud, testing::Values("ec2", "openstack", "opennebula"),
                         [](const testing::TestParamInfo<const char*>& protocol) {
                           return std::string(protocol.param);
                         });

class OnEc2 : public WorldCloud {};
INSTANTIATE_TEST_SUITE_P(Protocols, OnEc2, testing::Values("ec2"),
                         [](const testing::TestParamInfo<const char*>& protocol) {
                           return std::string(protocol.param);
                         });

std::string scenario(const std::string& real) {
  return "schema: 1\nname: bounded\ndescription: Limits.\nsteps:\n"
         "  - {call: add_nodes, with: {count: 2}, as: job}\n"
         "  - {await: {operation: $job.operation}, within: 5m}\n"
         "  - wait: 10m\n"
         "real: {" +
         real + "}\n";
}

TEST_P(OnEc2, NothingIsBoughtWithoutLeaveOrForADryRun) {
  const std::string forbidden = scratch_.write("forbidden.yaml", scenario("allow: no"));
  DroverProcess skipped({"run", forbidden, "--world", "cloud", "--config", config("ec2")});
  skipped.wait();
  EXPECT_THAT(skipped.out(), HasSubstr("the file does not allow it (real: {allow: yes})"));
  DroverProcess dry({"run", kScenario, "--world", "cloud", "--config", config("ec2"), "--dry-run"});
  EXPECT_EQ(dry.wait(), 0) << dry.err();
  EXPECT_THAT(dry.out(), HasSubstr("steps ask for 2 VM(s), at most 2 at once"));
  EXPECT_EQ(created(), 0U);
}

TEST_P(OnEc2, NoMoreVmsThanAllowedAndTheRunFails) {
  const std::string path = scratch_.write("capped.yaml", scenario("allow: yes, max_instances: 1"));
  DroverProcess run({"run", path, "--world", "cloud", "--config", config("ec2")});
  EXPECT_EQ(run.wait(), 1) << run.out() << run.err();
  EXPECT_THAT(run.out(), HasSubstr("real.max_instances"));
  EXPECT_LE(created(), 1U);
  EXPECT_TRUE(eventually([&] { return gone() == created(); })) << state();
}

TEST_P(OnEc2, CtrlCEndsWhatWasBought) {
  const std::string path = scratch_.write("long.yaml", scenario("allow: yes, max_instances: 2"));
  DroverProcess run({"run", path, "--world", "cloud", "--config", config("ec2")});
  ASSERT_TRUE(eventually([&] { return created() == 2; })) << run.err();
  run.send_signal(SIGINT);
  EXPECT_EQ(run.wait(), 130) << run.out() << run.err();
  EXPECT_TRUE(eventually([&] { return gone() == 2; })) << state();
}

TEST_P(OnEc2, ItsTimeEnds) {
  const std::string path = scratch_.write("short.yaml", scenario("allow: yes, max_instances: 2, ttl: 15s"));
  DroverProcess run({"run", path, "--world", "cloud", "--config", config("ec2")});
  EXPECT_EQ(run.wait(), 1) << run.out() << run.err();
  EXPECT_THAT(run.out(), HasSubstr("gave up after real.ttl, 15s"));
  EXPECT_TRUE(eventually([&] { return gone() == created(); })) << state();
}

}  // namespace
}  // namespace drover
