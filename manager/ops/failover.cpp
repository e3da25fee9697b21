#include "manager/ops/failover.hpp"

#include "manager/ops/disposal.hpp"
#include "manager/ops/lost_vm.hpp"
#include "manager/ops/replication_steps.hpp"
#include "manager/runtime/parallel.hpp"

namespace drover::ops {

using model::Node;
using model::node_name;
using model::NodeEvent;
using model::NodeId;
using model::Operation;
using model::OperationId;
using model::OperationKind;
using model::View;

namespace {

constexpr Duration kMargin = 1s;           // for an agent's own waiting, beyond the patience
constexpr Duration kDrainLook = 5s;        // how long one question about draining may take
constexpr Duration kJudgementHolds = 1s;   // how long a judgement on the master needs no second look
constexpr unsigned kTriesWhileHeard = 3;   // to close a master that a slave hears, before its VM is destroyed
constexpr Duration kPauseForReplica = 1s;  // between two looks for a replica that is missing

bool says_hung(const Error& error) {
  return error.code == ErrorCode::database && error.message.starts_with("2013");
}

bool is_being_set_up(const Core& core, NodeId id) {
  for (const OperationId active : core.model.active()) {
    const Operation* operation = core.model.operation(active);
    const auto kind = operation->request.kind;
    if (kind != OperationKind::set_up_replica_slave && kind != OperationKind::create_replica) continue;
    if (std::find(operation->nodes.begin(), operation->nodes.end(), id) != operation->nodes.end())
      return true;
  }
  return false;
}

std::vector<NodeId> replicas_of(const Core& core) {
  std::vector<NodeId> replicas;
  for (const auto& [id, node] : core.model.nodes())
    if (node.role == Role::replica && model::is_listed(node.state)) replicas.push_back(id);
  return replicas;
}

Task<std::vector<View>> look_at_all(Core& core, std::vector<NodeId> ids) {
  auto seen = std::make_shared<std::map<NodeId, View>>();
  std::function<Task<void>(std::int64_t)> body = [&core, seen](std::int64_t id) -> Task<void> {
    struct Body {
      static Task<void> run(Core& of, NodeId node, std::shared_ptr<std::map<NodeId, View>> to) {
        View view = co_await look_at(of, node);
        to->emplace(node, std::move(view));
      }
    };
    return Body::run(core, id, seen);
  };
  const auto order = ids;
  co_await for_each_parallel(std::move(ids), core.config.parallelism, std::move(body));
  std::vector<View> views;
  for (const NodeId id : order) views.push_back(std::move(seen->at(id)));
  co_return views;
}

std::string join(const std::vector<std::string>& notes) {
  std::string text;
  for (const std::string& note : notes) text += (text.empty() ? "" : "; ") + note;
  return text;
}

struct Fenced {
  bool alive = false;    // its server runs: read-only, or well again
  std::string position;  // when it is read-only: its last one
};

// Its VM is gone or going: nobody has to wait for it any more.
Task<Result<void>> give_up_vm(Core& core, OperationId id, NodeId former) {
  Node* node = core.model.node(former);
  if (node == nullptr) co_return success();
  core.model.service.bereft_of = node->address;
  core.journal.service_changed();
  if (node->state != model::NodeState::removing) core.change(*node, NodeEvent::remove);
  node->operation = id;
  core.journal.node_changed(former);
  co_await core.journal.durable();
  auto removed = co_await remove_node(core, former);
  co_return removed;
}

bool serves(const View& view) { return view.answered && !view.hung && view.server.running; }

// The replicas that hear the server at `source`; "" when none does.
std::string names_of_hearing(const std::vector<View>& views, const std::string& source) {
  std::string names;
  for (const View& view : views)
    if (model::hears(view, source)) names += (names.empty() ? "" : ", ") + node_name(view.node);
  return names;
}

// Why nobody takes over: no replica can, or the best may lack an acknowledged write. "": one does.
std::string obstacle(const Core& core, OperationId id, const model::Succession& succession) {
  if (succession.node == 0) return "no replica can take over: " + join(succession.notes);
  const bool unsure = core.config.semi_sync && (!succession.complete || succession.passed_over > 0) &&
                      !core.model.operation(id)->request.force;
  if (!unsure) return {};
  return node_name(succession.node) + " may lack an acknowledged write: " + join(succession.notes) +
         "; fail_over with \"force\": true goes on without it";
}

// The server id of the member at that address; 0: there is none any more.
std::uint32_t former_id(const Core& core, const std::string& source) {
  for (const auto& [id, node] : core.model.nodes())
    if (node.address == source) return node.server_id;
  return 0;
}

// The former primary's data may be all there is until somebody can take over. And who is heard again is
// perhaps about to answer.
Task<std::string> why_its_data_is_needed(Core& core, OperationId id, std::string source, bool patiently) {
  auto ids = replicas_of(core);
  const auto views = co_await look_at_all(core, std::move(ids));
  const model::Succession succession = model::choose_successor(views, source, former_id(core, source));
  std::string why = obstacle(core, id, succession);
  if (core.config.failover.loss_when_late && succession.node != 0) why.clear();
  if (const std::string hearing = names_of_hearing(views, source); patiently && !hearing.empty())
    why = hearing + " hear(s) it again";
  co_return why;
}

// Not so when it waited in the queue, or for another manager after a crash: the master may be well again.
bool was_judged_just_now(const Core& core, OperationId id) {
  const Duration age = core.now() - TimePoint{Duration{core.model.operation(id)->accepted_at_ns}};
  return age >= Duration{0} && age < kJudgementHolds;
}

Error not_fenced(NodeId former, const std::string& why) {
  return make_error(ErrorCode::unavailable, "cannot make sure that " + node_name(former) +
                                                " takes no writes: " + why +
                                                "; remove it, or try again when its agent answers");
}

// The replicas that hear the server at `source`, by name; "" when none does.
Task<std::string> who_hears(Core& core, std::string source) {
  auto ids = replicas_of(core);
  const auto views = co_await look_at_all(core, std::move(ids));
  co_return names_of_hearing(views, source);
}

Task<Result<Fenced>> fence_for_certain(Core& core, OperationId id, NodeId former) {
  const std::uint64_t epoch = core.model.operation(id)->epoch;
  std::string last;
  bool perhaps_closed = false;  // by a call whose answer was lost: then it takes no writes, whoever hears it
  for (unsigned attempt = 1;; ++attempt) {
    const Node* node = core.model.node(former);
    if (node == nullptr) co_return Fenced{};
    if (node->state == model::NodeState::removing) {  // by this operation, before a restart
      auto removed = co_await remove_node(core, former);
      if (removed.has_error()) co_return std::move(removed).error();
      co_return Fenced{};
    }
    if ((attempt > 1 || !was_judged_just_now(core, id)) && !core.model.operation(id)->request.force) {
      // It may have come back meanwhile: then nobody's writes have to stop, and nobody has to destroy it when
      // only its agent is silent. Asked last: it answers at once when it can.
      std::string source = node->address;
      const std::string hearing = co_await who_hears(core, std::move(source));
      const View view = co_await look_at(core, former);
      if (serves(view)) co_return Fenced{true, {}};
      if (!view.answered && !hearing.empty() && !perhaps_closed) {
        last = hearing + " hear(s) it again";
        if (attempt >= core.config.retry.attempts) co_return not_fenced(former, last);
        core.observe("operation.retry", node_name(former));
        co_await sleep_for(core.config.retry.pause_after(attempt, Duration{0}));
        continue;
      }
    }
    SetReadOnly command;
    command.epoch = epoch;
    command.force = true;
    const AgentCommand named = command;
    core.observe("step.fence", node_name(former));
    auto reply = co_await core.ask(former, named, core.config.failover.patience + kMargin * 2);
    if (reply.has_value()) {
      const ServerState& state = reply.value().state;
      last = "it says it is still writable";
      // Only an answer from after the fencing tells it: an agent may answer with an older state.
      if (state.epoch == epoch && !state.running) co_return Fenced{};
      if (state.epoch == epoch && state.read_only) {
        Fenced closed{true, to_text(model::applied_position(state))};
        co_return closed;
      }
    } else {
      last = reply.error().message;
      if (!is_worth_retrying(reply.error())) co_return std::move(reply).error();
      perhaps_closed = perhaps_closed || reply.error().effect != Effect::none;
    }
    node = core.model.node(former);
    if (node == nullptr) co_return Fenced{};
    std::string vm = node->vm;
    auto info = co_await core.get_vm_info(node_name(former), vm);
    node = core.model.node(former);
    if (node == nullptr) co_return Fenced{};
    const bool off = info.has_value() && info.value().state == InstanceState::stopped;
    const bool gone = info.has_value() && is_gone(info.value().state);
    if (off) co_return Fenced{};
    const bool destroys = !gone && reply.has_error() && core.config.failover.kill_vm;
    std::string needed;
    if (destroys) {
      std::string source = node->address;
      const bool patiently = attempt < std::min(kTriesWhileHeard, core.config.retry.attempts) &&
                             !core.model.operation(id)->request.force;
      needed = co_await why_its_data_is_needed(core, id, std::move(source), patiently);
      if (core.model.node(former) == nullptr) co_return Fenced{};
    }
    if (gone || (destroys && needed.empty())) {
      if (!gone)
        core.note(node_name(former), "its agent does not answer: it is fenced by destroying its VM " + vm);
      auto given_up = co_await give_up_vm(core, id, former);
      if (given_up.has_error()) co_return std::move(given_up).error();
      co_return Fenced{};
    }
    if (!needed.empty()) last += "; its VM is kept: " + needed;
    if (attempt >= core.config.retry.attempts) co_return not_fenced(former, last);
    core.observe("operation.retry", node_name(former));
    co_await sleep_for(core.config.retry.pause_after(attempt, Duration{0}));
  }
}

// The master that is to be replaced, as it was known before anything was done about it.
struct Former {
  NodeId id = 0;                // 0, or no member any more: its VM was gone before
  std::string source;           // its address
  std::uint32_t server_id = 0;  // 0: nobody knows
};

// Its server runs after all: it gets its writes back.
Task<Error> keep(Core& core, OperationId id, NodeId former) {
  const std::uint64_t epoch = core.model.operation(id)->epoch;
  co_await hand_back(core, former, epoch);
  co_return make_error(ErrorCode::wrong_state, node_name(former) + " is well again: it stays the master");
}

// Who takes over, now that the former one takes no more writes; what nobody can know is waited for. What was
// waited for may be the former one itself: a replica that has just heard it again has yet to fetch what it
// lacks, so both are looked at once more; and where the former's agent is silent, what hears it now and did
// not before says that its server is back.
Task<Result<model::Succession>> choose(Core& core, OperationId id, Former former, TimePoint deadline) {
  bool waited = false;
  std::optional<bool> heard_at_first;
  while (true) {
    core.observe("step.choose", model::operation_name(id));
    auto ids = replicas_of(core);
    const auto views = co_await look_at_all(core, std::move(ids));
    model::Succession succession = model::choose_successor(views, former.source, former.server_id);
    const bool heard =
        std::ranges::any_of(views, [&](const View& view) { return model::hears(view, former.source); });
    if (!heard_at_first) heard_at_first = heard;
    const bool may_stay = core.model.node(former.id) != nullptr && !core.model.operation(id)->request.force;
    if (heard && !*heard_at_first && may_stay) {
      Error kept = co_await keep(core, id, former.id);
      co_return kept;
    }
    const std::string why = obstacle(core, id, succession);
    const bool late = core.now() >= deadline;
    if (succession.node != 0 && (why.empty() || (late && core.config.failover.loss_when_late))) {
      if (!waited || core.model.node(former.id) == nullptr) co_return succession;
      const View view = co_await look_at(core, former.id);
      if (serves(view) && core.model.node(former.id) != nullptr && !core.model.operation(id)->request.force) {
        Error kept = co_await keep(core, id, former.id);
        co_return kept;
      }
      waited = false;
      continue;
    }
    if (late) co_return make_error(ErrorCode::unavailable, why);
    waited = true;
    co_await sleep_for(kPauseForReplica);
  }
}

// Waits until the successor has applied what it has received. The position it takes over at.
Task<Result<std::string>> drain(Core& core, OperationId id, NodeId target, std::string wanted,
                                TimePoint deadline) {
  const std::uint64_t epoch = core.model.operation(id)->epoch;
  core.observe("step.drain", node_name(target));
  while (true) {
    const Duration left = deadline - core.now();
    WaitForGtid wait;
    wait.epoch = epoch;
    wait.gtid = wanted;
    wait.limit = std::clamp<Duration>(left, 100ms, std::min(kDrainLook, core.config.agent_timeout / 2));
    const AgentCommand waiting = wait;
    auto drained = co_await core.ask(target, waiting);
    if (drained.has_value()) {
      // An agent may have answered with an older state when it was chosen.
      const GtidPosition applied = model::applied_position(drained.value().state);
      std::string position = to_text(merged(parse_gtid_position(wanted).value_or(GtidPosition{}), applied));
      co_return position;
    }
    if (!is_worth_retrying(drained.error())) co_return std::move(drained).error();
    View view = co_await look_at(core, target);
    const bool applies = view.answered && !view.hung && view.server.running &&
                         view.server.replication.sql_running && view.server.replication.sql_errno == 0;
    if (core.now() < deadline) {
      if (view.answered && !applies)
        co_return make_error(ErrorCode::database, node_name(target) +
                                                      " no longer applies what it has received: " +
                                                      view.server.replication.last_error);
      core.observe("operation.retry", node_name(target));
      if (drained.error().code != ErrorCode::timeout)
        co_await sleep_for(core.config.retry.pause_after(1, 0s));
      continue;
    }
    if (!applies || !core.config.failover.loss_when_late) {
      co_return make_error(ErrorCode::timeout, node_name(target) + " has not applied what it has received (" +
                                                   wanted + ") within " +
                                                   to_text(core.config.failover.drain_timeout));
    }
    const auto applied = model::applied_position(view.server);
    const auto lost = excess(parse_gtid_position(wanted).value_or(GtidPosition{}), applied);
    warn(core, id,
         std::to_string(count(lost)) + " transaction(s) that were received are given up: " + to_text(lost));
    std::string position = to_text(applied);
    co_return position;
  }
}

// What a member was left at, before a take-over and by it.
struct Left {
  std::string before;
  std::string now;
};

// Everybody but the successor has left the common way here, or earlier.
void leave_behind(Core& core, NodeId target, const std::string& position, std::map<NodeId, Left>& left) {
  const GtidPosition here = parse_gtid_position(position).value_or(GtidPosition{});
  for (const auto& [id, node] : core.model.nodes()) {
    if (id == target || node.role == Role::none) continue;
    Node* other = core.model.node(id);
    const auto before = parse_gtid_position(other->left_at);
    Left& mark = left[id];
    mark.before = other->left_at;
    other->left_at = before && !before->empty() ? to_text(common(*before, here)) : position;
    mark.now = other->left_at;
    other->acquitted_in = 0;  // of the master before, perhaps in this same epoch
    core.journal.node_changed(id);
  }
}

// The take-over came to nothing, and nobody has been told to follow its target: they are where they were.
void take_along_again(Core& core, const std::map<NodeId, Left>& left) {
  for (const auto& [id, mark] : left) {
    Node* node = core.model.node(id);
    if (node == nullptr || node->left_at.empty() || node->left_at != mark.now) continue;  // copied meanwhile
    node->left_at = mark.before;
    if (node->left_at.empty()) node->errant.clear();
    core.journal.node_changed(id);
  }
}

Task<Result<void>> tell(Core& core, OperationId id, bool begins, std::string error) {
  if (!core.hooks.fail_over) co_return success();
  const Operation* operation = core.model.operation(id);
  FailoverNotice notice;
  notice.begins = begins;
  notice.operation = model::id_text(id);
  notice.former = operation->former == 0 ? "" : model::id_text(operation->former);
  notice.successor = model::id_text(operation->request.node);
  if (const Node* node = core.model.node(operation->former); node != nullptr)
    notice.former_address = node->address;
  if (const Node* node = core.model.node(operation->request.node); node != nullptr)
    notice.successor_address = node->address;
  notice.error = std::move(error);
  Result<void> told = co_await await_reply<void>(core.config.iaas_timeout, [&](Handler<void> handler) {
    core.hooks.fail_over(notice, std::move(handler));
  });
  co_return told;
}

// From the fence to the commit that only the successor may be writable. Its result is the position of that
// moment.
Task<Result<std::string>> take_over(Core& core, OperationId id, std::map<NodeId, Left>& left) {
  Former former{core.model.operation(id)->former, core.model.service.bereft_of, 0};
  const Node* old = core.model.node(former.id);
  const bool known = old != nullptr;
  if (known) former = {old->id, old->address, old->server_id};
  auto fenced = co_await fence_for_certain(core, id, former.id);
  if (fenced.has_error()) co_return std::move(fenced).error();
  const bool alive = fenced.value().alive;
  const std::string last = fenced.value().position;
  if (alive && !core.model.operation(id)->request.force) {
    Error kept = co_await keep(core, id, former.id);
    co_return kept;
  }
  if (former.source.empty()) former.source = core.model.service.bereft_of;
  if (!known) {
    auto unheard = co_await former_is_unheard(core);
    if (unheard.has_error()) co_return std::move(unheard).error();
  }
  const TimePoint deadline = core.scheduler.later(core.config.failover.drain_timeout);
  auto chosen = co_await choose(core, id, std::move(former), deadline);
  if (chosen.has_error()) co_return std::move(chosen).error();
  const model::Succession succession = std::move(chosen).value();
  const NodeId target = succession.node;
  Operation* operation = core.model.operation(id);
  if (operation->request.node != target) {
    operation->request.node = target;
    operation->nodes = {target};
    core.journal.operation_changed(id);
  }
  warn(core, id, join(succession.notes));
  std::string wanted = to_text(succession.received);
  if (alive)
    wanted = to_text(merged(succession.received, parse_gtid_position(last).value_or(GtidPosition{})));
  auto drained = co_await drain(core, id, target, std::move(wanted), deadline);
  if (drained.has_error()) co_return std::move(drained).error();
  leave_behind(core, target, drained.value(), left);
  core.model.service.maybe_writable = target;
  core.journal.service_changed();
  co_await core.journal.durable();
  co_return drained;
}

}  // namespace

Task<View> look_at(Core& core, NodeId id) {
  View view;
  view.node = id;
  GetServerState look;
  look.patience = core.config.failover.patience;
  const AgentCommand looking = look;
  auto reply = co_await core.ask(id, looking, core.config.failover.patience + kMargin);
  if (const Node* node = core.model.node(id); node != nullptr) {
    view.state = node->state;
    view.left_behind = !node->left_at.empty();
  }
  view.busy = is_being_set_up(core, id);
  if (reply.has_value()) {
    view.answered = true;
    view.server = std::move(reply).value().state;
  } else if (reply.error().code == ErrorCode::database) {
    // It runs, and its server says why it cannot be asked; or does not answer at all.
    view.answered = true;
    view.hung = says_hung(reply.error());
    view.server.running = true;
  }
  co_return view;
}

Task<Result<void>> former_is_unheard(Core& core) {
  const std::string source = core.model.service.bereft_of;
  if (core.model.service.primary != 0 || source.empty()) co_return success();
  const TimePoint deadline = core.scheduler.later(core.config.failover.drain_timeout);
  while (true) {
    std::string gone = source;
    const std::string hearing = co_await who_hears(core, std::move(gone));
    if (hearing.empty()) co_return success();
    if (core.now() >= deadline) {
      co_return make_error(ErrorCode::unavailable,
                           hearing + " still hear(s) the former master at " + source +
                               ", which nobody can fence: the cloud says that its VM is gone; end it there");
    }
    co_await sleep_for(kPauseForReplica);
  }
}

Task<Analysis> analyse(Core& core) {
  View master;
  if (const NodeId primary = core.model.service.primary; primary != 0)
    master = co_await look_at(core, primary);
  Analysis analysis = co_await analyse(core, std::move(master));
  co_return analysis;
}

Task<Analysis> analyse(Core& core, View seen) {
  Analysis analysis;
  const Node* master = core.model.primary();
  analysis.master = master == nullptr ? 0 : master->id;
  analysis.source = master == nullptr ? core.model.service.bereft_of : master->address;
  auto ids = replicas_of(core);
  analysis.replicas = co_await look_at_all(core, std::move(ids));
  const View* own = seen.node != 0 && seen.node == analysis.master ? &seen : nullptr;
  if (own == nullptr && analysis.master != 0)
    analysis.judgement.reason = "the master has changed meanwhile";
  else
    analysis.judgement = model::judge_master(own, analysis.replicas, analysis.source);
  analysis.succession =
      model::choose_successor(analysis.replicas, analysis.source, former_id(core, analysis.source));
  co_return analysis;
}

namespace {

Task<Result<void>> replace_primary(Core& core, OperationId id) {
  NodeId target = core.model.operation(id)->request.node;
  if (core.model.operation(id)->epoch == 0) {
    core.model.operation(id)->former = core.model.service.primary;
    core.journal.operation_changed(id);
    // An operation before it has made the target the master meanwhile.
    if (core.model.service.primary == target)
      co_return make_error(ErrorCode::wrong_state, node_name(target) + " is the master already");
  }
  co_await learn_whether_promoted(core, id, target);
  if (core.model.service.primary != target) {
    if (auto checked = check_member(core, target); checked.has_error()) co_return checked;
    if (core.model.node(target)->role != Role::replica)
      co_return make_error(ErrorCode::wrong_state, node_name(target) + " is no replica");
    std::string nothing;
    auto allowed = co_await tell(core, id, true, std::move(nothing));
    if (allowed.has_error()) {
      co_return make_error(ErrorCode::cancelled,
                           "the hook before a fail-over refused it: " + allowed.error().message);
    }
    co_await take_epoch(core, id);
    std::string position;
    std::map<NodeId, Left> left;
    if (core.model.service.maybe_writable != target) {
      const std::uint64_t own = core.model.operation(id)->epoch;
      auto closed = co_await close_suspect(core, own);
      if (closed.has_error()) co_return closed;
      auto taken = co_await take_over(core, id, left);
      if (taken.has_error()) co_return std::move(taken).error();
      position = std::move(taken).value();
      target = core.model.operation(id)->request.node;
    }
    const std::uint64_t epoch = core.model.operation(id)->epoch;
    auto made = co_await open_successor(core, target, std::move(position), epoch);
    const NodeId former = core.model.operation(id)->former;
    if (made.has_error()) {
      // Nobody takes writes then, if it is certain that the target takes none; else the monitor goes on
      // trying.
      const std::uint64_t next = co_await epoch_after(core, id, target);
      auto fenced = co_await fence(core, target, next);
      if (fenced.has_value() && core.model.service.maybe_writable == target) {
        core.model.service.maybe_writable = core.model.service.primary;
        core.journal.service_changed();
        take_along_again(core, left);
        stays_primary(core);
        co_await core.journal.durable();
      }
      co_return made;
    }
    record_moved(core, former, target);
    core.note(node_name(target), "took over" + (former == 0 ? std::string() : " from " + node_name(former)) +
                                     ", epoch " + std::to_string(epoch));
    co_await core.journal.durable();
  }
  const auto troubles = co_await repoint(core, target, Hurry::much);
  warn(core, id, joined(troubles));
  co_await discard_lost(core, id);
  co_return success();
}

}  // namespace

Task<Result<void>> fail_over(Core& core, OperationId id) {
  auto outcome = co_await replace_primary(core, id);
  std::string error = outcome.has_error() ? outcome.error().message : std::string();
  auto told = co_await tell(core, id, false, std::move(error));
  if (told.has_error()) {
    std::string text = "the hook after a fail-over failed: " + told.error().message;
    warn(core, id, text);
  }
  co_return outcome;
}

}  // namespace drover::ops
