// The real drover binary as a child process, for tests of what it does over sockets. Killed and reaped in the
// destructor, and by the kernel when the test dies. Every wait is bounded. One thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/http_client.hpp"

namespace drover::testing_support {

// Long enough for a loaded machine and a sanitizer; nothing waits that long when all is well.
inline constexpr std::chrono::seconds kPatience{120};

// A folder of its own below the system's, removed at the end.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  // Writes a file there and gives its path.
  std::string write(const std::string& name, const std::string& content) const;

 private:
  std::filesystem::path folder_;
};

class DroverProcess {
 public:
  // Starts `drover ARGUMENTS...`; stdout and stderr go to files.
  explicit DroverProcess(const std::vector<std::string>& arguments);
  ~DroverProcess();
  DroverProcess(const DroverProcess&) = delete;
  DroverProcess& operator=(const DroverProcess&) = delete;

  // Starts `drover serve --listen 127.0.0.1:0 …`; port() is known once it listens. 0: it ended before.
  std::uint16_t wait_until_listening();
  std::uint16_t port() const { return port_; }

  void send_signal(int number) const;
  // The exit code, 128 + the signal's number, or -1 when it still runs after the time.
  int wait(std::chrono::seconds patience = kPatience);
  bool running();

  std::string out() const;
  std::string err() const;
  // Memory of the process now, in MiB.
  std::size_t resident_mib() const;

 private:
  ScratchFolder folder_;
  pid_t pid_ = -1;
  int status_ = -1;
  std::uint16_t port_ = 0;
};

// Runs `drover ARGUMENTS...` to its end.
struct Outcome {
  int exit_code = -1;
  std::string out;
  std::string err;
};
Outcome run_drover(const std::vector<std::string>& arguments);

// One call over a connection of its own; the parsed envelope, or null when no JSON came back.
nlohmann::json call_api(std::uint16_t port, const std::string& verb, const std::string& method,
                        const nlohmann::json& params = nlohmann::json::object());

// Calls `condition` again and again until it is true; false after kPatience.
template <class Condition>
bool eventually(Condition condition) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

// Whether the service comes to have so many RUNNING nodes and nothing under way.
bool settles_with_nodes(std::uint16_t port, std::size_t count);

}  // namespace drover::testing_support
