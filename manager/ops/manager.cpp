#include "manager/ops/manager.hpp"

#include "manager/ops/bring_up.hpp"
#include "manager/ops/disposal.hpp"
#include "manager/ops/replication.hpp"

namespace drover::ops {

using model::NodeEvent;
using model::NodeId;
using model::NodeState;
using model::Operation;
using model::OperationEvent;
using model::OperationId;
using model::OperationKind;
using model::OperationState;
using model::ServiceEvent;
using model::ServiceState;

MySQLServerManager::MySQLServerManager(const Ports& ports, Configuration config, Hooks hooks)
    : core_(ports, std::move(config), std::move(hooks)) {}

MySQLServerManager::~MySQLServerManager() {
  // A waiting operation holds references into core_: end all of them first, the operations' domains before
  // ours.
  for (auto& [id, running] : running_) running->domain.kill();
  core_.domain.kill();
}

Result<void> MySQLServerManager::start() {
  if (auto loaded = core_.journal.load(core_.model); loaded.has_error()) return loaded;
  core_.inherited_below = core_.model.service.next_operation;
  core_.observe("manager.started", "manager");
  if (core_.model.service.state == ServiceState::S_INIT) core_.observe("service.init", "service");
  core_.trace.add(TraceKind::crash, "manager", "started", core_.model.operations().size(), "operations",
                  core_.model.nodes().size(), "nodes in the journal");
  resume();
  spawn(core_.domain, poll_agents());
  spawn(core_.domain, reconcile_loop());
  if (core_.config.failover.automatic) spawn(core_.domain, watch_primary());
  return success();
}

void MySQLServerManager::thaw() {
  if (!core_.stood_down) core_.process.thaw();
}

void MySQLServerManager::resume() {
  const auto state = core_.model.service.state;
  if (state == ServiceState::S_INIT && core_.config.automatic_startup) core_.change(ServiceEvent::start);
  if (core_.model.service.state == ServiceState::S_PROLOGUE) {
    if (core_.model.service.next_operation == 1)
      core_.change(ServiceEvent::started);  // nothing was ever bought
    spawn(core_.domain, start_up());
  }
  for (const OperationId id : core_.model.active()) {
    const auto& operation = *core_.model.operation(id);
    if (operation.state == OperationState::compensating) {
      auto& running = running_[id] = std::make_unique<Running>(core_);
      spawn(running->domain, compensate(id));
    } else if (operation.state == OperationState::running) {
      auto& running = running_[id] = std::make_unique<Running>(core_);
      spawn(running->domain, run(id));
    }
  }
  // Taken up by an earlier life, which did not learn what they are.
  std::vector<NodeId> unknown;
  for (const auto& [id, node] : core_.model.nodes())
    if (model::is_listed(node.state) && node.server_id == 0) unknown.push_back(id);
  for (const NodeId id : unknown) spawn(core_.domain, learn_role(id));
  if (!core_.model.service.doomed.empty()) spawn(core_.domain, sweep_doomed());
  core_.settle_service_state();
  dispatch();
}

// --- accepting ---

void MySQLServerManager::submit(model::OperationRequest request, Handler<Accepted> handler) {
  spawn(core_.domain, accept(std::move(request), std::move(handler)));
}

Task<void> MySQLServerManager::accept(model::OperationRequest request, Handler<Accepted> handler) {
  auto& model = core_.model;
  auto admitted = model::admit(model, request, core_.config.limits);
  if (admitted.has_error()) {
    handler(std::move(admitted).error());
    co_return;
  }
  model::Admission& admission = admitted.value();
  if (admission.repeated != nullptr) {
    Accepted again{admission.repeated->id, admission.repeated->nodes};
    if (accepting_.contains(again.operation)) {
      // Not in the journal yet: it may still be taken back.
      Result<void> known = co_await core_.journal.flush();
      if (known.has_value() && model.operation(again.operation) == nullptr)
        known = make_error(ErrorCode::storage, "operation " + model::id_text(again.operation) +
                                                   " could not be written to the journal: ask again");
      if (known.has_error()) {
        handler(known.error());
        co_return;
      }
    }
    handler(std::move(again));
    co_return;
  }
  const OperationId id = admission.operation.id;
  ++model.service.next_operation;
  admission.operation.accepted_at_ns = core_.now().time_since_epoch().count();
  for (auto& node : admission.created) {
    model.service.next_node = std::max(model.service.next_node, node.id + 1);
    model.service.next_server_id = std::max(model.service.next_server_id, node.server_id + 1);
    core_.journal.node_changed(node.id);
    model.add(std::move(node));
  }
  core_.journal.service_changed();
  core_.journal.operation_changed(id);
  Operation& operation = model.add(std::move(admission.operation));
  for (const NodeId claimed : admission.claimed) {
    core_.change(*model.node(claimed), NodeEvent::remove);
    model.node(claimed)->operation = id;
  }
  const std::string name = model::operation_name(id);
  core_.trace.add(TraceKind::operation, name, model::to_text(request.kind), "accepted");
  if (request.kind == OperationKind::shutdown) begin_shutdown(operation);
  core_.settle_service_state();
  const auto nodes = operation.nodes;
  accepting_.insert(id);
  const std::string accepted_text = std::string(model::to_text(request.kind)) + " accepted";
  core_.note(name, accepted_text);
  const Result<void> written = co_await core_.journal.flush();
  if (written.has_error()) {
    if (request.kind != OperationKind::shutdown) {
      take_back(id);
      handler(written.error());
      co_return;
    }
    // What a shutdown has ended cannot be begun again: it is answered when it is safe.
    co_await core_.journal.durable();
  }
  accepting_.erase(id);
  core_.observe("operation.accepted", name);
  Accepted accepted{id, nodes};
  handler(std::move(accepted));
  dispatch();
}

// Not accepted after all: as if it had never been asked for. The next commit erases what may have been
// written. What a shutdown or a cancellation has ended meanwhile is theirs.
void MySQLServerManager::take_back(OperationId id) {
  accepting_.erase(id);
  const Operation* operation = core_.model.operation(id);
  if (operation == nullptr || operation->state != OperationState::queued) return;
  for (const NodeId node_id : operation->nodes) {
    auto* node = core_.model.node(node_id);
    if (node == nullptr || node->operation != id) continue;
    if (node->state == NodeState::removing) {
      core_.change(*node, NodeEvent::keep);
    } else if (node->state == NodeState::creating) {
      core_.journal.node_changed(node_id);
      core_.model.erase_node(node_id);
    }
  }
  core_.model.erase_operation(id);
  core_.journal.operation_changed(id);
  core_.settle_service_state();
  core_.scheduler.call_soon(core_.domain, [this] { dispatch(); });
}

void MySQLServerManager::begin_shutdown(Operation& operation) {
  core_.change(ServiceEvent::shut_down);
  const std::vector<OperationId> active(core_.model.active().begin(), core_.model.active().end());
  for (const OperationId id : active) {
    if (id == operation.id) continue;
    retire(id);
    auto* stopped = core_.model.operation(id);
    stopped->error = "the service is shut down";
    core_.change(*stopped, OperationEvent::cancel);
  }
  for (auto& [id, node] : core_.model.nodes()) {
    operation.nodes.push_back(id);
    auto* leaving = core_.model.node(id);
    leaving->operation = operation.id;
    if (leaving->state != NodeState::removing) core_.change(*leaving, NodeEvent::remove);
  }
  core_.journal.operation_changed(operation.id);
}

void MySQLServerManager::startup(Handler<void> handler) {
  const auto state = dstate();
  if (!model::next_state(state, ServiceEvent::start))
    return handler(
        make_error(ErrorCode::wrong_state,
                   std::string("startup is not possible while the service is ") + model::to_text(state)));
  core_.change(ServiceEvent::start);
  spawn(core_.domain, answer_when_journaled(std::move(handler)));
  spawn(core_.domain, start_up());
}

Task<void> MySQLServerManager::answer_when_journaled(Handler<void> handler) {
  auto written = co_await core_.journal.flush();
  handler(std::move(written));
}

Task<void> MySQLServerManager::start_up() {
  co_await core_.journal.durable();
  // What an earlier life left in the cloud is taken back before anything new is bought; a cloud that cannot
  // be asked now does not keep the service from starting: the reconciler asks again.
  if (core_.model.service.next_operation > 1) {
    auto reconciled = co_await reconcile();
    if (reconciled.has_error())
      core_.note("service", "started without a look at the cloud: " + reconciled.error().message);
  }
  if (dstate() == ServiceState::S_PROLOGUE) core_.change(ServiceEvent::started);
  core_.settle_service_state();
  co_await core_.journal.durable();
  dispatch();
}

// --- running ---

void MySQLServerManager::dispatch() {
  constexpr std::size_t kEndedKept = 1000;
  for (const OperationId id : core_.model.prune_ended(kEndedKept)) core_.journal.operation_changed(id);
  std::vector<OperationId> ready;
  for (const OperationId id : core_.model.active()) {
    const auto* operation = core_.model.operation(id);
    if (operation->state != OperationState::queued || accepting_.contains(id)) continue;
    bool free = true;
    for (const OperationId other : core_.model.active()) {
      if (other >= id) break;
      if (!model::may_run_beside(core_.model.operation(other)->request.kind, operation->request.kind))
        free = false;
    }
    if (free) ready.push_back(id);
  }
  for (const OperationId id : ready) begin(*core_.model.operation(id));
}

void MySQLServerManager::begin(Operation& operation) {
  const OperationId id = operation.id;
  core_.change(operation, OperationEvent::start);
  auto& running = running_[id] = std::make_unique<Running>(core_);
  spawn(running->domain, run(id));
}

void MySQLServerManager::retire(OperationId id) {
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  found->second->domain.kill();
  running_.erase(found);
}

Task<void> MySQLServerManager::run(OperationId id) {
  co_await core_.journal.durable();
  const auto kind = core_.model.operation(id)->request.kind;
  Result<void> outcome = success();
  switch (kind) {
    case OperationKind::add_nodes:
      outcome = co_await run_add_nodes(id);
      break;
    case OperationKind::remove_nodes:
      outcome = co_await run_remove_nodes(id);
      break;
    case OperationKind::create_replica:
      outcome = co_await run_create_replica(id);
      break;
    case OperationKind::set_up_replica_master:
      outcome = co_await knows_the_master(core_.model.operation(id)->request.node);
      if (outcome.has_value()) outcome = co_await set_up_replica_master(core_, id);
      break;
    case OperationKind::set_up_replica_slave: {
      const NodeId target = core_.model.operation(id)->request.node;
      outcome = co_await set_up_replica_slave(core_, id, target);
      break;
    }
    case OperationKind::promote:
      if (core_.model.operation(id)->epoch == 0)
        outcome = co_await knows_the_master(core_.model.operation(id)->request.node);
      if (outcome.has_value()) outcome = co_await promote(core_, id);
      break;
    case OperationKind::fail_over:
      outcome = co_await fail_over(core_, id);
      if (outcome.has_value()) replace_lost(id);
      break;
    case OperationKind::shutdown:
      outcome = co_await run_shutdown(id);
      break;
  }
  if (outcome.has_error() && (kind == OperationKind::add_nodes || kind == OperationKind::create_replica ||
                              kind == OperationKind::set_up_replica_slave)) {
    Operation* operation = core_.model.operation(id);
    operation->error = outcome.error().message;
    compensate_soon(id, false);
    co_return;
  }
  finish(id, outcome);
  co_await core_.journal.durable();
}

// A fail-over that has cost a VM: another replica, where that is wanted. The key keeps a restart from asking
// twice.
void MySQLServerManager::replace_lost(OperationId id) {
  const Operation* operation = core_.model.operation(id);
  if (!core_.config.failover.replace) return;
  // One whose end is late, for the cloud forbids it, is swept away in time.
  if (const auto* former = core_.model.node(operation->former);
      former != nullptr && (former->state != model::NodeState::removing || former->operation != id))
    return;
  model::OperationRequest request;
  request.kind = OperationKind::create_replica;
  request.node = operation->request.node;
  request.key = "replaces the master lost in " + model::operation_name(id);
  submit(std::move(request), [this, id](Result<Accepted> accepted) {
    if (accepted.has_error())
      core_.note(model::operation_name(id), "the lost node is not replaced: " + accepted.error().message);
  });
}

void MySQLServerManager::finish(OperationId id, const Result<void>& outcome) {
  Operation* operation = core_.model.operation(id);
  if (outcome.has_error()) operation->error = outcome.error().message;
  core_.change(*operation, outcome.has_value() ? OperationEvent::succeed : OperationEvent::fail);
  std::string text =
      std::string(model::to_text(operation->request.kind)) + " " + model::to_text(operation->state);
  if (!operation->error.empty()) text += ": " + operation->error;
  if (!operation->warning.empty()) text += " (" + operation->warning + ")";
  core_.note(model::operation_name(id), std::move(text));
  core_.scheduler.call_soon(core_.domain, [this] { dispatch(); });
}

void MySQLServerManager::compensate_soon(OperationId id, bool cancelling) {
  core_.scheduler.call_soon(core_.domain, [this, id, cancelling] {
    Operation* operation = core_.model.operation(id);
    if (operation == nullptr || operation->state != OperationState::running) return;
    retire(id);
    operation->cancelling = cancelling;
    core_.change(*operation, OperationEvent::compensate);
    auto& running = running_[id] = std::make_unique<Running>(core_);
    spawn(running->domain, compensate(id));
  });
}

// Whether taking this node back would take away more than its operation brought: it was given a part in
// replication meanwhile, or another operation is at it. A journal that is behind cannot tell.
bool MySQLServerManager::is_in_use(const model::Node& node, OperationId operation) const {
  if (!model::is_listed(node.state)) return false;
  if (contradicted_ || lacks_an_epoch()) return true;
  const bool own_replica = core_.model.operation(operation)->request.kind == OperationKind::create_replica &&
                           node.role == Role::replica;
  if ((node.role != Role::none && !own_replica) || core_.model.service.maybe_writable == node.id) return true;
  for (const OperationId other : core_.model.active()) {
    const Operation* running = core_.model.operation(other);
    if (other == operation || running->state != OperationState::running) continue;
    if (std::find(running->nodes.begin(), running->nodes.end(), node.id) != running->nodes.end()) return true;
  }
  return false;
}

Task<void> MySQLServerManager::compensate(OperationId id) {
  co_await core_.journal.durable();
  const auto kind = core_.model.operation(id)->request.kind;
  if (kind == OperationKind::set_up_replica_slave) {
    const NodeId target = core_.model.operation(id)->request.node;
    co_await undo_replica_slave(core_, target);
  } else {
    // What they say may show that the journal is behind: one that is to be taken back may be the master.
    std::vector<NodeId> nodes;
    for (const NodeId node_id : core_.model.operation(id)->nodes)
      if (const auto* node = core_.model.node(node_id); node != nullptr && model::is_listed(node->state))
        nodes.push_back(node_id);
    if (!nodes.empty()) (void)co_await hear(std::move(nodes));
    nodes = {};
    for (const NodeId node_id : core_.model.operation(id)->nodes) {
      auto* node = core_.model.node(node_id);
      if (node == nullptr) continue;
      // Another operation is to take it away, and asks first whether it may.
      const auto* removal =
          node->state == NodeState::removing ? core_.model.operation(node->operation) : nullptr;
      if (removal != nullptr && removal->id != id && !model::is_ended(removal->state)) continue;
      if (is_in_use(*node, id)) {
        core_.model.operation(id)->error += "; " + model::node_name(node_id) + " is in use and was kept";
        continue;
      }
      if (node->state != NodeState::removing) core_.change(*node, NodeEvent::remove);
      nodes.push_back(node_id);
    }
    core_.journal.operation_changed(id);
    co_await core_.journal.durable();
    auto removed = co_await remove_all(nodes);
    if (removed.has_value()) removed = co_await destroy_all_doomed(core_);
    if (removed.has_error())
      core_.model.operation(id)->error += "; taking it back: " + removed.error().message;
  }
  Operation* operation = core_.model.operation(id);
  core_.change(*operation, operation->cancelling ? OperationEvent::cancel : OperationEvent::fail);
  std::string text =
      std::string(model::to_text(kind)) + " " + model::to_text(operation->state) + ": " + operation->error;
  core_.note(model::operation_name(id), std::move(text));
  core_.scheduler.call_soon(core_.domain, [this] { dispatch(); });
  co_await core_.journal.durable();
}

void MySQLServerManager::cancel(OperationId id, Handler<void> handler) {
  if (auto begun = begin_cancelling(id); begun.has_error()) return handler(std::move(begun));
  spawn(core_.domain, answer_when_journaled(std::move(handler)));
}

Result<void> MySQLServerManager::begin_cancelling(OperationId id) {
  Operation* operation = core_.model.operation(id);
  if (operation == nullptr)
    return make_error(ErrorCode::not_found, "there is no operation " + model::id_text(id));
  if (model::is_ended(operation->state))
    return make_error(ErrorCode::wrong_state,
                      "operation " + model::id_text(id) + " has ended: " + model::to_text(operation->state));
  if (operation->state == OperationState::compensating) return success();
  const auto kind = operation->request.kind;
  const bool queued = operation->state == OperationState::queued;
  if (kind == OperationKind::shutdown)
    return make_error(
        ErrorCode::wrong_state,
        "a shutdown cannot be cancelled: it has ended what was under way; call startup once it is done");
  if (!queued && !model::is_cancellable(kind))
    return make_error(ErrorCode::wrong_state,
                      std::string("a running ") + model::to_text(kind) +
                          " cannot be cancelled: it would leave the service half-way");
  operation->error = "cancelled on request";
  if (!queued) {
    compensate_soon(id, true);
    return success();
  }
  const auto nodes = operation->nodes;
  core_.change(*operation, OperationEvent::cancel);
  for (const NodeId node_id : nodes) {
    auto* node = core_.model.node(node_id);
    if (node == nullptr) continue;
    if (kind == OperationKind::remove_nodes && node->state == NodeState::removing)
      core_.change(*node, NodeEvent::keep);
    if (kind == OperationKind::add_nodes || kind == OperationKind::create_replica) {
      core_.change(*node, NodeEvent::remove);
      core_.forget(*node, NodeEvent::removed);
    }
  }
  core_.scheduler.call_soon(core_.domain, [this] { dispatch(); });
  return success();
}

}  // namespace drover::ops
