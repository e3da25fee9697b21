// The contract of the Agent port (manager/ports/agent.hpp) as one suite over every implementation. A test
// program includes this header and instantiates the suite with its own stages:
//
//   INSTANTIATE_TEST_SUITE_P(Simulated, AgentContract, testing::Values(AgentUnderTest{"Fleet", make_stage}),
//   name_of);
//
// A stage offers three fresh nodes whose agents listen and whose servers are stopped and empty. The tests
// wait for answers and conditions, never for times.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "manager/ports/agent.hpp"

namespace drover {

// What an implementation brings to the suite.
class AgentStage {
 public:
  virtual ~AgentStage() = default;
  virtual Agent& agent() = 0;
  virtual Endpoint endpoint(unsigned node) = 0;     // node 1, 2 or 3
  virtual std::string identity(unsigned node) = 0;  // the instance id its agent must report
  virtual Endpoint nobody() = 0;                    // an address where nothing listens
  // Lets time pass until `done` or for `limit`; says whether `done` became true.
  virtual bool run_until(const std::function<bool()>& done, Duration limit) = 0;
  // Makes `text` readable by LoadDump; gives its path.
  virtual std::string store_dump(const std::string& text) = 0;
  virtual Duration patience() const { return std::chrono::minutes(2); }
};

struct AgentUnderTest {
  std::string name;
  std::function<std::unique_ptr<AgentStage>()> make;
};
inline std::string name_of(const testing::TestParamInfo<AgentUnderTest>& info) { return info.param.name; }
inline void PrintTo(const AgentUnderTest& under_test, std::ostream* out) { *out << under_test.name; }

class AgentContract : public testing::TestWithParam<AgentUnderTest> {
 protected:
  void SetUp() override { stage_ = GetParam().make(); }

  Result<AgentReply> ask(const Endpoint& endpoint, const AgentCommand& command) {
    auto answer = std::make_shared<std::optional<Result<AgentReply>>>();
    auto answers = std::make_shared<int>(0);
    stage_->agent().call(CallContext{}, endpoint, command, [answer, answers](Result<AgentReply> result) {
      ++*answers;
      answer->emplace(std::move(result));
    });
    stage_->run_until([&] { return answer->has_value(); }, stage_->patience());
    EXPECT_LE(*answers, 1) << "a handler was answered twice";
    if (!answer->has_value()) return make_error(ErrorCode::timeout, "the call was never answered");
    return std::move(**answer);
  }
  Result<AgentReply> ask(unsigned node, const AgentCommand& command) {
    return ask(stage_->endpoint(node), command);
  }
  // The state after a command that must succeed.
  ServerState must(unsigned node, const AgentCommand& command) {
    auto reply = ask(node, command);
    if (reply) return std::move(reply).value().state;
    ADD_FAILURE() << agent_method(command) << " on node " << node << ": " << reply.error().message;
    return {};
  }
  ErrorCode error_of(unsigned node, const AgentCommand& command) {
    auto reply = ask(node, command);
    if (reply.has_value()) return ErrorCode::unknown;
    EXPECT_NE(reply.error().message, "");
    EXPECT_EQ(reply.error().message.find("s3cret"), std::string::npos) << "a secret in a message";
    return reply.error().code;
  }

  SetUpPrimary primary(unsigned node, std::uint64_t epoch = 1) const {
    SetUpPrimary command;
    command.epoch = epoch;
    command.server_id = node;
    command.replication_user = "repl";
    command.replication_password.value = "s3cret";
    return command;
  }
  SetUpReplica replica(unsigned node, unsigned source, bool clone = true, std::uint64_t epoch = 1) const {
    SetUpReplica command;
    command.epoch = epoch;
    command.server_id = node;
    command.source = stage_->endpoint(source);
    command.clone = clone;
    command.replication_user = "repl";
    command.replication_password.value = "s3cret";
    return command;
  }
  ConfigureUser user(const std::string& name) const {
    ConfigureUser command;
    command.username = name;
    command.password.value = "s3cret";
    return command;
  }
  std::vector<std::string> users(unsigned node) {
    std::vector<std::string> names;
    auto reply = ask(node, GetUsers{});
    if (reply)
      for (const DatabaseUser& u : reply.value().users) names.push_back(u.username);
    return names;
  }
  WaitForGtid wait_for(const std::string& gtid, Duration limit = 30s) const {
    WaitForGtid command;
    command.epoch = 1;
    command.gtid = gtid;
    command.limit = limit;
    return command;
  }
  void make_pair() {
    must(1, primary(1));
    must(1, SetReadOnly{1, false});
    must(2, replica(2, 1));
  }

