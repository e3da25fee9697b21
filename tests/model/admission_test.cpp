// Every rule by which an operation is accepted or refused, and what it changes at once.
#include "manager/model/admission.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace drover::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A running service: node 1 is the master, 2 and 3 replicate, 4 and 5 have no role, 6 to 9 are in the other
// states.
struct Admitting : testing::Test {
  Admitting() {
    model.service.state = ServiceState::S_RUNNING;
    model.service.primary = 1;
    add(1, NodeState::running, Role::primary);
    add(2, NodeState::running, Role::replica);
    add(3, NodeState::lost, Role::replica);
    add(4, NodeState::running, Role::none);
    add(5, NodeState::running, Role::none);
    add(6, NodeState::creating, Role::none);
    add(7, NodeState::failed, Role::none);
    add(8, NodeState::removing, Role::none);
    add(9, NodeState::configuring, Role::none);
    model.service.next_node = 10;
    model.service.next_server_id = 10;
    model.service.next_operation = 1;
  }
  void add(NodeId id, NodeState state, Role role) {
    Node node;
    node.id = id;
    node.state = state;
    node.role = role;
    node.server_id = static_cast<std::uint32_t>(id);
    model.add(node);
  }
  // An operation that has been accepted and has not ended.
  Operation& pending(OperationKind kind, NodeId node = 0) {
    Operation operation;
    operation.id = model.service.next_operation++;
    operation.request.kind = kind;
    operation.request.node = node;
    return model.add(operation);
  }
  static OperationRequest about(OperationKind kind, NodeId node) {
    OperationRequest request;
    request.kind = kind;
    request.node = node;
    return request;
  }
  static OperationRequest counting(OperationKind kind, std::int64_t count) {
    OperationRequest request;
    request.kind = kind;
    request.count = count;
    return request;
  }
  // "" when admitted, else the code and the message.
  std::string refusal(const OperationRequest& request) {
    const auto admitted = admit(model, request, limits);
    if (admitted.has_value()) return {};
    return std::string(to_text(admitted.error().code)) + ": " + admitted.error().message;
  }
  Model model;
  AdmissionLimits limits;
};

// --- service states ---

// A request of each kind that nothing but the service's state can forbid.
OperationRequest harmless(OperationKind kind) {
  OperationRequest request;
  request.kind = kind;
  switch (kind) {
    case OperationKind::add_nodes:
    case OperationKind::remove_nodes:
      request.count = 1;
      break;
    case OperationKind::set_up_replica_master:
    case OperationKind::create_replica:
      request.node = 1;
      break;
    case OperationKind::set_up_replica_slave:
      request.node = 4;
      break;
    case OperationKind::promote:
    case OperationKind::fail_over:
      request.node = 2;
      break;
    case OperationKind::shutdown:
      break;
  }
  return request;
}

TEST_F(Admitting, IsLegalInTheDocumentedServiceStatesOnly) {
  // INIT, STARTING, RUNNING, ADAPTING, EPILOGUE, STOPPED, ERROR
  constexpr bool kWorking[] = {false, false, true, true, false, false, false};
  constexpr bool kShutdown[] = {false, true, true, true, false, false, true};
  for (int kind = 0; kind < kOperationKinds; ++kind) {
    for (int state = 0; state < kServiceStates; ++state) {
      model.service.state = static_cast<ServiceState>(state);
      const auto request = harmless(static_cast<OperationKind>(kind));
      const bool legal = request.kind == OperationKind::shutdown ? kShutdown[state] : kWorking[state];
      EXPECT_EQ(refusal(request).empty(), legal)
          << to_text(request.kind) << " in " << to_text(model.service.state) << ": " << refusal(request);
      EXPECT_EQ(is_accepted_in(request.kind, model.service.state), legal);
    }
  }
}

