#include "scenarios/engine/check_servers.hpp"

#include <algorithm>
#include <utility>

namespace drover::scenario {
namespace {

constexpr Duration kReadOnlyGrace = 2min;  // how long a replica may be writable until it is noticed
constexpr Duration kRecently = 5s;         // of a server's end: what it had received went with it

}  // namespace

void Servers::after_change() {
  for (const auto& id : world_.fleet().take_changed()) look_at(id);
  if (!writable_.empty()) check_writable();
  if (!open_replicas_.empty()) check_open_replicas();
}

TimePoint Servers::taking_since(const std::string& vm) const {
  const auto found = seen_.find(vm);
  return found == seen_.end() || !writable_.contains(vm) ? kNever : found->second.taking_since;
}

TimePoint Servers::running_since(const std::string& vm) const {
  const auto found = seen_.find(vm);
  return found == seen_.end() ? kNever : found->second.running_since;
}

void Servers::look_at(const std::string& id) {
  auto& fleet = world_.fleet();
  const auto truth = fleet.truth(id);
  if (!truth) {
    writable_.erase(id);
    open_replicas_.erase(id);
    return;
  }
  const TimePoint now = world_.scheduler().now();
  const node::SimServer& server = *fleet.server(id);
  Seen& seen = seen_[id];
  seen.open_since = truth->read_only ? kNever : std::min(seen.open_since, now);
  seen.taking_since = truth->client_can_write ? std::min(seen.taking_since, now) : kNever;
  if (truth->client_can_write)
    writable_[id] = seen.open_since;
  else
    writable_.erase(id);
  if (truth->server_running && truth->role == Role::replica && !truth->read_only)
    open_replicas_.emplace(id, now);
  else
    open_replicas_.erase(id);
  const bool another = seen.process != server.process();
  if (seen.running_since != kNever && (!truth->server_running || another)) seen.down_at = now;
  if (!truth->server_running)
    seen.running_since = kNever;
  else if (another || seen.running_since == kNever)
    seen.running_since = now;
  seen.process = server.process();
  if (const auto* manager = world_.manager();
      // A journal that was put back has to find the epoch again.
      manager != nullptr && truth->epoch > manager->model().service.epoch && world_.journal().losses() == 0)
    world_.report("S8",
                  "the manager is at epoch " + std::to_string(manager->model().service.epoch) + ", but " +
                      truth->name + " was told " + std::to_string(truth->epoch),
                  "S8 epoch went back");
  const auto* machine = world_.cloud().instance(id);
  if (truth->epoch < seen.epoch && machine != nullptr &&
      !world_.evidence().any_to(*machine, {"vm.lose_disk"}))
    world_.report("W2",
                  "the agent of " + truth->name + " has forgotten epoch " + std::to_string(seen.epoch) +
                      " and knows of " + std::to_string(truth->epoch),
                  "W2 an agent's epoch went back");
  seen.epoch = truth->epoch;
  if (const auto* vm = machine;
      vm != nullptr && vm->state == InstanceState::terminated && !vm->powered && truth->up)
    world_.report("W1", "VM " + id + " is terminated, and its machine runs", "W1 terminated VM runs");
  check_position(seen, id, *truth, server);
  check_server_id(id);
  look_for_twins(id);
  if (truth->role == Role::replica && !world_.evidence().any(kAstray) && !is_beyond_knowledge(id)) {
    const std::string cycle = fleet.replication_cycle();
    if (!cycle.empty()) world_.report("S9", "replication goes in a circle: " + cycle, "S9 cycle");
  }
  if (truth->replication.configured) check_replication(id, *truth, server);
}

// --- S2, S9 ---

// What the journal has forgotten only the agents can tell; this one was kept from telling it.
bool Servers::is_beyond_knowledge(const std::string& id) const {
  const auto* vm = world_.cloud().instance(id);
  return world_.journal().losses() > 0 && vm != nullptr &&
         world_.evidence().touched(*vm, world_.journal().lost_at());
}

bool Servers::may_be_writable(const cloud::Instance& vm) const {
  const auto* service = world_.durable().service();
  return service != nullptr && service->maybe_writable != 0 &&
         world_.durable().node_of_vm(vm.id) == service->maybe_writable;
}

void Servers::check_writable() {
  unsigned masters = 0;
  for (const auto& [id, since] : writable_) {
    const auto* vm = world_.cloud().instance(id);
    // A zombie's machine is beyond everybody's reach.
    if (vm == nullptr || is_gone(vm->state)) continue;
    // Whoever was opened by a fault stays so until somebody notices.
    if (world_.evidence().any_to(*vm, {"db.lose_read_only", "agent.lie"}, since - kRecently)) continue;
    // Told in the place of another that has, or had, the same address.
    if (world_.evidence().any_to(*vm, kAstray) || is_beyond_knowledge(id)) continue;
    ++masters;
    if (may_be_writable(*vm)) continue;
    // The leave was in what the journal lost, or cannot be read now.
    if (world_.journal().losses() > 0 || world_.durable().service() == nullptr) continue;
    const auto node = world_.durable().node_of_vm(id);
    // No member any more: somebody took it from the list because the cloud or its agent said so.
    if (node == 0 && world_.evidence().touched(*vm)) continue;
    world_.report("S2",
                  vm->spec.name + " takes writes from clients, and the journal does not say that it may",
                  "S2 writable without leave");
  }
  if (masters > 1)
    world_.report("S2", std::to_string(masters) + " servers take writes from clients", "S2 two masters");
}

void Servers::check_open_replicas() {
  const TimePoint now = world_.scheduler().now();
  for (const auto& [id, since] : open_replicas_) {
    if (now - since <= kReadOnlyGrace) continue;
    const auto* vm = world_.cloud().instance(id);
    if (vm == nullptr || is_gone(vm->state) || world_.durable().node_of_vm(id) == 0) continue;
    // Who cannot be reached, or lies, cannot be closed.
    const TimePoint lately = now - kReadOnlyGrace;
    if (world_.evidence().any(kAstray) || world_.evidence().touched(*vm, lately) ||
        world_.evidence().any({"manager.crash", "manager.pause"}, lately))
      continue;
    world_.report("S9",
                  "the replica on " + id + " takes writes for more than " + drover::to_text(kReadOnlyGrace),
                  "S9 writable replica");
  }
}

void Servers::check_server_id(const std::string& id) {
  const auto* manager = world_.manager();
  const auto* node = manager == nullptr ? nullptr : manager->model().find(id);
  if (node == nullptr || node->server_id == 0) return;
  const auto known = server_ids_.find(node->server_id);
  const auto* other = known == server_ids_.end() ? nullptr : manager->model().node(known->second);
  if (other != nullptr && other->id != node->id && other->server_id == node->server_id)
    world_.report("S9", "two nodes were given server_id " + std::to_string(node->server_id),
                  "S9 server_id twice");
  server_ids_[node->server_id] = node->id;
}

// Of replicas with one server_id the source serves the last that connected; another acknowledges what passes
// it by.
void Servers::look_for_twins(const std::string& id) {
  if (!world_.evidence().any({"db.duplicate_server_id", "db.reset_server_id"})) return;
  Seen& seen = seen_[id];
  const bool before = std::exchange(seen.twin, false);
  const auto own = world_.fleet().server(id)->server_id();
  for (const auto& other : world_.fleet().ids())
    if (other != id && world_.fleet().server(other)->server_id() == own) seen.twin = seen_[other].twin = true;
  if (before || seen.twin) seen.twin_at = world_.scheduler().now();
}

// --- W2 ---

bool Servers::data_was_tampered_with() const {
  return lost_a_disk_ || !strict_ ||
         world_.evidence().any({"db.errant", "db.diverge", "db.duplicate_server_id", "db.reset_server_id",
                                "db.lose_read_only"});
}

void Servers::check_position(Seen& seen, const std::string& id, const node::NodeTruth& truth,
                             const node::SimServer& server) {
  if (seen.data_generation != server.data_generation()) {
    seen.data_generation = server.data_generation();
    // Wiped for a clone it holds the source's data later; after a reboot without its disk its history begins
    // anew.
    const auto* vm = world_.cloud().instance(id);
    lost_a_disk_ = lost_a_disk_ || vm == nullptr || world_.evidence().any_to(*vm, {"vm.lose_disk"});
  } else if (!truth.gtid_slave_pos.reaches(seen.slave_pos)) {
    world_.report("W2",
                  truth.name + ": gtid_slave_pos went back from " + seen.slave_pos.to_text() + " to " +
                      truth.gtid_slave_pos.to_text(),
                  "W2 gtid_slave_pos went back");
  }
  seen.slave_pos = truth.gtid_slave_pos;
}

void Servers::check_replication(const std::string& id, const node::NodeTruth& truth,
                                const node::SimServer& server) {
  const auto& state = truth.replication;
  const bool both = state.io == ThreadState::yes && state.sql_running;
  if (both == (state.seconds_behind < 0))
    world_.report("W2",
                  truth.name + ": Seconds_Behind_Master is " + std::to_string(state.seconds_behind) +
                      " with I/O " + to_text(state.io) + " and SQL " + (state.sql_running ? "Yes" : "No"),
                  "W2 Seconds_Behind_Master");
  // Whoever has the address of the source need not be the source.
  if (state.io != ThreadState::yes || data_was_tampered_with() || world_.evidence().any(kAstray)) return;
  const std::string source_id = world_.fleet().id_at(state.source_address);
  const auto* source = source_id.empty() || source_id == id ? nullptr : world_.fleet().server(source_id);
  if (source == nullptr || !source->running() || !server.source().log_file.empty()) return;
  if (server.data().minus(source->data()).size() > 0)
    world_.report("W2", truth.name + " has transactions that its source never had", "W2 data without source");
  if (truth.relay_pending == 0 && truth.gtid_slave_pos == source->gtid_binlog_pos() &&
      !(server.data() == source->data()))
    world_.report("W2", truth.name + " is where its source is, with other data",
                  "W2 same position other data");
}

void Servers::acknowledged(const node::SimServer& server, node::Stamp stamp) {
  if (server.read_only() && !world_.configuration().semi_sync)
    world_.report("W2", server.name() + " is read-only and took a client's write", "W2 write on read-only");
  if (!server.semi_sync_active()) return;
  const TimePoint now = world_.scheduler().now();
  for (const auto& id : world_.fleet().ids()) {
    const auto* other = world_.fleet().server(id);
    if (other != &server && other->has_received(stamp)) return;
    const auto seen = seen_.find(id);
    if (seen == seen_.end()) continue;
    const Seen& lately = seen->second;
    // Its own as well: a replica with its server_id passes its transactions by.
    if (lately.twin || now - lately.twin_at < kRecently) return;
    if (other == &server) continue;
    if (now - lately.down_at < kRecently) return;
    if (now - lately.told_at < kRecently) return;
  }
  if (world_.evidence().any({"db.lose_relay_log"}, now - kRecently)) return;
  // Whom a replica knows by the server_id of another it has, or had, passes it by for as long as it is
  // connected.
  if (world_.evidence().any({"db.duplicate_server_id", "db.reset_server_id"})) return;
  world_.report("W2", server.name() + " acknowledged a semi-synchronous write that no replica has",
                "W2 semi-sync acknowledged alone");
}

std::optional<std::vector<std::uint64_t>> counted_in(const node::StampSet& data, const node::Ledger& ledger) {
  std::vector<std::uint64_t> counted(ledger.counters());
  for (const auto& interval : data.intervals())
    for (node::Stamp stamp = interval.first; stamp <= interval.last; ++stamp) {
      const auto item = ledger.item(stamp);
      if (item == node::Ledger::kNothing) continue;
      if (item != node::Ledger::kChange)
        ++counted[item];
      else if (!ledger.change(stamp).counters.empty())
        return std::nullopt;
    }
  return counted;
}

void Servers::at_end() {
  for (const auto& id : world_.fleet().ids()) {
    const auto* server = world_.fleet().server(id);
    const auto counted = counted_in(server->data(), world_.fleet().ledger());
    if (!counted) continue;
    for (std::size_t i = 0; i < counted->size(); ++i) {
      const auto counter = server->read_counter(static_cast<node::Ledger::Item>(i));
      if (counter != (*counted)[i])
        world_.report("W2",
                      server->name() + ": a counter is " + std::to_string(counter) + " after " +
                          std::to_string((*counted)[i]) + " write(s)",
                      "W2 counter differs from data");
    }
  }
}

}  // namespace drover::scenario
