// The original's configuration file, and a configuration with every key.
#include <fstream>
#include <sstream>

#include "paths.hpp"
#include "tests/serve/serve_fixture.hpp"

namespace drover::serve_test {
namespace {

using testing::HasSubstr;
using testing::Not;

class OriginalConfig : public Serve {
 protected:
  // What doctor makes of the file; no cloud listens at the addresses in it.
  Outcome doctor(const std::string& text, const std::string& name = "manager.cnf") {
    return run_drover({"doctor", "--listen", "127.0.0.1:0", "--config", scratch_.write(name, text)});
  }
  void mock(const std::string& more = "") {
    const std::string config = scratch_.write("mock.yaml", "listen: 127.0.0.1:0\ntime_scale: 50\n" + more);
    mock_ = std::make_unique<DroverProcess>(std::vector<std::string>{"mockcloud", "--config", config});
    ASSERT_NE(mock_->wait_until_listening(), 0) << mock_->err();
  }
  std::string mock_url() const { return "http://127.0.0.1:" + std::to_string(mock_->port()); }

  std::unique_ptr<DroverProcess> mock_;
};

TEST_F(OriginalConfig, AManagerOnOpenNebulaStartsWithItsOwnFileAndTemplate) {
  mock();
  const std::string script = scratch_.write("init.sh", "#!/bin/sh\nstart $MANAGER_IP $MANAGER_PORT\n");
  const std::string vm = scratch_.write(
      "agent.template",
      "NAME = \"$NAME\"\nCPU = $CPU\nMEMORY = $MEM_SIZE\nOS = [ $OS ]\nDISK = [ image_id = \"$IMAGE_ID\", "
      "$DISK ]\n"
      "NIC = [ NETWORK_ID = $NETWORK_ID ]\nCONTEXT = [ $CONTEXT, userdata = \"$AGENT_USER_DATA\" ]\n");
  const std::string config =
      scratch_.write("manager.cnf", "[iaas]\nDRIVER=OPENNEBULA_XMLRPC\nOPENNEBULA_URL= " + mock_url() +
                                        "/RPC2\nOPENNEBULA_USER = drover\nOPENNEBULA_PASSWORD=drover-secret\n"
                                        "OPENNEBULA_IMAGE_ID =  0\nOPENNEBULA_SIZE_ID = 1\n"
                                        "OPENNEBULA_NETWORK_ID = 0\nOPENNEBULA_NETWORK_GATEWAY=10.1.0.254\n"
                                        "OPENNEBULA_NETWORK_NAMESERVER=10.1.0.254\n\n"
                                        "[manager]\nfind_existing_agents = true\n"
                                        "logfile=/var/log/conpaassql-stdout.log\npoll_agents_timer=10\n\n"
                                        "[onevm_agent_template]\nFILENAME=" +
                                        vm + "\nUSERDATA=" + script +
                                        "\nNAME=conpaassql_server\nCPU=0.2\nMEM_SIZE=256\nDISK=readonly=no\n"
                                        "OS=arch=x86_64,boot=hd\nIMAGE_ID=0\nNETWORK_ID=0\n"
                                        "CONTEXT=ip_gateway=\"10.1.0.254\",netmask=\"255.255.0.0\"\n");
  server_ = std::make_unique<DroverProcess>(std::vector<std::string>{
      "serve", "--config", config, "--listen", "127.0.0.1:0", "--journal", scratch_.path("journal")});
  ASSERT_NE(server_->wait_until_listening(), 0) << server_->err();
  EXPECT_THAT(server_->err(), HasSubstr("logfile: "));
  ASSERT_TRUE(eventually([&] { return post("add_nodes", {{"count", 1}, {"key", "k"}}).contains("result"); }));
  EXPECT_TRUE(eventually([&] {
    HttpClient client(mock_->port());
    const auto answer =
        client.exchange("GET /_drover/state HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n");
    const json state = json::parse(answer.body, nullptr, false);
    return state["instances"].value("running", 0) + state["instances"].value("pending", 0) == 1;
  })) << server_->err();
  EXPECT_THAT(server_->err(), Not(HasSubstr("drover-secret")));
  EXPECT_THAT(server_->err(), Not(HasSubstr("FAILED")));
}

TEST_F(OriginalConfig, AnAccountOfEc2IsRead) {
  mock();
  const Outcome ended = doctor(
      "# of the original\n[iaas]\nDRIVER = ec2\nEC2_USER = drover\nEC2_PASSWORD = "
      "drover-secret\nEC2_IMAGE_ID: "
      "debian-12-drover\nEC2_SIZE_ID = small\nEC2_SECURITY_GROUP_NAME = default\nEC2_URL = " +
      mock_url() + "\n");
  EXPECT_THAT(ended.out, HasSubstr("ok    cloud ec2: image debian-12-drover, size small"));
  EXPECT_THAT(ended.out, HasSubstr("set journal")) << "the file cannot name one";
}

TEST_F(OriginalConfig, WhatIsMissingOrUnknownIsToldWithItsLine) {
  const Outcome ended = doctor("[iaas]\nDRIVER=EC2\nEC2_USER=drover\nEC2_PASWORD=hush-hush\n");
  EXPECT_EQ(ended.exit_code, 4);
  EXPECT_THAT(ended.out, HasSubstr("manager.cnf:2: [iaas] EC2_PASSWORD is missing"));
  EXPECT_THAT(ended.out, HasSubstr("manager.cnf:4: [iaas] EC2_PASWORD is unknown"));
  EXPECT_THAT(ended.out, Not(HasSubstr("hush-hush")));
  EXPECT_THAT(doctor("[iaas]\nDRIVER=AZURE\n").out, HasSubstr("manager.cnf:2: [iaas] DRIVER takes"));
  EXPECT_THAT(doctor("key=1\n").out, HasSubstr("manager.cnf:1: "));
  EXPECT_THAT(doctor("[iaas\n").out, HasSubstr("manager.cnf:1: a section is [name]"));
  EXPECT_THAT(doctor("[iaas]\n  more\n").out, HasSubstr("manager.cnf:2: "));
  EXPECT_THAT(doctor("").out, HasSubstr("DRIVER is missing"));
  EXPECT_THAT(doctor("[iaas]\nDRIVER=EC2\nDRIVER=EC2\n").out, HasSubstr("given twice, first in line 2"));
  EXPECT_THAT(doctor("[iaas]\nDRIVER=OPENNEBULA_DUMMY\n[manager]\npoll_agents_timer=soon\n").out,
              HasSubstr("poll_agents_timer takes seconds"));
}

TEST_F(OriginalConfig, TheDummyIsTheMockCloud) {
  const Outcome ended = doctor(
      "[iaas]\nDRIVER=OPENNEBULA_DUMMY\nOPENNEBULA_URL=http://x/\n[manager]\n"
      "poll_agents_timer=5\n",
      "manager.ini");
  EXPECT_THAT(ended.out, HasSubstr("ok    cloud mock"));
}

TEST_F(OriginalConfig, EveryKeyOfACloudIsRead) {
  std::ifstream file(std::string(DROVER_SOURCE_DIR) + "/tests/data/serve-every-key.yaml");
  std::stringstream text;
  text << file.rdbuf();
  const Outcome ended = run_drover(
      {"doctor", "--listen", "127.0.0.1:0", "--config", scratch_.write("every-key.yaml", text.str())});
  EXPECT_THAT(ended.out, HasSubstr("ok    configuration"));
}

TEST_F(OriginalConfig, KeysThatDoNotGoTogetherAreTold) {
  const Outcome ended = doctor(
      "nodes: {manager_url: nowhere, token_file: a, token_env: b, binary_url: 'http://x/drover'}\n"
      "ec2: {endpoint: ec2.example}\nopenstack: {auth_url: x}\nopennebula: {url: y, cpu: 0, auth_file: a, "
      "user: b}\n",
      "serve.yaml");
  for (const char* complaint :
       {"manager_url takes a URL", "token_file and token_env", "binary_url and binary_sha256",
        "endpoint takes a URL", "auth_url takes a URL", "url takes a URL", "cpu takes", "auth_file and user"})
    EXPECT_THAT(ended.out, HasSubstr(complaint));
}

}  // namespace
}  // namespace drover::serve_test
