// What real servers and processes add to the contract.
#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "manager/system/net_stream.hpp"
#include "tests/agent/sql_client.hpp"
#include "tests/agent/stage.hpp"

namespace drover {
namespace {

using agent_test::SqlClient;

constexpr unsigned kReadOnly = 1290;

class RealNode : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string missing = agent_test::missing_programs(); !missing.empty()) GTEST_SKIP() << missing;
    nodes_ = std::make_unique<agent_test::RealNodes>(without_backup_);
  }
  Result<AgentReply> ask(unsigned node, const AgentCommand& command) {
    std::optional<Result<AgentReply>> answer;
    nodes_->agent().call(CallContext{"test", 60s}, nodes_->endpoint(node), command,
                         [&](Result<AgentReply> result) { answer.emplace(std::move(result)); });
    nodes_->run_until([&] { return answer.has_value(); }, 90s);
    if (!answer) return make_error(ErrorCode::timeout, "never answered");
    return std::move(*answer);
  }
  ServerState must(unsigned node, const AgentCommand& command) {
    auto reply = ask(node, command);
    if (reply) return std::move(reply).value().state;
    ADD_FAILURE() << agent_method(command) << " on node " << node << ": " << reply.error().message;
    return {};
  }
  void make_primary(unsigned node, std::uint64_t epoch = 1, bool semi_sync = false) {
    must(node, SetUpPrimary{epoch, node, semi_sync, "repl", {"s3cret-repl"}, 0});
    must(node, SetReadOnly{epoch, false, 0});
  }
  SetUpReplica replica(unsigned node, unsigned source, bool clone = true) {
    SetUpReplica command;
    command.epoch = 1;
    command.server_id = node;
    command.source = nodes_->endpoint(source);
    command.clone = clone;
    command.replication_user = "repl";
    command.replication_password.value = "s3cret-repl";
    return command;
  }
  SqlClient client(unsigned node) { return {agent_test::address_of(node), "app", "s3cret-app"}; }
  // A primary with a user, a table and a row.
  void make_service() {
    make_primary(1);
    must(1, ConfigureUser{"app", {"s3cret-app"}, 0});
    SqlClient app = client(1);
    ASSERT_EQ(app.run("CREATE DATABASE shop"), 0U) << app.message();
    ASSERT_EQ(app.run("CREATE TABLE shop.t (id INT PRIMARY KEY, word VARCHAR(20))"), 0U) << app.message();
    ASSERT_EQ(app.run("INSERT INTO shop.t VALUES (1, 'ü')"), 0U) << app.message();
  }
  void catch_up(unsigned node, unsigned source) {
    WaitForGtid wait;
    wait.epoch = 1;
    wait.gtid = must(source, GetServerState{}).gtid_binlog_pos;
    must(node, wait);
  }

  unsigned without_backup_ = 0;
  std::unique_ptr<agent_test::RealNodes> nodes_;
};

TEST_F(RealNode, AFenceEndsTheConnectionsThatCouldWrite) {
  make_service();
  SqlClient writer = client(1);
  ASSERT_EQ(writer.run("BEGIN"), 0U);
  ASSERT_EQ(writer.run("INSERT INTO shop.t VALUES (2, 'open')"), 0U);
  EXPECT_TRUE(must(1, SetReadOnly{1, true}).read_only);
  EXPECT_NE(writer.run("COMMIT"), 0U);
  SqlClient again = client(1);
  EXPECT_EQ(again.run("INSERT INTO shop.t VALUES (3, 'late')"), kReadOnly);
  EXPECT_EQ(again.value("SELECT COUNT(*) FROM shop.t"), "1");
}

TEST_F(RealNode, AFenceDoesNotWaitForWhoeverHoldsATable) {
  make_service();
  SqlClient holder = client(1);
  ASSERT_EQ(holder.run("LOCK TABLES shop.t WRITE"), 0U);
  EXPECT_TRUE(must(1, SetReadOnly{1, true}).read_only);
  EXPECT_NE(holder.run("INSERT INTO shop.t VALUES (2, 'late')"), 0U);
}

