#include "manager/agent/child_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace drover::agent {
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
    ::signal(SIGINT, SIG_IGN);
  } else {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(kNotStarted);
  }
  ::execv(path, arguments);
  ::_exit(kNotStarted);
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

}  // namespace drover::agent
