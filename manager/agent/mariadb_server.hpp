// What the agent asks of its running server in SQL: state, replication, read_only, users. Every call takes a
// connection from a small stock; any thread. All errors are the port's: database with the server's number, or
// 2013 for a server that runs and does not answer in time.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "manager/agent/database.hpp"
#include "manager/agent/settings.hpp"

namespace drover::agent {

class MariaDbServer {
 public:
  MariaDbServer(const AgentSettings& settings, Connection::Place place);
  // Before the first call.
  void set_place(Connection::Place place) { place_ = std::move(place); }

  // A call's connection: goes back to the stock, unless it was lost.
  class Lease {
   public:
    Lease(MariaDbServer& owner, std::unique_ptr<Connection> connection)
        : owner_(&owner), connection_(std::move(connection)) {}
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (connection_ && !connection_->lost()) owner_->put_back(std::move(connection_));
    }
    Connection* operator->() { return connection_.get(); }

   private:
    MariaDbServer* owner_;
    std::unique_ptr<Connection> connection_;
  };
  Result<Lease> connect() { return connect(settings_.server_timeout); }
  Result<Lease> connect(Duration patience);
  // Whether one is in the stock, open since an earlier call.
  bool has_connection();
  // The server ended or was replaced: connections of before are of no use.
  void forget_connections();

  // Fills what the server itself tells; the agent's part is the caller's. A server that does not answer at
  // all within `patience` counts as hung.
  Result<void> read_state(ServerState& state, Duration patience);
  Result<bool> is_read_only(Duration patience);
  Result<ReplicationState> replication();
  Result<void> set_server_id(std::uint32_t server_id);

  // The fence: read_only is on, and nobody who was connected can write any more. Off: read_only alone. Each
  // statement may take `patience`.
  Result<void> set_read_only(bool on, Duration patience);
  // Stops replication and forgets the source; discards an unapplied relay log.
  Result<void> forget_source();
  Result<void> set_semi_sync(bool primary, bool replica);
  // Replication from the command's source: by GTID, or by file and position when it names one.
  // `keep_data`: the own binlog's position counts as replicated (a former primary).
  Result<void> replicate_from(const SetUpReplica& command, bool keep_data);
  // Whether it runs already, exactly so. The password is not compared.
  Result<bool> replicates_from(const SetUpReplica& command);
  Result<void> restart_io_thread();
  Result<std::string> current_position();
  Result<std::string> applied_position();
  Result<void> set_slave_position(const std::string& gtid);
  // Whether `gtid` was applied within `limit`.
  Result<bool> wait_for_gtid(const std::string& gtid, Duration limit);

  Result<std::vector<DatabaseUser>> users();
  Result<void> set_user(const std::string& name, const Secret& password, bool for_replication);
  Result<void> set_password(const std::string& name, const Secret& password);
  Result<void> delete_user(const std::string& name);
  // Statements that make the users of users() again, passwords as hashes.
  Result<std::string> dump_users();
  Result<std::vector<std::string>> databases();  // but those of the server itself

 private:
  void put_back(std::unique_ptr<Connection> connection);
  Result<std::unique_ptr<Connection>> open(Duration timeout);
  Result<void> read_variables(Lease& server, ServerState& state);
  Result<void> kill_clients(Connection& connection);

  const AgentSettings& settings_;
  Connection::Place place_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> stock_;
};

}  // namespace drover::agent
