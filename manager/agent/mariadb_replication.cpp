// Replication: sources, positions, semi-sync.
#include "manager/agent/mariadb_server.hpp"

namespace drover::agent {
namespace {

constexpr int kNotConfigured = 1200;  // STOP SLAVE and RESET SLAVE of a server that never replicated

std::string text_of(const NamedRow& row, const char* column) {
  const auto found = row.find(column);
  return found == row.end() ? std::string() : found->second;
}

}  // namespace

Result<void> MariaDbServer::forget_source() {
  DROVER_TRY(auto connection, open(settings_.stop_timeout));  // stopping waits for the event being applied
  auto stopped = connection->run("STOP SLAVE");
  if (stopped.has_error() && database_number(stopped.error()) != kNotConfigured) return stopped;
  auto reset = connection->run("RESET SLAVE ALL");
  if (reset.has_error() && database_number(reset.error()) != kNotConfigured) return reset;
  return success();
}

Result<void> MariaDbServer::set_semi_sync(bool primary, bool replica) {
  const auto flag = [](bool on) { return on ? "ON" : "OFF"; };
  DROVER_TRY(auto server, connect());
  DROVER_TRY(server->run(std::string("SET GLOBAL rpl_semi_sync_master_enabled = ") + flag(primary)));
  return server->run(std::string("SET GLOBAL rpl_semi_sync_slave_enabled = ") + flag(replica));
}

Result<void> MariaDbServer::replicate_from(const SetUpReplica& command, bool keep_data) {
  DROVER_TRY(auto connection, open(settings_.stop_timeout));
  DROVER_TRY(connection->run("STOP SLAVE"));
  std::string sql = "CHANGE MASTER TO MASTER_HOST = ?, MASTER_PORT = " + std::to_string(command.source_port) +
                    ", MASTER_USER = ?, MASTER_PASSWORD = ?, MASTER_CONNECT_RETRY = 1";
  std::vector<std::string> values{command.source.address, command.replication_user,
                                  command.replication_password.value};
  if (keep_data && !command.log_file.empty()) {
    sql += ", MASTER_LOG_FILE = ?, MASTER_LOG_POS = " + std::to_string(command.log_position) +
           ", MASTER_USE_GTID = no";
    values.push_back(command.log_file);
  } else {
    sql += ", MASTER_USE_GTID = slave_pos";
    if (keep_data) sql += ", MASTER_DEMOTE_TO_SLAVE = 1";
  }
  DROVER_TRY(connection->run(sql, values));
  return connection->run("START SLAVE");
}

Result<bool> MariaDbServer::replicates_from(const SetUpReplica& command) {
  DROVER_TRY(auto server, connect());
  DROVER_TRY(const auto rows, server->ask("SHOW SLAVE STATUS"));
  if (rows.empty()) return false;
  const NamedRow& row = rows.front();
  const bool by_gtid = text_of(row, "Using_Gtid") != "No";
  return text_of(row, "Master_Host") == command.source.address &&
         text_of(row, "Master_Port") == std::to_string(command.source_port) &&
         text_of(row, "Master_User") == command.replication_user && by_gtid == command.log_file.empty() &&
         text_of(row, "Slave_IO_Running") != "No" && text_of(row, "Slave_SQL_Running") == "Yes";
}

Result<void> MariaDbServer::restart_io_thread() {
  DROVER_TRY(auto connection, open(settings_.stop_timeout));
  DROVER_TRY(connection->run("STOP SLAVE IO_THREAD"));
  return connection->run("START SLAVE IO_THREAD");
}

Result<std::string> MariaDbServer::current_position() {
  DROVER_TRY(auto server, connect());
  DROVER_TRY(const auto rows,
             server->ask("SELECT @@gtid_binlog_pos AS binlog_pos, @@gtid_slave_pos AS slave_pos"));
  if (rows.empty()) return make_error(ErrorCode::database, "0: the server told no position");
  const auto binlog = parse_gtid_position(text_of(rows.front(), "binlog_pos"));
  const auto slave = parse_gtid_position(text_of(rows.front(), "slave_pos"));
  if (!binlog || !slave) return make_error(ErrorCode::database, "0: the server told a position of no kind");
  return to_text(merged(*binlog, *slave));
}

Result<void> MariaDbServer::set_slave_position(const std::string& gtid) {
  DROVER_TRY(auto server, connect());
  return server->run("SET GLOBAL gtid_slave_pos = ?", {gtid});
}

Result<std::string> MariaDbServer::applied_position() {
  DROVER_TRY(auto server, connect());
  DROVER_TRY(const auto rows, server->ask("SELECT @@gtid_slave_pos AS slave_pos"));
  if (rows.empty()) return make_error(ErrorCode::database, "0: the server told no position");
  return text_of(rows.front(), "slave_pos");
}

// What the server wrote itself does not count: an errant transaction may carry the number of one that it
// lacks.
Result<bool> MariaDbServer::wait_for_gtid(const std::string& gtid, Duration limit) {
  DROVER_TRY(auto connection, open(limit + 3s));
  DROVER_TRY(const auto rows,
             connection->ask(
                 "SELECT MASTER_GTID_WAIT(?, " + std::to_string(to_seconds(limit)) + ") AS waited", {gtid}));
  return !rows.empty() && text_of(rows.front(), "waited") == "0";
}

}  // namespace drover::agent
