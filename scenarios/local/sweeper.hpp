// Leaves nothing behind: whatever ends `drover run` (SIGKILL too), a process of its own then ends every
// process of its folder, and deletes the folder.
#pragma once

#include <sys/types.h>

#include <string>

#include "manager/system/child_process.hpp"

namespace drover::scenario {

// Starts `program sweep FOLDER` in a session of its own; it waits for the end of this process. While this
// lives. Errors: unavailable.
class Sweeper {
 public:
  static Result<Sweeper> start(const std::string& program, const std::string& folder);
  // The same for sessions (end_sessions) instead of a folder; their data stays.
  static Result<Sweeper> start_for_sessions(const std::string& program, const std::string& leaders);
  // Has it sweep now, and waits.
  ~Sweeper();
  Sweeper(Sweeper&& other) noexcept;
  Sweeper& operator=(Sweeper&&) = delete;
  Sweeper(const Sweeper&) = delete;
  Sweeper& operator=(const Sweeper&) = delete;

 private:
  static Result<Sweeper> start_with(const std::string& program, std::vector<std::string> arguments);
  Sweeper(pid_t pid, system::Descriptor end) : pid_(pid), end_(std::move(end)) {}
  pid_t pid_;
  system::Descriptor end_;
};

// What the process does: waits until `descriptor` is closed at its other end, then sweeps. The folder must be
// one that make_stage_folder() made. Errors: invalid (another folder), unavailable (something is left).
Result<void> wait_and_sweep(int descriptor, const std::string& folder);
// Waits in the same way, then ends the sessions. Errors: invalid (a text that could mean anything),
// unavailable.
Result<void> wait_and_end_sessions(int descriptor, const std::string& leaders);
// Ends every process of the sessions whose leader's command line contains the text. Errors: unavailable
// (something is left).
Result<void> end_sessions(const std::string& leaders);
// Ends all processes whose command line names the folder, and deletes it.
Result<void> sweep(const std::string& folder);
// The processes that belong to a folder.
std::vector<pid_t> processes_of_folder(const std::string& folder);

// A fresh one in the system's folder for temporary files. Errors: unavailable.
Result<std::string> make_stage_folder();

}  // namespace drover::scenario
