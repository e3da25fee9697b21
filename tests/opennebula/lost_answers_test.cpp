// The driver over the wire to a mock cloud whose answers get lost after their effect.
#include "manager/adapters/opennebula/opennebula_cloud.hpp"
#include "tests/opennebula/stage.hpp"

namespace drover {
namespace {

// Forwards everything, and drops the answers of as many calls as it is told.
class Lossy final : public Iaas {
 public:
  explicit Lossy(Iaas& below) : below_(below) {}
  int lose_new = 0, lose_kill = 0, lose_list = 0;
  std::optional<Error> refuse_new;

  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override {
    if (refuse_new) return handler(*refuse_new);
    below_.newInstance(context, spec, token, lossy(std::move(handler), lose_new));
  }
  void killInstance(const CallContext& context, const std::string& id, Handler<void> handler) override {
    below_.killInstance(context, id, lossy(std::move(handler), lose_kill));
  }
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override {
    below_.getVMInfo(context, id, std::move(handler));
  }
  void listVMs(const CallContext& context, const std::string& key, const std::string& value,
               Handler<std::vector<InstanceInfo>> handler) override {
    below_.listVMs(context, key, value, lossy(std::move(handler), lose_list));
  }
  void createVolume(const CallContext&, const std::string&, unsigned, const std::string&,
                    Handler<VolumeInfo>) override {}
  void attachVolume(const CallContext&, const std::string&, const std::string&, Handler<void>) override {}
  void deleteVolume(const CallContext&, const std::string&, Handler<void>) override {}
  void listVolumes(const CallContext&, Handler<std::vector<VolumeInfo>>) override {}

 private:
  template <class T>
  static Handler<T> lossy(Handler<T> handler, int& count) {
    if (count == 0) return handler;
    --count;
    return [kept = std::move(handler)](const Result<T>&) {};
  }
  Iaas& below_;
};

class OpenNebulaLostAnswers : public testing::Test {
 protected:
  OpenNebulaLostAnswers()
      : stage_({}, test::one_settings(), [this](Iaas& below) {
          auto lossy = std::make_unique<Lossy>(below);
          lossy_ = lossy.get();
          return lossy;
        }) {
    OpenNebulaConfig config;
    config.url = "http://" + stage_.wired().url().authority();
    config.user = "oneadmin";
    config.password = Secret{"onepass"};
    config.request_timeout = std::chrono::seconds(5);
    config_ = config;
    driver_.emplace(stage_.wired().scheduler(), stage_.wired().client(), config);
  }
  template <class T, class Start>
  Result<T> ask(Start start) {
    std::optional<Result<T>> answer;
    start(Handler<T>([&](Result<T> result) { answer.emplace(std::move(result)); }));
    stage_.wired().run_until([&] { return answer.has_value(); });
    if (!answer) return make_error(ErrorCode::unknown, "never answered");
    return *std::move(answer);
  }
  Result<InstanceInfo> create() {
    const InstanceSpec spec{"lost", "debian-12-drover", "small", "default", "", {{kServiceTag, "s"}}};
    return ask<InstanceInfo>(
        [&](auto handler) { driver_->newInstance(context_, spec, "t", std::move(handler)); });
  }

