// The contract of the Iaas port (manager/ports/iaas.hpp) as one suite over every implementation. A test
// program includes this header and instantiates the suite with its own stages:
//
//   INSTANTIATE_TEST_SUITE_P(MockCloud, IaasContract, testing::Values(IaasUnderTest{"Cloud", make_stage}),
//   name_of);
//
// The tests wait for conditions, never for times, and leave nothing behind: what they create they terminate,
// so that the suite may be run against a cloud that costs money.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "manager/ports/iaas.hpp"

namespace drover {

// What an implementation brings to the suite.
class IaasStage {
 public:
  virtual ~IaasStage() = default;
  virtual Iaas& iaas() = 0;
  // Lets time pass until `done` or for `limit`; says whether `done` became true.
  virtual bool run_until(const std::function<bool()>& done, Duration limit) = 0;
  // A spec that this implementation can create, carrying `name` and the tag kServiceTag = `service`.
  virtual InstanceSpec spec(const std::string& name, const std::string& service) = 0;
  // The longest that a boot, a termination or a lagging listing may take here.
  virtual Duration patience() const { return std::chrono::minutes(20); }
  virtual bool has_volumes() const { return true; }
  // Distinguishes the names and tokens of this run from those of others in the same account.
  virtual std::string run_id() const { return "contract"; }
};

struct IaasUnderTest {
  std::string name;
  std::function<std::unique_ptr<IaasStage>()> make;
};

inline std::string name_of(const testing::TestParamInfo<IaasUnderTest>& info) { return info.param.name; }
inline void PrintTo(const IaasUnderTest& under_test, std::ostream* out) { *out << under_test.name; }

class IaasContract : public testing::TestWithParam<IaasUnderTest> {
 protected:
  void SetUp() override { stage_ = GetParam().make(); }
  void TearDown() override {
    for (const auto& id : created_) EXPECT_TRUE(kill(id).has_value()) << id << " was left behind";
  }

  // Makes one call and waits for its answer. The start function gets the handler.
  template <class T, class Start>
  Result<T> ask(Start start) {
    auto answer = std::make_shared<std::optional<Result<T>>>();
    auto answers = std::make_shared<int>(0);
    start(Handler<T>([answer, answers](Result<T> result) {
      ++*answers;
      answer->emplace(std::move(result));
    }));
    stage_->run_until([&] { return answer->has_value(); }, stage_->patience());
    EXPECT_LE(*answers, 1) << "a handler was answered twice";
    if (!answer->has_value()) return make_error(ErrorCode::timeout, "the call was never answered");
    return std::move(**answer);
  }

  std::string service() const { return stage_->run_id() + "-service"; }
  std::string token(const std::string& text) const { return stage_->run_id() + "-" + text; }

  Result<InstanceInfo> create(const InstanceSpec& spec, const std::string& with_token) {
    auto result = ask<InstanceInfo>(
        [&](auto handler) { stage_->iaas().newInstance(context_, spec, with_token, std::move(handler)); });
    if (result) created_.push_back(result.value().id);
    return result;
  }
  Result<InstanceInfo> create(const std::string& name) {
    return create(stage_->spec(name, service()), token(name));
  }
  Result<void> kill(const std::string& id) {
    return ask<void>([&](auto handler) { stage_->iaas().killInstance(context_, id, std::move(handler)); });
  }
  Result<InstanceInfo> look_up(const std::string& id) {
    return ask<InstanceInfo>(
        [&](auto handler) { stage_->iaas().getVMInfo(context_, id, std::move(handler)); });
  }
  std::vector<InstanceInfo> list(const std::string& value) {
    auto result = ask<std::vector<InstanceInfo>>(
        [&](auto handler) { stage_->iaas().listVMs(context_, kServiceTag, value, std::move(handler)); });
    EXPECT_TRUE(result.has_value());
    return result ? std::move(result).value() : std::vector<InstanceInfo>{};
  }
  // Asks again and again until `holds` of the answer, with a second between.
  bool eventually(const std::function<bool()>& holds) {
    for (int attempt = 0; attempt < 1200; ++attempt) {
      if (holds()) return true;
      stage_->run_until([] { return false; }, std::chrono::seconds(1));
    }
    return false;
  }
  bool reaches(const std::string& id, InstanceState state) {
    return eventually([&] {
      const auto info = look_up(id);
      return info && info.value().state == state;
    });
  }

