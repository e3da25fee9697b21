#include "tests/replication/real_world.hpp"

#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "manager/system/child_process.hpp"
#include "tests/agent/stage.hpp"

namespace drover::replication_test {
namespace {

constexpr const char* kClientPassword = "s3cret-client";
constexpr unsigned kConnectionsMin = 10;  // the server knows no smaller max_connections

const char* name_of(Account account) {
  static constexpr const char* kNames[] = {"app", "super", "admin"};
  return kNames[static_cast<int>(account)];
}

std::string column(const agent::NamedRow& row, const char* name) {
  const auto found = row.find(name);
  return found == row.end() ? std::string() : found->second;
}

std::string flag(bool on) { return on ? "ON" : "OFF"; }

std::string user_of_this_process() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry == nullptr ? "root" : entry->pw_name;
}

}  // namespace

RealWorld::RealWorld(unsigned servers) : servers_(servers) {
  for (unsigned n = 1; n <= servers_.size(); ++n) {
    agent::AgentSettings& settings = at(n).settings;
    settings.address = agent_test::address_of(n);
    settings.folder = folder_.path("n" + std::to_string(n));
    std::filesystem::create_directories(settings.folder + "/tmp");
    std::filesystem::copy(agent_test::template_folder(), settings.folder + "/data",
                          std::filesystem::copy_options::recursive);
    agent::AgentState state;
    state.server_id = n;
    const auto saved = system::save_file(settings.folder + "/mysqld.cnf",
                                         agent::server_configuration(settings, state, ::geteuid() == 0));
    EXPECT_TRUE(saved.has_value());
    launch(n, false);
  }
  for (unsigned n = 1; n <= servers; ++n) {
    await_start(n);
    make_accounts(n);
  }
}

RealWorld::~RealWorld() {
  for (unsigned n = 1; n <= servers_.size(); ++n)
    if (at(n).pid > 0) end(n, SIGKILL);
}

void RealWorld::make_accounts(unsigned server) {
  run_unlogged(server, "CREATE DATABASE drover");
  run_unlogged(server, "CREATE TABLE drover.writes (n INT PRIMARY KEY, changes INT NOT NULL)");
  admit_replicas(server, true);
  for (const auto& [account, privileges] : std::initializer_list<std::pair<Account, const char*>>{
           {Account::application, "SELECT, INSERT, UPDATE"},
           {Account::super, "SELECT, INSERT, UPDATE, SUPER"},
           {Account::admin, "SELECT, INSERT, UPDATE, READ ONLY ADMIN"}})
    run_unlogged(server, std::string("GRANT ") + privileges + " ON *.* TO " + name_of(account) +
                             "@'%' IDENTIFIED BY '" + kClientPassword + "'");
}

// Processes.

std::unique_ptr<agent::Connection> RealWorld::connect(unsigned server) {
  const agent::Connection::Place place{at(server).settings.folder + "/mysqld.sock", user_of_this_process()};
  auto opened = agent::Connection::open(place, 5s, 30s);
  return opened.has_value() ? std::move(opened).value() : nullptr;
}

void RealWorld::start_server(unsigned server, bool skip_slave_start) {
  launch(server, skip_slave_start);
  await_start(server);
}

void RealWorld::launch(unsigned server, bool skip_slave_start) {
  Server& s = at(server);
  system::ProgramCall call{.arguments = {"mariadbd", "--defaults-file=" + s.settings.folder + "/mysqld.cnf",
                                         "--rpl-semi-sync-master-timeout=1000", "--slave-net-timeout=2",
                                         "--sync-binlog=0", "--innodb-flush-log-at-trx-commit=2"},
                           .death_signal = SIGKILL};
  if (skip_slave_start) call.arguments.emplace_back("--skip-slave-start");
  const auto started = system::start_program(call);
  ASSERT_TRUE(started.has_value()) << started.error().message;
  s.pid = started.value();
}

void RealWorld::await_start(unsigned server) {
  Server& s = at(server);
  const auto until = std::chrono::steady_clock::now() + testing_support::kPatience;
  while (!(s.connection = connect(server)) && system::process_lives(s.pid) &&
         std::chrono::steady_clock::now() < until)
    pass(5ms);
  ASSERT_TRUE(s.connection) << system::tail_of_file(s.settings.folder + "/mysqld.log", 2000);
}

