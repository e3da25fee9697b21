#include "manager/ops/replication_steps.hpp"

#include <algorithm>

#include "manager/model/failover.hpp"
#include "manager/ops/failover.hpp"
#include "manager/runtime/parallel.hpp"

namespace drover::ops {

using model::Node;
using model::node_name;
using model::NodeId;
using model::Operation;
using model::OperationId;

Error not_there(NodeId id) {
  return make_error(ErrorCode::wrong_state, node_name(id) + " is not a member any more");
}

namespace {

constexpr TimePoint kAlive = TimePoint::max();  // no time since which it is dead

constexpr unsigned kTriesToAsk = 3;       // an agent that refuses, before an epoch is used again
constexpr Duration kStillHolds = 1s;      // to say that it has what it has applied
constexpr Duration kSecondThoughts = 2s;  // the same, when its state says something else

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

// What it held beyond the present master's beginning is known to be there, or gone; what was seen of it
// before is no reason for a repair.
void follows_again(Core& core, NodeId id) {
  Node* node = core.model.node(id);
  if (node == nullptr) return;
  node->replication_bad = 0;
  if (node->left_at.empty()) return;
  node->left_at.clear();
  node->errant.clear();
  core.journal.node_changed(id);
}

}  // namespace

Task<void> take_epoch(Core& core, OperationId id) {
  Operation* operation = core.model.operation(id);
  if (operation->epoch == 0) {
    operation->epoch = ++core.model.service.epoch;
    core.journal.service_changed();
    core.journal.operation_changed(id);
  }
  co_await core.journal.durable();
}

Task<std::uint64_t> epoch_after(Core& core, OperationId id, NodeId failed) {
  GetServerState look;
  const AgentCommand looking = look;
  auto seen = co_await core.ask(failed, looking);
  // Refused or cut off at once: a late copy of the order to open it is worth a second try. Silence is not
  // waited for.
  for (unsigned attempt = 1;
       seen.has_error() && seen.error().code != ErrorCode::timeout && attempt < kTriesToAsk; ++attempt) {
    co_await sleep_for(core.config.retry.pause_after(attempt, Duration{0}));
    seen = co_await core.ask(failed, looking);
  }
  if (seen.has_error() || core.highest_epoch > core.model.service.epoch)
    co_return core.model.operation(id)->epoch;
  const std::uint64_t epoch = ++core.model.service.epoch;
  core.model.operation(id)->epoch = epoch;
  core.journal.service_changed();
  core.journal.operation_changed(id);
  co_await core.journal.durable();
  co_return epoch;
}

Result<void> check_member(const Core& core, NodeId id) {
  const Node* node = core.model.node(id);
  if (node == nullptr) return not_there(id);
  if (!model::is_listed(node->state))
    return make_error(ErrorCode::wrong_state, node_name(id) + " is " + to_text(node->state));
  return success();
}

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

namespace {

// Whether the two name different transactions by the same number: another server has counted from the start.
bool differs_from(const GtidPosition& applied, const GtidPosition& wanted) {
  return std::ranges::any_of(applied, [&](const Gtid& one) {
    return std::ranges::any_of(wanted, [&](const Gtid& other) {
      return one.domain == other.domain && one.sequence == other.sequence && one.server != other.server;
    });
  });
}

}  // namespace

Task<Result<void>> make_primary(Core& core, NodeId id, std::uint64_t epoch, std::string position) {
  Error last;
  for (unsigned attempt = 1; attempt <= core.config.retry.attempts; ++attempt) {
    if (attempt > 1) {
      // This manager may have been frozen, and replaced by one that gave this up and could not tell the
      // agent: the journal ends who writes to it then.
      core.journal.service_changed();
      co_await core.journal.durable();
    }
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
      const GtidPosition wanted = parse_gtid_position(position).value_or(GtidPosition{});
      const GtidPosition applied = model::applied_position(reply.value().state);
      if (differs_from(applied, wanted))
        co_return make_error(ErrorCode::database,
                             node_name(id) + " has lost its data since it was to take over");
      if (!excess(wanted, applied).empty()) {
        std::string needed = position;
        auto held = co_await still_holds(core, id, std::move(needed), epoch, kSecondThoughts);
        if (held.has_error()) co_return held;
      }
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

Task<Result<void>> open_successor(Core& core, NodeId target, std::string position, std::uint64_t epoch) {
  StopReplica stop;
  stop.epoch = epoch;
  const AgentCommand stopping = stop;
  core.observe("step.stop_replica", node_name(target));
  auto stopped = co_await core.ask_persistently(target, stopping);
  if (stopped.has_error())
    core.note(node_name(target), "could not stop replicating: " + stopped.error().message);
  std::string needed = position;
  auto made = co_await still_holds(core, target, std::move(needed), epoch, kStillHolds);
  if (made.has_value()) made = co_await make_primary(core, target, epoch, std::move(position));
  co_return made;
}

bool has_moved_the_writes(const Operation& operation, const model::Service& service) {
  const auto kind = operation.request.kind;
  return (kind == model::OperationKind::promote || kind == model::OperationKind::fail_over) &&
         operation.request.node == service.primary && operation.epoch == service.epoch;
}

void record_primary(Core& core, NodeId id) {
  Node* node = core.model.node(id);
  if (node == nullptr) return;
  core.observe("step.record_primary", node_name(id));
  node->role = Role::primary;
  node->left_at.clear();
  node->errant.clear();
  core.model.service.bereft_of.clear();
  core.model.service.primary = id;
  core.model.service.maybe_writable = id;
  core.perhaps_promoted = 0;
  core.journal.node_changed(id);
  core.journal.service_changed();
}

void stays_primary(Core& core) {
  Node* primary = core.model.primary();
  if (primary == nullptr || primary->left_at.empty()) return;
  primary->left_at.clear();
  core.journal.node_changed(primary->id);
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

namespace {

bool is_in_an_operation(const Core& core, NodeId id) {
  return std::ranges::any_of(core.model.active(), [&](const OperationId active) {
    const Operation& operation = *core.model.operation(active);
    return operation.request.node == id || std::ranges::count(operation.nodes, id) > 0;
  });
}

// Whether a fail-over is due, and whoever is waited for is in its way: for as long as a hung master is given.
// `dead_since`: since when it has been found dead, kAlive when it is not.
Task<bool> holds_up_a_failover(Core& core, Hurry hurry, TimePoint& dead_since) {
  if (hurry != Hurry::some || !core.config.failover.automatic) co_return false;
  const TimePoint asked = core.now();
  const Analysis analysis = co_await analyse(core);
  const auto health = analysis.judgement.health;
  const bool dead = health == model::Health::dead || health == model::Health::hung;
  dead_since = dead ? std::min(dead_since, asked) : kAlive;
  if (!dead) co_return false;
  co_return core.now() - dead_since >= core.config.failover.hung_after;
}

Error waits_no_more(NodeId id, const std::string& last) {
  return make_error(ErrorCode::unavailable,
                    node_name(id) + " is not waited for, for the master itself is dead: " + last);
}

}  // namespace

Task<Result<void>> make_replica(Core& core, NodeId id, SetUpReplica command, Until until, Hurry hurry,
                                By by) {
  const unsigned attempts = hurry == Hurry::much ? 2 : core.config.retry.attempts;
  const Duration limit = hurry == Hurry::much && !command.clone
                             ? core.config.agent_timeout * 2
                             : core.config.catch_up_timeout + core.config.clone_timeout;
  const TimePoint deadline = core.scheduler.later(limit);
  const std::string source = command.source.address;
  const Duration patience = command.clone ? core.config.clone_timeout : core.config.agent_timeout;
  unsigned failures = 0;
  TimePoint dead_since = kAlive;
  bool told = false;
  Duration pause = 50ms;  // a replica of the same data is ready at once, a copy is not
  std::string last = "no answer";
  // Once more after the deadline: this manager may have been frozen while it passed.
  for (bool late = false; !late;) {
    late = core.now() >= deadline;
    const Node* node = core.model.node(id);
    if (node == nullptr) co_return not_there(id);
    if (node->role != Role::replica || command.epoch != core.model.service.epoch)
      co_return make_error(ErrorCode::wrong_state,
                           "the roles have changed since " + node_name(id) + " was to be a replica");
    if (by == By::repair && is_in_an_operation(core, id))
      co_return make_error(ErrorCode::cancelled, "an operation is at " + node_name(id));
    AgentCommand named = command;
    if (!told) {
      core.observe("step.make_replica", node_name(id));
      auto reply = co_await core.ask(id, named, patience);
      if (reply.has_error()) {
        last = reply.error().message;
        if (!is_worth_retrying(reply.error()) || ++failures >= attempts) co_return std::move(reply).error();
        const bool in_the_way = co_await holds_up_a_failover(core, hurry, dead_since);
        if (in_the_way) co_return waits_no_more(id, last);
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
      if (replicates(state, source) &&
          (until == Until::replicates || state.replication.seconds_behind == 0)) {
        follows_again(core, id);
        co_return success();
      }
      if (state.replication.sql_errno != 0 || state.replication.io_errno == 1236 ||
          state.replication.io_errno == 1045) {
        last = state.replication.last_error;
        if (++failures >= std::min(attempts, 3U)) {
          co_return make_error(ErrorCode::database,
                               "replication of " + node_name(id) + " does not run: " + last);
        }
        told = false;
      } else if (is_under_way(state, source) && !state.read_only) {
        // Nothing is wrong with its data: no reason for another copy.
        last = "its server takes writes";
        if (++failures >= attempts) break;
        SetReadOnly close;
        close.epoch = command.epoch;
        named = close;
        (void)co_await core.ask(id, named);
      } else if (!is_under_way(state, source)) {
        last = "the agent has been told, but its server does not replicate from " + source;
        if (++failures >= attempts) break;
        told = false;
      }
    } else {
      last = seen.error().message;
      if (hurry == Hurry::much && ++failures >= attempts) break;
    }
    if (seen.has_error() || seen.value().state.replication.io != ThreadState::yes) {
      const bool in_the_way = co_await holds_up_a_failover(core, hurry, dead_since);
      if (in_the_way) co_return waits_no_more(id, last);
    }
    co_await sleep_for(pause);
    pause = std::min<Duration>(pause * 2, 1s);
  }
  co_return make_error(ErrorCode::timeout, node_name(id) + " did not become a replica in time: " + last);
}

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

Task<Result<void>> still_holds(Core& core, NodeId target, std::string position, std::uint64_t epoch,
                               Duration limit) {
  if (position.empty()) co_return success();
  WaitForGtid wait;
  wait.epoch = epoch;
  wait.gtid = std::move(position);
  wait.limit = limit;
  const AgentCommand waiting = wait;
  core.observe("step.check_data", node_name(target));
  auto held = co_await core.ask_persistently(target, waiting);
  if (held.has_value()) co_return success();
  co_return make_error(
      ErrorCode::database,
      node_name(target) + " does not hold what the former master has written: " + held.error().message);
}

Task<void> hand_back(Core& core, NodeId former, std::uint64_t epoch) {
  if (core.model.node(former) == nullptr) co_return;
  if (core.awaits_word_of_another_than(former)) {
    core.note(node_name(former), "is not made writable again before " + node_name(core.perhaps_promoted) +
                                     " has said that it is not the master");
    co_return;
  }
  core.observe("step.hand_back", node_name(former));
  // By its own account it follows another one: the journal has forgotten that this one was replaced. Who does
  // not say is opened by the monitor, when it does.
  GetServerState look;
  const AgentCommand looking = look;
  const auto seen = co_await core.ask_persistently(former, looking);
  const bool follows = seen.has_value() && seen.value().state.role == Role::replica;
  if (seen.has_error() || follows) {
    core.note(node_name(former), "is not made writable again: " +
                                     (follows ? "it says that it is a replica" : seen.error().message));
    co_return;
  }
  std::string anything;
  auto back = co_await make_primary(core, former, epoch, std::move(anything));
  if (back.has_error())
    core.note(node_name(former), "could not be made writable again: " + back.error().message);
}

namespace {

// Whether the former primary, closed, has nothing that is not in `position`; nothing when it does not say.
Task<std::optional<bool>> has_nothing_beyond(Core& core, NodeId former, GtidPosition position) {
  GetServerState look;
  const AgentCommand looking = look;
  const auto seen = co_await core.ask(former, looking);
  if (seen.has_error() || !seen.value().state.running) co_return std::nullopt;
  if (!seen.value().state.read_only) co_return false;  // it has its writes back
  co_return excess(model::applied_position(seen.value().state), position).empty();
}

// Whether a member was told in this epoch to follow the target: nobody is before the target is the master.
Task<bool> is_followed(Core& core, NodeId target, std::uint64_t epoch) {
  std::vector<NodeId> others;
  for (const auto& [id, node] : core.model.nodes())
    if (id != target && model::is_listed(node.state)) others.push_back(id);
  auto found = std::make_shared<bool>(false);
  std::function<Task<void>(std::int64_t)> body = [&core, found, target, epoch](std::int64_t id) {
    struct Body {
      static Task<void> run(Core& of, NodeId other, NodeId followed, std::uint64_t in,
                            std::shared_ptr<bool> to) {
        GetServerState look;
        const AgentCommand looking = look;
        const auto seen = co_await of.ask(other, looking);
        const Node* node = of.model.node(followed);
        if (seen.has_error() || node == nullptr) co_return;
        *to = *to || model::was_told_to_follow(seen.value().state, node->address, in);
      }
    };
    return Body::run(core, id, target, epoch, found);
  };
  co_await for_each_parallel(std::move(others), core.config.parallelism, std::move(body));
  co_return *found;
}

}  // namespace

void record_moved(Core& core, NodeId former, NodeId target) {
  if (Node* old = core.model.node(former); old != nullptr) {
    old->role = Role::replica;
    core.journal.node_changed(former);
  }
  record_primary(core, target);
}

Task<void> learn_whether_promoted(Core& core, OperationId id, NodeId target) {
  const std::uint64_t epoch = core.model.operation(id)->epoch;
  if (epoch == 0 || core.model.service.maybe_writable == target) co_return;
  GetServerState look;
  const AgentCommand looking = look;
  const auto seen = co_await core.ask(target, looking);
  if (core.model.node(target) == nullptr) co_return;
  bool followed = false;
  if (seen.has_error() || seen.value().state.read_only) followed = co_await is_followed(core, target, epoch);
  if (core.model.node(target) == nullptr) co_return;
  if (followed) {
    core.note(node_name(target), "has followers already: it is the master, the journal is behind");
    // Restarted since, it is closed. What fails here the monitor goes on with.
    if (seen.has_value() && seen.value().state.role == Role::primary && seen.value().state.epoch == epoch &&
        core.model.service.epoch == epoch && core.highest_epoch <= epoch) {
      core.model.service.maybe_writable = target;
      core.journal.service_changed();
      co_await core.journal.durable();
      std::string anything;
      (void)co_await make_primary(core, target, epoch, std::move(anything));
      if (core.model.node(target) == nullptr) co_return;
    }
    record_moved(core, core.model.operation(id)->former, target);
    co_await core.journal.durable();
    co_return;
  }
  if (seen.has_error()) {
    core.perhaps_promoted = target;
    co_return;
  }
  const ServerState& state = seen.value().state;
  if (state.role != Role::primary || state.epoch != epoch) co_return;
  if (state.read_only) {
    // Closed since, or never opened: it is the master when that loses nothing.
    const NodeId former = core.model.operation(id)->former;
    GtidPosition position = model::applied_position(state);
    const auto all = co_await has_nothing_beyond(core, former, std::move(position));
    if (!all.has_value()) core.perhaps_promoted = target;
    if (!all.value_or(false) || core.model.node(target) == nullptr) co_return;
  }
  core.note(node_name(target), "is the master already: the journal is behind");
  core.model.service.maybe_writable = target;
  core.journal.service_changed();
  co_await core.journal.durable();
}

}  // namespace drover::ops
