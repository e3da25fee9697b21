// What the driver makes of failures: which error, whether there may be an effect, and what it does again.
#include "tests/openstack/scripted_client.hpp"

namespace drover {
namespace {

using test::kCreate;
using test::kDetail;
using test::kLogin;
using test::kShow;

class DriverErrors : public test::ScriptedOpenStack {
 protected:
  static Error failed(ErrorCode code, Effect effect) {
    return make_error(code, "it broke", effect, Retry::soon);
  }
};

struct Refusal {
  int status;
  std::string body;
  ErrorCode code;
  Effect effect;
  friend void PrintTo(const Refusal& refusal, std::ostream* out) {
    *out << refusal.status << ' ' << testing::PrintToString(refusal.body);
  }
};
class CreateRefused : public test::ScriptedOpenStack, public testing::WithParamInterface<Refusal> {};
TEST_P(CreateRefused, IsTheRightError) {
  client_.always(kCreate, GetParam().status, GetParam().body);
  const auto created = create();
  ASSERT_TRUE(created.has_error());
  EXPECT_EQ(std::string(to_text(created.error().code)), to_text(GetParam().code)) << created.error().message;
  EXPECT_EQ(created.error().effect, GetParam().effect) << created.error().message;
  EXPECT_EQ(created.error().message.find("top-secret"), std::string::npos);
  EXPECT_EQ(created.error().message.find("token-1"), std::string::npos);
}
INSTANTIATE_TEST_SUITE_P(
    All, CreateRefused,
    testing::Values(
        Refusal{400, R"({"badRequest": {"code": 400, "message": "bad"}})", ErrorCode::invalid, Effect::none},
        Refusal{403,
                R"({"forbidden": {"code": 403, "message": "Quota exceeded for instances: Requested 1"}})",
                ErrorCode::quota, Effect::none},
        Refusal{
            403,
            R"({"forbidden": {"code": 403, "message": "The number of defined ports: 2 is over the limit: 0"}})",
            ErrorCode::quota, Effect::none},
        Refusal{403, R"({"forbidden": {"code": 403, "message": "Policy doesn't allow it"}})",
                ErrorCode::permission, Effect::none},
        Refusal{409, R"({"conflictingRequest": {"code": 409, "message": "no"}})", ErrorCode::wrong_state,
                Effect::none},
        Refusal{500, R"({"computeFault": {"code": 500, "message": "oops"}})", ErrorCode::internal,
                Effect::possible},
        Refusal{503, "<html>down</html>", ErrorCode::unavailable, Effect::possible},
        Refusal{504, "", ErrorCode::timeout, Effect::possible},
        Refusal{302, "", ErrorCode::protocol, Effect::possible},
        Refusal{202, "{}", ErrorCode::protocol, Effect::possible},
        Refusal{202, "not json", ErrorCode::protocol, Effect::possible},
        Refusal{202, R"({"server": {"id": 5}})", ErrorCode::protocol, Effect::possible},
        Refusal{202, R"({"server": [)", ErrorCode::protocol, Effect::possible}));

TEST_F(DriverErrors, ACreationThatIsNotAnsweredMayHaveHappenedAndIsLookedFor) {
  client_.once(kCreate, failed(ErrorCode::timeout, Effect::possible));
  const auto lost = create();
  ASSERT_TRUE(lost.has_error());
  EXPECT_EQ(lost.error().code, ErrorCode::timeout);
  EXPECT_EQ(lost.error().effect, Effect::possible);
  const auto metadata = nlohmann::json::parse(client_.last(kCreate).body)["server"]["metadata"];
  client_.always(
      kDetail, 200,
      R"({"servers": [)" + server("s-9", R"("status": "BUILD", "metadata": )" + metadata.dump()) + "]}");
  const auto found = create();
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found.value().id, "s-9");
  EXPECT_EQ(client_.count(kCreate), 1U);
}

TEST_F(DriverErrors, AConnectionThatBreaksIsPassedOnWithItsEffect) {
  client_.once(kCreate, failed(ErrorCode::connection_lost, Effect::possible));
  const auto lost = create();
  ASSERT_TRUE(lost.has_error());
  EXPECT_EQ(lost.error().code, ErrorCode::connection_lost);
  EXPECT_EQ(lost.error().effect, Effect::possible);
  client_.once("DELETE /compute/v2.1/servers/s-1", failed(ErrorCode::unavailable, Effect::none));
  const auto refused = kill();
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
  EXPECT_EQ(refused.error().effect, Effect::none);
}

TEST_F(DriverErrors, AnotherProcessFindsAServerByItsNameAndToken) {
  ASSERT_TRUE(create().has_value());
  const auto metadata = nlohmann::json::parse(client_.last(kCreate).body)["server"]["metadata"];
  driver_.reset();  // all that it remembered
  client_.always(
      kDetail, 200,
      R"({"servers": [)" + server("s-9", R"("status": "ACTIVE", "metadata": )" + metadata.dump()) + "]}");
  const auto again = create();
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again.value().id, "s-9");
  InstanceSpec other = spec_;
  other.user_data = "other";
  driver_.reset();
  const auto refused = create(other, "t-1");
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code, ErrorCode::already_exists);
  EXPECT_EQ(client_.count(kCreate), 1U);
}

