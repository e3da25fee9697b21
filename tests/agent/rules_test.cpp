// What the agent decides, without a server.
#include "manager/agent/rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace drover::agent {
namespace {

GtidPosition position(std::string_view text) { return parse_gtid_position(text).value(); }

TEST(GtidPositions, AreReadAndWritten) {
  EXPECT_TRUE(position("").empty());
  EXPECT_EQ(to_text(position("7-2-3,0-1-100")), "0-1-100,7-2-3");
  EXPECT_EQ(to_text(position("0-1-100,0-2-99")), "0-1-100") << "the highest of a domain";
  for (const char* wrong : {"0-1", "0-1-", "0-1-2,", ",0-1-2", "0-1-2 ", "a-1-2", "0-1-2;", "0-1-'; DROP"})
    EXPECT_FALSE(parse_gtid_position(wrong)) << wrong;
}

TEST(GtidPositions, AreMergedByDomain) {
  EXPECT_EQ(to_text(merged(position("0-1-5,1-1-1"), position("0-2-7,2-1-1"))), "0-2-7,1-1-1,2-1-1");
}

TEST(Fencing, KeepsTheHighestGenerationAndRefusesChangesOfOlderOnes) {
  AgentState state;
  EXPECT_TRUE(admit_generation(state, StopServer{7}, "n").has_value());
  EXPECT_EQ(state.generation, 7U);
  EXPECT_EQ(admit_generation(state, StopServer{6}, "n").error().code, ErrorCode::fenced);
  EXPECT_TRUE(admit_generation(state, GetServerState{6}, "n").has_value()) << "reading changes nothing";
  EXPECT_EQ(state.generation, 7U);
}

TEST(Fencing, RefusesAnOlderEpoch) {
  AgentState state;
  EXPECT_TRUE(admit_epoch(state, 3, "n").has_value());
  EXPECT_TRUE(admit_epoch(state, 3, "n").has_value());
  EXPECT_EQ(admit_epoch(state, 2, "n").error().code, ErrorCode::wrong_state);
  EXPECT_EQ(state.epoch, 3U);
}

TEST(State, SurvivesItsFile) {
  AgentState state;
  state.epoch = 12;
  state.generation = 3;
  state.role = Role::replica;
  state.server_wanted = state.clone_unfinished = state.semi_sync_replica = true;
  state.server_id = 9;
  EXPECT_EQ(decode_state(encode_state(state)).value(), state);
}

TEST(State, ADamagedFileIsNeverAFreshAgent) {
  const std::string whole = encode_state(AgentState{});
  for (const std::string& text : {std::string(), whole.substr(0, whole.size() / 2), std::string("{}"),
                                  std::string(R"({"version": 2})")})
    EXPECT_EQ(decode_state(text).error().code, ErrorCode::storage) << text;
}

TEST(ReplicationStatus, TellsNullApartFromZero) {
  NamedRow row{{"Master_Host", "127.0.0.9"}, {"Slave_IO_Running", "Connecting"},
               {"Slave_SQL_Running", "Yes"}, {"Last_IO_Errno", "2003"},
               {"Last_IO_Error", "no"},      {"Master_Port", "3307"}};
  ReplicationState state = replication_of(row);
  EXPECT_TRUE(state.configured);
  EXPECT_EQ(state.io, ThreadState::connecting);
  EXPECT_EQ(state.io_errno, 2003);
  EXPECT_EQ(state.source_port, 3307);
  EXPECT_EQ(state.seconds_behind, -1);
  EXPECT_EQ(state.source_server_id, 0);
  row["Master_Server_Id"] = "7";
  EXPECT_EQ(replication_of(row).source_server_id, 7);
  row["Seconds_Behind_Master"] = "0";
  EXPECT_EQ(replication_of(row).seconds_behind, 0);
  EXPECT_FALSE(replication_of({}).configured);
}

TEST(Connection, IsJudgedByTheIoThread) {
  ReplicationState state;
  Error error;
  state.io = ThreadState::connecting;
  EXPECT_EQ(judge_connection(state, false, "n", "s", error), Connecting::wait);
  EXPECT_EQ(judge_connection(state, true, "n", "s", error), Connecting::failed);
  EXPECT_EQ(error.code, ErrorCode::unavailable);
  state.io_errno = 1045;
  EXPECT_EQ(judge_connection(state, false, "n", "s", error), Connecting::failed);
  EXPECT_EQ(error.code, ErrorCode::database);
  EXPECT_EQ(error.effect, Effect::possible);
  state.io_errno = 2013;
  EXPECT_EQ(judge_connection(state, false, "n", "s", error), Connecting::wait) << "may come back";
  state.io = ThreadState::yes;
  EXPECT_EQ(judge_connection(state, false, "n", "s", error), Connecting::done);
}

TEST(Backups, TellTheirPositionInTheLastField) {
  EXPECT_EQ(backup_position("binlog.000001\t1234\t0-1-5\n"), "0-1-5");
  EXPECT_EQ(backup_position("binlog.000001\t1234\t\n"), "");
  EXPECT_EQ(backup_position("binlog.000001\t1234\n"), "");
  EXPECT_EQ(backup_position("something else"), std::nullopt);
  EXPECT_EQ(backup_position("binlog.000001\t1234\tnonsense\n"), std::nullopt);
}

TEST(Configuration, EveryStartIsReadOnlyAndReplicatesByGtid) {
  AgentSettings settings;
  settings.folder = "/folder";
  settings.address = "127.0.0.9";
  AgentState state;
  state.server_id = 42;
  state.semi_sync_primary = true;
  const std::string text = server_configuration(settings, state, false);
  for (const char* line :
       {"read_only=1\n", "gtid_strict_mode=1\n", "server_id=42\n", "bind_address=127.0.0.9\n",
        "log_slave_updates=1\n", "rpl_semi_sync_master_enabled=ON\n"})
    EXPECT_THAT(text, testing::HasSubstr(line));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("user=root")));
}

TEST(UserNames, HaveOneTo128Bytes) {
  EXPECT_TRUE(check_user_name("a'; --").has_value());
  EXPECT_TRUE(check_user_name("").has_error());
  EXPECT_TRUE(check_user_name(std::string(129, 'x')).has_error());
}

}  // namespace
}  // namespace drover::agent
