// The machine under us, for what runs on it for real (the agent of a node, the local cloud): programs and
// files. Any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "manager/base/result.hpp"

namespace drover::system {

// A file descriptor that is closed with its owner.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      close();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  void close();

 private:
  int number_;
};

// Both ends close on exec. Errors: unavailable.
Result<std::pair<Descriptor, Descriptor>> make_pipe();  // to read from, to write to
// Errors: storage.
Result<Descriptor> open_to_append(const std::string& path);
Result<Descriptor> open_to_read(const std::string& path);

// Where a program is: in PATH or the folders of system programs; "" when it is not installed.
std::string find_program(const std::string& name);

struct ProgramCall {
  std::vector<std::string> arguments;  // the first is the program's name or path; never a secret
  int in = -1;                         // -1: /dev/null
  int out = -1;
  int err = -1;
  // A server outlives its agent and takes no Ctrl-C; a tool ends with the thread that started it.
  bool is_server = false;
  // A server in a session of its own: all that it starts can be found by its pid.
  bool own_session = false;
  // A server that gets this signal when the thread that started it ends; 0: none.
  int death_signal = 0;
};

// Errors: not_found (not installed), unavailable.
Result<pid_t> start_program(const ProgramCall& call);
// Waits for the end of a child: its exit code, or 128 + the signal's number.
int wait_for_program(pid_t pid);
// Starts and waits. Errors: as start_program.
Result<int> run_program(const ProgramCall& call);

// Starts a tool, and kills and reaps it unless wait() was called.
class Tool {
 public:
  static Result<Tool> start(const ProgramCall& call);
  ~Tool();
  Tool(Tool&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Tool(const Tool&) = delete;
  Tool& operator=(const Tool&) = delete;
  Tool& operator=(Tool&&) = delete;
  int wait();

 private:
  explicit Tool(pid_t pid) : pid_(pid) {}
  pid_t pid_;
};

// Whether the process exists and is no zombie.
bool process_lives(pid_t pid);

// When the process was started, in the kernel's ticks since its boot; 0: there is none. With the pid it names
// a process for good.
std::uint64_t start_ticks(pid_t pid);
// The processes of a session; zombies only when asked for.
std::vector<pid_t> processes_of_session(pid_t session, bool with_zombies);
// The processes whose command line (as command_line gives it) contains `text`.
std::vector<pid_t> processes_with(const std::string& text);
// Its program and arguments, separated by blanks; "" when there is none.
std::string command_line(pid_t pid);

// Whole or not at all, and on disk when it returns (temporary file, fsync, rename, fsync of the folder).
// Errors: storage; the file is the old one or the new one.
Result<void> save_file(const std::string& path, const std::string& text);

// The last lines of a log, at most `bytes`, for an error's message; "" when there is none.
std::string tail_of_file(const std::string& path, std::size_t bytes);

}  // namespace drover::system
