// What the driver makes of refusals, broken answers and silence: the code, whether something may have
// happened, and what it asks again.
#include <gmock/gmock.h>

#include "tests/opennebula/scripted.hpp"

namespace drover {
namespace {

using namespace test;
using testing::HasSubstr;
using testing::Not;

struct Row {
  std::string what;
  Result<http::Response> answer;
  ErrorCode code;
  Effect effect;
};

Result<http::Response> broken(ErrorCode code, Effect effect) { return make_error(code, "broken", effect); }

std::vector<Row> rows() {
  using E = ErrorCode;
  const Effect none = Effect::none, possible = Effect::possible;
  return {
      {"authentication", refused(256, "no"), E::unauthenticated, none},
      {"authorisation", refused(512, "Not authorized to perform USE IMAGE"), E::permission, none},
      {"quota", refused(512, "user limit of 1 reached for VMS quota"), E::quota, none},
      {"missing", refused(1024, "Error getting"), E::not_found, none},
      {"state", refused(2048, "not available for state"), E::wrong_state, none},
      {"arguments", refused(4096, "Incorrect filter_flag"), E::invalid, none},
      {"parse", refused(8192, "Parse error: syntax error"), E::invalid, none},
      {"image", refused(8192, "DISK 0: User 0 does not own an image with name: x"), E::invalid, none},
      {"database", refused(8192, "Internal DB error"), E::internal, possible},
      {"room", refused(16384, "Cannot allocate"), E::capacity, none},
      {"locked", refused(32768, "locked"), E::wrong_state, none},
      {"replication", refused(65536, "no leader"), E::unavailable, possible},
      {"unheard-of code", refused(77, "?"), E::internal, possible},
      {"no such method", fault(-506, "Method not defined"), E::protocol, none},
      {"arguments fault", fault(-501, "Not enough parameters"), E::protocol, none},
      {"other fault", fault(-32500, "crash"), E::protocol, possible},
      {"HTTP 401", body_of("", 401), E::unauthenticated, none},
      {"HTTP 403", body_of("", 403), E::permission, none},
      {"HTTP 404", body_of("", 404), E::protocol, none},
      {"HTTP 302", body_of("", 302), E::protocol, possible},
      {"HTTP 500", body_of("", 500), E::unavailable, possible},
      {"HTTP 503", body_of("", 503), E::unavailable, possible},
      {"an empty body", body_of(""), E::protocol, possible},
      {"HTML", body_of("<html>welcome</html>"), E::protocol, possible},
      {"half an answer", body_of(ok(1).body.substr(0, 100)), E::protocol, possible},
      {"a bomb", body_of("<!DOCTYPE a [<!ENTITY b \"c\">]>" + ok(1).body.substr(39)), E::protocol, possible},
      {"no array", body_of(xml_rpc::write_reply(xml_rpc::Value::of_int(1))), E::protocol, possible},
      {"an empty array", body_of(xml_rpc::write_reply(xml_rpc::Value::of_array({}))), E::protocol, possible},
      {"a negative id", ok(-1), E::protocol, possible},
      {"text for an id", ok("42"), E::protocol, possible},
      {"refused connection", broken(E::unavailable, none), E::unavailable, none},
      {"lost connection", broken(E::connection_lost, possible), E::connection_lost, possible},
      {"time-out", broken(E::timeout, possible), E::timeout, possible},
      {"too large a body", broken(E::protocol, possible), E::protocol, possible},
  };
}

TEST(OpenNebulaDriverErrors, AnAllocationIsTriedOnceAndSaysWhatMayHaveHappened) {
  for (Row& row : rows()) {
    DriverStage stage;
    stage.client.answers = {ok(pool_xml({}))};
    stage.client.answers.emplace_back(std::move(row.answer));
    const auto made = stage.create(kSpec);
    ASSERT_TRUE(made.has_error()) << row.what;
    EXPECT_EQ(made.error().code, row.code) << row.what << ": " << made.error().message;
    EXPECT_EQ(made.error().effect, row.effect) << row.what;
    EXPECT_EQ(stage.client.sent.size(), 2U) << row.what;
    EXPECT_FALSE(made.error().message.empty()) << row.what;
  }
}

TEST(OpenNebulaDriverErrors, AReadHasNoEffectAndIsRepeatedWhenItsAnswerIsLost) {
  for (Row& row : rows()) {
    DriverStage stage;
    const bool again = row.code == ErrorCode::timeout || row.code == ErrorCode::connection_lost ||
                       row.code == ErrorCode::unavailable || row.code == ErrorCode::protocol ||
                       row.code == ErrorCode::internal;
    if (row.what == "text for an id" || row.what == "a negative id") continue;
    stage.client.answers = {row.answer, row.answer, row.answer};
    const auto info = stage.info("5");
    ASSERT_TRUE(info.has_error()) << row.what;
    EXPECT_EQ(info.error().code, row.code) << row.what << ": " << info.error().message;
    EXPECT_EQ(info.error().effect, Effect::none) << row.what;
    EXPECT_EQ(stage.client.sent.size(), again ? 3U : 1U) << row.what;
  }
}

TEST(OpenNebulaDriverErrors, AReadSucceedsInTheEnd) {
  DriverStage stage;
  stage.client.answers = {body_of("", 502), broken(ErrorCode::connection_lost, Effect::possible),
                          ok(vm_xml("5"))};
  const auto info = stage.info("5");
  ASSERT_TRUE(info.has_value()) << info.error().message;
  EXPECT_EQ(info.value().state, InstanceState::running);
}

TEST(OpenNebulaDriverErrors, ThrottledCallsWaitAsLongAsTheyAreTold) {
  DriverStage stage;
  stage.client.answers = {ok(pool_xml({})), body_of("", 429, {{"Retry-After", "7"}}), ok(42)};
  ASSERT_TRUE(stage.create(kSpec).has_value()) << "an allocation too: it was refused before it began";
  EXPECT_EQ(stage.client.sent[2].at - stage.client.sent[1].at, std::chrono::seconds(7));

  stage.client.answers = {body_of("", 429, {{"Retry-After", "3000"}})};
  const auto refused = stage.info("5");
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code, ErrorCode::throttled);
  EXPECT_EQ(refused.error().retry_after, std::chrono::seconds(3000));
  for (const char* nonsense : {"-1", "soon", "99999999999999999999"}) {
    DriverStage other;
    for (int i = 0; i < 20; ++i)
      other.client.answers.emplace_back(body_of("", 429, {{"Retry-After", nonsense}}));
    EXPECT_EQ(other.info("5").error().code, ErrorCode::throttled);
    EXPECT_LE(other.scheduler.now(), kEpoch + std::chrono::seconds(30));
  }
}

TEST(OpenNebulaDriverErrors, SilenceEndsWithTheDeadline) {
  DriverStage stage;
  stage.client.answers = {ok(pool_xml({})), std::nullopt};
  const auto made = stage.create(kSpec);
  ASSERT_TRUE(made.has_error());
  EXPECT_EQ(made.error().code, ErrorCode::timeout);
  EXPECT_EQ(made.error().effect, Effect::possible);
  EXPECT_LE(stage.scheduler.now(), kEpoch + std::chrono::seconds(31));
  EXPECT_EQ(stage.client.sent[1].timeout, std::chrono::seconds(30));
}

TEST(OpenNebulaDriverErrors, ASecretIsInNoMessage) {
  DriverStage stage;
  stage.client.answers = {refused(256, "User drover:very-secret-password couldn't be authenticated\n")};
  const auto info = stage.info("5");
  ASSERT_TRUE(info.has_error());
  EXPECT_THAT(info.error().message, Not(HasSubstr("secret")));
  EXPECT_THAT(info.error().message, Not(HasSubstr("\n")));
}

TEST(OpenNebulaDriverErrors, MachinesThatCannotBeAreAProtocolError) {
  const std::string huge(10'000'000, 'x');
  for (const std::string& xml :
       {std::string("<VM/>"), std::string("<VM_POOL/>"), std::string("not xml"), vm_xml("-1"), vm_xml("x"),
        vm_xml("99999999999999999999"), vm_xml("6"), vm_xml("5", -3), std::string("<VM><ID>5</ID></VM>")}) {
    DriverStage stage;
    stage.client.answers = {ok(xml)};
    const auto info = stage.info("5");
    ASSERT_TRUE(info.has_error()) << xml.substr(0, 80);
    EXPECT_EQ(info.error().code, ErrorCode::protocol) << xml.substr(0, 80);
  }
  DriverStage stage;
  stage.client.answers = {
      ok(vm_xml("5", 3, 36, "<ERROR>" + huge + "</ERROR>")),
      ok("<VM><ID>5</ID><STATE>3</STATE><LCM_STATE>3</LCM_STATE><STIME>-5</STIME><TEMPLATE><NIC>"
         "<IP>10.0.0.1; rm -rf</IP></NIC></TEMPLATE></VM>"),
      ok(pool_xml({"1", "x"}))};
  const auto failed = stage.info("5");
  ASSERT_TRUE(failed.has_value());
  EXPECT_EQ(failed.value().state, InstanceState::error);
  EXPECT_EQ(failed.value().fault.size(), 500U);
  EXPECT_EQ(stage.info("5").value().address, "") << "that is no address";
  EXPECT_EQ(stage.list().error().code, ErrorCode::protocol) << "a VM that is left out could be ours";
}

}  // namespace
}  // namespace drover
