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
  const auto until = std::chrono::steady_clock::now() + kPatience;
  for (auto left = processes_of_folder(folder); !left.empty(); left = processes_of_folder(folder)) {
    if (std::chrono::steady_clock::now() > until)
      return make_error(ErrorCode::unavailable,
                        std::to_string(left.size()) + " processes of " + folder + " do not end");
    for (const pid_t pid : left) ::kill(pid, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) return make_error(ErrorCode::unavailable, folder + " cannot be deleted: " + error.message());
  return success();
}

Result<void> wait_and_sweep(int descriptor, const std::string& folder) {
  if (!fs::path(folder).filename().string().starts_with(kPrefix))
    return make_error(ErrorCode::invalid, folder + " is no folder of drover run --world local");
  char byte = 0;
  while (true) {
    const auto count = ::read(descriptor, &byte, 1);
    if (count == 0 || (count < 0 && errno != EINTR)) break;
  }
  return sweep(folder);
}

Result<Sweeper> Sweeper::start(const std::string& program, const std::string& folder) {
  DROVER_TRY(auto ends, system::make_pipe());
  system::ProgramCall call;
  call.arguments = {program, "sweep", folder};
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
