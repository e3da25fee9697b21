#include "tests/replication/simulated_world.hpp"

#include <cstdlib>

namespace drover::replication_test {
namespace {

// The error number of a statement: what its message begins with.
unsigned number_of(const Result<void>& result) {
  return result.has_value()
             ? 0U
             : static_cast<unsigned>(std::strtoul(result.error().message.c_str(), nullptr, 10));
}

unsigned number_of(node::WriteOutcome outcome) {
  switch (outcome) {
    case node::WriteOutcome::acknowledged:
      return 0;
    case node::WriteOutcome::read_only:
      return 1290;
    case node::WriteOutcome::too_many_connections:
      return 1040;
    case node::WriteOutcome::refused:
      return 2002;
    case node::WriteOutcome::disk_full:
      return 1021;
    case node::WriteOutcome::unknown:
      return 2013;
  }
  return 1;
}

struct Writer final : node::WriteListener {
  void write_waits(std::uint64_t, node::Stamp) override {}
  void write_done(std::uint64_t, node::WriteOutcome result, node::Stamp) override { outcome = result; }
  std::optional<node::WriteOutcome> outcome;
};

}  // namespace

SimulatedWorld::SimulatedWorld(unsigned servers) : domain_(scheduler_) {
  node::ServerConfig config;
  config.semi_sync_timeout = 1s;
  config.slave_net_timeout = 2s;
  node::ServerHost& host = *this;
  for (unsigned n = 1; n <= servers; ++n) {
    servers_.push_back(std::make_unique<node::SimServer>(scheduler_, domain_, choices_, trace_, ledger_, host,
                                                         "node-" + std::to_string(n), config));
    at(n).set_host_index(n - 1);
    at(n).set_server_id(n);
    at(n).start();
    admit_replicas(n, true);
  }
}

node::SimServer* SimulatedWorld::server_at(const std::string& address, std::uint16_t) {
  for (unsigned n = 1; n <= servers_.size(); ++n)
    if (address == address_of(n)) return &at(n);
  return nullptr;
}

void SimulatedWorld::start_server(unsigned server, bool skip_slave_start) {
  at(server).config().skip_slave_start = skip_slave_start;
  at(server).start();
}

unsigned SimulatedWorld::change_master(unsigned server, const Source& source) {
  node::ChangeMaster to;
  to.host = address_of(source.server);
  to.user = "repl";
  to.password_hash = node::hash_password(source.password);
  to.demote_to_slave = source.by == Source::By::gtid_and_own_binlog;
  if (source.by == Source::By::file) {
    to.log_file = at(source.server).binlog().file_name();
    to.log_position = at(source.server).binlog().file_position();
  }
  return number_of(at(server).change_master(to));
}

unsigned SimulatedWorld::start_slave(unsigned server, bool io, bool sql) {
  return number_of(at(server).start_slave(io, sql));
}

unsigned SimulatedWorld::stop_slave(unsigned server, bool io, bool sql) {
  at(server).stop_slave(io, sql);
  return 0;
}

unsigned SimulatedWorld::reset_slave(unsigned server, bool all) {
  return number_of(all ? at(server).reset_slave_all() : at(server).reset_slave());
}

unsigned SimulatedWorld::reset_master(unsigned server) {
  at(server).reset_master();
  return 0;
}

unsigned SimulatedWorld::set_slave_position(unsigned server, const std::string& gtid) {
  return number_of(at(server).set_gtid_slave_pos(*node::GtidPosition::parse(gtid)));
}

unsigned SimulatedWorld::skip_transaction(unsigned server) {
  return number_of(at(server).skip_transactions(1));
}

unsigned SimulatedWorld::purge_binlogs(unsigned server) {
  at(server).purge_binlogs();
  return 0;
}

unsigned SimulatedWorld::set_server_id(unsigned server, unsigned id) {
  at(server).set_server_id(id);
  return 0;
}

unsigned SimulatedWorld::set_read_only(unsigned server, bool on) {
  at(server).set_read_only(on);
  return 0;
}

unsigned SimulatedWorld::set_semi_sync(unsigned server, bool primary, bool replica) {
  at(server).set_semi_sync_primary(primary);
  at(server).set_semi_sync_replica(replica);
  return 0;
}

unsigned SimulatedWorld::write(unsigned server, Account account) {
  if (account == Account::admin) {
    at(server).change({}, true);
    return 0;
  }
  if (planted_ != 0) at(planted_at_).fail_sql_thread(std::exchange(planted_, 0));
  Writer writer;
  at(server).write(ledger_.counter("c"), &writer, 1);
  const TimePoint limit = scheduler_.later(1min);
  while (!writer.outcome && scheduler_.run_one(limit)) continue;
  if (writer.outcome) return number_of(*writer.outcome);
  at(server).forget(&writer);
  return number_of(node::WriteOutcome::unknown);
}

// It knows no rows: the thread stops with the write that finds them.
void SimulatedWorld::plant_conflict(unsigned server, int number) {
  planted_at_ = server;
  planted_ = number;
}

void SimulatedWorld::hold_back(unsigned server, bool held) {
  at(server).set_lag(held ? std::optional<Duration>(1h) : std::nullopt);
}

void SimulatedWorld::admit_replicas(unsigned server, bool admitted) {
  node::Change change;
  change.users["repl"] = std::nullopt;
  if (admitted) change.users["repl"] = node::UserAccount{"%", node::hash_password(kPassword)};
  at(server).change(std::move(change), false);
}

Observation SimulatedWorld::look(unsigned server) {
  const node::SimServer& s = at(server);
  Observation seen;
  seen["running"] = s.running() ? "1" : "0";
  if (!s.running()) return seen;
  if (s.hung()) return {{"running", "hung"}};
  show_replication(seen, s.replication());
  if (s.replication_configured()) seen["using_gtid"] = s.uses_gtid() ? "Slave_Pos" : "No";
  seen["slave_pos"] = s.gtid_slave_pos().to_text();
  seen["current_pos"] = s.gtid_current_pos().to_text();
  seen["binlog_pos"] = s.gtid_binlog_pos().to_text();
  seen["read_only"] = s.read_only() ? "1" : "0";
  seen["semi_sync"] = s.semi_sync_active() ? "ON" : "OFF";
  return seen;
}

void SimulatedWorld::pass(Duration time) { scheduler_.run_until(scheduler_.later(time)); }

}  // namespace drover::replication_test
