// S5 by the checker's own tables: equal to the manager's, and whoever goes round them is seen.
#include "scenarios/engine/check_states.hpp"

#include "tests/scenarios/oracle_text.hpp"

namespace drover::scenario {
namespace {

using testing::Contains;
using testing::IsEmpty;
using N = model::NodeState;
using O = model::OperationState;
using S = model::ServiceState;

template <class State, class Event>
std::set<StatePair<State>> steps_of(std::span<const model::Transition<State, Event>> table) {
  std::set<StatePair<State>> all;
  for (const auto& row : table) all.emplace(row.from, row.to);
  return all;
}
template <class State>
std::set<StatePair<State>> set_of(std::span<const StatePair<State>> steps) {
  return {steps.begin(), steps.end()};
}

TEST(States, TheTablesAreThoseOfTheManager) {
  EXPECT_EQ(set_of(legal_service_steps()), steps_of(model::service_transitions()));
  EXPECT_EQ(set_of(legal_node_steps()), steps_of(model::node_transitions()));
  EXPECT_EQ(set_of(legal_operation_steps()), steps_of(model::operation_transitions()));
}

TEST(States, ANodeThatChangesUnannouncedIsReported) {
  EXPECT_THAT(fingerprints_of(at(kLater,
                                 [](SimWorld& w) {
                                   auto& model = core(w).model;
                                   model.set_state(*model.node(2), N::lost);
                                 })),
              Contains("S5 illegal step of node RUNNING LOST"));
}

TEST(States, AServiceThatChangesUnannouncedIsReported) {
  EXPECT_THAT(fingerprints_of(at(kLater, [](SimWorld& w) { core(w).model.service.state = S::S_STOPPED; })),
              Contains("S5 illegal step of service RUNNING STOPPED"));
}

TEST(States, AnEndedOperationThatGoesOnIsReported) {
  EXPECT_THAT(fingerprints_of(at(kLater,
                                 [](SimWorld& w) {
                                   auto& model = core(w).model;
                                   model.set_state(*model.operation(1), O::running);
                                   core(w).journal.operation_changed(1);
                                 })),
              Contains("S5 illegal step of op nothing RUNNING"));
}

TEST(States, AMemberThatIsForgottenUnannouncedIsReported) {
  EXPECT_THAT(fingerprints_of(at(kLater, [](SimWorld& w) { core(w).model.erase_node(2); })),
              Contains("S5 illegal step of node RUNNING nothing"));
}

TEST(States, RunningWhileSomethingIsUnderWayIsReported) {
  EXPECT_THAT(fingerprints_of(at(kLater,
                                 [](SimWorld& w) {
                                   model::Operation operation;
                                   operation.id = 99;
                                   core(w).model.add(operation);
                                   w.trace().add(TraceKind::note, "test", "changed");
                                 })),
              Contains("S5 RUNNING is not so"));
}

class StatesTest : public testing::Test {
 protected:
  void store(Table table, std::int64_t id, const std::string& before, const std::string& after) {
    states_.stored(Change{table, id, after.empty(), after}, before);
  }
  std::set<std::string> found() const {
    std::set<std::string> all;
    for (const auto& violation : world_.violations()) all.insert(violation.fingerprint);
    return all;
  }
  Scenario scenario_ = scenario_of(pair_text());
  SimWorld world_{scenario_, 1};
  States states_{world_};
};

TEST_F(StatesTest, AnIllegalStepInTheJournalIsReported) {
  store(Table::operation, 1, R"({"state":"DONE"})", R"({"state":"RUNNING"})");
  store(Table::node, 1, R"({"state":"RUNNING"})", R"({"state":"BOOTING"})");
  EXPECT_THAT(found(), Contains("S5 illegal step of op DONE RUNNING"));
  EXPECT_THAT(found(), Contains("S5 illegal step of node RUNNING BOOTING"));
}

TEST_F(StatesTest, SeveralLegalStepsInOneCommitAreLegal) {
  store(Table::node, 1, R"({"state":"CREATING"})", R"({"state":"RUNNING"})");
  store(Table::node, 2, "", R"({"state":"FAILED"})");
  store(Table::operation, 1, "", R"({"state":"CANCELLED"})");
  store(Table::service, 1, R"({"epoch":1,"state":"INIT"})", R"({"epoch":2,"state":"RUNNING"})");
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(StatesTest, NumbersThatGoBackAreReported) {
  store(Table::service, 1, R"({"epoch":2,"state":"RUNNING"})", R"({"epoch":1,"state":"RUNNING"})");
  EXPECT_THAT(found(), Contains("S8 epoch went back"));
}

TEST_F(StatesTest, AnIdThatIsGivenTwiceIsReported) {
  store(Table::node, 1, R"({"state":"REMOVING"})", "");
  store(Table::node, 1, "", R"({"state":"CREATING"})");
  EXPECT_THAT(found(), Contains("S8 node id used twice"));
}

TEST_F(StatesTest, AStepThatIsAnnouncedButIllegalIsReported) {
  states_.at_point("node.running", "node-7");
  EXPECT_THAT(found(), Contains("S5 illegal step of node CREATING RUNNING"));
}

TEST(States, AJournalThatLacksAMembersRoleIsReported) {
  EXPECT_THAT(fingerprints_of(at(29min, [](SimWorld& w) { core(w).model.node(2)->role = Role::none; })),
              Contains("S8 journal lacks role"));
}

}  // namespace
}  // namespace drover::scenario
