#include "tests/agent/stage.hpp"

#include <signal.h>

#include <filesystem>
#include <fstream>

#include "manager/system/net_stream.hpp"
#include "paths.hpp"

namespace drover::agent_test {

std::string missing_programs() {
  for (const char* name :
       {"mariadbd", "mariadb-install-db", "mariadb-backup", "mbstream", "mariadb", "mariadb-dump"})
    if (system::find_program(name).empty())
      return std::string(name) + " is not installed: tools/dev install mariadb";
  return {};
}

// Kept beside the binary, for all test programs and runs: making one takes a second.
const std::string& template_folder() {
  static const std::string path = [] {
    namespace fs = std::filesystem;
    std::string kept = DROVER_BINARY;
    kept.append("-mariadb-template-").append(std::to_string(::geteuid()));
    std::error_code error;
    if (fs::exists(kept, error)) return kept;
    agent::AgentSettings settings;
    settings.folder = kept + "-" + std::to_string(::getpid());
    settings.log = [](const std::string&) {};
    agent::ServerProcess maker(settings);
    EXPECT_TRUE(maker.open().has_value());
    const std::string made = maker.data_folder();
    const auto result = maker.make_data(made);
    EXPECT_TRUE(result.has_value()) << result.error().message;
    if (result.has_value()) fs::rename(made, kept, error);  // another program may have been faster
    fs::remove_all(settings.folder, error);
    return kept;
  }();
  return path;
}

std::string address_of(unsigned node) {
  static const std::string prefix = [] {
    for (unsigned attempt = 0;; ++attempt) {
      const unsigned number = static_cast<unsigned>(::getpid()) + attempt * 7919U;
      std::string candidate =
          "127." + std::to_string(64 + number / 256 % 64) + "." + std::to_string(number % 256) + ".";
      bool free = true;
      for (unsigned i = 1; i <= 9 && free; ++i)
        for (const std::uint16_t port : {std::uint16_t{60000}, std::uint16_t{3306}})
          free = free && system::listen_on(candidate + std::to_string(i), port).has_value();
      if (free || attempt == 100) return candidate;
    }
  }();
  return prefix + std::to_string(node);
}

RealNodes::RealNodes(unsigned without_backup) : without_backup_(without_backup) {
  pump_.start();
  agent_ = std::make_unique<HttpAgent>(io_, pump_, Secret{kToken});
  for (unsigned number = 1; number <= 3; ++number) start_agent(number);
}

RealNodes::~RealNodes() {
  nodes_.clear();
  for (unsigned number = 1; number <= 3; ++number) {
    const pid_t pid = server(number);
    if (pid <= 0) continue;
    ::kill(pid, SIGKILL);
    system::wait_for_program(pid);
  }
  if (testing::Test::HasFailure() || std::getenv("DROVER_TEST_LOG") != nullptr) std::cerr << log_;
}

void RealNodes::start_agent(unsigned number) {
  agent::AgentSettings settings;
  settings.instance_id = identity(number);
  settings.address = address_of(number);
  settings.folder = folder(number);
  settings.template_folder = template_folder();
  if (number == without_backup_) settings.backup_program = "/nowhere/mariadb-backup";
  settings.token = Secret{kToken};
  settings.log = [this, number](const std::string& line) {
    const std::scoped_lock lock(mutex_);
    log_ += std::to_string(std::chrono::steady_clock::now().time_since_epoch() /
                           std::chrono::milliseconds(1) % 100000) +
            " node " + std::to_string(number) + ": " + line + "\n";
  };
  Node node;
  node.agent = std::make_unique<agent::NodeAgent>(settings);
  const auto opened = node.agent->open();
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  node.face = std::make_unique<agent::HttpFace>(*node.agent);
  const auto started = node.face->start();
  ASSERT_TRUE(started.has_value()) << started.error().message;
  nodes_[number] = std::move(node);
}

bool RealNodes::run_until(const std::function<bool()>& done, Duration limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  const auto work = asio::make_work_guard(io_);
  while (!done()) {
    if (std::chrono::steady_clock::now() >= until) return false;
    io_.run_one_for(std::chrono::milliseconds(50));
    io_.restart();
  }
  return true;
}

void RealNodes::freeze_server(unsigned number) {
  const pid_t pid = server(number);
  ::kill(pid, SIGSTOP);
  // The signal reaches every thread in its own time.
  const auto stopped = [pid] {
    std::error_code error;
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", error)) {
      std::ifstream file(task.path() / "stat");
      std::string text;
      std::getline(file, text);
      if (text.find(") T ") == std::string::npos) return false;
    }
    return !error;
  };
  EXPECT_TRUE(testing_support::eventually(stopped));
}

pid_t RealNodes::server(unsigned number) const {
  std::ifstream file(folder(number) + "/mysqld.pid");
  pid_t pid = -1;
  file >> pid;
  return pid > 1 && system::process_lives(pid) ? pid : -1;
}

}  // namespace drover::agent_test
