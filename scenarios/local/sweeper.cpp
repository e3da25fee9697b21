#include "scenarios/local/sweeper.hpp"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

namespace drover::scenario {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "drover-stage-";
constexpr std::chrono::seconds kPatience{20};
constexpr std::size_t kLeadersMin = 8;

void wait_for_other_end(int descriptor) {
  char byte = 0;
  while (true) {
    const auto count = ::read(descriptor, &byte, 1);
    if (count == 0 || (count < 0 && errno != EINTR)) break;
  }
}

std::vector<pid_t> processes_of_sessions(const std::string& leaders) {
  std::vector<pid_t> found;
  for (const pid_t pid : system::processes_with(leaders)) {
    if (pid == ::getpid()) continue;
    const auto session = system::processes_of_session(pid, false);
    found.insert(found.end(), session.begin(), session.end());
  }
  return found;
}

// Until `find` finds nobody.
template <class Find>
Result<void> kill_all(const std::string& whose, Find find) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  for (auto left = find(); !left.empty(); left = find()) {
    if (std::chrono::steady_clock::now() > until)
      return make_error(ErrorCode::unavailable,
                        std::to_string(left.size()) + " processes of " + whose + " do not end");
    for (const pid_t pid : left) ::kill(pid, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return success();
}

}  // namespace

Result<std::string> make_stage_folder() {
  std::error_code error;
  std::string name = fs::temp_directory_path(error).string() + "/" + kPrefix;
  name += "XXXXXX";
  if (::mkdtemp(name.data()) == nullptr)
    return make_error(ErrorCode::unavailable,
                      name + " cannot be made: set TMPDIR to a folder that may be written to");
  return name;
}

// By "/" or a blank after the folder's name: not those of a folder whose name only begins so.
std::vector<pid_t> processes_of_folder(const std::string& folder) {
  std::vector<pid_t> found;
  for (const pid_t pid : system::processes_with(folder + "/"))
    if (pid != ::getpid()) found.push_back(pid);
  return found;
}

Result<void> sweep(const std::string& folder) {
  DROVER_TRY(kill_all(folder, [&] { return processes_of_folder(folder); }));
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) return make_error(ErrorCode::unavailable, folder + " cannot be deleted: " + error.message());
  return success();
}

Result<void> wait_and_sweep(int descriptor, const std::string& folder) {
  if (!fs::path(folder).filename().string().starts_with(kPrefix))
    return make_error(ErrorCode::invalid, folder + " is no folder of drover run --world local");
  wait_for_other_end(descriptor);
  return sweep(folder);
}

Result<void> end_sessions(const std::string& leaders) {
  return kill_all("\"" + leaders + "\"", [&] { return processes_of_sessions(leaders); });
}

Result<void> wait_and_end_sessions(int descriptor, const std::string& leaders) {
  if (leaders.size() < kLeadersMin || !leaders.starts_with('/'))
    return make_error(ErrorCode::invalid, "\"" + leaders + "\" does not begin with a program's path");
  wait_for_other_end(descriptor);
  return end_sessions(leaders);
}

Result<Sweeper> Sweeper::start(const std::string& program, const std::string& folder) {
  return start_with(program, {folder});
}

Result<Sweeper> Sweeper::start_for_sessions(const std::string& program, const std::string& leaders) {
  return start_with(program, {"--sessions", leaders});
}

Result<Sweeper> Sweeper::start_with(const std::string& program, std::vector<std::string> arguments) {
  DROVER_TRY(auto ends, system::make_pipe());
  system::ProgramCall call;
  call.arguments = {program, "sweep"};
  call.arguments.insert(call.arguments.end(), arguments.begin(), arguments.end());
  call.in = ends.first.get();
  call.is_server = true;
  call.own_session = true;
  DROVER_TRY(const pid_t pid, system::start_program(call));
  return Sweeper(pid, std::move(ends.second));
}

Sweeper::Sweeper(Sweeper&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), end_(std::move(other.end_)) {}

Sweeper::~Sweeper() {
  if (pid_ < 0) return;
  end_.close();
  (void)system::wait_for_program(pid_);
}

}  // namespace drover::scenario