TEST_F(Admitting, AnIllegalCallIsAWrongState) {
  model.service.state = ServiceState::S_STOPPED;
  for (int kind = 0; kind < kOperationKinds; ++kind)
    EXPECT_THAT(refusal(harmless(static_cast<OperationKind>(kind))), HasSubstr("wrong_state: "));
}

// --- keys ---

TEST_F(Admitting, AKeyUsedBeforeGivesTheSameOperationAgain) {
  auto request = counting(OperationKind::add_nodes, 2);
  request.key = "k";
  Operation former;
  former.id = 77;
  former.request = request;
  former.state = OperationState::failed;
  model.add(former);
  const auto again = admit(model, request, limits);
  ASSERT_TRUE(again.has_value());
  ASSERT_NE(again.value().repeated, nullptr);
  EXPECT_EQ(again.value().repeated->id, 77);
}

TEST_F(Admitting, AKeyUsedBeforeIsAnsweredInEveryServiceState) {
  auto request = counting(OperationKind::add_nodes, 2);
  request.key = "k";
  Operation former;
  former.id = 77;
  former.request = request;
  model.add(former);
  model.service.state = ServiceState::S_STOPPED;
  EXPECT_EQ(refusal(request), "");
}

TEST_F(Admitting, AKeyWithOtherParametersIsInvalid) {
  Operation former;
  former.id = 77;
  former.request = about(OperationKind::remove_nodes, 4);
  former.request.key = "k";
  model.add(former);
  const auto with = [&](auto&& change) {
    OperationRequest other = former.request;
    change(other);
    return refusal(other);
  };
  const auto invalid = HasSubstr("invalid: \"key\" was used before");
  EXPECT_THAT(with([](auto& r) { r.kind = OperationKind::promote; }), invalid);
  EXPECT_THAT(with([](auto& r) { r.node = 5; }), invalid);
  EXPECT_THAT(with([](auto& r) { r.count = 1; }), invalid);
  EXPECT_THAT(with([](auto& r) { r.force = true; }), invalid);
  EXPECT_THAT(with([](auto& r) { r.partial = PartialPolicy::keep; }), invalid);
  EXPECT_THAT(with([](auto& r) { r.source.master_host = "10.0.0.9"; }), invalid);
  EXPECT_THAT(with([](auto& r) { r.source.master_log_pos = 4; }), invalid);
  EXPECT_THAT(with([](auto& r) { r.source.slave_server_id = 4; }), invalid);
}

// --- the queue ---

TEST_F(Admitting, AFullQueueRefusesFurtherOperations) {
  limits.max_queued = 2;
  pending(OperationKind::add_nodes);
  EXPECT_EQ(refusal(counting(OperationKind::add_nodes, 1)), "");
  pending(OperationKind::add_nodes);
  EXPECT_THAT(refusal(counting(OperationKind::add_nodes, 1)), HasSubstr("wrong_state: too many operations"));
}

TEST_F(Admitting, AFullQueueDoesNotKeepTheServiceFromBeingShutDown) {
  limits.max_queued = 1;
  pending(OperationKind::add_nodes);
  EXPECT_EQ(refusal(counting(OperationKind::shutdown, 0)), "");
}

TEST_F(Admitting, ASecondShutdownIsRefused) {
  pending(OperationKind::shutdown);
  EXPECT_THAT(refusal(counting(OperationKind::shutdown, 0)), HasSubstr("under way already"));
}

TEST_F(Admitting, ChangesNothing) {
  for (int kind = 0; kind < kOperationKinds; ++kind)
    (void)refusal(harmless(static_cast<OperationKind>(kind)));
  EXPECT_EQ(model.nodes().size(), 9U);
  EXPECT_EQ(model.operations().size(), 0U);
  EXPECT_EQ(model.service.next_node, 10);
}

TEST_F(Admitting, TakesTheNextOperationId) {
  model.service.next_operation = 42;
  EXPECT_EQ(admit(model, counting(OperationKind::add_nodes, 1), limits).value().operation.id, 42);
}

