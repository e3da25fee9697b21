// The declared transition tables: every state with every event, what can be reached and what can be left.
#include "manager/model/states.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace drover::model {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;

constexpr int kServiceEvents = 7;
constexpr int kNodeEvents = 11;
constexpr int kOperationEvents = 5;

// Every state × event of a table as text, "RUNNING 3 -> ADAPTING", for those that are legal.
template <class State, class Event>
std::vector<std::string> legal_moves(int states, int events) {
  std::vector<std::string> moves;
  for (int state = 0; state < states; ++state) {
    for (int event = 0; event < events; ++event) {
      const auto to = next_state(static_cast<State>(state), static_cast<Event>(event));
      if (to)
        moves.push_back(std::string(to_text(static_cast<State>(state))) + " " + std::to_string(event) +
                        " -> " + to_text(*to));
    }
  }
  return moves;
}

template <class State, class Rows>
std::set<State> reachable_from(State start, const Rows& rows) {
  std::set<State> reached{start};
  for (bool grew = true; grew;) {
    grew = false;
    for (const auto& row : rows)
      if (reached.contains(row.from) && reached.insert(row.to).second) grew = true;
  }
  return reached;
}

template <class State, class Rows>
std::vector<std::string> states_without_exit(int states, const Rows& rows) {
  std::vector<std::string> stuck;
  for (int i = 0; i < states; ++i) {
    bool left = false;
    for (const auto& row : rows)
      left = left || (row.from == static_cast<State>(i) && row.to != static_cast<State>(i));
    if (!left) stuck.emplace_back(to_text(static_cast<State>(i)));
  }
  return stuck;
}

template <class Rows>
bool has_twin_rows(const Rows& rows) {
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = i + 1; j < rows.size(); ++j)
      if (rows[i].from == rows[j].from && rows[i].event == rows[j].event) return true;
  return false;
}

TEST(ServiceStates, AreWrittenAsDocumented) {
  std::vector<std::string> texts;
  for (int i = 0; i < kServiceStates; ++i) texts.emplace_back(to_text(static_cast<ServiceState>(i)));
  EXPECT_THAT(texts, ElementsAre("INIT", "STARTING", "RUNNING", "ADAPTING", "EPILOGUE", "STOPPED", "ERROR"));
}

TEST(ServiceStates, MoveOnlyAsDeclared) {
  // start 0, started 1, adapt 2, adapted 3, shut_down 4, stopped 5, fail 6
  EXPECT_THAT((legal_moves<ServiceState, ServiceEvent>(kServiceStates, kServiceEvents)),
              ElementsAreArray({"INIT 0 -> STARTING", "INIT 4 -> EPILOGUE", "STARTING 1 -> RUNNING",
                                "STARTING 4 -> EPILOGUE", "STARTING 6 -> ERROR", "RUNNING 2 -> ADAPTING",
                                "RUNNING 4 -> EPILOGUE", "ADAPTING 3 -> RUNNING", "ADAPTING 4 -> EPILOGUE",
                                "EPILOGUE 5 -> STOPPED", "EPILOGUE 6 -> ERROR", "STOPPED 0 -> STARTING",
                                "ERROR 0 -> STARTING", "ERROR 4 -> EPILOGUE"}));
}

TEST(ServiceStates, CanAllBeReachedFromTheFirst) {
  EXPECT_EQ(reachable_from(ServiceState::S_INIT, service_transitions()).size(),
            static_cast<std::size_t>(kServiceStates));
}

TEST(ServiceStates, CanAllBeLeft) {
  EXPECT_THAT(states_without_exit<ServiceState>(kServiceStates, service_transitions()), IsEmpty());
}

TEST(NodeStates, MoveOnlyAsDeclared) {
  // vm_created 0, vm_running 1, ready 2, replace 3, give_up 4, miss 5, found 6, remove 7, keep 8, vanished 9,
  // removed 10
  EXPECT_THAT(
      (legal_moves<NodeState, NodeEvent>(kNodeStates, kNodeEvents)),
      ElementsAreArray({"CREATING 0 -> BOOTING",    "CREATING 4 -> FAILED",      "CREATING 7 -> REMOVING",
                        "BOOTING 1 -> CONFIGURING", "BOOTING 3 -> CREATING",     "BOOTING 4 -> FAILED",
                        "BOOTING 7 -> REMOVING",    "CONFIGURING 2 -> RUNNING",  "CONFIGURING 3 -> CREATING",
                        "CONFIGURING 4 -> FAILED",  "CONFIGURING 7 -> REMOVING", "RUNNING 5 -> LOST",
                        "RUNNING 7 -> REMOVING",    "RUNNING 9 -> REMOVED",      "LOST 6 -> RUNNING",
                        "LOST 7 -> REMOVING",       "LOST 9 -> REMOVED",         "REMOVING 8 -> RUNNING",
                        "REMOVING 10 -> REMOVED",   "FAILED 7 -> REMOVING"}));
}

