// S7, S12: clients are told what is so, and the same twice.
#include "scenarios/engine/check_answers.hpp"

#include <nlohmann/json.hpp>

#include "tests/scenarios/oracle_text.hpp"

namespace drover::scenario {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::IsEmpty;

api::Response answer_of(json result) {
  api::Response response;
  response.result = std::move(result);
  return response;
}

// Shows the checker an answer at ten minutes.
std::set<std::string> found(std::function<void(SimWorld&, Answers&)> show) {
  return fingerprints_of(at(kLater, [show](SimWorld& world) {
    Answers answers(world);
    show(world, answers);
  }));
}

TEST(Answers, AListThatLacksAMemberIsReported) {
  EXPECT_THAT(found([](SimWorld&, Answers& answers) {
                answers.answered("list_nodes", answer_of({{"serviceNode", {"1"}}}));
              }),
              Contains("S12 list_nodes answered wrongly"));
}

TEST(Answers, AStateThatIsNotSoIsReported) {
  EXPECT_THAT(found([](SimWorld&, Answers& answers) {
                answers.answered("get_service_info", answer_of({{"state", "STOPPED"}}));
              }),
              Contains("S12 get_service_info answered wrongly"));
}

TEST(Answers, ATopologyWithAnotherMasterIsReported) {
  EXPECT_THAT(found([](SimWorld& world, Answers& answers) {
                json topology{{"master", "2"}, {"epoch", world.manager()->model().service.epoch}};
                answers.answered("get_topology", answer_of(std::move(topology)));
              }),
              Contains("S12 get_topology answered wrongly"));
}

TEST(Answers, AChangeThatIsNotDoneEverywhereIsReported) {
  const auto told = [](bool first, bool second) {
    return found([=](SimWorld&, Answers& answers) {
      const auto reply = [](bool well) {
        return well ? Result<AgentReply>(AgentReply{}) : make_error(ErrorCode::timeout, "no answer");
      };
      answers.asked(1, ConfigureUser{});
      answers.asked(2, ConfigureUser{});
      answers.asked(3, GetServerState{});
      answers.answered(1, reply(first));
      answers.answered(2, reply(second));
      answers.answered("configure_user", answer_of(json::object()));
    });
  };
  EXPECT_THAT(told(true, false), Contains("S12 configure_user answered wrongly"));
  EXPECT_THAT(told(true, true), IsEmpty());
}

TEST(Answers, AnOperationThatIsToldWronglyIsReported) {
  EXPECT_THAT(
      found([](SimWorld&, Answers& answers) {
        answers.answered("get_operation", answer_of({{"operation", {{"id", "1"}, {"state", "RUNNING"}}}}));
      }),
      Contains("S12 get_operation answered wrongly"));
}

TEST(Answers, AnEndThatChangesIsReported) {
  EXPECT_THAT(
      found([](SimWorld& world, Answers& answers) {
        answers.answered("get_operation", answer_of({{"operation", {{"id", "1"}, {"state", "DONE"}}}}));
        EXPECT_THAT(world.violations(), IsEmpty());
        answers.stored(Change{Table::operation, 1, false, R"({"state":"FAILED"})"});
      }),
      Contains("S12 end of an operation changed"));
}

TEST(Answers, AKeyThatTheOperationDoesNotHaveIsReported) {
  EXPECT_THAT(found([](SimWorld&, Answers& answers) { answers.acknowledged(1, "another"); }),
              Contains("S7 key forgotten"));
}

TEST(Answers, ARunThatAsksForEverythingIsSilent) {
  const auto run = run_text(pair_text(R"(  - call: list_nodes
  - call: get_topology
  - call: get_service_info
  - call: list_operations
  - {call: get_operation, with: {id: "1"}}
)"));
  EXPECT_THAT(fingerprints(run), IsEmpty()) << told(run);
}

TEST(Answers, ASabotagedAnswerIsReported) {
  RunOptions options;
  options.sabotage = find_sabotage("topology_forgets_the_master");
  ASSERT_NE(options.sabotage, nullptr);
  EXPECT_THAT(fingerprints(run_text(pair_text("  - call: get_topology\n"), options)),
              Contains("S12 get_topology answered wrongly"));
}

}  // namespace
}  // namespace drover::scenario
