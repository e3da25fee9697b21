// The driver against answers written by hand: what it asks for, and what it makes of what it hears.
#include "tests/opennebula/scripted.hpp"

#include <gmock/gmock.h>

#include "manager/adapters/opennebula/vm_words.hpp"
#include "manager/system/one_template.hpp"

namespace drover {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(OpenNebulaDriver, CreatesFromTheBuiltInTemplate) {
  DriverStage stage;
  stage.client.answers = {ok(pool_xml({})), ok(42)};
  const auto made = stage.create(kSpec);
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_EQ(made.value().id, "42");
  EXPECT_EQ(made.value().tags, kSpec.tags);
  EXPECT_THAT(stage.client.methods(), ElementsAre("one.vmpool.info", "one.vm.allocate"));
  const auto& sent = stage.client.sent[1];
  EXPECT_EQ(sent.request.target, "/RPC2");
  EXPECT_EQ(sent.request.value("User-Agent"), "drover/" DROVER_VERSION " subject/node-3");
  EXPECT_FALSE(sent.repeatable) << "doing it twice makes two machines";
  EXPECT_TRUE(stage.client.sent[0].repeatable);
  EXPECT_EQ(sent.call.params[0].text, "drover:very-secret-password");
  const auto text = one::parse_template(sent.call.params[1].text);
  ASSERT_TRUE(text.has_value()) << sent.call.params[1].text;
  EXPECT_EQ(one::value_of(text.value(), "NAME"), "db-1");
  EXPECT_EQ(one::find(text.value(), "DISK")->part("IMAGE_ID"), "7");
  EXPECT_EQ(one::find(text.value(), "NIC")->part("NETWORK_ID"), "2");
  EXPECT_EQ(one::value_of(text.value(), "DROVER_SERVICE"), "shop");
  EXPECT_EQ(one::value_of(text.value(), "DROVER_TOKEN"), "t");
}

TEST(OpenNebulaDriver, TheSessionIsHashedWhereTheServerWantsIt) {
  OpenNebulaConfig config = scripted_config();
  config.hashed = true;
  DriverStage stage(config);
  stage.client.answers = {ok(pool_xml({}))};
  ASSERT_TRUE(stage.list().has_value());
  const std::string& session = stage.client.sent[0].call.params[0].text;
  EXPECT_EQ(session.size(), std::string("drover:").size() + 40);
  EXPECT_THAT(session, Not(HasSubstr("secret")));
}

TEST(OpenNebulaDriver, TheSubjectIsMadeFitForAHeader) {
  DriverStage stage;
  stage.client.answers = {ok(pool_xml({})), ok(pool_xml({}))};
  stage.context.subject = "node 3\r\nX: y";
  ASSERT_TRUE(stage.list().has_value());
  EXPECT_EQ(stage.client.sent[0].request.value("User-Agent"),
            "drover/" DROVER_VERSION " subject/node-3--X--y");
  stage.context.subject = "";
  ASSERT_TRUE(stage.list().has_value());
  EXPECT_EQ(stage.client.sent[1].request.value("User-Agent"), "drover/" DROVER_VERSION);
}

TEST(OpenNebulaDriver, NamesOfImagesAndNetworksAreLookedUpOnce) {
  DriverStage stage;
  InstanceSpec spec = kSpec;
  spec.image = "debian";
  spec.network = "private";
  const std::string images =
      "<IMAGE_POOL><IMAGE><ID>5</ID><NAME>other</NAME></IMAGE><IMAGE><ID>6</ID>"
      "<NAME>debian</NAME></IMAGE></IMAGE_POOL>";
  const std::string networks = "<VNET_POOL><VNET><ID>0</ID><NAME>private</NAME></VNET></VNET_POOL>";
  stage.client.answers = {ok(pool_xml({})), ok(images), ok(networks), ok(1), ok(pool_xml({})), ok(2)};
  ASSERT_TRUE(stage.create(spec, "a").has_value());
  ASSERT_TRUE(stage.create(spec, "b").has_value());
  EXPECT_THAT(stage.client.methods(), ElementsAre("one.vmpool.info", "one.imagepool.info", "one.vnpool.info",
                                                  "one.vm.allocate", "one.vmpool.info", "one.vm.allocate"));
  EXPECT_THAT(stage.client.sent[5].call.params[1].text, HasSubstr("IMAGE_ID = \"6\""));
}

TEST(OpenNebulaDriver, AnUnknownImageOrSizeIsRefusedWithoutAnyEffect) {
  DriverStage stage;
  InstanceSpec spec = kSpec;
  spec.image = "nope";
  stage.client.answers = {ok(pool_xml({})), ok("<IMAGE_POOL></IMAGE_POOL>"), ok(pool_xml({}))};
  const auto image = stage.create(spec);
  ASSERT_TRUE(image.has_error());
  EXPECT_EQ(image.error().code, ErrorCode::invalid);
  EXPECT_THAT(image.error().message, HasSubstr("nope"));
  spec = kSpec;
  spec.size = "huge";
  const auto size = stage.create(spec);
  ASSERT_TRUE(size.has_error());
  EXPECT_EQ(size.error().code, ErrorCode::invalid);
  EXPECT_THAT(size.error().message, HasSubstr("small"));
}

TEST(OpenNebulaDriver, ATokenIsFoundInThePool) {
  DriverStage stage;
  const std::string user = "<DROVER_TOKEN>t</DROVER_TOKEN><DROVER_SPEC>" + opennebula::digest_of(kSpec) +
                           "</DROVER_SPEC><DROVER_SERVICE>shop</DROVER_SERVICE>";
  stage.client.answers = {ok("<VM_POOL>" + vm_xml("8") + vm_xml("7", 3, 3, user) + "</VM_POOL>"),
                          ok(vm_xml("7", 3, 3, user))};
  const auto found = stage.create(kSpec);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found.value().id, "7");
  InstanceSpec other = kSpec;
  other.name = "db-2";
  const auto refused = stage.create(other);
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code, ErrorCode::already_exists);
  EXPECT_EQ(refused.error().effect, Effect::none);
}