TEST_F(DriverErrors, ANameIsMatchedAsItIs) {
  spec_.name = "a.b (c)";
  ASSERT_TRUE(create().has_value());
  EXPECT_NE(client_.last(kDetail).target.find("name=%5Ea%5C.b%20%5C%28c%5C%29%24"), std::string::npos)
      << client_.last(kDetail).target;
}

TEST_F(DriverErrors, TwoAtOnceWithOneTokenGiveOneServer) {
  std::vector<std::string> ids;
  client_.always(kShow, 200, R"({"server": )" + server("s-1") + "}");
  for (int i = 0; i < 2; ++i)
    driver().newInstance(CallContext{}, spec_, "same", [&](const Result<InstanceInfo>& result) {
      ids.push_back(result ? result.value().id : result.error().message);
    });
  scheduler_.run_until(scheduler_.now() + 10s);
  EXPECT_EQ(ids, (std::vector<std::string>{"s-1", "s-1"}));
  EXPECT_EQ(client_.count(kCreate), 1U);
}

TEST_F(DriverErrors, TooManyIsWaitedForAndAskedAgain) {
  client_.once(kCreate, 429, R"({"overLimit": {"code": 429, "message": "slow down"}})",
               {{"Retry-After", "3"}});
  const TimePoint begun = scheduler_.now();
  std::optional<TimePoint> answered;
  driver().newInstance(CallContext{}, spec_, "t", [&](const Result<InstanceInfo>& result) {
    EXPECT_TRUE(result.has_value());
    answered = scheduler_.now();
  });
  scheduler_.run_until(begun + 10s);
  ASSERT_TRUE(answered.has_value());
  EXPECT_GE(*answered - begun, 3s);
}

TEST_F(DriverErrors, TooManyForTooLongIsTold) {
  client_.always(kCreate, 429, R"({"overLimit": {"code": 429, "message": "slow down"}})",
                 {{"Retry-After", "60"}});
  const auto created = create();
  ASSERT_TRUE(created.has_error());
  EXPECT_EQ(created.error().code, ErrorCode::throttled);
  EXPECT_EQ(created.error().effect, Effect::none);
  EXPECT_EQ(created.error().retry_after, Duration(60s));
}

TEST_F(DriverErrors, AnAbsurdTimeToWaitIsCut) {
  client_.always(kCreate, 429, "{}", {{"Retry-After", "999999999"}});
  EXPECT_EQ(create().error().retry_after, Duration(std::chrono::hours(1)));
  client_.always(kCreate, 429, "{}", {{"Retry-After", "-5"}});
  EXPECT_EQ(create("t-2").error().retry_after, Duration(0));
}

TEST_F(DriverErrors, ReadsAreRepeatedAFewTimes) {
  client_.once(kDetail, 503, "");
  client_.once(kDetail, failed(ErrorCode::connection_lost, Effect::possible));
  EXPECT_TRUE(list().has_value());
  EXPECT_EQ(client_.count(kDetail), 3U);
  client_.always(kDetail, 503, "");
  const auto listed = list();
  ASSERT_TRUE(listed.has_error());
  EXPECT_EQ(listed.error().code, ErrorCode::unavailable);
  EXPECT_EQ(listed.error().effect, Effect::none);
  EXPECT_EQ(client_.count(kDetail), 6U);
}

