// The server ends, politely or not, and another goes on from its files.
#include <csignal>
#include <map>

#include "tests/serve/serve_fixture.hpp"

namespace drover::serve_test {
namespace {

class Restart : public Serve {
 protected:
  DroverProcess& start_again(const std::string& time_scale = "1000") {
    return start({"--journal", scratch_.path("journal"), "--db", scratch_.path("cloud")}, time_scale);
  }
  json operation(const std::string& id) const { return get("get_operation", {{"id", id}}); }
  void kill_server() {
    server_->send_signal(SIGKILL);
    EXPECT_EQ(server_->wait(), 128 + SIGKILL);
  }
};

TEST_F(Restart, AnOperationGoesOnAfterAKill) {
  start_again("1");  // nothing boots before the kill
  const std::string id = add_nodes(3, "three")["result"]["operation"];
  kill_server();
  start_again();
  EXPECT_TRUE(settles_with_nodes(server_->port(), 3));
  EXPECT_EQ(operation(id)["result"]["operation"]["state"], "DONE");
}

TEST_F(Restart, AKeyGivesTheSameOperationAfterAKill) {
  start_again("1");
  const std::string id = add_nodes(2, "two")["result"]["operation"];
  kill_server();
  start_again();
  EXPECT_EQ(add_nodes(2, "two")["result"]["operation"], id);
  EXPECT_TRUE(settles_with_nodes(server_->port(), 2));
}

TEST_F(Restart, NodesAreTheSameAfterAPoliteEnd) {
  start_again();
  add_nodes(2, "two");
  ASSERT_TRUE(settles_with_nodes(server_->port(), 2));
  const json before = get("list_nodes");
  server_->send_signal(SIGTERM);
  ASSERT_EQ(server_->wait(), 0) << server_->err();
  start_again();
  EXPECT_TRUE(settles_with_nodes(server_->port(), 2));
  EXPECT_EQ(get("list_nodes"), before);
}

TEST_F(Restart, AMasterWithSlavesIsOneAgainAfterAKill) {
  start_again();
  add_nodes(2, "two");
  ASSERT_TRUE(settles_with_nodes(server_->port(), 2));
  ASSERT_TRUE(post("set_up_replica_master", {{"id", "1"}}).contains("result"));
  ASSERT_TRUE(post("set_up_replica_slave", {{"id", "2"}}).contains("result"));
  ASSERT_TRUE(eventually([&] {
    return get("get_node_info", {{"serviceNodeId", "2"}})["result"]["serviceNode"]["role"] == "slave";
  }));
  ASSERT_TRUE(settles_with_nodes(server_->port(), 2));
  kill_server();
  start_again();
  EXPECT_TRUE(settles_with_nodes(server_->port(), 2));
  EXPECT_EQ(get("get_topology")["result"]["master"], "1");
}

TEST_F(Restart, ASecondSignalEndsAtOnce) {
  start();
  HttpClient under_way(server_->port());  // keeps the polite end waiting
  under_way.send(
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{");
  ASSERT_TRUE(get("list_nodes").contains("result"));
  server_->send_signal(SIGINT);
  ASSERT_TRUE(eventually([&] { return server_->err().find("second signal") != std::string::npos; }));
  server_->send_signal(SIGTERM);
  EXPECT_THAT(server_->wait(), testing::AnyOf(128 + SIGTERM, 0));
}

TEST_F(Restart, ASecondManagerOnTheSameJournalIsRefused) {
  start_again();
  const Outcome second =
      run_drover({"serve", "--listen", "127.0.0.1:0", "--journal", scratch_.path("journal")});
  EXPECT_EQ(second.exit_code, 4);
  EXPECT_THAT(second.err, testing::HasSubstr("another manager"));
}

TEST_F(Restart, ASecondServerOnTheSameCloudIsRefused) {
  start_again();
  const Outcome second = run_drover({"serve", "--listen", "127.0.0.1:0", "--db", scratch_.path("cloud")});
  EXPECT_EQ(second.exit_code, 4);
  EXPECT_THAT(second.err, testing::HasSubstr("another drover serve"));
}

TEST_F(Restart, AFaultThatHasHappenedDoesNotHappenAgain) {
  const std::string faults = scratch_.write(
      "faults.yaml", "schema: 1\nname: f\nfaults:\n  - {when: iaas.newInstance.before#1, do: quota}\n");
  const std::vector<std::string> files{
      "--journal", scratch_.path("journal"), "--db", scratch_.path("cloud"), "--faults", faults};
  start(files);
  const auto ended = [&](const json& id) {
    std::string state;
    EXPECT_TRUE(eventually([&] {
      state = operation(id)["result"]["operation"]["state"];
      return state == "DONE" || state == "FAILED";
    }));
    return state;
  };
  ASSERT_EQ(ended(add_nodes(1, "first")["result"]["operation"]), "FAILED");
  server_->send_signal(SIGTERM);
  ASSERT_EQ(server_->wait(), 0) << server_->err();
  start(files);
  EXPECT_EQ(ended(add_nodes(1, "second")["result"]["operation"]), "DONE");
}

// Kills at many moments; every operation that was acknowledged is there afterwards, and ends.
TEST_F(Restart, NoAcknowledgedOperationIsLostInTwentyKills) {
  std::map<std::string, std::string> acknowledged;  // key -> operation
  for (int round = 0; round < 20; ++round) {
    start_again();
    for (const auto& [key, id] : acknowledged)
      EXPECT_EQ(operation(id)["result"]["operation"]["key"], key) << "after kill " << round;
    const std::string key = "round-" + std::to_string(round);
    acknowledged[key] = add_nodes(1, key)["result"]["operation"];
    for (int i = 0; i < round; ++i) ASSERT_TRUE(get("get_service_info").contains("result"));
    if (round % 4 == 3) {
      server_->send_signal(SIGTERM);
      EXPECT_EQ(server_->wait(), 0) << server_->err();
    } else {
      kill_server();
    }
  }
  start_again();
  EXPECT_TRUE(settles_with_nodes(server_->port(), acknowledged.size()));
  for (const auto& [key, id] : acknowledged)
    EXPECT_EQ(operation(id)["result"]["operation"]["state"], "DONE") << key;
}

}  // namespace
}  // namespace drover::serve_test
