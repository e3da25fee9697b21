// The agent of one node: carries out the commands of manager/ports/agent.hpp on a real mariadbd, one changing
// command after the other, reading ones at once. The simulated agent (mockcloud/node/agent.hpp) is the
// specification of its refusals and error codes; where it does better, that is said here:
// - A clone is complete before the present data is given up: what fails earlier changes nothing.
//
// Any thread; every call blocks until its command has ended.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>

#include "manager/agent/mariadb_server.hpp"
#include "manager/agent/server_process.hpp"
#include "manager/agent/state_file.hpp"
#include "manager/agent/transfer.hpp"

namespace drover::agent {

class NodeAgent {
 public:
  explicit NodeAgent(AgentSettings settings);
  NodeAgent(const NodeAgent&) = delete;
  NodeAgent& operator=(const NodeAgent&) = delete;

  // Reads the state, and starts a server that was meant to run. Errors: storage, invalid, not_found. A server
  // that does not start is no error: the manager sees it.
  Result<void> open();
  // Stops the server for good or until the agent comes back; it stays wanted.
  void close();

  // A LoadDump's path is that of a file on this node; one that is "" was missing on the manager's side.
  Result<AgentReply> carry_out(const AgentCommand& command);
  // For another agent that clones this node's server.
  Result<void> give_copy(CopyKind kind, const Transfer::Sink& sink);

  const AgentSettings& settings() const { return settings_; }
  bool server_runs() { return process_.running(); }
  std::string scratch_folder() const { return process_.temporary_folder(); }

 private:
  class Turn;  // of one changing command

  Result<void> begin(const AgentCommand& command);
  Result<void> perform(const AgentCommand& command, AgentReply& reply);
  Result<void> perform_reading(const AgentCommand& command, AgentReply& reply);
  Result<void> perform_on_users(const AgentCommand& command);
  Result<void> takes_changes();
  Result<AgentReply> answer(AgentReply reply, Duration patience);

  Result<void> start_server(std::uint32_t server_id);
  Result<void> stop_server();
  Result<void> set_up_primary(const SetUpPrimary& c);
  Result<void> set_up_replica(const SetUpReplica& c);
  Result<void> clone(const SetUpReplica& c);
  Result<void> clone_by_dump(const SetUpReplica& c);
  Result<void> begin_clone(std::uint32_t server_id);
  Result<void> finish_clone(const std::string& position);
  Result<void> await_connection(const SetUpReplica& c);
  Result<void> stop_replica(const StopReplica& c);
  Result<void> set_read_only(const SetReadOnly& c);
  bool may_fence(const SetReadOnly& c);
  Result<void> end_server(const std::string& why);
  Result<void> wait_for_gtid(const WaitForGtid& c);
  Result<void> load_dump(const LoadDump& c);
  Result<void> need_server();

  AgentState state();
  Result<void> admit(std::uint64_t epoch);
  // Changes the persisted state; on disk when it returns.
  Result<void> change_state(const std::function<Result<void>(AgentState&)>& change);

  const AgentSettings settings_;
  ServerProcess process_;
  MariaDbServer server_;
  Transfer transfer_;

  std::mutex mutex_;  // of all below
  AgentState state_;
  std::string version_;
  std::condition_variable turn_ended_;
  std::uint64_t next_ticket_ = 0;
  std::uint64_t now_serving_ = 0;
  std::string replication_password_;  // of the present source, as far as this process knows it
};

}  // namespace drover::agent
