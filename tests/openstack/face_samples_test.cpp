// The mock cloud's answers beside the recorded ones of a real OpenStack (Zed).
#include <gtest/gtest.h>

#include "mockcloud/wire/openstack/openstack_face.hpp"
#include "tests/openstack/samples.hpp"
#include "tests/openstack/wired_openstack.hpp"

namespace drover {
namespace {

using test::read_sample;

class FaceSamples : public testing::Test {
 protected:
  FaceSamples()
      : wired_(test::recorded_cloud()),
        place_([this](const http::Url&, http::Request request) { return wired_.ask(std::move(request)); },
               wired_.auth_url()) {}
  void SetUp() override {
    ASSERT_TRUE(place_.is_open()) << "no login";
    ASSERT_EQ(place_.prepare(second()), "");
    place_.name("2020-01-01T00:00:00Z", "1960-01-01T00:00:00Z");  // the simulation begins in 1970
  }
  std::function<void()> second() {
    return [this] { wired_.pass(1s); };
  }
  // Asks a sample's request and compares the answer.
  void compare(const std::string& name) {
    const auto sample = read_sample(name);
    const auto answer = place_.ask(sample);
    ASSERT_TRUE(answer.has_value()) << name << ": " << answer.error().message;
    const auto& all = test::known_differences();
    const auto known = all.find(name);
    const auto found = differences(sample, answer.value(), place_,
                                   known == all.end() ? std::vector<std::string>{} : known->second);
    EXPECT_TRUE(found.empty()) << name << ":\n  " << testing::PrintToString(found);
  }
  const std::string server() const { return place_.named(test::kRecordedServer); }

  test::WiredOpenStack wired_;
  test::Place place_;
};

TEST_F(FaceSamples, AnswersWhatTheRealOneAnswers) {
  for (const auto& name : test::sequence()) compare(name);
}

TEST_F(FaceSamples, AServerIsStoppedAndStartedAsRecorded) {
  compare("nova-stop");
  ASSERT_TRUE(place_.reaches(server(), "SHUTOFF", second()));
  compare("nova-stop-again-409");
  compare("nova-start");
  ASSERT_TRUE(place_.reaches(server(), "ACTIVE", second()));
  compare("nova-reboot");
  ASSERT_TRUE(place_.reaches(server(), "ACTIVE", second()));
  compare("nova-rename");
}

TEST_F(FaceSamples, AServerIsPausedAndGoesOnAsRecorded) {
  compare("nova-pause");
  ASSERT_TRUE(place_.reaches(server(), "PAUSED", second()));
  compare("nova-show-paused");
  compare("nova-unpause");
  EXPECT_TRUE(place_.reaches(server(), "ACTIVE", second()));
}

TEST_F(FaceSamples, ADeletedServerIsDeletingAndThenUnknown) {
  compare("nova-delete");
  compare("nova-show-deleting");
  compare("nova-delete");
  EXPECT_TRUE(place_.reaches(server(), "gone", second()));
  const auto again = place_.ask(read_sample("nova-delete"));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again.value().status, 404);
}

TEST_F(FaceSamples, AServerThatIsBeingBuiltCannotBeRebooted) {
  const auto made = place_.ask(read_sample("nova-create-none"));
  ASSERT_TRUE(made.has_value());
  const auto id = nlohmann::json::parse(made.value().body)["server"]["id"].get<std::string>();
  place_.name(test::kRecordedServer, id);
  compare("nova-action-while-building-409");
}

TEST_F(FaceSamples, AServerWithoutRoomEndsInErrorWithAFault) {
  auto config = wired_.cloud().config();
  config.capacity = 1;
  ASSERT_TRUE(wired_.cloud().reconfigure(config).has_value());
  const auto made = place_.ask(read_sample("nova-create-none"));
  ASSERT_TRUE(made.has_value());
  ASSERT_EQ(made.value().status, 202) << made.value().body;
  const auto id = nlohmann::json::parse(made.value().body)["server"]["id"].get<std::string>();
  place_.name("53e21cb7-1fdf-4d45-b464-3ffb3feafe9e", id);
  compare("nova-show-error-fault");
}

TEST_F(FaceSamples, TheQuotaIsRefusedAsRecorded) {
  auto config = wired_.cloud().config();
  config.quota_instances = 1;
  ASSERT_TRUE(wired_.cloud().reconfigure(config).has_value());
  const auto sample = read_sample("nova-quota-exceeded-403");
  const auto answer = place_.ask(sample);
  ASSERT_TRUE(answer.has_value());
  const auto found = differences(sample, answer.value(), place_, {"message"});
  EXPECT_TRUE(found.empty()) << testing::PrintToString(found);
  EXPECT_NE(answer.value().body.find("Quota exceeded for instances: Requested 1, but already used 2 of 1"),
            std::string::npos)
      << answer.value().body;
}

TEST_F(FaceSamples, AnExpiredTokenIsUnknown) {
  wired_.pass(std::chrono::hours(1));
  compare("nova-expired-token-401");
  const std::string expired = place_.token();
  const auto login = place_.ask(read_sample("ks-auth-scoped"));
  ASSERT_TRUE(login.has_value());
  place_.set_token(*login.value().field("X-Subject-Token"));
  auto sample = read_sample("ks-validate-expired-404");
  for (auto& [name, value] : sample.request.fields)
    if (name == "X-Subject-Token") value = expired;
  const auto answer = place_.ask(sample);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer.value().status, 404);
  EXPECT_NE(answer.value().body.find("Failed to validate token"), std::string::npos) << answer.value().body;
}

TEST_F(FaceSamples, ARevokedTokenIsUnknown) {
  const auto revoked = place_.ask("identity", "DELETE", "/v3/auth/tokens", {},
                                  {{"X-Auth-Token", place_.token()}, {"X-Subject-Token", place_.token()}});
  ASSERT_TRUE(revoked.has_value());
  EXPECT_EQ(revoked.value().status, 204);
  compare("nova-revoked-token");
}

}  // namespace
}  // namespace drover
