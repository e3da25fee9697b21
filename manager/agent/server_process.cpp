#include "manager/agent/server_process.hpp"

#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "manager/agent/rules.hpp"
#include "manager/system/child_process.hpp"

namespace drover::agent {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kSocketPathMax = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::size_t kLogTail = 600;
constexpr Duration kLook = 5ms;

Error storage_error(const std::string& what, const std::error_code& error) {
  return make_error(ErrorCode::storage,
                    what + ": " + error.message() + "; free space on this node's disk or replace the node");
}

// Waits until the process has ended, child or not, or for `limit`.
bool wait_for_end(pid_t pid, Duration limit) {
  const auto until = Clock::now() + limit;
  const system::Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  while (system::process_lives(pid)) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return false;
    if (process.is_open()) {
      pollfd look{process.get(), POLLIN, 0};
      ::poll(&look, 1, static_cast<int>(left));
    } else {
      ::poll(nullptr, 0, 20);
    }
  }
  return true;
}

// A reflink or an ordinary copy of a whole folder.
Result<void> copy_folder(const std::string& from, const std::string& to) {
  DROVER_TRY(const int code, system::run_program({.arguments = {"cp", "-a", "--", from, to}}));
  if (code != 0)
    return make_error(ErrorCode::storage, "the data directory " + from + " cannot be copied to " + to);
  return success();
}

}  // namespace

Result<void> ServerProcess::open() {
  if (socket().size() > kSocketPathMax)
    return make_error(ErrorCode::invalid, "the folder " + settings_.folder +
                                              " has too long a path for a socket: choose one with at most " +
                                              std::to_string(kSocketPathMax - 12) + " bytes");
  std::error_code error;
  fs::create_directories(temporary_folder(), error);
  if (error) return storage_error(temporary_folder() + " cannot be made", error);
  fs::permissions(settings_.folder, fs::perms::owner_all, error);
  const passwd* entry = ::getpwuid(::geteuid());
  user_ = entry == nullptr ? "root" : entry->pw_name;
  fs::remove_all(settings_.folder + "/data.new", error);
  fs::remove_all(settings_.folder + "/data.old", error);
  adopt();
  return success();
}

// A server of ours that outlived its agent: the pid in its file, if that process has our configuration.
void ServerProcess::adopt() {
  std::ifstream file(settings_.folder + "/mysqld.pid");
  pid_t pid = -1;
  if (!(file >> pid) || pid <= 1 || !system::process_lives(pid)) return;
  if (system::command_line(pid).find(configuration_file()) == std::string::npos) return;
  const std::scoped_lock lock(mutex_);
  pid_ = pid;
  is_child_ = false;
}

bool ServerProcess::running() { return pid() > 0; }

bool ServerProcess::running_after(Duration moment) {
  const pid_t server = pid();
  return server > 0 && !wait_for_end(server, moment) && running();
}

pid_t ServerProcess::pid() {
  const std::scoped_lock lock(mutex_);
  if (pid_ <= 0) return -1;
  if (is_child_) {
    int status = 0;
    // Its first thread may have ended and others are just about to: then wait for them.
    if (::waitpid(pid_, &status, system::process_lives(pid_) ? WNOHANG : 0) == pid_) {
      settings_.log("the database server has ended (" +
                    (WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                         : "exit code " + std::to_string(WEXITSTATUS(status))) +
                    ")");
      pid_ = -1;
    }
  } else if (!system::process_lives(pid_)) {
    pid_ = -1;
  }
  return pid_;
}

