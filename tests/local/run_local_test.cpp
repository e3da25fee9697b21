// `drover run --world local` as a whole: real servers, the verdicts of both worlds, and nothing left behind.
#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "manager/system/child_process.hpp"
#include "scenarios/local/run_ground.hpp"
#include "tests/support/drover_process.hpp"

namespace drover {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_support::DroverProcess;
using testing_support::eventually;
using testing_support::Outcome;
using testing_support::run_drover;
using testing_support::ScratchFolder;

const std::string kHead = "schema: 1\nname: short\ndescription: A service of real servers.\nseeds: 1..1\n";
const std::string kTwo =
    "steps:\n"
    "  - {call: add_nodes, with: {count: 2}, as: job}\n"
    "  - await: {operation: $job.operation}\n"
    "  - {call: set_up_replica_master, with: {id: '1'}}\n"
    "  - {call: set_up_replica_slave, with: {id: '2'}, as: slave}\n"
    "  - await: {operation: $slave.operation}\n";

class RunLocal : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* program : {"mariadbd", "mariadb-install-db", "mariadb-backup"})
      if (system::find_program(program).empty()) GTEST_SKIP() << program << " is not installed";
    std::filesystem::create_directory(scratch_.path("tmp"));
    ::setenv("TMPDIR", scratch_.path("tmp").c_str(), 1);
  }
  void TearDown() override { ::unsetenv("TMPDIR"); }

  std::string write(const std::string& text) const { return scratch_.write("short.yaml", text); }
  std::vector<std::string> arguments(const std::string& file) const {
    return {"run", file, "--world", "local", "--json", scratch_.path("result.json")};
  }
  json result() const {
    std::ifstream file(scratch_.path("result.json"));
    return json::parse(file, nullptr, false)["runs"][0];
  }
  // Of whatever had its place in the folder for temporary files.
  bool nothing_is_left() const {
    if (!system::processes_with(scratch_.path("tmp") + "/drover-stage-").empty()) return false;
    for (const auto& entry : std::filesystem::directory_iterator(scratch_.path("tmp")))
      if (entry.path().filename().string().starts_with("drover-stage-")) return false;
    return true;
  }
  bool servers_run(std::size_t count) const {
    std::size_t found = 0;
    for (const pid_t pid : system::processes_with(scratch_.path("tmp") + "/drover-stage-"))
      found += system::command_line(pid).starts_with("mariadbd") ? 1 : 0;
    return found >= count;
  }

  ScratchFolder scratch_;
};

