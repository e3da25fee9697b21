#include "mockcloud/fault/faulty_iaas.hpp"

#include "tests/fault/support.hpp"

namespace drover::fault {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct FaultyIaasTest : EngineTest {
  FaultyIaas& with(std::vector<Rule> rules) {
    start(std::move(rules));
    iaas = std::make_unique<FaultyIaas>(inner, *engine);
    return *iaas;
  }
  CallContext context() const {
    CallContext made;
    made.subject = "node-1";
    return made;
  }
  void create(const std::string& token = "t1") {
    InstanceSpec spec;
    spec.name = "node-1";
    spec.tags = {{kNodeTag, "1"}};
    iaas->newInstance(context(), spec, token, created.handler());
  }
  void kill() { iaas->killInstance(context(), "i-1", killed.handler()); }
  void look() { iaas->getVMInfo(context(), "i-1", looked.handler()); }
  void list() { iaas->listVMs(context(), kServiceTag, "db", listed.handler()); }

  std::vector<std::string> listed_ids() const {
    std::vector<std::string> ids;
    for (const auto& info : listed.last->value()) ids.push_back(info.id);
    return ids;
  }
  static InstanceInfo instance(const std::string& id, InstanceState state = InstanceState::running,
                               const std::string& address = "10.0.0.1") {
    InstanceInfo info;
    info.id = id;
    info.state = state;
    info.address = address;
    return info;
  }