TEST_F(RealNode, AReplicaTakesNoWritesOfClients) {
  make_service();
  must(2, replica(2, 1));
  SqlClient app = client(2);
  EXPECT_EQ(app.value("SELECT word FROM shop.t"), "ü") << app.message();
  EXPECT_EQ(app.run("INSERT INTO shop.t VALUES (2, 'errant')"), kReadOnly);
  SqlClient writer = client(1);
  ASSERT_EQ(writer.run("INSERT INTO shop.t VALUES (2, 'proper')"), 0U);
  catch_up(2, 1);
  EXPECT_EQ(app.value("SELECT COUNT(*) FROM shop.t"), "2");
}

TEST_F(RealNode, QueriesOfClientsAreCountedAndTimed) {
  make_service();
  must(2, replica(2, 1));
  const ServerState before = must(1, GetServerState{});
  SqlClient app = client(1);
  ASSERT_EQ(app.run("SELECT SLEEP(0.2)"), 0U) << app.message();
  ASSERT_EQ(app.run("INSERT INTO shop.t VALUES (2, 'two')"), 0U) << app.message();
  catch_up(2, 1);
  const ServerState after = must(1, GetServerState{});
  EXPECT_EQ(after.queries - before.queries, 2U) << "the agent's questions and the replica's are no client's";
  EXPECT_GE(after.busy - before.busy, 200ms);
  EXPECT_LT(after.busy - before.busy, 10s) << "a replica's connection is no query";
  SqlClient stranger(agent_test::address_of(1), "app", "wrong");
  EXPECT_GT(must(1, GetServerState{}).errors, after.errors);
}

TEST_F(RealNode, AnAgentThatComesBackFindsItsServerAndItsState) {
  make_primary(1, 7);
  const pid_t server = nodes_->server(1);
  nodes_->end_agent(1);
  nodes_->start_agent(1);
  EXPECT_EQ(nodes_->server(1), server);
  const ServerState state = must(1, GetServerState{});
  EXPECT_TRUE(state.running);
  EXPECT_FALSE(state.read_only) << "nothing was restarted";
  EXPECT_EQ(state.role, Role::primary);
  EXPECT_EQ(state.epoch, 7U);
}

TEST_F(RealNode, AKilledServerIsSeenAndComesBackReadOnlyWithTheAgent) {
  make_service();
  ::kill(nodes_->server(1), SIGKILL);
  EXPECT_TRUE(nodes_->run_until([&] { return !must(1, GetServerState{}).running; }, 10s));
  EXPECT_TRUE(must(1, SetReadOnly{2, true}).epoch == 2U) << "a fence of a dead server succeeds";
  nodes_->end_agent(1);
  nodes_->start_agent(1);
  const ServerState state = must(1, GetServerState{});
  EXPECT_TRUE(state.running);
  EXPECT_TRUE(state.read_only);
  EXPECT_EQ(client(1).value("SELECT COUNT(*) FROM shop.t"), "1");
}

TEST_F(RealNode, AHungServerIsADatabaseError) {
  make_primary(1);
  nodes_->freeze_server(1);
  const auto reply = ask(1, GetServerState{});
  ::kill(nodes_->server(1), SIGCONT);
  ASSERT_TRUE(reply.has_error());
  EXPECT_EQ(reply.error().code, ErrorCode::database);
  EXPECT_THAT(reply.error().message, testing::HasSubstr("2013"));
  EXPECT_TRUE(must(1, GetServerState{}).running);
}

TEST_F(RealNode, AHungServerCanBeStopped) {
  make_primary(1);
  nodes_->freeze_server(1);
  EXPECT_FALSE(must(1, StopServer{}).running);
}

TEST_F(RealNode, SemiSyncIsActiveWithAReplica) {
  make_primary(1, 1, true);
  SetUpReplica command = replica(2, 1);
  command.semi_sync = true;
  must(2, command);
  EXPECT_TRUE(nodes_->run_until([&] { return must(1, GetServerState{}).semi_sync_active; }, 20s));
}

