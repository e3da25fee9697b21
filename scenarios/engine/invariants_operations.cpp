// What the manager says when it says it: S12 (true), L5 (with a cause), S3 and S4 at a promotion, and S8
// after a restart.
#include "scenarios/engine/invariants.hpp"

namespace drover::scenario {

using model::OperationKind;

namespace {

constexpr Duration kLately = 5min;  // how long after a fault its effect on what is said is excused

}  // namespace

// S12: the manager calls a node RUNNING.
void Checkers::check_running(const std::string& subject, bool kept, bool found) {
  // The VM of the record: a cloud that drops tags hides whose VM it is.
  const auto* manager = world_.manager();
  const auto* node = manager != nullptr ? manager->model().node(node_number(subject)) : nullptr;
  const auto truth = node == nullptr ? std::nullopt : world_.fleet().truth(node->vm);
  if (truth && truth->server_running) return;
  // It may have died between its answer and the record; it must have been up once, though.
  const auto* vm = node == nullptr ? nullptr : world_.cloud().instance(node->vm);
  const auto* server = vm == nullptr ? nullptr : world_.fleet().server(node->vm);
  if (server != nullptr && server->process() > 0 &&
      world_.evidence().touched(*vm, world_.scheduler().now() - kLately))
    return;
  // A removal that was taken back says nothing new about the server.
  if (kept && server != nullptr && server->process() > 0 &&
      (!is_gone(vm->state) || world_.evidence().touched(*vm)))
    return;
  // Taken up, by a journal that is behind, while it boots.
  if (kept && world_.journal().losses() > 0 && vm != nullptr && !is_gone(vm->state)) return;
  // A member with a role is found as soon as its agent answers; its server may be down from long ago, for
  // nobody could start it.
  if (found && server != nullptr && node->role != Role::none && server->process() > 0 &&
      world_.evidence().server_touched(*vm, kEpoch))
    return;
  world_.report("S12", subject + " is called RUNNING, but its database server does not run", "S12 running");
}

// L5: the manager has not heard of a node for a while.
void Checkers::check_lost(const std::string& subject) {
  const auto* manager = world_.manager();
  const auto* node = manager != nullptr ? manager->model().node(node_number(subject)) : nullptr;
  const auto* vm = node == nullptr ? nullptr : world_.cloud().instance(node->vm);
  if (vm != nullptr && world_.evidence().touched(*vm, world_.scheduler().now() - kLately)) return;
  // Off, as a fault long ago left it.
  if (vm != nullptr && (!vm->powered || vm->paused) && world_.evidence().touched(*vm)) return;
  world_.report("L5", subject + " was lost although nothing was done to it", "L5 lost without a fault");
}

// S12: the record of a node that was to be removed goes. By then its VM must be going, as far as a cloud can
// be believed: the word that it does not know the VM is not enough.
void Checkers::check_removed(const std::string& subject) {
  const auto* manager = world_.manager();
  const auto* node = manager == nullptr ? nullptr : manager->model().node(node_number(subject));
  const auto* vm = node == nullptr ? nullptr : world_.cloud().instance(node->vm);
  if (vm == nullptr || !vm->live() || is_gone(vm->state) || granted_.contains(node->vm)) return;
  if (world_.has_former_managers()) return;
  world_.report("S12", subject + " is removed, and nobody has ended its VM " + node->vm, "S12 removed");
}

void Checkers::check_stopped() {
  // A cloud that shows less than there is hides what is left.
  if (world_.cloud().config().list_lag.median() > Duration{0}) return;
  if (world_.evidence().any({"stale_list", "torn_list", "not_found", "backwards"}, shutdown_at_)) return;
  std::size_t living = 0;
  world_.cloud().for_each_instance([&](const cloud::Instance& vm) {
    if (node_of_token(vm.asked_token()).empty() || !vm.live() || is_gone(vm.state)) return;
    // The journal has lost that it was asked for: it is found when it is there, and L3 wants it gone by the
    // end.
    const bool is_forgotten =
        world_.journal().losses() > 0 && world_.manager()->model().node_of_vm(vm.id) == nullptr;
    if (!is_forgotten && !world_.evidence().any_to(vm, {"vm.forget_tags", "drop_tags", "late_effect"}))
      ++living;
  });
  if (living > 0)
    world_.report("S12", "the service is called STOPPED while " + std::to_string(living) + " of its VMs live",
                  "S12 stopped");
}

void Checkers::check_operation_done(const std::string& subject) {
  const auto* manager = world_.manager();
  if (manager == nullptr || !subject.starts_with("op-")) return;
  const auto* operation = manager->model().operation(operation_number(subject));
  if (operation == nullptr) return;
  const auto kind = operation->request.kind;
  const bool promotes = kind == OperationKind::promote || kind == OperationKind::fail_over;
  if (kind != OperationKind::set_up_replica_master && !promotes) return;
  const auto* node = manager->model().node(operation->request.node);
  const auto truth = node == nullptr ? std::nullopt : world_.fleet().truth(node->vm);
  const auto* vm = node == nullptr ? nullptr : world_.cloud().instance(node->vm);
  const bool excused = vm != nullptr && world_.evidence().touched(*vm, world_.scheduler().now() - kLately);
  if (world_.evidence().any(kAstray)) return;
  // It was done, and so was the removal that came after it: the journal has lost both, and perhaps that a
  // removal was asked for.
  if (promotes && world_.journal().losses() > 0 && node != nullptr && (vm == nullptr || is_gone(vm->state)) &&
      (node->state == model::NodeState::removing || granted_.contains(node->vm)))
    return;
  if (!truth || truth->role != Role::primary || (truth->read_only && !excused)) {
    world_.report(
        "S12",
        subject + " is DONE, but node " + model::id_text(operation->request.node) + " is no writable master",
        "S12 master");
    return;
  }
  if (promotes) check_promoted(subject, *node);
}

// L5: a fail-over that nobody forced closes a master. Its server is well, nothing has happened to that
// lately, and a slave hears it: then nobody had a reason. Unless the manager cannot know: what is known of a
// server is as old as the slowest answer, and who came back while it was being closed has to say so.
void Checkers::check_death(const std::string& subject) {
  const auto* manager = world_.manager();
  const auto* former = manager == nullptr ? nullptr : manager->model().node(node_number(subject));
  if (former == nullptr || former->id != manager->model().service.primary) return;
  const model::Operation* replacing = nullptr;
  for (const auto id : manager->model().active()) {
    const auto* operation = manager->model().operation(id);
    if (operation->request.kind == OperationKind::fail_over && !operation->request.force)
      replacing = operation;
  }
  const auto truth = world_.fleet().truth(former->vm);
  const auto* vm = world_.cloud().instance(former->vm);
  const TimePoint lately = world_.scheduler().now() - 10s;
  const TimePoint started = servers_.running_since(former->vm);
  const TimePoint begun = replacing == nullptr ? kNever : TimePoint{Duration{replacing->accepted_at_ns}};
  // Its agent, when it was asked: nothing has kept the two apart since.
  const bool could_say_so = vm != nullptr && truth && truth->up && truth->agent_running &&
                            started + manager->config().agent_timeout <= world_.scheduler().now() &&
                            !world_.evidence().touched(*vm, started);
  // Somebody else may have answered at its address.
  if (replacing == nullptr || !truth || !truth->responsive || vm == nullptr ||
      world_.evidence().any(kAstray) || started > lately || (started > begun && !could_say_so) ||
      world_.evidence().server_touched(*vm, lately))
    return;
  for (const auto& [id, node] : manager->model().nodes()) {
    const auto seen = world_.fleet().truth(node.vm);
    // Whom nobody has been able to ask for a while says nothing: who is called LOST is judged by itself.
    if (node.role != Role::replica || node.state == model::NodeState::lost || !seen || !seen->responsive ||
        seen->replication.io != ThreadState::yes || seen->replication.source_address != truth->address)
      continue;
    world_.report("L5", subject + " is well and " + model::node_name(id) + " hears it, and it is replaced",
                  "L5 false fail-over");
    return;
  }
}

void Checkers::check_promoted(const std::string& subject, const model::Node& node) {
  const auto* server = world_.fleet().server(node.vm);
  if (server == nullptr) return;
  // S3: a planned switchover loses nothing, whatever the durability mode.
  if (const auto* traffic = world_.traffic(); traffic != nullptr && promised_ && !writes_may_be_lost())
    if (const auto lost = traffic->lost(*server); lost > 0)
      world_.report("S3", subject + " lost " + std::to_string(lost) + " acknowledged write(s)",
                    "S3 lost by switchover");
  // S4: nobody reachable knows more than the promoted one. Where no master hands over, it is a pick of those
  // that answer: whose agent or network was disturbed need not be one of them.
  const auto* operation = world_.manager()->model().operation(operation_number(subject));
  const bool of_those_who_answer =
      operation != nullptr &&
      (operation->request.kind == model::OperationKind::fail_over || operation->former == 0);
  for (const auto& id : world_.fleet().ids()) {
    const auto other = world_.fleet().truth(id);
    if (!other || !other->responsive || other->role != Role::replica) continue;
    const auto* vm = world_.cloud().instance(id);
    if (of_those_who_answer && vm != nullptr &&
        world_.evidence().touched(*vm, world_.scheduler().now() - kLately))
      continue;
    // What no master has written goes from server to server with every copy.
    if (world_.evidence().any(
            {"db.errant", "db.diverge", "db.lose_read_only", "db.duplicate_server_id", "db.reset_server_id"}))
      continue;
    const auto* rival = world_.fleet().server(id);
    if (rival != nullptr && rival->data().minus(server->data()).size() > 0)
      world_.report(
          "S4", other->name + " has transactions that the promoted " + model::node_name(node.id) + " lacks",
          "S4");
  }
}

void Checkers::check_restart() {
  const auto* manager = world_.manager();
  if (manager == nullptr) return;
  if (world_.journal().losses() != losses_) {
    losses_ = world_.journal().losses();
    answers_.forget();
    states_.forget();
    epoch_ = manager->model().service.epoch;
  }
  answers_.restarted();
  if (manager->model().service.epoch < epoch_)
    world_.report("S8",
                  "the epoch went back from " + std::to_string(epoch_) + " to " +
                      std::to_string(manager->model().service.epoch),
                  "S8 epoch went back");
}

}  // namespace drover::scenario