TEST(OpenNebulaDriver, OnlyVmsThatItHasNotSeenAreSearchedForAToken) {
  DriverStage stage;
  const std::string theirs =
      "<DROVER_TOKEN>theirs</DROVER_TOKEN><DROVER_SPEC>" + opennebula::digest_of(kSpec) + "</DROVER_SPEC>";
  stage.client.answers = {ok(pool_xml({"8", "7"})), ok(9),
                          ok("<VM_POOL>" + vm_xml("10", 3, 3, theirs) + vm_xml("9") + "</VM_POOL>"), ok(11),
                          ok(vm_xml("10", 3, 3, theirs))};
  EXPECT_EQ(stage.create(kSpec, "a").value().id, "9");
  EXPECT_EQ(stage.create(kSpec, "b").value().id, "11");
  EXPECT_EQ(stage.create(kSpec, "theirs").value().id, "10") << "of another process, and seen meanwhile";
  EXPECT_THAT(stage.client.methods(), ElementsAre("one.vmpool.info", "one.vm.allocate", "one.vmpool.info",
                                                  "one.vm.allocate", "one.vm.info"));
  const auto& range = stage.client.sent[2].call.params;
  EXPECT_EQ(range[2].number, 9) << "from this id";
  EXPECT_EQ(range[3].number, -1) << "to the last one";
}

TEST(OpenNebulaDriver, AVmThatIsDoneGivesItsTokenFreeAndAllAreReadAgain) {
  DriverStage stage;
  const std::string user =
      "<DROVER_TOKEN>t</DROVER_TOKEN><DROVER_SPEC>" + opennebula::digest_of(kSpec) + "</DROVER_SPEC>";
  const std::string seven = vm_xml("7", 3, 3, user), eight = vm_xml("8", 3, 3, user);
  // Two have the token; the one that was known is DONE by now.
  stage.client.answers = {ok("<VM_POOL>" + eight + seven + "</VM_POOL>"),
                          ok(seven),
                          ok(vm_xml("7", 6, 0, user)),
                          ok("<VM_POOL>" + eight + "</VM_POOL>"),
                          ok(eight),
                          refused(1024, "Error getting virtual machine [8]."),
                          ok(pool_xml({})),
                          ok(12)};
  EXPECT_EQ(stage.create(kSpec).value().id, "7");
  EXPECT_EQ(stage.create(kSpec).value().id, "8");
  EXPECT_EQ(stage.create(kSpec).value().id, "12");
  EXPECT_EQ(stage.client.sent[3].call.params[2].number, 0) << "a page, and not a range";
}