TEST_F(RealNode, NoPasswordReachesALogOrAFileButTheSources) {
  make_service();
  must(2, replica(2, 1));
  must(1, SetPassword{"app", {"s3cret-new"}, 0});
  catch_up(2, 1);
  EXPECT_THAT(nodes_->log(), testing::Not(testing::HasSubstr("s3cret")));
  for (const unsigned node : {1U, 2U})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(nodes_->folder(node))) {
      // Where MariaDB keeps what a replica logs in with.
      if (!entry.is_regular_file() || entry.path().filename() == "master.info") continue;
      std::ifstream file(entry.path(), std::ios::binary);
      std::ostringstream text;
      text << file.rdbuf();
      EXPECT_EQ(text.str().find("s3cret"), std::string::npos) << entry.path();
    }
}

TEST_F(RealNode, ADumpHoldsTheDataAndRunsNoProgram) {
  make_service();
  auto dump = ask(1, TakeDump{});
  ASSERT_TRUE(dump.has_value()) << dump.error().message;
  make_primary(3);
  const std::string witness = nodes_->folder(3) + "/witness";
  must(3, LoadDump{nodes_->store_dump(dump.value().dump), 0});
  EXPECT_EQ(client(3).value("SELECT word FROM shop.t"), "ü");
  (void)ask(
      3, LoadDump{nodes_->store_dump("\\! touch " + witness + "\nsystem touch " + witness + "\nSELECT 1;\n"),
                  0});
  EXPECT_FALSE(std::filesystem::exists(witness));
  const auto broken = ask(3, LoadDump{nodes_->store_dump("SELECT 1;\nNO SQL;\n"), 0});
  ASSERT_TRUE(broken.has_error());
  EXPECT_EQ(broken.error().code, ErrorCode::database);
  EXPECT_THAT(broken.error().message, testing::StartsWith("1064"));
}

TEST_F(RealNode, ReplicationFromAFileAndAPosition) {
  make_primary(1);
  const ServerState source = must(1, GetServerState{});
  must(1, ConfigureUser{"app", {"s3cret-app"}, 0});
  SetUpReplica command = replica(2, 1, false);
  command.log_file = source.binlog_file;
  command.log_position = source.binlog_position;
  must(2, command);
  EXPECT_TRUE(nodes_->run_until(
      [&] {
        auto users = ask(2, GetUsers{});
        return users.has_value() && users.value().users.size() == 1;
      },
      20s));
}

TEST_F(RealNode, AWrongTokenIsRefused) {
  HttpAgent stranger(nodes_->io(), nodes_->pump(), Secret{"a guess"});
  std::optional<Result<AgentReply>> answer;
  stranger.call(CallContext{}, nodes_->endpoint(1), StopServer{},
                [&](Result<AgentReply> result) { answer.emplace(std::move(result)); });
  ASSERT_TRUE(nodes_->run_until([&] { return answer.has_value(); }, 20s));
  ASSERT_TRUE(answer->has_error());
  EXPECT_EQ(answer->error().code, ErrorCode::unauthenticated);
  EXPECT_EQ(answer->error().effect, Effect::none);
}

TEST_F(RealNode, AnAnswerThatIsLostMayHaveHadAnEffect) {
  const auto listening = system::listen_on(agent_test::address_of(9), 60000);
  ASSERT_TRUE(listening.has_value());
  std::optional<Result<AgentReply>> answer;
  nodes_->agent().call(CallContext{"test", 500ms}, nodes_->nobody(), StopServer{},
                       [&](Result<AgentReply> result) { answer.emplace(std::move(result)); });
  ASSERT_TRUE(nodes_->run_until([&] { return answer.has_value(); }, 20s));
  ASSERT_TRUE(answer->has_error());
  EXPECT_EQ(answer->error().code, ErrorCode::timeout);
  EXPECT_EQ(answer->error().effect, Effect::possible);
}

class WithoutBackup : public RealNode {
 protected:
  WithoutBackup() { without_backup_ = 1; }
};

TEST_F(WithoutBackup, ACloneIsMadeByADump) {
  make_service();
  must(2, replica(2, 1));
  SqlClient writer = client(1);
  ASSERT_EQ(writer.run("INSERT INTO shop.t VALUES (2, 'later')"), 0U);
  catch_up(2, 1);
  EXPECT_EQ(client(2).value("SELECT COUNT(*) FROM shop.t"), "2");
  EXPECT_THAT(nodes_->log(), testing::HasSubstr("trying mariadb-dump"));
}

}  // namespace
}  // namespace drover
