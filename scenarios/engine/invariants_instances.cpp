// VMs: S1 (each is somebody's), S6 (none is destroyed that must not be), S10 (how many, how often asked).
#include <algorithm>

#include "scenarios/engine/invariants.hpp"

namespace drover::scenario {

using model::OperationKind;

namespace {

constexpr std::uint64_t kCallsPerNodeAndMinute = 60;  // S10

bool is_tagged(const cloud::Instance& vm) {
  return std::any_of(vm.spec.tags.begin(), vm.spec.tags.end(),
                     [](const auto& tag) { return tag.first == kServiceTag; });
}

}  // namespace

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
    if (!is_tagged(*vm)) {
      const bool recorded = manager == nullptr || manager->model().node_of_vm(id) != nullptr;
      if (!recorded && !world_.evidence().any_to(*vm, {"vm.forget_tags", "drop_tags"}))
        world_.report("S1", "VM " + id + " carries no tag of the service and no record knows it",
                      "S1 untagged");
      continue;
    }
    const std::string subject = SimWorld::subject_of(*vm);
    if (living_.emplace(id, subject).second) check_surplus(*vm, subject);
  }
}

// A second VM for one node while the first lives: only when the cloud does not know the token, or after the
// first was to be destroyed.
void Checkers::check_surplus(const cloud::Instance& vm, const std::string& subject) {
  std::string& present = newest_of_[subject];
  const std::string before = std::exchange(present, vm.id);
  if (before.empty() || !living_.contains(before) || doomed_.contains(before)) return;
  if (const auto* service = world_.durable().service();
      service != nullptr && service->doomed.contains(before))
    return;
  if (!world_.honours_tokens() || world_.evidence().any_to(vm, {"ignore_token", "expire_token"})) return;
  world_.report("S1", subject + " has two VMs at once", "S1 surplus VM");
}

// Whether the service's data is lost with this VM: it is the master's, or its server alone has acknowledged
// writes.
bool Checkers::holds_data(const std::string& id) {
  const auto& model = world_.manager()->model();
  const auto* primary = model.node(model.service.primary);
  if (primary != nullptr && primary->vm == id) return world_.fleet().truth(id).has_value();
  auto* traffic = world_.traffic();
  auto* server = world_.fleet().server(id);
  if (traffic == nullptr || server == nullptr) return false;
  auto* master = world_.fleet().server(world_.master_vm());
  return master != nullptr && traffic->lost(*server) < traffic->lost(*master);
}

// S6: the manager is about to destroy a VM.
void Checkers::check_foreign(const std::string& id) {
  const auto* vm = world_.cloud().instance(id);
  if (vm == nullptr) return;
  if (!vm->asked_token().starts_with(world_.configuration().service_id + ":"))
    world_.report("S6", "VM " + id + " is none of the service's, and was destroyed", "S6 foreign VM");
}

// S6: once another server has the writes, a fail-over takes away only what is lost: a machine that runs comes
// back with its data.
void Checkers::check_discarded(const std::string& id) {
  const auto& model = world_.manager()->model();
  const auto* node = model.node_of_vm(id);
  const auto* operation = node == nullptr ? nullptr : model.operation(node->operation);
  if (operation == nullptr || operation->request.kind != OperationKind::fail_over ||
      operation->former != node->id || model.service.primary == node->id ||
      model.service.maybe_writable == node->id)
    return;
  constexpr Duration kLately = 2min;  // it may have been off when the cloud was asked
  const auto* vm = world_.cloud().instance(id);
  const auto truth = world_.fleet().truth(id);
  if (vm == nullptr || !truth || !truth->up || !truth->agent_running ||
      world_.evidence().machine_touched(*vm, world_.scheduler().now() - kLately))
    return;
  world_.report("S6", model::node_name(node->id) + " runs, and is destroyed as lost",
                "S6 running VM destroyed");
}