TEST(OpenNebulaDriver, TwoCallsWithOneTokenAllocateOnce) {
  DriverStage stage;
  stage.client.answers = {ok(pool_xml({})), ok(42), ok(vm_xml("42"))};
  std::vector<std::string> ids;
  for (int i = 0; i < 2; ++i)
    stage.driver->newInstance(stage.context, kSpec, "t", [&](Result<InstanceInfo> result) {
      ids.push_back(result ? result.value().id : result.error().message);
    });
  stage.scheduler.run_until(kEpoch + std::chrono::minutes(1));
  EXPECT_THAT(ids, ElementsAre("42", "42"));
  EXPECT_THAT(stage.client.methods(), ElementsAre("one.vmpool.info", "one.vm.allocate", "one.vm.info"));
}

TEST(OpenNebulaDriver, AWrongStateIsLookedAt) {
  DriverStage stage;
  stage.client.answers = {refused(2048, "not available for state PROLOG"), ok(vm_xml("5", 3, 1)),
                          refused(2048, "not available for state SHUTDOWN"), ok(vm_xml("5", 3, 12))};
  EXPECT_TRUE(stage.kill("5").has_value()) << "it is going already";
  stage.client.answers = {refused(2048, "state"), ok(vm_xml("5", 6, 0))};
  EXPECT_TRUE(stage.kill("5").has_value()) << "it is DONE";
  stage.client.answers = {refused(1024, "Error getting virtual machine [5].")};
  EXPECT_TRUE(stage.kill("5").has_value()) << "it is unknown";
  for (int i = 0; i < 40; ++i) {
    stage.client.answers.push_back(refused(2048, "state"));
    stage.client.answers.push_back(ok(vm_xml("5", 3, 4)));
  }
  const auto stuck = stage.kill("5");
  ASSERT_TRUE(stuck.has_error());
  EXPECT_EQ(stuck.error().code, ErrorCode::wrong_state);
  EXPECT_EQ(stuck.error().effect, Effect::none);
}

TEST(OpenNebulaDriver, IdsThatAreNoneAreNotSent) {
  DriverStage stage;
  for (const char* id : {"", "i-00000001", "-1", "1 ", "99999999999", "1;drop"}) {
    EXPECT_EQ(stage.info(id).error().code, ErrorCode::not_found) << id;
    EXPECT_EQ(stage.kill(id).error().code, ErrorCode::not_found) << id;
  }
  EXPECT_TRUE(stage.client.sent.empty());
}

TEST(OpenNebulaDriver, PagesAreJoinedAndInTheOrderOfCreation) {
  OpenNebulaConfig config = scripted_config();
  config.page_size = 3;
  DriverStage stage(config);
  stage.client.answers = {ok(pool_xml({"9", "8", "7"})), ok(pool_xml({"7", "5", "4"})),
                          ok(pool_xml({"4", "2"}))};
  const auto listed = stage.list();
  ASSERT_TRUE(listed.has_value()) << listed.error().message;
  std::vector<std::string> ids;
  for (const auto& info : listed.value()) ids.push_back(info.id);
  EXPECT_THAT(ids, ElementsAre("2", "4", "5", "7", "8", "9"));
  const auto& second = stage.client.sent[1].call.params;
  EXPECT_EQ(second[1].number, -3) << "the user's own";
  EXPECT_EQ(second[2].number, 2) << "an offset: one before the end";
  EXPECT_EQ(second[3].number, -3) << "a page's size";
  EXPECT_EQ(second[4].number, -1) << "every state but DONE";
}

TEST(OpenNebulaDriver, AListThatChangesBetweenItsPagesIsReadAgain) {
  OpenNebulaConfig config = scripted_config();
  config.page_size = 3;
  DriverStage stage(config);
  // 9 ended meanwhile, and 5 would be missed.
  stage.client.answers = {ok(pool_xml({"9", "8", "7"})), ok(pool_xml({"5", "4"})),
                          ok(pool_xml({"8", "7", "5"})), ok(pool_xml({"5", "4"}))};
  const auto listed = stage.list();
  ASSERT_TRUE(listed.has_value()) << listed.error().message;
  EXPECT_EQ(listed.value().size(), 4U);
  for (int i = 0; i < 4; ++i) {
    stage.client.answers.push_back(ok(pool_xml({"9", "8", "7"})));
    stage.client.answers.push_back(ok(pool_xml({"6", "5"})));
  }
  EXPECT_EQ(stage.list().error().code, ErrorCode::unavailable);
}

