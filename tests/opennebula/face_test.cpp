// What the face does beyond the recorded answers: sessions, templates, states, pools, actions.
#include "manager/system/digest.hpp"
#include "mockcloud/wire/opennebula/vm_view.hpp"
#include "tests/opennebula/stage.hpp"

namespace drover {
namespace {

constexpr const char* kMachine =
    "NAME=\"one\"\nCPU=1\nMEMORY=512\nDISK=[IMAGE=\"debian-12-drover\"]\n"
    "NIC=[NETWORK=\"default\"]\nDROVER_SERVICE=\"shop\"\n";

class OpenNebulaFaceTest : public testing::Test {
 protected:
  int allocate(const std::string& text = kMachine, bool hold = false) {
    const auto made = stage_.call("one.vm.allocate", text, hold);
    EXPECT_TRUE(made.ok) << made.text;
    return static_cast<int>(made.number);
  }
  std::string info(int id) {
    const auto answer = stage_.call("one.vm.info", id, false);
    EXPECT_TRUE(answer.ok) << answer.text;
    return answer.text;
  }
  // "3/3"
  std::string state(int id) {
    const std::string xml = info(id);
    return test::inside(xml, "STATE").value_or("?") + "/" + test::inside(xml, "LCM_STATE").value_or("?");
  }
  bool reaches(int id, const std::string& wanted) {
    for (int i = 0; i < 1200; ++i) {
      if (state(id) == wanted) return true;
      stage_.pass(std::chrono::seconds(1));
    }
    return false;
  }
  std::string pool(int filter, int start, int end, int state_filter) {
    const auto answer = stage_.call("one.vmpool.info", filter, start, end, state_filter);
    EXPECT_TRUE(answer.ok) << answer.text;
    std::string ids;
    for (auto at = answer.text.find("<VM><ID>"); at != std::string::npos;
         at = answer.text.find("<VM><ID>", at + 1))
      ids += (ids.empty() ? "" : " ") + answer.text.substr(at + 8, answer.text.find('<', at + 8) - at - 8);
    return ids;
  }

