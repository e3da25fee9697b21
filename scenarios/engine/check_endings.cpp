#include "scenarios/engine/check_endings.hpp"

#include <algorithm>

#include "scenarios/engine/check_write_ahead.hpp"

namespace drover::scenario {

using model::NodeState;
using model::OperationKind;

namespace {

constexpr Duration kRecently = 30s;  // before the clients stopped

}  // namespace

void Endings::at_point(std::string_view point, std::string_view subject) {
  if (world_.has_former_managers()) return;
  if (point == "node.removing") removing_[node_number(subject)] = world_.scheduler().now();
  if (point == "manager.started") creations_.clear();  // it cannot know of them
  if (point == "step.record_primary") had_master_ = true;
  if (point == "service.stopped") check_no_creation();
  if (!point.starts_with("operation.")) return;
  const auto* manager = world_.manager();
  const auto* operation =
      manager == nullptr ? nullptr : manager->model().operation(operation_number(subject));
  if (operation == nullptr) return;
  const auto kind = operation->request.kind;
  if (kind == OperationKind::remove_nodes || kind == OperationKind::shutdown) asked_to_go_ = true;
  if (point == "operation.accepted" && kind == OperationKind::remove_nodes) check_chosen(*operation);
  if (point == "operation.failed" || point == "operation.cancelled") check_taken_back(*operation);
}

void Endings::asked(std::uint64_t number, const IaasCall& call) {
  if (call.kind == IaasCall::Kind::create) creations_[number] = {world_.scheduler().now(), call.timeout};
  if (call.kind == IaasCall::Kind::kill) {
    check_closed(call);
    check_still_wanted_away(call);
  }
}

void Endings::asked(const std::string& subject, const AgentCommand& command) {
  const auto* told = std::get_if<SetReadOnly>(&command);
  if (told != nullptr && told->read_only) closed_[node_number(subject)] = world_.scheduler().now();
}

// A shutdown takes all members, also those of what it cancels.
bool Endings::is_shutting_down() const {
  const auto& model = world_.manager()->model();
  return model.service.state == model::ServiceState::S_EPILOGUE ||
         std::ranges::any_of(model.active(), [&](const auto id) {
           return model.operation(id)->request.kind == OperationKind::shutdown;
         });
}

// S12: an addition that failed or was cancelled has taken back what it brought, but for what has another part
// by now.
void Endings::check_taken_back(const model::Operation& operation) {
  const auto kind = operation.request.kind;
  if (is_shutting_down()) return;
  const bool adds = kind == OperationKind::add_nodes || kind == OperationKind::create_replica;
  if (!adds || world_.journal().losses() > 0) return;
  const bool keeps = operation.request.partial == model::PartialPolicy::keep ||
                     world_.manager()->config().partial == model::PartialPolicy::keep;
  if (keeps && kind == OperationKind::add_nodes) return;
  for (const auto id : operation.nodes) {
    const auto* node = world_.manager()->model().node(id);
    if (node == nullptr || !model::is_listed(node->state) || has_another_part(*node, operation)) continue;
    world_.report("S12",
                  model::operation_name(operation.id) + " is over and did not succeed, and its " +
                      model::node_name(id) + " is still a member",
                  "S12 not taken back");
  }
}

bool Endings::has_another_part(const model::Node& node, const model::Operation& operation) const {
  const auto& model = world_.manager()->model();
  const bool own_role = operation.request.kind == OperationKind::create_replica;
  if (node.role == Role::primary || (node.role == Role::replica && !own_role)) return true;
  if (model.service.primary == node.id || model.service.maybe_writable == node.id) return true;
  return std::ranges::any_of(model.operations(), [&](const auto& entry) {
    const model::Operation& other = entry.second;
    return other.id != operation.id &&
           (other.request.node == node.id || std::ranges::count(other.nodes, node.id) > 0);
  });
}

// S2: a master that is removed is told to take no writes before its VM is destroyed: the VM may outlive that.
void Endings::check_closed(const IaasCall& call) {
  const auto* manager = world_.manager();
  if (manager == nullptr || world_.journal().losses() > 0) return;
  const auto* node = manager->model().find(call.object);
  if (node == nullptr || node->state != NodeState::removing || node->address.empty()) return;
  if (manager->model().service.maybe_writable != node->id) return;
  const auto removing = removing_.find(node->id);
  const auto closed = closed_.find(node->id);
  if (removing == removing_.end() || (closed != closed_.end() && closed->second >= removing->second)) return;
  world_.report("S2",
                model::node_name(node->id) + " may take writes, and is destroyed without having been closed",
                "S2 destroyed while open");
}

// S12: a removal that was cancelled takes nobody, unless a shutdown came after it, which takes all.
void Endings::check_still_wanted_away(const IaasCall& call) {
  const auto* manager = world_.manager();
  const auto* node = manager == nullptr ? nullptr : manager->model().find(call.object);
  if (node == nullptr || node->state != NodeState::removing) return;
  const auto* removal = manager->model().operation(node->operation);
  if (removal == nullptr || removal->request.kind != OperationKind::remove_nodes ||
      removal->state != model::OperationState::cancelled)
    return;
  const auto& operations = manager->model().operations();
  // An operation that fails takes back what it brought.
  for (const auto id : manager->model().active())
    if (const auto* other = manager->model().operation(id);
        std::ranges::count(other->nodes, node->id) > 0 || other->request.node == node->id)
      return;
  if (std::none_of(operations.find(removal->id), operations.end(),
                   [](const auto& later) { return later.second.request.kind == OperationKind::shutdown; }))
    world_.report("S12",
                  model::node_name(node->id) + " is destroyed for " + model::operation_name(removal->id) +
                      ", which was cancelled",
                  "S12 removed by a cancelled operation");
}

// S12: what was asked for may still come to be.
void Endings::check_no_creation() {
  const TimePoint now = world_.scheduler().now();
  for (const auto& [number, creation] : creations_)
    if (now - creation.asked < creation.timeout)
      return world_.report("S12", "the service is called STOPPED while a VM is being created",
                           "S12 stopped too early");
}

// S12: who asks for fewer nodes leaves the choice to the manager; it takes nobody whom an accepted operation
// is about to make the master. By force it takes the present one as well.
void Endings::check_chosen(const model::Operation& removal) {
  if (removal.request.count == 0) return;
  const auto& model = world_.manager()->model();
  for (const auto id : model.active()) {
    const model::Operation& other = *model.operation(id);
    const bool promotes = other.request.kind == OperationKind::promote ||
                          other.request.kind == OperationKind::set_up_replica_master;
    const bool is_master = other.request.node == model.service.primary;
    if (removal.request.force && is_master) continue;
    if (promotes && std::ranges::count(removal.nodes, other.request.node) > 0)
      world_.report("S12",
                    model::operation_name(removal.id) + " takes " + model::node_name(other.request.node) +
                        ", which " + model::operation_name(id) + " is to make the master",
                    "S12 removal of the coming master");
  }
}

void Endings::at_rest() {
  check_no_master();
  check_semi_sync();
}

// L2: once replicas are well again, a master that has fallen back from semi-sync returns to it.
void Endings::check_semi_sync() {
  const auto* manager = world_.manager();
  const auto* traffic = world_.traffic();
  if (manager == nullptr || traffic == nullptr || !manager->config().semi_sync) return;
  const auto* primary = manager->model().node(manager->model().service.primary);
  const auto* server = primary == nullptr ? nullptr : world_.fleet().server(primary->vm);
  const TimePoint now = world_.scheduler().now();
  if (server == nullptr || !server->running() || server->read_only() || server->semi_sync_active()) return;
  if (now - traffic->stats().last_acknowledged_at > kRecently ||
      world_.evidence().any({"db.semi_sync_off", "db.lose_read_only"}))
    return;
  for (const auto& [id, node] : manager->model().nodes()) {
    const auto truth = world_.fleet().truth(node.vm);
    if (node.role != Role::replica || node.state != NodeState::running || !truth || !truth->responsive ||
        truth->replication.io != ThreadState::yes || !truth->replication.sql_running)
      continue;
    return world_.report(
        "L2", "writes are acknowledged without a replica, though " + model::node_name(id) + " is well",
        "L2 semi-sync stays off");
  }
}

// L2: where fail-over is automatic, replicas that are well get a successor for a master that vanished.
void Endings::check_no_master() {
  const auto* manager = world_.manager();
  if (manager == nullptr || !manager->config().failover.automatic || manager->config().semi_sync) return;
  const auto& model = manager->model();
  if (model.service.primary != 0 || !had_master_ || asked_to_go_ || world_.journal().losses() > 0) return;
  if (model.active_operations() > 0 || model.service.state != model::ServiceState::S_RUNNING) return;
  unsigned replicas = 0;
  for (const auto& [id, node] : model.nodes()) {
    if (node.role != Role::replica) continue;
    const auto truth = world_.fleet().truth(node.vm);
    if (node.state != NodeState::running || !node.errant.empty() || !truth || !truth->responsive ||
        !truth->replication.sql_running)
      return;
    ++replicas;
  }
  if (replicas > 0)
    world_.report("L2", "there is no master, and " + std::to_string(replicas) + " replica(s) are well",
                  "L2 no master");
}

}  // namespace drover::scenario
