#include "scenarios/engine/invariants.hpp"

#include <algorithm>

namespace drover::scenario {

using model::NodeId;
using model::OperationKind;
using model::ServiceState;

namespace {

constexpr Duration kAnswerBound = 15min;   // L7: a dump may take that long; everything else is far below
constexpr Duration kReadOnlyGrace = 2min;  // S9: how long a replica may be writable until it is noticed
constexpr std::uint64_t kEventsPerInstant = 2'000'000;  // L6
constexpr std::uint64_t kCallsPerNodeAndMinute = 60;    // S10

constexpr Invariant kInvariants[] = {
    {"S1", "every VM belongs to a live record or carries a findable tag; never two for one node"},
    {"S2", "at most one writable, client-reachable master"},
    {"S3", "no acknowledged write is lost where the durability mode promises it"},
    {"S4", "a promoted replica has everything that any reachable candidate has"},
    {"S5", "only legal state transitions of service, nodes and operations"},
    {"S6", "no VM is deleted that is not ours or holds the last copy of the data"},
    {"S7", "one operation per idempotency key"},
    {"S8", "an acknowledged operation survives a crash; epochs never go back"},
    {"S9", "unique server-ids; replicas are read-only; no replication cycle"},
    {"S10", "bounds on retries, call rate and VMs created"},
    {"S11", "no secret in logs, journal or traces"},
    {"S12", "no state is reported before it is true"},
    {"L1", "every operation ends"},
    {"L2", "the wanted state is reached and stays"},
    {"L3", "no VM, volume or address is leaked"},
    {"L4", "every replica runs, has caught up and holds the master's data"},
    {"L5", "nothing gets worse again without a new fault"},
    {"L6", "no livelock"},
    {"L7", "every API call is answered within its bound"},
};

}  // namespace

std::span<const Invariant> invariants() { return kInvariants; }

Checkers::Checkers(SimWorld& world) : world_(world) {
  world_.set_watch([this](std::string_view point, std::string_view subject) { at_point(point, subject); });
}

std::uint64_t Checkers::fired() const {
  std::uint64_t total = 0;
  for (const auto& count : world_.faults().counts()) total += count.fired;
  return total;
}

void Checkers::at_point(std::string_view point, std::string_view subject) {
  if (point == "vm.gone") check_killed(std::string(subject));
  if (point == "node.running") check_running(std::string(subject));
  if (point == "service.stopped") check_stopped();
  if (point == "operation.done") check_operation_done(std::string(subject));
  if (point == "node.lost" && fired() == 0 && !world_.disturbed())
    world_.report("L5", std::string(subject) + " was lost although nothing was done to it",
                  "L5 lost without a fault");
}

void Checkers::after_event() {
  if (world_.scheduler().now() != instant_) {
    instant_ = world_.scheduler().now();
    events_at_instant_ = 0;
  } else if (++events_at_instant_ == kEventsPerInstant) {
    world_.report(
        "L6", "time stands still: " + std::to_string(kEventsPerInstant) + " events at the same moment", "L6");
  }
  const auto& pending = world_.pending_requests();
  if (!pending.empty() && instant_ - pending.begin()->second.since > kAnswerBound)
    world_.report(
        "L7", pending.begin()->second.method + " was not answered within " + drover::to_text(kAnswerBound),
        "L7 " + pending.begin()->second.method);
}

void Checkers::after_change() {
  check_masters();
  check_instances();
  check_nodes();
}

// S2, and that epochs only grow (S8).
void Checkers::check_masters() {
  if (world_.fleet().writable_primaries() > 1)
    world_.report("S2",
                  std::to_string(world_.fleet().writable_primaries()) + " masters take writes from clients",
                  "S2 two masters");
  if (const auto* manager = world_.manager(); manager != nullptr)
    epoch_ = std::max(epoch_, manager->model().service.epoch);
}

// S1 for the VMs that changed.
void Checkers::check_instances() {
  auto& cloud = world_.cloud();
  const auto changed = cloud.take_changed();
  const auto* manager = world_.manager();
  for (const auto& id : changed) {
    const auto* vm = cloud.instance(id);
    if (vm == nullptr) continue;
    if (!vm->live() || is_gone(vm->state)) {
      living_.erase(id);
      continue;
    }
    bool tagged = false;
    for (const auto& [key, value] : vm->spec.tags) tagged = tagged || key == kServiceTag;
    if (!tagged && manager != nullptr) {
      const bool recorded = manager->model().node_of_vm(id) != nullptr;
      if (!recorded && fired() == 0)
        world_.report("S1", "VM " + id + " carries no tag of the service and no record knows it",
                      "S1 untagged");
    }
    // A second VM for one node while the first lives: only a cloud that was made to misbehave may cause it.
    const std::string subject = SimWorld::subject_of(*vm);
    if (!tagged || !living_.emplace(id, subject).second) continue;
    std::string& present = newest_of_[subject];
    const bool surplus = !present.empty() && living_.contains(present);
    present = id;
    if (surplus && fired() == 0 && !world_.disturbed())
      world_.report("S1", subject + " has two VMs at once", "S1 surplus VM");
  }
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

// Whether the service's data is lost with this VM: it is the master's, or its server alone has acknowledged
// writes.
bool Checkers::holds_data(const std::string& id) {
  const auto& model = world_.manager()->model();
  const auto* primary = model.node(model.service.primary);
  if (primary != nullptr && primary->vm == id) return world_.fleet().truth(id).has_value();
  auto* traffic = world_.traffic();
  auto* server = world_.fleet().server(id);
  if (traffic == nullptr || server == nullptr || !world_.known_master()) return false;
  auto* master = world_.fleet().server(world_.fleet().id_at(*world_.known_master()));
  return master != nullptr && traffic->lost(*server) < traffic->lost(*master);
}

// S6: a VM has begun to go.
void Checkers::check_killed(const std::string& id) {
  const auto* vm = world_.cloud().instance(id);
  if (vm == nullptr) return;
  bool ours = false;
  for (const auto& [key, value] : vm->spec.tags) ours = ours || key == kServiceTag;
  const auto* manager = world_.manager();
  if (!ours && manager != nullptr && fired() == 0 && !world_.disturbed())
    world_.report("S6", "VM " + id + " is none of the service's, and was destroyed", "S6 foreign VM");
  if (manager == nullptr || !holds_data(id)) return;
  promised_ = false;
  bool wanted = false;
  for (const auto operation_id : manager->model().active()) {
    const auto& request = manager->model().operation(operation_id)->request;
    wanted = wanted || request.kind == OperationKind::shutdown ||
             (request.kind == OperationKind::remove_nodes && request.force);
  }
  if (wanted) return;
  for (const auto& other : world_.fleet().ids())
    if (other != id && world_.fleet().same_data(id, other)) return;
  world_.report("S6", "VM " + id + " held the last copy of the data, and was destroyed", "S6 last copy");
}

// S12: the manager calls a node RUNNING.
void Checkers::check_running(const std::string& subject) {
  // The VM of the record: a cloud that drops tags hides whose VM it is.
  const auto* manager = world_.manager();
  const auto* node =
      manager != nullptr && subject.starts_with("node-") ? manager->model().find(subject.substr(5)) : nullptr;
  const auto truth = node == nullptr ? std::nullopt : world_.fleet().truth(node->vm);
  if (truth && truth->server_running) return;
  if (fired() > 0 || world_.disturbed()) {
    // It may have died between its answer and the record; it must have been up once, though.
    if (truth && truth->server_id != 0) return;
  }
  world_.report("S12", subject + " is called RUNNING, but its database server does not run", "S12 running");
}

void Checkers::check_stopped() {
  std::size_t living = 0;
  world_.cloud().for_each_instance([&](const cloud::Instance& vm) {
    bool ours = false;
    for (const auto& [key, value] : vm.spec.tags) ours = ours || key == kServiceTag;
    if (ours && vm.live() && !is_gone(vm.state)) ++living;
  });
  if (living > 0 && fired() == 0 && !world_.disturbed())
    world_.report("S12", "the service is called STOPPED while " + std::to_string(living) + " of its VMs live",
                  "S12 stopped");
}

void Checkers::check_operation_done(const std::string& subject) {
  const auto* manager = world_.manager();
  if (manager == nullptr || !subject.starts_with("op-")) return;
  const auto* operation = manager->model().operation(std::stoll(subject.substr(3)));
  if (operation == nullptr) return;
  const auto kind = operation->request.kind;
  if (kind != OperationKind::set_up_replica_master && kind != OperationKind::promote) return;
  const auto* node = manager->model().node(operation->request.node);
  const auto truth = node == nullptr ? std::nullopt : world_.fleet().truth(node->vm);
  const bool excused = fired() > 0 || world_.disturbed();
  if (!truth || truth->role != Role::primary || (truth->read_only && !excused)) {
    world_.report(
        "S12",
        subject + " is DONE, but node " + model::id_text(operation->request.node) + " is no writable master",
        "S12 master");
    return;
  }
  if (kind != OperationKind::promote) return;
  // S3: a planned switchover loses nothing, whatever the durability mode.
  auto* server = world_.fleet().server(node->vm);
  if (const auto* traffic = world_.traffic(); traffic != nullptr && server != nullptr && promised_)
    if (const auto lost = traffic->lost(*server); lost > 0)
      world_.report("S3", subject + " lost " + std::to_string(lost) + " acknowledged write(s)",
                    "S3 lost by switchover");
  // S4: nobody reachable knows more than the promoted one.
  for (const auto& id : world_.fleet().ids()) {
    const auto other = world_.fleet().truth(id);
    if (!other || !other->responsive || other->role != Role::replica) continue;
    const auto* rival = world_.fleet().server(id);
    if (server != nullptr && rival != nullptr && rival->data().minus(server->data()).size() > 0)
      world_.report("S4", other->name + " has transactions that the promoted " + truth->name + " lacks",
                    "S4");
  }
}

void Checkers::acknowledged(model::OperationId operation, const std::string& key) {
  acknowledged_.emplace(operation, key);
  if (key.empty()) return;
  const auto [known, inserted] = keys_.emplace(key, operation);
  if (!inserted && known->second != operation)
    world_.report("S7",
                  "key \"" + key + "\" was answered with operation " + model::id_text(known->second) +
                      " and then with " + model::id_text(operation),
                  "S7 two operations of one key");
}

void Checkers::check_restart() {
  const auto* manager = world_.manager();
  if (manager == nullptr) return;
  constexpr model::OperationId kPrunedBelow = 900;  // the manager forgets the oldest ended ones
  for (const auto& [operation, key] : acknowledged_) {
    if (manager->model().operation(operation) != nullptr) continue;
    if (manager->model().service.next_operation > operation + kPrunedBelow) continue;
    world_.report("S8", "operation " + model::id_text(operation) + " was acknowledged, and is forgotten",
                  "S8 operation forgotten");
  }
  if (manager->model().service.epoch < epoch_)
    world_.report("S8",
                  "the epoch went back from " + std::to_string(epoch_) + " to " +
                      std::to_string(manager->model().service.epoch),
                  "S8 epoch went back");
}

void Checkers::check_secrets() {
  const auto holds_secret = [&](const std::string& text) {
    return std::any_of(world_.secrets().begin(), world_.secrets().end(), [&](const std::string& secret) {
      return !secret.empty() && text.find(secret) != std::string::npos;
    });
  };
  if (auto stored = world_.journal().load(); stored.has_value())
    for (const auto& document : stored.value())
      if (holds_secret(document.document)) world_.report("S11", "the journal holds a secret", "S11 journal");
  if (const auto* manager = world_.manager(); manager != nullptr)
    for (const auto& line : manager->core().log_lines())
      if (holds_secret(line)) world_.report("S11", "the log holds a secret", "S11 log");
  for (const auto& entry : world_.trace().entries())
    if (holds_secret(entry.detail)) world_.report("S11", "the trace holds a secret", "S11 trace");
}

void Checkers::check_bounds() {
  const auto* manager = world_.manager();
  if (manager == nullptr) return;
  const auto& service = manager->model().service;
  const auto nodes_ever = static_cast<std::uint64_t>(service.next_node - 1);
  const auto attempts = world_.configuration().boot_attempts;
  const auto faults = fired();
  if (world_.cloud().total_created() > nodes_ever * attempts + faults)
    world_.report("S10",
                  std::to_string(world_.cloud().total_created()) + " VMs were created for " +
                      std::to_string(nodes_ever) + " nodes",
                  "S10 VMs");
  const double minutes = to_seconds(world_.scheduler().now()) / 60 + 1;
  const auto polls = 60.0 / std::max(1.0, to_seconds(world_.configuration().poll_agents_timer)) +
                     60.0 / std::max(1.0, to_seconds(world_.configuration().poll_interval));
  const double bound = minutes * (static_cast<double>(nodes_ever) + 2) *
                       (static_cast<double>(kCallsPerNodeAndMinute) + 4 * polls);
  if (static_cast<double>(world_.counts().iaas) > bound)
    world_.report("S10",
                  std::to_string(world_.counts().iaas) + " calls to the cloud in " + std::to_string(minutes) +
                      " minutes",
                  "S10 calls");
}

bool Checkers::settled() {
  const auto* manager = world_.manager();
  if (manager == nullptr) return false;
  const auto state = manager->dstate();
  if (manager->model().active_operations() > 0) return false;
  if (state != ServiceState::S_RUNNING && state != ServiceState::S_STOPPED && state != ServiceState::S_INIT &&
      state != ServiceState::S_ERROR)
    return false;
  if (!world_.pending_requests().empty()) return false;
  if (manager->model().count(model::NodeState::removing) > 0) return false;
  if (world_.leaked_instances() > 0) return false;
  for (const auto& [id, node] : manager->model().nodes()) {
    if (node.role != Role::replica || !model::is_listed(node.state)) continue;
    const auto truth = world_.fleet().truth(node.vm);
    if (!truth || !truth->responsive) continue;
    if (truth->replication.io != ThreadState::yes || !truth->replication.sql_running) return false;
  }
  return true;
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

void Checkers::at_end(bool judged) {
  check_restart();
  check_secrets();
  if (!judged) return;
  check_bounds();
  const auto* manager = world_.manager();
  if (manager == nullptr) {
    world_.report("L2", "the manager does not run at the end", "L2 no manager");
    return;
  }
  for (const auto id : manager->model().active()) {
    const auto* operation = manager->model().operation(id);
    world_.report("L1",
                  model::operation_name(id) + " (" + model::to_text(operation->request.kind) + ") is still " +
                      model::to_text(operation->state),
                  std::string("L1 ") + model::to_text(operation->request.kind));
  }
  const auto state = manager->dstate();
  if (state == ServiceState::S_PROLOGUE || state == ServiceState::S_ADAPTING ||
      state == ServiceState::S_EPILOGUE)
    world_.report("L2", std::string("the service is still ") + model::to_text(state), "L2 service state");
  for (const auto& [id, node] : manager->model().nodes())
    if (!model::is_listed(node.state))
      world_.report("L2", model::node_name(id) + " is still " + model::to_text(node.state), "L2 node state");
  if (const auto leaked = world_.leaked_instances(); leaked > 0)
    world_.report("L3", std::to_string(leaked) + " VM(s) live that nobody accounts for", "L3 leaked VM");
  if (const auto leaked = world_.leaked_volumes(); leaked > 0)
    world_.report("L3", std::to_string(leaked) + " volume(s) are left that nobody accounts for",
                  "L3 leaked volume");
  check_replicas();
}

std::uint64_t Checkers::check_writes() {
  auto* traffic = world_.traffic();
  if (traffic == nullptr || !world_.known_master()) return 0;
  auto* server = world_.fleet().server(world_.fleet().id_at(*world_.known_master()));
  if (server == nullptr) return 0;
  if (const auto phantoms = traffic->phantoms(*server); phantoms > 0)
    world_.report("S3", std::to_string(phantoms) + " write(s) on the master that no client made",
                  "S3 phantom");
  const auto lost = traffic->lost(*server);
  if (lost == 0) return 0;
  if (promised_ || world_.configuration().semi_sync) {
    world_.report("S3", std::to_string(lost) + " acknowledged write(s) are lost", "S3 lost");
    return 0;
  }
  return lost;
}

}  // namespace drover::scenario
