// What the manager has promised and what it says: S4, S7, S8, S12.
#include "scenarios/engine/invariants.hpp"

namespace drover::scenario {

using model::OperationKind;

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

}  // namespace drover::scenario