system::Descriptor ServerProcess::connected_socket() const {
  system::Descriptor end(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un place{};
  place.sun_family = AF_UNIX;
  std::memcpy(place.sun_path, socket().c_str(), socket().size() + 1);
  if (::connect(end.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) != 0) end.close();
  return end;
}

bool ServerProcess::socket_answers() const { return connected_socket().is_open(); }

bool ServerProcess::greets(Duration patience) const {
  const system::Descriptor end = connected_socket();
  if (!end.is_open()) return false;
  pollfd greeting{end.get(), POLLIN, 0};
  return ::poll(&greeting, 1, static_cast<int>(patience / 1ms)) == 1;
}

Result<void> ServerProcess::write_configuration(const AgentState& state) {
  return system::save_file(configuration_file(), server_configuration(settings_, state, ::geteuid() == 0));
}

Result<void> ServerProcess::start(const AgentState& state) {
  if (running()) return success();
  if (!may_start_)
    return make_error(ErrorCode::unavailable, "the agent is ending", Effect::none, Retry::later);
  std::error_code error;
  if (!fs::exists(data_folder(), error)) {
    const std::string fresh = settings_.folder + "/data.new";
    DROVER_TRY(make_data(fresh));
    DROVER_TRY(swap_data(fresh));
  }
  DROVER_TRY(write_configuration(state));
  fs::remove(socket(), error);
  DROVER_TRY(const system::Descriptor log, system::open_to_append(log_file()));
  DROVER_TRY(const pid_t child,
             system::start_program({.arguments = {"mariadbd", "--defaults-file=" + configuration_file()},
                                    .out = log.get(),
                                    .err = log.get(),
                                    .is_server = true}));
  {
    const std::scoped_lock lock(mutex_);
    pid_ = child;
    is_child_ = true;
  }
  const auto until = Clock::now() + settings_.start_timeout;
  while (!socket_answers()) {
    if (!running())
      return make_error(ErrorCode::database, "1: the database server ended while it started: " +
                                                 system::tail_of_file(log_file(), kLogTail));
    if (Clock::now() > until) {
      (void)stop();
      return make_error(ErrorCode::timeout, "the database server did not accept connections within " +
                                                drover::to_text(settings_.start_timeout) + ": " +
                                                system::tail_of_file(log_file(), kLogTail));
    }
    ::poll(nullptr, 0, static_cast<int>(kLook / 1ms));
  }
  return success();
}

Result<void> ServerProcess::stop() {
  const pid_t server = pid();
  if (server <= 0) return success();
  ::kill(server, SIGTERM);
  ::kill(server, SIGCONT);
  if (!wait_for_end(server, settings_.stop_timeout)) {
    settings_.log("the database server does not end: killing it");
    return end_now();
  }
  (void)pid();  // reaps it
  return success();
}

Result<void> ServerProcess::end_now() {
  const pid_t server = pid();
  if (server <= 0) return success();
  ::kill(server, SIGKILL);
  if (!wait_for_end(server, settings_.stop_timeout))
    return make_error(ErrorCode::timeout, "the database server (process " + std::to_string(server) +
                                              ") cannot be ended: is its disk stuck?");
  (void)pid();  // reaps it
  return success();
}

Result<void> ServerProcess::make_data(const std::string& folder) {
  std::error_code error;
  if (!settings_.template_folder.empty() && fs::exists(settings_.template_folder, error))
    return copy_folder(settings_.template_folder, folder);
  DROVER_TRY(const system::Descriptor log, system::open_to_append(tool_log()));
  // A server that starts removes the temporary tables of every other one in the same tmpdir.
  DROVER_TRY(const int code,
             system::run_program(
                 {.arguments = {"mariadb-install-db", "--no-defaults", "--datadir=" + folder,
                                "--tmpdir=" + temporary_folder(), "--auth-root-authentication-method=socket",
                                "--auth-root-socket-user=" + user_, "--user=" + user_, "--skip-test-db",
                                "--skip-name-resolve", "--innodb-log-file-size=8M"},
                  .out = log.get(),
                  .err = log.get()}));
  if (code != 0)
    return make_error(ErrorCode::storage, "mariadb-install-db failed with exit code " + std::to_string(code) +
                                              ": " + system::tail_of_file(tool_log(), kLogTail));
  return success();
}

Result<void> ServerProcess::swap_data(const std::string& folder) {
  std::error_code error;
  const std::string old = settings_.folder + "/data.old";
  fs::remove_all(old, error);
  if (fs::exists(data_folder(), error)) fs::rename(data_folder(), old, error);
  if (!error) fs::rename(folder, data_folder(), error);
  if (error) return storage_error("the data directory cannot be replaced", error);
  fs::remove_all(old, error);
  return success();
}

Result<void> ServerProcess::wipe() {
  std::error_code error;
  fs::remove_all(data_folder(), error);
  if (error) return storage_error("the data directory cannot be emptied", error);
  return success();
}

}  // namespace drover::agent
