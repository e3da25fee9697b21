// The whole: `drover serve --cloud local`, called as a client calls it, with real servers behind it.
#include <gmock/gmock.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "manager/agent/database.hpp"
#include "manager/system/child_process.hpp"
#include "tests/agent/service_client.hpp"
#include "tests/agent/stage.hpp"

namespace drover {
namespace {

using agent_test::ServiceClient;
using agent_test::SqlClient;
using nlohmann::json;
using testing_support::DroverProcess;
using testing_support::eventually;

class ServeLocal : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string missing = agent_test::missing_programs(); !missing.empty()) GTEST_SKIP() << missing;
    // So that no data directory has to be made anew.
    std::filesystem::create_directory(scratch_.path("vms"));
    std::filesystem::copy(agent_test::template_folder(), scratch_.path("vms/template"),
                          std::filesystem::copy_options::recursive);
    start();
  }
  void TearDown() override {
    if (!server_) return;
    if (HasFailure()) std::cerr << server_->err();
    server_->send_signal(SIGTERM);
    EXPECT_EQ(server_->wait(), 0) << server_->err();
    server_.reset();
    EXPECT_TRUE(system::processes_with(scratch_.path("vms")).empty()) << "something was left behind";
  }
  void start() {
    scratch_.write("drover.yaml", configuration_);
    server_ = std::make_unique<DroverProcess>(std::vector<std::string>{
        "serve", "--config", scratch_.path("drover.yaml"), "--cloud", "local", "--listen", "127.0.0.1:0",
        "--state-dir", scratch_.path("vms"), "--journal", scratch_.path("journal")});
    ASSERT_NE(server_->wait_until_listening(), 0) << server_->err();
  }
  ServiceClient service() const { return ServiceClient(server_->port()); }
  json get(const std::string& method, const json& params = json::object()) const {
    return service().get(method, params);
  }
  json done(const std::string& method, const json& params) const { return service().done(method, params); }
  json node(const std::string& id) const { return service().node(id); }
  std::string address(const std::string& id) const { return service().address(id); }
  SqlClient client(const std::string& id) const { return service().sql(id); }
  // One master with two slaves, a user and a table.
  void make_service() {
    done("add_nodes", {{"count", 3}});
    ASSERT_NO_FATAL_FAILURE(service().make_master());
    done("set_up_replica_slave", {{"id", "2"}});
    done("set_up_replica_slave", {{"id", "3"}});
  }
  bool has_rows(const std::string& id, const std::string& count) const {
    return service().has_rows(id, count);
  }

  // Sends a signal to the database server of a node.
  void hit(const std::string& id, int number) const {
    std::ifstream file(scratch_.path("vms/" + node(id)["vm"].get<std::string>() + "/mysqld.pid"));
    pid_t pid = 0;
    ASSERT_TRUE(file >> pid) << "no server on node " << id;
    ASSERT_EQ(::kill(pid, number), 0);
  }
  // As an administrator of the node does it.
  void stop_receiving(const std::string& id) const {
    const std::string socket = scratch_.path("vms/" + node(id)["vm"].get<std::string>() + "/mysqld.sock");
    auto root = agent::Connection::open({socket, ::getpwuid(::geteuid())->pw_name}, 5s, 5s);
    ASSERT_TRUE(root.has_value()) << root.error().message;
    const auto stopped = root.value()->run("STOP SLAVE IO_THREAD");
    ASSERT_TRUE(stopped.has_value()) << stopped.error().message;
  }
  // The id of the master once it is another than `former`, and takes writes.
  std::string next_master(const std::string& former) const {
    std::string id;
    EXPECT_TRUE(eventually([&] {
      const json master = get("get_topology")["result"]["master"];
      if (!master.is_string() || master == former) return false;
      id = master.get<std::string>();
      return client(id).value("SELECT @@read_only") == "0";
    })) << "nobody took over from node "
        << former;
    return id;
  }

  std::string configuration_ = "manager: {}\n";
  testing_support::ScratchFolder scratch_;
  std::unique_ptr<DroverProcess> server_;
};

TEST_F(ServeLocal, AServiceIsBuiltReplicatesIsSwitchedOverAndShrinks) {
  make_service();
  SqlClient master = client("1");
  ASSERT_EQ(master.run("INSERT INTO shop.t VALUES (2)"), 0U) << master.message();
  EXPECT_TRUE(has_rows("2", "2"));
  EXPECT_TRUE(has_rows("3", "2"));

  done("promote", {{"id", "2"}});
  EXPECT_EQ(get("get_topology")["result"]["master"], "2");
  SqlClient promoted = client("2");
  EXPECT_EQ(promoted.run("INSERT INTO shop.t VALUES (3)"), 0U) << promoted.message();
  EXPECT_TRUE(has_rows("1", "3")) << "the former master replicates";
  EXPECT_TRUE(has_rows("3", "3"));
  SqlClient former = client("1");
  EXPECT_EQ(former.run("INSERT INTO shop.t VALUES (4)"), 1290U) << "the former master takes no writes";

  const std::string removed = address("3");
  done("remove_nodes", {{"serviceNodeId", "3"}});
  EXPECT_EQ(get("list_nodes")["result"]["serviceNode"], json({"1", "2"}));
  EXPECT_TRUE(eventually([&] { return SqlClient(removed, "app", "s3cret-app").error() != 0; }));
  EXPECT_TRUE(has_rows("1", "3"));
  EXPECT_THAT(server_->err(), testing::Not(testing::HasSubstr("s3cret")));
}

