// S10: what is done twice without a cause is reported, what had to be repeated is not.
#include "scenarios/engine/check_repeats.hpp"

#include "manager/model/codec.hpp"
#include "tests/scenarios/oracle_text.hpp"

namespace drover::scenario {
namespace {

using testing::Contains;

class RepeatsTest : public testing::Test {
 protected:
  std::uint64_t create() { return repeats_.asked(kCreate); }
  void created(std::uint64_t number, ErrorCode code = ErrorCode::invalid, bool ok = true) {
    const Error error = make_error(code, "no");
    IaasAnswer answer;
    if (!ok) answer.error = &error;
    repeats_.answered(number, kCreate, answer);
  }
  std::uint64_t tell(const AgentCommand& command) { return repeats_.asked("node-1", command, 10s); }
  void answer(std::uint64_t number, const AgentCommand& command, const ServerState& state) {
    AgentReply reply;
    reply.state = state;
    repeats_.answered(number, "node-1", command, Result<AgentReply>(reply));
  }
  void refuse(std::uint64_t number, const AgentCommand& command) {
    repeats_.answered(number, "node-1", command,
                      Result<AgentReply>(make_error(ErrorCode::connection_lost, "gone", Effect::possible)));
  }
  void look(const ServerState& state) { answer(tell(GetServerState{}), GetServerState{}, state); }
  // A member: a node without a record is one that goes, and is closed as often as it takes.
  void write_node() {
    model::Node node;
    node.id = 1;
    node.state = model::NodeState::running;
    const auto generation = world_.durable().take_generation(0, 0).value();
    world_.durable().commit(generation, {{Table::node, 1, false, model::encode(node)}}, [](Result<void>) {});
  }
  void wait(Duration time) { world_.scheduler().run_until(world_.scheduler().later(time)); }
  std::set<std::string> found() const {
    std::set<std::string> all;
    for (const auto& violation : world_.violations()) all.insert(violation.fingerprint);
    return all;
  }

