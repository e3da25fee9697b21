#include "manager/model/admission.hpp"

#include <algorithm>
#include <array>

namespace drover::model {
namespace {

using S = ServiceState;
constexpr std::array kWorking{S::S_RUNNING, S::S_ADAPTING};
constexpr std::array kStoppable{S::S_PROLOGUE, S::S_RUNNING, S::S_ADAPTING, S::S_ERROR};

Error invalid(std::string message) { return make_error(ErrorCode::invalid, std::move(message)); }
Error wrong_state(std::string message) { return make_error(ErrorCode::wrong_state, std::move(message)); }

// An unfinished operation of this kind, or null.
const Operation* pending(const Model& model, OperationKind kind) {
  for (const OperationId id : model.active())
    if (const Operation* operation = model.operation(id); operation->request.kind == kind) return operation;
  return nullptr;
}

// Calls visit(node) for the primary (0: none), then for each node that an accepted operation will make it, in
// their order: any of them may fail.
template <class Visit>
void for_each_coming_primary(const Model& model, Visit visit) {
  visit(model.service.primary);
  for (const OperationId id : model.active()) {
    const auto& request = model.operation(id)->request;
    if (request.kind == OperationKind::set_up_replica_master || request.kind == OperationKind::promote ||
        request.kind == OperationKind::fail_over)
      visit(request.node);
  }
}

// Whether the node is the primary, or may be when the accepted operations have ended.
bool may_be_primary(const Model& model, NodeId node) {
  bool may_be = false;
  for_each_coming_primary(model, [&](NodeId primary) { may_be = may_be || primary == node; });
  return may_be;
}

// The node that is the primary when the accepted operations have ended well; 0: none.
NodeId coming_primary(const Model& model) {
  NodeId last = 0;
  for_each_coming_primary(model, [&](NodeId primary) { last = primary; });
  return last;
}

Result<const Node*> usable_node(const Model& model, NodeId id) {
  const Node* node = model.node(id);
  if (node == nullptr) return invalid("there is no node " + id_text(id));
  if (is_coming_up(node->state) || node->state == NodeState::failed)
    return wrong_state(node_name(id) + " is " + to_text(node->state) + ": wait until it is RUNNING");
  if (node->state == NodeState::removing) return wrong_state(node_name(id) + " is being removed");
  return node;
}

// Whether a node has this server_id, or an accepted operation will give it to one.
bool server_id_is_taken(const Model& model, std::uint32_t server_id) {
  if (model.server_id_in_use(server_id)) return true;
  return std::any_of(model.active().begin(), model.active().end(), [&](OperationId id) {
    return model.operation(id)->request.source.slave_server_id == server_id;
  });
}

// Whether a repeated key comes with what it came with before.
bool same_parameters(const OperationRequest& a, const OperationRequest& b) {
  return a.kind == b.kind && a.count == b.count && a.node == b.node && a.partial == b.partial &&
         a.force == b.force && a.source == b.source;
}

Result<void> admit_add(const Model& model, const AdmissionLimits& limits, std::int64_t count,
                       Admission& admission) {
  if (count < 1) return invalid("\"count\" must be a positive integer");
  if (model.nodes().size() + static_cast<std::size_t>(count) > limits.max_nodes)
    return invalid("\"count\" is too large: a service has at most " + std::to_string(limits.max_nodes) +
                   " nodes and has " + std::to_string(model.nodes().size()));
  // Ids that operations under way will give come later than all that have been given.
  std::uint32_t server_id = model.service.next_server_id;
  for (const OperationId id : model.active())
    server_id = std::max(server_id, model.operation(id)->request.source.slave_server_id + 1);
  for (std::int64_t i = 0; i < count; ++i) {
    Node node;
    node.id = model.service.next_node + i;
    node.server_id = server_id + static_cast<std::uint32_t>(i);
    node.operation = admission.operation.id;
    node.fresh = true;
    admission.operation.nodes.push_back(node.id);
    admission.created.push_back(std::move(node));
  }
  return success();
}

// Former masters that have not been taken back: what they have may be nowhere else.
std::vector<NodeId> left_behind(const Model& model) {
  std::vector<NodeId> left;
  for (const auto& [id, node] : model.nodes())
    if (is_listed(node.state) && !node.left_at.empty() && !may_be_primary(model, id)) left.push_back(id);
  return left;
}

std::string also_kept(const Model& model, const OperationRequest& request) {
  if (request.force) return {};
  std::string text;
  for (const NodeId id : left_behind(model)) text += (text.empty() ? ", and so is " : ", ") + node_name(id);
  return text.empty()
             ? text
             : text + ", which may have what no other has: remove it by its id, or with \"force\": true";
}

Result<void> admit_remove(const Model& model, const OperationRequest& request, Admission& admission) {
  if (request.node != 0) {
    DROVER_TRY(const Node* node, usable_node(model, request.node));
    if (may_be_primary(model, node->id) && !request.force)
      return wrong_state(
          node_name(node->id) +
          " is the master: promote a replica first, or pass \"force\": true to remove it with its data");
    admission.claimed.push_back(node->id);
  } else {
    if (request.count < 1) return invalid("\"count\" must be a positive integer");
    auto candidates = removable_nodes(model);
    if (request.force) {
      const auto left = left_behind(model);
      candidates.insert(candidates.end(), left.begin(), left.end());
      if (const Node* primary = model.node(model.service.primary);
          primary != nullptr && is_listed(primary->state))
        candidates.push_back(primary->id);
    }
    if (candidates.size() < static_cast<std::size_t>(request.count))
      return invalid("\"count\" is " + std::to_string(request.count) + " but only " +
                     std::to_string(candidates.size()) + " node(s) can be removed; the master is kept" +
                     also_kept(model, request));
    candidates.resize(static_cast<std::size_t>(request.count));
    admission.claimed = std::move(candidates);
  }
  admission.operation.nodes = admission.claimed;
  return success();
}

Result<void> admit_master(const Model& model, const OperationRequest& request, Admission& admission) {
  DROVER_TRY(const Node* node, usable_node(model, request.node));
  const NodeId primary = coming_primary(model);
  if (primary != 0 && primary != node->id)
    return wrong_state(node_name(primary) + " is the master already: use promote to change it");
  admission.operation.nodes = {node->id};
  return success();
}

Result<void> admit_slave(const Model& model, const OperationRequest& request, Admission& admission) {
  DROVER_TRY(const Node* node, usable_node(model, request.node));
  const NodeId primary = coming_primary(model);
  if (primary == node->id)
    return wrong_state(node_name(node->id) + " is the master: it cannot replicate from itself");
  if (primary == 0 && request.source.master_host.empty())
    return wrong_state("there is no master yet: call set_up_replica_master first");
  const auto server_id = request.source.slave_server_id;
  if (server_id != 0 && server_id != node->server_id && server_id_is_taken(model, server_id))
    return invalid("\"slave_server_id\" " + std::to_string(server_id) + " is in use by another node");
  admission.operation.nodes = {node->id};
  return success();
}

Result<void> admit_create_replica(const Model& model, const OperationRequest& request,
                                  const AdmissionLimits& limits, Admission& admission) {
  DROVER_TRY(const Node* node, usable_node(model, request.node));
  if (coming_primary(model) != node->id) return wrong_state(node_name(node->id) + " is not the master");
  return admit_add(model, limits, 1, admission);
}

Result<void> admit_promote(const Model& model, const OperationRequest& request, Admission& admission) {
  DROVER_TRY(const Node* node, usable_node(model, request.node));
  if (node->state == NodeState::lost)
    return wrong_state(node_name(node->id) + " is LOST: its agent does not answer");
  if (node->id == model.service.primary) return wrong_state(node_name(node->id) + " is the master already");
  if (node->role != Role::replica) return wrong_state(node_name(node->id) + " is no replica");
  admission.operation.nodes = {node->id};
  admission.operation.former = model.service.primary;
  return success();
}

// Whether the master is dead is not known here: whoever asks has looked.
Result<void> admit_fail_over(const Model& model, const OperationRequest& request, Admission& admission) {
  if (pending(model, OperationKind::fail_over) != nullptr)
    return wrong_state("a fail-over is under way already");
  return admit_promote(model, request, admission);
}

}  // namespace

std::span<const ServiceState> accepting_states(OperationKind kind) {
  if (kind == OperationKind::shutdown) return kStoppable;
  return kWorking;
}

bool is_accepted_in(OperationKind kind, ServiceState state) {
  const auto states = accepting_states(kind);
  return std::find(states.begin(), states.end(), state) != states.end();
}

bool may_run_beside(OperationKind running, OperationKind next) {
  if (running == OperationKind::shutdown || next == OperationKind::shutdown) return false;
  if (running == OperationKind::add_nodes || next == OperationKind::add_nodes) return true;
  // A fail-over does not wait for a replica that copies from the dead master: the new epoch ends that.
  return next == OperationKind::fail_over &&
         (running == OperationKind::set_up_replica_slave || running == OperationKind::create_replica);
}

bool is_cancellable(OperationKind kind) {
  switch (kind) {
    case OperationKind::add_nodes:
    case OperationKind::create_replica:
    case OperationKind::set_up_replica_slave:
      return true;
    case OperationKind::remove_nodes:
    case OperationKind::set_up_replica_master:
    case OperationKind::promote:
    case OperationKind::fail_over:
    case OperationKind::shutdown:
      return false;
  }
  return false;
}

std::vector<NodeId> removable_nodes(const Model& model) {
  std::vector<NodeId> plain, replicas;
  for (const auto& [id, node] : model.nodes()) {
    if (!is_listed(node.state) || may_be_primary(model, id) || !node.left_at.empty()) continue;
    (node.role == Role::none ? plain : replicas).push_back(id);
  }
  std::vector<NodeId> order(plain.rbegin(), plain.rend());
  order.insert(order.end(), replicas.rbegin(), replicas.rend());
  return order;
}

Result<Admission> admit(const Model& model, const OperationRequest& request, const AdmissionLimits& limits) {
  Admission admission;
  if (!request.key.empty()) {
    if (const Operation* known = model.operation_of_key(request.key); known != nullptr) {
      if (!same_parameters(known->request, request))
        return invalid("\"key\" was used before, for " + std::string(to_text(known->request.kind)) +
                       " with other parameters");
      admission.repeated = known;
      return admission;
    }
  }
  if (!is_accepted_in(request.kind, model.service.state))
    return wrong_state(std::string(to_text(request.kind)) + " is not possible while the service is " +
                       to_text(model.service.state));
  if (request.kind != OperationKind::shutdown && model.active_operations() >= limits.max_queued)
    return wrong_state("too many operations are waiting (" + std::to_string(model.active_operations()) +
                       "): try again when some have ended");
  admission.operation.id = model.service.next_operation;
  admission.operation.request = request;
  Result<void> checked = success();
  switch (request.kind) {
    case OperationKind::add_nodes:
      checked = admit_add(model, limits, request.count, admission);
      break;
    case OperationKind::remove_nodes:
      checked = admit_remove(model, request, admission);
      break;
    case OperationKind::set_up_replica_master:
      checked = admit_master(model, request, admission);
      break;
    case OperationKind::set_up_replica_slave:
      checked = admit_slave(model, request, admission);
      break;
    case OperationKind::create_replica:
      checked = admit_create_replica(model, request, limits, admission);
      break;
    case OperationKind::promote:
      checked = admit_promote(model, request, admission);
      break;
    case OperationKind::fail_over:
      checked = admit_fail_over(model, request, admission);
      break;
    case OperationKind::shutdown:
      if (pending(model, OperationKind::shutdown) != nullptr)
        checked = wrong_state("shutdown is under way already");
      break;
  }
  if (checked.has_error()) return std::move(checked).error();
  return admission;
}

}  // namespace drover::model
