// The Iaas port's contract on the local cloud, and what its VMs' processes go through.
#include "manager/adapters/local_cloud.hpp"

#include <signal.h>
#include <sys/prctl.h>

#include <fstream>

#include "manager/adapters/real_time.hpp"
#include "manager/system/child_process.hpp"
#include "manager/system/net_stream.hpp"
#include "paths.hpp"
#include "tests/agent/stage.hpp"
#include "tests/contract/iaas_contract.hpp"

namespace drover {
namespace {

using testing_support::ScratchFolder;

class LocalStage : public IaasStage {
 public:
  LocalStage() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    scratch_.write("token", "token of the tests\n");
    pump_.start();
    open();
  }
  ~LocalStage() override {
    if (cloud_) cloud_->terminate_all();
  }
  void open() {
    LocalCloudConfig config;
    config.folder = scratch_.path("");
    config.folder.pop_back();
    config.program = DROVER_BINARY;
    config.token_file = scratch_.path("token");
    config.template_folder = agent_test::template_folder();
    config.instances_max = 6;
    config.ephemeral = true;
    auto opened = LocalCloud::open(scheduler_, config, [](const std::string&) {});
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    cloud_ = std::move(opened).value();
  }
  void close() { cloud_.reset(); }
  LocalCloud& cloud() { return *cloud_; }

  Iaas& iaas() override { return *cloud_; }
  bool run_until(const std::function<bool()>& done, Duration limit) override {
    const auto until = std::chrono::steady_clock::now() + limit;
    pump_.wake();  // calls came from outside of it
    const auto work = asio::make_work_guard(io_);
    while (!done()) {
      if (std::chrono::steady_clock::now() >= until) return false;
      io_.run_one_for(std::chrono::milliseconds(20));
      io_.restart();
    }
    return true;
  }
  InstanceSpec spec(const std::string& name, const std::string& service) override {
    return InstanceSpec{name, "debian-12-drover", "small", "default", "", {{kServiceTag, service}}};
  }
  bool has_volumes() const override { return false; }
  std::vector<pid_t> processes_of(const std::string& id) const {
    return system::processes_with(scratch_.path(id));
  }

 private:
  ScratchFolder scratch_;
  asio::io_context io_{1};
  Scheduler scheduler_;
  RealTimePump pump_{io_, scheduler_};
  std::unique_ptr<LocalCloud> cloud_;
};

std::vector<IaasUnderTest> implementations() {
  if (!agent_test::missing_programs().empty()) return {};
  return {{"Local", [] { return std::make_unique<LocalStage>(); }}};
}
INSTANTIATE_TEST_SUITE_P(Processes, IaasContract, testing::ValuesIn(implementations()), name_of);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(IaasContract);

class LocalVms : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string missing = agent_test::missing_programs(); !missing.empty()) GTEST_SKIP() << missing;
    stage_ = std::make_unique<LocalStage>();
  }
  Result<InstanceInfo> create(const std::string& name) {
    std::optional<Result<InstanceInfo>> answer;
    stage_->iaas().newInstance({}, stage_->spec(name, "service"), name,
                               [&](Result<InstanceInfo> result) { answer.emplace(std::move(result)); });
    return std::move(*answer);
  }
  InstanceInfo look(const std::string& id) {
    InstanceInfo info;
    stage_->iaas().getVMInfo({}, id, [&](Result<InstanceInfo> result) {
      if (result) info = std::move(result).value();
    });
    return info;
  }
  bool reaches(const std::string& id, InstanceState state) {
    return stage_->run_until([&] { return look(id).state == state; }, 60s);
  }
  std::unique_ptr<LocalStage> stage_;
};

TEST_F(LocalVms, KillingAVmLeavesNoProcessAndNoFile) {
  const InstanceInfo vm = create("one").value();
  ASSERT_TRUE(reaches(vm.id, InstanceState::running));
  ASSERT_FALSE(stage_->processes_of(vm.id).empty());
  stage_->iaas().killInstance({}, vm.id, [](Result<void> result) { EXPECT_TRUE(result.has_value()); });
  ASSERT_TRUE(reaches(vm.id, InstanceState::terminated));
  EXPECT_TRUE(stage_->processes_of(vm.id).empty());
}