  test::OneStage stage_;
};

TEST_F(OpenNebulaFaceTest, SessionsArePasswordsTheirHashesAndTokens) {
  EXPECT_TRUE(stage_.call_as("oneadmin:onepass", "one.system.version").ok);
  EXPECT_TRUE(stage_.call_as("oneadmin:" + to_hex(sha1("onepass")), "one.system.version").ok);
  EXPECT_EQ(stage_.call_as("oneadmin:", "one.system.version").code, 256);
  EXPECT_EQ(stage_.call_as("nobody:onepass", "one.system.version").code, 256);

  const auto token = stage_.call("one.user.login", "oneadmin", "", 60, -1);
  ASSERT_TRUE(token.ok);
  EXPECT_EQ(token.text.size(), 64U);
  EXPECT_TRUE(stage_.call_as("oneadmin:" + token.text, "one.system.version").ok);
  stage_.pass(std::chrono::seconds(61));
  EXPECT_EQ(stage_.call_as("oneadmin:" + token.text, "one.system.version").code, 256)
      << "it was for a minute";

  const auto chosen = stage_.call("one.user.login", "oneadmin", "my-token", -1);
  ASSERT_TRUE(chosen.ok);
  EXPECT_TRUE(stage_.call_as("oneadmin:my-token", "one.system.version").ok);
  ASSERT_TRUE(stage_.call("one.user.login", "oneadmin", "", 0).ok) << "0 takes all tokens back";
  EXPECT_EQ(stage_.call_as("oneadmin:my-token", "one.system.version").code, 256);
}

TEST_F(OpenNebulaFaceTest, AMachineBootsAndShowsItsAddress) {
  const int id = allocate();
  EXPECT_EQ(id, 0);
  EXPECT_EQ(state(id), "3/2");
  ASSERT_TRUE(reaches(id, "3/3"));
  const std::string xml = info(id);
  EXPECT_EQ(test::inside(xml, "IP"), stage_.cloud().instance("i-00000001")->address);
  EXPECT_EQ(test::inside(xml, "ETH0_IP"), std::nullopt) << "there is no context";
  EXPECT_EQ(test::inside(xml, "DROVER_SERVICE"), "shop");
  EXPECT_EQ(stage_.cloud().instance("i-00000001")->spec.tags, (Tags{{"drover-service", "shop"}}));
}

TEST_F(OpenNebulaFaceTest, TheContextIsKeptAndFilledIn) {
  const int id = allocate(
      std::string(kMachine) +
      "CONTEXT=[ NETWORK=\"YES\", VMID=\"$VMID\", ME=\"$NAME at $NIC[IP, NETWORK=\\\"default\\\"]\",\n"
      "  USERDATA_ENCODING=\"base64\", USER_DATA=\"IyEvYmluL3NoCg==\" ]\n");
  EXPECT_EQ(stage_.cloud().instance("i-00000001")->spec.user_data, "#!/bin/sh\n");
  const std::string xml = info(id), address = stage_.cloud().instance("i-00000001")->address;
  const std::string context = test::inside(xml, "CONTEXT").value_or("");
  EXPECT_EQ(test::inside(context, "VMID"), "0");
  EXPECT_EQ(test::inside(context, "ME"), "one at " + address);
  EXPECT_EQ(test::inside(context, "ETH0_IP"), address);
  EXPECT_EQ(test::inside(context, "USER_DATA"), "IyEvYmluL3NoCg==");
}

TEST_F(OpenNebulaFaceTest, UserDataMayBeHexadecimal) {
  allocate(std::string(kMachine) + "CONTEXT=[AGENT_USER_DATA=\"23212f62696e2f7368\"]");
  EXPECT_EQ(stage_.cloud().instance("i-00000001")->spec.user_data, "#!/bin/sh");
}

TEST_F(OpenNebulaFaceTest, TemplatesAreXmlToo) {
  const int id = allocate(
      "<VM><NAME>by xml</NAME><CPU>1</CPU><MEMORY>64</MEMORY><DISK><IMAGE_ID>0</IMAGE_ID></DISK>"
      "<NIC><NETWORK_ID>0</NETWORK_ID></NIC><LABELS><![CDATA[a <b>]]></LABELS></VM>");
  const std::string xml = info(id);
  EXPECT_EQ(test::inside(xml, "NAME"), "by xml");
  EXPECT_EQ(test::inside(xml, "LABELS"), "a <b>");
}

TEST_F(OpenNebulaFaceTest, AHeldMachineWaitsUntilItIsReleased) {
  const int id = allocate(kMachine, true);
  EXPECT_EQ(state(id), "2/0");
  stage_.pass(std::chrono::hours(1));
  EXPECT_EQ(state(id), "2/0");
  EXPECT_EQ(stage_.call("one.vm.action", "hold", id).code, 2048);
  ASSERT_TRUE(stage_.call("one.vm.action", "release", id).ok);
  EXPECT_TRUE(reaches(id, "3/3"));
  EXPECT_EQ(stage_.call("one.vm.action", "release", id).code, 2048);
}

TEST_F(OpenNebulaFaceTest, ActionsFollowTheStates) {
  const int id = allocate();
  const auto early = stage_.call("one.vm.action", "poweroff", id);
  EXPECT_EQ(early.code, 2048);
  EXPECT_EQ(
      early.text,
      "[one.vm.action] Error performing action \"poweroff\": This action is not available for state BOOT");
  ASSERT_TRUE(reaches(id, "3/3"));
  struct Row {
    const char* action;
    const char* meanwhile;
    const char* then;
  };
  for (const Row& row :
       {Row{"poweroff", "3/18", "8/0"}, Row{"resume", "3/2", "3/3"}, Row{"suspend", "3/18", "5/0"},
        Row{"resume", "3/2", "3/3"}, Row{"reboot", "3/3", "3/3"}, Row{"undeploy-hard", "3/18", "9/0"},
        Row{"terminate", "3/12", "6/0"}}) {
    ASSERT_TRUE(stage_.call("one.vm.action", row.action, id).ok) << row.action;
    EXPECT_EQ(state(id), row.meanwhile) << row.action;
    EXPECT_TRUE(reaches(id, row.then)) << row.action;
    stage_.pass(std::chrono::minutes(1));
  }
  EXPECT_TRUE(stage_.call("one.vm.action", "terminate-hard", id).ok) << "what is DONE stays done";
  EXPECT_TRUE(stage_.call("one.vm.action", "finalize", id).ok) << "as OpenNebula 3 called it";
  EXPECT_EQ(stage_.call("one.vm.action", "resume", id).code, 2048);
  EXPECT_EQ(stage_.call("one.vm.action", "terminate", 77).code, 1024);
}

TEST_F(OpenNebulaFaceTest, AFailedMachineSaysWhy) {
  const int id = allocate();
  ASSERT_TRUE(stage_.cloud().fail_instance("i-00000001", "no \"valid\" host ]]> <here>").has_value());
  EXPECT_EQ(state(id), "3/36");
  EXPECT_NE(info(id).find("<ERROR><![CDATA[no \"valid\" host ]]]]><![CDATA[> <here>]]></ERROR>"),
            std::string::npos);
}

TEST_F(OpenNebulaFaceTest, PoolsAreFilteredAndPaged) {
  for (int i = 0; i < 5; ++i) allocate();
  ASSERT_TRUE(reaches(4, "3/3"));
  stage_.pass(std::chrono::minutes(20));
  ASSERT_TRUE(stage_.call("one.vm.action", "terminate-hard", 1).ok);
  stage_.pass(std::chrono::minutes(1));
  ASSERT_TRUE(stage_.call("one.vm.action", "poweroff", 2).ok);
  stage_.pass(std::chrono::minutes(1));
  EXPECT_EQ(pool(-2, -1, -1, -1), "4 3 2 0") << "newest first, DONE ones are hidden";
  EXPECT_EQ(pool(-3, -1, -1, -2), "4 3 2 1 0");
  EXPECT_EQ(pool(-1, -1, -1, 6), "1");
  EXPECT_EQ(pool(-2, -1, -1, 8), "2");
  EXPECT_EQ(pool(-2, 2, 3, -1), "3 2");
  EXPECT_EQ(pool(-2, 3, -1, -1), "4 3");
  EXPECT_EQ(pool(-2, 0, -2, -1), "4 3");
  EXPECT_EQ(pool(-2, 2, -2, -1), "2 0");
  EXPECT_EQ(pool(-2, 4, -2, -1), "");
  EXPECT_EQ(pool(0, -1, -1, -1), "4 3 2 0") << "user 0";
  EXPECT_EQ(pool(7, -1, -1, -1), "") << "another's";
  EXPECT_EQ(stage_.call("one.vmpool.info", -5, -1, -1, -1).code, 4096);
  EXPECT_EQ(stage_.call("one.vmpool.info", -2, -1, -1, 12).code, 4096);
  EXPECT_NE(stage_.call("one.vmpool.infoextended", -2, 0, 0, -1).text.find("<PERMISSIONS>"),
            std::string::npos);
}

TEST_F(OpenNebulaFaceTest, AMachineIsRenamedAndItsUserTemplateChanged) {
  const int id = allocate(std::string(kMachine) + "NOTE=[A=\"1\"]\n");
  ASSERT_TRUE(stage_.call("one.vm.rename", id, "other").ok);
  EXPECT_EQ(stage_.call("one.vm.rename", id, "").code, 8192);
  EXPECT_EQ(stage_.call("one.vm.rename", 9, "other").code, 1024);
  ASSERT_TRUE(stage_.call("one.vm.update", id, "DROVER_NODE=\"node-1\"\nOWNER=\"me\"", 1).ok);
  std::string xml = info(id);
  EXPECT_EQ(test::inside(xml, "NAME"), "other");
  EXPECT_EQ(test::inside(xml, "USER_TEMPLATE"),
            "<DROVER_NODE><![CDATA[node-1]]></DROVER_NODE><DROVER_SERVICE><![CDATA[shop]]></DROVER_SERVICE>"
            "<NOTE><A><![CDATA[1]]></A></NOTE><OWNER><![CDATA[me]]></OWNER>");
  ASSERT_TRUE(stage_.call("one.vm.update", id, "DROVER_SERVICE=\"bank\"", 0).ok);
  xml = info(id);
  EXPECT_EQ(test::inside(xml, "USER_TEMPLATE"), "<DROVER_SERVICE><![CDATA[bank]]></DROVER_SERVICE>");
  EXPECT_EQ(stage_.call("one.vm.update", id, "A=[", 0).code, 8192);
}

TEST_F(OpenNebulaFaceTest, TemplatesLiveBesideTheCloud) {
  ASSERT_EQ(
      stage_.call("one.template.allocate", std::string("NAME=\"t\"\nCPU=2\nMEMORY=64\nLABELS=\"x\"")).number,
      0);
  EXPECT_EQ(stage_.call("one.template.allocate", "NAME=\"t\"\nCPU=2").code, 8192) << "the name is taken";
  EXPECT_EQ(stage_.call("one.template.allocate", "CPU=2").code, 8192) << "there is no name";
  const auto made = stage_.call("one.template.instantiate", 0, "", false, "CPU=3\nLABELS=\"y\"", false);
  ASSERT_TRUE(made.ok) << made.text;
  const std::string xml = info(static_cast<int>(made.number));
  EXPECT_EQ(test::inside(xml, "NAME"), "t-0");
  EXPECT_EQ(test::inside(xml, "CPU"), "3");
  EXPECT_EQ(test::inside(xml, "LABELS"), "y");
  EXPECT_EQ(test::inside(xml, "TEMPLATE_ID"), "0");
  ASSERT_TRUE(stage_.call("one.template.rename", 0, "u").ok);
  ASSERT_TRUE(stage_.call("one.template.update", 0, "CPU=4", 0).ok);
  const std::string all = stage_.call("one.templatepool.info", -2, -1, -1).text;
  EXPECT_EQ(test::inside(all, "NAME"), "u");
  EXPECT_EQ(test::inside(all, "TEMPLATE"), "<CPU><![CDATA[4]]></CPU>");
  ASSERT_TRUE(stage_.call("one.template.delete", 0).ok);
  EXPECT_EQ(stage_.call("one.template.info", 0).code, 1024);
  EXPECT_EQ(stage_.call("one.template.allocate", "NAME=\"t\"\nCPU=2").number, 1)
      << "numbers are not used again";
}

TEST_F(OpenNebulaFaceTest, TheCatalogueIsListed) {
  EXPECT_EQ(test::inside(stage_.call("one.image.info", 0).text, "NAME"), "debian-12-drover");
  EXPECT_EQ(test::inside(stage_.call("one.vn.info", 0).text, "NAME"), "default");
  EXPECT_EQ(test::inside(stage_.call("one.host.info", 2).text, "NAME"), "host-c");
  EXPECT_EQ(test::inside(stage_.call("one.user.info", -1).text, "NAME"), "oneadmin");
  for (const char* method :
       {"one.hostpool.info", "one.clusterpool.info", "one.datastorepool.info", "one.grouppool.info",
        "one.userpool.info", "one.zonepool.info", "one.system.config"})
    EXPECT_TRUE(stage_.call(method).ok) << method;
  EXPECT_EQ(stage_.call("one.image.info", 1).code, 1024);
  EXPECT_EQ(stage_.call("one.host.info", -1).code, 1024);
}

TEST_F(OpenNebulaFaceTest, AMachineOfAnotherWireIsShownWhole) {
  cloud::Cloud& cloud = stage_.cloud();
  std::optional<Result<InstanceInfo>> made;
  cloud.newInstance({}, {"raw", "debian-12-drover", "small", "default", "data", {{"Name", "x"}}}, "t",
                    [&](Result<InstanceInfo> result) { made.emplace(std::move(result)); });
  stage_.wired().run_until([&] { return made.has_value(); });
  const std::string xml = info(0);
  EXPECT_EQ(test::inside(xml, "IMAGE"), "debian-12-drover");
  EXPECT_EQ(test::inside(xml, "USER_DATA"), "data");
  EXPECT_EQ(test::inside(xml, "USER_TEMPLATE"), "<NAME><![CDATA[x]]></NAME>");
}

TEST(OpenNebulaFaceBoot, AMachineThatBootsBeforeTheAnswerIsKnownAsOpenNebulas) {
  cloud::CloudConfig config;
  config.boot = Distribution::constant(Duration{0});
  config.call_latency = Distribution::constant(std::chrono::seconds(2));
  test::OneStage stage(std::move(config));
  std::vector<bool> at_boot;
  stage.cloud().set_observer([&](const cloud::Instance& vm, InstanceState) {
    if (vm.state == InstanceState::running) at_boot.push_back(wire::opennebula::made_here(vm));
  });
  std::optional<Result<InstanceInfo>> other;
  stage.cloud().newInstance({}, {"raw", "debian-12-drover", "small", "default", "", {}}, "",
                            [&](Result<InstanceInfo> result) { other.emplace(std::move(result)); });
  stage.wired().run_until([&] { return other.has_value(); });
  ASSERT_TRUE(stage.call("one.vm.allocate", kMachine, false).ok);
  EXPECT_EQ(at_boot, (std::vector<bool>{false, true}));
}

TEST(OpenNebulaFaceLimits, QuotaCapacityAndThrottlingAreSaidInTheProtocol) {
  cloud::CloudConfig config;
  config.quota_instances = 1;
  test::OneStage quota(config);
  ASSERT_TRUE(quota.call("one.vm.allocate", kMachine, false).ok);
  EXPECT_EQ(quota.call("one.vm.allocate", kMachine, false).code, 512);
  config = {};
  config.capacity = 1;
  test::OneStage capacity(config);
  ASSERT_TRUE(capacity.call("one.vm.allocate", kMachine, false).ok);
  EXPECT_EQ(capacity.call("one.vm.allocate", kMachine, false).code, 16384);
  config = {};
  config.throttle.rate_per_second = 0.1;
  config.throttle.burst = 1;
  test::OneStage slow(config);
  const auto post = [&] {
    xml_rpc::Call call{"one.system.version", {test::in("oneadmin:onepass")}};
    return slow.post(xml_rpc::write_call(call));
  };
  ASSERT_EQ(post().value().status, 200);
  const auto refused = post();
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused.value().status, 429);
  ASSERT_NE(refused.value().field("Retry-After"), nullptr);
  EXPECT_EQ(*refused.value().field("Retry-After"), "10");
}

TEST(OpenNebulaFaceClaims, OnlyItsOwnPaths) {
  test::OneStage stage;
  wire::OpenNebulaFace face(stage.wired().backend());
  const auto claims = [&](const char* method, const char* target, const char* type) {
    http::Request request;
    request.method = method;
    request.target = target;
    request.fields = {{"Content-Type", type}};
    return face.claims(request);
  };
  EXPECT_TRUE(claims("POST", "/RPC2", "text/xml"));
  EXPECT_TRUE(claims("GET", "/RPC2", ""));
  EXPECT_TRUE(claims("POST", "/", "text/xml; charset=utf-8"));
  EXPECT_FALSE(claims("POST", "/", "application/x-www-form-urlencoded"));
  EXPECT_FALSE(claims("GET", "/", ""));
  EXPECT_FALSE(claims("POST", "/v3/auth/tokens", "application/json"));
}

}  // namespace
}  // namespace drover
