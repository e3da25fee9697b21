// The faults that can be put on a node; each is one direct act, whatever decides when.
#include "mockcloud/node/fleet.hpp"

namespace drover::node {

bool Fleet::crash_agent(const std::string& id, std::optional<Duration> restart_after) {
  Node* node = live(id);
  if (node == nullptr) return false;
  if (!node->powered) return true;
  ++node->heartbeat;
  node->agent->crash();
  break_calls(*node, true);
  refresh(*node);
  if (!restart_after) return true;
  scheduler_.call_after(domain_, *restart_after, [this, node, boot = node->boot] {
    if (node->boot != boot || node->agent->running()) return;
    node->agent->start();
    start_heartbeats(*node);
    refresh(*node);
  });
  return true;
}

bool Fleet::restart_agent(const std::string& id) { return crash_agent(id, Duration{0}); }

bool Fleet::crash_agent_at(const std::string& id, CrashPoint point, std::optional<Duration> restart_after,
                           unsigned step) {
  return with_agent(id, [&](SimAgent& a) {
    a.controls().crash = AgentControls::Crash{point, restart_after, step};
  });
}

bool Fleet::hang_agent(const std::string& id, bool hung) {
  return with_agent(id, [&](SimAgent& a) { a.set_hung(hung); });
}

bool Fleet::duplicate_commands(const std::string& id, unsigned count, Duration after) {
  return with_agent(id, [&](SimAgent& a) {
    a.controls().duplicate = count;
    a.controls().duplicate_delay = after;
  });
}

bool Fleet::pretend_commands(const std::string& id, unsigned count) {
  return with_agent(id, [&](SimAgent& a) { a.controls().pretend = count; });
}

bool Fleet::answer_stale(const std::string& id, unsigned count, Duration age) {
  return with_agent(id, [&](SimAgent& a) {
    a.controls().stale = count;
    a.controls().stale_age = age;
  });
}

bool Fleet::wrong_credentials(const std::string& id, bool on) {
  return with_agent(id, [&](SimAgent& a) { a.controls().wrong_credentials = on; });
}

bool Fleet::wrong_version(const std::string& id, std::optional<std::string> version) {
  return with_agent(id, [&](SimAgent& a) { a.controls().version = std::move(version); });
}

bool Fleet::wrong_identity(const std::string& id, std::optional<std::string> identity) {
  return with_agent(id, [&](SimAgent& a) { a.controls().identity = std::move(identity); });
}

bool Fleet::disk_full(const std::string& id, bool on) {
  with_agent(id, [&](SimAgent& a) { a.controls().disk_full = on; });
  return with_server(id, [&](SimServer& s) { s.fill_disk(on); });
}

bool Fleet::lag(const std::string& id, std::optional<Duration> lag) {
  return with_server(id, [&](SimServer& s) { s.set_lag(lag); });
}

bool Fleet::fail_sql_thread(const std::string& id, int number) {
  return with_server(id, [&](SimServer& s) { s.fail_sql_thread(number); });
}

bool Fleet::half_open(const std::string& id) {
  Node* node = live(id);
  if (node == nullptr) return false;
  break_calls(*node, false);
  node->server->lose_connection_unnoticed();
  const auto replicas = node->server->connected_replicas();
  for (SimServer* replica : replicas) replica->lose_connection_unnoticed();
  return true;
}

bool Fleet::reset_half_open(const std::string& id) {
  Node* node = live(id);
  if (node == nullptr) return false;
  node->server->reset_half_open();
  const auto replicas = node->server->connected_replicas();
  for (SimServer* replica : replicas) replica->reset_half_open();
  return true;
}

bool Fleet::disconnect_io(const std::string& id) {
  return with_server(id, [&](SimServer& s) { s.disconnect_io(); });
}

bool Fleet::purge_binlogs(const std::string& id) {
  return with_server(id, [&](SimServer& s) { s.purge_binlogs(); });
}

bool Fleet::errant_transaction(const std::string& id) {
  return with_server(id, [&](SimServer& s) { s.add_errant_transaction(); });
}

bool Fleet::diverge(const std::string& id) {
  return with_server(id, [&](SimServer& s) { s.diverge(); });
}

bool Fleet::change_server_id(const std::string& id, std::uint32_t server_id) {
  return with_server(id, [&](SimServer& s) { s.set_server_id(server_id); });
}

bool Fleet::lose_read_only(const std::string& id) {
  return with_server(id, [&](SimServer& s) { s.lose_read_only(); });
}

bool Fleet::stick_read_only(const std::string& id, bool stuck) {
  return with_server(id, [&](SimServer& s) { s.stick_read_only(stuck); });
}

bool Fleet::drop_semi_sync(const std::string& id) {
  return with_server(id, [&](SimServer& s) { s.drop_semi_sync(); });
}

bool Fleet::lose_relay_log(const std::string& id) {
  return with_server(id, [&](SimServer& s) { s.lose_relay_log(); });
}

bool Fleet::hang_server(const std::string& id, bool hung) {
  return with_server(id, [&](SimServer& s) { s.set_hung(hung); });
}

bool Fleet::exhaust_connections(const std::string& id, bool on) {
  return with_server(id, [&](SimServer& s) { s.exhaust_connections(on); });
}

bool Fleet::corrupt_relay_log(const std::string& id) {
  return with_server(id, [&](SimServer& s) { s.corrupt_relay_log(); });
}

bool Fleet::corrupt_binlog(const std::string& id) {
  return with_server(id, [&](SimServer& s) { s.corrupt_binlog(); });
}

bool Fleet::interrupt_clone(const std::string& id) {
  return with_agent(id, [&](SimAgent& a) { a.controls().interrupt_clone = true; });
}

bool Fleet::fill_disk(const std::string& id, bool full) {
  return with_server(id, [&](SimServer& s) { s.fill_disk(full); });
}

bool Fleet::calm(const std::string& id) {
  with_server(id, [&](SimServer& s) { s.calm(); });
  return with_agent(id, [&](SimAgent& a) {
    AgentControls& controls = a.controls();
    controls.pretend = controls.stale = controls.duplicate = 0;
    controls.interrupt_clone = false;
    controls.crash.reset();
  });
}

bool Fleet::jump_clock(const std::string& id, Duration by) {
  return with_server(id, [&](SimServer& s) { s.jump_clock(by); });
}

bool Fleet::set_clock(const std::string& id, double rate) {
  return with_server(id, [&](SimServer& s) { s.pace().clock = rate; });
}

bool Fleet::freeze_clock(const std::string& id, Duration time) {
  return with_server(id, [&](SimServer& s) { s.pace().frozen_until = scheduler_.later(time); });
}

bool Fleet::slow_cpu(const std::string& id, double factor) {
  return with_server(id, [&](SimServer& s) { s.set_cpu(factor); });
}

bool Fleet::slow_disk(const std::string& id, Duration commit) {
  return with_server(id, [&](SimServer& s) { s.pace().commit = commit; });
}

bool Fleet::crash_server(const std::string& id, std::optional<Duration> restart_after) {
  Node* node = live(id);
  if (node == nullptr) return false;
  node->server->crash();
  if (!restart_after) return true;
  scheduler_.call_after(domain_, *restart_after, [node, boot = node->boot] {
    if (node->boot == boot && node->powered) node->server->start();
  });
  return true;
}

}  // namespace drover::node