void RealWorld::end(unsigned server, int signal) {
  Server& s = at(server);
  s.connection.reset();
  s.holder.reset();
  s.crowd.clear();
  ::kill(s.pid, signal);
  system::wait_for_program(std::exchange(s.pid, -1));
}

void RealWorld::stop_server(unsigned server) { end(server, SIGTERM); }
void RealWorld::kill_server(unsigned server) { end(server, SIGKILL); }

void RealWorld::hang_server(unsigned server, bool hung) {
  at(server).hung = hung;
  ::kill(at(server).pid, hung ? SIGSTOP : SIGCONT);
}

// Statements.

RealWorld::Rows RealWorld::ask(unsigned server, const std::string& sql) {
  auto rows = at(server).connection->ask(sql);
  EXPECT_TRUE(rows.has_value()) << sql << ": " << rows.error().message;
  return rows.has_value() ? std::move(rows).value() : Rows{};
}

unsigned RealWorld::run(unsigned server, const std::string& sql) {
  const auto done = at(server).connection->run(sql);
  return done.has_value() ? 0U : static_cast<unsigned>(agent::database_number(done.error()));
}

void RealWorld::run_unlogged(unsigned server, const std::string& sql) {
  EXPECT_EQ(run(server, "SET SESSION sql_log_bin = 0"), 0U);
  EXPECT_EQ(run(server, sql), 0U) << sql;
  EXPECT_EQ(run(server, "SET SESSION sql_log_bin = 1"), 0U);
}

unsigned RealWorld::change_master(unsigned server, const Source& source) {
  std::string sql = "CHANGE MASTER TO MASTER_HOST = '" + at(source.server).settings.address +
                    "', MASTER_USER = 'repl', MASTER_PASSWORD = '" + source.password +
                    "', MASTER_CONNECT_RETRY = 1";
  if (source.by == Source::By::file) {
    const Rows rows = ask(source.server, "SHOW MASTER STATUS");
    sql += ", MASTER_USE_GTID = no, MASTER_LOG_FILE = '" + column(rows.at(0), "File") +
           "', MASTER_LOG_POS = " + column(rows.at(0), "Position");
  } else {
    sql += ", MASTER_USE_GTID = slave_pos";
    if (source.by == Source::By::gtid_and_own_binlog) sql += ", MASTER_DEMOTE_TO_SLAVE = 1";
  }
  return run(server, sql);
}

unsigned RealWorld::start_slave(unsigned server, bool io, bool sql) {
  return run(server, io && sql ? "START SLAVE" : io ? "START SLAVE IO_THREAD" : "START SLAVE SQL_THREAD");
}

unsigned RealWorld::stop_slave(unsigned server, bool io, bool sql) {
  return run(server, io && sql ? "STOP SLAVE" : io ? "STOP SLAVE IO_THREAD" : "STOP SLAVE SQL_THREAD");
}

unsigned RealWorld::reset_slave(unsigned server, bool all) {
  return run(server, all ? "RESET SLAVE ALL" : "RESET SLAVE");
}

unsigned RealWorld::set_slave_position(unsigned server, const std::string& gtid) {
  return run(server, "SET GLOBAL gtid_slave_pos = '" + gtid + "'");
}

unsigned RealWorld::skip_transaction(unsigned server) {
  return run(server, "SET GLOBAL sql_slave_skip_counter = 1");
}

// A file may be needed for a moment after it was closed: until the storage engine has all that is in it.
unsigned RealWorld::purge_binlogs(unsigned server) {
  unsigned failed = run(server, "FLUSH BINARY LOGS");
  const auto until = std::chrono::steady_clock::now() + 5s;
  while (failed == 0) {
    const Rows logs = ask(server, "SHOW BINARY LOGS");
    if (logs.size() <= 1 || std::chrono::steady_clock::now() > until) break;
    failed = run(server, "PURGE BINARY LOGS TO '" + column(logs.back(), "Log_name") + "'");
  }
  return failed;
}

unsigned RealWorld::set_server_id(unsigned server, unsigned id) {
  return run(server, "SET GLOBAL server_id = " + std::to_string(id));
}

unsigned RealWorld::set_read_only(unsigned server, bool on) {
  return run(server, "SET GLOBAL read_only = " + flag(on));
}

