// The watch over the primary: looks often, believes a death only when the replicas confirm it, and begins a
// fail-over.
#include "manager/ops/manager.hpp"
#include "manager/ops/replication_steps.hpp"

namespace drover::ops {

using model::Health;
using model::Node;
using model::node_name;
using model::NodeId;
using model::NodeState;
using model::Operation;
using model::OperationKind;
using model::OperationState;

namespace {

constexpr unsigned kDeadRounds = 2;  // looks in a row that find it dead

bool changes_the_primary(OperationKind kind) {
  return kind == OperationKind::fail_over || kind == OperationKind::promote ||
         kind == OperationKind::set_up_replica_master || kind == OperationKind::shutdown;
}

}  // namespace

Task<void> MySQLServerManager::watch_primary() {
  while (true) {
    co_await sleep_for(core_.config.failover.watch);
    if (!may_fail_over()) {
      calm_down();
      continue;
    }
    const bool well = co_await watch_once();
    if (well) calm_down();
  }
}

bool MySQLServerManager::may_fail_over() const {
  if (!takes_members() || !surveyed_ || is_behind()) return false;
  for (const model::OperationId id : core_.model.active())
    if (changes_the_primary(core_.model.operation(id)->request.kind)) return false;
  const auto& service = core_.model.service;
  if (service.maybe_writable != service.primary) return false;  // the monitor is at it
  const Node* primary = service.primary == 0 ? nullptr : core_.model.node(service.primary);
  if (primary != nullptr) return model::is_listed(primary->state);
  return !service.bereft_of.empty();
}

void MySQLServerManager::calm_down() {
  if (watch_.suspected && watch_.told != Health::well) core_.note("watch", "the master is well again");
  watch_ = Watch();
}

// Whether there is nothing to worry about.
Task<bool> MySQLServerManager::watch_once() {
  const NodeId primary = core_.model.service.primary;
  const TimePoint asked = core_.now();
  model::View view;
  if (primary != 0) {
    view = co_await look_at(core_, primary);
    if (view.answered && !view.hung && view.server.running) {
      // Not before it has told who it is: an answer of a server that refuses connections says nothing.
      ServerState state = view.server;
      if (state.server_id != 0) co_await keep_open(primary, std::move(state));
      co_return true;
    }
  }
  if (!watch_.suspected) {
    watch_.suspected = true;
    watch_.since = asked;
    core_.observe("step.suspect", primary == 0 ? "service" : node_name(primary));
  }
  Analysis analysis = co_await analyse(core_, std::move(view));
  if (!may_fail_over() || core_.model.service.primary != primary) co_return true;
  const auto& judgement = analysis.judgement;
  if (judgement.health == Health::well) co_return true;
  if (watch_.told != judgement.health) {
    watch_.told = judgement.health;
    const std::string who = primary == 0 ? std::string("the master") : node_name(primary);
    core_.note("watch", who + " is " + to_text(judgement.health) + ": " + judgement.reason);
  }
  watch_.dead_rounds = judgement.health == Health::dead ? watch_.dead_rounds + 1 : 0;
  const bool hung =
      judgement.health == Health::hung && core_.now() - watch_.since >= core_.config.failover.hung_after;
  if (watch_.dead_rounds >= kDeadRounds || hung) begin_failover(analysis);
  co_return false;
}

TimePoint MySQLServerManager::next_failover() const {
  TimePoint next{}, last_failure{};
  unsigned failures = 0;
  const auto& operations = core_.model.operations();
  for (auto at = operations.rbegin(); at != operations.rend(); ++at) {
    const Operation& operation = at->second;
    if (operation.request.kind != OperationKind::fail_over || !model::is_ended(operation.state)) continue;
    const TimePoint ended{Duration{operation.ended_at_ns}};
    if (ended > core_.now()) continue;  // of another life, by another clock
    if (operation.state == OperationState::done) {
      next = ended + core_.config.failover.pause;
      break;
    }
    if (failures++ == 0) last_failure = ended;
  }
  if (failures > 0)
    next = std::max(next, last_failure + core_.config.retry.pause_after(failures, Duration{0}));
  return next;
}

void MySQLServerManager::begin_failover(const Analysis& analysis) {
  const auto tell_once = [&](const std::string& text) {
    if (!watch_.waits) core_.note("watch", text);
    watch_.waits = true;
  };
  if (analysis.succession.node == 0) {
    std::string why;
    for (const auto& note : analysis.succession.notes) why += (why.empty() ? "" : "; ") + note;
    tell_once("no fail-over, for no replica can take over: " + why);
    return;
  }
  if (const TimePoint next = next_failover(); core_.now() < next) {
    tell_once("no other fail-over before " + to_text(next - core_.now()) +
              " have passed; the master is started again");
    return;
  }
  watch_ = Watch();
  model::OperationRequest request;
  request.kind = OperationKind::fail_over;
  request.node = analysis.succession.node;
  submit(std::move(request), [this](Result<Accepted> accepted) {
    if (accepted.has_error()) core_.note("watch", "no fail-over: " + accepted.error().message);
  });
}

bool MySQLServerManager::leaves_to_failover(NodeId id) const {
  if (!core_.config.failover.automatic || core_.model.service.primary != id) return false;
  for (const model::OperationId active : core_.model.active()) {
    const Operation& operation = *core_.model.operation(active);
    if (operation.request.kind == OperationKind::fail_over)
      return !has_moved_the_writes(operation, core_.model.service);
  }
  if (watch_.waits || core_.now() < next_failover()) return false;
  const bool judged = watch_.suspected && watch_.told != Health::well;
  if (judged && watch_.told != Health::dead && watch_.told != Health::hung) return false;
  for (const auto& [other, node] : core_.model.nodes())
    if (node.role == Role::replica && node.state == NodeState::running) return true;
  return false;
}

void MySQLServerManager::analyse_failover(Handler<Analysis> handler) {
  spawn(core_.domain, answer_analysis(std::move(handler)));
}

Task<void> MySQLServerManager::answer_analysis(Handler<Analysis> handler) {
  Analysis analysis = co_await analyse(core_);
  handler(std::move(analysis));
}

}  // namespace drover::ops