TEST_F(LocalVms, AVmThatWasJustStartedIsNotTakenForDead) {
  for (const char* name : {"one", "two", "three", "four", "five", "six"}) {
    const InstanceInfo vm = create(name).value();
    EXPECT_NE(look(vm.id).state, InstanceState::error) << look(vm.id).fault;
  }
}

TEST_F(LocalVms, AMachineThatLostItsPowerIsStoppedUntilItHasItAgain) {
  const InstanceInfo vm = create("one").value();
  ASSERT_TRUE(reaches(vm.id, InstanceState::running));
  ASSERT_TRUE(stage_->cloud().power_off(vm.id).has_value());
  ASSERT_TRUE(stage_->run_until([&] { return !stage_->cloud().machines().front().has_power; }, 10s));
  EXPECT_EQ(look(vm.id).state, InstanceState::stopped);
  ASSERT_TRUE(stage_->cloud().power_on(vm.id, true).has_value());
  EXPECT_TRUE(reaches(vm.id, InstanceState::running));
}

TEST_F(LocalVms, AMachineWhoseAgentDiedIsKilledWithAllThatItsNewAgentFound) {
  const InstanceInfo vm = create("one").value();
  ASSERT_TRUE(reaches(vm.id, InstanceState::running));
  ASSERT_TRUE(stage_->cloud().signal_agent(vm.id, SIGKILL).has_value());
  ASSERT_TRUE(stage_->run_until([&] { return stage_->cloud().start_agent(vm.id).has_value(); }, 10s));
  EXPECT_TRUE(reaches(vm.id, InstanceState::running));
  stage_->iaas().killInstance({}, vm.id, [](Result<void> result) { EXPECT_TRUE(result.has_value()); });
  ASSERT_TRUE(reaches(vm.id, InstanceState::terminated));
  EXPECT_TRUE(stage_->processes_of(vm.id).empty());
}

TEST_F(LocalVms, ARestartedCloudTakesOverWhatRuns) {
  const InstanceInfo vm = create("one").value();
  ASSERT_TRUE(reaches(vm.id, InstanceState::running));
  const auto before = stage_->processes_of(vm.id);
  stage_->close();
  stage_->open();
  EXPECT_EQ(look(vm.id).state, InstanceState::running);
  EXPECT_EQ(look(vm.id).address, vm.address);
  EXPECT_EQ(stage_->processes_of(vm.id), before);
  EXPECT_EQ(create("one").value().id, vm.id) << "the token is remembered";
}

TEST_F(LocalVms, ARestartedCloudStartsWhatDoesNotRun) {
  const InstanceInfo vm = create("one").value();
  ASSERT_TRUE(reaches(vm.id, InstanceState::running));
  stage_->close();
  // By number: one that is ending has no command line any more, and still its port.
  const auto killed = stage_->processes_of(vm.id);
  for (const pid_t pid : killed) ::kill(pid, SIGKILL);
  ASSERT_TRUE(stage_->run_until(
      [&] { return std::none_of(killed.begin(), killed.end(), system::process_lives); }, 10s));
  stage_->open();
  EXPECT_TRUE(reaches(vm.id, InstanceState::running)) << look(vm.id).fault;
}

TEST_F(LocalVms, AVmWhoseProcessesHaveEndedIsAnError) {
  const InstanceInfo vm = create("one").value();
  ASSERT_TRUE(reaches(vm.id, InstanceState::running));
  for (const pid_t pid : stage_->processes_of(vm.id)) ::kill(pid, SIGKILL);
  ASSERT_TRUE(reaches(vm.id, InstanceState::error));
  EXPECT_NE(look(vm.id).fault, "");
}

TEST_F(LocalVms, NoMoreThanTheLimitAreMade) {
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(create("vm" + std::to_string(i)).has_value());
  const auto more = create("more");
  ASSERT_TRUE(more.has_error());
  EXPECT_EQ(more.error().code, ErrorCode::quota);
}

}  // namespace
}  // namespace drover