// --- add_nodes ---

TEST_F(Admitting, AddNodesNeedsAPositiveCount) {
  for (const std::int64_t count : {std::int64_t{0}, std::int64_t{-1}, INT64_MIN})
    EXPECT_THAT(refusal(counting(OperationKind::add_nodes, count)), HasSubstr("invalid: ")) << count;
}

TEST_F(Admitting, AddNodesStopsAtTheLimitOfNodes) {
  limits.max_nodes = 11;
  EXPECT_EQ(refusal(counting(OperationKind::add_nodes, 2)), "");
  EXPECT_THAT(refusal(counting(OperationKind::add_nodes, 3)), HasSubstr("at most 11 nodes and has 9"));
  EXPECT_THAT(refusal(counting(OperationKind::add_nodes, INT64_MAX)), HasSubstr("invalid: "));
}

TEST_F(Admitting, AddNodesMakesRecordsWithFreshIds) {
  const auto admission = admit(model, counting(OperationKind::add_nodes, 2), limits);
  ASSERT_TRUE(admission.has_value());
  const auto& created = admission.value().created;
  ASSERT_EQ(created.size(), 2U);
  EXPECT_THAT(admission.value().operation.nodes, ElementsAre(10, 11));
  for (std::size_t i = 0; i < created.size(); ++i) {
    EXPECT_EQ(created[i].id, 10 + static_cast<NodeId>(i));
    EXPECT_EQ(created[i].server_id, 10 + i);
    EXPECT_EQ(created[i].state, NodeState::creating);
    EXPECT_TRUE(created[i].fresh);
  }
}

// --- naming a node ---

constexpr OperationKind kAboutANode[] = {OperationKind::remove_nodes, OperationKind::set_up_replica_master,
                                         OperationKind::set_up_replica_slave, OperationKind::create_replica,
                                         OperationKind::promote};

TEST_F(Admitting, ANodeThatIsNotThereIsInvalid) {
  for (const auto kind : kAboutANode)
    EXPECT_THAT(refusal(about(kind, 99)), HasSubstr("invalid: there is no node 99")) << to_text(kind);
}

TEST_F(Admitting, ANodeThatIsComingUpIsInAWrongState) {
  for (const auto kind : kAboutANode)
    for (const NodeId id : {6, 7, 9})
      EXPECT_THAT(refusal(about(kind, id)), HasSubstr("wrong_state: node-")) << to_text(kind) << " " << id;
}

TEST_F(Admitting, ANodeThatIsBeingRemovedIsInAWrongState) {
  for (const auto kind : kAboutANode)
    EXPECT_THAT(refusal(about(kind, 8)), HasSubstr("wrong_state: node-8 is being removed")) << to_text(kind);
}

// --- remove_nodes ---

TEST_F(Admitting, RemoveNodesClaimsTheNodeItNames) {
  const auto admission = admit(model, about(OperationKind::remove_nodes, 2), limits);
  EXPECT_THAT(admission.value().claimed, ElementsAre(2));
  EXPECT_THAT(admission.value().operation.nodes, ElementsAre(2));
}

TEST_F(Admitting, RemoveNodesKeepsTheMasterUnlessForced) {
  auto request = about(OperationKind::remove_nodes, 1);
  EXPECT_THAT(refusal(request), HasSubstr("wrong_state: node-1 is the master"));
  request.force = true;
  EXPECT_EQ(refusal(request), "");
}

TEST_F(Admitting, RemoveNodesKeepsANodeThatAnAcceptedOperationMakesTheMaster) {
  pending(OperationKind::promote, 2);
  EXPECT_THAT(refusal(about(OperationKind::remove_nodes, 2)), HasSubstr("wrong_state: node-2 is the master"));
}

