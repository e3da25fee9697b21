#include "scenarios/engine/check_master.hpp"

#include <algorithm>

namespace drover::scenario {

namespace {

// Longer than anything takes that the manager does about it: missed looks, a fail-over's pause, a repair.
constexpr Duration kPatience = 5min;
constexpr unsigned kPolls = 6;        // and so many rounds of the monitor, where those are slow
constexpr Duration kSometimes = 10s;  // between two looks at a master that is well

const Evidence::Actions kOfManagers = {"manager.crash", "manager.crash_loop", "manager.pause",
                                       "manager.takeover", "manager.upgrade"};

}  // namespace

Masters::Trouble Masters::trouble() const {
  const auto* manager = world_.manager();
  if (manager == nullptr || world_.has_former_managers()) return Trouble::none;
  const auto& model = manager->model();
  if (model.service.state != model::ServiceState::S_RUNNING || model.active_operations() > 0)
    return Trouble::none;
  const auto* primary = model.node(model.service.primary);
  if (primary == nullptr || !model::is_listed(primary->state)) return Trouble::none;
  const auto truth = world_.fleet().truth(primary->vm);
  if (!truth || (!truth->server_running && (!truth->up || !truth->agent_running)))
    return manager->config().failover.automatic ? Trouble::dead : Trouble::none;
  if (!truth->up || !truth->agent_running) return Trouble::none;
  if (!truth->server_running) return Trouble::down;
  return truth->responsive && truth->read_only ? Trouble::closed : Trouble::none;
}

bool Masters::is_beyond_doubt(const model::Node& node, TimePoint since) const {
  const auto* vm = world_.cloud().instance(node.vm);
  const auto truth = world_.fleet().truth(node.vm);
  return vm != nullptr && truth && truth->up && truth->agent_running &&
         truth->agent_at_work_since == kNever && !world_.evidence().any_to(*vm, {"vm.lose_disk"}) &&
         !world_.evidence().touched(*vm, since);
}

bool Masters::can_be_replaced(TimePoint since) const {
  const auto* manager = world_.manager();
  const auto& model = manager->model();
  const auto* primary = model.node(model.service.primary);
  const bool semi_sync = manager->config().semi_sync;
  // A replica that was disturbed may not have heard the master since, and then may lack what it promised.
  if (semi_sync) since = kEpoch;
  if (world_.journal().losses() > 0) return false;
  bool any = false;
  for (const auto& [id, node] : model.nodes()) {
    // Who is LOST has no vote, but may hold a write that was promised to be safe.
    if (id == model.service.primary || node.role == Role::none) continue;
    if (node.state == model::NodeState::lost && !semi_sync) continue;
    const auto truth = world_.fleet().truth(node.vm);
    if (node.state != model::NodeState::running || !node.errant.empty() || !node.left_at.empty() || !truth ||
        !truth->responsive || !truth->replication.sql_running ||
        truth->replication.source_address != primary->address || !is_beyond_doubt(node, since))
      return false;
    any = true;
  }
  return any;
}

// Whom the manager cannot hear, or has to doubt, it may rightly wait for.
bool Masters::is_excused(TimePoint since) const {
  const auto& model = world_.manager()->model();
  if (world_.evidence().any(kAstray) || world_.evidence().any(kOfManagers, since)) return true;
  if (trouble_ == Trouble::dead) return !can_be_replaced(since);
  return !std::ranges::all_of(model.nodes(),
                              [&](const auto& entry) { return is_beyond_doubt(entry.second, since); });
}

void Masters::after_change() {
  const TimePoint at = world_.scheduler().now();
  if (trouble_ == Trouble::none && at - looked_at_ < kSometimes) return;
  looked_at_ = at;
  const Trouble now = trouble();
  const auto* manager = world_.manager();
  const auto* primary =
      now == Trouble::none ? nullptr : manager->model().node(manager->model().service.primary);
  if (primary == nullptr || now != trouble_ || primary->vm != vm_) {
    trouble_ = now;
    vm_ = primary == nullptr ? std::string() : primary->vm;
    since_ = at;
    reported_ = false;
    return;
  }
  const auto& config = manager->config();
  const Duration patience =
      kPatience + kPolls * config.poll_agents_timer + config.failover.pause + config.retry.limit;
  if (reported_ || at - since_ <= patience || is_excused(at - patience)) return;
  reported_ = true;
  struct Text {
    const char* says;
    const char* fingerprint;
  };
  constexpr Text kTexts[] = {{},
                             {"is well, and takes no writes for ", "L2 master left closed"},
                             {"has its server down for ", "L2 master left down"},
                             {"is dead, with replicas that are well, for ", "L2 master left dead"}};
  const Text& text = kTexts[static_cast<std::size_t>(now)];
  world_.report("L2",
                model::node_name(primary->id) + " is the master and " + text.says +
                    drover::to_text(at - since_) + ", though nothing is under way",
                text.fingerprint);
}

}  // namespace drover::scenario
