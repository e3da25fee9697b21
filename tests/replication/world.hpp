// One vocabulary for replication among three database servers, spoken by real servers (real_world.hpp) and by
// simulated ones (simulated_world.hpp); the cases of cases.hpp are told in it. Servers are numbered from 1,
// which is their server_id too. Every server starts empty, read-only, with the account "repl"; no statement
// of its set-up is in a binary log.
#pragma once

#include <map>
#include <string>

#include "manager/base/time.hpp"
#include "manager/ports/agent.hpp"

namespace drover::replication_test {

inline constexpr const char* kPassword = "s3cret-repl";

// Whose connection a write comes from.
enum class Account : unsigned char {
  application,  // the privileges that the agent gives to users
  super,        // SUPER as well
  admin,        // READ ONLY ADMIN as well
};

// CHANGE MASTER. What is left out stays as it is.
struct Source {
  unsigned server = 0;
  const char* password = kPassword;
  enum class By : unsigned char { gtid, gtid_and_own_binlog, file } by = By::gtid;
};

// What is seen of one server, by name: running, replica, source, io, sql, io_errno, sql_errno, error (its
// shape), using_gtid, io_pos, behind (NULL or number), slave_pos, current_pos, binlog_pos, read_only,
// semi_sync. A server that is down shows nothing but running=0.
using Observation = std::map<std::string, std::string>;

// Statements answer the server's error number, 0 when they succeeded.
class World {
 public:
  virtual ~World() = default;

  virtual void start_server(unsigned server, bool skip_slave_start = false) = 0;
  virtual void stop_server(unsigned server) = 0;
  virtual void kill_server(unsigned server) = 0;             // SIGKILL
  virtual void hang_server(unsigned server, bool hung) = 0;  // SIGSTOP, SIGCONT

  virtual unsigned change_master(unsigned server, const Source& source) = 0;
  virtual unsigned start_slave(unsigned server, bool io = true, bool sql = true) = 0;
  virtual unsigned stop_slave(unsigned server, bool io = true, bool sql = true) = 0;
  virtual unsigned reset_slave(unsigned server, bool all) = 0;
  virtual unsigned reset_master(unsigned server) = 0;
  virtual unsigned set_slave_position(unsigned server, const std::string& gtid) = 0;
  virtual unsigned skip_transaction(unsigned server) = 0;
  virtual unsigned purge_binlogs(unsigned server) = 0;
  virtual unsigned set_server_id(unsigned server, unsigned id) = 0;
  virtual unsigned set_read_only(unsigned server, bool on) = 0;
  virtual unsigned set_semi_sync(unsigned server, bool primary, bool replica) = 0;

  // One transaction of a client.
  virtual unsigned write(unsigned server, Account account = Account::application) = 0;
  // The row that the next write makes is there already on this server, or the row that the next change of the
  // last one needs is not (1062, 1032); and a change of the last row.
  virtual void plant_conflict(unsigned server, int number) = 0;
  virtual unsigned rewrite(unsigned server) = 0;
  // The SQL thread cannot go on, or can again, without an error.
  virtual void hold_back(unsigned server, bool held) = 0;
  // The account "repl" is gone from a server, or back.
  virtual void admit_replicas(unsigned server, bool admitted) = 0;
  // The server takes no new connection (1040), or does again.
  virtual void exhaust_connections(unsigned server, bool exhausted) = 0;
  // The connection of its I/O thread breaks.
  virtual void cut_connection(unsigned server) = 0;

  virtual Observation look(unsigned server) = 0;
  // Lets time pass.
  virtual void pass(Duration time) = 0;
};

// A message without what is different from server to server: numbers are "#", a table is "T", a host "H".
std::string shape_of(const std::string& message);
// What the agent tells of replication.
void show_replication(Observation& seen, const ReplicationState& state);

}  // namespace drover::replication_test
