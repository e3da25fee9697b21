#include "mockcloud/fault/points.hpp"

#include "mockcloud/fault/nearest.hpp"
#include "tests/fault/support.hpp"

namespace drover::fault {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(std::string_view text, std::vector<std::string> ids = {}) {
  const auto checked = check_trigger(parse_trigger(text).value(), &ids);
  return checked ? "fine" : checked.error().message;
}

TEST(EditDistance, CountsChangesAndSwaps) {
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("vm.runing", "vm.running"), 1U);
  EXPECT_EQ(edit_distance("ab", "ba"), 1U);
}

TEST(NearestName, OfNothingNearIsEmpty) {
  EXPECT_EQ(nearest_name("zzzzzzzz", {"vm.running", "vm.error"}), "");
}

TEST(NearestName, HostileLengthCostsNothing) {
  EXPECT_EQ(nearest_name(std::string(1'000'000, 'a'), {"vm.running"}), "");
}

TEST(Points, EveryCallOfEveryPortIsDeclared) {
  for (const auto port : {Port::iaas, Port::agent, Port::store})
    for (const auto call : calls_of(port))
      EXPECT_THAT(declared_points(),
                  Contains(std::string(to_text(port)) + "." + std::string(call) + ".before"));
}

TEST(Points, EveryDeclaredPointPassesTheCheck) {
  for (const auto& point : declared_points()) EXPECT_EQ(error_of(point), "fine") << point;
}

TEST(Points, CallPointsAreTakenApart) {
  const auto call = as_call_point("agent.configure_user.effect");
  ASSERT_TRUE(call);
  EXPECT_EQ(call->port, Port::agent);
  EXPECT_EQ(call->call, "configure_user");
  EXPECT_EQ(call->phase, Phase::effect);
}

TEST(Points, OtherPointsAreNoCalls) {
  EXPECT_FALSE(as_call_point("vm.running"));
  EXPECT_FALSE(as_call_point("iaas.newInstance"));
  EXPECT_FALSE(as_call_point("store.commit.effect"));
}

TEST(Points, CommitAloneIsBefore) {
  EXPECT_EQ(canonical_point("store.commit"), "store.commit.before");
  EXPECT_EQ(error_of("store.commit#3"), "fine");
}

TEST(Points, StatesOfNodeAndServiceMayBeWrittenInCapitals) {
  EXPECT_EQ(canonical_point("service.RUNNING"), "service.running");
  EXPECT_EQ(error_of("node.RUNNING; service.ADAPTING"), "fine");
}

TEST(Points, StarExpandsWithinAPart) {
  EXPECT_THAT(expand_point("manager.*"), ElementsAre("manager.started", "manager.crashed", "manager.fenced"));
  EXPECT_THAT(expand_point("iaas.*Instance.reply"),
              ElementsAre("iaas.newInstance.reply", "iaas.killInstance.reply"));
}

TEST(Points, AnyStepNameIsAccepted) { EXPECT_EQ(error_of("step.wait_for_agent"), "fine"); }

TEST(Points, UnknownPointNamesTheNearest) {
  EXPECT_EQ(error_of("iaas.newInstnce.reply"),
            "unknown observation point \"iaas.newInstnce.reply\"; did you mean \"iaas.newInstance.reply\"?");
  EXPECT_EQ(error_of("vm.runing"), "unknown observation point \"vm.runing\"; did you mean \"vm.running\"?");
}

TEST(Points, UnknownPointFarFromAllNamesTheFamilies) {
  EXPECT_THAT(error_of("zzzzzzzzzzzzzzzzzzzzzzzzzz.qqqqqqqqqqqqqqqqqqq"),
              HasSubstr("the families are iaas. agent."));
}

TEST(Points, UnknownRuleIdNamesTheNearest) {
  EXPECT_THAT(error_of("lots; vm.running", {"lost"}), HasSubstr("did you mean \"lost\"?"));
}

TEST(Points, KnownRuleIdIsAPoint) { EXPECT_EQ(error_of("lost; operation.retry", {"lost"}), "fine"); }

TEST(Points, SequenceCompletesAtItsLastPart) {
  EXPECT_THAT(completing_points(parse_trigger("vm.running; manager.* | lost").value()),
              ElementsAre("manager.started", "manager.crashed", "manager.fenced", "lost"));
}

TEST(Points, SubjectsMatchWithStars) {
  EXPECT_TRUE(matches_subject("node-*", "node-12"));
  EXPECT_TRUE(matches_subject("*-1*", "node-12"));
  EXPECT_FALSE(matches_subject("node-1", "node-12"));
}

}  // namespace
}  // namespace drover::fault
