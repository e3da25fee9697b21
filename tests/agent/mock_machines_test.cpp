// The whole path on one machine: `drover serve` with the driver of a real cloud, the cloud's protocol, the
// mock cloud with real machines, user data, agents, MariaDB, replication.
#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "manager/system/child_process.hpp"
#include "manager/system/digest.hpp"
#include "tests/agent/service_client.hpp"
#include "tests/agent/stage.hpp"

namespace drover {
namespace {

using agent_test::ServiceClient;
using agent_test::SqlClient;
using nlohmann::json;
using testing_support::DroverProcess;
using testing_support::eventually;

struct Protocol {
  const char* name;
  const char* section;  // with URL and SECRET in their places
};

void PrintTo(const Protocol& protocol, std::ostream* out) { *out << protocol.name; }

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

constexpr Protocol kEc2{"ec2",
                        "ec2: {endpoint: URL, access_key: drover, secret_key_file: SECRET, image: "
                        "debian-12-drover, size: small}\n"};
constexpr Protocol kOpenStack{
    "openstack",
    "openstack: {auth_url: URL/identity/v3, user: drover, project: drover, password_file: SECRET, image: "
    "debian-12-drover, flavor: small, network: default}\n"};
constexpr Protocol kOpenNebula{
    "opennebula",
    "opennebula: {url: URL/RPC2, user: drover, password_file: SECRET, image: debian-12-drover, network: "
    "default}\n"};

// SIGSTOP has reached it.
bool stands_still(pid_t pid) {
  std::string stat;
  std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/stat"), stat);
  return stat.find(") T ") != std::string::npos;
}

class MockMachines : public testing::TestWithParam<Protocol> {
 protected:
  void SetUp() override {
    if (const std::string missing = agent_test::missing_programs(); !missing.empty()) GTEST_SKIP() << missing;
    cloud_config_ =
        scratch_.write("mock.yaml", "listen: 127.0.0.1:0\nmachines: local\nmachines_dir: " + folder() +
                                        "\ndatabase: " + scratch_.path("cloud.db") +
                                        "\nsecret_file: " + scratch_.write("secret", "my-own\n") + "\n");
    // So that no data directory has to be made anew.
    std::filesystem::create_directory(folder());
    std::filesystem::copy(agent_test::template_folder(), folder() + "/template",
                          std::filesystem::copy_options::recursive);
    start_cloud();
  }
  void TearDown() override {
    if (HasFailure()) {
      if (mock_) std::cerr << mock_->err();
      if (server_) std::cerr << server_->err();
    }
    server_.reset();
    mock_.reset();
    EXPECT_TRUE(eventually([&] { return machine_processes().empty(); })) << "something was left behind";
  }
  std::string folder() const { return scratch_.path("vms"); }
  std::vector<pid_t> machine_processes() const { return system::processes_with(folder() + "/"); }
  void start_cloud() {
    mock_ = std::make_unique<DroverProcess>(std::vector<std::string>{"mockcloud", "--config", cloud_config_});
    ASSERT_NE(mock_->wait_until_listening(), 0) << mock_->err();
  }
  void start_manager(const Protocol& protocol) {
    std::string section =
        replaced(protocol.section, "URL", "http://127.0.0.1:" + std::to_string(mock_->port()));
    section = replaced(section, "SECRET", scratch_.path("secret"));
    const std::string config =
        scratch_.write("serve.yaml", std::string("listen: 127.0.0.1:0\ncloud: ") + protocol.name +
                                         "\nnodes: {buffer_pool_mb: 16}\nmanager: {poll_interval: 200ms, "
                                         "poll_agents_timer: 1s}\njournal: " +
                                         scratch_.path("journal") + "\n" + section);
    server_ = std::make_unique<DroverProcess>(std::vector<std::string>{"serve", "--config", config});
    ASSERT_NE(server_->wait_until_listening(), 0) << server_->err();
  }
  ServiceClient service() const { return ServiceClient(server_->port()); }
  json control(const std::string& verb, const std::string& path, const std::string& body = {}) const {
    testing_support::HttpClient client(mock_->port());
    const auto answer = client.exchange(verb + " /_drover/" + path +
                                        " HTTP/1.1\r\nHost: mock\r\nConnection: close\r\nContent-Length: " +
                                        std::to_string(body.size()) + "\r\n\r\n" + body);
    return json::parse(answer.body, nullptr, false);
  }
  std::size_t instances(const std::string& in) const {
    return control("GET", "state")["instances"].value(in, std::size_t{0});
  }
  void make_service() {
    service().done("add_nodes", {{"count", 2}});
    ASSERT_NO_FATAL_FAILURE(service().make_master());
    service().done("set_up_replica_slave", {{"id", "2"}});
    ASSERT_EQ(service().sql("1").run("INSERT INTO shop.t VALUES (2)"), 0U);
    ASSERT_TRUE(service().has_rows("2", "2"));
  }

