#include "manager/system/child_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace drover::system {
namespace {

constexpr int kNotStarted = 127;

// Between fork and exec of a process with threads: nothing here may allocate or lock.
[[noreturn]] void become(const char* path, char* const* arguments, const ProgramCall& call, int null,
                         pid_t parent) {
  const int wanted[] = {call.in < 0 ? null : call.in, call.out < 0 ? null : call.out,
                        call.err < 0 ? null : call.err};
  // Above the three standard ones first, so that none of them is overwritten before it is used.
  int high[3];
  for (int i = 0; i < 3; ++i) {
    high[i] = ::fcntl(wanted[i], F_DUPFD_CLOEXEC, 10);
    if (high[i] < 0) ::_exit(kNotStarted);
  }
  for (int i = 0; i < 3; ++i)
    if (::dup2(high[i], i) < 0) ::_exit(kNotStarted);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (call.is_server) {
    if (call.own_session)
      ::setsid();
    else
      ::signal(SIGINT, SIG_IGN);
  }
  const int death_signal = call.is_server ? call.death_signal : SIGKILL;
  if (death_signal != 0) {
    ::prctl(PR_SET_PDEATHSIG, death_signal);
    if (::getppid() != parent) ::_exit(kNotStarted);
  }
  ::execv(path, arguments);
  ::_exit(kNotStarted);
}

// Of /proc/PID/stat; state 0: there is no such process.
struct Stat {
  char state = 0;
  pid_t session = -1;
  std::uint64_t start_ticks = 0;
};

Stat stat_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  Stat stat;
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return stat;
  std::istringstream rest(text.substr(name_end + 1));
  pid_t parent = 0, group = 0;
  rest >> stat.state >> parent >> group >> stat.session;
  std::string skipped;
  for (int field = 7; field < 22; ++field) rest >> skipped;
  rest >> stat.start_ticks;
  return stat;
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos)
      found.push_back(static_cast<pid_t>(std::stol(name)));
  }
  return found;
}

}  // namespace

void Descriptor::close() {
  if (number_ >= 0) ::close(number_);
  number_ = -1;
}

Result<std::pair<Descriptor, Descriptor>> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return make_error(ErrorCode::unavailable, std::string("no pipe: ") + std::strerror(errno));
  return std::pair{Descriptor(ends[0]), Descriptor(ends[1])};
}

Result<Descriptor> open_to_append(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!file.is_open())
    return make_error(ErrorCode::storage, path + " cannot be written: " + std::strerror(errno));
  return file;
}

Result<Descriptor> open_to_read(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open())
    return make_error(ErrorCode::storage, path + " cannot be read: " + std::strerror(errno));
  return file;
}

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return ::access(name.c_str(), X_OK) == 0 ? name : "";
  const char* path = std::getenv("PATH");
  std::istringstream folders(std::string(path == nullptr ? "" : path) +
                             ":/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (folder.empty()) continue;
    const std::string full = folder + "/" + name;
    if (::access(full.c_str(), X_OK) == 0) return full;
  }
  return {};
}

Result<pid_t> start_program(const ProgramCall& call) {
  const std::string path = find_program(call.arguments.front());
  if (path.empty())
    return make_error(ErrorCode::not_found, call.arguments.front() +
                                                " is not installed on this node: apt-get install "
                                                "mariadb-server-core mariadb-client mariadb-backup");
  const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  std::vector<std::string> copies = call.arguments;
  std::vector<char*> arguments;
  for (std::string& copy : copies) arguments.push_back(copy.data());
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) become(path.c_str(), arguments.data(), call, null.get(), parent);
  if (pid < 0)
    return make_error(ErrorCode::unavailable, path + " cannot be started: " + std::strerror(errno));
  return pid;
}

int wait_for_program(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return kNotStarted;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Result<int> run_program(const ProgramCall& call) {
  DROVER_TRY(const pid_t pid, start_program(call));
  return wait_for_program(pid);
}

Result<Tool> Tool::start(const ProgramCall& call) {
  DROVER_TRY(const pid_t pid, start_program(call));
  return Tool(pid);
}

Tool::~Tool() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  wait_for_program(pid_);
}

int Tool::wait() { return wait_for_program(std::exchange(pid_, -1)); }

std::string tail_of_file(const std::string& path, std::size_t bytes) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {};
  const auto size = static_cast<std::size_t>(file.tellg());
  file.seekg(static_cast<std::streamoff>(size - std::min(size, bytes)));
  std::ostringstream text;
  text << file.rdbuf();
  std::string tail = text.str();
  while (tail.ends_with('\n')) tail.pop_back();
  std::replace(tail.begin(), tail.end(), '\n', '|');
  return tail;
}

bool process_lives(pid_t pid) {
  const char state = stat_of(pid).state;
  return state != 0 && state != 'Z' && state != 'X';
}

std::uint64_t start_ticks(pid_t pid) { return stat_of(pid).start_ticks; }

std::vector<pid_t> processes_of_session(pid_t session, bool with_zombies) {
  std::vector<pid_t> found;
  for (const pid_t pid : all_processes()) {
    const Stat stat = stat_of(pid);
    if (stat.state == 0 || stat.session != session) continue;
    if (with_zombies || (stat.state != 'Z' && stat.state != 'X')) found.push_back(pid);
  }
  return found;
}

std::vector<pid_t> processes_with(const std::string& text) {
  std::vector<pid_t> found;
  for (const pid_t pid : all_processes())
    if (command_line(pid).find(text) != std::string::npos) found.push_back(pid);
  return found;
}

std::string command_line(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  std::string line = text.str();
  std::replace(line.begin(), line.end(), '\0', ' ');
  return line;
}

Result<void> save_file(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".new";
  const auto fail = [&](const char* what) {
    return make_error(ErrorCode::storage, std::string(what) + " " + temporary + ": " + std::strerror(errno) +
                                              "; free space on this node's disk or replace the node");
  };
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return fail("cannot create");
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = ::write(file, text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const auto error = fail("cannot write");
      ::close(file);
      return error;
    }
    written += static_cast<std::size_t>(count);
  }
  const bool synced = ::fsync(file) == 0;
  if (::close(file) != 0 || !synced) return fail("cannot write");
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail("cannot rename");
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int directory = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    ::fsync(directory);
    ::close(directory);
  }
  return success();
}

}  // namespace drover::system
