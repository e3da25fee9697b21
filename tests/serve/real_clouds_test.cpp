// The real binary with the drivers of real clouds, in front of the real binary as these clouds. Only agents
// are missing here: VMs come up, are found again, and are given back.
#include <csignal>

#include "tests/serve/serve_fixture.hpp"

namespace drover::serve_test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kSecret = "rosebud-7-secret";

struct CloudUnderTest {
  const char* name;
  const char* section;  // with URL and the folder of the secret in their places
};

void PrintTo(const CloudUnderTest& cloud, std::ostream* out) { *out << cloud.name; }

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

class RealClouds : public testing::TestWithParam<CloudUnderTest> {
 protected:
  void SetUp() override {
    scratch_.write("secret", std::string(kSecret) + "\n");
    const std::string config = scratch_.write(
        "mock.yaml", "listen: 127.0.0.1:0\ntime_scale: 50\nsecret_file: " + scratch_.path("secret") +
                         "\ncloud: {boot: 5s, terminate: 5s}\n");
    mock_ = std::make_unique<DroverProcess>(std::vector<std::string>{"mockcloud", "--config", config});
    ASSERT_NE(mock_->wait_until_listening(), 0) << mock_->err();
  }
  // A configuration in which `what` stands where `instead` should.
  std::string config(const std::string& what = "", const std::string& instead = "") {
    std::string section =
        replaced(GetParam().section, "URL", "http://127.0.0.1:" + std::to_string(mock_->port()));
    section = replaced(section, "SECRET", scratch_.path("secret"));
    if (!what.empty()) section = replaced(section, what, instead);
    return scratch_.write("serve.yaml",
                          std::string("listen: 127.0.0.1:0\ncloud: ") + GetParam().name +
                              "\nlimits: {connections: 64}\nmanager: {poll_interval: 2s}\njournal: " +
                              scratch_.path("journal") + "\n" + section);
  }
  void start() {
    server_ = std::make_unique<DroverProcess>(std::vector<std::string>{
        "serve", "--config", config(), "--time-scale", "50", "--log-level", "debug"});
    ASSERT_NE(server_->wait_until_listening(), 0) << server_->err();
  }
  json state() const {
    HttpClient client(mock_->port());
    const auto answer =
        client.exchange("GET /_drover/state HTTP/1.1\r\nHost: mock\r\nConnection: close\r\n\r\n");
    return json::parse(answer.body, nullptr, false);
  }
  std::size_t instances(const std::string& in) const {
    return state()["instances"].value(in, std::size_t{0});
  }
  json post(const std::string& method, const json& params = json::object()) const {
    return call_api(server_->port(), "POST", method, params);
  }

  ScratchFolder scratch_;
  std::unique_ptr<DroverProcess> mock_;
  std::unique_ptr<DroverProcess> server_;
};

TEST_P(RealClouds, VmsComeUpAreFoundAgainAndAreGivenBack) {
  start();
  ASSERT_TRUE(eventually([&] {
    return post("add_nodes", {{"count", 2}, {"key", "two"}}).contains("result");
  }));
  ASSERT_TRUE(eventually([&] { return instances("running") == 2; })) << state() << server_->err();
  server_->send_signal(SIGKILL);
  server_->wait();
  start();
  ASSERT_TRUE(eventually([&] { return post("shutdown").contains("result"); })) << server_->err();
  EXPECT_TRUE(eventually([&] { return instances("running") + instances("pending") == 0; }))
      << state() << server_->err();
  server_->send_signal(SIGTERM);
  EXPECT_EQ(server_->wait(), 0);
  EXPECT_THAT(server_->err(), Not(HasSubstr(kSecret)));
}

TEST_P(RealClouds, TheDoctorFindsThemWell) {
  const Outcome ended = run_drover({"doctor", "--config", config()});
  EXPECT_EQ(ended.exit_code, 0) << ended.out;
  EXPECT_THAT(ended.out, HasSubstr(std::string("ok    cloud ") + GetParam().name));
}

TEST_P(RealClouds, TheDoctorSaysWhatIsWrong) {
  const Outcome image = run_drover({"doctor", "--config", config("debian-12-drover", "no-such-image")});
  EXPECT_EQ(image.exit_code, 4) << image.out;
  EXPECT_THAT(image.out, HasSubstr("no-such-image"));
  scratch_.write("secret", "wrong-word\n");
  const Outcome secret = run_drover({"doctor", "--config", config()});
  EXPECT_EQ(secret.exit_code, 4) << secret.out;
  EXPECT_THAT(secret.out, HasSubstr(std::string("WRONG cloud ") + GetParam().name));
  EXPECT_THAT(secret.out, Not(HasSubstr("wrong-word")));
  const Outcome file =
      run_drover({"doctor", "--config", config(scratch_.path("secret"), "/nonexistent/secret")});
  EXPECT_EQ(file.exit_code, 4);
  EXPECT_THAT(file.out, HasSubstr("/nonexistent/secret"));
}

TEST_P(RealClouds, AManagerOfRealVmsNeedsAJournal) {
  const Outcome ended = run_drover({"serve", "--config", config(), "--journal", ":memory:"});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("--journal"));
}

INSTANTIATE_TEST_SUITE_P(
    All, RealClouds,
    testing::Values(CloudUnderTest{"ec2",
                                   "ec2: {endpoint: URL, access_key: drover, secret_key_file: SECRET, image: "
                                   "debian-12-drover, size: small}\n"},
                    CloudUnderTest{
                        "openstack",
                        "openstack: {auth_url: URL/identity/v3, user: drover, project: drover, "
                        "password_file: SECRET, image: debian-12-drover, flavor: small, network: default}\n"},
                    CloudUnderTest{"opennebula",
                                   "opennebula: {url: URL/RPC2, user: drover, password_file: SECRET, image: "
                                   "debian-12-drover, network: default}\n"}),
    [](const testing::TestParamInfo<CloudUnderTest>& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace drover::serve_test
