#include "manager/ops/replication.hpp"

#include "manager/ops/bring_up.hpp"

namespace drover::ops {

using model::Node;
using model::node_name;
using model::NodeId;
using model::Operation;
using model::OperationId;

namespace {

// The operation's own topology epoch, taken once and journaled before it is used.
Task<void> take_epoch(Core& core, OperationId id) {
  Operation* operation = core.model.operation(id);
  if (operation->epoch == 0) {
    operation->epoch = ++core.model.service.epoch;
    core.journal.service_changed();
    core.journal.operation_changed(id);
  }
  co_await core.journal.durable();
}

Error not_there(NodeId id) {
  return make_error(ErrorCode::wrong_state, node_name(id) + " is not a member any more");
}

// A member that may be given a role now, or why not.
Result<void> check_member(const Core& core, NodeId id) {
  const Node* node = core.model.node(id);
  if (node == nullptr) return not_there(id);
  if (!model::is_listed(node->state))
    return make_error(ErrorCode::wrong_state, node_name(id) + " is " + to_text(node->state));
  return success();
}

// Tells the node's server to be the primary and checks that it is.
Task<Result<void>> make_primary(Core& core, NodeId id, std::uint64_t epoch) {
  Error last;
  for (unsigned attempt = 1; attempt <= core.config.retry.attempts; ++attempt) {
    const Node* node = core.model.node(id);
    if (node == nullptr) co_return not_there(id);
    SetUpPrimary command;
    command.epoch = epoch;
    command.server_id = node->server_id;
    command.semi_sync = core.config.semi_sync;
    command.replication_user = core.config.replication_user;
    command.replication_password = core.config.replication_password;
    AgentCommand named = command;
    core.observe("step.make_primary", node_name(id));
    auto reply = co_await core.ask(id, named);
    if (reply.has_error() && !is_worth_retrying(reply.error())) co_return std::move(reply).error();
    if (reply.has_value() && reply.value().state.read_only) {
      core.observe("step.make_writable", node_name(id));
      SetReadOnly writable;
      writable.epoch = epoch;
      writable.read_only = false;
      named = writable;
      reply = co_await core.ask(id, named);
      if (reply.has_error() && !is_worth_retrying(reply.error())) co_return std::move(reply).error();
    }
    GetServerState look;
    named = look;
    auto seen = co_await core.ask(id, named);
    if (seen.has_value() && seen.value().state.running && !seen.value().state.read_only &&
        seen.value().state.role == Role::primary && seen.value().state.epoch == epoch)
      co_return success();
    if (reply.has_error())
      last = reply.error();
    else if (seen.has_error())
      last = seen.error();
    else
      last = make_error(ErrorCode::unavailable,
                        "the agent of " + node_name(id) + " said ok, but its server is no master");
    core.observe("operation.retry", node_name(id));
    co_await sleep_for(core.config.retry.pause_after(attempt, last.retry_after));
  }
  co_return last;
}

void record_primary(Core& core, NodeId id) {
  Node* node = core.model.node(id);
  if (node == nullptr) return;
  core.observe("step.record_primary", node_name(id));
  node->role = Role::primary;
  core.model.service.primary = id;
  core.model.service.maybe_writable = id;
  core.journal.node_changed(id);
  core.journal.service_changed();
}

SetUpReplica replica_command(const Core& core, const Node& node, const Node& source, std::uint64_t epoch,
                             bool clone) {
  SetUpReplica command;
  command.epoch = epoch;
  command.server_id = node.server_id;
  command.source = core.endpoint(source);
  command.source_port = source.mysqld_port;
  command.clone = clone;
  command.semi_sync = core.config.semi_sync;
  command.replication_user = core.config.replication_user;
  command.replication_password = core.config.replication_password;
  return command;
}

bool replicates(const ServerState& state, const std::string& source) {
  return state.running && state.role == Role::replica && state.read_only && state.replication.configured &&
         state.replication.source_address == source && state.replication.io == ThreadState::yes &&
         state.replication.sql_running;
}

// Whether it is on its way to that: told to replicate from there, and its threads run or try to.
bool is_under_way(const ServerState& state, const std::string& source) {
  const auto& replication = state.replication;
  return state.running && state.role == Role::replica && replication.configured &&
         replication.source_address == source && replication.io != ThreadState::no && replication.sql_running;
}

enum class Until : unsigned char { replicates, caught_up };

// Gives the replica's agent the command until the replica runs, then waits until it has caught up, where
// asked for: under constant writes that may take long.
Task<Result<void>> make_replica(Core& core, NodeId id, SetUpReplica command, Until until) {
  const TimePoint deadline = core.scheduler.later(core.config.catch_up_timeout + core.config.clone_timeout);
  const std::string source = command.source.address;
  const Duration patience = command.clone ? core.config.clone_timeout : core.config.agent_timeout;
  unsigned failures = 0;
  bool told = false;
  std::string last = "no answer";
  // Once more after the deadline: this manager may have been frozen while it passed.
  for (bool late = false; !late;) {
    late = core.now() >= deadline;
    const Node* node = core.model.node(id);
    if (node == nullptr) co_return not_there(id);
    if (node->role != Role::replica || command.epoch != core.model.service.epoch)
      co_return make_error(ErrorCode::wrong_state,
                           "the roles have changed since " + node_name(id) + " was to be a replica");
    AgentCommand named = command;
    if (!told) {
      core.observe("step.make_replica", node_name(id));
      auto reply = co_await core.ask(id, named, patience);
      if (reply.has_error()) {
        last = reply.error().message;
        if (!is_worth_retrying(reply.error()) || ++failures >= core.config.retry.attempts)
          co_return std::move(reply).error();
        core.observe("operation.retry", node_name(id));
        co_await sleep_for(core.config.retry.pause_after(failures, reply.error().retry_after));
      }
      told = true;  // whatever it answered: its state tells whether it must be told again
      core.observe("step.catch_up", node_name(id));
    }
    GetServerState look;
    named = look;
    auto seen = co_await core.ask(id, named);
    if (seen.has_value()) {
      const auto& state = seen.value().state;
      if (replicates(state, source) && (until == Until::replicates || state.replication.seconds_behind == 0))
        co_return success();
      if (state.replication.sql_errno != 0 || state.replication.io_errno == 1236 ||
          state.replication.io_errno == 1045) {
        last = state.replication.last_error;
        if (++failures >= 3) {
          co_return make_error(ErrorCode::database,
                               "replication of " + node_name(id) + " does not run: " + last);
        }
        told = false;
      } else if (is_under_way(state, source) && !state.read_only) {
        // Nothing is wrong with its data: no reason for another copy.
        last = "its server takes writes";
        if (++failures >= core.config.retry.attempts) break;
        SetReadOnly close;
        close.epoch = command.epoch;
        named = close;
        (void)co_await core.ask(id, named);
      } else if (!is_under_way(state, source)) {
        last = "the agent has been told, but its server does not replicate from " + source;
        if (++failures >= core.config.retry.attempts) break;
        told = false;
      }
    } else {
      last = seen.error().message;
    }
    co_await sleep_for(1s);
  }
  co_return make_error(ErrorCode::timeout, node_name(id) + " did not become a replica in time: " + last);
}

}  // namespace

Task<Result<void>> fence(Core& core, NodeId id, std::uint64_t epoch) {
  const Node* node = core.model.node(id);
  if (node == nullptr) co_return success();
  SetReadOnly command;
  command.epoch = epoch;
  command.read_only = true;
  const AgentCommand named = command;
  core.observe("step.fence", node_name(id));
  auto reply = co_await core.ask_persistently(id, named);
  // An agent may answer with an earlier state: what says "writable" is looked at again.
  for (unsigned attempt = 1; reply.has_value() && attempt < core.config.retry.attempts; ++attempt) {
    if (reply.value().state.read_only || !reply.value().state.running) co_return success();
    core.observe("operation.retry", node_name(id));
    co_await sleep_for(core.config.retry.pause_after(attempt, Duration{0}));
    reply = co_await core.ask(id, named);
  }
  if (reply.has_value() && (reply.value().state.read_only || !reply.value().state.running))
    co_return success();
  node = core.model.node(id);
  if (node == nullptr) co_return success();
  std::string vm = node->vm;
  auto info = co_await core.get_vm_info(node_name(id), vm);
  if (info.has_value() && (is_gone(info.value().state) || info.value().state == InstanceState::stopped))
    co_return success();
  co_return make_error(ErrorCode::unavailable,
                       "cannot make sure that " + node_name(id) + " takes no writes: " +
                           (reply.has_error() ? reply.error().message : "it says it is still writable") +
                           "; remove it, or try again when its agent answers");
}

Task<Result<void>> set_up_replica_master(Core& core, OperationId id) {
  const NodeId target = core.model.operation(id)->request.node;
  if (auto checked = check_member(core, target); checked.has_error()) co_return checked;
  // Accepted while a promotion was to make this node the primary, which then failed: to open it now would
  // lose what the present one has acknowledged.
  const NodeId present = core.model.service.primary;
  if (present != 0 && present != target)
    co_return make_error(ErrorCode::wrong_state,
                         node_name(present) + " is the master already: use promote to change it");
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
  auto made = co_await make_primary(core, target, epoch);
  if (made.has_error()) {
    // It may have become writable without our knowing: take that back as far as it can be.
    auto fenced = co_await fence(core, target, epoch);
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
  SetUpReplica command;
  Node* node = core.model.node(target);
  if (requested.master_host.empty()) {
    const Node* primary = core.model.primary();
    if (primary == nullptr) {
      co_return make_error(ErrorCode::wrong_state, "there is no master to replicate from");
    }
    if (primary->id == target) {
      co_return make_error(ErrorCode::wrong_state, node_name(target) + " is the master");
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
  node->replication_bad = 0;
  node->seconds_behind = 0;
  core.note(node_name(target), "replicates from " + command.source.address);
  co_return success();
}

Task<void> undo_replica_slave(Core& core, NodeId target) {
  Node* node = core.model.node(target);
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

// Who may take writes beside the master, as a promotion that failed half-way leaves it, is closed before the
// master moves on.
Task<Result<void>> close_suspect(Core& core, std::uint64_t epoch) {
  const NodeId suspect = core.model.service.maybe_writable;
  if (suspect == 0 || suspect == core.model.service.primary) co_return success();
  auto fenced = co_await fence(core, suspect, epoch);
  if (fenced.has_error()) co_return fenced;
  core.model.service.maybe_writable = core.model.service.primary;
  core.journal.service_changed();
  co_await core.journal.durable();
  co_return success();
}

// The first half of a switchover: the old primary fenced, the new one drained. Its result is the old one's
// last position, as a GTID list; "" when there is no old one.
Task<Result<std::string>> hand_over(Core& core, NodeId target, NodeId former, std::uint64_t epoch) {
  if (core.model.node(former) == nullptr) co_return std::string();
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
  WaitForGtid wait;
  wait.epoch = epoch;
  wait.gtid = last_position;
  wait.limit = core.config.agent_timeout;
  const AgentCommand waiting = wait;
  core.observe("step.drain", node_name(target));
  auto drained = co_await core.ask_persistently(target, waiting);
  if (drained.has_error()) co_return std::move(drained).error();
  co_return last_position;
}

// A copy of an old command may have emptied the target since it was drained.
Task<Result<void>> still_holds(Core& core, NodeId target, std::string position, std::uint64_t epoch) {
  if (position.empty()) co_return success();
  WaitForGtid wait;
  wait.epoch = epoch;
  wait.gtid = std::move(position);
  wait.limit = 1s;
  const AgentCommand waiting = wait;
  core.observe("step.check_data", node_name(target));
  auto held = co_await core.ask_persistently(target, waiting);
  if (held.has_value()) co_return success();
  co_return make_error(
      ErrorCode::database,
      node_name(target) + " does not hold what the former master has written: " + held.error().message);
}

// Undoes a switchover: the old primary takes writes again.
Task<void> hand_back(Core& core, NodeId former, std::uint64_t epoch) {
  if (core.model.node(former) == nullptr) co_return;
  core.observe("step.hand_back", node_name(former));
  auto back = co_await make_primary(core, former, epoch);
  if (back.has_error())
    core.note(node_name(former), "could not be made writable again: " + back.error().message);
}

}  // namespace

namespace {

// Taken up again, by its own epoch, with a journal that may have forgotten how far it was: the target itself
// says whether it is the primary already. Then only it may be writable.
Task<void> learn_whether_promoted(Core& core, OperationId id, NodeId target) {
  const std::uint64_t epoch = core.model.operation(id)->epoch;
  if (epoch == 0 || core.model.service.maybe_writable == target) co_return;
  GetServerState look;
  const AgentCommand looking = look;
  const auto seen = co_await core.ask(target, looking);
  if (seen.has_error() || core.model.node(target) == nullptr) co_return;
  const ServerState& state = seen.value().state;
  if (state.role != Role::primary || state.epoch != epoch || state.read_only) co_return;
  core.note(node_name(target), "is the master already: the journal is behind");
  core.model.service.maybe_writable = target;
  core.journal.service_changed();
  co_await core.journal.durable();
}

}  // namespace

Task<Result<void>> promote(Core& core, OperationId id) {
  const NodeId target = core.model.operation(id)->request.node;
  // Whom it takes over from is decided when it begins: an operation before it may have changed the primary.
  if (core.model.operation(id)->epoch == 0) {
    core.model.operation(id)->former = core.model.service.primary;
    core.journal.operation_changed(id);
  }
  const NodeId former = core.model.operation(id)->former;
  co_await learn_whether_promoted(core, id, target);
  if (core.model.service.primary != target) {
    if (auto checked = check_member(core, target); checked.has_error()) co_return checked;
    if (core.model.node(target)->role != Role::replica)
      co_return make_error(ErrorCode::wrong_state, node_name(target) + " is no replica");
    co_await take_epoch(core, id);
    const std::uint64_t epoch = core.model.operation(id)->epoch;
    std::string position;
    if (core.model.service.maybe_writable != target) {
      auto closed = co_await close_suspect(core, epoch);
      if (closed.has_error()) co_return closed;
      auto handed = co_await hand_over(core, target, former, epoch);
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
    StopReplica stop;
    stop.epoch = epoch;
    const AgentCommand stopping = stop;
    core.observe("step.stop_replica", node_name(target));
    auto stopped = co_await core.ask_persistently(target, stopping);
    if (stopped.has_error())
      core.note(node_name(target), "could not stop replicating: " + stopped.error().message);
    auto made = co_await still_holds(core, target, std::move(position), epoch);
    if (made.has_value()) made = co_await make_primary(core, target, epoch);
    if (made.has_error()) {
      // Back to the former one, if it is certain that the target takes no writes; else the monitor goes on
      // trying.
      auto fenced = co_await fence(core, target, epoch);
      if (fenced.has_value() && core.model.node(former) != nullptr) {
        core.model.service.maybe_writable = former;
        core.journal.service_changed();
        co_await core.journal.durable();
        co_await hand_back(core, former, epoch);
      }
      co_return made;
    }
    if (Node* old = core.model.node(former); old != nullptr) {
      old->role = Role::replica;
      core.journal.node_changed(former);
    }
    record_primary(core, target);
    core.note(node_name(target), "promoted, epoch " + std::to_string(epoch));
    co_await core.journal.durable();
  }
  core.observe("step.repoint", node_name(target));
  std::vector<NodeId> others;
  for (const auto& [other, node] : core.model.nodes())
    if (other != target && node.role == Role::replica && model::is_listed(node.state))
      others.push_back(other);
  std::string trouble;
  for (const NodeId other : others) {
    const Node* node = core.model.node(other);
    const Node* primary = core.model.node(target);
    if (node == nullptr || primary == nullptr) continue;
    const SetUpReplica command = replica_command(core, *node, *primary, core.model.service.epoch, false);
    auto made = co_await make_replica(core, other, command, Until::replicates);
    if (made.has_error()) trouble += (trouble.empty() ? "" : "; ") + made.error().message;
  }
  if (!trouble.empty()) {
    core.model.operation(id)->warning = trouble;
    core.journal.operation_changed(id);
  }
  co_return success();
}

Task<Result<void>> repair_replica(Core& core, NodeId id) {
  const Node* node = core.model.node(id);
  const Node* primary = core.model.primary();
  if (node == nullptr || primary == nullptr || node->role != Role::replica || primary->id == id)
    co_return success();
  core.note(node_name(id), "replication is broken: copying the data from the master again");
  const SetUpReplica command = replica_command(core, *node, *primary, core.model.service.epoch, true);
  auto made = co_await make_replica(core, id, command, Until::caught_up);
  co_return made;
}

}  // namespace drover::ops
