#include "scenarios/engine/check_death.hpp"

#include "scenarios/engine/check_write_ahead.hpp"

namespace drover::scenario {

namespace {

constexpr Duration kLately = 10s;

}  // namespace

model::NodeId Deaths::model_id(std::string_view subject) {
  return subject.starts_with("node-") ? node_number(subject) : 0;
}

void Deaths::asked(std::string_view subject, const AgentCommand& command) {
  const auto* look = std::get_if<GetServerState>(&command);
  if (look != nullptr && look->patience > Duration{0})
    unwell_.try_emplace(model_id(subject), world_.scheduler().now());
}

void Deaths::answered(std::string_view subject, const AgentCommand& command,
                      const Result<AgentReply>& reply) {
  const auto id = model_id(subject);
  if (reply.has_value() || reply.error().code == ErrorCode::database) answers_[id] = world_.scheduler().now();
  const auto* look = std::get_if<GetServerState>(&command);
  if (look == nullptr || look->patience == Duration{0} || reply.has_error()) return;
  const auto* manager = world_.manager();
  const auto* node = manager == nullptr ? nullptr : manager->model().node(id);
  const auto& state = reply.value().state;
  const bool its_own = node == nullptr || state.instance_id.empty() || state.instance_id == node->vm;
  if (state.running && its_own) unwell_.erase(id);
}

void Deaths::at_point(std::string_view point, std::string_view subject) {
  if (point == "step.suspect") doubt_ = world_.scheduler().now();
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
  // The manager counts from when it asked; the server may have stopped while the question was on its way.
  const auto asked = unwell_.find(former.id);
  if (asked != unwell_.end() && now - asked->second >= world_.manager()->config().failover.hung_after) return;
  if (world_.evidence().server_touched(*vm, now - kLately, {"db.hang"})) return;
  world_.report("L5",
                model::node_name(former.id) + " is replaced after its server hung for " +
                    drover::to_text(now - silent_since_),
                "L5 hasty fail-over");
}

}  // namespace drover::scenario