// A slave that is removed on request, and has what no other slave has: what it has confirmed is on the master
// alone then.
bool Checkers::is_only_witness(const std::string& id) {
  const auto& model = world_.manager()->model();
  const auto* node = model.node_of_vm(id);
  const auto* removal = node == nullptr ? nullptr : model.operation(node->operation);
  const auto* server = world_.fleet().server(id);
  if (world_.traffic() == nullptr || server == nullptr || removal == nullptr ||
      removal->request.kind != OperationKind::remove_nodes || node->role != Role::replica)
    return false;
  return std::ranges::none_of(model.nodes(), [&](const auto& entry) {
    const auto* other = entry.second.role == Role::replica && entry.second.vm != id
                            ? world_.fleet().server(entry.second.vm)
                            : nullptr;
    return other != nullptr && server->data().minus(other->data()).size() == 0;
  });
}

// S6: a VM has begun to go.
void Checkers::check_gone(const std::string& id) {
  const auto* manager = world_.manager();
  if (world_.cloud().instance(id) == nullptr || manager == nullptr) return;
  if (is_only_witness(id)) world_.traffic()->forget_protection();
  if (!holds_data(id)) return;
  promised_ = false;
  if (!doomed_.contains(id)) return;  // somebody else's doing
  bool wanted = false;
  for (const auto operation_id : manager->model().active()) {
    const auto* operation = manager->model().operation(operation_id);
    const auto& request = operation->request;
    // A master whose agent is silent is fenced so, where the policy allows it: what it alone held is counted
    // as lost.
    const auto* former = manager->model().node(operation->former);
    const bool fenced = request.kind == OperationKind::fail_over && former != nullptr && former->vm == id;
    wanted = wanted || (fenced && world_.configuration().failover.kill_vm) ||
             request.kind == OperationKind::shutdown ||
             (request.kind == OperationKind::remove_nodes && request.force);
  }
  if (wanted) return;
  // A master that has lost its disk: nobody has told the manager.
  const auto* master = manager->model().node(manager->model().service.primary);
  const auto* masters = master == nullptr ? nullptr : world_.cloud().instance(master->vm);
  if (masters != nullptr && world_.evidence().any_to(*masters, {"vm.lose_disk"})) return;
  for (const auto& other : world_.fleet().ids())
    if (other != id && world_.fleet().same_data(id, other)) return;
  world_.report("S6", "VM " + id + " held the last copy of the data, and was destroyed", "S6 last copy");
}

void Checkers::check_bounds() {
  const auto* manager = world_.manager();
  if (manager == nullptr) return;
  const auto& service = manager->model().service;
  // Also those that the journal has lost.
  const auto nodes_ever = std::max(nodes_ever_, static_cast<std::uint64_t>(service.next_node - 1));
  const auto& firings = world_.faults().firings();
  const auto twins =
      static_cast<std::uint64_t>(std::count_if(firings.begin(), firings.end(), [](const auto& firing) {
        return firing.action == "ignore_token" || firing.action == "expire_token";
      }));
  if (world_.cloud().total_created() > nodes_ever * world_.configuration().boot_attempts + twins)
    world_.report("S10",
                  std::to_string(world_.cloud().total_created()) + " VMs were created for " +
                      std::to_string(nodes_ever) + " nodes",
                  "S10 VMs");
  const double minutes = to_seconds(world_.scheduler().now()) / 60 + 1;
  const auto polls = 60.0 / std::max(1.0, to_seconds(world_.configuration().poll_agents_timer)) +
                     60.0 / std::max(1.0, to_seconds(world_.configuration().poll_interval));
  const double bound = minutes * managers_ * (static_cast<double>(nodes_ever) + 2) *
                       (static_cast<double>(kCallsPerNodeAndMinute) + 4 * polls);
  if (static_cast<double>(world_.counts().iaas) > bound)
    world_.report("S10",
                  std::to_string(world_.counts().iaas) + " calls to the cloud in " + std::to_string(minutes) +
                      " minutes",
                  "S10 calls");
}

}  // namespace drover::scenario