TEST_F(DriverErrors, ChangesAreNotRepeated) {
  client_.always("DELETE /compute/v2.1/servers/s-1", 503, "");
  const auto killed = kill();
  ASSERT_TRUE(killed.has_error());
  EXPECT_EQ(killed.error().effect, Effect::possible);
  EXPECT_EQ(client_.count("DELETE /compute/v2.1/servers/s-1"), 1U);
}

TEST_F(DriverErrors, KillingWhatIsGoneSucceeds) { EXPECT_TRUE(kill().has_value()); }

TEST_F(DriverErrors, EveryCallIsOverBeforeItsCallerGivesUp) {
  client_.once(kDetail, failed(ErrorCode::timeout, Effect::possible));
  const TimePoint begun = scheduler_.now();
  std::optional<TimePoint> answered;
  driver().listVMs(CallContext{"x", 4s}, {}, {}, [&](const Result<std::vector<InstanceInfo>>& result) {
    EXPECT_TRUE(result.has_error());
    answered = scheduler_.now();
  });
  scheduler_.run_until(begun + 20s);
  ASSERT_TRUE(answered.has_value());
  EXPECT_LT(*answered - begun, 4s);
}

TEST_F(DriverErrors, AWrongPasswordIsToldWithoutIt) {
  client_.always(
      kLogin, 401,
      R"({"error": {"code": 401, "message": "The request you have made requires authentication."}})");
  const auto listed = list();
  ASSERT_TRUE(listed.has_error());
  EXPECT_EQ(listed.error().code, ErrorCode::unauthenticated);
  EXPECT_EQ(listed.error().message.find("top-secret"), std::string::npos);
  EXPECT_NE(listed.error().message.find("password"), std::string::npos);
}

TEST_F(DriverErrors, AnAddressThatIsNoKeystoneIsTold) {
  client_.always(kLogin, 404, "<html>not here</html>");
  const auto listed = list();
  ASSERT_TRUE(listed.has_error());
  EXPECT_EQ(listed.error().code, ErrorCode::invalid);
  EXPECT_NE(listed.error().message.find("openstack.auth_url"), std::string::npos);
}

TEST_F(DriverErrors, ALoginWithoutAUsableTokenIsAnError) {
  for (const std::string& token : {std::string(), std::string("a b"), std::string(40'000, 'x')}) {
    client_.always(kLogin, 201, R"({"token": {}})", {{"X-Subject-Token", token}});
    const auto listed = list();
    ASSERT_TRUE(listed.has_error());
    EXPECT_EQ(listed.error().code, ErrorCode::protocol);
  }
}

TEST_F(DriverErrors, AnswersThatMakeNoSenseAreErrors) {
  for (const std::string& body :
       {std::string("{}"), std::string("[]"), std::string("{\"servers\": 5}"),
        std::string("{\"servers\": [5]}"), std::string("{\"servers\": [{\"id\": \"x\"}]}"),
        std::string(200'000, '['), std::string("\xff\xfe")}) {
    client_.always(kDetail, 200, body);
    const auto listed = list();
    ASSERT_TRUE(listed.has_error()) << body.substr(0, 40);
    EXPECT_EQ(listed.error().code, ErrorCode::protocol) << body.substr(0, 40);
  }
}

TEST_F(DriverErrors, MembersOfOtherTypesAreNotRead) {
  client_.always(
      kShow, 200,
      R"({"server": {"id": "s-1", "status": "ACTIVE", "name": 5, "addresses": [1], "metadata": {"a": 1, "b": "c"},
                     "image": "", "flavor": null, "created": "yesterday", "fault": 7}})");
  const auto shown = show();
  ASSERT_TRUE(shown.has_value()) << shown.error().message;
  EXPECT_EQ(shown.value().name, "");
  EXPECT_EQ(shown.value().address, "");
  EXPECT_EQ(shown.value().tags, (Tags{{"b", "c"}}));
}

TEST_F(DriverErrors, PendingCallsEndWithTheDriverUnanswered) {
  bool called = false;
  driver().listVMs(CallContext{}, {}, {}, [&](const Result<std::vector<InstanceInfo>>&) { called = true; });
  scheduler_.run_one();
  driver_.reset();
  scheduler_.run_until(scheduler_.now() + 30s);
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace drover
