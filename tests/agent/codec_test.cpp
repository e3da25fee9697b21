// Commands, replies and errors as they travel.
#include "manager/ports/agent_codec.hpp"

#include <gtest/gtest.h>

namespace drover {
namespace {

SetUpReplica replica() {
  SetUpReplica c;
  c.epoch = 3;
  c.server_id = 2;
  c.source = {"127.0.0.1", 60001};
  c.source_port = 3307;
  c.clone = false;
  c.semi_sync = true;
  c.replication_user = "r'\"";
  c.replication_password.value = "p";
  c.log_file = "binlog.000001";
  c.log_position = 1ULL << 40U;
  c.generation = 9;
  return c;
}

TEST(AgentCodec, EveryCommandComesBackAsItWas) {
  WaitForGtid wait;
  wait.epoch = 1;
  wait.gtid = "0-1-2";
  wait.limit = 1500ms;
  const std::vector<AgentCommand> commands{GetServerState{1},
                                           StartServer{2, 3},
                                           StopServer{4},
                                           RestartServer{5},
                                           SetUpPrimary{1, 2, true, "u", {"p"}, 3},
                                           replica(),
                                           StopReplica{1, 2},
                                           SetReadOnly{1, false, 2},
                                           wait,
                                           GetUsers{1},
                                           ConfigureUser{"u", {"p"}, 1},
                                           DeleteUser{"u", 1},
                                           SetPassword{"u", {"p"}, 1},
                                           TakeDump{1}};
  for (const AgentCommand& command : commands) {
    const auto fields = encode_command(command);
    const auto back = decode_command(agent_method(command), fields);
    ASSERT_TRUE(back.has_value()) << back.error().message;
    EXPECT_EQ(back.value().index(), command.index());
    EXPECT_EQ(encode_command(back.value()), fields) << agent_method(command);
  }
}

TEST(AgentCodec, AMissingOrWrongFieldIsNamed) {
  auto fields = encode_command(replica());
  for (const auto& [name, value] : fields.items()) {
    auto without = fields;
    without.erase(name);
    const auto missing = decode_command("set_up_replica_slave", without);
    ASSERT_TRUE(missing.has_error());
    EXPECT_EQ(missing.error().code, ErrorCode::invalid);
    EXPECT_NE(missing.error().message.find(name), std::string::npos);
    auto wrong = fields;
    wrong[name] = nlohmann::json::array();
    EXPECT_TRUE(decode_command("set_up_replica_slave", wrong).has_error()) << name;
  }
  fields["source_port"] = 65536;
  EXPECT_TRUE(decode_command("set_up_replica_slave", fields).has_error()) << "out of range";
  EXPECT_EQ(decode_command("no_such", fields).error().code, ErrorCode::not_found);
  EXPECT_TRUE(decode_command("get_users", nlohmann::json()).has_error());
}

TEST(AgentCodec, AReplyComesBackAsItWas) {
  AgentReply reply;
  reply.state.instance_id = "i-1";
  reply.state.role = Role::replica;
  reply.state.replication.io = ThreadState::connecting;
  reply.state.replication.seconds_behind = -1;
  reply.state.queries = ~std::uint64_t{0};
  reply.state.busy = 1500ms;
  reply.users = {{"u", "%"}};
  const auto back = decode_reply(encode_reply(reply));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(encode_reply(back.value()), encode_reply(reply));
  EXPECT_EQ(back.value().state.busy, 1500ms);
  EXPECT_EQ(decode_reply(nlohmann::json::object()).error().code, ErrorCode::protocol);
}

TEST(AgentCodec, AnErrorComesBackAsItWas) {
  Error error = make_error(ErrorCode::fenced, "no", Effect::possible, Retry::later);
  error.retry_after = 3s;
  const Error back = decode_error(encode_error(error));
  EXPECT_EQ(back.code, error.code);
  EXPECT_EQ(back.effect, error.effect);
  EXPECT_EQ(back.retry, error.retry);
  EXPECT_EQ(back.retry_after, error.retry_after);
  EXPECT_EQ(back.message, error.message);
  const Error unclear = decode_error(nlohmann::json("what"));
  EXPECT_EQ(unclear.code, ErrorCode::protocol);
  EXPECT_EQ(unclear.effect, Effect::possible) << "who knows what it did";
}

}  // namespace
}  // namespace drover
