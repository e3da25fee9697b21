// The states of service, node and operation, and the one declared table of legal transitions for each. A
// person can read the tables, a test enumerates them, and every change of state goes through next_state().
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace drover::model {

// The documented states (S_INIT … S_ERROR) with the documented strings: INIT, STARTING, RUNNING, ADAPTING,
// EPILOGUE, STOPPED, ERROR.
enum class ServiceState : unsigned char {
  S_INIT,
  S_PROLOGUE,
  S_RUNNING,
  S_ADAPTING,
  S_EPILOGUE,
  S_STOPPED,
  S_ERROR
};
inline constexpr int kServiceStates = 7;

enum class ServiceEvent : unsigned char {
  start,      // the manager has read its journal, or `startup` was called
  started,    // reconciled with the cloud
  adapt,      // the first operation begins
  adapted,    // the last operation has ended
  shut_down,  // `shutdown` was accepted
  stopped,    // every VM is gone
  fail,       // cannot go on without a person
};

// What drover knows of one member. REMOVED never shows: the record is erased with it.
enum class NodeState : unsigned char {
  creating,     // intent journaled; a VM may exist
  booting,      // the VM's id is known
  configuring,  // the VM runs and has an address; its agent is awaited, its server started
  running,      // registered: listed as a service node
  lost,         // was running; its agent has not answered several times
  removing,     // accepted for removal; its VM is being destroyed
  removed,
  failed,  // brought up in vain; waits for its operation to roll it back
};
inline constexpr int kNodeStates = 8;

enum class NodeEvent : unsigned char {
  vm_created,
  vm_running,
  ready,
  replace,  // this VM came to nothing: a new one is asked for
  give_up,
  miss,   // agent lost
  found,  // agent answers again
  remove,
  keep,      // a removal was cancelled before anything was done
  vanished,  // the cloud no longer has its VM
  removed,
};

enum class OperationState : unsigned char { queued, running, compensating, done, failed, cancelled };
inline constexpr int kOperationStates = 6;

enum class OperationEvent : unsigned char { start, succeed, fail, compensate, cancel };

template <class State, class Event>
struct Transition {
  State from;
  Event event;
  State to;
};

std::span<const Transition<ServiceState, ServiceEvent>> service_transitions();
std::span<const Transition<NodeState, NodeEvent>> node_transitions();
std::span<const Transition<OperationState, OperationEvent>> operation_transitions();

// The state after `event`, or nothing when the event is illegal in that state.
std::optional<ServiceState> next_state(ServiceState from, ServiceEvent event);
std::optional<NodeState> next_state(NodeState from, NodeEvent event);
std::optional<OperationState> next_state(OperationState from, OperationEvent event);

const char* to_text(ServiceState state);
const char* to_text(NodeState state);
const char* to_text(OperationState state);
std::optional<ServiceState> parse_service_state(std::string_view text);
std::optional<NodeState> parse_node_state(std::string_view text);
std::optional<OperationState> parse_operation_state(std::string_view text);

inline bool is_ended(OperationState state) {
  return state == OperationState::done || state == OperationState::failed ||
         state == OperationState::cancelled;
}
// Members of the service, as list_nodes tells them.
inline bool is_listed(NodeState state) { return state == NodeState::running || state == NodeState::lost; }
inline bool is_coming_up(NodeState state) {
  return state == NodeState::creating || state == NodeState::booting || state == NodeState::configuring;
}

}  // namespace drover::model
