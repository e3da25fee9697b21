// The Model's bookkeeping: counts, lookups and pruning stay true through every change.
#include "manager/model/records.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "manager/base/choices.hpp"

namespace drover::model {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Node node(NodeId id, NodeState state = NodeState::running, std::string vm = {}) {
  Node made;
  made.id = id;
  made.state = state;
  made.vm = std::move(vm);
  return made;
}

Operation operation(OperationId id, OperationState state, std::string key = {}) {
  Operation made;
  made.id = id;
  made.state = state;
  made.request.key = std::move(key);
  return made;
}

TEST(Model, FindsANodeByItsIdAndByItsVm) {
  Model model;
  model.add(node(7, NodeState::running, "i-0001"));
  EXPECT_EQ(model.find("7"), model.node(7));
  EXPECT_EQ(model.find("i-0001"), model.node(7));
  EXPECT_EQ(model.node_of_vm("i-0001"), model.node(7));
}

TEST(Model, FindsNothingForTextsThatAreNoId) {
  Model model;
  model.add(node(7));
  for (const char* text : {"", "07", "7.0", "+7", "-7", " 7", "7 ", "0x7", "99999999999999999999", "i-1"})
    EXPECT_EQ(model.find(text), nullptr) << text;
}

TEST(Model, ANodeWithoutAVmIsNotFoundByTheEmptyVm) {
  Model model;
  model.add(node(1));
  EXPECT_EQ(model.node_of_vm(""), nullptr);
}

TEST(Model, FindsANodeByItsNewVmOnly) {
  Model model;
  Node& one = model.add(node(1, NodeState::booting, "old"));
  model.set_vm(one, "new");
  EXPECT_EQ(model.node_of_vm("old"), nullptr);
  EXPECT_EQ(model.node_of_vm("new"), &one);
}

TEST(Model, AVmThatAnotherNodeHasTakenOverStaysFindable) {
  Model model;
  Node& first = model.add(node(1, NodeState::running, "i-1"));
  Node& second = model.add(node(2, NodeState::booting));
  model.set_vm(second, "i-1");
  model.set_vm(first, "");
  EXPECT_EQ(model.node_of_vm("i-1"), &second);
}

TEST(Model, ForgetsTheVmOfAnErasedNode) {
  Model model;
  model.add(node(1, NodeState::running, "i-1"));
  model.erase_node(1);
  EXPECT_EQ(model.node_of_vm("i-1"), nullptr);
}

TEST(Model, CountsNodesByStateThroughEveryChange) {
  Model model;
  Choices choices(1);
  std::map<NodeId, NodeState> truth;
  NodeId next = 1;
  for (int step = 0; step < 5000; ++step) {
    const auto state = static_cast<NodeState>(choices.below(kNodeStates, "test", "state"));
    const auto act = choices.below(3, "test", "act");
    if (act == 0 || truth.empty()) {
      model.add(node(next, state));
      truth[next++] = state;
    } else {
      auto at = truth.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(choices.below(truth.size(), "test", "which")));
      if (act == 1) {
        model.set_state(*model.node(at->first), state);
        at->second = state;
      } else {
        model.erase_node(at->first);
        truth.erase(at);
      }
    }
  }
  for (int i = 0; i < kNodeStates; ++i) {
    const auto state = static_cast<NodeState>(i);
    const auto expected =
        std::count_if(truth.begin(), truth.end(), [&](const auto& entry) { return entry.second == state; });
    EXPECT_EQ(model.count(state), static_cast<std::size_t>(expected)) << to_text(state);
  }
}

TEST(Model, ListsRunningAndLostNodes) {
  Model model;
  for (int i = 0; i < kNodeStates; ++i) model.add(node(i + 1, static_cast<NodeState>(i)));
  EXPECT_EQ(model.listed(), 2U);
}

TEST(Model, ErasingWhatIsNotThereChangesNothing) {
  Model model;
  model.add(node(1));
  model.erase_node(2);
  model.erase_operation(2);
  EXPECT_EQ(model.count(NodeState::running), 1U);
}

TEST(Model, KeepsTheOperationsThatHaveNotEndedOldestFirst) {
  Model model;
  model.add(operation(3, OperationState::queued));
  model.add(operation(1, OperationState::running));
  model.add(operation(2, OperationState::done));
  EXPECT_THAT(model.active(), ElementsAre(1, 3));
}

TEST(Model, AnOperationThatEndsIsNoLongerActive) {
  Model model;
  Operation& one = model.add(operation(1, OperationState::running));
  model.set_state(one, OperationState::compensating);
  EXPECT_THAT(model.active(), ElementsAre(1));
  model.set_state(one, OperationState::failed);
  EXPECT_THAT(model.active(), IsEmpty());
}

TEST(Model, FindsAnOperationByItsKey) {
  Model model;
  model.add(operation(4, OperationState::done, "k"));
  EXPECT_EQ(model.operation_of_key("k"), model.operation(4));
  EXPECT_EQ(model.operation_of_key("other"), nullptr);
}

TEST(Model, OperationsWithoutAKeyAreNotFoundByTheEmptyKey) {
  Model model;
  model.add(operation(4, OperationState::done));
  EXPECT_EQ(model.operation_of_key(""), nullptr);
}

TEST(Model, PrunesTheOldestEndedOperationsOnly) {
  Model model;
  model.add(operation(1, OperationState::done, "k1"));
  model.add(operation(2, OperationState::running));
  for (OperationId id = 3; id <= 6; ++id) model.add(operation(id, OperationState::failed));
  EXPECT_THAT(model.prune_ended(2), ElementsAre(1, 3, 4));
  EXPECT_EQ(model.operations().size(), 3U);
  EXPECT_NE(model.operation(2), nullptr);
}

TEST(Model, ForgetsTheKeyOfAPrunedOperation) {
  Model model;
  model.add(operation(1, OperationState::done, "k1"));
  model.prune_ended(0);
  EXPECT_EQ(model.operation_of_key("k1"), nullptr);
}

TEST(Model, PrunesNothingBelowTheLimit) {
  Model model;
  model.add(operation(1, OperationState::done));
  model.add(operation(2, OperationState::running));
  EXPECT_THAT(model.prune_ended(1), IsEmpty());
}

TEST(Model, KnowsTheServerIdsInUse) {
  Model model;
  Node one = node(1);
  one.server_id = 12;
  model.add(one);
  EXPECT_TRUE(model.server_id_in_use(12));
  EXPECT_FALSE(model.server_id_in_use(13));
}

TEST(ModelDeathTest, ANodeIdIsUsedOnce) {
  Model model;
  model.add(node(1));
  EXPECT_DEATH(model.add(node(1)), "used twice");
}

TEST(OperationKinds, HaveTheNamesOfTheirMethods) {
  std::vector<std::string> names;
  for (int i = 0; i < kOperationKinds; ++i) names.emplace_back(to_text(static_cast<OperationKind>(i)));
  EXPECT_THAT(names, ElementsAre("add_nodes", "remove_nodes", "set_up_replica_master", "set_up_replica_slave",
                                 "create_replica", "promote", "fail_over", "shutdown"));
}

}  // namespace
}  // namespace drover::model