  const IaasCall kCreate{IaasCall::Kind::create, "node-1", "drover:node-1.1", 30s};
  Scenario scenario_ = scenario_of(pair_text());
  SimWorld world_{scenario_, 1};
  Repeats repeats_{world_};
};

TEST_F(RepeatsTest, ACreationAfterASuccessfulOneIsReported) {
  created(create());
  create();
  EXPECT_THAT(found(), Contains("S10 repeated newInstance"));
}

TEST_F(RepeatsTest, ACreationBesideAnotherIsReported) {
  create();
  create();
  EXPECT_THAT(found(), Contains("S10 repeated newInstance"));
}

TEST_F(RepeatsTest, ACreationAfterAFailedOneIsNot) {
  created(create(), ErrorCode::unavailable, false);
  wait(5s);
  created(create());
  EXPECT_THAT(found(), testing::IsEmpty());
}

TEST_F(RepeatsTest, ACreationWhoseAnswerNeverCameMayBeRepeated) {
  create();
  wait(31s);
  create();
  EXPECT_THAT(found(), testing::IsEmpty());
}

TEST_F(RepeatsTest, AnAnswerAfterItsTimeIsNone) {
  const auto first = create();
  wait(31s);
  created(first);
  create();
  EXPECT_THAT(found(), testing::IsEmpty());
}

TEST_F(RepeatsTest, ARetryWithoutAPauseIsReported) {
  created(create(), ErrorCode::unavailable, false);
  create();
  EXPECT_THAT(found(), Contains("S10 retry without a pause"));
}

TEST_F(RepeatsTest, CreationsWithoutEndAreReported) {
  for (unsigned i = 0; i <= world_.configuration().retry.attempts; ++i) {
    created(create(), ErrorCode::unavailable, false);
    wait(2min);
  }
  EXPECT_THAT(found(), Contains("S10 newInstance without end"));
}

TEST_F(RepeatsTest, AnotherLifeOrAnotherOperationMayRepeatEverything) {
  created(create());
  repeats_.begin();
  create();
  EXPECT_THAT(found(), testing::IsEmpty());
}

TEST_F(RepeatsTest, ACommandAfterASuccessfulOneIsReported) {
  write_node();
  SetReadOnly close;
  close.epoch = 3;
  ServerState closed;
  closed.running = true;
  closed.epoch = 3;
  answer(tell(close), close, closed);
  look(closed);
  EXPECT_THAT(found(), testing::IsEmpty());
  tell(close);
  EXPECT_THAT(found(), Contains("S10 repeated set_read_only"));
}

TEST_F(RepeatsTest, ACommandThatIsSeenToHaveDoneNothingMayBeRepeated) {
  StartServer start;
  ServerState down;
  answer(tell(start), start, down);
  look(down);
  tell(start);
  EXPECT_THAT(found(), testing::IsEmpty());
}

TEST_F(RepeatsTest, ACommandWhoseEffectNobodyCouldSeeMayBeRepeated) {
  StartServer start;
  ServerState up;
  up.running = true;
  answer(tell(start), start, up);
  refuse(tell(GetServerState{}), GetServerState{});
  tell(start);
  EXPECT_THAT(found(), testing::IsEmpty());
}

TEST_F(RepeatsTest, ALookThatWasNeverAnsweredIsAReason) {
  StartServer start;
  ServerState up;
  up.running = true;
  answer(tell(start), start, up);
  tell(GetServerState{});
  wait(11s);
  tell(start);
  EXPECT_THAT(found(), testing::IsEmpty());
}

TEST_F(RepeatsTest, ALookThatShowsTheEffectIsNoReason) {
  StartServer start;
  ServerState up;
  up.running = true;
  answer(tell(start), start, up);
  look(up);
  tell(start);
  EXPECT_THAT(found(), Contains("S10 repeated start_server"));
}

TEST_F(RepeatsTest, ADestroyedVmIsDestroyedAgainOnlyWhenItIsStillThere) {
  const IaasCall kill{IaasCall::Kind::kill, "node-1", "i-1", 30s};
  const IaasCall look{IaasCall::Kind::look, "node-1", "i-1", 30s};
  InstanceInfo info;
  info.id = "i-1";
  info.state = InstanceState::running;
  IaasAnswer seen;
  seen.info = &info;
  repeats_.answered(repeats_.asked(kill), kill, {});
  repeats_.answered(repeats_.asked(look), look, seen);
  repeats_.answered(repeats_.asked(kill), kill, {});
  EXPECT_THAT(found(), testing::IsEmpty());
  info.state = InstanceState::shutting_down;
  repeats_.answered(repeats_.asked(look), look, seen);
  repeats_.asked(kill);
  EXPECT_THAT(found(), Contains("S10 repeated killInstance"));
}

TEST_F(RepeatsTest, LooksWithoutEndAreReported) {
  for (int i = 0; i < 1000; ++i) tell(GetServerState{});
  EXPECT_THAT(found(), Contains("S10 rate of get_server_state"));
}

TEST_F(RepeatsTest, LooksAtTheirIntervalAreNot) {
  for (int i = 0; i < 1000; ++i) {
    tell(GetServerState{});
    wait(world_.configuration().poll_agents_timer);
  }
  EXPECT_THAT(found(), testing::IsEmpty());
}

TEST(Repeats, ASabotageThatCreatesTwiceIsReported) {
  RunOptions options;
  options.sabotage = find_sabotage("creates_twice");
  ASSERT_NE(options.sabotage, nullptr);
  EXPECT_THAT(broken(run_text(pair_text(), options)), testing::Not(testing::IsEmpty()));
}

TEST(Repeats, ACopyThatIsOrderedAgainThoughTheSlaveReplicatesIsReported) {
  const auto order = [](bool breaks) {
    return at(kLater, [breaks](SimWorld& world) {
      const auto master = world.fleet().truth(id_of(world, "node-1"));
      const auto slave = world.fleet().truth(id_of(world, "node-2"));
      ASSERT_TRUE(master.has_value() && slave.has_value());
      SetUpReplica copy;
      copy.epoch = slave->epoch;
      copy.source.address = master->address;
      copy.clone = true;
      if (breaks) world.fleet().fail_sql_thread(slave->id, 1062);
      Repeats repeats(world);
      for (int i = 0; i < 2; ++i) repeats.asked("node-2", AgentCommand(copy), 10s);
    });
  };
  EXPECT_THAT(fingerprints_of(order(false)), Contains("S10 copied once more"));
  EXPECT_THAT(fingerprints_of(order(true)), testing::Not(Contains("S10 copied once more")));
}

}  // namespace
}  // namespace drover::scenario
