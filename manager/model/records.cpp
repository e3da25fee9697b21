#include "manager/model/records.hpp"

#include <algorithm>

#include "manager/base/check.hpp"

namespace drover::model {

const char* to_text(OperationKind kind) {
  switch (kind) {
    case OperationKind::add_nodes:
      return "add_nodes";
    case OperationKind::remove_nodes:
      return "remove_nodes";
    case OperationKind::set_up_replica_master:
      return "set_up_replica_master";
    case OperationKind::set_up_replica_slave:
      return "set_up_replica_slave";
    case OperationKind::create_replica:
      return "create_replica";
    case OperationKind::promote:
      return "promote";
    case OperationKind::fail_over:
      return "fail_over";
    case OperationKind::shutdown:
      return "shutdown";
  }
  return "?";
}

Node* Model::node_of_vm(const std::string& vm) {
  const auto found = by_vm_.find(vm);
  return found == by_vm_.end() ? nullptr : node(found->second);
}

Node* Model::find(const std::string& text) {
  if (!text.empty() && text.size() < 18 && text[0] != '0' &&
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    if (Node* found = node(std::stoll(text)); found != nullptr) return found;
  }
  return node_of_vm(text);
}

const Operation* Model::operation_of_key(const std::string& key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : operation(found->second);
}

Node& Model::add(Node added) {
  const auto [at, inserted] = nodes_.emplace(added.id, std::move(added));
  DROVER_CHECK(inserted, "a node id was used twice");
  ++node_counts_[static_cast<std::size_t>(at->second.state)];
  if (!at->second.vm.empty()) by_vm_[at->second.vm] = at->first;
  return at->second;
}

Operation& Model::add(Operation added) {
  const auto [at, inserted] = operations_.emplace(added.id, std::move(added));
  DROVER_CHECK(inserted, "an operation id was used twice");
  if (!at->second.request.key.empty()) by_key_[at->second.request.key] = at->first;
  if (!is_ended(at->second.state)) active_.insert(at->first);
  return at->second;
}

// A VM that another record has taken over meanwhile stays that one's.
void Model::forget_vm(const Node& node) {
  const auto found = by_vm_.find(node.vm);
  if (found != by_vm_.end() && found->second == node.id) by_vm_.erase(found);
}

void Model::set_vm(Node& changed, const std::string& vm) {
  forget_vm(changed);
  changed.vm = vm;
  if (!vm.empty()) by_vm_[vm] = changed.id;
}

void Model::erase_node(NodeId id) {
  const auto found = nodes_.find(id);
  if (found == nodes_.end()) return;
  --node_counts_[static_cast<std::size_t>(found->second.state)];
  forget_vm(found->second);
  nodes_.erase(found);
}

void Model::erase_operation(OperationId id) {
  const auto found = operations_.find(id);
  if (found == operations_.end()) return;
  if (!found->second.request.key.empty()) by_key_.erase(found->second.request.key);
  active_.erase(id);
  operations_.erase(found);
}

void Model::set_state(Node& changed, NodeState state) {
  --node_counts_[static_cast<std::size_t>(changed.state)];
  ++node_counts_[static_cast<std::size_t>(state)];
  changed.state = state;
}

void Model::set_state(Operation& changed, OperationState state) {
  if (is_ended(state))
    active_.erase(changed.id);
  else
    active_.insert(changed.id);
  changed.state = state;
}

std::vector<OperationId> Model::prune_ended(std::size_t kept) {
  std::vector<OperationId> pruned;
  auto excess = operations_.size() - active_.size();
  for (auto at = operations_.begin(); at != operations_.end() && excess > kept;) {
    const OperationId id = at->first;
    ++at;
    if (active_.contains(id)) continue;
    erase_operation(id);
    pruned.push_back(id);
    --excess;
  }
  return pruned;
}

bool Model::server_id_in_use(std::uint32_t server_id) const {
  return std::any_of(nodes_.begin(), nodes_.end(),
                     [&](const auto& entry) { return entry.second.server_id == server_id; });
}

}  // namespace drover::model
