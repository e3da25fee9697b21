// The manager's watch: agents are polled in parallel with time-outs, and what is seen broken is repaired when
// no operation is at it.
#include <algorithm>

#include "manager/ops/bring_up.hpp"
#include "manager/ops/manager.hpp"
#include "manager/ops/replication.hpp"
#include "manager/ops/replication_steps.hpp"
#include "manager/runtime/parallel.hpp"

namespace drover::ops {

using model::node_name;
using model::NodeEvent;
using model::NodeId;
using model::NodeState;
using model::Operation;
using model::OperationKind;

namespace {

constexpr unsigned kBadPollsBeforeRepair = 3;
constexpr Duration kLongestRepairPause = 10min;

bool is_broken(const ServerState& state, const std::string& source) {
  const auto& replication = state.replication;
  if (!replication.configured || replication.source_address != source) return true;
  return !replication.sql_running || replication.io == ThreadState::no;
}

}  // namespace

void MySQLServerManager::saw(model::Node& node, const ServerState& state) {
  node.last_seen = core_.now();
  node.misses = 0;
  performance_.saw(node.id, state, core_.now());
  node.server_running = state.running;
  // Nobody becomes the master who may not be writable, says the journal: then it has lost that. Who has just
  // been replaced says so until it is told.
  const auto& service = core_.model.service;
  if (core_.perhaps_promoted == node.id) {
    if (state.role != Role::primary || service.primary == node.id)
      core_.perhaps_promoted = 0;
    else
      claimed_ = true;
  }
  if (node.role == Role::replica && state.role == Role::primary && state.epoch == service.epoch &&
      node.left_at.empty() && service.maybe_writable != node.id && judged_epoch_ != service.epoch &&
      !is_being_replaced(node.id))
    claimed_ = true;
  // Left behind, it hears somebody again: what it was refused for may be no reason any more.
  if (!node.left_at.empty() && node.seconds_behind < 0 && state.replication.seconds_behind >= 0)
    repair_plans_.erase(node.id);
  node.seconds_behind = static_cast<std::int32_t>(state.replication.seconds_behind);
  node.load = static_cast<float>(state.load);
  // A plain member is its server, which is started first; a slave without one may need another copy.
  if (node.state == NodeState::lost && (state.running || node.role != Role::none)) {
    core_.change(node, NodeEvent::found);
    core_.note(node_name(node.id), "its agent answers again");
  }
  const model::Node* primary = core_.model.primary();
  if (node.role == Role::replica && primary != nullptr && is_broken(state, primary->address)) {
    ++node.replication_bad;
    // One that was left behind and answers: nothing has to be waited for.
    if (!node.left_at.empty() && state.running) node.replication_bad = kBadPollsBeforeRepair;
  } else {
    node.replication_bad = 0;
  }
  if (node.replication_bad == 0) repair_plans_.erase(node.id);
}

void MySQLServerManager::missed(model::Node& node) {
  ++node.misses;
  if (node.misses >= core_.config.lost_after && node.state == NodeState::running) {
    core_.change(node, NodeEvent::miss);
    core_.note(node_name(node.id), "its agent does not answer");
  }
}

// An agent that does not answer: perhaps its VM has another address now, or is gone for good.
Task<void> MySQLServerManager::look_for_lost(NodeId id) {
  const auto* node = core_.model.node(id);
  std::string vm = node->vm;
  auto info = co_await core_.get_vm_info(node_name(id), vm);
  auto* changed = core_.model.node(id);
  if (changed == nullptr || !model::is_listed(changed->state)) co_return;
  if (info.has_error() ? info.error().code == ErrorCode::not_found : is_gone(info.value().state)) {
    // One answer is not enough: clouds forget VMs that are there.
    if (changed->state != NodeState::lost) co_return;
    std::vector<NodeId> missing{id};
    co_await confirm_vanished(std::move(missing));
    co_return;
  }
  if (info.has_value() && info.value().state == InstanceState::stopped && core_.perhaps_promoted == id)
    core_.perhaps_promoted = 0;
  if (info.has_error() || info.value().state != InstanceState::running) co_return;
  const std::string address = info.value().address;
  if (address.empty() || address == changed->address) co_return;
  core_.note(node_name(id), "its address is " + address + " now, no longer " + changed->address);
  changed->address = address;
  core_.journal.node_changed(id);
  co_await core_.journal.durable();
}

// A server that cannot be started because its data is the rest of a copy, on a node that is to hold no copy:
// its set-up was undone while its agent was away. Any other data is left alone by this command.
Task<void> MySQLServerManager::clear_rest_of_copy(NodeId id) {
  const auto* node = core_.model.node(id);
  if (node == nullptr || core_.model.active_operations() > 0) co_return;
  // A replica gets another copy over it; but one that a fail-over left behind must first show what it holds.
  const bool gets_a_copy =
      node->role == Role::replica && core_.model.primary() != nullptr && node->left_at.empty();
  if (node->role == Role::primary || gets_a_copy) co_return;
  StopReplica clear;
  clear.epoch = core_.model.service.epoch;
  const AgentCommand clearing = clear;
  (void)co_await core_.ask(id, clearing);
}

Task<void> MySQLServerManager::poll_agent(NodeId id) {
  GetServerState look;
  const AgentCommand looking = look;
  auto reply = co_await core_.ask(id, looking);
  auto* node = core_.model.node(id);
  if (node == nullptr || !model::is_listed(node->state)) co_return;
  if (reply.has_error()) {
    missed(*node);
    co_await look_for_lost(id);
    co_return;
  }
  const ServerState state = reply.value().state;
  saw(*node, state);
  // What must never wait for an operation: a server that is down, a replica that takes writes.
  if (!state.running) {
    if (leaves_to_failover(id)) co_return;
    StartServer start;
    start.server_id = node->server_id;
    const AgentCommand starting = start;
    const auto started = co_await core_.ask(id, starting);
    if (started.has_error() && started.error().code == ErrorCode::database) co_await clear_rest_of_copy(id);
  } else if (is_open_replica(*node, state)) {
    core_.note(node_name(id), "a replica that takes writes: made read-only");
    SetReadOnly fence;
    // By its own account it is one: also in an epoch that the journal has forgotten.
    fence.epoch = state.role == Role::replica ? std::max(state.epoch, core_.model.service.epoch)
                                              : core_.model.service.epoch;
    const AgentCommand fencing = fence;
    (void)co_await core_.ask(id, fencing);
  } else {
    co_await keep_open(id, state);
  }
}

// Whether an operation has moved the writes away from this node and has yet to tell it so.
bool MySQLServerManager::is_being_replaced(NodeId id) const {
  return std::ranges::any_of(core_.model.active(), [&](const model::OperationId active) {
    const Operation& operation = *core_.model.operation(active);
    return operation.former == id && has_moved_the_writes(operation, core_.model.service);
  });
}

bool MySQLServerManager::is_open_replica(const model::Node& node, const ServerState& state) const {
  if (state.read_only) return false;
  const auto& service = core_.model.service;
  const bool by_own_account = state.role == Role::replica;
  if (by_own_account && state.epoch > service.epoch) return true;
  // Also one whose role the journal has forgotten, and who could not be asked when the others were.
  return (by_own_account || node.role == Role::replica) && service.maybe_writable != node.id;
}

// Whether an operation may be about to close the primary. One that is about others, one that has moved the
// writes here and now waits for the other members, and what waits for its turn (it takes an epoch of its own
// then) are not: they may take as long as a machine boots.
bool MySQLServerManager::is_being_closed() const {
  return std::ranges::any_of(core_.model.active(), [&](const model::OperationId active) {
    const Operation& operation = *core_.model.operation(active);
    switch (operation.request.kind) {
      case OperationKind::add_nodes:
      case OperationKind::create_replica:
        return false;
      case OperationKind::set_up_replica_slave:
        return operation.request.node == core_.model.service.primary;
      case OperationKind::remove_nodes:
        return std::ranges::count(operation.nodes, core_.model.service.primary) > 0;
      case OperationKind::shutdown:
        return true;
      case OperationKind::set_up_replica_master:
      case OperationKind::promote:
      case OperationKind::fail_over:
        break;
    }
    return operation.state != model::OperationState::queued &&
           !has_moved_the_writes(operation, core_.model.service);
  });
}

// A server starts read-only until its manager says otherwise: the primary's was restarted.
Task<void> MySQLServerManager::keep_open(NodeId id, ServerState state) {
  if (core_.model.service.primary != id || core_.model.service.maybe_writable != id || !state.read_only ||
      !surveyed_ || is_behind() || is_being_closed() || opening_ || core_.awaits_word_of_another_than(id))
    co_return;
  if (state.role == Role::replica) {
    // Not opened: it may lack what the other has acknowledged.
    contradicted_ = state.epoch >= core_.model.service.epoch;
    co_return;
  }
  opening_ = true;
  core_.note(node_name(id), "the master was read-only: made writable again");
  SetReadOnly open;
  open.epoch = core_.model.service.epoch;
  open.read_only = false;
  const AgentCommand opening = open;
  (void)co_await core_.ask(id, opening);
  opening_ = false;
}

Task<void> MySQLServerManager::poll_agents() {
  while (true) {
    co_await sleep_for(core_.config.poll_agents_timer);
    auto nodes = listed_nodes();
    std::function<Task<void>(std::int64_t)> body = [this](std::int64_t id) { return poll_agent(id); };
    co_await for_each_parallel(nodes, core_.config.parallelism, std::move(body));
    surveyed_ = true;
    if (core_.model.active_operations() > 0 || repairs_ > 0) continue;
    if (is_behind()) co_await catch_up();
    co_await settle_writable();
    if (!is_behind()) plan_repairs(nodes);  // whom to follow is not known then
  }
}

// A switchover that failed half-way may leave the service without a master that takes writes: when no
// operation is at it, whoever else may be writable is fenced and the recorded master opened again.
Task<void> MySQLServerManager::settle_writable() {
  const NodeId suspect = core_.model.service.maybe_writable;
  const NodeId primary = core_.model.service.primary;
  if (suspect == primary) co_return;
  // The master perhaps, by what the journal has lost: it has yet to say so, and catch_up() judges it then.
  if (suspect != 0 && core_.perhaps_promoted == suspect) co_return;
  const std::uint64_t epoch = core_.model.service.epoch;
  if (suspect == 0) {
    // Whoever it was is no member any more. Should the cloud have denied it wrongly, it is found, and ended,
    // first.
    const auto reconciled = co_await reconcile();
    if (reconciled.has_error()) co_return;
    if (core_.model.service.primary != primary || core_.model.active_operations() > 0) co_return;
  }
  auto fenced = co_await fence(core_, suspect, epoch);
  // Who moves the master takes an epoch before: it may have opened the suspect since.
  if (fenced.has_error() || core_.model.service.epoch != epoch) co_return;
  if (core_.model.service.maybe_writable != suspect) co_return;
  core_.model.service.maybe_writable = core_.model.service.primary;
  judged_epoch_ = epoch;  // that it says it is the master is no news
  core_.journal.service_changed();
  stays_primary(core_);
  core_.note(
      suspect == 0 ? "service" : node_name(suspect),
      suspect == 0 ? "whoever else might have taken writes is gone" : "is read-only for certain again");
  co_await core_.journal.durable();
}

void MySQLServerManager::plan_repairs(const std::vector<NodeId>& nodes) {
  const auto* primary = core_.model.primary();
  if (primary == nullptr || primary->state != NodeState::running || core_.model.active_operations() > 0)
    return;
  for (const NodeId id : nodes) {
    const auto* node = core_.model.node(id);
    if (node == nullptr || node->state != NodeState::running || node->replication_bad < kBadPollsBeforeRepair)
      continue;
    RepairPlan& plan = repair_plans_[id];
    if (core_.now() < plan.next) continue;
    plan.next = core_.scheduler.later(
        std::min(core_.config.poll_agents_timer * (1U << std::min(plan.attempts, 10U)), kLongestRepairPause));
    ++plan.attempts;
    ++repairs_;
    spawn(core_.domain, repair(id));
  }
}

// A member that a fail-over left behind keeps its data where it can.
Task<Result<void>> MySQLServerManager::take_back_or_repair(NodeId id) {
  const auto* node = core_.model.node(id);
  const bool left = node != nullptr && node->role == Role::replica && !node->left_at.empty();
  Result<void> done = success();
  if (left)
    done = co_await follow_primary(core_, id, Hurry::none, By::repair);
  else
    done = co_await repair_replica(core_, id);
  if (left && done.has_error() && done.error().code == ErrorCode::database) {
    // Nothing of its own would be lost, and what it lacks the master has no more.
    node = core_.model.node(id);
    if (node != nullptr && node->errant.empty()) done = co_await repair_replica(core_, id);
  }
  if (left) co_await core_.journal.durable();
  co_return done;
}

Task<void> MySQLServerManager::repair(NodeId id) {
  auto repaired = co_await take_back_or_repair(id);
  if (auto* node = core_.model.node(id); node != nullptr) {
    node->replication_bad = 0;
    core_.note(node_name(id),
               repaired.has_value() ? "replication repaired" : "repair failed: " + repaired.error().message);
  }
  --repairs_;
}

}  // namespace drover::ops