TEST_F(ServeLocal, AKilledManagerFindsItsNodesAgain) {
  make_service();
  const std::string master = address("1");
  SqlClient app = client("1");
  server_->send_signal(SIGKILL);
  EXPECT_EQ(server_->wait(), 128 + SIGKILL);
  EXPECT_EQ(app.run("INSERT INTO shop.t VALUES (2)"), 0U) << "nodes go on without a manager";
  start();
  ASSERT_TRUE(testing_support::settles_with_nodes(server_->port(), 3));
  EXPECT_EQ(get("get_topology")["result"]["master"], "1");
  EXPECT_EQ(address("1"), master);
  EXPECT_EQ(app.run("INSERT INTO shop.t VALUES (3)"), 0U) << "the same server: " << app.message();
  done("promote", {{"id", "3"}});
  EXPECT_EQ(client("3").run("INSERT INTO shop.t VALUES (4)"), 0U);
  EXPECT_TRUE(has_rows("1", "4"));
}

class ServeLocalSemiSync : public ServeLocal {
 protected:
  void SetUp() override {
    configuration_ = "manager: {durability: semi_sync}\n";
    ServeLocal::SetUp();
  }
};

TEST_F(ServeLocalSemiSync, AMasterWithoutASlaveMakesAUserWhenItHasWaited) {
  done("add_nodes", {{"count", 1}});
  done("set_up_replica_master", {{"id", "1"}});
  const json made =
      testing_support::call_api(server_->port(), "POST", "configure_user",
                                {{"serviceNodeId", "1"}, {"username", "app"}, {"password", "s3cret-app"}});
  EXPECT_TRUE(made["error"].is_null()) << made.dump();
  EXPECT_EQ(client("1").error(), 0U);
}

class ServeLocalFailover : public ServeLocal {
 protected:
  std::string told() const { return scratch_.path("told"); }
  void SetUp() override {
    const std::string hook = scratch_.write("hook", "#!/bin/sh\necho \"$@\" >> " + told() + "\n");
    std::filesystem::permissions(hook, std::filesystem::perms::owner_all);
    configuration_ = "manager: {poll_agents_timer: 1s, failover: {automatic: yes, pause: 0s}}\n";
    configuration_ += "failover_hooks: {before: " + hook + ", after: " + hook + "}\n";
    ServeLocal::SetUp();
  }
};

TEST_F(ServeLocalFailover, AKilledMasterIsReplacedAndComesBackAsASlave) {
  make_service();
  SqlClient app = client("1");
  for (int row = 2; row <= 50; ++row)
    ASSERT_EQ(app.run("INSERT INTO shop.t VALUES (" + std::to_string(row) + ")"), 0U) << app.message();
  // An asynchronous write may be lost with its master: these have arrived.
  ASSERT_TRUE(has_rows("2", "50"));
  ASSERT_TRUE(has_rows("3", "50"));

  hit("1", SIGKILL);
  const std::string second = next_master("1");
  ASSERT_EQ(client(second).value("SELECT COUNT(*) FROM shop.t"), "50");
  ASSERT_EQ(client(second).run("INSERT INTO shop.t VALUES (51)"), 0U);
  for (const char* id : {"1", "2", "3"}) EXPECT_TRUE(has_rows(id, "51")) << "node " << id;
  EXPECT_EQ(client("1").run("INSERT INTO shop.t VALUES (52)"), 1290U) << "the former master takes no writes";

  std::ifstream hooks(told());
  std::string begin, end;
  std::getline(hooks, begin);
  std::getline(hooks, end);
  EXPECT_THAT(begin, testing::MatchesRegex("begin [0-9]+ 1 127[0-9.]+ [23] 127[0-9.]+ "));
  EXPECT_THAT(end, testing::StartsWith("end ")) << begin;
  EXPECT_THAT(end, testing::HasSubstr(" " + second + " " + address(second)));

  // The next one: stopped, not ended.
  hit(second, SIGSTOP);
  const std::string third = next_master(second);
  ASSERT_EQ(client(third).run("INSERT INTO shop.t VALUES (52)"), 0U);
  for (const char* id : {"1", "2", "3"}) EXPECT_TRUE(has_rows(id, "52")) << "node " << id;
  EXPECT_EQ(client(second).run("INSERT INTO shop.t VALUES (53)"), 1290U);
  EXPECT_GE(get("get_topology")["result"]["epoch"].get<int>(), 3);
}

TEST_F(ServeLocalFailover, AFormerMasterWithItsOwnTransactionsIsRefusedAndSaysWhich) {
  make_service();
  // Written where no slave can see it: with an administrator's rights, the slaves cut off.
  for (const char* id : {"2", "3"}) stop_receiving(id);
  ASSERT_EQ(client("1").run("INSERT INTO shop.t VALUES (666)"), 0U);
  hit("1", SIGKILL);
  const std::string master = next_master("1");
  ASSERT_EQ(client(master).run("INSERT INTO shop.t VALUES (2)"), 0U);
  json former;
  ASSERT_TRUE(eventually([&] {
    former = node("1");
    return former.contains("errant_transactions");
  })) << former;
  EXPECT_THAT(former["errant_transactions"].get<std::string>(), testing::HasSubstr("0-1-"));
  EXPECT_EQ(client("1").run("INSERT INTO shop.t VALUES (3)"), 1290U);
  EXPECT_EQ(client("1").value("SELECT COUNT(*) FROM shop.t WHERE id = 666"), "1") << "its data is left alone";
  done("set_up_replica_slave", {{"id", "1"}});
  EXPECT_TRUE(has_rows("1", "2"));
  EXPECT_FALSE(node("1").contains("errant_transactions"));
}

}  // namespace
}  // namespace drover
