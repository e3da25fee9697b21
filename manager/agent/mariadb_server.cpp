// Connections, state, and read_only.
#include "manager/agent/mariadb_server.hpp"

#include <charconv>
#include <cstdlib>

namespace drover::agent {
namespace {

constexpr std::size_t kStockMax = 4;
constexpr int kLockWaitTimeout = 1205;
constexpr int kNoSuchThread = 1094;
constexpr unsigned kFenceAttempts = 5;

// Without those that may read the binary log (access bit 19): the agent itself, and replicas, whose one
// statement lasts as long as they are connected. Status variables such as Questions count everybody.
constexpr const char* kClientStatistics =
    "SELECT COALESCE(SUM(SELECT_COMMANDS + UPDATE_COMMANDS + OTHER_COMMANDS), 0) AS queries, "
    "ROUND(COALESCE(SUM(BUSY_TIME), 0) * 1e6) AS busy_us FROM information_schema.USER_STATISTICS s "
    "WHERE NOT EXISTS (SELECT 1 FROM mysql.global_priv p WHERE p.User = s.USER AND "
    "(CAST(COALESCE(JSON_VALUE(p.Priv, '$.access'), 0) AS UNSIGNED) & (1 << 19)) <> 0)";

std::string text_of(const NamedRow& row, const char* column) {
  const auto found = row.find(column);
  return found == row.end() ? std::string() : found->second;
}

std::uint64_t number_of(const NamedRow& row, const char* column) {
  const std::string text = text_of(row, column);
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

MariaDbServer::MariaDbServer(const AgentSettings& settings, Connection::Place place)
    : settings_(settings), place_(std::move(place)) {}

Result<std::unique_ptr<Connection>> MariaDbServer::open(Duration timeout) {
  auto opened = Connection::open(place_, std::min(timeout, settings_.server_timeout), timeout);
  if (opened.has_value()) return opened;
  const int number = database_number(opened.error());
  if (number == 2002 || number == 2013 || number == 2006)
    return make_error(ErrorCode::database, "2013: The database server of " + settings_.instance_id +
                                               " is running but does not "
                                               "answer");
  return std::move(opened).error();
}

Result<MariaDbServer::Lease> MariaDbServer::connect(Duration patience) {
  std::unique_ptr<Connection> idle;
  {
    const std::scoped_lock lock(mutex_);
    if (!stock_.empty()) {
      idle = std::move(stock_.back());
      stock_.pop_back();
    }
  }
  if (!idle) {
    DROVER_TRY(idle, open(patience));
  }
  return Lease(*this, std::move(idle));
}

void MariaDbServer::put_back(std::unique_ptr<Connection> connection) {
  const std::scoped_lock lock(mutex_);
  if (stock_.size() < kStockMax) stock_.push_back(std::move(connection));
}

bool MariaDbServer::has_connection() {
  const std::scoped_lock lock(mutex_);
  return !stock_.empty();
}

void MariaDbServer::forget_connections() {
  std::vector<std::unique_ptr<Connection>> old;
  const std::scoped_lock lock(mutex_);
  old.swap(stock_);
}

Result<void> MariaDbServer::read_state(ServerState& state, Duration patience) {
  DROVER_TRY(auto server, connect(patience));
  DROVER_TRY(server->check_alive(patience));
  auto read = read_variables(server, state);
  if (read.has_value() || database_number(read.error()) != 2013) return read;
  // It is not hung. A commit that waits for a semi-sync acknowledgement may hold the lock of the binary log,
  // which these questions need.
  return make_error(ErrorCode::database, "1205: The database server of " + settings_.instance_id +
                                             " answers, but its state cannot be read now");
}

Result<bool> MariaDbServer::is_read_only(Duration patience) {
  DROVER_TRY(auto server, connect(patience));
  DROVER_TRY(const auto rows, server->ask("SELECT @@read_only AS read_only"));
  return !rows.empty() && number_of(rows.front(), "read_only") != 0;
}

Result<void> MariaDbServer::read_variables(Lease& server, ServerState& state) {
  DROVER_TRY(const auto rows,
             server->ask("SELECT @@server_id AS server_id, @@read_only AS read_only, "
                         "@@version AS version, @@gtid_binlog_pos AS binlog_pos, "
                         "@@gtid_slave_pos AS slave_pos, @@gtid_current_pos AS current_pos"));
  DROVER_TRY(const auto slave, server->ask("SHOW SLAVE STATUS"));
  DROVER_TRY(const auto master, server->ask("SHOW MASTER STATUS"));
  DROVER_TRY(const auto counters,
             server->ask("SHOW GLOBAL STATUS WHERE Variable_name IN ('Access_denied_errors', "
                         "'Aborted_clients', 'Aborted_connects', 'Rpl_semi_sync_master_status')"));
  DROVER_TRY(const auto clients, server->ask(kClientStatistics));
  if (rows.empty()) return make_error(ErrorCode::database, "0: the server told no variables");
  const NamedRow& row = rows.front();
  state.server_id = static_cast<std::uint32_t>(number_of(row, "server_id"));
  state.read_only = number_of(row, "read_only") != 0;
  state.version = text_of(row, "version");
  state.gtid_binlog_pos = text_of(row, "binlog_pos");
  state.gtid_slave_pos = text_of(row, "slave_pos");
  state.gtid_current_pos = text_of(row, "current_pos");
  state.replication = replication_of(slave.empty() ? NamedRow{} : slave.front());
  if (!master.empty()) {
    state.binlog_file = text_of(master.front(), "File");
    state.binlog_position = number_of(master.front(), "Position");
  }
  for (const NamedRow& counter : counters) {
    const std::string name = text_of(counter, "Variable_name");
    if (name == "Rpl_semi_sync_master_status")
      state.semi_sync_active = text_of(counter, "Value") == "ON";
    else
      state.errors += number_of(counter, "Value");
  }
  if (!clients.empty()) {
    state.queries = number_of(clients.front(), "queries");
    state.busy = std::chrono::microseconds(number_of(clients.front(), "busy_us"));
  }
  double load[1] = {0};
  if (::getloadavg(load, 1) == 1) state.load = load[0];
  return success();
}

Result<ReplicationState> MariaDbServer::replication() {
  DROVER_TRY(auto server, connect());
  DROVER_TRY(const auto rows, server->ask("SHOW SLAVE STATUS"));
  return replication_of(rows.empty() ? NamedRow{} : rows.front());
}

Result<void> MariaDbServer::set_server_id(std::uint32_t server_id) {
  DROVER_TRY(auto server, connect());
  return server->run("SET GLOBAL server_id = " + std::to_string(server_id));
}

// Clients are ended by CONNECTION, so that a statement of theirs under way is rolled back. Spared are the
// server's own threads, the replicas' dumps, and this agent with its tools: they alone reach the socket.
Result<void> MariaDbServer::kill_clients(Connection& connection) {
  DROVER_TRY(const auto clients,
             connection.ask("SELECT ID AS id FROM information_schema.PROCESSLIST WHERE COMMAND NOT IN "
                            "('Binlog Dump', 'Daemon', 'Slave_IO', 'Slave_SQL', 'Slave_worker') AND USER <> "
                            "'system user' AND HOST <> 'localhost' AND ID <> CONNECTION_ID()"));
  for (const NamedRow& client : clients) {
    auto killed = connection.run("KILL HARD CONNECTION " + std::to_string(number_of(client, "id")));
    if (killed.has_error() && database_number(killed.error()) != kNoSuchThread) return killed;
  }
  return success();
}

Result<void> MariaDbServer::set_read_only(bool on, Duration patience) {
  // Setting it waits for whoever holds a write lock on tables: for one second, then that one is ended first.
  DROVER_TRY(auto connection, open(patience));
  if (!on) return connection->run("SET GLOBAL read_only = 0");
  DROVER_TRY(connection->run("SET SESSION lock_wait_timeout = 1"));
  for (unsigned attempt = 1;; ++attempt) {
    auto set = connection->run("SET GLOBAL read_only = 1");
    if (set.has_error() && (database_number(set.error()) != kLockWaitTimeout || attempt == kFenceAttempts))
      return set;
    DROVER_TRY(kill_clients(*connection));
    if (set.has_value()) return success();
  }
}

}  // namespace drover::agent
