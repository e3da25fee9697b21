// The truth about the real servers of a run: asked over the socket of each, past the manager and the agents.
// One thread of its own asks; answers come back through the callback, on that thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "manager/agent/database.hpp"
#include "scenarios/local/writers.hpp"

namespace drover::scenario {

struct ServerPlace {
  std::string vm;
  std::string folder;  // of the VM
  std::string address;
};

// What one server is and does now.
struct ServerView {
  std::string vm;
  bool answers = false;
  bool read_only = true;
  std::uint32_t server_id = 0;
  ReplicationState replication;
  GtidPosition applied;                          // gtid_slave_pos
  GtidPosition logged;                           // gtid_binlog_pos
  std::map<std::string, std::string> checksums;  // by table, when asked for
  bool takes_writes() const { return answers && !read_only; }
  bool replicates() const {
    return answers && replication.configured && replication.io == ThreadState::yes && replication.sql_running;
  }
};

struct Sight {
  std::vector<ServerView> servers;  // in the order asked for
  // More than one server took writes at the same moment: each of these did so before and after another one.
  std::vector<std::string> writable_at_once;
  // What the server `written` holds of the writers' rows; nothing when it was not asked or does not answer.
  std::optional<std::vector<WrittenRow>> written;

  const ServerView* of(const std::string& vm) const;
};

struct SightWanted {
  std::vector<ServerPlace> servers;
  std::string written;     // the VM whose rows are wanted; "" none
  bool checksums = false;  // of all tables of users
};

class RealServers {
 public:
  explicit RealServers(std::string user);
  ~RealServers();
  RealServers(const RealServers&) = delete;
  RealServers& operator=(const RealServers&) = delete;

  // `done` is called on the thread of this class, in the order of the calls; never after the end.
  void look(SightWanted wanted, std::function<void(Sight)> done);
  // A statement of the server's superuser, on the caller's thread; no row of its binary log unless `logged`.
  Result<void> run(const ServerPlace& server, const std::vector<std::string>& statements, bool logged) const;
  Result<std::vector<agent::NamedRow>> ask(const ServerPlace& server, const std::string& statement) const;

 private:
  void work();
  Sight see(const SightWanted& wanted);
  ServerView see_one(const ServerPlace& server, bool checksums);
  Result<void> fill(agent::Connection& connection, ServerView& view);
  void add_checksums(agent::Connection& connection, ServerView& view);
  agent::Connection* connection_to(const ServerPlace& server);
  void see_twice(const SightWanted& wanted, Sight& sight);

  const std::string user_;
  std::map<std::string, std::unique_ptr<agent::Connection>> connections_;  // by VM; the thread's own
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<SightWanted, std::function<void(Sight)>>> wanted_;
  bool ending_ = false;
  std::thread thread_;
};

// The pid of a VM's mariadbd, or nothing; and whether it stands still (SIGSTOP).
std::optional<pid_t> server_pid(const std::string& vm_folder);
bool stands_still(pid_t pid);

}  // namespace drover::scenario
