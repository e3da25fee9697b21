#include "mockcloud/fault/faulty_agent.hpp"

#include "tests/fault/support.hpp"

namespace drover::fault {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct FaultyAgentTest : EngineTest {
  FaultyAgent& with(std::vector<Rule> rules) {
    start(std::move(rules));
    agent = std::make_unique<FaultyAgent>(inner, *engine);
    return *agent;
  }
  void call(const AgentCommand& command) {
    CallContext context;
    context.subject = "node-1";
    agent->call(context, {"10.0.0.1", 60000}, command, caught.handler());
  }

  FakeAgent inner;
  std::unique_ptr<FaultyAgent> agent;
  Caught<AgentReply> caught;
};

TEST_F(FaultyAgentTest, CommandsAreKnownByTheirDocumentedNames) {
  with({rule("agent.set_up_replica_slave.before", "refuse", {{"error", "wrong_state"}})});
  call(SetUpPrimary{});
  EXPECT_TRUE(caught.ok());
  call(SetUpReplica{});
  EXPECT_EQ(caught.code(), ErrorCode::wrong_state);
  EXPECT_THAT(inner.calls, ElementsAre("set_up_replica_master"));
}

TEST_F(FaultyAgentTest, DatabaseErrorsCarryTheServersNumber) {
  with({rule("agent.*.before", "refuse", {{"error", "database"}})});
  call(StopReplica{});
  EXPECT_EQ(caught.code(), ErrorCode::database);
  EXPECT_THAT(caught.last->error().message, HasSubstr("1205"));
}

TEST_F(FaultyAgentTest, LostReplyHasItsEffect) {
  with({rule("agent.set_read_only.reply", "lose_reply")});
  call(SetReadOnly{});
  EXPECT_THAT(inner.calls, ElementsAre("set_read_only"));
  EXPECT_EQ(caught.answers, 0);
}

TEST_F(FaultyAgentTest, ErrorAfterEffectSaysThatItMayHaveHappened) {
  with({rule("agent.set_read_only.effect", "error_after_effect")});
  call(SetReadOnly{});
  EXPECT_EQ(caught.code(), ErrorCode::connection_lost);
  EXPECT_EQ(caught.last->error().effect, Effect::possible);
}

TEST_F(FaultyAgentTest, DelayedCommandArrivesLate) {
  with({rule("agent.get_users.before", "delay", {{"by", "4s"}})});
  call(GetUsers{});
  EXPECT_THAT(inner.calls, IsEmpty());
  run_for(4s);
  EXPECT_TRUE(caught.ok());
}

TEST_F(FaultyAgentTest, StuckCommandNeverArrives) {
  with({rule("agent.get_users.before", "stuck")});
  call(GetUsers{});
  run_for(1h);
  EXPECT_THAT(inner.calls, IsEmpty());
  EXPECT_EQ(caught.answers, 0);
}

TEST_F(FaultyAgentTest, DuplicateCommandIsAnsweredOnce) {
  with({rule("agent.configure_user.before", "duplicate_delivery")});
  call(ConfigureUser{});
  EXPECT_EQ(inner.calls.size(), 2U);
  EXPECT_EQ(caught.answers, 1);
}

TEST_F(FaultyAgentTest, ProcessFaultsAreDoneByTheSink) {
  with({rule("agent.set_up_replica_slave.before", "agent.crash_at_command")});
  call(SetUpReplica{});
  EXPECT_THAT(sink.names(), ElementsAre("agent.crash_at_command node-1"));
  EXPECT_EQ(inner.calls.size(), 1U);
}

TEST_F(FaultyAgentTest, CrashOfTheManagerBeforeMakesNoCall) {
  with({rule("agent.set_read_only.before", "manager.crash")});
  call(SetReadOnly{});
  EXPECT_THAT(inner.calls, IsEmpty());
  EXPECT_EQ(caught.answers, 0);
}

TEST_F(FaultyAgentTest, TraceNamesCommandAddressAndEpochWithoutSecrets) {
  trace.keep();
  with({});
  SetUpReplica command;
  command.epoch = 7;
  command.replication_password.value = "hunter2";
  command.source.address = "10.0.0.9";
  call(command);
  call(ConfigureUser{"app", {"hunter2"}});
  EXPECT_EQ(trace.entries().at(0).detail, "set_up_replica_slave 10.0.0.1 60000 7 0 10.0.0.9");
  EXPECT_EQ(trace.entries().at(1).kind, TraceKind::agent_reply);
  for (const auto& entry : trace.entries()) EXPECT_EQ(entry.detail.find("hunter2"), std::string::npos);
}

TEST_F(FaultyAgentTest, EveryRowFiresWhereItSaysItApplies) {
  for (const auto& row : catalogue()) {
    if (row.target != Target::agent_call) continue;
    for (const auto phase : {Phase::before, Phase::effect, Phase::reply}) {
      if (!row.in_phase(phase)) continue;
      std::map<std::string, std::string> arguments;
      for (const auto& argument : row.arguments)
        if (argument.required) arguments[std::string(argument.name)] = "5s";
      with({rule(std::string("agent.dump.") + to_text(phase), std::string(row.name), arguments)});
      caught = {};
      call(TakeDump{});
      run_for(1min);
      EXPECT_EQ(engine->counts().at(0).fired, 1U) << row.name << " at " << to_text(phase);
      EXPECT_LE(caught.answers, 1) << row.name << " at " << to_text(phase);
    }
  }
}

}  // namespace
}  // namespace drover::fault
