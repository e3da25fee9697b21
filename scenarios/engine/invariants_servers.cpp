// Database servers: S2, S3, S9, and L4.
#include <algorithm>

#include "scenarios/engine/invariants.hpp"

namespace drover::scenario {

namespace {

constexpr Duration kReadOnlyGrace = 2min;  // S9: how long a replica may be writable until it is noticed

}  // namespace

// S2, and that epochs only grow (S8).
void Checkers::check_masters() {
  if (world_.fleet().writable_primaries() > 1)
    world_.report("S2",
                  std::to_string(world_.fleet().writable_primaries()) + " masters take writes from clients",
                  "S2 two masters");
  if (const auto* manager = world_.manager(); manager != nullptr)
    epoch_ = std::max(epoch_, manager->model().service.epoch);
}

// S9, and agents' epochs against the manager's (S8).
void Checkers::check_nodes() {
  auto& fleet = world_.fleet();
  const auto changed = fleet.take_changed();
  const auto* manager = world_.manager();
  for (const auto& id : changed) {
    const auto truth = fleet.truth(id);
    if (!truth || !truth->server_running || truth->role != Role::replica || truth->read_only)
      writable_replicas_.erase(id);
    else
      writable_replicas_.emplace(id, world_.scheduler().now());
    if (truth && manager != nullptr && truth->epoch > manager->model().service.epoch)
      world_.report("S8",
                    "the manager is at epoch " + std::to_string(manager->model().service.epoch) + ", but " +
                        truth->name + " was told " + std::to_string(truth->epoch),
                    "S8 epoch went back");
    if (truth && truth->role == Role::replica) {
      const std::string cycle = fleet.replication_cycle();
      if (!cycle.empty()) world_.report("S9", "replication goes in a circle: " + cycle, "S9 cycle");
    }
  }
  for (const auto& [id, since] : writable_replicas_) {
    if (world_.scheduler().now() - since <= kReadOnlyGrace) continue;
    world_.report("S9",
                  "the replica on " + id + " takes writes for more than " + drover::to_text(kReadOnlyGrace),
                  "S9 writable replica");
  }
  if (manager == nullptr) return;
  for (const auto& id : changed) {
    const auto* node = manager->model().find(id);
    if (node == nullptr || node->server_id == 0) continue;
    const auto known = server_ids_.find(node->server_id);
    const auto* other = known == server_ids_.end() ? nullptr : manager->model().node(known->second);
    if (other != nullptr && other->id != node->id && other->server_id == node->server_id)
      world_.report("S9", "two nodes were given server_id " + std::to_string(node->server_id),
                    "S9 server_id twice");
    server_ids_[node->server_id] = node->id;
  }
}

// L4, once the clients have stopped.
void Checkers::check_replicas() {
  const auto* manager = world_.manager();
  if (manager == nullptr) return;
  const auto& model = manager->model();
  const auto* primary = model.node(model.service.primary);
  if (primary == nullptr || primary->state != model::NodeState::running) return;
  for (const auto& [id, node] : model.nodes()) {
    if (node.role != Role::replica || node.state != model::NodeState::running) continue;
    const auto truth = world_.fleet().truth(node.vm);
    const std::string name = model::node_name(id);
    if (!truth || !truth->replication.configured || truth->replication.io != ThreadState::yes ||
        !truth->replication.sql_running) {
      world_.report(
          "L4",
          name + " does not replicate: " + (truth ? truth->replication.last_error : "its server is gone"),
          "L4 not replicating");
      continue;
    }
    if (!world_.fleet().same_data(primary->vm, node.vm))
      world_.report("L4", name + " does not hold the master's data", "L4 data differs");
  }
}

// S3, seen by a client: whom the manager calls the master does not show what it acknowledged before.
void Checkers::check_reads() {
  auto* traffic = world_.traffic();
  if (traffic == nullptr || traffic->stats().stale_reads == stale_reads_) return;
  stale_reads_ = traffic->stats().stale_reads;
  const auto& address = traffic->stale_address();
  if (promised_ && world_.fleet().id_at(address) == world_.master_vm())
    world_.report("S3", "the master at " + address + " does not show a write that it acknowledged before",
                  "S3 stale");
}

std::uint64_t Checkers::check_writes() {
  auto* traffic = world_.traffic();
  if (traffic == nullptr) return 0;
  auto* server = world_.fleet().server(world_.master_vm());
  if (server == nullptr) return 0;
  if (const auto phantoms = traffic->phantoms(*server); phantoms > 0)
    world_.report("S3", std::to_string(phantoms) + " write(s) on the master that no client made",
                  "S3 phantom");
  const auto lost = traffic->lost(*server);
  if (lost == 0) return 0;
  if (promised_ || traffic->lost_protected(*server) > 0) {
    world_.report("S3", std::to_string(lost) + " acknowledged write(s) are lost", "S3 lost");
    return 0;
  }
  return lost;
}

}  // namespace drover::scenario
