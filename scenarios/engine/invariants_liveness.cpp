// When a run has come to rest, and what must be so then: L1 to L4, L6, and S3.
#include <algorithm>

#include "scenarios/engine/invariants.hpp"

namespace drover::scenario {

using model::NodeState;
using model::ServiceState;

namespace {

constexpr Duration kFailoverMargin = 1min;  // of a fail-over, for what comes before it waits
constexpr unsigned kRepairsWhenQuiet = 12;  // L6: of one node, after the last fault and without an operation

}  // namespace

// Whether nothing is left to be done about this node.
bool Checkers::is_settled(const model::Node& node) {
  if (!model::is_listed(node.state)) return true;
  const auto truth = world_.fleet().truth(node.vm);
  const bool answers = truth && truth->up && truth->agent_running;
  if (node.state == NodeState::lost) {
    const auto* vm = world_.cloud().instance(node.vm);
    const bool boots = vm != nullptr && vm->state == InstanceState::pending;
    if (answers) lost_and_up_.insert(node.id);
    return !answers && !boots;
  }
  if (!answers || !truth->server_running) return false;  // it is LOST when enough looks were missed
  if (node.role != Role::replica || !truth->responsive) return true;
  if (!node.errant.empty()) {
    // Refused while it had lost its source, which it hears again: it is judged once more, after a pause.
    const auto& model = world_.manager()->model();
    const auto* primary = model.node(model.service.primary);
    const auto* master = primary == nullptr ? nullptr : world_.fleet().server(primary->vm);
    const auto* server = world_.fleet().server(node.vm);
    return master == nullptr || server == nullptr || truth->replication.io != ThreadState::yes ||
           server->data().minus(master->data()).size() > 0;
  }
  return truth->replication.io == ThreadState::yes && truth->replication.sql_running;
}

// A VM that lost its tags before anybody had heard of it can never be found.
std::size_t Checkers::leaked_instances(TimePoint made_before) const {
  std::size_t hidden = 0;
  if (const auto* manager = world_.manager(); manager != nullptr)
    world_.cloud().for_each_instance([&](const cloud::Instance& vm) {
      const bool unknown =
          !is_gone(vm.state) && manager->model().find(vm.id) == nullptr && vm.spec.tags.empty();
      const bool forgotten = unknown && world_.evidence().any_to(vm, {"vm.forget_tags", "drop_tags"});
      if (forgotten || (vm.created_at > made_before && world_.is_unaccounted_for(vm))) ++hidden;
    });
  const std::size_t leaked = world_.leaked_instances();
  return leaked - std::min(leaked, hidden);
}

bool Checkers::settled() {
  looked_at_ = world_.scheduler().now();
  lost_and_up_.clear();
  const auto* manager = world_.manager();
  if (manager == nullptr) return false;
  const auto state = manager->dstate();
  if (manager->model().active_operations() > 0) return false;
  if (state != ServiceState::S_RUNNING && state != ServiceState::S_STOPPED && state != ServiceState::S_INIT &&
      state != ServiceState::S_ERROR)
    return false;
  if (!world_.pending_requests().empty()) return false;
  if (manager->model().count(NodeState::removing) > 0) return false;
  if (leaked_instances() > 0) return false;
  bool all = true;
  for (const auto& [id, node] : manager->model().nodes()) all = is_settled(node) && all;
  return all;
}

// A fail-over that cannot be, for a replica that may hold an acknowledged write is away for good, is tried
// again for ever: the latest one has had no time to end.
bool Checkers::is_begun_again(const model::Operation& operation) const {
  if (operation.request.kind != model::OperationKind::fail_over) return false;
  const auto& config = world_.configuration();
  Duration patience = config.failover.drain_timeout + kFailoverMargin;
  for (unsigned attempt = 1; attempt < config.retry.attempts; ++attempt)  // to close the master
    patience += config.retry.pause_after(attempt, Duration{0});
  return world_.scheduler().now() - TimePoint{Duration{operation.accepted_at_ns}} < patience;
}

void Checkers::at_end(bool judged) {
  check_restart();
  servers_.at_end();
  states_.at_rest();
  if (!judged) return;
  check_bounds();
  const auto* manager = world_.manager();
  if (manager == nullptr) {
    world_.report("L2", "the manager does not run at the end", "L2 no manager");
    return;
  }
  bool begun = false;
  for (const auto id : manager->model().active()) {
    const auto* operation = manager->model().operation(id);
    if (is_begun_again(*operation)) {
      begun = true;
      continue;
    }
    world_.report("L1",
                  model::operation_name(id) + " (" + model::to_text(operation->request.kind) + ") is still " +
                      model::to_text(operation->state),
                  std::string("L1 ") + model::to_text(operation->request.kind));
  }
  const auto state = manager->dstate();
  if (state == ServiceState::S_PROLOGUE || (state == ServiceState::S_ADAPTING && !begun) ||
      state == ServiceState::S_EPILOGUE)
    world_.report("L2", std::string("the service is still ") + model::to_text(state), "L2 service state");
  // What a late effect has made since all had come to rest is left to the next sweep.
  if (const auto leaked = leaked_instances(looked_at_); leaked > 0)
    world_.report("L3", std::to_string(leaked) + " VM(s) live that nobody accounts for", "L3 leaked VM");
  if (const auto leaked = world_.leaked_volumes(); leaked > 0)
    world_.report("L3", std::to_string(leaked) + " volume(s) are left that nobody accounts for",
                  "L3 leaked volume");
  check_members();
  check_replicas();
  check_clients();
  endings_.at_rest();
}

// L2: once all is quiet, who writes to the master is answered again.
void Checkers::check_clients() {
  constexpr Duration kPatience = 75s;  // a statement's time-out, the semi-sync one, and finding the master
  const auto* traffic = world_.traffic();
  const auto& model = world_.manager()->model();
  const auto* primary = model.node(model.service.primary);
  if (traffic == nullptr || primary == nullptr || traffic->stats().attempted == 0) return;
  const TimePoint since = servers_.taking_since(primary->vm);
  if (since == kNever) return;
  const TimePoint wanted = traffic->stats().wanted_since;
  if (looked_at_ - since < kPatience || wanted == kNever || looked_at_ - wanted < kPatience) return;
  // Who writes once in a while has perhaps not tried again.
  if (traffic->stats().wanted_last - wanted < kPatience / 2) return;
  const auto text = [](Duration time) { return std::to_string(time / Duration(1s)) + " s"; };
  world_.report("L2",
                "the master has been open for " + text(looked_at_ - since) +
                    ", and no write that was asked for in the last " + text(looked_at_ - wanted) +
                    " was acknowledged",
                "L2 writes are not acknowledged");
}

// Whether a machine that a fault has slowed down is still at what it began before all was quiet: to copy ten
// gigabytes takes it hours.
bool Checkers::is_slow_yet(const cloud::Instance& vm, const node::NodeTruth& truth) const {
  return truth.agent_at_work_since < world_.evidence().quiet_at() &&
         world_.evidence().any_to(vm, {"vm.slow_cpu"}, truth.agent_at_work_since);
}

// L2: every member is what the manager calls it, and has a VM of its own.
void Checkers::check_members() {
  std::map<std::string, model::NodeId> owners;
  const auto& service = world_.manager()->model().service;
  const auto* primary = world_.manager()->model().node(service.primary);
  // A replica's data may be half a copy, and nobody is there to copy from.
  const bool is_away = primary != nullptr && primary->state != NodeState::running;
  for (const auto& [id, node] : world_.manager()->model().nodes()) {
    const std::string name = model::node_name(id);
    if (!model::is_listed(node.state)) {
      world_.report("L2", name + " is still " + model::to_text(node.state), "L2 node state");
      continue;
    }
    const auto [owner, alone] = owners.emplace(node.vm, id);
    if (!alone)
      world_.report("L2", name + " and " + model::node_name(owner->second) + " have the same VM " + node.vm,
                    "L2 one VM of two nodes");
    const auto* vm = world_.cloud().instance(node.vm);
    const auto truth = world_.fleet().truth(node.vm);
    if (vm == nullptr || (is_gone(vm->state) && !vm->zombie())) {
      world_.report("L2", name + " is a member, and its VM \"" + node.vm + "\" is gone",
                    "L2 member without VM");
    } else if (truth && is_slow_yet(*vm, *truth)) {
      continue;
    } else if (node.state == NodeState::running && (!truth || !truth->server_running) &&
               !(node.role == Role::replica && is_away)) {
      world_.report("L2", name + " is RUNNING, and its server does not run", "L2 member without server");
    } else if (node.state == NodeState::lost && truth && truth->up && truth->agent_running &&
               lost_and_up_.contains(id)) {  // not only since it was last looked whether all has come to rest
      world_.report("L2", name + " is LOST, and its agent runs", "L2 member still lost");
    } else if (truth && node.address != truth->address && node.state == NodeState::running) {
      world_.report("L2", name + " is at " + truth->address + ", not at " + node.address,
                    "L2 member at another address");
    }
  }
}

// A journal that has forgotten the latest epoch, or in whose epoch its master follows another: until the
// silent member is heard, or its VM is gone, nobody is told whom to follow.
bool Checkers::waits_for_a_silent_one() {
  if (world_.journal().losses() == 0) return false;
  const auto& model = world_.manager()->model();
  bool silent = false, later = false;
  for (const auto& [id, node] : model.nodes()) {
    silent = silent || node.state == NodeState::lost;
    const auto truth = world_.fleet().truth(node.vm);
    later = later || (truth && (truth->epoch > model.service.epoch ||
                                (id == model.service.primary && truth->role == Role::replica)));
  }
  return silent && later;
}

// L4, once the clients have stopped.
void Checkers::check_replicas() {
  const auto* manager = world_.manager();
  if (manager == nullptr) return;
  const auto& model = manager->model();
  const auto* primary = model.node(model.service.primary);
  if (primary == nullptr || primary->state != NodeState::running) return;
  // A master without its data and its users is one that nobody can replicate from.
  if (const auto* vm = world_.cloud().instance(primary->vm);
      vm == nullptr || world_.evidence().any_to(*vm, {"vm.lose_disk"}))
    return;
  if (waits_for_a_silent_one()) return;
  for (const auto& [id, node] : model.nodes()) {
    if (node.role != Role::replica || node.state != NodeState::running) continue;
    const auto truth = world_.fleet().truth(node.vm);
    const std::string name = model::node_name(id);
    if (!node.errant.empty()) {
      check_refused(*primary, node);
      continue;
    }
    if (!truth || !truth->replication.configured || truth->replication.io != ThreadState::yes ||
        !truth->replication.sql_running) {
      world_.report(
          "L4",
          name + " does not replicate: " + (truth ? truth->replication.last_error : "its server is gone"),
          "L4 not replicating");
      continue;
    }
    if (!world_.fleet().same_data(primary->vm, node.vm))
      world_.report("L4", name + " does not hold the master's data", "L4 data differs");
  }
}

// When the present master was told to be it, as far as the records go back; kEpoch when they do not.
TimePoint Checkers::became_master(model::NodeId master) const {
  std::int64_t latest = 0;
  for (const auto& [id, operation] : world_.manager()->model().operations())
    if (operation.request.node == master && (operation.request.kind == model::OperationKind::promote ||
                                             operation.request.kind == model::OperationKind::fail_over))
      latest = std::max(latest, operation.accepted_at_ns);
  return TimePoint{Duration{latest}};
}

// A former master is kept out only for what the present one really lacks, and takes no writes meanwhile.
void Checkers::check_refused(const model::Node& primary, const model::Node& node) {
  const auto* master = world_.fleet().server(primary.vm);
  const auto* server = world_.fleet().server(node.vm);
  if (master == nullptr || server == nullptr || !server->running()) return;
  // What it went on receiving from somebody who followed, before it lost that one, nobody can tell from what
  // a former life of the master wrote, and was lost with it.
  const auto truth = world_.fleet().truth(node.vm);
  const bool has_lost_its_source = truth && truth->epoch < world_.manager()->model().service.epoch &&
                                   truth->replication.io != ThreadState::yes;
  // Nor what one has that follows the present master since before it was that, and could not be asked when it
  // became it again.
  const auto* vm = world_.cloud().instance(node.vm);
  const bool was_unheard = truth && truth->epoch < world_.manager()->model().service.epoch &&
                           truth->replication.source_address == primary.address && vm != nullptr &&
                           world_.evidence().touched(*vm, became_master(primary.id));
  if (server->data().minus(master->data()).size() == 0 && !has_lost_its_source && !was_unheard)
    world_.report("L4",
                  model::node_name(node.id) + " is not taken back, and holds nothing that the master lacks",
                  "L4 refused without a cause");
  if (!server->read_only())
    world_.report("S9", model::node_name(node.id) + " is not taken back, and takes writes",
                  "S9 refused but writable");
}

// L6: repairs of one node, when nothing goes wrong any more and nobody asks for anything.
void Checkers::count_repairs(const std::string& subject) {
  const auto* manager = world_.manager();
  if (!world_.evidence().is_quiet() || manager == nullptr || manager->model().active_operations() > 0) return;
  const auto counts = world_.faults().counts();
  const bool beyond =
      std::ranges::any_of(counts, [](const auto& count) { return count.beyond_budget && count.fired > 0; });
  if (beyond) return;
  if (++repairs_[subject] == kRepairsWhenQuiet)
    world_.report(
        "L6", subject + " was repaired " + std::to_string(kRepairsWhenQuiet) + " times after all was quiet",
        "L6 repair without end");
}

// S3, seen by a client: whom the manager calls the master does not show what it acknowledged before. Not
// while another one is being made writable: a client that still believes in that one may have written there
// already.
void Checkers::check_reads() {
  auto* traffic = world_.traffic();
  if (traffic == nullptr || traffic->stats().stale_reads == stale_reads_) return;
  stale_reads_ = traffic->stats().stale_reads;
  const auto& address = traffic->stale_address();
  const auto* manager = world_.manager();
  const bool settled =
      manager != nullptr && manager->model().service.maybe_writable == manager->model().service.primary;
  if (promised_ && settled && world_.journal().losses() == 0 && !writes_may_be_lost() &&
      world_.fleet().id_at(address) == world_.master_vm())
    world_.report("S3", "the master at " + address + " does not show a write that it acknowledged before",
                  "S3 stale");
}

// What no manager can keep: a disk is gone; or a replica takes the master's writes for its own, as they carry
// its server_id, and says that it has them. (What a server acknowledges that a fault has opened is no
// promise.)
bool Checkers::writes_may_be_lost() const {
  // A VM without its tags, of which the journal has forgotten too, is nobody's.
  if (world_.journal().losses() > 0 && world_.evidence().any({"vm.forget_tags", "drop_tags"})) return true;
  return world_.evidence().any({"vm.lose_disk", "db.duplicate_server_id", "db.reset_server_id"});
}

// A journal that lost who the master is: nobody takes writes until the one is heard that has them.
bool Checkers::are_kept_elsewhere() {
  if (world_.journal().losses() == 0 || servers_.taking_since(world_.master_vm()) != kNever) return false;
  const auto* manager = world_.manager();
  if (manager == nullptr) return false;
  return std::ranges::any_of(manager->model().nodes(), [&](const auto& entry) {
    const auto* server = world_.fleet().server(entry.second.vm);
    return server != nullptr && world_.traffic()->lost(*server) == 0;
  });
}

std::uint64_t Checkers::check_writes() {
  auto* traffic = world_.traffic();
  if (traffic == nullptr) return 0;
  auto* server = world_.fleet().server(world_.master_vm());
  if (server == nullptr) return 0;
  if (const auto phantoms = traffic->phantoms(*server); phantoms > 0)
    world_.report("S3", std::to_string(phantoms) + " write(s) on the master that no client made",
                  "S3 phantom");
  const auto lost = traffic->lost(*server);
  if (lost == 0 || writes_may_be_lost()) return lost;
  if (are_kept_elsewhere()) return 0;
  if (promised_ || traffic->lost_protected(*server) > 0) {
    world_.report("S3", std::to_string(lost) + " acknowledged write(s) are lost", "S3 lost");
    return 0;
  }
  return lost;
}

}  // namespace drover::scenario
