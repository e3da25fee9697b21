// The operations that change how many nodes there are: add_nodes, create_replica, remove_nodes, shutdown.
#include "manager/ops/bring_up.hpp"
#include "manager/ops/disposal.hpp"
#include "manager/ops/manager.hpp"
#include "manager/ops/replication.hpp"
#include "manager/runtime/parallel.hpp"

namespace drover::ops {

using model::NodeEvent;
using model::NodeId;
using model::NodeState;
using model::Operation;
using model::OperationId;
using model::ServiceEvent;

namespace {

constexpr Duration kLookForCreations = 50ms;
constexpr Duration kLookForOthers = 1s;

}  // namespace

Task<void> MySQLServerManager::bring_up_one(NodeId node_id, OperationId id) {
  auto up = co_await createServiceNodeThread(core_, node_id);
  if (up.has_error() && up.error().code != ErrorCode::cancelled) {
    auto* node = core_.model.node(node_id);
    Operation* operation = core_.model.operation(id);
    if (node != nullptr && model::is_coming_up(node->state)) {
      core_.change(*node, NodeEvent::give_up);
      if (operation->error.empty()) operation->error = up.error().message;
      core_.journal.operation_changed(id);
      co_await core_.journal.durable();
    }
  }
  Running& running = *running_.at(id);
  --running.coming_up;
  running.failed = running.failed || up.has_error();
  settled_.notify_all();
}

Task<Result<void>> MySQLServerManager::run_add_nodes(OperationId id) {
  const auto nodes = core_.model.operation(id)->nodes;
  const auto policy = core_.model.operation(id)->request.partial;
  const bool rollback = policy == model::PartialPolicy::rollback;
  Running& running = *running_.at(id);
  running.coming_up = nodes.size();
  Domain& domain = running.domain;
  struct Creator {
    static Task<void> run(MySQLServerManager* self, Domain* in, NodeId node_id, OperationId operation) {
      // The creation itself is bounded by the window; what follows it waits for boots and needs no bound.
      const auto* node = self->core_.model.node(node_id);
      if (node != nullptr && node->state == NodeState::creating) {
        auto created = co_await create_vm(self->core_, node_id);
        if (created.has_error()) {
          auto* failed = self->core_.model.node(node_id);
          Operation* op = self->core_.model.operation(operation);
          if (failed != nullptr && model::is_coming_up(failed->state))
            self->core_.change(*failed, NodeEvent::give_up);
          if (op->error.empty()) op->error = created.error().message;
          self->core_.journal.operation_changed(operation);
          Running& running = *self->running_.at(operation);
          --running.coming_up;
          running.failed = true;
          self->settled_.notify_all();
          co_return;
        }
      }
      spawn(*in, self->bring_up_one(node_id, operation));
    }
  };
  std::function<Task<void>(std::int64_t)> body = [this, &domain, id](std::int64_t node_id) {
    return Creator::run(this, &domain, node_id, id);
  };
  spawn(domain, for_each_parallel(nodes, core_.config.parallelism, std::move(body)));
  while (true) {
    // A look at all nodes each time that one of them has come up would cost O(n * n).
    while (running.coming_up > 0 && !(rollback && running.failed)) (void)co_await settled_.wait(kForever);
    std::size_t up = 0, failed = 0;
    for (const NodeId node_id : nodes) {
      const auto* node = core_.model.node(node_id);
      if (node == nullptr || node->state == NodeState::failed)
        ++failed;
      else if (!model::is_coming_up(node->state))
        ++up;
    }
    if (failed > 0 && (rollback || failed == nodes.size())) {
      const Operation* operation = core_.model.operation(id);
      co_return make_error(ErrorCode::unavailable, operation->error);
    }
    if (up + failed == nodes.size()) break;
    (void)co_await settled_.wait(kForever);
  }
  std::vector<NodeId> failed;
  for (const NodeId node_id : nodes) {
    auto* node = core_.model.node(node_id);
    if (node == nullptr || node->state != NodeState::failed) continue;
    core_.change(*node, NodeEvent::remove);
    failed.push_back(node_id);
  }
  if (failed.empty()) co_return success();
  Operation* operation = core_.model.operation(id);
  operation->warning = "kept " + std::to_string(nodes.size() - failed.size()) + " of " +
                       std::to_string(nodes.size()) + " nodes: " + operation->error;
  operation->error.clear();
  core_.journal.operation_changed(id);
  co_await core_.journal.durable();
  auto removed = co_await remove_all(failed);
  co_return removed;
}

Task<Result<void>> MySQLServerManager::run_create_replica(OperationId id) {
  auto added = co_await run_add_nodes(id);
  if (added.has_error()) co_return added;
  const NodeId created = core_.model.operation(id)->nodes.front();
  auto replicates = co_await set_up_replica_slave(core_, id, created);
  co_return replicates;
}

Task<Result<void>> MySQLServerManager::remove_all(std::vector<NodeId> nodes) {
  auto first = std::make_shared<Result<void>>(success());
  std::function<Task<void>(std::int64_t)> body = [this, first](std::int64_t node_id) -> Task<void> {
    struct Body {
      static Task<void> run(Core& core, NodeId node, std::shared_ptr<Result<void>> error) {
        auto removed = co_await remove_node(core, node);
        if (removed.has_error() && error->has_value()) *error = removed;
      }
    };
    return Body::run(core_, node_id, first);
  };
  co_await for_each_parallel(std::move(nodes), core_.config.parallelism, std::move(body));
  co_return *first;
}

Task<Result<void>> MySQLServerManager::run_remove_nodes(OperationId id) {
  std::vector<NodeId> nodes;
  Result<void> outcome = success();
  Answers said;
  if (!core_.model.operation(id)->request.force) said = co_await hear_when_unsure();
  const auto claimed = core_.model.operation(id)->nodes;
  for (const NodeId node_id : claimed) {
    auto* node = core_.model.node(node_id);
    if (node == nullptr) continue;
    // The journal may have forgotten who the master is: whoever says so, or is silent where the choice was
    // the manager's.
    const auto answer = std::ranges::find_if(said, [&](const auto& one) { return one.first == node_id; });
    const bool silent = answer != said.end() && answer->second.has_error();
    const bool says_so = answer != said.end() && !silent &&
                         answer->second.value().state.role == Role::primary &&
                         answer->second.value().state.epoch > core_.model.service.epoch;
    const bool chosen = core_.model.operation(id)->request.count > 0;
    const bool perhaps =
        core_.perhaps_promoted == node_id && chosen && !core_.model.operation(id)->request.force;
    if (says_so || perhaps || (silent && lacks_an_epoch() && chosen)) {
      if (node->state == NodeState::removing) core_.change(*node, NodeEvent::keep);
      outcome = make_error(ErrorCode::wrong_state, model::node_name(node_id) + (says_so ? " is" : " may be") +
                                                       " the master: it was kept");
      continue;
    }
    // Asked once more, right before it: nothing that was accepted may take the master away.
    if (core_.model.service.primary == node_id && !core_.model.operation(id)->request.force) {
      if (node->state == NodeState::removing) core_.change(*node, NodeEvent::keep);
      outcome = make_error(ErrorCode::wrong_state, model::node_name(node_id) + " is the master: it was kept");
      continue;
    }
    nodes.push_back(node_id);
  }
  co_await core_.journal.durable();
  auto removed = co_await remove_all(std::move(nodes));
  if (removed.has_error()) co_return removed;
  co_return outcome;
}

// The same as reconcile(), and what others are destroying already is gone too.
Task<Result<void>> MySQLServerManager::leave_nothing() {
  auto swept = co_await reconcile();
  while (!core_.destroying.empty()) co_await sleep_for(kLookForOthers);
  const auto& doomed = core_.model.service.doomed;
  if (swept.has_value() && !doomed.empty())
    swept = make_error(ErrorCode::unavailable, "VM " + *doomed.begin() + " is not confirmed gone");
  co_return swept;
}

Task<Result<void>> MySQLServerManager::run_shutdown(OperationId id) {
  const auto nodes = core_.model.operation(id)->nodes;
  auto removed = co_await remove_all(nodes);
  // What cancelled additions have asked for may still come into being.
  const TimePoint patience = core_.scheduler.later(core_.config.iaas_timeout);
  while (core_.creations_under_way() > 0 && core_.now() < patience) co_await sleep_for(kLookForCreations);
  if (removed.has_value()) {
    // VMs without a record: created by calls whose answers never came.
    auto swept = co_await leave_nothing();
    for (unsigned attempt = 1; swept.has_error() && attempt < core_.config.retry.attempts; ++attempt) {
      core_.observe("operation.retry", model::operation_name(id));
      co_await sleep_for(core_.config.retry.pause_after(attempt, swept.error().retry_after));
      swept = co_await leave_nothing();
    }
    removed = swept;
  }
  core_.model.service.primary = 0;
  // A master whose VM could not be destroyed may still take writes: it is fenced before there is another.
  if (removed.has_value()) core_.model.service.maybe_writable = 0;
  core_.change(removed.has_value() ? ServiceEvent::stopped : ServiceEvent::fail);
  co_return removed;
}

}  // namespace drover::ops
