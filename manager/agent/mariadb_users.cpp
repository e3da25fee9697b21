// Users. Passwords reach the server as hashes only, so that no log and no binary log holds one. Accounts of
// the socket ("localhost") belong to the node and are neither shown nor touched.
#include "manager/agent/mariadb_server.hpp"

namespace drover::agent {
namespace {

// The accounts of clients for which `condition` holds.
std::string accounts(std::string_view condition) {
  std::string sql;
  sql += "SELECT User AS user, Host AS host, JSON_VALUE(Priv, '$.authentication_string') AS hash FROM ";
  sql += "mysql.global_priv WHERE Host <> 'localhost' AND Host <> '' AND User <> '' AND ";
  sql += condition;
  sql += " ORDER BY User, Host";
  return sql;
}

// All that an application and its administrator need, and nothing that passes by read_only (READ ONLY ADMIN),
// changes replication, or reaches the node's files: a fence must hold.
constexpr const char* kClientPrivileges =
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW "
    "DATABASES, "
    "CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, "
    "EVENT, TRIGGER, DELETE HISTORY";

// A change on a semi-synchronous primary waits for a replica, so long at most (the server's default).
constexpr Duration kSemiSyncWait{10s};

std::string text_of(const NamedRow& row, const char* column) {
  const auto found = row.find(column);
  return found == row.end() ? std::string() : found->second;
}

Result<std::string> hash_of(Connection& connection, const Secret& password) {
  DROVER_TRY(const auto rows, connection.ask("SELECT PASSWORD(?) AS hash", {password.value}));
  if (rows.empty()) return make_error(ErrorCode::database, "0: the server made no hash");
  return text_of(rows.front(), "hash");
}

Result<std::optional<std::string>> known_hash(Connection& connection, const std::string& name) {
  DROVER_TRY(const auto rows, connection.ask(accounts("User = ? AND Host = '%'"), {name}));
  if (rows.empty()) return std::optional<std::string>();
  return std::optional<std::string>(text_of(rows.front(), "hash"));
}

}  // namespace

Result<std::vector<DatabaseUser>> MariaDbServer::users() {
  DROVER_TRY(auto server, connect());
  DROVER_TRY(const auto rows, server->ask(accounts("TRUE")));
  std::vector<DatabaseUser> users;
  for (const NamedRow& row : rows) users.push_back({text_of(row, "user"), text_of(row, "host")});
  return users;
}

Result<void> MariaDbServer::set_user(const std::string& name, const Secret& password, bool for_replication) {
  DROVER_TRY(check_user_name(name));
  DROVER_TRY(auto server, open(settings_.server_timeout + kSemiSyncWait));
  DROVER_TRY(const std::string hash, hash_of(*server, password));
  DROVER_TRY(const auto known, known_hash(*server, name));
  if (known && *known == hash) return success();
  // One statement makes the account with its privileges: there is no half of it after a crash.
  std::string sql = "GRANT ";
  sql += for_replication ? "REPLICATION SLAVE" : kClientPrivileges;
  sql += " ON *.* TO ?@'%' IDENTIFIED BY PASSWORD ?";
  return server->run(sql, {name, hash});
}

Result<void> MariaDbServer::set_password(const std::string& name, const Secret& password) {
  DROVER_TRY(check_user_name(name));
  DROVER_TRY(auto server, open(settings_.server_timeout + kSemiSyncWait));
  DROVER_TRY(const std::string hash, hash_of(*server, password));
  DROVER_TRY(const auto known, known_hash(*server, name));
  if (!known)
    return make_error(ErrorCode::database,
                      "1133: Can't find any matching row in the user table for '" + name + "'@'%'");
  if (*known == hash) return success();
  return server->run("SET PASSWORD FOR ?@'%' = ?", {name, hash});
}

Result<void> MariaDbServer::delete_user(const std::string& name) {
  DROVER_TRY(auto server, open(settings_.server_timeout + kSemiSyncWait));
  DROVER_TRY(const auto rows, server->ask(accounts("User = ?"), {name}));
  if (rows.empty()) return success();
  for (const NamedRow& row : rows) {
    DROVER_TRY(server->run("DROP USER IF EXISTS ?@?", {name, text_of(row, "host")}));
  }
  return success();
}

Result<std::string> MariaDbServer::dump_users() {
  DROVER_TRY(auto server, connect());
  DROVER_TRY(const auto rows, server->ask(accounts("TRUE")));
  std::string text;
  for (const NamedRow& row : rows) {
    const std::vector<std::string> account{text_of(row, "user"), text_of(row, "host")};
    DROVER_TRY(const auto made, server->ask("SHOW CREATE USER ?@?", account));
    DROVER_TRY(const auto grants, server->ask("SHOW GRANTS FOR ?@?", account));
    for (const NamedRow& create : made)
      for (const auto& [column, statement] : create)
        if (statement.starts_with("CREATE USER "))
          text.append("CREATE OR REPLACE USER ").append(statement, 12).append(";\n");
    for (const NamedRow& grant : grants)
      for (const auto& [column, statement] : grant) text.append(statement).append(";\n");
  }
  return text;
}

Result<std::vector<std::string>> MariaDbServer::databases() {
  DROVER_TRY(auto server, connect());
  DROVER_TRY(const auto rows, server->ask("SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE "
                                          "SCHEMA_NAME NOT IN ('mysql', 'information_schema', "
                                          "'performance_schema', 'sys') ORDER BY SCHEMA_NAME"));
  std::vector<std::string> names;
  for (const NamedRow& row : rows) names.push_back(text_of(row, "name"));
  return names;
}

}  // namespace drover::agent