TEST(OpenNebulaDriver, ListsByTag) {
  DriverStage stage;
  const std::string pool = "<VM_POOL>" + vm_xml("3", 3, 3, "<DROVER_SERVICE>bank</DROVER_SERVICE>") +
                           vm_xml("2", 3, 3, "<DROVER_SERVICE>shop</DROVER_SERVICE><LABELS>a</LABELS>") +
                           vm_xml("1") + "</VM_POOL>";
  stage.client.answers = {ok(pool), ok(pool)};
  const auto listed = stage.list(kServiceTag, "shop");
  ASSERT_TRUE(listed.has_value());
  ASSERT_EQ(listed.value().size(), 1U);
  EXPECT_EQ(listed.value()[0].id, "2");
  EXPECT_EQ(listed.value()[0].address, "10.0.0.9");
  EXPECT_EQ(listed.value()[0].tags, (Tags{{kServiceTag, "shop"}, {"LABELS", "a"}}));
  EXPECT_EQ(stage.list().value().size(), 3U);
}

TEST(OpenNebulaDriver, ThereAreNoVolumes) {
  DriverStage stage;
  const auto made = stage.ask<VolumeInfo>(
      [&](auto handler) { stage.driver->createVolume(stage.context, "v", 1, "t", std::move(handler)); });
  EXPECT_EQ(made.error().code, ErrorCode::invalid);
  const auto dropped = stage.ask<void>(
      [&](auto handler) { stage.driver->deleteVolume(stage.context, "v", std::move(handler)); });
  EXPECT_TRUE(dropped.has_value());
}

TEST(OpenNebulaDriver, DoctorNamesEveryProblem) {
  OpenNebulaConfig config = scripted_config();
  config.image = "debian";
  config.network = "private";
  config.template_text = "CPU = [";
  DriverStage stage(config);
  stage.client.answers = {ok("4.14.2"), ok("<IMAGE_POOL/>"), ok("<VNET_POOL/>"), ok(pool_xml({}))};
  const auto found = stage.check();
  ASSERT_TRUE(found.has_value());
  EXPECT_THAT(found.value(),
              ElementsAre(HasSubstr("5 or newer"), HasSubstr("no image \"debian\""),
                          HasSubstr("no network \"private\""), HasSubstr("opennebula.template")));
  stage.client.answers = {refused(256, "User couldn't be authenticated, aborting call.")};
  EXPECT_THAT(stage.check().value(), ElementsAre(HasSubstr("opennebula.user")));

  config = scripted_config();
  DriverStage good(config);
  good.client.answers = {ok("6.8.0"), ok(pool_xml({}))};
  EXPECT_THAT(good.check().value(), ElementsAre());

  config.url = "ftp://x";
  DriverStage nowhere(config);
  EXPECT_THAT(nowhere.check().value(), ElementsAre(HasSubstr("opennebula.url")));
}

TEST(OpenNebulaDriver, MayEndWhileCallsAreUnderWay) {
  DriverStage stage;
  stage.client.answers = {std::nullopt, std::nullopt};
  int answers = 0;
  stage.driver->listVMs(stage.context, "", "", [&](const auto&) { ++answers; });
  stage.driver->newInstance(stage.context, kSpec, "t", [&](const auto&) { ++answers; });
  stage.scheduler.run_until(kEpoch + std::chrono::seconds(1));
  stage.driver.reset();
  stage.scheduler.run_until(kEpoch + std::chrono::minutes(5));
  EXPECT_EQ(answers, 0);
}

TEST(OpenNebulaDriver, StatesAreThoseOfOpenNebula) {
  using S = InstanceState;
  struct Row {
    int state, lcm;
    S expected;
  };
  for (const Row& row : {Row{0, 0, S::pending},        Row{1, 0, S::pending},    Row{2, 0, S::pending},
                         Row{3, 1, S::pending},        Row{3, 2, S::pending},    Row{3, 20, S::pending},
                         Row{3, 3, S::running},        Row{3, 16, S::running},   Row{3, 17, S::running},
                         Row{3, 18, S::stopping},      Row{8, 0, S::stopped},    Row{4, 0, S::stopped},
                         Row{5, 0, S::stopped},        Row{9, 0, S::stopped},    Row{3, 11, S::shutting_down},
                         Row{3, 12, S::shutting_down}, Row{6, 0, S::terminated}, Row{7, 0, S::error},
                         Row{11, 0, S::error},         Row{3, 36, S::error},     Row{3, 61, S::error},
                         Row{99, 3, S::error},         Row{3, 9999, S::running}})
    EXPECT_EQ(opennebula::state_of(row.state, row.lcm), row.expected) << row.state << "/" << row.lcm;
}

}  // namespace
}  // namespace drover
