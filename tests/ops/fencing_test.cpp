// A manager that was replaced stops, one whose journal is behind the world harms nothing, and a VM is
// condemned in the journal before it is destroyed.
#include "manager/model/codec.hpp"
#include "manager/ops/manager.hpp"
#include "tests/ops/stage.hpp"

namespace drover::ops {
namespace {

using model::NodeState;
using model::OperationKind;
using model::OperationState;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// --- replaced ---

struct Replaced : ManagerTest {
  void take_over() { (void)store.take_generation(0, 0); }
};

TEST_F(Replaced, AManagerThatIsReplacedNoticesAtItsNextCommitAndDoesNothingAnyMore) {
  start();
  complete(OperationKind::add_nodes, 2);
  take_over();
  model::OperationRequest request;
  request.kind = OperationKind::add_nodes;
  request.count = 1;
  bool answered = false;
  manager->submit(request, [&](Result<Accepted>) { answered = true; });
  run_for(1s);
  EXPECT_THAT(replaced, SizeIs(1));
  EXPECT_TRUE(manager->stood_down());
  records.clear();
  run_for(10min);
  EXPECT_THAT(records, IsEmpty());
  EXPECT_FALSE(answered);
}

TEST_F(Replaced, OneThatIsIdleNoticesAsSoonAsAnAgentHasHeardFromItsSuccessor) {
  start();
  complete(OperationKind::add_nodes, 1);
  take_over();
  run_for(1min);
  EXPECT_FALSE(manager->stood_down()) << "nobody has told it";
  agent.servers["10.0.0.1"].generation = store.generation;
  run_for(11s);
  EXPECT_TRUE(manager->stood_down());
}

TEST_F(Replaced, OneThatHasStoodDownDoesNotGoOn) {
  start();
  complete(OperationKind::add_nodes, 1);
  take_over();
  agent.servers["10.0.0.1"].generation = store.generation;
  run_for(11s);
  records.clear();
  manager->thaw();
  run_for(1min);
  EXPECT_THAT(records, IsEmpty());
}

TEST_F(Replaced, EveryCommandCarriesTheGeneration) {
  start();
  complete(OperationKind::add_nodes, 1);
  EXPECT_EQ(agent.servers["10.0.0.1"].generation, store.generation);
  restart();
  run_for(11s);
  EXPECT_EQ(agent.servers["10.0.0.1"].generation, 2U);
}

// --- frozen ---

TEST_F(ManagerTest, AFrozenManagerDoesNothingAndGoesOnWhereItWas) {
  start();
  complete(OperationKind::add_nodes, 1);
  const auto accepted = submit(OperationKind::add_nodes, 1);
  manager->freeze();
  records.clear();
  run_for(1h);
  EXPECT_THAT(calls("newInstance"), IsEmpty());
  EXPECT_THAT(calls("get_server_state"), IsEmpty());
  manager->thaw();
  run_for(1min);
  EXPECT_EQ(manager->model().operation(accepted.value().operation)->state, OperationState::done);
  EXPECT_EQ(calls("newInstance").size(), 1U);
}

// --- doomed ---

TEST_F(ManagerTest, NoOrphanIsDestroyedBeforeItIsCondemnedInTheJournal) {
  config.reconcile_interval = 1min;
  start();
  complete(OperationKind::add_nodes, 1);
  InstanceInfo orphan = iaas.vms["i-1"];
  orphan.id = "i-9";
  orphan.address = "10.0.0.9";
  iaas.vms["i-9"] = orphan;
  bool condemned = false;
  iaas.before_kill = [&](const std::string& vm) { condemned = store.holds(Table::service, 1, vm); };
  run_for(3min);
  EXPECT_EQ(calls("killInstance").size(), 1U);
  EXPECT_TRUE(condemned);
  EXPECT_THAT(manager->model().service.doomed, IsEmpty());
}

TEST_F(ManagerTest, ADoomedVmIsDestroyedByTheNextManagerAndNeverAdopted) {
  start();
  complete(OperationKind::add_nodes, 1);
  manager.reset();
  // As a manager leaves it that died right after it had condemned the VM of the first attempt.
  auto node = model::decode_node(store.documents.at({Table::node, 1})).value();
  node.vm.clear();
  node.address.clear();
  node.state = NodeState::creating;
  model::Operation operation = model::decode_operation(store.documents.at({Table::operation, 1})).value();
  operation.state = OperationState::running;
  auto service = model::decode_service(store.documents.at({Table::service, 1})).value();
  service.doomed.insert("i-1");
  store.documents[{Table::node, 1}] = model::encode(node);
  store.documents[{Table::operation, 1}] = model::encode(operation);
  store.documents[{Table::service, 1}] = model::encode(service);
  start();
  run_for(2min);
  EXPECT_EQ(iaas.vms["i-1"].state, InstanceState::terminated);
  ASSERT_NE(manager->model().node(1), nullptr);
  EXPECT_NE(manager->model().node(1)->vm, "i-1");
  EXPECT_THAT(manager->model().service.doomed, IsEmpty());
}

// --- behind the world ---

struct Behind : ManagerTest {
  Behind() { config.reconcile_interval = 1min; }
  std::string log() const {
    std::string all;
    for (const auto& line : manager->core().log_lines()) all += line + "\n";
    return all;
  }
};

TEST_F(Behind, AVmThatIsNewerThanTheJournalIsKeptAsAMember) {
  start();
  complete(OperationKind::add_nodes, 1);
  const auto backup = store.documents;
  complete(OperationKind::add_nodes, 2);
  manager.reset();
  store.documents = backup;
  start();
  run_for(3min);
  EXPECT_THAT(calls("killInstance"), IsEmpty());
  EXPECT_EQ(manager->model().listed(), 3U);
  EXPECT_EQ(manager->model().service.next_node, 4);
  EXPECT_THAT(log(), HasSubstr("the journal is behind"));
}

TEST_F(Behind, TheMasterOfTheHighestEpochStaysTheMaster) {
  start();
  complete(OperationKind::add_nodes, 2);
  complete(OperationKind::set_up_replica_master, 0, 1);
  complete(OperationKind::set_up_replica_slave, 0, 2);
  const auto backup = store.documents;
  complete(OperationKind::promote, 0, 2);
  manager.reset();
  store.documents = backup;
  bool two_masters = false;
  agent.before_writable = [&](std::uint64_t) {
    two_masters =
        two_masters || (!agent.servers["10.0.0.1"].read_only && !agent.servers["10.0.0.2"].read_only);
  };
  start();
  run_for(3min);
  EXPECT_EQ(manager->model().service.primary, 2);
  EXPECT_EQ(manager->model().service.epoch, 3U);
  EXPECT_FALSE(agent.servers["10.0.0.2"].read_only);
  EXPECT_TRUE(agent.servers["10.0.0.1"].read_only);
  EXPECT_FALSE(two_masters);
  EXPECT_THAT(violations, IsEmpty());
}

TEST_F(Behind, AManagerWhoseJournalLostItsGenerationGoesOnAboveWhatAgentsHaveHeard) {
  start();
  complete(OperationKind::add_nodes, 1);
  agent.servers["10.0.0.1"].generation = 40;
  run_for(1min);
  EXPECT_FALSE(manager->stood_down());
  EXPECT_GT(store.generation, 40U);
  EXPECT_EQ(agent.servers["10.0.0.1"].generation, store.generation);
}

}  // namespace
}  // namespace drover::ops