  std::unique_ptr<AgentStage> stage_;
};

TEST_P(AgentContract, SaysWhoItIsWithAStoppedServer) {
  const ServerState state = must(1, GetServerState{});
  EXPECT_EQ(state.instance_id, stage_->identity(1));
  EXPECT_FALSE(state.running);
  EXPECT_EQ(state.role, Role::none);
}

TEST_P(AgentContract, NothingListeningIsUnavailableWithoutEffect) {
  const auto reply = ask(stage_->nobody(), GetServerState{});
  ASSERT_TRUE(reply.has_error());
  EXPECT_EQ(reply.error().code, ErrorCode::unavailable);
  EXPECT_EQ(reply.error().effect, Effect::none);
}

TEST_P(AgentContract, StartsAndStopsTheServerAndMayBeToldTwice) {
  EXPECT_TRUE(must(1, StartServer{7}).running);
  const ServerState again = must(1, StartServer{7});
  EXPECT_TRUE(again.running);
  EXPECT_EQ(again.server_id, 7U);
  EXPECT_TRUE(must(1, RestartServer{}).running);
  EXPECT_FALSE(must(1, StopServer{}).running);
  EXPECT_FALSE(must(1, StopServer{}).running);
}

TEST_P(AgentContract, AServerStartsReadOnly) { EXPECT_TRUE(must(1, StartServer{7}).read_only); }

TEST_P(AgentContract, ARestartMakesThePrimaryReadOnlyAgain) {
  must(1, primary(1));
  EXPECT_FALSE(must(1, SetReadOnly{1, false}).read_only);
  EXPECT_TRUE(must(1, RestartServer{}).read_only);
}

TEST_P(AgentContract, APrimaryIsSetUpReadOnlyUntilItIsOpened) {
  const ServerState state = must(1, primary(1));
  EXPECT_EQ(state.role, Role::primary);
  EXPECT_EQ(state.epoch, 1U);
  EXPECT_EQ(state.server_id, 1U);
  EXPECT_TRUE(state.read_only);
  EXPECT_FALSE(state.replication.configured);
  EXPECT_FALSE(must(1, SetReadOnly{1, false}).read_only);
}

TEST_P(AgentContract, SettingUpAPrimaryTwiceWritesNothingNew) {
  const std::string once = must(1, primary(1)).gtid_binlog_pos;
  EXPECT_EQ(must(1, primary(1)).gtid_binlog_pos, once);
}

TEST_P(AgentContract, ACloneReplicatesFromItsSource) {
  make_pair();
  const ServerState state = must(2, GetServerState{});
  EXPECT_EQ(state.role, Role::replica);
  EXPECT_TRUE(state.read_only);
  EXPECT_EQ(state.server_id, 2U);
  EXPECT_EQ(state.replication.io, ThreadState::yes);
  EXPECT_TRUE(state.replication.sql_running);
  EXPECT_EQ(state.replication.source_address, stage_->endpoint(1).address);
}

TEST_P(AgentContract, WhatIsWrittenOnThePrimaryArrivesAtTheReplica) {
  make_pair();
  const std::string position = must(1, user("app")).gtid_binlog_pos;
  must(2, wait_for(position));
  EXPECT_THAT(users(2), testing::Contains("app"));
}

TEST_P(AgentContract, SettingUpTheSameReplicaTwiceLeavesItRunning) {
  make_pair();
  const ServerState state = must(2, replica(2, 1));
  EXPECT_EQ(state.replication.io, ThreadState::yes);
  EXPECT_EQ(must(2, replica(2, 1, false)).replication.io, ThreadState::yes);
}

TEST_P(AgentContract, CloningFromNobodyIsUnavailable) {
  must(2, StartServer{2});
  SetUpReplica command = replica(2, 1);
  command.source = stage_->nobody();
  EXPECT_EQ(error_of(2, command), ErrorCode::unavailable);
  EXPECT_TRUE(must(2, GetServerState{}).running) << "nothing was changed";
}

TEST_P(AgentContract, WrongReplicationCredentialsAreADatabaseError) {
  make_pair();
  SetUpReplica command = replica(3, 1);
  command.replication_password.value = "other";
  const auto reply = ask(3, command);
  ASSERT_TRUE(reply.has_error());
  EXPECT_EQ(reply.error().code, ErrorCode::database);
  EXPECT_THAT(reply.error().message, testing::HasSubstr("1045"));
}

TEST_P(AgentContract, AnOlderEpochIsRefused) {
  must(1, primary(1, 5));
  EXPECT_EQ(error_of(1, primary(1, 4)), ErrorCode::wrong_state);
  EXPECT_EQ(error_of(1, SetReadOnly{4, false}), ErrorCode::wrong_state);
  EXPECT_EQ(error_of(1, StopReplica{4}), ErrorCode::wrong_state);
  EXPECT_EQ(error_of(1, replica(1, 2, false, 4)), ErrorCode::wrong_state);
  const ServerState state = must(1, GetServerState{});
  EXPECT_EQ(state.epoch, 5U);
  EXPECT_TRUE(state.read_only);
}

TEST_P(AgentContract, FencingAStoppedServerRaisesItsEpoch) {
  must(1, primary(1, 2));
  must(1, StopServer{});
  EXPECT_EQ(must(1, SetReadOnly{3, true}).epoch, 3U);
  EXPECT_EQ(error_of(1, SetReadOnly{2, false}), ErrorCode::wrong_state);
}

TEST_P(AgentContract, StopReplicaForgetsTheSource) {
  make_pair();
  const ServerState state = must(2, StopReplica{1});
  EXPECT_FALSE(state.replication.configured);
  EXPECT_EQ(state.role, Role::none);
  must(2, StopReplica{1});
}

TEST_P(AgentContract, RolesCanBeSwappedWithoutLosingAnything) {
  make_pair();
  must(1, user("before"));
  const std::string last = must(1, SetReadOnly{2, true}).gtid_binlog_pos;
  WaitForGtid drained = wait_for(last);
  drained.epoch = 2;
  must(2, drained);
  must(2, StopReplica{2});
  must(2, primary(2, 2));
  must(2, SetReadOnly{2, false});
  must(1, replica(1, 2, false, 2));
  drained.gtid = must(2, user("after")).gtid_current_pos;
  must(1, drained);
  EXPECT_THAT(users(1), testing::IsSupersetOf({"before", "after"}));
}

TEST_P(AgentContract, WaitingForAGtidThatNeverComesTimesOut) {
  make_pair();
  EXPECT_EQ(error_of(2, wait_for("0-1-999999", 1s)), ErrorCode::timeout);
}

TEST_P(AgentContract, AnErrantTransactionIsNotTakenForTheOneWithItsNumber) {
  make_pair();
  must(2, StopReplica{1});
  must(2, SetReadOnly{1, false});
  must(2, user("errant"));
  const std::string last = must(1, user("lacking")).gtid_binlog_pos;
  EXPECT_EQ(error_of(2, wait_for(last, 1s)), ErrorCode::timeout);
}

TEST_P(AgentContract, AMalformedGtidIsInvalid) {
  make_pair();
  EXPECT_EQ(error_of(2, wait_for("0-1-'; DROP")), ErrorCode::invalid);
}

TEST_P(AgentContract, UsersAreDataWhateverTheirNamesAre) {
  must(1, primary(1));
  must(1, SetReadOnly{1, false});
  const std::string hostile = "a'; DROP USER 'repl'; -- \\";
  must(1, user(hostile));
  must(1, user(hostile));
  EXPECT_THAT(users(1), testing::UnorderedElementsAre("repl", hostile));
  must(1, DeleteUser{hostile});
  must(1, DeleteUser{hostile});
  EXPECT_THAT(users(1), testing::ElementsAre("repl"));
}

TEST_P(AgentContract, ThePasswordOfAnUnknownUserIsADatabaseError) {
  must(1, primary(1));
  must(1, SetReadOnly{1, false});
  SetPassword command;
  command.username = "nobody";
  command.password.value = "s3cret";
  EXPECT_EQ(error_of(1, command), ErrorCode::database);
}

TEST_P(AgentContract, UsersAreNotChangedOnAReplica) {
  make_pair();
  const std::string before = must(2, GetServerState{}).gtid_binlog_pos;
  EXPECT_EQ(error_of(2, user("local")), ErrorCode::wrong_state);
  EXPECT_EQ(error_of(2, DeleteUser{"repl"}), ErrorCode::wrong_state);
  EXPECT_EQ(must(2, GetServerState{}).gtid_binlog_pos, before);
  EXPECT_THAT(users(2), testing::Not(testing::Contains("local")));
}

// It hands over, or was restarted: what it took now might be nowhere else.
TEST_P(AgentContract, UsersAreNotChangedOnAPrimaryThatIsReadOnly) {
  make_pair();
  const std::string before = must(1, SetReadOnly{1, true}).gtid_binlog_pos;
  EXPECT_EQ(error_of(1, user("late")), ErrorCode::wrong_state);
  EXPECT_EQ(error_of(1, SetPassword{"repl", {"s3cret"}}), ErrorCode::wrong_state);
  LoadDump load;
  load.path = stage_->store_dump("SELECT 1;\n");
  EXPECT_EQ(error_of(1, load), ErrorCode::wrong_state);
  EXPECT_EQ(must(1, GetServerState{}).gtid_binlog_pos, before);
  must(1, SetReadOnly{1, false});
  must(1, user("late"));
}

TEST_P(AgentContract, ADumpCanBeLoadedElsewhere) {
  must(1, primary(1));
  must(1, SetReadOnly{1, false});
  must(1, user("app"));
  const auto dump = ask(1, TakeDump{});
  ASSERT_TRUE(dump.has_value());
  EXPECT_EQ(dump.value().dump.find("s3cret"), std::string::npos) << "a password in a dump";
  must(3, primary(3));
  must(3, SetReadOnly{1, false});
  LoadDump load;
  load.path = stage_->store_dump(dump.value().dump);
  must(3, load);
  must(3, load);
  EXPECT_THAT(users(3), testing::Contains("app"));
}

TEST_P(AgentContract, AMissingDumpIsAnErrorAndChangesNothing) {
  must(1, primary(1));
  must(1, SetReadOnly{1, false});
  LoadDump load;
  load.path = "/no/such/dump.sql";
  EXPECT_NE(error_of(1, load), ErrorCode::unknown);
}

TEST_P(AgentContract, UsersOfAStoppedServerAreAWrongState) {
  EXPECT_EQ(error_of(1, GetUsers{}), ErrorCode::wrong_state);
}

// --- which manager ---

template <class Command>
AgentCommand of_generation(Command command, std::uint64_t generation) {
  command.generation = generation;
  return command;
}

TEST_P(AgentContract, TheHighestGenerationIsKept) {
  EXPECT_EQ(must(1, of_generation(GetServerState{}, 7)).generation, 7U);
  EXPECT_EQ(must(1, of_generation(GetServerState{}, 3)).generation, 7U);
}

TEST_P(AgentContract, ChangingCommandsOfAnOlderGenerationAreRefused) {
  make_pair();
  must(1, of_generation(GetServerState{}, 7));
  const std::vector<AgentCommand> changing{StartServer{1},
                                           StopServer{},
                                           RestartServer{},
                                           primary(1, 9),
                                           replica(1, 2, true, 9),
                                           StopReplica{9},
                                           SetReadOnly{9, true},
                                           user("late"),
                                           DeleteUser{"repl"},
                                           SetPassword{"repl", {"s3cret"}},
                                           LoadDump{"/no/such/dump.sql"}};
  for (const AgentCommand& command : changing) {
    AgentCommand old = command;
    set_generation(old, 6);
    EXPECT_EQ(error_of(1, old), ErrorCode::fenced) << agent_method(command);
  }
  const ServerState state = must(1, GetServerState{});
  EXPECT_FALSE(state.read_only) << "nothing was changed";
  EXPECT_EQ(state.epoch, 1U);
}

TEST_P(AgentContract, ReadingCommandsAreCarriedOutForAnyManager) {
  make_pair();
  must(1, of_generation(GetServerState{}, 7));
  must(1, of_generation(GetUsers{}, 2));
  must(1, of_generation(TakeDump{}, 2));
  must(1, of_generation(wait_for(""), 2));
}

TEST_P(AgentContract, TheNewestManagerIsObeyed) {
  must(1, of_generation(primary(1), 7));
  EXPECT_FALSE(must(1, of_generation(SetReadOnly{1, false}, 7)).read_only);
  EXPECT_TRUE(must(1, of_generation(SetReadOnly{1, true}, 8)).read_only);
  EXPECT_EQ(error_of(1, of_generation(SetReadOnly{1, false}, 7)), ErrorCode::fenced);
}

}  // namespace drover
