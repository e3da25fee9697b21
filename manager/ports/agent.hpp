// The Agent port: what the manager asks of the agent on a node. One entry point with a typed command, so that
// decorators (faults, recording) wrap every call alike.
//
// Contract (tests/contract/agent_contract.hpp):
// - Every command is idempotent: repeating it with the same arguments leaves the same state.
// - A command with an epoch below the highest one the agent has seen is refused with wrong_state (fencing).
// - Every command carries its manager's generation (see Store). The agent keeps the highest it has seen, and
//   refuses with ErrorCode::fenced a command that could change something and has a lower one. 0 is the
//   lowest.
// - A reply carries the server's state as it is after the command.
// - Errors of the database server come as ErrorCode::database with the server's error number in the message.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "manager/ports/iaas.hpp"
#include "manager/runtime/task.hpp"

namespace drover {

struct Endpoint {
  std::string address;
  std::uint16_t port = 60000;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// A secret in transit: never printed, traced or journaled in clear.
struct Secret {
  std::string value;
  friend bool operator==(const Secret&, const Secret&) = default;
};

enum class Role : unsigned char { none, primary, replica };
const char* to_text(Role role);

// The commands. Those that change replication carry the topology epoch; `generation` is set_generation's.
struct GetServerState {
  std::uint64_t generation = 0;
  // How long the server may take for its first answer before it counts as hung (ErrorCode::database, 2013);
  // 0: as the agent was configured.
  Duration patience{0};
};
struct StartServer {
  std::uint32_t server_id = 0;
  std::uint64_t generation = 0;
};
struct StopServer {
  std::uint64_t generation = 0;
};
struct RestartServer {
  std::uint64_t generation = 0;
};
struct SetUpPrimary {
  std::uint64_t epoch = 0;
  std::uint32_t server_id = 0;
  bool semi_sync = false;
  std::string replication_user;
  Secret replication_password;
  std::uint64_t generation = 0;
};
struct SetUpReplica {
  std::uint64_t epoch = 0;
  std::uint32_t server_id = 0;
  Endpoint source;  // the agent endpoint of the source; the server's port is source_port
  std::uint16_t source_port = 3306;
  bool clone = true;  // take the source's data first (a fresh node), or keep the own data (a former member)
  bool semi_sync = false;
  std::string replication_user;
  Secret replication_password;
  std::string log_file;  // the documented five-parameter form: file and position; "" means GTID
  std::uint64_t log_position = 0;
  std::uint64_t generation = 0;
};
struct StopReplica {  // stops replication and forgets the source; the relay log must have been drained
  std::uint64_t epoch = 0;
  std::uint64_t generation = 0;
};
struct SetReadOnly {
  std::uint64_t epoch = 0;
  bool read_only = true;
  std::uint64_t generation = 0;
  bool force =
      false;  // with read_only: a server that does not do it within about a second is ended (SIGKILL)
};
// Answers when `gtid` has been applied, or fails with timeout after `limit`. What the server wrote itself
// does not count.
struct WaitForGtid {
  std::uint64_t epoch = 0;
  std::string gtid;
  Duration limit{30s};
  std::uint64_t generation = 0;
};
struct GetUsers {
  std::uint64_t generation = 0;
};
struct ConfigureUser {
  std::string username;
  Secret password;
  std::uint64_t generation = 0;
};
struct DeleteUser {
  std::string username;
  std::uint64_t generation = 0;
};
struct SetPassword {
  std::string username;
  Secret password;
  std::uint64_t generation = 0;
};
struct TakeDump {
  std::uint64_t generation = 0;
};
struct LoadDump {
  std::string path;  // of the dump on the manager's side
  std::uint64_t generation = 0;
};

using AgentCommand = std::variant<GetServerState, StartServer, StopServer, RestartServer, SetUpPrimary,
                                  SetUpReplica, StopReplica, SetReadOnly, WaitForGtid, GetUsers,
                                  ConfigureUser, DeleteUser, SetPassword, TakeDump, LoadDump>;

// The manager that gives the command.
void set_generation(AgentCommand& command, std::uint64_t generation);
std::uint64_t generation_of(const AgentCommand& command);
// Whether the command can change nothing: it is carried out for any manager.
bool is_reading(const AgentCommand& command);

// The documented name of a command: "get_server_state", "set_up_replica_slave", …; used in traces and fault
// rules.
const char* agent_method(const AgentCommand& command);

enum class ThreadState : unsigned char { no, preparing, connecting, yes };
const char* to_text(ThreadState state);

struct ReplicationState {
  bool configured = false;
  std::string source_address;
  std::uint16_t source_port = 0;
  ThreadState io = ThreadState::no;
  bool sql_running = false;
  int io_errno = 0;
  int sql_errno = 0;
  std::string last_error;
  std::string gtid_io_pos;
  std::int64_t seconds_behind = -1;  // -1 is NULL
  // Of whom it was last connected to since its server's start (Master_Server_Id); 0: of nobody.
  std::uint32_t source_server_id = 0;
};

struct ServerState {
  std::string instance_id;  // who the agent says it is: guards against reused addresses
  bool running = false;     // the database server
  std::string version;
  std::uint32_t server_id = 0;
  bool read_only = true;
  std::uint64_t epoch = 0;       // highest seen by the agent
  std::uint64_t generation = 0;  // highest seen by the agent
  Role role = Role::none;
  std::string gtid_binlog_pos;
  std::string gtid_slave_pos;
  std::string gtid_current_pos;
  bool semi_sync_active = false;
  std::string binlog_file;
  std::uint64_t binlog_position = 0;
  ReplicationState replication;
  std::uint16_t mysqld_port = 3306;
  // Since the server's start: what clients asked (neither the agent nor replicas), refused logins and broken
  // connections, and how long those queries took, all together.
  std::uint64_t queries = 0;
  std::uint64_t errors = 0;
  Duration busy{0};
  double load = 0;
};

struct DatabaseUser {
  std::string username;
  std::string location;
};

struct AgentReply {
  ServerState state;
  std::vector<DatabaseUser> users;  // GetUsers
  std::string dump;                 // TakeDump
};

class Agent {
 public:
  virtual ~Agent() = default;
  virtual void call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
                    Handler<AgentReply> handler) = 0;
};

}  // namespace drover
