// What serve and doctor say about their command line, their configuration and their surroundings.
#include <csignal>

#include "tests/serve/serve_fixture.hpp"

namespace drover::serve_test {
namespace {

using testing::HasSubstr;

class CommandLine : public Serve {};

TEST_F(CommandLine, ARealCloudNeedsAnAccount) {
  const Outcome ended = run_drover(
      {"serve", "--cloud", "opennebula", "--listen", "127.0.0.1:0", "--journal", scratch_.path("j")});
  EXPECT_EQ(ended.exit_code, 4);
  EXPECT_THAT(ended.err, HasSubstr("opennebula.auth_file"));
}

TEST_F(CommandLine, ATakenPortIsToldWithWhatToDo) {
  start();
  const Outcome ended = run_drover({"serve", "--listen", "127.0.0.1:" + std::to_string(server_->port())});
  EXPECT_EQ(ended.exit_code, 4);
  EXPECT_THAT(ended.err, HasSubstr("--listen"));
}

TEST_F(CommandLine, AnAddressWithoutAPortIsWrongUse) {
  EXPECT_EQ(run_drover({"serve", "--listen", "127.0.0.1"}).exit_code, 2);
}

TEST_F(CommandLine, AnUnknownKeyIsToldWithItsPlaceAndTheNearest) {
  const std::string config = scratch_.write("serve.yaml", "seed: 1\nmanager:\n  boot_timeot: 5m\n");
  const Outcome ended = run_drover({"serve", "--config", config});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("serve.yaml:3:3: "));
  EXPECT_THAT(ended.err, HasSubstr("did you mean \"boot_timeout\"?"));
}

TEST_F(CommandLine, AWrongValueIsToldWithItsPlace) {
  const std::string config = scratch_.write("serve.json", R"({"time_scale": 0, "listen": "nowhere"})");
  const Outcome ended = run_drover({"serve", "--config", config});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("serve.json:1:16: time_scale"));
  EXPECT_THAT(ended.err, HasSubstr("listen takes ADDR:PORT"));
}

TEST_F(CommandLine, AMissingConfigurationIsWrongUse) {
  EXPECT_EQ(run_drover({"serve", "--config", scratch_.path("nothing.yaml")}).exit_code, 2);
}

TEST_F(CommandLine, AMissingFolderOfTheJournalIsTold) {
  const Outcome ended =
      run_drover({"serve", "--listen", "127.0.0.1:0", "--journal", scratch_.path("nowhere/journal")});
  EXPECT_EQ(ended.exit_code, 4);
  EXPECT_THAT(ended.err, HasSubstr("nowhere/journal"));
}

TEST_F(CommandLine, TheConfigurationIsUsed) {
  const std::string config = scratch_.write("serve.yaml",
                                            "time_scale: 1000\nmock_cloud: {quota: {instances: 1}}\nmanager: "
                                            "{retry: {attempts: 1}, max_queued: 0}\n");
  server_ = std::make_unique<DroverProcess>(
      std::vector<std::string>{"serve", "--listen", "127.0.0.1:0", "--config", config});
  ASSERT_NE(server_->wait_until_listening(), 0) << server_->err();
  ASSERT_TRUE(settles_with_nodes(server_->port(), 0));
  EXPECT_THAT(post("add_nodes", {{"count", 1}})["data"].dump(), HasSubstr("too many operations"));
}

TEST_F(CommandLine, AMissingSecretIsTold) {
  const std::string config =
      scratch_.write("serve.yaml", "replication_password_env: DROVER_TEST_NO_SUCH_VARIABLE\n");
  const Outcome ended = run_drover({"serve", "--listen", "127.0.0.1:0", "--config", config});
  EXPECT_EQ(ended.exit_code, 4);
  EXPECT_THAT(ended.err, HasSubstr("DROVER_TEST_NO_SUCH_VARIABLE"));
}

TEST_F(CommandLine, FaultsThatServeCannotMakeAreNamed) {
  const std::string faults = scratch_.write(
      "faults.yaml", "schema: 1\nname: f\nfaults:\n  - {at: 5m, do: manager.crash, restart: 10s}\n");
  const Outcome ended = run_drover({"serve", "--listen", "127.0.0.1:0", "--faults", faults});
  EXPECT_EQ(ended.exit_code, 4);
  EXPECT_THAT(ended.err, HasSubstr("manager.crash"));
}

TEST_F(CommandLine, FaultsOfCallsHappen) {
  const std::string faults = scratch_.write(
      "faults.yaml", "schema: 1\nname: f\nfaults:\n  - {when: iaas.newInstance.before, do: quota}\n");
  start({"--faults", faults});
  const json id = add_nodes(1, "one")["result"]["operation"];
  EXPECT_TRUE(eventually([&] {
    return get("get_operation", {{"id", id}})["result"]["operation"]["state"] == "FAILED";
  }));
}

TEST_F(CommandLine, FaultsOfMachinesHappen) {
  const std::string faults = scratch_.write(
      "faults.yaml",
      "schema: 1\nname: f\nfaults:\n"
      "  - {when: node.RUNNING, subject: node-2, do: agent.crash, target: node-2, restart: never}\n");
  start({"--faults", faults});
  add_nodes(2, "two");
  EXPECT_TRUE(eventually([&] {
    return get("get_node_info", {{"serviceNodeId", "2"}})["result"]["serviceNode"]["state"] == "LOST";
  }));
}

TEST_F(CommandLine, TheLogNamesCallsWithoutTheirParameters) {
  server_ = std::make_unique<DroverProcess>(
      std::vector<std::string>{"serve", "--listen", "127.0.0.1:0", "--log-level", "debug"});
  ASSERT_NE(server_->wait_until_listening(), 0) << server_->err();
  post("configure_user", {{"serviceNodeId", "all"}, {"username", "ann"}, {"password", "hush-hush"}});
  EXPECT_TRUE(eventually([&] { return server_->err().find("configure_user") != std::string::npos; }));
  EXPECT_THAT(server_->err(), testing::Not(HasSubstr("hush-hush")));
}

TEST_F(CommandLine, DoctorFindsTheDefaultsWell) {
  const std::string config =
      scratch_.write("serve.yaml", "listen: 127.0.0.1:0\nlimits: {connections: 100}\n");
  const Outcome ended = run_drover({"doctor", "--config", config});
  EXPECT_EQ(ended.exit_code, 0) << ended.out;
}

TEST_F(CommandLine, DoctorSaysHowToMend) {
  const std::string config =
      scratch_.write("serve.yaml", "listen: 127.0.0.1:0\njournal: /nonexistent/folder/journal\n");
  const Outcome ended = run_drover({"doctor", "--config", config});
  EXPECT_EQ(ended.exit_code, 4);
  EXPECT_THAT(ended.out, HasSubstr("mkdir -p /nonexistent/folder"));
}

TEST_F(CommandLine, DoctorTellsABrokenConfiguration) {
  const Outcome ended = run_drover({"doctor", "--config", scratch_.write("serve.yaml", "sed: 1\n")});
  EXPECT_EQ(ended.exit_code, 4);
  EXPECT_THAT(ended.out, HasSubstr("serve.yaml:1:1"));
}

}  // namespace
}  // namespace drover::serve_test
