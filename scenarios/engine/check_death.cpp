#include "scenarios/engine/check_death.hpp"

#include <algorithm>

#include "scenarios/engine/check_write_ahead.hpp"

namespace drover::scenario {

namespace {

constexpr Duration kLately = 10s;
constexpr Duration kRow = 10min;  // longer than what hangs in so many rounds of the monitor takes

}  // namespace

model::NodeId Deaths::model_id(std::string_view subject) {
  return subject.starts_with("node-") ? node_number(subject) : 0;
}

void Deaths::asked(std::uint64_t number, std::string_view subject, const AgentCommand& command,
                   Duration timeout) {
  const auto* look = std::get_if<GetServerState>(&command);
  if (look == nullptr) return;
  const TimePoint now = world_.scheduler().now();
  const auto id = model_id(subject);
  if (look->patience > Duration{0})
    unwell_.try_emplace(id, now);
  else
    missed_[id].emplace(number, Look{now, timeout});
}

void Deaths::answered(std::uint64_t number, std::string_view subject, const AgentCommand& command,
                      const Result<AgentReply>& reply) {
  const auto id = model_id(subject);
  const TimePoint now = world_.scheduler().now();
  if (reply.has_value() || reply.error().code == ErrorCode::database) answers_[id] = now;
  const auto* look = std::get_if<GetServerState>(&command);
  if (look == nullptr || reply.has_error()) return;
  const auto* manager = world_.manager();
  const auto* node = manager == nullptr ? nullptr : manager->model().node(id);
  const auto& state = reply.value().state;
  // Whoever else has that address speaks for himself.
  if (node != nullptr && !state.instance_id.empty() && state.instance_id != node->vm) return;
  if (look->patience > Duration{0}) {
    if (state.running) unwell_.erase(id);
    return;
  }
  auto& missed = missed_[id];
  const auto question = missed.find(number);
  if (question == missed.end() || now - question->second.asked >= question->second.timeout) return;
  missed.erase(question);
}

void Deaths::at_point(std::string_view point, std::string_view subject) {
  former_managers_ = former_managers_ || world_.has_former_managers();
  if (point == "step.suspect") doubt_ = world_.scheduler().now();
  if (point == "manager.started") missed_.clear();
  if (point == "node.lost" && !former_managers_) check_missed(model_id(subject));
  if (point == "operation.accepted" && !requested_ && !world_.has_former_managers()) {
    const auto* manager = world_.manager();
    const auto* accepted =
        manager == nullptr ? nullptr : manager->model().operation(operation_number(subject));
    if (accepted != nullptr && accepted->request.kind == model::OperationKind::fail_over)
      check_pause(*accepted);
  }
  if (point != "step.fence" || requested_ || world_.has_former_managers()) return;
  const auto* manager = world_.manager();
  if (manager == nullptr || !manager->config().failover.automatic) return;
  const auto* former = manager->model().node(model_id(subject));
  if (former == nullptr || former->id != manager->model().service.primary) return;
  for (const auto id : manager->model().active()) {
    const auto* operation = manager->model().operation(id);
    if (operation->request.kind != model::OperationKind::fail_over || !judged_.insert(id).second) continue;
    check_slaves(*former);
    check_hang(*former);
  }
}

void Deaths::after_change() {
  const auto* manager = world_.manager();
  if (manager == nullptr || !manager->config().failover.automatic) return;
  const auto* primary = manager->model().node(manager->model().service.primary);
  const auto truth = primary == nullptr ? std::nullopt : world_.fleet().truth(primary->vm);
  if (!truth || truth->responsive) {
    silent_since_ = kNever;
  } else if (silent_since_ == kNever || silent_ != primary->vm) {
    silent_since_ = world_.scheduler().now();
    silent_ = primary->vm;
  }
}

// LOST is who has not answered so many times in a row. Whose looks are the monitor's cannot be told from
// outside, nor therefore which answers end a row: so many in a while must have gone unanswered.
void Deaths::check_missed(model::NodeId id) {
  if (world_.journal().losses() > 0) return;  // then all are asked besides, who they are
  const auto missed = missed_.find(id);
  const auto& config = world_.manager()->config();
  const unsigned wanted = config.lost_after;
  const TimePoint since = world_.scheduler().now() - kRow - wanted * config.poll_agents_timer;
  const std::size_t times =
      missed == missed_.end()
          ? 0
          : static_cast<std::size_t>(std::ranges::count_if(
                missed->second, [&](const auto& one) { return one.second.asked >= since; }));
  if (times >= wanted) return;
  world_.report("L5",
                model::node_name(id) + " is called LOST after " + std::to_string(times) +
                    " look(s) that it did not answer, not " + std::to_string(wanted),
                "L5 lost too soon");
}

// After a fail-over, whether it succeeded or not, the next one waits for the configured time.
// After one that succeeded the next is made no sooner than the policy says; after so many that failed in a
// row the pause grows as that of any other retry.
void Deaths::check_pause(const model::Operation& operation) {
  const auto& config = world_.manager()->config();
  const auto& operations = world_.manager()->model().operations();
  const model::Operation* latest = nullptr;
  unsigned failures = 0;
  for (auto at = operations.rbegin(); at != operations.rend(); ++at) {
    const model::Operation& other = at->second;
    if (other.id == operation.id || other.request.kind != model::OperationKind::fail_over ||
        !model::is_ended(other.state))
      continue;
    if (latest == nullptr) latest = &other;
    if (other.state == model::OperationState::done) break;
    ++failures;
  }
  if (latest == nullptr) return;
  const Duration pause =
      failures == 0 ? config.failover.pause : config.retry.pause_after(failures, Duration{0});
  const Duration since = world_.scheduler().now() - TimePoint{Duration{latest->ended_at_ns}};
  if (since < Duration{0} || since >= pause) return;
  world_.report("L5",
                model::operation_name(operation.id) + " follows " + model::operation_name(latest->id) +
                    " after " + drover::to_text(since) + ", not " + drover::to_text(pause),
                "L5 fail-over without a pause");
}

void Deaths::check_slaves(const model::Node& former) {
  std::size_t asked = 0, answered = 0;
  for (const auto& [id, node] : world_.manager()->model().nodes()) {
    if (id == former.id || node.role != Role::replica || !model::is_listed(node.state)) continue;
    const auto latest = answers_.find(id);
    if (node.state == model::NodeState::running) ++asked;
    if (latest != answers_.end() && latest->second >= doubt_) ++answered;
  }
  if (answered * 2 > asked) return;
  world_.report("L5",
                model::node_name(former.id) + " is replaced on the word of " + std::to_string(answered) +
                    " of " + std::to_string(asked) +
                    " slave(s): too few to tell a dead master from a cut-off manager",
                "L5 fail-over without a majority");
}

// A server that hangs while its agent and its machine are well is given the configured time to come back.
void Deaths::check_hang(const model::Node& former) {
  const auto truth = world_.fleet().truth(former.vm);
  const auto* vm = world_.cloud().instance(former.vm);
  if (!truth || vm == nullptr || silent_ != former.vm || silent_since_ == kNever) return;
  if (!truth->up || !truth->agent_running || !truth->server_running || truth->responsive) return;
  const TimePoint now = world_.scheduler().now();
  const Duration wanted = world_.manager()->config().failover.hung_after;
  if (now - silent_since_ >= wanted) return;
  // The manager counts from when it asked; the server may have stopped while the question was on its way.
  const auto asked = unwell_.find(former.id);
  if (asked != unwell_.end() && now - asked->second >= wanted) return;
  if (world_.evidence().server_touched(*vm, now - kLately, {"db.hang"})) return;
  world_.report("L5",
                model::node_name(former.id) + " is replaced after its server hung for " +
                    drover::to_text(now - silent_since_),
                "L5 hasty fail-over");
}

}  // namespace drover::scenario