TEST_F(Admitting, RemoveNodesByCountNeedsAPositiveCount) {
  EXPECT_THAT(refusal(counting(OperationKind::remove_nodes, 0)), HasSubstr("invalid: "));
  EXPECT_THAT(refusal(counting(OperationKind::remove_nodes, -3)), HasSubstr("invalid: "));
}

TEST_F(Admitting, RemoveNodesTakesThoseWithoutARoleFirstThenReplicasNewestFirst) {
  EXPECT_THAT(removable_nodes(model), ElementsAre(5, 4, 3, 2));
  EXPECT_THAT(admit(model, counting(OperationKind::remove_nodes, 3), limits).value().claimed,
              ElementsAre(5, 4, 3));
}

TEST_F(Admitting, RemoveNodesByCountNeverTakesMoreThanThereAre) {
  EXPECT_EQ(refusal(counting(OperationKind::remove_nodes, 4)), "");
  EXPECT_THAT(refusal(counting(OperationKind::remove_nodes, 5)), HasSubstr("only 4 node(s)"));
  EXPECT_THAT(refusal(counting(OperationKind::remove_nodes, INT64_MAX)), HasSubstr("invalid: "));
}

TEST_F(Admitting, RemoveNodesByCountTakesTheMasterLastAndOnlyWhenForced) {
  auto request = counting(OperationKind::remove_nodes, 5);
  request.force = true;
  EXPECT_THAT(admit(model, request, limits).value().claimed, ElementsAre(5, 4, 3, 2, 1));
}

// --- replication ---

TEST_F(Admitting, ASecondMasterIsRefused) {
  EXPECT_THAT(refusal(about(OperationKind::set_up_replica_master, 4)),
              HasSubstr("node-1 is the master already: use promote"));
}

TEST_F(Admitting, TheMasterMayBeSetUpAgain) {
  EXPECT_EQ(refusal(about(OperationKind::set_up_replica_master, 1)), "");
}

TEST_F(Admitting, ASecondMasterIsRefusedWhileTheFirstIsStillBeingSetUp) {
  model.service.primary = 0;
  pending(OperationKind::set_up_replica_master, 4);
  EXPECT_THAT(refusal(about(OperationKind::set_up_replica_master, 5)), HasSubstr("node-4 is the master"));
}

TEST_F(Admitting, ASlaveNeedsAMaster) {
  model.service.primary = 0;
  EXPECT_THAT(refusal(about(OperationKind::set_up_replica_slave, 4)), HasSubstr("there is no master yet"));
}

TEST_F(Admitting, ASlaveMayBeAskedForOnceItsMasterIsAccepted) {
  model.service.primary = 0;
  pending(OperationKind::set_up_replica_master, 5);
  EXPECT_EQ(refusal(about(OperationKind::set_up_replica_slave, 4)), "");
}

TEST_F(Admitting, ASlaveWithItsOwnSourceNeedsNoMaster) {
  model.service.primary = 0;
  auto request = about(OperationKind::set_up_replica_slave, 4);
  request.source = {"10.0.0.9", "mysql-bin.000001", 4, 400};
  EXPECT_EQ(refusal(request), "");
}

TEST_F(Admitting, TheMasterCannotReplicateFromItself) {
  EXPECT_THAT(refusal(about(OperationKind::set_up_replica_slave, 1)), HasSubstr("from itself"));
}

TEST_F(Admitting, AServerIdOfAnotherNodeIsInvalid) {
  auto request = about(OperationKind::set_up_replica_slave, 4);
  request.source = {"10.0.0.9", "mysql-bin.000001", 4, 2};
  EXPECT_THAT(refusal(request), HasSubstr("invalid: \"slave_server_id\" 2 is in use"));
  request.source.slave_server_id = 4;
  EXPECT_EQ(refusal(request), "") << "its own is not in use by another";
}

