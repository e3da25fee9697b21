// What the EC2 driver makes of refusals, of broken answers and of silence, and when it tries again.
#include "tests/ec2/ec2_driver_stage.hpp"

namespace drover::test {
namespace {

TEST_F(Ec2Driver, EveryRefusalIsTheErrorThatItMeans) {
  struct Row {
    int status;
    const char* code;
    ErrorCode error;
  };
  for (const Row& row :
       {Row{400, "InstanceLimitExceeded", ErrorCode::quota}, Row{400, "VcpuLimitExceeded", ErrorCode::quota},
        Row{500, "InsufficientInstanceCapacity", ErrorCode::capacity},
        Row{400, "InsufficientFreeAddressesInSubnet", ErrorCode::capacity},
        Row{403, "UnauthorizedOperation", ErrorCode::permission},
        Row{401, "AuthFailure", ErrorCode::unauthenticated},
        Row{403, "SignatureDoesNotMatch", ErrorCode::unauthenticated},
        Row{400, "RequestExpired", ErrorCode::unauthenticated},
        Row{403, "InvalidClientTokenId", ErrorCode::unauthenticated},
        Row{400, "InvalidParameterValue", ErrorCode::invalid},
        Row{400, "InvalidAMIID.NotFound", ErrorCode::invalid},
        Row{400, "MissingParameter", ErrorCode::invalid},
        Row{400, "IncorrectInstanceState", ErrorCode::wrong_state},
        Row{400, "IdempotentParameterMismatch", ErrorCode::already_exists},
        Row{400, "SomethingNew", ErrorCode::invalid}}) {
    client_.refuse(row.status, row.code);
    const auto made = create(spec());
    ASSERT_TRUE(made.has_error()) << row.code;
    EXPECT_EQ(made.error().code, row.error) << row.code << ": " << made.error().message;
    EXPECT_EQ(made.error().effect, Effect::none) << row.code;
    EXPECT_THAT(made.error().message, testing::HasSubstr(row.code));
    EXPECT_THAT(made.error().message, testing::HasSubstr("db-node-1"));
    EXPECT_THAT(made.error().message, testing::Not(testing::HasSubstr("drover-secret")));
  }
  EXPECT_EQ(client_.sent.size(), 15U) << "none of these is tried again";
}

TEST_F(Ec2Driver, WhatTheCloudSaysOfASignatureIsNotRepeated) {
  client_.refuse(403, "SignatureDoesNotMatch");
  EXPECT_THAT(list().error().message, testing::Not(testing::HasSubstr("about it")));
  client_.refuse(400, "RequestExpired");
  EXPECT_THAT(list().error().message, testing::HasSubstr("clock"));
}

TEST_F(Ec2Driver, AThrottledCallIsMadeAgainWhenTheCloudWantsIt) {
  client_.refuse(503, "RequestLimitExceeded");
  client_.refuse(503, "RequestLimitExceeded", {{"Retry-After", "7"}});
  client_.say(200, launched(instance_item("i-1", 0)));
  const auto made = create(spec());
  ASSERT_TRUE(made.has_value()) << made.error().message;
  ASSERT_EQ(client_.sent.size(), 3U);
  EXPECT_GE(client_.sent[1].at - client_.sent[0].at, 200ms);
  EXPECT_LT(client_.sent[1].at - client_.sent[0].at, 1s);
  EXPECT_GE(client_.sent[2].at - client_.sent[1].at, 7s);
  EXPECT_EQ(client_.sent[0].value("ClientToken"), client_.sent[2].value("ClientToken"));
  EXPECT_NE(client_.sent[0].request.value("authorization"), client_.sent[2].request.value("authorization"))
      << "signed anew";
}

TEST_F(Ec2Driver, AThrottledCallIsGivenUpWhenNoTimeIsLeft) {
  client_.refuse(503, "RequestLimitExceeded", {{"Retry-After", "31"}});
  const auto made = create(spec(), "");
  ASSERT_TRUE(made.has_error());
  EXPECT_EQ(made.error().code, ErrorCode::throttled);
  EXPECT_EQ(made.error().effect, Effect::none);
  EXPECT_EQ(made.error().retry_after, 31s);
  EXPECT_EQ(client_.sent.size(), 1U);
}

TEST_F(Ec2Driver, ALostLaunchIsAskedForAgainWithItsToken) {
  client_.fail(ErrorCode::connection_lost, Effect::possible);
  client_.refuse(500, "InternalError");
  client_.say(200, launched(instance_item("i-1", 0)));
  const auto made = create(spec());
  ASSERT_TRUE(made.has_value()) << made.error().message;
  ASSERT_EQ(client_.sent.size(), 3U);
  EXPECT_EQ(client_.sent[0].value("ClientToken"), client_.sent[2].value("ClientToken"));
  EXPECT_TRUE(client_.sent[0].repeatable);
}

TEST_F(Ec2Driver, ALostLaunchWithoutATokenIsNot) {
  client_.fail(ErrorCode::connection_lost, Effect::possible);
  const auto made = create(spec(), "");
  ASSERT_TRUE(made.has_error());
  EXPECT_EQ(made.error().code, ErrorCode::connection_lost);
  EXPECT_EQ(made.error().effect, Effect::possible);
  ASSERT_EQ(client_.sent.size(), 1U);
  EXPECT_FALSE(client_.sent[0].repeatable);
  client_.fail(ErrorCode::unavailable, Effect::none);
  client_.say(200, launched(instance_item("i-1", 0)));
  EXPECT_TRUE(create(spec(), "").has_value()) << "a call that certainly did nothing is made again";
}

TEST_F(Ec2Driver, AnEarlierAttemptMayHaveHadTheEffect) {
  client_.fail(ErrorCode::connection_lost, Effect::possible);
  client_.refuse(400, "InstanceLimitExceeded");
  const auto made = create(spec());
  ASSERT_TRUE(made.has_error());
  EXPECT_EQ(made.error().code, ErrorCode::quota);
  EXPECT_EQ(made.error().effect, Effect::possible);
}

TEST_F(Ec2Driver, SilenceIsATimeOutThatMayHaveHadAnEffect) {
  const TimePoint start = scheduler_.now();
  std::optional<Result<InstanceInfo>> answer;
  cloud().newInstance(context_, spec(), "t", [&](Result<InstanceInfo> result) { answer.emplace(result); });
  scheduler_.run_until(start + 31s);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->error().code, ErrorCode::timeout);
  EXPECT_EQ(answer->error().effect, Effect::possible);
  const auto listed = list();
  EXPECT_EQ(listed.error().code, ErrorCode::timeout);
  EXPECT_EQ(listed.error().effect, Effect::none) << "looking changes nothing";
}

TEST_F(Ec2Driver, ACloudThatStaysBrokenIsGivenUp) {
  for (int i = 0; i < 20; ++i) client_.refuse(503, "Unavailable");
  const auto made = create(spec());
  ASSERT_TRUE(made.has_error());
  EXPECT_EQ(made.error().code, ErrorCode::unavailable);
  EXPECT_EQ(made.error().effect, Effect::possible);
  EXPECT_LE(client_.sent.size(), 8U);
  EXPECT_GT(client_.sent.size(), 4U);
}

TEST_F(Ec2Driver, AnAnswerThatIsNoneOfThisApiIsAProtocolError) {
  const std::string deep = [] {
    std::string text = "<RunInstancesResponse>";
    for (int i = 0; i < 100'000; ++i) text += "<a>";
    return text;
  }();
  for (const std::string& body :
       {std::string(), std::string("<html>hello"), std::string("{}"), std::string("<OtherResponse/>"),
        std::string("<RunInstancesResponse/>"),
        std::string("<!DOCTYPE x [<!ENTITY a \"b\">]><RunInstancesResponse/>"), launched("<item/>"),
        launched("<item><instanceId>i-1</instanceId></item>"), deep}) {
    client_.say(200, body);
    const auto made = create(spec());
    ASSERT_TRUE(made.has_error()) << body.substr(0, 100);
    EXPECT_EQ(made.error().code, ErrorCode::protocol) << body.substr(0, 100);
    EXPECT_EQ(made.error().effect, Effect::possible);
  }
  client_.say(301, "moved");
  EXPECT_EQ(list().error().code, ErrorCode::protocol);
  client_.say(404, "<html>");
  EXPECT_EQ(list().error().code, ErrorCode::protocol);
  client_.say(200, "<html>");
  EXPECT_EQ(list().error().effect, Effect::none);
}

TEST_F(Ec2Driver, ADriverThatEndsAnswersNobody) {
  bool answered = false;
  cloud().listVMs(context_, "", "", [&](Result<std::vector<InstanceInfo>>) { answered = true; });
  client_.say(200, listing(""));
  cloud_.reset();
  scheduler_.run_until(scheduler_.later(1min));
  EXPECT_FALSE(answered);
}

}  // namespace
}  // namespace drover::test
