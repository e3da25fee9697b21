// What checkers ask of the fleet, and what is kept up to date for them.
#include <algorithm>

#include "mockcloud/node/fleet.hpp"

namespace drover::node {

void Fleet::refresh(Node& node) {
  const SimServer& server = *node.server;
  const bool writable =
      !node.terminated && server.responsive() && !server.read_only() && client_reaches(node);
  const bool primary = writable && node.agent->role() == Role::primary;
  writable_servers_ += unsigned{writable} - unsigned{node.counted_writable};
  writable_primaries_ += unsigned{primary} - unsigned{node.counted_primary};
  node.counted_writable = writable;
  node.counted_primary = primary;
  if (node.listed_changed) return;
  node.listed_changed = true;
  changed_.push_back(&node);
}

std::vector<std::string> Fleet::take_changed() {
  std::vector<std::string> ids;
  ids.reserve(changed_.size());
  for (Node* node : changed_) {
    node->listed_changed = false;
    ids.push_back(node->id);
  }
  changed_.clear();
  return ids;
}

std::vector<std::string> Fleet::ids() const {
  std::vector<std::string> ids;
  for (const auto& node : nodes_)
    if (!node->terminated) ids.push_back(node->id);
  return ids;
}

std::optional<NodeTruth> Fleet::truth(const std::string& id) const {
  const Node* node = live(id);
  if (node == nullptr) return std::nullopt;
  const SimServer& server = *node->server;
  NodeTruth truth;
  truth.id = node->id;
  truth.name = node->name;
  truth.address = node->address;
  truth.up = node->powered && !node->paused;
  truth.agent_running = node->agent->running();
  truth.agent_at_work_since = node->agent->at_work_since();
  truth.server_running = server.running();
  truth.responsive = server.responsive();
  truth.read_only = server.read_only();
  truth.client_can_write = node->counted_writable;
  truth.role = node->agent->role();
  truth.epoch = node->agent->epoch();
  truth.server_id = server.server_id();
  truth.gtid_binlog_pos = server.gtid_binlog_pos();
  truth.gtid_slave_pos = server.gtid_slave_pos();
  truth.gtid_current_pos = server.gtid_current_pos();
  truth.transactions = server.data().size();
  truth.relay_pending = server.relay_pending();
  truth.replication = server.replication();
  return truth;
}

SimServer* Fleet::server(const std::string& id) {
  const Node* node = find(id);
  return node == nullptr ? nullptr : node->server.get();
}

SimAgent* Fleet::agent(const std::string& id) {
  const Node* node = find(id);
  return node == nullptr ? nullptr : node->agent.get();
}

std::string Fleet::id_at(const std::string& address) const {
  const Node* node = at(address);
  return node == nullptr ? "" : node->id;
}

std::string Fleet::replication_cycle() const {
  const auto source_of = [this](const Node& node) -> const Node* {
    if (node.terminated || !node.server->replication_configured()) return nullptr;
    return at(node.server->source().host);
  };
  for (const auto& start : nodes_) {
    std::string path = start->name;
    const Node* node = source_of(*start);
    for (std::size_t steps = 0; node != nullptr && steps < nodes_.size(); ++steps) {
      path += " -> " + node->name;
      if (node == start.get()) return path;
      node = source_of(*node);
    }
  }
  return {};
}

bool Fleet::same_data(const std::string& a, const std::string& b) const {
  const Node* first = find(a);
  const Node* second = find(b);
  return first != nullptr && second != nullptr && first->server->data() == second->server->data();
}

}  // namespace drover::node