TEST_F(Admitting, AServerIdThatAnAcceptedOperationWillGiveIsInvalid) {
  pending(OperationKind::set_up_replica_slave, 5).request.source.slave_server_id = 400;
  auto request = about(OperationKind::set_up_replica_slave, 4);
  request.source = {"10.0.0.9", "mysql-bin.000001", 4, 400};
  EXPECT_THAT(refusal(request), HasSubstr("invalid: \"slave_server_id\" 400 is in use"));
}

TEST_F(Admitting, FreshNodesDoNotGetAServerIdThatAnAcceptedOperationWillGive) {
  pending(OperationKind::set_up_replica_slave, 5).request.source.slave_server_id = 11;
  const auto admission = admit(model, counting(OperationKind::add_nodes, 3), limits);
  for (const auto& node : admission.value().created) EXPECT_NE(node.server_id, 11U);
}

TEST_F(Admitting, AReplicaIsCreatedOfTheMasterOnly) {
  EXPECT_EQ(refusal(about(OperationKind::create_replica, 1)), "");
  EXPECT_THAT(refusal(about(OperationKind::create_replica, 2)), HasSubstr("node-2 is not the master"));
}

TEST_F(Admitting, CreateReplicaMakesOneRecord) {
  const auto admission = admit(model, about(OperationKind::create_replica, 1), limits);
  EXPECT_EQ(admission.value().created.size(), 1U);
  EXPECT_THAT(admission.value().operation.nodes, ElementsAre(10));
}

TEST_F(Admitting, CreateReplicaStopsAtTheLimitOfNodes) {
  limits.max_nodes = 9;
  EXPECT_THAT(refusal(about(OperationKind::create_replica, 1)), HasSubstr("invalid: "));
}

TEST_F(Admitting, OnlyAReplicaWhoseAgentAnswersIsPromoted) {
  EXPECT_EQ(refusal(about(OperationKind::promote, 2)), "");
  EXPECT_THAT(refusal(about(OperationKind::promote, 3)), HasSubstr("node-3 is LOST"));
  EXPECT_THAT(refusal(about(OperationKind::promote, 4)), HasSubstr("node-4 is no replica"));
  EXPECT_THAT(refusal(about(OperationKind::promote, 1)), HasSubstr("node-1 is the master already"));
}

TEST_F(Admitting, PromoteRemembersTheFormerMaster) {
  EXPECT_EQ(admit(model, about(OperationKind::promote, 2), limits).value().operation.former, 1);
}

TEST_F(Admitting, ShutdownClaimsNothingByItself) {
  EXPECT_THAT(admit(model, counting(OperationKind::shutdown, 0), limits).value().claimed, IsEmpty());
}

// --- policies ---

TEST(Operations, OnlyAddNodesRunsBesideOthersAndAFailOverBesideACopy) {
  for (int a = 0; a < kOperationKinds; ++a) {
    for (int b = 0; b < kOperationKinds; ++b) {
      const auto running = static_cast<OperationKind>(a), next = static_cast<OperationKind>(b);
      const bool ends = running == OperationKind::shutdown || next == OperationKind::shutdown;
      const bool adds = running == OperationKind::add_nodes || next == OperationKind::add_nodes;
      const bool urgent =
          next == OperationKind::fail_over &&
          (running == OperationKind::set_up_replica_slave || running == OperationKind::create_replica);
      EXPECT_EQ(may_run_beside(running, next), (adds || urgent) && !ends)
          << to_text(running) << " " << to_text(next);
    }
  }
}

TEST(Operations, ThoseThatCanBeTakenBackAreCancellable) {
  std::vector<std::string> cancellable;
  for (int i = 0; i < kOperationKinds; ++i)
    if (is_cancellable(static_cast<OperationKind>(i)))
      cancellable.emplace_back(to_text(static_cast<OperationKind>(i)));
  EXPECT_THAT(cancellable, ElementsAre("add_nodes", "set_up_replica_slave", "create_replica"));
}

}  // namespace
}  // namespace drover::model
