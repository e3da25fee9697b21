// When a run has come to rest, and what must be so then: L1 to L3.
#include "scenarios/engine/invariants.hpp"

namespace drover::scenario {

using model::ServiceState;

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

}  // namespace drover::scenario
