#include "manager/model/states.hpp"

#include <array>

namespace drover::model {
namespace {

using S = ServiceState;
using SE = ServiceEvent;
constexpr std::array kService{
    Transition<S, SE>{S::S_INIT, SE::start, S::S_PROLOGUE},
    Transition<S, SE>{S::S_INIT, SE::shut_down, S::S_EPILOGUE},
    Transition<S, SE>{S::S_PROLOGUE, SE::started, S::S_RUNNING},
    Transition<S, SE>{S::S_PROLOGUE, SE::fail, S::S_ERROR},
    Transition<S, SE>{S::S_PROLOGUE, SE::shut_down, S::S_EPILOGUE},
    Transition<S, SE>{S::S_RUNNING, SE::adapt, S::S_ADAPTING},
    Transition<S, SE>{S::S_RUNNING, SE::shut_down, S::S_EPILOGUE},
    Transition<S, SE>{S::S_ADAPTING, SE::adapted, S::S_RUNNING},
    Transition<S, SE>{S::S_ADAPTING, SE::shut_down, S::S_EPILOGUE},
    Transition<S, SE>{S::S_EPILOGUE, SE::stopped, S::S_STOPPED},
    Transition<S, SE>{S::S_EPILOGUE, SE::fail, S::S_ERROR},
    Transition<S, SE>{S::S_STOPPED, SE::start, S::S_PROLOGUE},
    Transition<S, SE>{S::S_ERROR, SE::start, S::S_PROLOGUE},
    Transition<S, SE>{S::S_ERROR, SE::shut_down, S::S_EPILOGUE},
};

using N = NodeState;
using NE = NodeEvent;
constexpr std::array kNode{
    Transition<N, NE>{N::creating, NE::vm_created, N::booting},
    Transition<N, NE>{N::creating, NE::give_up, N::failed},
    Transition<N, NE>{N::creating, NE::remove, N::removing},
    Transition<N, NE>{N::booting, NE::vm_running, N::configuring},
    Transition<N, NE>{N::booting, NE::replace, N::creating},
    Transition<N, NE>{N::booting, NE::give_up, N::failed},
    Transition<N, NE>{N::booting, NE::remove, N::removing},
    Transition<N, NE>{N::configuring, NE::ready, N::running},
    Transition<N, NE>{N::configuring, NE::replace, N::creating},
    Transition<N, NE>{N::configuring, NE::give_up, N::failed},
    Transition<N, NE>{N::configuring, NE::remove, N::removing},
    Transition<N, NE>{N::running, NE::miss, N::lost},
    Transition<N, NE>{N::running, NE::remove, N::removing},
    Transition<N, NE>{N::running, NE::vanished, N::removed},
    Transition<N, NE>{N::lost, NE::found, N::running},
    Transition<N, NE>{N::lost, NE::remove, N::removing},
    Transition<N, NE>{N::lost, NE::vanished, N::removed},
    Transition<N, NE>{N::failed, NE::remove, N::removing},
    Transition<N, NE>{N::removing, NE::keep, N::running},
    Transition<N, NE>{N::removing, NE::removed, N::removed},
};

using O = OperationState;
using OE = OperationEvent;
constexpr std::array kOperation{
    Transition<O, OE>{O::queued, OE::start, O::running},
    Transition<O, OE>{O::queued, OE::cancel, O::cancelled},
    Transition<O, OE>{O::running, OE::succeed, O::done},
    Transition<O, OE>{O::running, OE::fail, O::failed},
    Transition<O, OE>{O::running, OE::cancel, O::cancelled},
    Transition<O, OE>{O::running, OE::compensate, O::compensating},
    Transition<O, OE>{O::compensating, OE::fail, O::failed},
    Transition<O, OE>{O::compensating, OE::cancel, O::cancelled},
};

template <class Table, class State, class Event>
std::optional<State> look_up(const Table& table, State from, Event event) {
  for (const auto& row : table)
    if (row.from == from && row.event == event) return row.to;
  return std::nullopt;
}

template <class State>
std::optional<State> parse(std::string_view text, int count) {
  for (int i = 0; i < count; ++i)
    if (text == to_text(static_cast<State>(i))) return static_cast<State>(i);
  return std::nullopt;
}

}  // namespace

std::span<const Transition<ServiceState, ServiceEvent>> service_transitions() { return kService; }
std::span<const Transition<NodeState, NodeEvent>> node_transitions() { return kNode; }
std::span<const Transition<OperationState, OperationEvent>> operation_transitions() { return kOperation; }

std::optional<ServiceState> next_state(ServiceState from, ServiceEvent event) {
  return look_up(kService, from, event);
}
std::optional<NodeState> next_state(NodeState from, NodeEvent event) { return look_up(kNode, from, event); }
std::optional<OperationState> next_state(OperationState from, OperationEvent event) {
  return look_up(kOperation, from, event);
}

const char* to_text(ServiceState state) {
  switch (state) {
    case S::S_INIT:
      return "INIT";
    case S::S_PROLOGUE:
      return "STARTING";
    case S::S_RUNNING:
      return "RUNNING";
    case S::S_ADAPTING:
      return "ADAPTING";
    case S::S_EPILOGUE:
      return "EPILOGUE";
    case S::S_STOPPED:
      return "STOPPED";
    case S::S_ERROR:
      return "ERROR";
  }
  return "?";
}

const char* to_text(NodeState state) {
  switch (state) {
    case N::creating:
      return "CREATING";
    case N::booting:
      return "BOOTING";
    case N::configuring:
      return "CONFIGURING";
    case N::running:
      return "RUNNING";
    case N::lost:
      return "LOST";
    case N::removing:
      return "REMOVING";
    case N::removed:
      return "REMOVED";
    case N::failed:
      return "FAILED";
  }
  return "?";
}

const char* to_text(OperationState state) {
  switch (state) {
    case O::queued:
      return "QUEUED";
    case O::running:
      return "RUNNING";
    case O::compensating:
      return "COMPENSATING";
    case O::done:
      return "DONE";
    case O::failed:
      return "FAILED";
    case O::cancelled:
      return "CANCELLED";
  }
  return "?";
}

std::optional<ServiceState> parse_service_state(std::string_view text) {
  return parse<ServiceState>(text, kServiceStates);
}
std::optional<NodeState> parse_node_state(std::string_view text) {
  return parse<NodeState>(text, kNodeStates);
}
std::optional<OperationState> parse_operation_state(std::string_view text) {
  return parse<OperationState>(text, kOperationStates);
}

}  // namespace drover::model
