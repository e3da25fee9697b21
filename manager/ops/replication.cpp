#include "manager/ops/replication.hpp"

#include <algorithm>

#include "manager/ops/failover.hpp"
#include "manager/ops/replication_steps.hpp"

namespace drover::ops {

using model::Node;
using model::node_name;
using model::NodeId;
using model::Operation;
using model::OperationId;

Task<Result<void>> set_up_replica_master(Core& core, OperationId id) {
  const NodeId target = core.model.operation(id)->request.node;
  if (auto checked = check_member(core, target); checked.has_error()) co_return checked;
  // Accepted while a promotion was to make this node the primary, which then failed: to open it now would
  // lose what the present one has acknowledged.
  const NodeId present = core.model.service.primary;
  if (present != 0 && present != target)
    co_return make_error(ErrorCode::wrong_state,
                         node_name(present) + " is the master already: use promote to change it");
  auto unheard = co_await former_is_unheard(core);
  if (unheard.has_error()) co_return unheard;
  co_await take_epoch(core, id);
  const std::uint64_t epoch = core.model.operation(id)->epoch;
  const NodeId suspect = core.model.service.maybe_writable;
  if (suspect != 0 && suspect != target) {
    auto fenced = co_await fence(core, suspect, epoch);
    if (fenced.has_error()) co_return fenced;
  }
  core.model.service.maybe_writable = target;
  core.journal.service_changed();
  co_await core.journal.durable();
  std::string anything;
  auto made = co_await make_primary(core, target, epoch, std::move(anything));
  if (made.has_error()) {
    // It may have become writable without our knowing: take that back as far as it can be.
    const std::uint64_t next = co_await epoch_after(core, id, target);
    auto fenced = co_await fence(core, target, next);
    if (fenced.has_value() && core.model.service.maybe_writable == target &&
        core.model.service.primary != target) {
      core.model.service.maybe_writable = 0;
      core.journal.service_changed();
      co_await core.journal.durable();
    }
    co_return made;
  }
  record_primary(core, target);
  core.note(node_name(target), "is the master, epoch " + std::to_string(epoch));
  co_await core.journal.durable();
  co_return success();
}

Task<Result<void>> set_up_replica_slave(Core& core, OperationId id, NodeId target) {
  if (auto checked = check_member(core, target); checked.has_error()) co_return checked;
  const model::ReplicaSource requested = core.model.operation(id)->request.source;
  if (core.model.service.primary == target)
    co_return make_error(ErrorCode::wrong_state, node_name(target) + " is the master");
  SetUpReplica command;
  Node* node = core.model.node(target);
  if (requested.master_host.empty()) {
    const Node* primary = core.model.primary();
    if (primary == nullptr) {
      co_return make_error(ErrorCode::wrong_state, "there is no master to replicate from");
    }
    command = replica_command(core, *node, *primary, core.model.service.epoch, true);
  } else {
    node->server_id = requested.slave_server_id;
    core.model.service.next_server_id =
        std::max(core.model.service.next_server_id, requested.slave_server_id + 1);
    core.journal.node_changed(target);
    core.journal.service_changed();
    Node source;
    source.address = requested.master_host;
    // From our own master a fresh copy carries its position with it; from anyone else only what was asked for
    // holds.
    const Node* primary = core.model.primary();
    const bool own = primary != nullptr && primary->address == requested.master_host;
    command = replica_command(core, *node, source, core.model.service.epoch, own);
    command.log_file = requested.master_log_file;
    command.log_position = requested.master_log_pos;
  }
  node->role =
      Role::replica;  // from here on its data is the source's: it can never be the primary's twin again
  core.journal.node_changed(target);
  co_await core.journal.durable();
  auto made = co_await make_replica(core, target, command, Until::caught_up);
  if (made.has_error()) co_return made;
  node = core.model.node(target);
  if (node == nullptr) co_return not_there(target);
  node->seconds_behind = 0;
  core.note(node_name(target), "replicates from " + command.source.address);
  co_return success();
}

namespace {

// Whether it follows a master that is dead or being replaced: in semi-synchronous mode what it has confirmed
// may be nowhere else, and whoever chooses a successor has to ask it.
Task<bool> is_needed_as_witness(Core& core, NodeId target) {
  if (!core.config.semi_sync) co_return false;
  const Node* primary = core.model.primary();
  const std::string source = primary == nullptr ? core.model.service.bereft_of : primary->address;
  if (source.empty()) co_return false;
  const model::View view = co_await look_at(core, target);
  const auto& replication = view.server.replication;
  if (!view.answered || view.hung || !view.server.running || view.server.role != Role::replica ||
      !replication.configured || replication.source_address != source || replication.source_server_id == 0)
    co_return false;
  const NodeId master = core.model.service.primary;
  primary = core.model.primary();
  if (primary != nullptr && primary->address != source) co_return false;  // it was asked, and passed over
  const bool replaced = std::ranges::any_of(core.model.active(), [&](const OperationId id) {
    const Operation& operation = *core.model.operation(id);
    return operation.request.kind == model::OperationKind::fail_over &&
           !has_moved_the_writes(operation, core.model.service);
  });
  if (replaced || master == 0) co_return true;
  const model::View now = co_await look_at(core, master);
  co_return !now.answered || now.hung || !now.server.running;
}

}  // namespace

Task<void> undo_replica_slave(Core& core, NodeId target) {
  Node* node = core.model.node(target);
  if (node == nullptr || node->role != Role::replica) co_return;
  const bool needed = co_await is_needed_as_witness(core, target);
  if (needed) {
    core.note(node_name(target), "stays a slave: the master is dead, and it may have what no other has");
    co_return;
  }
  node = core.model.node(target);
  if (node == nullptr || node->role != Role::replica) co_return;
  StopReplica command;
  command.epoch = core.model.service.epoch;
  const AgentCommand named = command;
  auto reply = co_await core.ask_persistently(target, named);
  (void)reply;
  node = core.model.node(target);
  if (node == nullptr) co_return;
  node->role = Role::none;
  core.journal.node_changed(target);
  co_await core.journal.durable();
}

namespace {

// Before a switchover closes the primary: until the target has what the primary has now, while writes go on,
// so that little is left to apply once nobody can write. A target too far behind for that is refused;
// whatever else is wrong is met on the way.
Task<Result<void>> come_close(Core& core, NodeId target, NodeId former) {
  if (core.model.node(former) == nullptr) co_return success();
  GetServerState look;
  const AgentCommand looking = look;
  auto state = co_await core.ask(former, looking);
  if (state.has_error() || !state.value().state.running) co_return success();
  WaitForGtid wait;
  wait.epoch = core.model.service.epoch;
  wait.gtid = state.value().state.gtid_binlog_pos;
  wait.limit = core.config.agent_timeout;
  const AgentCommand waiting = wait;
  core.observe("step.come_close", node_name(target));
  auto applied = co_await core.ask_persistently(target, waiting);
  if (applied.has_error() && applied.error().code == ErrorCode::timeout)
    co_return make_error(ErrorCode::timeout,
                         node_name(target) + " is too far behind " + node_name(former) +
                             " for a switchover, nothing was changed: " + applied.error().message);
  co_return success();
}

// The target has applied everything up to this position, a GTID list.
Task<Result<void>> drain(Core& core, NodeId target, std::uint64_t epoch, std::string position) {
  WaitForGtid wait;
  wait.epoch = epoch;
  wait.gtid = std::move(position);
  wait.limit = core.config.agent_timeout;
  const AgentCommand waiting = wait;
  core.observe("step.drain", node_name(target));
  auto drained = co_await core.ask_persistently(target, waiting);
  if (drained.has_error()) co_return std::move(drained).error();
  co_return success();
}

// Where no old primary tells what there is, the replicas do: nobody who can be asked has more than the
// target. Its result is what that has received, and applied.
Task<Result<std::string>> drain_alone(Core& core, NodeId target, std::uint64_t epoch) {
  GetServerState look;
  const AgentCommand looking = look;
  auto own = co_await core.ask_persistently(target, looking);
  if (own.has_error()) co_return std::move(own).error();
  const GtidPosition received = model::received_position(own.value().state);
  std::vector<NodeId> others;
  for (const auto& [id, node] : core.model.nodes())
    if (id != target && node.role == Role::replica && node.state == model::NodeState::running)
      others.push_back(id);
  for (const NodeId other : others) {
    auto seen = co_await core.ask(other, looking);
    if (seen.has_error() || !seen.value().state.running) continue;
    const std::vector<Excess> beyond = excess(model::received_position(seen.value().state), received);
    if (!beyond.empty())
      co_return make_error(ErrorCode::wrong_state,
                           node_name(other) + " has " + std::to_string(count(beyond)) +
                               " transaction(s) that " + node_name(target) + " lacks (" + to_text(beyond) +
                               "): promote that one, or remove it first");
  }
  std::string position = to_text(received);
  std::string wanted = position;
  auto drained = co_await drain(core, target, epoch, std::move(wanted));
  if (drained.has_error()) co_return std::move(drained).error();
  co_return position;
}

// The first half of a switchover: the old primary fenced, the new one drained. Its result is the position
// that the new one has reached, as a GTID list.
Task<Result<std::string>> hand_over(Core& core, NodeId target, NodeId former, std::uint64_t epoch) {
  if (core.model.node(former) == nullptr) {
    auto alone = co_await drain_alone(core, target, epoch);
    co_return alone;
  }
  auto fenced = co_await fence(core, former, epoch);
  if (fenced.has_error()) co_return std::move(fenced).error();
  // Its last position: only an answer from after the fencing tells it (an agent may answer with an older
  // state).
  std::string last_position;
  for (unsigned attempt = 1;; ++attempt) {
    GetServerState look;
    const AgentCommand looking = look;
    auto state = co_await core.ask_persistently(former, looking);
    if (state.has_error()) co_return std::move(state).error();
    const ServerState& seen = state.value().state;
    if (seen.running && seen.read_only && seen.epoch == epoch) {
      last_position = seen.gtid_binlog_pos;
      break;
    }
    if (!seen.running) {
      // A server that is down has no position to tell; it starts read-only.
      StartServer start;
      start.server_id = core.model.node(former) == nullptr ? 0 : core.model.node(former)->server_id;
      const AgentCommand starting = start;
      (void)co_await core.ask(former, starting);
    }
    if (attempt >= core.config.retry.attempts)
      co_return make_error(ErrorCode::unavailable,
                           "the agent of " + node_name(former) + " does not tell its present state");
    co_await sleep_for(core.config.retry.pause_after(attempt, Duration{0}));
  }
  std::string wanted = last_position;
  auto drained = co_await drain(core, target, epoch, std::move(wanted));
  if (drained.has_error()) co_return std::move(drained).error();
  co_return last_position;
}

// Taken up again, the target could not be opened: the journal may have lost that it was before, and what it
// has taken since nobody else has. It says so itself, now or when it is heard again.
Task<Result<void>> opened_after_all(Core& core, NodeId target, std::uint64_t epoch, Result<void> made) {
  // It has lost its data. A server that hangs (2013) has not.
  const bool hangs = made.error().message.starts_with("2013");
  if (made.error().code == ErrorCode::database && !hangs) co_return made;
  GetServerState look;
  const AgentCommand looking = look;
  const auto heard = co_await core.ask(target, looking);
  if (core.model.node(target) == nullptr) co_return made;
  if (heard.has_value()) {
    const ServerState& state = heard.value().state;
    if (state.role != Role::primary || state.epoch != epoch) co_return made;
    if (state.running && !state.read_only) co_return success();
  }
  core.perhaps_promoted = target;
  co_return made;
}

// Taken up again when only the target may become writable: what the former primary, closed, had last, as a
// GTID list. "" when it does not say, or the target has been made the master, and may hold more than anybody.
Task<std::string> closed_at(Core& core, NodeId target, NodeId former) {
  GetServerState look;
  const AgentCommand looking = look;
  const auto own = co_await core.ask_persistently(target, looking);
  if (own.has_error() || own.value().state.role == Role::primary || core.model.node(former) == nullptr)
    co_return std::string();
  const auto closed = co_await core.ask_persistently(former, looking);
  if (closed.has_error()) co_return std::string();
  const ServerState& state = closed.value().state;
  const bool tells = state.running && state.read_only && state.role == Role::primary;
  co_return tells ? state.gtid_binlog_pos : std::string();
}

// The writes move to the target: the former primary closed, what it has taken applied, the target opened.
// `resumed`: by a manager that did not begin it.
Task<Result<void>> move_writes(Core& core, OperationId id, NodeId target, NodeId former, bool resumed) {
  if (auto checked = check_member(core, target); checked.has_error()) co_return checked;
  if (core.model.node(target)->role != Role::replica)
    co_return make_error(ErrorCode::wrong_state, node_name(target) + " is no replica");
  if (core.model.operation(id)->epoch == 0) {
    auto close = co_await come_close(core, target, former);
    if (close.has_error()) co_return close;
    co_await acquit_followers(core, target);
    if (auto checked = check_member(core, target); checked.has_error()) co_return checked;
  }
  co_await take_epoch(core, id);
  const std::uint64_t epoch = core.model.operation(id)->epoch;
  std::string position;
  if (core.model.service.maybe_writable != target) {
    auto closed = co_await close_suspect(core, epoch);
    if (closed.has_error()) co_return closed;
    auto unheard = co_await former_is_unheard(core);
    if (unheard.has_error()) co_return unheard;
    auto handed = co_await hand_over(core, target, former, epoch);
    // Taken up again while its target did not answer, which may answer now.
    if (handed.has_error() && resumed) co_await learn_whether_promoted(core, id, target);
    if (core.model.service.primary == target) co_return success();
    if (core.model.service.maybe_writable != target) {
      if (handed.has_error()) {
        co_await hand_back(core, former, epoch);
        co_return std::move(handed).error();
      }
      position = std::move(handed).value();
      // From here on only the target may become writable.
      core.model.service.maybe_writable = target;
      core.journal.service_changed();
      co_await core.journal.durable();
    }
  } else {
    position = co_await closed_at(core, target, former);
  }
  auto made = co_await open_successor(core, target, std::move(position), epoch);
  if (made.has_error() && resumed) {
    Result<void> failed = made;
    made = co_await opened_after_all(core, target, epoch, std::move(failed));
  }
  if (made.has_error()) {
    if (core.perhaps_promoted == target) co_return made;  // neither closed nor replaced before it was heard
    // Back to the former one, if it is certain that the target takes no writes; else the monitor goes on
    // trying.
    const std::uint64_t next = co_await epoch_after(core, id, target);
    auto fenced = co_await fence(core, target, next);
    if (fenced.has_value() && core.model.node(former) != nullptr) {
      core.model.service.maybe_writable = former;
      core.journal.service_changed();
      co_await core.journal.durable();
      co_await hand_back(core, former, next);
      // It was told to follow nobody any more. When it cannot, the monitor repairs it.
      if (core.model.node(target) != nullptr) (void)co_await follow_primary(core, target, Hurry::much);
    }
    co_return made;
  }
  record_moved(core, former, target);
  core.note(node_name(target), "promoted, epoch " + std::to_string(epoch));
  co_await core.journal.durable();
  co_return success();
}

}  // namespace

Task<Result<void>> promote(Core& core, OperationId id) {
  const NodeId target = core.model.operation(id)->request.node;
  // Whom it takes over from is decided when it begins: an operation before it may have changed the primary.
  // Its epoch may be in what a journal has lost.
  const bool resumed = id < core.inherited_below;
  if (core.model.operation(id)->epoch == 0) {
    core.model.operation(id)->former = core.model.service.primary;
    core.journal.operation_changed(id);
  }
  const NodeId former = core.model.operation(id)->former;
  co_await learn_whether_promoted(core, id, target);
  if (core.model.service.primary != target) {
    auto moved = co_await move_writes(core, id, target, former, resumed);
    if (moved.has_error()) co_return moved;
  }
  const auto troubles = co_await repoint(core, target, Hurry::some);
  // The others may have been waited for longer than it lived.
  if (core.model.service.primary != target)
    co_return make_error(ErrorCode::wrong_state, node_name(target) + " was the master, and is so no more");
  warn(core, id, joined(troubles));
  co_return success();
}

Task<Result<void>> repair_replica(Core& core, NodeId id) {
  const Node* node = core.model.node(id);
  const Node* primary = core.model.primary();
  if (node == nullptr || primary == nullptr || node->role != Role::replica || primary->id == id)
    co_return success();
  core.note(node_name(id), "replication is broken: copying the data from the master again");
  const SetUpReplica command = replica_command(core, *node, *primary, core.model.service.epoch, true);
  auto made = co_await make_replica(core, id, command, Until::caught_up, Hurry::none, By::repair);
  co_return made;
}

}  // namespace drover::ops
