#include "scenarios/local/servers.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

#include "manager/system/child_process.hpp"

namespace drover::scenario {
namespace {

constexpr Duration kTimeout = 1s;

std::string text_of(const agent::NamedRow& row, const char* column) {
  const auto found = row.find(column);
  return found == row.end() ? std::string() : found->second;
}

template <class Number>
Number number_of(const std::string& text) {
  Number number{};
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

agent::Connection::Place socket_of(const ServerPlace& server, const std::string& user) {
  agent::Connection::Place place;
  place.socket = server.folder + "/mysqld.sock";
  place.user = user;
  return place;
}

}  // namespace

const ServerView* Sight::of(const std::string& vm) const {
  const auto found =
      std::find_if(servers.begin(), servers.end(), [&](const auto& one) { return one.vm == vm; });
  return found == servers.end() ? nullptr : &*found;
}

std::optional<pid_t> server_pid(const std::string& vm_folder) {
  std::ifstream file(vm_folder + "/mysqld.pid");
  pid_t pid = -1;
  if (!(file >> pid) || pid <= 1 || !system::process_lives(pid)) return std::nullopt;
  if (system::command_line(pid).find(vm_folder + "/mysqld.cnf") == std::string::npos) return std::nullopt;
  return pid;
}

bool stands_still(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  const auto name_end = text.rfind(')');
  return name_end != std::string::npos && text.size() > name_end + 2 && text[name_end + 2] == 'T';
}

RealServers::RealServers(std::string user) : user_(std::move(user)), thread_([this] { work(); }) {}

RealServers::~RealServers() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
    wanted_.clear();
  }
  changed_.notify_all();
  thread_.join();
}

void RealServers::look(SightWanted wanted, std::function<void(Sight)> done) {
  {
    const std::scoped_lock lock(mutex_);
    wanted_.emplace_back(std::move(wanted), std::move(done));
  }
  changed_.notify_all();
}

void RealServers::work() {
  while (true) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ending_ || !wanted_.empty(); });
    if (ending_) return;
    auto [wanted, done] = std::move(wanted_.front());
    wanted_.pop_front();
    lock.unlock();
    Sight sight = see(wanted);
    lock.lock();
    if (ending_) return;
    lock.unlock();
    done(std::move(sight));
  }
}

agent::Connection* RealServers::connection_to(const ServerPlace& server) {
  const auto pid = server_pid(server.folder);
  if (!pid || stands_still(*pid)) {
    connections_.erase(server.vm);
    return nullptr;
  }
  const auto known = connections_.find(server.vm);
  if (known != connections_.end()) return known->second.get();
  auto opened = agent::Connection::open(socket_of(server, user_), kTimeout, kTimeout);
  if (opened.has_error()) return nullptr;
  return connections_.emplace(server.vm, std::move(opened).value()).first->second.get();
}

Result<void> RealServers::fill(agent::Connection& connection, ServerView& view) {
  DROVER_TRY(
      const auto variables,
      connection.ask("SELECT @@read_only AS closed, @@server_id AS server_id, @@gtid_slave_pos AS applied, "
                     "@@gtid_binlog_pos AS logged"));
  DROVER_TRY(const auto status, connection.ask("SHOW SLAVE STATUS"));
  if (variables.empty()) return make_error(ErrorCode::database, "0: no answer");
  view.read_only = text_of(variables.front(), "closed") != "0";
  view.server_id = number_of<std::uint32_t>(text_of(variables.front(), "server_id"));
  view.applied = parse_gtid_position(text_of(variables.front(), "applied")).value_or(GtidPosition());
  view.logged = parse_gtid_position(text_of(variables.front(), "logged")).value_or(GtidPosition());
  const agent::NamedRow row = status.empty() ? agent::NamedRow() : status.front();
  view.replication = agent::replication_of(row);
  view.answers = true;
  return success();
}

void RealServers::add_checksums(agent::Connection& connection, ServerView& view) {
  const auto tables = connection.ask(
      "SELECT CONCAT('`', TABLE_SCHEMA, '`.`', TABLE_NAME, '`') AS name FROM information_schema.TABLES WHERE "
      "TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN ('mysql', 'information_schema', "
      "'performance_schema', "
      "'sys')");
  if (tables.has_error()) return;
  for (const auto& table : tables.value()) {
    const std::string name = text_of(table, "name");
    const auto sum = connection.ask("CHECKSUM TABLE " + name);
    if (sum.has_value() && !sum.value().empty())
      view.checksums[name] = text_of(sum.value().front(), "Checksum");
  }
}

ServerView RealServers::see_one(const ServerPlace& server, bool checksums) {
  ServerView view;
  view.vm = server.vm;
  // A connection that was broken by the server's end is opened once more.
  for (int attempt = 0; attempt < 2 && !view.answers; ++attempt) {
    auto* connection = connection_to(server);
    if (connection == nullptr) break;
    if (fill(*connection, view).has_error())
      connections_.erase(server.vm);
    else if (checksums)
      add_checksums(*connection, view);
  }
  return view;
}

// One after the other cannot show that two took writes at once; a second look at each can: whoever did so at
// both looks did so while the others were asked in between.
void RealServers::see_twice(const SightWanted& wanted, Sight& sight) {
  std::vector<std::string> both;
  for (const ServerPlace& server : wanted.servers) {
    const auto* first = sight.of(server.vm);
    if (!first->takes_writes()) continue;
    if (see_one(server, false).takes_writes()) both.push_back(server.vm);
  }
  if (both.size() > 1) sight.writable_at_once = std::move(both);
}

Sight RealServers::see(const SightWanted& wanted) {
  Sight sight;
  for (const ServerPlace& server : wanted.servers) sight.servers.push_back(see_one(server, wanted.checksums));
  const auto open = std::count_if(sight.servers.begin(), sight.servers.end(),
                                  [](const ServerView& view) { return view.takes_writes(); });
  if (open > 1) see_twice(wanted, sight);
  for (const ServerPlace& server : wanted.servers) {
    if (server.vm != wanted.written || wanted.written.empty()) continue;
    auto* connection = connection_to(server);
    if (connection == nullptr) continue;
    const auto rows = connection->ask(kWrittenRows);
    if (rows.has_error()) continue;
    sight.written.emplace();
    for (const auto& row : rows.value())
      sight.written->push_back(
          {number_of<unsigned>(text_of(row, "writer")), number_of<std::uint64_t>(text_of(row, "n"))});
  }
  return sight;
}

Result<std::vector<agent::NamedRow>> RealServers::ask(const ServerPlace& server,
                                                      const std::string& statement) const {
  DROVER_TRY(auto connection, agent::Connection::open(socket_of(server, user_), kTimeout, 5s));
  return connection->ask(statement);
}

Result<void> RealServers::run(const ServerPlace& server, const std::vector<std::string>& statements,
                              bool logged) const {
  DROVER_TRY(auto connection, agent::Connection::open(socket_of(server, user_), kTimeout, 5s));
  if (!logged) {
    DROVER_TRY(connection->run("SET SESSION sql_log_bin = 0"));
  }
  for (const auto& statement : statements) {
    DROVER_TRY(connection->run(statement));
  }
  return success();
}

}  // namespace drover::scenario