  FakeIaas inner;
  std::unique_ptr<FaultyIaas> iaas;
  Caught<InstanceInfo> created, looked;
  Caught<void> killed;
  Caught<std::vector<InstanceInfo>> listed;
};

TEST_F(FaultyIaasTest, WithoutRulesEverythingIsPassedOn) {
  with({});
  create();
  kill();
  look();
  list();
  EXPECT_THAT(inner.calls, ElementsAre("newInstance", "killInstance i-1", "getVMInfo", "listVMs"));
  EXPECT_EQ(created.answers + killed.answers + looked.answers + listed.answers, 4);
}

TEST_F(FaultyIaasTest, RefusedCallHasNoEffect) {
  with({rule("iaas.newInstance.before", "refuse", {{"error", "permission"}})});
  create();
  EXPECT_THAT(inner.calls, IsEmpty());
  EXPECT_EQ(created.code(), ErrorCode::permission);
  EXPECT_EQ(created.last->error().effect, Effect::none);
  EXPECT_EQ(created.last->error().message,
            "newInstance for node-1: these credentials may not do this (403); nothing was changed");
}

TEST_F(FaultyIaasTest, EveryRefusalOfTheCatalogueHasItsCode) {
  const std::pair<const char*, ErrorCode> codes[] = {{"unavailable", ErrorCode::unavailable},
                                                     {"throttled", ErrorCode::throttled},
                                                     {"unauthenticated", ErrorCode::unauthenticated},
                                                     {"permission", ErrorCode::permission},
                                                     {"quota", ErrorCode::quota},
                                                     {"capacity", ErrorCode::capacity},
                                                     {"invalid", ErrorCode::invalid},
                                                     {"not_found", ErrorCode::not_found}};
  for (const auto& [name, code] : codes) {
    with({rule("iaas.killInstance.before", "refuse", {{"error", name}})});
    kill();
    EXPECT_EQ(killed.code(), code);
  }
}

TEST_F(FaultyIaasTest, ErrorAfterEffectSaysThatItMayHaveHappened) {
  with({rule("iaas.newInstance.effect", "error_after_effect", {{"error", "timeout"}})});
  create();
  EXPECT_THAT(inner.calls, ElementsAre("newInstance"));
  EXPECT_EQ(created.code(), ErrorCode::timeout);
  EXPECT_EQ(created.last->error().effect, Effect::possible);
}

TEST_F(FaultyIaasTest, LostReplyIsNeverAnswered) {
  with({rule("iaas.newInstance.reply#1", "lose_reply")});
  create();
  run_for(1h);
  EXPECT_THAT(inner.calls, ElementsAre("newInstance"));
  EXPECT_EQ(created.answers, 0);
  create();
  EXPECT_TRUE(created.ok());
}

TEST_F(FaultyIaasTest, LateEffectHappensUnanswered) {
  with({rule("iaas.newInstance.before", "late_effect", {{"delay", "2m"}})});
  create();
  run_for(119s);
  EXPECT_THAT(inner.calls, IsEmpty());
  run_for(1s);
  EXPECT_THAT(inner.calls, ElementsAre("newInstance"));
  EXPECT_THAT(inner.subjects, ElementsAre("node-1"));
  EXPECT_EQ(created.answers, 0);
}

TEST_F(FaultyIaasTest, DelayBeforeHoldsTheCallBack) {
  with({rule("iaas.killInstance.before", "delay", {{"by", "3s"}})});
  kill();
  run_for(2s);
  EXPECT_THAT(inner.calls, IsEmpty());
  run_for(1s);
  EXPECT_TRUE(killed.ok());
}

TEST_F(FaultyIaasTest, DelayOfTheReplyHoldsTheAnswerBack) {
  with({rule("iaas.killInstance.reply", "delay", {{"by", "3s"}})});
  kill();
  EXPECT_THAT(inner.calls, ElementsAre("killInstance i-1"));
  run_for(2s);
  EXPECT_EQ(killed.answers, 0);
  run_for(1s);
  EXPECT_TRUE(killed.ok());
}

TEST_F(FaultyIaasTest, StuckCallHasNoEffectAndNoAnswer) {
  with({rule("iaas.killInstance.before", "stuck")});
  kill();
  run_for(1h);
  EXPECT_THAT(inner.calls, IsEmpty());
  EXPECT_EQ(killed.answers, 0);
}

TEST_F(FaultyIaasTest, DuplicateDeliveryIsAnsweredOnce) {
  with({rule("iaas.newInstance.before", "duplicate_delivery")});
  create();
  EXPECT_THAT(inner.tokens, ElementsAre("t1", "t1"));
  EXPECT_EQ(created.answers, 1);
  EXPECT_EQ(created.last->value().id, "i-1");
}

TEST_F(FaultyIaasTest, DuplicateMayArriveLater) {
  with({rule("iaas.newInstance.before", "duplicate_delivery", {{"after", "1m"}})});
  create();
  EXPECT_EQ(inner.tokens.size(), 1U);
  run_for(1min);
  EXPECT_EQ(inner.tokens.size(), 2U);
}

TEST_F(FaultyIaasTest, IgnoredTokenIsAnotherToken) {
  with({rule("iaas.newInstance.before", "ignore_token")});
  create();
  create();
  EXPECT_NE(inner.tokens.at(0), "t1");
  EXPECT_NE(inner.tokens.at(0), inner.tokens.at(1));
}

TEST_F(FaultyIaasTest, ThrottleSaysHowLongToWait) {
  with({rule("iaas.listVMs.before", "throttle", {{"retry_after", "7s"}})});
  list();
  EXPECT_EQ(listed.code(), ErrorCode::throttled);
  EXPECT_EQ(listed.last->error().retry_after, 7s);
  EXPECT_EQ(listed.last->error().retry, Retry::later);
}

TEST_F(FaultyIaasTest, ThrottleMayKeepItToItself) {
  with({rule("iaas.listVMs.before", "throttle")});
  list();
  EXPECT_EQ(listed.last->error().retry_after, 0s);
}

TEST_F(FaultyIaasTest, QuotaAndCapacityRefuseCreations) {
  with({rule("iaas.newInstance.before#1", "quota"), rule("iaas.newInstance.before#2", "capacity")});
  create();
  EXPECT_EQ(created.code(), ErrorCode::quota);
  create();
  EXPECT_EQ(created.code(), ErrorCode::capacity);
  EXPECT_THAT(inner.calls, IsEmpty());
}

TEST_F(FaultyIaasTest, StaleListIsTheOneSeenBefore) {
  with({rule("iaas.listVMs.reply#2", "stale_list")});
  inner.listing = {instance("i-1")};
  list();
  inner.listing = {instance("i-1"), instance("i-2")};
  list();
  EXPECT_THAT(listed_ids(), ElementsAre("i-1"));
  list();
  EXPECT_THAT(listed_ids(), ElementsAre("i-1", "i-2"));
}

TEST_F(FaultyIaasTest, StaleListOfNothingSeenIsEmpty) {
  with({rule("iaas.listVMs.reply", "stale_list")});
  inner.listing = {instance("i-1")};
  list();
  EXPECT_THAT(listed_ids(), IsEmpty());
}

TEST_F(FaultyIaasTest, StaleListMayBeEmptyByRequest) {
  with({rule("iaas.listVMs.reply#2", "stale_list", {{"empty", "yes"}})});
  inner.listing = {instance("i-1")};
  list();
  list();
  EXPECT_THAT(listed_ids(), IsEmpty());
}

TEST_F(FaultyIaasTest, TornListIsItsFirstHalf) {
  with({rule("iaas.listVMs.reply", "torn_list")});
  inner.listing = {instance("i-1"), instance("i-2"), instance("i-3"), instance("i-4")};
  list();
  EXPECT_THAT(listed_ids(), ElementsAre("i-1", "i-2"));
}

TEST_F(FaultyIaasTest, SnapshotsAreTornAndStaleAsListingsAre) {
  with({rule("iaas.listVMs.reply#2", "stale_list"), rule("iaas.listVMs.reply#4", "torn_list"),
        rule("iaas.listVMs.before#5", "throttle")});
  const auto sizes = [&] {
    Caught<cloud::Snapshot> caught;
    iaas->list_snapshot(context(), kServiceTag, "db", caught.handler());
    return caught.last->has_value() ? static_cast<int>(caught.last->value().size()) : -1;
  };
  inner.listing = {instance("i-1")};
  EXPECT_EQ(sizes(), 1);
  inner.listing = {instance("i-1"), instance("i-2"), instance("i-3"), instance("i-4")};
  EXPECT_EQ(sizes(), 1) << "stale";
  EXPECT_EQ(sizes(), 4);
  EXPECT_EQ(sizes(), 2) << "torn";
  EXPECT_EQ(sizes(), -1) << "throttled";
}

TEST_F(FaultyIaasTest, NotFoundWhileItIsThere) {
  with({rule("iaas.getVMInfo.before", "not_found"), rule("iaas.killInstance.before", "not_found")});
  look();
  kill();
  EXPECT_THAT(inner.calls, IsEmpty());
  EXPECT_EQ(looked.code(), ErrorCode::not_found);
  EXPECT_EQ(killed.code(), ErrorCode::not_found);
  EXPECT_EQ(killed.last->error().message, "killInstance for node-1: no such instance (404)");
}

TEST_F(FaultyIaasTest, BackwardsAnswersWhatWasBefore) {
  with({rule("iaas.getVMInfo.reply#3", "backwards")});
  inner.info = instance("i-1", InstanceState::pending, "");
  look();
  inner.info = instance("i-1");
  look();
  EXPECT_EQ(looked.last->value().state, InstanceState::running);
  look();
  EXPECT_EQ(looked.last->value().state, InstanceState::pending);
  look();
  EXPECT_EQ(looked.last->value().state, InstanceState::running);
}

TEST_F(FaultyIaasTest, BackwardsRemembersTheLastAnswerThatDiffered) {
  with({rule("iaas.getVMInfo.reply#3", "backwards")});
  for (const char* address : {"10.0.0.1", "10.0.0.2", "10.0.0.2"}) {
    inner.info = instance("i-1", InstanceState::running, address);
    look();
  }
  EXPECT_EQ(looked.last->value().address, "10.0.0.1");
}

TEST_F(FaultyIaasTest, BackwardsFromTheFirstAnswerIsPending) {
  with({rule("iaas.getVMInfo.reply", "backwards")});
  inner.info = instance("i-1");
  look();
  EXPECT_EQ(looked.last->value().state, InstanceState::pending);
  EXPECT_EQ(looked.last->value().address, "");
}

TEST_F(FaultyIaasTest, ExpiredCredentialsRefuseOneCall) {
  with({rule("iaas.getVMInfo.before#1", "expired_credentials")});
  look();
  EXPECT_EQ(looked.code(), ErrorCode::unauthenticated);
  look();
  EXPECT_TRUE(looked.ok());
}

TEST_F(FaultyIaasTest, BrownOutDelaysOrRefuses) {
  with({timed(0s, "brown_out", {{"for", "1h"}, {"failing", "1"}, {"slow", "2s"}})});
  run_for(1s);
  list();
  EXPECT_EQ(listed.answers, 0);
  run_for(2s);
  EXPECT_EQ(listed.code(), ErrorCode::unavailable);
  EXPECT_THAT(inner.calls, IsEmpty());
}

TEST_F(FaultyIaasTest, DroppedTagsAreTakenOffTheNewInstance) {
  with({rule("iaas.newInstance.before", "drop_tags")});
  create();
  EXPECT_THAT(sink.names(), ElementsAre("vm.forget_tags i-1"));
  EXPECT_THAT(created.last->value().tags, IsEmpty());
}

TEST_F(FaultyIaasTest, DroppedTagsAreGoneEvenWhenTheReplyIsLost) {
  with({rule("iaas.newInstance.before", "drop_tags"), rule("iaas.newInstance.reply", "lose_reply")});
  create();
  EXPECT_THAT(sink.names(), ElementsAre("vm.forget_tags i-1"));
}

TEST_F(FaultyIaasTest, DroppedNameIsTakenOffTheNewInstance) {
  with({rule("iaas.newInstance.before", "drop_name")});
  create();
  EXPECT_THAT(sink.names(), ElementsAre("vm.forget_name i-1"));
  EXPECT_EQ(created.last->value().name, "");
}

TEST_F(FaultyIaasTest, ExpiredTokenIsNewToTheCloudNextTime) {
  with({rule("iaas.newInstance.before#1", "expire_token")});
  create();
  create();
  create();
  EXPECT_EQ(inner.tokens.at(1), inner.tokens.at(2)) << "the new one is honoured";
  EXPECT_NE(inner.tokens.at(0), inner.tokens.at(1));
}

TEST_F(FaultyIaasTest, LateCopyComesWithAnExpiredToken) {
  with({rule("iaas.newInstance.before#1", "expire_token"),
        rule("iaas.newInstance.before#1", "duplicate_delivery", {{"after", "20s"}})});
  create();
  run_for(20s);
  ASSERT_EQ(inner.tokens.size(), 2U);
  EXPECT_NE(inner.tokens.at(0), inner.tokens.at(1));
}

TEST_F(FaultyIaasTest, TornListingLacksThePageThatIsSaid) {
  const auto rest = [this](const char* lost) {
    with({rule("iaas.listVMs.reply", "torn_list", {{"keep", "0.5"}, {"lose", lost}})});
    inner.listing.assign(4, InstanceInfo{});
    for (int i = 0; i < 4; ++i) inner.listing[static_cast<std::size_t>(i)].id = std::to_string(i);
    list();
    std::string ids;
    for (const auto& info : listed.last->value()) ids += info.id;
    return ids;
  };
  EXPECT_EQ(rest("end"), "01");
  EXPECT_EQ(rest("start"), "23");
  EXPECT_EQ(rest("middle"), "03");
}

TEST_F(FaultyIaasTest, CrashBeforeTheCallMakesNoCallAndNoAnswer) {
  with({rule("iaas.newInstance.before", "manager.crash")});
  create();
  EXPECT_THAT(sink.names(), ElementsAre("manager.crash node-1"));
  EXPECT_THAT(inner.calls, IsEmpty());
  EXPECT_EQ(created.answers, 0);
}

TEST_F(FaultyIaasTest, CrashAtTheEffectHasTheEffectAndNoAnswer) {
  for (const char* moment : {"iaas.newInstance.effect", "iaas.newInstance.reply"}) {
    inner.calls.clear();
    with({rule(moment, "manager.crash")});
    create();
    EXPECT_THAT(inner.calls, ElementsAre("newInstance"));
    EXPECT_EQ(created.answers, 0);
  }
}

TEST_F(FaultyIaasTest, AnswersToACrashedManagerAreNotObserved) {
  with({rule("iaas.killInstance.before#1", "delay", {{"by", "5s"}}),
        named("late", rule("iaas.killInstance.reply", "lose_reply"))});
  kill();
  engine->manager_crashed();
  run_for(5s);
  EXPECT_THAT(inner.calls, ElementsAre("killInstance i-1"));
  EXPECT_EQ(killed.answers, 0);
  EXPECT_EQ(engine->counts().at(1).matched, 0U);
}

TEST_F(FaultyIaasTest, AnswersToACrashedManagerAreDroppedWithoutRulesToo) {
  struct Holding : FakeIaas {
    void killInstance(const CallContext&, const std::string&, Handler<void> handler) override {
      held = std::move(handler);
    }
    Handler<void> held;
  } holding;
  start({});
  FaultyIaas port(holding, *engine);
  port.killInstance(context(), "i-1", killed.handler());
  engine->manager_crashed();
  holding.held(success());
  EXPECT_EQ(killed.answers, 0);
}

TEST_F(FaultyIaasTest, SinkActionAtACallLetsTheCallPass) {
  with({rule("iaas.getVMInfo.before", "vm.crash")});
  look();
  EXPECT_TRUE(looked.ok());
  EXPECT_THAT(sink.names(), ElementsAre("vm.crash node-1"));
}

TEST_F(FaultyIaasTest, EffectIsObservedOnlyWhenThereMayBeOne) {
  with({named("e", rule("iaas.getVMInfo.effect", "vm.crash")),
        named("r", rule("iaas.getVMInfo.reply", "vm.crash"))});
  inner.info = make_error(ErrorCode::not_found, "gone");
  look();
  EXPECT_EQ(engine->counts().at(0).fired, 0U);
  EXPECT_EQ(engine->counts().at(1).fired, 1U);
}

TEST_F(FaultyIaasTest, SubjectIsCopiedBeforeTheCallReturns) {
  with({rule("iaas.killInstance.before", "delay", {{"by", "1s"}})});
  {
    const auto subject = std::make_unique<std::string>("a subject that is too long to be stored inline");
    CallContext short_lived;
    short_lived.subject = *subject;
    iaas->killInstance(short_lived, "i-1", killed.handler());
  }
  run_for(1s);
  EXPECT_THAT(inner.subjects, ElementsAre("a subject that is too long to be stored inline"));
}

Task<> kill_and_wait(FaultyIaas* iaas) {
  const auto start = [iaas](Handler<void> done) {
    CallContext context;
    context.subject = "node-1";
    iaas->killInstance(context, "i-1", std::move(done));
  };
  [[maybe_unused]] const auto answer = co_await await_reply<void>(1min, start);
}

TEST_F(FaultyIaasTest, CallerThatWasKilledMeanwhileBreaksNothing) {
  with({rule("iaas.killInstance.before#1", "delay", {{"by", "5s"}}),
        rule("iaas.killInstance.before#2", "duplicate_delivery", {{"after", "5s"}}),
        rule("iaas.killInstance.before#3", "late_effect", {{"delay", "5s"}}),
        rule("iaas.killInstance.reply", "delay", {{"by", "5s"}})});
  Domain manager(scheduler);
  for (int i = 0; i < 4; ++i) spawn(manager, kill_and_wait(iaas.get()));
  run_for(1s);
  manager.kill();
  run_for(1h);
  EXPECT_EQ(inner.calls.size(), 5U);
}

TEST_F(FaultyIaasTest, CallAndReplyAreTraced) {
  trace.keep();
  with({});
  create();
  ASSERT_EQ(trace.entries().size(), 2U);
  EXPECT_EQ(trace.entries()[0].kind, TraceKind::iaas_call);
  EXPECT_EQ(trace.entries()[0].subject, "node-1");
  EXPECT_THAT(trace.entries()[0].detail, HasSubstr("newInstance"));
  EXPECT_EQ(trace.entries()[1].kind, TraceKind::iaas_reply);
  EXPECT_THAT(trace.entries()[1].detail, HasSubstr("newInstance ok i-1"));
}

TEST_F(FaultyIaasTest, ErrorsAreTracedByTheirCode) {
  trace.keep();
  with({rule("iaas.killInstance.before", "refuse")});
  kill();
  EXPECT_EQ(trace.entries().back().detail, "killInstance unavailable no effect");
}

TEST_F(FaultyIaasTest, UserDataIsNeverTraced) {
  trace.keep();
  with({});
  InstanceSpec spec;
  spec.user_data = "hunter2";
  iaas->newInstance(context(), spec, "t", created.handler());
  for (const auto& entry : trace.entries()) EXPECT_EQ(entry.detail.find("hunter2"), std::string::npos);
}

// Every row of the catalogue that is done to calls, at every call and phase that it names: it fires, and the
// caller gets at most one answer.
TEST_F(FaultyIaasTest, EveryRowFiresWhereItSaysItApplies) {
  for (const auto& row : catalogue()) {
    if (row.target != Target::iaas_call) continue;
    for (const auto call : calls_of(Port::iaas)) {
      for (const auto phase : {Phase::before, Phase::effect, Phase::reply}) {
        if (!row.applies_to(call) || !row.in_phase(phase)) continue;
        std::map<std::string, std::string> arguments;
        for (const auto& argument : row.arguments)
          if (argument.required) arguments[std::string(argument.name)] = "5s";
        const std::string point = "iaas." + std::string(call) + "." + to_text(phase);
        with({rule(point, std::string(row.name), arguments)});
        Caught<InstanceInfo> info;
        Caught<void> nothing;
        Caught<std::vector<InstanceInfo>> infos;
        Caught<VolumeInfo> volume;
        Caught<std::vector<VolumeInfo>> volumes;
        if (call == "newInstance") iaas->newInstance(context(), {}, "t", info.handler());
        if (call == "killInstance") iaas->killInstance(context(), "i-1", nothing.handler());
        if (call == "getVMInfo") iaas->getVMInfo(context(), "i-1", info.handler());
        if (call == "listVMs") iaas->listVMs(context(), "k", "v", infos.handler());
        if (call == "createVolume") iaas->createVolume(context(), "v", 1, "t", volume.handler());
        if (call == "attachVolume") iaas->attachVolume(context(), "v", "i", nothing.handler());
        if (call == "deleteVolume") iaas->deleteVolume(context(), "v", nothing.handler());
        if (call == "listVolumes") iaas->listVolumes(context(), volumes.handler());
        run_for(1min);
        EXPECT_EQ(engine->counts().at(0).fired, 1U) << row.name << " at " << point;
        EXPECT_LE(info.answers + nothing.answers + infos.answers + volume.answers + volumes.answers, 1)
            << row.name << " at " << point;
      }
    }
  }
}

}  // namespace
}  // namespace drover::fault