TEST_F(RunLocal, SwitchesTheMasterUnderWritersAndLosesNothing) {
  const auto file =
      write(kHead + "traffic: {writers: 2, rate: '20/s'}\n" + kTwo +
            "  - {call: promote, with: {id: '2'}, as: switch}\n"
            "  - await: {operation: $switch.operation}\n"
            "  - check: {master: '2', writable_masters: 1}\n"
            "  - wait: 1s\n"
            "expect:\n"
            "  - always: 'writable_masters <= 1'\n"
            "  - finally: 'lost_writes == 0 and healthy_replicas == 1 and acknowledged_writes > 20'\n");
  const Outcome outcome = run_drover(arguments(file));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  EXPECT_EQ(result()["verdict"], "PASS") << result();
  EXPECT_EQ(result()["world"], "local");
  EXPECT_THAT(result()["judged"], Contains("S2"));
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(RunLocal, StartsAServerThatWasKilledAndFailsWhereTheFileSaysSomethingElse) {
  const auto file = write(kHead + kTwo +
                          "  - {do: db.crash, on: node-2, with: {restart: 1s}}\n"
                          "  - check: {healthy_replicas: 0}\n"
                          "  - {name: back, eventually: {healthy_replicas: 1}, within: 1m}\n"
                          "  - check: {nodes: 3}\n");
  const Outcome outcome = run_drover(arguments(file));
  EXPECT_EQ(outcome.exit_code, 1) << outcome.out << outcome.err;
  EXPECT_EQ(result()["failures"].size(), 1) << result();
  EXPECT_THAT(result()["failures"][0]["message"].get<std::string>(), HasSubstr("nodes is 2"));
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(RunLocal, SkipsWhatItCannotMakeAndSaysWhich) {
  const auto file = write(kHead + "steps:\n  - {do: vm.zombie, on: node-1}\n");
  const Outcome outcome = run_drover(arguments(file));
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(result()["verdict"], "SKIPPED");
  EXPECT_THAT(result()["reason"].get<std::string>(), HasSubstr("vm.zombie"));
  EXPECT_THAT(outcome.out, HasSubstr("SKIPPED"));
  EXPECT_TRUE(nothing_is_left());
}

// Runs with networks of their own.
class RunLocalNetwork : public RunLocal {
 protected:
  void SetUp() override {
    RunLocal::SetUp();
    if (IsSkipped()) return;
    const auto why = scenario::why_no_ground({.networks = true, .disks = true}, scratch_.path("tmp"));
    if (!why.empty()) GTEST_SKIP() << why;
  }
  // The networks of the run's servers, as the kernel numbers them.
  std::set<std::string> networks() const {
    std::set<std::string> found;
    for (const pid_t pid : system::processes_with(scratch_.path("tmp") + "/drover-stage-"))
      if (system::command_line(pid).starts_with("mariadbd")) found.insert(network_of(std::to_string(pid)));
    return found;
  }
  static std::string network_of(const std::string& pid) {
    std::error_code error;
    return std::filesystem::read_symlink("/proc/" + pid + "/ns/net", error).string();
  }
  // Whether no process of this machine is in one of these networks, and nothing of the run is mounted.
  bool nothing_is_left_of(const std::set<std::string>& networks) const {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const std::string name = entry.path().filename().string();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      if (networks.contains(network_of(name))) return false;
    }
    std::ifstream mounts("/proc/self/mountinfo");
    for (std::string line; std::getline(mounts, line);)
      if (line.find("drover-stage-") != std::string::npos) return false;
    return nothing_is_left();
  }
};

// slave_net_timeout of the agents' servers is 10s: then a replica that hears nothing says so.
TEST_F(RunLocalNetwork, AReplicaThatIsCutOffConnectsInVainUntilTheNetworkHeals) {
  const auto file = write(kHead + "traffic: {writers: 1, rate: '20/s'}\n" + kTwo +
                          "  - check: {healthy_replicas: 1}\n"
                          "  - {do: net.partition, with: {from: node-1, to: node-2, for: 25s}}\n"
                          "  - {name: cut, eventually: {healthy_replicas: 0}, within: 20s}\n"
                          "  - check: {writable_masters: 1}\n"
                          "  - {name: healed, eventually: {healthy_replicas: 1}, within: 1m}\n"
                          "expect:\n"
                          "  - finally: 'lost_writes == 0 and healthy_replicas == 1'\n");
  const Outcome outcome = run_drover(arguments(file));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  EXPECT_EQ(result()["verdict"], "PASS") << result();
  EXPECT_TRUE(nothing_is_left());
}

// A server with a full disk waits, and looks again after a minute.
TEST_F(RunLocalNetwork, WritesWaitWhileTheMastersDiskIsFullAndNoneIsLost) {
  const auto file =
      write(kHead + "traffic: {writers: 1, rate: '20/s'}\n" + kTwo +
            "  - wait: 1s\n"
            "  - {do: db.disk_full, on: node-1, with: {for: 10s}}\n"
            "  - wait: 30s\n"
            "expect:\n"
            "  - finally: 'lost_writes == 0 and healthy_replicas == 1 and longest_outage_s > 8'\n");
  const Outcome outcome = run_drover(arguments(file));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  EXPECT_EQ(result()["verdict"], "PASS") << result();
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(RunLocalNetwork, SaysSoWhereItMayNotUseNetworks) {
  const auto file = write(kHead + "steps:\n  - {do: net.isolate, on: node-1}\n");
  auto call = arguments(file);
  call.insert(call.end(), {"--network", "loopback"});
  EXPECT_EQ(run_drover(call).exit_code, 0);
  EXPECT_EQ(result()["verdict"], "SKIPPED");
  EXPECT_THAT(result()["reason"].get<std::string>(), HasSubstr("--network loopback"));
}

TEST_F(RunLocalNetwork, LeavesNothingBehindWhenItIsKilled) {
  const auto file = write(kHead + kTwo +
                          "  - {do: net.isolate, on: node-2, with: {for: never}}\n"
                          "  - {do: db.disk_full, on: node-2}\n"
                          "  - wait: 1h\n");
  DroverProcess run(arguments(file));
  ASSERT_TRUE(eventually([&] { return servers_run(2); })) << run.out() << run.err();
  const auto networks = this->networks();
  EXPECT_EQ(networks.size(), 2) << "each VM in a network of its own";
  EXPECT_FALSE(networks.contains(network_of("self")));
  run.send_signal(SIGKILL);
  EXPECT_EQ(run.wait(), 128 + SIGKILL);
  EXPECT_TRUE(eventually([&] { return nothing_is_left_of(networks); }));
}

// A run that would go on for an hour, ended by a signal while its servers run.
class RunLocalEnded : public RunLocal, public testing::WithParamInterface<int> {};

TEST_P(RunLocalEnded, LeavesNothingBehind) {
  if (IsSkipped()) return;
  const auto file = write(kHead + kTwo + "  - {do: db.hang, on: node-1, with: {for: never}}\n  - wait: 1h\n");
  DroverProcess run(arguments(file));
  ASSERT_TRUE(eventually([&] { return servers_run(2); })) << run.out() << run.err();
  run.send_signal(GetParam());
  const int code = run.wait();
  EXPECT_EQ(code, GetParam() == SIGKILL ? 128 + SIGKILL : 130) << run.out() << run.err();
  EXPECT_TRUE(eventually([&] { return nothing_is_left(); }));
}

INSTANTIATE_TEST_SUITE_P(Signals, RunLocalEnded, testing::Values(SIGTERM, SIGKILL));

}  // namespace
}  // namespace drover