  std::unique_ptr<IaasStage> stage_;
  CallContext context_{"contract", std::chrono::seconds(60)};
  std::vector<std::string> created_;
};

TEST_P(IaasContract, ANewInstanceIsWhatWasAskedFor) {
  const InstanceSpec spec = stage_->spec("asked", service());
  const auto created = create(spec, token("asked"));
  ASSERT_TRUE(created.has_value()) << created.error().message;
  EXPECT_FALSE(created.value().id.empty());
  EXPECT_EQ(created.value().name, spec.name);
  EXPECT_EQ(created.value().image, spec.image);
  EXPECT_EQ(created.value().size, spec.size);
  EXPECT_EQ(created.value().tag(kServiceTag), service());
}

TEST_P(IaasContract, ANewInstanceRunsAndHasAnAddressInTheEnd) {
  const auto created = create("runs");
  ASSERT_TRUE(created.has_value()) << created.error().message;
  EXPECT_TRUE(eventually([&] {
    const auto info = look_up(created.value().id);
    return info && info.value().state == InstanceState::running && !info.value().address.empty();
  }));
}

TEST_P(IaasContract, TheSameTokenAndSpecGiveTheFirstInstanceAgain) {
  const auto first = create("token"), second = create("token");
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(first.value().id, second.value().id);
}

TEST_P(IaasContract, TheSameTokenWithAnotherSpecIsRefused) {
  ASSERT_TRUE(create("mismatch").has_value());
  const auto other = create(stage_->spec("mismatch-other", service()), token("mismatch"));
  ASSERT_TRUE(other.has_error());
  EXPECT_EQ(other.error().code, ErrorCode::already_exists);
  EXPECT_EQ(other.error().effect, Effect::none);
}

TEST_P(IaasContract, OtherTokensGiveOtherInstances) {
  const InstanceSpec spec = stage_->spec("twins", service());
  const auto first = create(spec, token("twin-1")), second = create(spec, token("twin-2"));
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_NE(first.value().id, second.value().id);
}

TEST_P(IaasContract, ATokenIsRememberedAfterTheTermination) {
  const auto first = create("remembered");
  ASSERT_TRUE(first.has_value());
  ASSERT_TRUE(kill(first.value().id).has_value());
  const auto second = create("remembered");
  ASSERT_TRUE(second.has_value()) << second.error().message;
  EXPECT_EQ(first.value().id, second.value().id);
}

TEST_P(IaasContract, AKilledInstanceIsGoneInTheEnd) {
  const auto created = create("killed");
  ASSERT_TRUE(created.has_value());
  ASSERT_TRUE(kill(created.value().id).has_value());
  EXPECT_TRUE(eventually([&] {
    const auto info = look_up(created.value().id);
    if (!info) return info.error().code == ErrorCode::not_found;
    return info.value().state == InstanceState::terminated;
  }));
}

TEST_P(IaasContract, KillingTwiceSucceeds) {
  const auto created = create("twice");
  ASSERT_TRUE(created.has_value());
  EXPECT_TRUE(kill(created.value().id).has_value());
  EXPECT_TRUE(kill(created.value().id).has_value());
}

TEST_P(IaasContract, KillingAnInstanceThatIsGoneSucceeds) {
  const auto created = create("gone");
  ASSERT_TRUE(created.has_value());
  ASSERT_TRUE(kill(created.value().id).has_value());
  ASSERT_TRUE(eventually([&] {
    const auto info = look_up(created.value().id);
    return !info || info.value().state == InstanceState::terminated;
  }));
  EXPECT_TRUE(kill(created.value().id).has_value());
}

TEST_P(IaasContract, AnUnknownIdIsNotFound) {
  const auto info = look_up("i-99999999");
  ASSERT_TRUE(info.has_error());
  EXPECT_EQ(info.error().code, ErrorCode::not_found);
  EXPECT_EQ(info.error().effect, Effect::none);
}

TEST_P(IaasContract, AListingGivesInTheEndWhatCarriesTheTagInTheOrderOfCreation) {
  std::vector<std::string> ids;
  for (const char* name : {"list-1", "list-2", "list-3"}) {
    const auto created = create(stage_->spec(name, service() + "-list"), token(name));
    ASSERT_TRUE(created.has_value());
    ids.push_back(created.value().id);
    stage_->run_until([] { return false; }, std::chrono::seconds(1));
  }
  ASSERT_TRUE(create("list-other").has_value());
  std::vector<std::string> listed;
  EXPECT_TRUE(eventually([&] {
    listed.clear();
    for (const auto& info : list(service() + "-list"))
      if (!is_gone(info.state)) listed.push_back(info.id);
    return listed == ids;
  })) << testing::PrintToString(listed);
}

TEST_P(IaasContract, AListingOfAnUnknownTagIsEmpty) { EXPECT_TRUE(list(service() + "-nobody").empty()); }

TEST_P(IaasContract, AVolumeIsCreatedOncePerTokenAndDeletedOnce) {
  if (!stage_->has_volumes()) GTEST_SKIP() << "no volumes here";
  const auto make = [&] {
    return ask<VolumeInfo>([&](auto handler) {
      stage_->iaas().createVolume(context_, "data", 10, token("data"), std::move(handler));
    });
  };
  const auto drop = [&](const std::string& id) {
    return ask<void>([&](auto handler) { stage_->iaas().deleteVolume(context_, id, std::move(handler)); });
  };
  const auto first = make(), second = make();
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(first.value().id, second.value().id);
  EXPECT_EQ(first.value().gigabytes, 10U);
  EXPECT_TRUE(drop(first.value().id).has_value());
  EXPECT_TRUE(drop(first.value().id).has_value()) << "deleting what is gone succeeds";
}

TEST_P(IaasContract, AnAttachedVolumeIsNotDeleted) {
  if (!stage_->has_volumes()) GTEST_SKIP() << "no volumes here";
  const auto vm = create("holder");
  ASSERT_TRUE(vm.has_value());
  ASSERT_TRUE(reaches(vm.value().id, InstanceState::running));
  const auto volume = ask<VolumeInfo>([&](auto handler) {
    stage_->iaas().createVolume(context_, "held", 1, token("held"), std::move(handler));
  });
  ASSERT_TRUE(volume.has_value());
  const auto attached = ask<void>([&](auto handler) {
    stage_->iaas().attachVolume(context_, volume.value().id, vm.value().id, std::move(handler));
  });
  ASSERT_TRUE(attached.has_value()) << attached.error().message;
  const auto drop = [&] {
    return ask<void>(
        [&](auto handler) { stage_->iaas().deleteVolume(context_, volume.value().id, std::move(handler)); });
  };
  const auto early = drop();
  ASSERT_TRUE(early.has_error());
  EXPECT_EQ(early.error().code, ErrorCode::wrong_state);
  ASSERT_TRUE(kill(vm.value().id).has_value());
  EXPECT_TRUE(eventually([&] { return drop().has_value(); })) << "the instance is gone, the volume is free";
}

}  // namespace drover
