// How the faults of the catalogue are made on real machines, agents and servers. What has no place here is
// not marked `local` in the catalogue, and a scenario with it is SKIPPED (supported.hpp).
#include <algorithm>
#include <csignal>
#include <thread>

#include "scenarios/local/local_world.hpp"

namespace drover::scenario {
namespace {

constexpr Duration kReplicated = 3s;  // how long a replica is waited for before it is harmed
constexpr std::uint32_t kDefaultServerId = 1;

ServerPlace place_of(const LocalCloud::Machine& vm) { return {vm.id, vm.folder, vm.address}; }

std::optional<Duration> unless_never(Duration time) {
  return time == fault::kNeverHappens ? std::nullopt : std::optional<Duration>(time);
}

Error unknown(const std::string& name) {
  return make_error(ErrorCode::invalid, "the local world does not know the action \"" + name + "\"");
}

}  // namespace

// "node-2", "2", "vm-3": the living VM of a node before one that is gone.
std::optional<LocalCloud::Machine> LocalWorld::machine_of(const std::string& target) const {
  std::string node = target;
  if (!node.empty() && node.find_first_not_of("0123456789") == std::string::npos) node = "node-" + node;
  std::optional<LocalCloud::Machine> found;
  for (auto& vm : cloud_->machines()) {
    if (vm.id == target) return vm;
    if (vm.node == node && (!found || !is_gone(vm.state))) found = std::move(vm);
  }
  return found;
}

std::vector<std::string> LocalWorld::living_vms() const {
  std::vector<std::string> living;
  for (const auto& vm : cloud_->machines())
    if (!is_gone(vm.state) && vm.has_power) living.push_back(vm.id);
  return living;
}

Result<void> LocalWorld::act(const fault::Action& action) {
  if (action.name.starts_with("manager.")) return act_on_manager(action);
  if (action.name.starts_with("net."))
    return network_ ? network_->act(action)
                    : make_error(ErrorCode::unavailable, "this run has no network of its own");
  const auto vm = machine_of(action.target);
  if (!vm) return make_error(ErrorCode::not_found, "there is no VM of \"" + action.target + "\"");
  if (action.name.ends_with(".disk_full")) return fill_disk(action, *vm);
  if (action.name.starts_with("vm.")) return act_on_vm(action, *vm);
  if (action.name.starts_with("agent.")) return act_on_agent(action, *vm);
  if (action.name.starts_with("db.")) return act_on_database(action, *vm);
  return unknown(action.name);
}

// Its processes stand still before anything listens there: to the cloud it goes on booting.
Result<void> LocalWorld::hold_boot(const std::string& vm, Duration longer) {
  TimePoint& until = held_[vm];
  const TimePoint now = scheduler_.now();
  until = longer == fault::kNeverHappens || until == kNever ? kNever : std::max(until, now) + longer;
  if (until != kNever)
    scheduler_.call_at(domain_, until, [this, vm] {
      if (scheduler_.now() >= held_[vm]) (void)cloud_->freeze(vm, false);
    });
  return cloud_->freeze(vm, true);
}

// Not once the faults are over.
void LocalWorld::die_after(const std::string& vm, Duration delay) {
  scheduler_.call_after(domain_, delay, [this, vm] {
    if (!quiet_) (void)cloud_->power_off(vm);
  });
}

Result<void> LocalWorld::act_on_vm(const fault::Action& action, const LocalCloud::Machine& vm) {
  const std::string id = vm.id;
  if (action.name == "vm.boot_error") return cloud_->fail(id, "no valid host was found");
  if (action.name == "vm.boot_stopped") return cloud_->power_off(id);
  if (action.name == "vm.never_boot") return hold_boot(id, fault::kNeverHappens);
  if (action.name == "vm.slow_boot") return hold_boot(id, action.arguments.duration("by"));
  if (action.name == "vm.dies_after") {
    if (vm.state == InstanceState::pending)
      dying_[id] = action.arguments.duration("delay");  // counted from its boot: machine_entered()
    else
      die_after(id, action.arguments.duration("delay"));
    return success();
  }
  if (action.name == "vm.crash") return cloud_->power_off(id);
  if (action.name == "vm.reboot") {
    const bool keep_disk = action.arguments.flag("keep_disk");
    lost_disk_ = lost_disk_ || !keep_disk;
    const Duration away = scenario_.cloud.distribution("reboot").sample(choices_, id, "reboot");
    scheduler_.call_after(domain_, away, [this, id, keep_disk] { (void)cloud_->power_on(id, keep_disk); });
    return cloud_->power_off(id);
  }
  if (action.name != "vm.pause") return unknown(action.name);
  later(action.arguments.duration("for"), [this, id] { (void)cloud_->freeze(id, false); });
  return cloud_->freeze(id, true);
}

Result<void> LocalWorld::act_on_agent(const fault::Action& action, const LocalCloud::Machine& vm) {
  const std::string id = vm.id;
  if (action.name == "agent.crash") {
    later(action.arguments.duration("restart"), [this, id] { (void)cloud_->start_agent(id); });
    return cloud_->signal_agent(id, SIGKILL);
  }
  if (action.name != "agent.hang") return unknown(action.name);
  later(action.arguments.duration("for"), [this, id] { (void)cloud_->signal_agent(id, SIGCONT); });
  return cloud_->signal_agent(id, SIGSTOP);
}

Result<void> LocalWorld::act_on_database(const fault::Action& action, const LocalCloud::Machine& vm) {
  const std::string& name = action.name;
  const ServerPlace server = place_of(vm);
  if (name == "db.crash") return crash_server(action, vm);
  if (name == "db.hang") return hang_server(action, vm);
  if (name == "db.lag") return lag_server(action, vm);
  if (name == "db.stop_sql") return stop_sql_thread(action, server);
  if (name == "db.stop_io") return servers_->run(server, {"STOP SLAVE IO_THREAD"}, false);
  if (name == "db.lose_read_only") {
    opened_[vm.id] = false;
    return servers_->run(server, {"SET GLOBAL read_only = 0"}, false);
  }
  if (name == "db.semi_sync_off")
    return servers_->run(server, {"SET GLOBAL rpl_semi_sync_master_enabled = 0"}, false);
  if (name == "db.errant")
    return servers_->run(
        server, {"CREATE DATABASE IF NOT EXISTS drover_errant", "DROP DATABASE drover_errant"}, true);
  if (name == "db.diverge")
    return servers_->run(
        server, {"CREATE DATABASE drover_diverged", "CREATE TABLE drover_diverged.alone (n INT)"}, false);
  if (name == "db.reset_server_id")
    return servers_->run(server, {"SET GLOBAL server_id = " + std::to_string(kDefaultServerId)}, false);
  if (name == "db.duplicate_server_id") return take_server_id(server);
  if (name != "db.purge_binlogs") return unknown(name);
  DROVER_TRY(servers_->run(server, {"FLUSH BINARY LOGS"}, false));
  DROVER_TRY(const auto status, servers_->ask(server, "SHOW MASTER STATUS"));
  if (status.empty()) return make_error(ErrorCode::database, "0: the server has no binary log");
  return servers_->run(server, {"PURGE BINARY LOGS TO '" + status.front().at("File") + "'"}, false);
}

Result<void> LocalWorld::take_server_id(const ServerPlace& server) {
  for (const auto& view : sight_.servers)
    if (view.vm != server.vm && view.answers)
      return servers_->run(server, {"SET GLOBAL server_id = " + std::to_string(view.server_id)}, false);
  return make_error(ErrorCode::not_found, "there is no other server whose server_id could be taken");
}

Result<void> LocalWorld::crash_server(const fault::Action& action, const LocalCloud::Machine& vm) {
  const auto pid = server_pid(vm.folder);
  if (!pid) return make_error(ErrorCode::not_found, "no server runs on " + vm.id);
  ::kill(*pid, SIGKILL);
  const auto restart = unless_never(action.arguments.duration("restart"));
  if (restart) scheduler_.call_after(domain_, *restart, [this, id = vm.id] { start_server(id); });
  return success();
}

// A VM has one disk: its agent and its server are both without room.
Result<void> LocalWorld::fill_disk(const fault::Action& action, const LocalCloud::Machine& vm) {
  if (place_.ground == nullptr || is_gone(vm.state))
    return make_error(ErrorCode::not_found, vm.id + " has no disk that could be filled");
  later(action.arguments.duration("for"),
        [this, folder = vm.folder] { (void)place_.ground->free_disk(folder); });
  return place_.ground->fill_disk(vm.folder);
}

// As a supervisor of the machine would; the manager may have done it before.
void LocalWorld::start_server(const std::string& vm) {
  const auto machine = machine_of(vm);
  if (!machine || !manager_ || server_pid(machine->folder)) return;
  const auto* node = manager_->manager.model().node_of_vm(vm);
  if (node == nullptr) return;
  StartServer command;
  command.server_id = node->server_id;
  command.generation = manager_->manager.core().journal.generation();
  http_agent_->call(CallContext{"supervisor", 30s}, Endpoint{machine->address, configuration_.agent_port},
                    command, [](const Result<AgentReply>&) {});
}

Result<void> LocalWorld::hang_server(const fault::Action& action, const LocalCloud::Machine& vm) {
  const auto pid = server_pid(vm.folder);
  if (!pid) return make_error(ErrorCode::not_found, "no server runs on " + vm.id);
  later(action.arguments.duration("for"), [pid = *pid, folder = vm.folder] {
    if (server_pid(folder) == pid) ::kill(pid, SIGCONT);
  });
  ::kill(*pid, SIGSTOP);
  return success();
}

Result<void> LocalWorld::lag_server(const fault::Action& action, const LocalCloud::Machine& vm) {
  const auto delay = [](std::int64_t seconds) {
    return std::vector<std::string>{
        "STOP SLAVE", "CHANGE MASTER TO MASTER_DELAY = " + std::to_string(seconds), "START SLAVE"};
  };
  const ServerPlace server = place_of(vm);
  const auto* view = sight_.of(vm.id);
  if (view == nullptr || !view->replication.configured)
    return make_error(ErrorCode::not_found, vm.id + " does not replicate");
  later(action.arguments.duration("for"),
        [this, server, delay] { (void)servers_->run(server, delay(0), false); });
  return servers_->run(server, delay(std::max<std::int64_t>(1, action.arguments.duration("by") / 1s)), false);
}

// The error is a real one: of a row that is there already (1062) or not any more (1032), or of a transaction
// of its own that took the number of the master's next (1950).
Result<void> LocalWorld::stop_sql_thread(const fault::Action& action, const ServerPlace& server) {
  const auto master = machine_of(master_vm());
  if (!master || master->id == server.vm)
    return make_error(ErrorCode::not_found, server.vm + " does not replicate");
  const ServerPlace from = place_of(*master);
  DROVER_TRY(servers_->run(from,
                           {"CREATE DATABASE IF NOT EXISTS drover_faults",
                            "CREATE TABLE IF NOT EXISTS drover_faults.conflicts (n INT PRIMARY KEY)",
                            "REPLACE INTO drover_faults.conflicts VALUES (1)"},
                           true));
  const TimePoint until = pump_.present() + kReplicated;
  const auto is_there = [&] {
    const auto rows = servers_->ask(server, "SELECT n FROM drover_faults.conflicts WHERE n = 1");
    return rows.has_value() && !rows.value().empty();
  };
  while (!is_there()) {
    if (pump_.present() > until)
      return make_error(ErrorCode::timeout,
                        server.vm + " does not follow the master: it cannot be harmed so");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const auto number = action.arguments.text("errno");
  if (number == "1062") {
    DROVER_TRY(servers_->run(server, {"INSERT INTO drover_faults.conflicts VALUES (2)"}, false));
    return servers_->run(from, {"INSERT INTO drover_faults.conflicts VALUES (2)"}, true);
  }
  if (number == "1032") {
    DROVER_TRY(servers_->run(server, {"DELETE FROM drover_faults.conflicts WHERE n = 1"}, false));
    return servers_->run(from, {"DELETE FROM drover_faults.conflicts WHERE n = 1"}, true);
  }
  DROVER_TRY(servers_->run(server, {"INSERT INTO drover_faults.conflicts VALUES (3)"}, true));
  return servers_->run(from, {"INSERT INTO drover_faults.conflicts VALUES (4)"}, true);
}

}  // namespace drover::scenario