  Lossy* lossy_ = nullptr;
  test::OneStage stage_;
  OpenNebulaConfig config_;
  std::optional<OpenNebulaCloud> driver_;
  CallContext context_{"node-1", std::chrono::seconds(20)};
};

TEST_F(OpenNebulaLostAnswers, AMachineWhoseAnswerWasLostIsFoundByItsToken) {
  lossy_->lose_new = 1;
  const auto lost = create();
  ASSERT_TRUE(lost.has_error());
  EXPECT_EQ(lost.error().effect, Effect::possible);
  EXPECT_EQ(stage_.cloud().total_created(), 1U);
  // Another driver, too: what tells is in the cloud.
  driver_.emplace(stage_.wired().scheduler(), stage_.wired().client(), config_);
  const auto found = create();
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found.value().id, "0");
  EXPECT_EQ(found.value().tag(kServiceTag), "s");
  EXPECT_EQ(found.value().image, "debian-12-drover");
  EXPECT_EQ(stage_.cloud().total_created(), 1U);
}

TEST_F(OpenNebulaLostAnswers, AnEndWhoseAnswerWasLostIsRepeated) {
  ASSERT_TRUE(create().has_value());
  lossy_->lose_kill = 1;
  const auto kill = [&] {
    return ask<void>([&](auto handler) { driver_->killInstance(context_, "0", std::move(handler)); });
  };
  const auto lost = kill();
  ASSERT_TRUE(lost.has_error());
  EXPECT_EQ(lost.error().effect, Effect::possible);
  EXPECT_TRUE(kill().has_value());
  EXPECT_TRUE(is_gone(stage_.cloud().instance("i-00000001")->state));
}

TEST_F(OpenNebulaLostAnswers, AListingWhoseAnswerWasLostIsReadAgain) {
  ASSERT_TRUE(create().has_value());
  lossy_->lose_list = 2;
  const auto listed = ask<std::vector<InstanceInfo>>(
      [&](auto handler) { driver_->listVMs(context_, kServiceTag, "s", std::move(handler)); });
  ASSERT_TRUE(listed.has_value()) << listed.error().message;
  EXPECT_EQ(listed.value().size(), 1U);
}

TEST_F(OpenNebulaLostAnswers, RefusalsCrossTheWire) {
  struct Row {
    ErrorCode code, there;
    Effect effect;
  };
  using E = ErrorCode;
  for (const Row& row :
       {Row{E::invalid, E::invalid, Effect::none}, Row{E::not_found, E::not_found, Effect::none},
        Row{E::already_exists, E::already_exists, Effect::none},
        Row{E::wrong_state, E::wrong_state, Effect::none}, Row{E::quota, E::quota, Effect::none},
        Row{E::capacity, E::capacity, Effect::none}, Row{E::throttled, E::throttled, Effect::none},
        Row{E::unauthenticated, E::unauthenticated, Effect::none},
        Row{E::permission, E::permission, Effect::none},
        // The protocol cannot say whether these have done something.
        Row{E::unavailable, E::unavailable, Effect::possible},
        Row{E::internal, E::internal, Effect::possible}, Row{E::storage, E::internal, Effect::possible}}) {
    // Words that name other kinds of refusal, too.
    lossy_->refuse_new = make_error(row.code, "the limit of the quota is invalid");
    lossy_->refuse_new->retry_after = std::chrono::minutes(2);
    const auto made = create();
    ASSERT_TRUE(made.has_error());
    EXPECT_EQ(made.error().code, row.there) << to_text(row.code) << ": " << made.error().message;
    EXPECT_EQ(made.error().effect, row.effect) << to_text(row.code);
    if (row.code != E::throttled) continue;
    EXPECT_EQ(made.error().retry_after, std::chrono::minutes(2));
  }
}

TEST_F(OpenNebulaLostAnswers, DoctorIsContentWithTheMockCloud) {
  config_.image = "debian-12-drover";
  config_.network = "default";
  driver_.emplace(stage_.wired().scheduler(), stage_.wired().client(), config_);
  const auto found = ask<std::vector<std::string>>([&](auto handler) { driver_->check(std::move(handler)); });
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found.value(), std::vector<std::string>{});
  config_.password = Secret{"wrong"};
  driver_.emplace(stage_.wired().scheduler(), stage_.wired().client(), config_);
  const auto refused =
      ask<std::vector<std::string>>([&](auto handler) { driver_->check(std::move(handler)); });
  ASSERT_EQ(refused.value().size(), 1U);
  EXPECT_NE(refused.value()[0].find("opennebula.user"), std::string::npos);
}

}  // namespace
}  // namespace drover