  testing_support::ScratchFolder scratch_;
  std::string cloud_config_;
  std::unique_ptr<DroverProcess> mock_, server_;
};

TEST_P(MockMachines, ServersComeUpReplicateLoseAMachineAndAreGivenBack) {
  ASSERT_NO_FATAL_FAILURE(start_manager(GetParam()));
  ASSERT_NO_FATAL_FAILURE(make_service());

  // The machine of the slave is ended by the cloud, as its owner or its provider would.
  ASSERT_FALSE(machine_processes().empty());
  const std::string lost = service().address("2");
  control("POST", "do", R"({"action": "vm.crash", "target": "node-2"})");
  EXPECT_TRUE(eventually([&] { return SqlClient(lost, "app", "s3cret-app").error() != 0; }));
  EXPECT_EQ(service().sql("1").run("INSERT INTO shop.t VALUES (3)"), 0U) << "the master does not mind";
  EXPECT_TRUE(eventually([&] { return service().node("2")["state"] != "RUNNING"; })) << service().node("2");

  ASSERT_TRUE(eventually([&] { return service().post("shutdown").contains("result"); }));
  EXPECT_TRUE(eventually([&] { return control("GET", "state")["instances"].value("terminated", 0) == 2; }))
      << control("GET", "state");
  EXPECT_TRUE(eventually([&] { return system::processes_with(folder() + "/bin/init ").size() <= 1; }))
      << "only the process is left that watches over the cloud's end";
  server_->send_signal(SIGTERM);
  EXPECT_EQ(server_->wait(), 0) << server_->err();
  mock_->send_signal(SIGTERM);
  EXPECT_EQ(mock_->wait(), 0) << mock_->err();
  EXPECT_TRUE(machine_processes().empty());
}

INSTANTIATE_TEST_SUITE_P(All, MockMachines, testing::Values(kEc2, kOpenStack, kOpenNebula),
                         [](const testing::TestParamInfo<Protocol>& tested) {
                           return std::string(tested.param.name);
                         });

// One protocol: what follows is the machines' own doing.
class Ec2Machines : public MockMachines {};
INSTANTIATE_TEST_SUITE_P(All, Ec2Machines, testing::Values(kEc2),
                         [](const testing::TestParamInfo<Protocol>&) { return "ec2"; });

TEST_P(Ec2Machines, RebootKeepsTheDataAndAFrozenMachineGoesOn) {
  ASSERT_NO_FATAL_FAILURE(start_manager(GetParam()));
  ASSERT_NO_FATAL_FAILURE(make_service());
  control("POST", "do", R"({"action": "vm.reboot", "target": "node-2"})");
  EXPECT_TRUE(eventually([&] { return instances("rebooting") == 0; }));
  EXPECT_EQ(service().sql("1").run("INSERT INTO shop.t VALUES (3)"), 0U);
  EXPECT_TRUE(service().has_rows("2", "3")) << "its agent starts its server, which goes on replicating";
  control("POST", "do", R"({"action": "vm.pause", "target": "node-2"})");
  EXPECT_TRUE(eventually([&] {
    const auto all = system::processes_with("/" + service().node("2")["vm"].get<std::string>() + "/");
    return all.size() >= 2 && std::ranges::all_of(all, stands_still);
  }));
  EXPECT_EQ(service().sql("1").run("INSERT INTO shop.t VALUES (4)"), 0U);
  mock_->send_signal(SIGKILL);
  EXPECT_EQ(mock_->wait(), 128 + SIGKILL);
  EXPECT_TRUE(eventually([&] { return machine_processes().empty(); })) << "frozen ones end too";
  ASSERT_NO_FATAL_FAILURE(start_cloud());
  EXPECT_TRUE(service().has_rows("1", "4")) << "the next cloud boots them on their disks";
}

// A script of the user's own, and the folder that nobody named.
TEST(MachinesOfTheMock, RunAnyUserDataInTheirOwnFolderAndLeaveNothing) {
  if (const std::string missing = agent_test::missing_programs(); !missing.empty()) GTEST_SKIP() << missing;
  const testing_support::ScratchFolder scratch;
  const std::string config =
      scratch.write("mock.yaml", "listen: 127.0.0.1:0\napi: opennebula\nmachines: local\nsecret_file: " +
                                     scratch.write("secret", "my-own\n") + "\ncloud: {boot: 0s}\n");
  for (const int ending : {SIGTERM, SIGKILL}) {
    DroverProcess mock({"mockcloud", "--config", config});
    ASSERT_NE(mock.wait_until_listening(), 0) << mock.err();
    const std::string told = scratch.path("told-" + std::to_string(ending));
    const auto launch = [&](const std::string& user_data) {
      const std::string machine =
          "CPU=1\nMEMORY=128\nDISK=[IMAGE=debian-12-drover]\nCONTEXT=[USERDATA_ENCODING=base64,USERDATA=\"" +
          base64_encode(user_data) + "\"]\n";
      const std::string call =
          "<methodCall><methodName>one.vm.allocate</methodName><params><param><value><string>drover:my-own"
          "</string></value></param><param><value><string>" +
          machine + "</string></value></param></params></methodCall>";
      testing_support::HttpClient client(mock.port());
      const auto answer = client.exchange(
          "POST /RPC2 HTTP/1.1\r\nHost: mock\r\nConnection: close\r\nContent-Type: "
          "text/xml\r\nContent-Length: " +
          std::to_string(call.size()) + "\r\n\r\n" + call);
      EXPECT_THAT(answer.body, testing::HasSubstr("<boolean>1<")) << answer.status;
    };
    launch("#!/bin/sh\necho \"$DROVER_ROOT\" >" + told + "\nsleep 1000\n");
    launch("#!/bin/sh\necho no luck\nexit 3\n");
    launch("#cloud-config\n");
    std::string root;
    EXPECT_TRUE(eventually([&] { return static_cast<bool>(std::getline(std::ifstream(told), root)); }));
    EXPECT_TRUE(std::filesystem::exists(root + "/run/one-context/one_env")) << root;
    EXPECT_TRUE(eventually([&] {
      return mock.err().find("user data ended with exit code 3") != std::string::npos;
    })) << mock.err();
    EXPECT_THAT(mock.err(), testing::HasSubstr("is no script"));
    mock.send_signal(ending);
    EXPECT_EQ(mock.wait(), ending == SIGTERM ? 0 : 128 + SIGKILL);
    const std::string folder = std::filesystem::path(root).parent_path().string();
    EXPECT_TRUE(eventually(
        [&] { return !std::filesystem::exists(folder) && system::processes_with(folder + "/").empty(); }));
  }
}

TEST(MachinesOfTheMock, AreForNobodyWhoKnowsTheUsualSecret) {
  const testing_support::Outcome usual =
      testing_support::run_drover({"mockcloud", "--machines", "local", "--listen", "127.0.0.1:0"});
  EXPECT_EQ(usual.exit_code, 2);
  EXPECT_THAT(usual.err, testing::HasSubstr("secret_file"));
  const testing_support::ScratchFolder scratch;
  const testing_support::Outcome unchecked = testing_support::run_drover(
      {"mockcloud", "--machines", "local", "--config",
       scratch.write("mock.yaml", "listen: 127.0.0.1:0\ncheck_signatures: no\nsecret_file: " +
                                      scratch.write("secret", "my-own\n") + "\n")});
  EXPECT_EQ(unchecked.exit_code, 2);
  EXPECT_THAT(unchecked.err, testing::HasSubstr("check_signatures"));
}

}  // namespace
}  // namespace drover
