// The manager's records: service, nodes, operations, and the model that holds them. Pure: no I/O, no waiting.
// What is journaled is marked so; the rest is found again by looking.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "manager/base/time.hpp"
#include "manager/model/states.hpp"
#include "manager/ports/agent.hpp"

namespace drover::model {

using NodeId = std::int64_t;       // 1, 2, …; as text the "serviceNodeId" of the API
using OperationId = std::int64_t;  // 1, 2, …

enum class OperationKind : unsigned char {
  add_nodes,
  remove_nodes,
  set_up_replica_master,
  set_up_replica_slave,
  create_replica,
  promote,
  fail_over,
  shutdown,
};
inline constexpr int kOperationKinds = 8;
const char* to_text(OperationKind kind);

// What is left of a node whose bring-up partly failed: all of it taken back, or what works kept.
enum class PartialPolicy : unsigned char { rollback, keep };

// The documented five-parameter form of set_up_replica_slave; empty host: the manager chooses the source.
struct ReplicaSource {
  std::string master_host;
  std::string master_log_file;
  std::uint64_t master_log_pos = 0;
  std::uint32_t slave_server_id = 0;
  friend bool operator==(const ReplicaSource&, const ReplicaSource&) = default;
};

struct OperationRequest {
  OperationKind kind{};
  std::string key;         // the client's idempotency key, or ""
  std::int64_t count = 0;  // add_nodes, remove_nodes by count
  NodeId node = 0;         // the node it is about; create_replica: the master
  PartialPolicy partial = PartialPolicy::rollback;
  bool force =
      false;  // remove_nodes: also the master; fail_over: although the master answers, and at any loss
  ReplicaSource source;
};

struct Node {  // journaled but for the last group
  NodeId id = 0;
  NodeState state = NodeState::creating;
  Role role = Role::none;
  std::uint32_t server_id = 0;
  std::uint16_t attempt = 1;  // VMs asked for so far
  std::uint16_t mysqld_port = 3306;
  OperationId operation = 0;  // that brings it up or takes it down
  std::string vm;             // the instance's id, "" before it is known
  std::string address;
  // The position of the present master when it took over, while this member has not followed it yet: what it
  // holds beyond that is errant. "" otherwise.
  std::string left_at;

  // Seen lately, not journaled.
  TimePoint last_seen{};
  bool fresh = false;  // admitted by this very process and not asked for yet: no VM of this attempt can exist
  std::uint16_t misses = 0;
  std::uint16_t replication_bad = 0;  // polls in a row with broken replication
  bool server_running = false;
  std::string errant;  // transactions that keep it from coming back, for people
  // The epoch in which it was found to have the present master's history, though it was left behind: to tell
  // it to follow may end what showed that. 0: it was not.
  std::uint64_t acquitted_in = 0;
  std::int32_t seconds_behind = -1;
  float load = 0;
};

struct Operation {  // journaled
  OperationId id = 0;
  OperationRequest request;
  OperationState state = OperationState::queued;
  std::vector<NodeId> nodes;  // that it creates or changes
  std::uint64_t epoch = 0;    // topology epoch it works under; 0: none taken yet
  NodeId former = 0;          // promote, fail_over: the primary before
  std::string error;
  bool cancelling = false;  // compensating because of a cancellation
  std::string warning;      // done, but not all of it
  std::int64_t accepted_at_ns = 0;
  std::int64_t ended_at_ns = 0;
};

struct Service {  // journaled
  ServiceState state = ServiceState::S_INIT;
  std::uint64_t epoch = 0;
  NodeId next_node = 1;
  OperationId next_operation = 1;
  std::uint32_t next_server_id = 1;
  NodeId primary = 0;         // confirmed primary, 0: none
  NodeId maybe_writable = 0;  // told to become writable, not known to be fenced again
  // The primary's VM is gone, and nobody asked for that: its replicas wait for a successor. Its last address.
  std::string bereft_of;
  std::set<std::string> doomed;  // VMs that must be destroyed and never be members again
};

inline std::string id_text(std::int64_t id) { return std::to_string(id); }
inline std::string node_name(NodeId id) { return "node-" + std::to_string(id); }
inline std::string operation_name(OperationId id) { return "op-" + std::to_string(id); }

// All records of one service. Lookups by id are O(log n), by VM and by key O(1).
class Model {
 public:
  Service service;

  const std::map<NodeId, Node>& nodes() const { return nodes_; }
  const std::map<OperationId, Operation>& operations() const { return operations_; }
  Node* node(NodeId id) {
    const auto found = nodes_.find(id);
    return found == nodes_.end() ? nullptr : &found->second;
  }
  const Node* node(NodeId id) const {
    const auto found = nodes_.find(id);
    return found == nodes_.end() ? nullptr : &found->second;
  }
  Operation* operation(OperationId id) {
    const auto found = operations_.find(id);
    return found == operations_.end() ? nullptr : &found->second;
  }
  const Operation* operation(OperationId id) const {
    const auto found = operations_.find(id);
    return found == operations_.end() ? nullptr : &found->second;
  }
  Node* node_of_vm(const std::string& vm);
  const Node* node_of_vm(const std::string& vm) const { return const_cast<Model*>(this)->node_of_vm(vm); }
  // A node by the id a client gives as text: the node's id, else its VM's id; null when there is none.
  Node* find(const std::string& text);
  const Node* find(const std::string& text) const { return const_cast<Model*>(this)->find(text); }
  const Operation* operation_of_key(const std::string& key) const;

  Node& add(Node node);
  Operation& add(Operation operation);
  void set_vm(Node& node, const std::string& vm);  // "" forgets it
  void erase_node(NodeId id);
  void erase_operation(OperationId id);
  // Changes a state without asking the table; use ops/journal for legal changes.
  void set_state(Node& node, NodeState state);
  void set_state(Operation& operation, OperationState state);

  std::size_t count(NodeState state) const { return node_counts_[static_cast<std::size_t>(state)]; }
  std::size_t listed() const { return count(NodeState::running) + count(NodeState::lost); }
  // The operations that have not ended, oldest first.
  const std::set<OperationId>& active() const { return active_; }
  std::size_t active_operations() const { return active_.size(); }
  // Forgets the oldest ended operations beyond `kept`; returns their ids.
  std::vector<OperationId> prune_ended(std::size_t kept);
  Node* primary() { return service.primary == 0 ? nullptr : node(service.primary); }
  bool server_id_in_use(std::uint32_t server_id) const;

 private:
  void forget_vm(const Node& node);

  std::map<NodeId, Node> nodes_;
  std::map<OperationId, Operation> operations_;
  std::unordered_map<std::string, NodeId> by_vm_;
  std::unordered_map<std::string, OperationId> by_key_;
  std::size_t node_counts_[kNodeStates] = {};
  std::set<OperationId> active_;
};

}  // namespace drover::model