TEST(NodeStates, CanAllBeReachedFromTheFirst) {
  EXPECT_EQ(reachable_from(NodeState::creating, node_transitions()).size(),
            static_cast<std::size_t>(kNodeStates));
}

TEST(NodeStates, EndOnlyInRemoved) {
  EXPECT_THAT(states_without_exit<NodeState>(kNodeStates, node_transitions()), ElementsAre("REMOVED"));
}

TEST(NodeStates, AllLeadToRemoved) {
  for (int i = 0; i < kNodeStates; ++i)
    EXPECT_TRUE(reachable_from(static_cast<NodeState>(i), node_transitions()).contains(NodeState::removed))
        << to_text(static_cast<NodeState>(i));
}

TEST(NodeStates, CanBeTakenDownFromEveryStateThatIsNotGoing) {
  for (int i = 0; i < kNodeStates; ++i) {
    const auto state = static_cast<NodeState>(i);
    const bool going = state == NodeState::removing || state == NodeState::removed;
    EXPECT_EQ(next_state(state, NodeEvent::remove).has_value(), !going) << to_text(state);
  }
}

TEST(NodeStates, AreListedOrComingUpNeverBoth) {
  for (int i = 0; i < kNodeStates; ++i)
    EXPECT_FALSE(is_listed(static_cast<NodeState>(i)) && is_coming_up(static_cast<NodeState>(i)));
}

TEST(OperationStates, MoveOnlyAsDeclared) {
  // start 0, succeed 1, fail 2, compensate 3, cancel 4
  EXPECT_THAT((legal_moves<OperationState, OperationEvent>(kOperationStates, kOperationEvents)),
              ElementsAreArray({"QUEUED 0 -> RUNNING", "QUEUED 4 -> CANCELLED", "RUNNING 1 -> DONE",
                                "RUNNING 2 -> FAILED", "RUNNING 3 -> COMPENSATING", "RUNNING 4 -> CANCELLED",
                                "COMPENSATING 2 -> FAILED", "COMPENSATING 4 -> CANCELLED"}));
}

TEST(OperationStates, CanAllBeReachedFromTheFirst) {
  EXPECT_EQ(reachable_from(OperationState::queued, operation_transitions()).size(),
            static_cast<std::size_t>(kOperationStates));
}

TEST(OperationStates, EndExactlyWhereTheTableHasNoExit) {
  EXPECT_THAT(states_without_exit<OperationState>(kOperationStates, operation_transitions()),
              ElementsAre("DONE", "FAILED", "CANCELLED"));
  for (int i = 0; i < kOperationStates; ++i) {
    const auto state = static_cast<OperationState>(i);
    EXPECT_EQ(is_ended(state), reachable_from(state, operation_transitions()).size() == 1) << to_text(state);
  }
}

TEST(TransitionTables, HaveOneRowForAStateAndAnEvent) {
  EXPECT_FALSE(has_twin_rows(service_transitions()));
  EXPECT_FALSE(has_twin_rows(node_transitions()));
  EXPECT_FALSE(has_twin_rows(operation_transitions()));
}

TEST(StateTexts, AreReadBack) {
  for (int i = 0; i < kServiceStates; ++i)
    EXPECT_EQ(parse_service_state(to_text(static_cast<ServiceState>(i))), static_cast<ServiceState>(i));
  for (int i = 0; i < kNodeStates; ++i)
    EXPECT_EQ(parse_node_state(to_text(static_cast<NodeState>(i))), static_cast<NodeState>(i));
  for (int i = 0; i < kOperationStates; ++i)
    EXPECT_EQ(parse_operation_state(to_text(static_cast<OperationState>(i))), static_cast<OperationState>(i));
}

TEST(StateTexts, OtherTextsAreNoState) {
  for (const char* text : {"", "running", "RUNNING ", "?", "S_RUNNING"}) {
    EXPECT_FALSE(parse_service_state(text)) << text;
    EXPECT_FALSE(parse_node_state(text)) << text;
    EXPECT_FALSE(parse_operation_state(text)) << text;
  }
}

}  // namespace
}  // namespace drover::model
