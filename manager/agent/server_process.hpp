// The mariadbd of this node as a process: its data directory, its configuration, its start and end. A server
// that outlived its agent is taken over by the pid in its file. Members may be called from any thread; those
// that change something by one thread at a time.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <mutex>
#include <string>

#include "manager/agent/settings.hpp"
#include "manager/agent/state_file.hpp"
#include "manager/system/child_process.hpp"

namespace drover::agent {

class ServerProcess {
 public:
  explicit ServerProcess(const AgentSettings& settings) : settings_(settings) {}
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  std::string data_folder() const { return settings_.folder + "/data"; }
  std::string socket() const { return settings_.folder + "/mysqld.sock"; }
  std::string configuration_file() const { return settings_.folder + "/mysqld.cnf"; }
  std::string log_file() const { return settings_.folder + "/mysqld.log"; }
  std::string tool_log() const { return settings_.folder + "/tools.log"; }
  std::string temporary_folder() const { return settings_.folder + "/tmp"; }
  // Who connects through the socket: the system's user, whom the server's superuser is named after.
  const std::string& user() const { return user_; }

  // Makes the folders and looks for a server that still runs. Errors: storage, invalid (a folder whose path
  // is too long for a socket).
  Result<void> open();

  // Reaps it when it has ended.
  bool running();
  // Whether it still runs after `moment`, or false as soon as it has ended.
  bool running_after(Duration moment);
  pid_t pid();
  // Whether a new connection is greeted within `patience`: what a hung server does not do.
  bool greets(Duration patience) const;
  // Writes the configuration, makes a data directory when there is none, starts and waits until the socket
  // answers. Errors: storage, not_found (no mariadbd), database (it ended; the end of its log), timeout.
  Result<void> start(const AgentState& state);
  // From now on start() fails: the agent ends.
  void forbid_start() { may_start_ = false; }
  // Asks it to end and waits; kills it after the configured time. Also when it is stopped by a signal.
  Result<void> stop();
  // Ends it at once, also when it is stopped by a signal: SIGKILL. Errors: timeout.
  Result<void> end_now();

  Result<void> write_configuration(const AgentState& state);
  // An empty data directory in `folder`, which must not exist.
  Result<void> make_data(const std::string& folder);
  // Takes the place of the data; the server must be down. The former data is deleted.
  Result<void> swap_data(const std::string& folder);
  Result<void> wipe();

 private:
  void adopt();
  bool socket_answers() const;
  system::Descriptor connected_socket() const;

  const AgentSettings& settings_;
  std::string user_;
  std::atomic<bool> may_start_ = true;
  std::mutex mutex_;
  pid_t pid_ = -1;
  bool is_child_ = false;
};

}  // namespace drover::agent
