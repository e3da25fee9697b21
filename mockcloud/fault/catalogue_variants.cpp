// What explorations try of each action: sets of arguments, shorter and longer than the manager's time-outs
// (30s for the cloud, 10s for an agent, three polls of 10s until a node is LOST), and which of them must be
// masked. A row with a required argument needs an entry here.
#include "mockcloud/fault/catalogue.hpp"

namespace drover::fault {
namespace {

struct Entry {
  std::string_view action;
  Target target{};
  std::vector<Variant> variants;
};

Variant masked(std::vector<std::pair<std::string_view, std::string_view>> arguments) {
  return {std::move(arguments), true};
}
Variant seen(std::vector<std::pair<std::string_view, std::string_view>> arguments) {
  return {std::move(arguments), false};
}

std::vector<Entry> iaas_entries() {
  const auto t = Target::iaas_call;
  return {
      {"refuse",
       t,
       {masked({{"error", "unavailable"}}), masked({{"error", "throttled"}, {"retry_after", "5s"}}),
        seen({{"error", "unauthenticated"}}), seen({{"error", "permission"}}), seen({{"error", "invalid"}}),
        seen({{"error", "not_found"}})}},
      {"error_after_effect",
       t,
       {masked({{"error", "unavailable"}}), masked({{"error", "timeout"}}), masked({{"error", "internal"}})}},
      {"lose_reply", t, {masked({})}},
      {"late_effect", t, {masked({{"delay", "45s"}}), masked({{"delay", "4m"}})}},
      {"delay", t, {masked({{"by", "5s"}}), masked({{"by", "45s"}}), masked({{"by", "5s"}, {"for", "2m"}})}},
      {"stuck", t, {masked({}), masked({{"for", "40s"}}), seen({{"for", "10m"}})}},
      {"duplicate_delivery", t, {masked({}), masked({{"after", "45s"}})}},
      {"expire_token", t, {masked({})}},
      {"ignore_token", t, {masked({})}},
      {"throttle", t, {masked({}), masked({{"retry_after", "90s"}})}},
      {"capacity", t, {masked({})}},
      {"stale_list", t, {masked({}), masked({{"empty", "yes"}})}},
      {"torn_list",
       t,
       {masked({}), masked({{"lose", "start"}}), masked({{"lose", "middle"}}), masked({{"keep", "0"}})}},
      {"not_found", t, {masked({})}},
      {"backwards", t, {masked({})}},
      {"expired_credentials", t, {masked({}), masked({{"for", "45s"}}), seen({{"for", "5m"}})}},
      {"brown_out", t, {masked({{"for", "40s"}}), seen({{"for", "5m"}})}},
      {"drop_tags", t, {masked({})}},
      {"drop_name", t, {masked({})}},
  };
}

std::vector<Entry> agent_call_entries() {
  const auto t = Target::agent_call;
  return {
      {"refuse",
       t,
       {masked({{"error", "unavailable"}}), masked({{"error", "connection_lost"}}),
        seen({{"error", "database"}}), seen({{"error", "wrong_state"}}),
        seen({{"error", "unauthenticated"}})}},
      {"error_after_effect", t, {masked({{"error", "connection_lost"}}), masked({{"error", "timeout"}})}},
      {"lose_reply", t, {masked({})}},
      {"delay", t, {masked({{"by", "3s"}}), masked({{"by", "20s"}})}},
      {"stuck", t, {masked({}), masked({{"for", "40s"}})}},
      {"duplicate_delivery", t, {masked({}), masked({{"after", "20s"}})}},
  };
}

std::vector<Entry> vm_entries() {
  const auto t = Target::vm;
  return {
      {"vm.reboot", t, {seen({}), seen({{"keep_disk", "no"}})}},
      {"vm.pause", t, {masked({{"for", "5s"}}), seen({{"for", "2m"}}), seen({{"for", "never"}})}},
      {"vm.slow_boot", t, {masked({{"by", "2m"}}), seen({{"by", "20m"}})}},
      {"vm.dies_after", t, {seen({{"delay", "5s"}}), seen({{"delay", "2m"}})}},
      {"vm.late_address", t, {seen({{"by", "1m"}}), seen({{"by", "20m"}})}},
      {"vm.reuse_address", t, {masked({})}},
      {"vm.stuck_deletion", t, {masked({{"for", "1m"}}), seen({{"for", "never"}})}},
      {"vm.forget_tags", t, {masked({})}},
      {"vm.forget_name", t, {masked({})}},
      {"vm.host_loss", t, {seen({}), seen({{"for", "4m"}})}},
      {"vm.clock_jump",
       t,
       {seen({{"by", "1m"}}), seen({{"by", "1h"}}), seen({{"by", "1h"}, {"back", "yes"}})}},
      {"vm.clock_drift", t, {seen({{"rate", "0.5"}}), seen({{"rate", "2"}})}},
      {"vm.clock_freeze", t, {masked({{"for", "5s"}}), seen({{"for", "2m"}})}},
      {"vm.slow_cpu",
       t,
       {masked({{"factor", "5"}, {"for", "1m"}}), seen({{"factor", "50"}, {"for", "10m"}})}},
      {"vm.slow_disk", t, {seen({{"by", "500ms"}, {"for", "1m"}}), seen({{"by", "20s"}, {"for", "5m"}})}},
      {"vm.zone_loss", t, {seen({{"for", "4m"}}), seen({{"for", "never"}})}},
  };
}

std::vector<Entry> agent_entries() {
  const auto t = Target::agent;
  return {
      {"agent.crash", t, {masked({}), masked({{"restart", "40s"}}), seen({{"restart", "never"}})}},
      {"agent.crash_at_command",
       t,
       {masked({}), masked({{"step", "0"}}), masked({{"step", "2"}}), masked({{"step", "3"}}),
        masked({{"restart", "40s"}}), seen({{"restart", "never"}})}},
      {"agent.duplicate_command", t, {masked({}), masked({{"after", "20s"}})}},
      {"agent.restart_in_command", t, {masked({}), masked({{"restart", "40s"}})}},
      {"agent.hang", t, {masked({{"for", "5s"}}), masked({{"for", "40s"}}), seen({{"for", "never"}})}},
      {"agent.lie", t, {seen({}), seen({{"commands", "3"}})}},
      {"agent.stale_result", t, {masked({}), masked({{"answers", "3"}}), masked({{"age", "5s"}})}},
      {"agent.disk_full", t, {seen({{"for", "30s"}}), seen({{"for", "never"}})}},
      {"agent.partial_configuration", t, {masked({})}},
  };
}

std::vector<Entry> database_entries() {
  const auto t = Target::database;
  return {
      {"db.lag", t, {masked({{"by", "3s"}, {"for", "1m"}}), seen({{"by", "20s"}, {"for", "5m"}})}},
      {"db.stop_sql", t, {seen({{"errno", "1062"}}), seen({{"errno", "1032"}}), seen({{"errno", "1950"}})}},
      {"db.stop_io", t, {masked({})}},
      {"db.lose_relay_log", t, {masked({})}},
      {"db.crash", t, {seen({}), seen({{"restart", "never"}})}},
      {"db.hang", t, {seen({{"for", "5s"}}), seen({{"for", "1m"}}), seen({{"for", "never"}})}},
      {"db.corrupt_relay_log", t, {seen({})}},
      {"db.corrupt_binlog", t, {seen({})}},
      {"db.interrupt_clone", t, {masked({})}},
      {"db.stick_read_only", t, {seen({{"for", "30s"}}), seen({{"for", "never"}})}},
      {"db.disk_full", t, {seen({{"for", "30s"}}), seen({{"for", "never"}})}},
      {"db.connections_exhausted", t, {seen({{"for", "30s"}}), seen({{"for", "5m"}})}},
  };
}

std::vector<Entry> manager_entries() {
  const auto t = Target::manager;
  return {
      {"manager.crash", t, {masked({}), masked({{"restart", "1s"}}), masked({{"restart", "3m"}})}},
      {"manager.pause", t, {masked({{"for", "5s"}}), seen({{"for", "2m"}})}},
      {"manager.takeover",
       t,
       {masked({{"for", "5s"}}), masked({{"for", "0s"}}), masked({{"for", "3m"}}), seen({{"for", "never"}})}},
      {"manager.crash_loop", t, {masked({}), masked({{"up", "100ms"}, {"down", "1s"}})}},
      {"manager.upgrade", t, {masked({})}},
      {"manager.clock_step", t, {masked({}), masked({{"back", "yes"}})}},
  };
}

std::vector<Entry> journal_entries() {
  const auto t = Target::journal;
  return {
      {"store.torn", t, {masked({}), masked({{"restart", "3m"}})}},
      {"store.lose_tail", t, {seen({{"commits", "1"}}), seen({{"commits", "10"}})}},
      {"store.roll_back", t, {seen({{"to", "1m"}}), seen({{"to", "0s"}})}},
      {"store.corrupt", t, {masked({})}},
      {"store.full", t, {seen({{"for", "30s"}}), seen({{"for", "5m"}})}},
      {"store.slow", t, {masked({{"by", "2s"}}), seen({{"by", "15s"}})}},
  };
}

std::vector<Entry> client_entries() {
  return {{"api.call",
           Target::client,
           {seen({{"method", "cancel_operation"}}), seen({{"method", "shutdown"}}),
            seen({{"method", "remove_nodes"}}), seen({{"method", "remove_nodes"}, {"force", "yes"}}),
            seen({{"method", "promote"}}), seen({{"method", "fail_over"}, {"force", "yes"}}),
            seen({{"method", "fail_over"}}), seen({{"method", "set_up_replica_slave"}}),
            seen({{"method", "create_replica"}}), seen({{"method", "add_nodes"}}),
            seen({{"method", "set_up_replica_master"}}), seen({{"method", "startup"}})}}};
}

std::vector<Entry> scheduler_entries() {
  return {{"order.shuffle",
           Target::scheduler,
           {masked({{"seed", "1"}}), masked({{"seed", "1"}, {"spread", "2ms"}})}}};
}

// Long enough to lose a call or two; until a node is LOST; and until faults end.
std::vector<Variant> outages() {
  return {seen({{"for", "8s"}}), seen({{"for", "2m"}}), seen({{"for", "never"}})};
}

std::vector<Entry> network_entries() {
  const auto t = Target::net;
  const std::vector<Variant> to_whom{
      seen({{"for", "8s"}}),
      seen({{"for", "2m"}}),
      seen({{"for", "never"}}),
      seen({{"for", "2m"}, {"peers", "manager"}}),
      seen({{"for", "2m"}, {"peers", "servers"}}),
      seen({{"for", "2m"}, {"peers", "clients"}}),
  };
  return {
      {"net.one_way",
       t,
       {seen({{"to", "manager"}, {"for", "20s"}}), seen({{"to", "servers"}, {"for", "2m"}}),
        seen({{"from", "manager"}, {"to", "servers"}, {"for", "20s"}})}},
      {"net.partition",
       t,
       {seen({{"from", "clients"}, {"to", "manager"}, {"for", "2m"}}),
        seen({{"from", "clients"}, {"to", "servers"}, {"for", "2m"}})}},
      {"net.isolate", t, to_whom},
      {"net.isolate_master", t, to_whom},
      {"net.isolate_minority", t, outages()},
      {"net.halves", t, outages()},
      {"net.ring", t, outages()},
      {"net.delay", t, {masked({{"by", "200ms"}, {"for", "1m"}}), seen({{"by", "3s"}, {"for", "3m"}})}},
      {"net.duplicate", t, {masked({{"share", "1"}, {"for", "3m"}})}},
      {"net.hold", t, {seen({{"for", "5s"}}), seen({{"for", "25s"}})}},
      {"net.half_open", t, {seen({}), seen({{"for", "20s"}})}},
  };
}

std::vector<Entry> all_entries() {
  std::vector<Entry> all;
  for (const auto make :
       {iaas_entries, agent_call_entries, vm_entries, agent_entries, database_entries, manager_entries,
        journal_entries, client_entries, scheduler_entries, network_entries})
    for (auto& entry : make()) all.push_back(std::move(entry));
  return all;
}

}  // namespace

std::vector<Variant> variants_of(std::string_view action, Target target) {
  static const std::vector<Entry> entries = all_entries();
  for (const auto& entry : entries)
    if (entry.action == action && entry.target == target) return entry.variants;
  return {Variant{}};
}

}  // namespace drover::fault
