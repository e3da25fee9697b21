#include "manager/ops/lost_vm.hpp"

#include "manager/ops/disposal.hpp"
#include "manager/ops/replication_steps.hpp"

namespace drover::ops {

using model::Node;
using model::node_name;
using model::NodeEvent;
using model::NodeId;
using model::OperationId;

namespace {

// The former master, for as long as nothing but this fail-over decides about it.
Node* lost_master(Core& core, OperationId id) {
  const NodeId former = core.model.operation(id)->former;
  const auto& service = core.model.service;
  if (former == service.primary || former == service.maybe_writable) return nullptr;
  Node* node = core.model.node(former);
  const bool others = node != nullptr && node->state == model::NodeState::removing && node->operation != id;
  return others ? nullptr : node;
}

// Whether its VM is off, or gone; asked again when the cloud does not say.
Task<bool> is_off(Core& core, OperationId id) {
  for (unsigned attempt = 1; lost_master(core, id) != nullptr; ++attempt) {
    const Node* node = lost_master(core, id);
    const std::string name = node_name(node->id);
    std::string vm = node->vm;
    auto info = co_await core.get_vm_info(name, vm);
    if (info.has_value())
      co_return info.value().state == InstanceState::stopped || is_gone(info.value().state);
    if (attempt >= core.config.retry.attempts) break;
    co_await sleep_for(core.config.retry.pause_after(attempt, info.error().retry_after));
  }
  co_return false;
}

}  // namespace

Task<void> discard_lost(Core& core, OperationId id) {
  const Node* node = lost_master(core, id);
  if (!core.config.failover.replace || node == nullptr) co_return;
  if (node->state != model::NodeState::removing) {  // else by this operation, before a restart
    const bool off = co_await is_off(core, id);
    Node* lost = lost_master(core, id);
    if (!off || lost == nullptr) co_return;
    core.note(node_name(lost->id), "its VM " + lost->vm + " is lost: another one is bought");
    core.change(*lost, NodeEvent::remove);
    lost->operation = id;
    core.journal.node_changed(lost->id);
    co_await core.journal.durable();
  }
  const NodeId former = core.model.operation(id)->former;
  auto removed = co_await remove_node(core, former);
  if (removed.has_error()) {
    std::string text = node_name(former) + " is not removed: " + removed.error().message;
    warn(core, id, text);
  }
}

}  // namespace drover::ops
