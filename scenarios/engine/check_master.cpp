#include "scenarios/engine/check_master.hpp"

#include <algorithm>

namespace drover::scenario {

namespace {

// Longer than anything takes that the manager does about it: missed looks, a fail-over's pause, a repair.
constexpr Duration kPatience = 5min;
constexpr unsigned kPolls = 6;         // and so many rounds of the monitor, where those are slow
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
  if (!truth || !truth->up || !truth->agent_running) return Trouble::none;
  if (!truth->server_running) return Trouble::down;
  return truth->responsive && truth->read_only ? Trouble::closed : Trouble::none;
}

// Whom the manager cannot hear, or has to doubt, it may rightly wait for.
bool Masters::is_excused(TimePoint since) const {
  const auto& evidence = world_.evidence();
  const auto& model = world_.manager()->model();
  if (evidence.any(kAstray) || evidence.any(kOfManagers, since)) return true;
  return std::ranges::any_of(model.nodes(), [&](const auto& entry) {
    const auto* vm = world_.cloud().instance(entry.second.vm);
    const auto truth = world_.fleet().truth(entry.second.vm);
    if (vm == nullptr || !truth || !truth->up || !truth->agent_running) return true;
    if (truth->agent_at_work_since != kNever) return true;
    return evidence.any_to(*vm, {"vm.lose_disk"}) || evidence.touched(*vm, since);
  });
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
  const Duration patience = kPatience + kPolls * manager->config().poll_agents_timer;
  if (reported_ || at - since_ <= patience || is_excused(at - patience)) return;
  reported_ = true;
  const bool closed = now == Trouble::closed;
  world_.report("L2",
                model::node_name(primary->id) + (closed ? " is the master, is well, and takes no writes for "
                                                        : " is the master, and its server is down for ") +
                    drover::to_text(at - since_) + ", though nothing is under way",
                closed ? "L2 master left closed" : "L2 master left down");
}

}  // namespace drover::scenario