unsigned RealWorld::set_semi_sync(unsigned server, bool primary, bool replica) {
  const unsigned failed = run(server, "SET GLOBAL rpl_semi_sync_master_enabled = " + flag(primary));
  return failed != 0 ? failed : run(server, "SET GLOBAL rpl_semi_sync_slave_enabled = " + flag(replica));
}

unsigned RealWorld::run_as(unsigned server, Account account, const std::string& sql) {
  agent_test::SqlClient client(at(server).settings.address, name_of(account), kClientPassword);
  return client.error() != 0 ? client.error() : client.run(sql);
}

unsigned RealWorld::write(unsigned server, Account account) {
  return run_as(server, account, "INSERT INTO drover.writes VALUES (" + std::to_string(++rows_) + ", 0)");
}

unsigned RealWorld::rewrite(unsigned server) {
  return run_as(server, Account::application,
                "UPDATE drover.writes SET changes = changes + 1 WHERE n = " + std::to_string(rows_));
}

void RealWorld::plant_conflict(unsigned server, int number) {
  if (number == 1062)
    run_unlogged(server, "INSERT INTO drover.writes VALUES (" + std::to_string(rows_ + 1) + ", 9)");
  else
    run_unlogged(server, "DELETE FROM drover.writes WHERE n = " + std::to_string(rows_));
}

void RealWorld::hold_back(unsigned server, bool held) {
  at(server).holder.reset();
  if (!held) return;
  at(server).holder = connect(server);
  EXPECT_TRUE(at(server).holder->run("LOCK TABLES drover.writes WRITE").has_value());
}

void RealWorld::admit_replicas(unsigned server, bool admitted) {
  std::string sql = "DROP USER repl@'%'";
  if (admitted)
    sql.assign("GRANT REPLICATION SLAVE ON *.* TO repl@'%' IDENTIFIED BY '").append(kPassword).append("'");
  run_unlogged(server, sql);
}

void RealWorld::exhaust_connections(unsigned server, bool exhausted) {
  auto& crowd = at(server).crowd;
  crowd.clear();
  while (exhausted && end_dumps(server) > 0) pass(10ms);
  EXPECT_EQ(run(server, "SET GLOBAL max_connections = " + std::to_string(exhausted ? kConnectionsMin : 151)),
            0U);
  while (exhausted && crowd.size() <= kConnectionsMin) {
    crowd.push_back(
        std::make_unique<agent_test::SqlClient>(at(server).settings.address, "app", kClientPassword));
    if (crowd.back()->error() != 0) break;
  }
}

void RealWorld::cut_connection(unsigned server) {
  const std::string source = column(ask(server, "SHOW SLAVE STATUS").at(0), "Master_Host");
  for (unsigned n = 1; n <= servers_.size(); ++n)
    if (at(n).settings.address == source) end_dumps(n);
}

// The connections of replicas, also those of replicas that are gone.
std::size_t RealWorld::end_dumps(unsigned server) {
  const Rows dumps =
      ask(server, "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE COMMAND = 'Binlog Dump'");
  for (const auto& dump : dumps) run(server, "KILL CONNECTION " + column(dump, "id"));
  return dumps.size();
}

Observation RealWorld::look(unsigned server) {
  Observation seen;
  seen["running"] = at(server).pid > 0 ? "1" : "0";
  if (at(server).pid <= 0) return seen;
  if (at(server).hung) return {{"running", "hung"}};
  const Rows slave = ask(server, "SHOW SLAVE STATUS");
  show_replication(seen, agent::replication_of(slave.empty() ? agent::NamedRow{} : slave[0]));
  if (!slave.empty()) seen["using_gtid"] = column(slave[0], "Using_Gtid");
  const Rows variables = ask(server,
                             "SELECT @@gtid_slave_pos AS slave_pos, @@gtid_current_pos AS current_pos, "
                             "@@gtid_binlog_pos AS binlog_pos, @@read_only AS read_only");
  for (const auto& [name, value] : variables.at(0)) seen[name] = value;
  const Rows status = ask(server, "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_status'");
  seen["semi_sync"] = column(status.at(0), "Value");
  return seen;
}

void RealWorld::pass(Duration time) { std::this_thread::sleep_for(time); }

}  // namespace drover::replication_test
