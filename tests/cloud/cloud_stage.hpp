// A mock cloud with its scheduler, for the tests of mockcloud/cloud.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mockcloud/cloud/cloud.hpp"

namespace drover::cloud {

// Every latency a constant, so that tests can name moments: calls 0s, boot 40s, stop 10s, reboot 20s,
// terminate 15s.
inline CloudConfig steady_config() {
  CloudConfig config;
  config.boot = Distribution::constant(40s);
  config.call_latency = Distribution();
  return config;
}

inline InstanceSpec make_spec(const std::string& name) {
  return {name, "debian-12-drover", "small", "default", "#!/bin/sh", {{kServiceTag, "7"}, {kNodeTag, name}}};
}

class ListenerMock : public InstanceListener {
 public:
  MOCK_METHOD(void, instance_booted, (const InstanceInfo&, const std::string&), (override));
  MOCK_METHOD(void, instance_rebooted, (const std::string&, bool), (override));
  MOCK_METHOD(void, instance_address_changed, (const std::string&, const std::string&), (override));
  MOCK_METHOD(void, instance_paused, (const std::string&, bool), (override));
  MOCK_METHOD(void, instance_stopped, (const std::string&), (override));
  MOCK_METHOD(void, instance_terminated, (const std::string&), (override));
};

class Stage {
 public:
  explicit Stage(CloudConfig config = steady_config(),
                 const std::string& path = ":memory:", std::uint64_t seed = 1)
      : choices(seed),
        cloud(std::make_unique<Cloud>(scheduler, domain, choices, trace, std::move(config), path)) {}

  template <class T, class Start>
  Result<T> ask(Start start) {
    std::optional<Result<T>> answer;
    start(Handler<T>([&](Result<T> result) { answer.emplace(std::move(result)); }));
    EXPECT_FALSE(answer.has_value()) << "answered from inside the call";
    while (!answer && scheduler.run_one()) {
    }
    if (!answer) return make_error(ErrorCode::timeout, "never answered");
    return *std::move(answer);
  }
  Result<InstanceInfo> try_create(const InstanceSpec& spec, const std::string& token = {}) {
    return ask<InstanceInfo>([&](auto handler) { cloud->newInstance({}, spec, token, std::move(handler)); });
  }
  // The id of a new instance.
  std::string create(const std::string& name) {
    auto created = try_create(make_spec(name));
    EXPECT_TRUE(created.has_value()) << created.error().message;
    return created ? created.value().id : "";
  }
  std::string create_running(const std::string& name) {
    const std::string id = create(name);
    pass(40s);
    EXPECT_EQ(state(id), InstanceState::running);
    return id;
  }
  Result<void> kill(const std::string& id) {
    return ask<void>([&](auto handler) { cloud->killInstance({}, id, std::move(handler)); });
  }
  Result<InstanceInfo> look_up(const std::string& id) {
    return ask<InstanceInfo>([&](auto handler) { cloud->getVMInfo({}, id, std::move(handler)); });
  }
  std::vector<InstanceInfo> list(const std::string& key = kServiceTag, const std::string& value = "7") {
    return ask<std::vector<InstanceInfo>>(
               [&](auto handler) { cloud->listVMs({}, key, value, std::move(handler)); })
        .value();
  }
  Result<VolumeInfo> create_volume(const std::string& name, unsigned gigabytes,
                                   const std::string& token = {}) {
    return ask<VolumeInfo>(
        [&](auto handler) { cloud->createVolume({}, name, gigabytes, token, std::move(handler)); });
  }
  Result<void> attach(const std::string& volume, const std::string& id) {
    return ask<void>([&](auto handler) { cloud->attachVolume({}, volume, id, std::move(handler)); });
  }
  Result<void> delete_volume(const std::string& volume) {
    return ask<void>([&](auto handler) { cloud->deleteVolume({}, volume, std::move(handler)); });
  }
  std::vector<VolumeInfo> list_volumes() {
    return ask<std::vector<VolumeInfo>>([&](auto handler) { cloud->listVolumes({}, std::move(handler)); })
        .value();
  }
  void pass(Duration time) { scheduler.run_until(scheduler.now() + time); }
  InstanceState state(const std::string& id) const { return cloud->instance(id)->state; }

  Scheduler scheduler;
  Domain domain{scheduler};
  Choices choices;
  Trace trace;
  std::unique_ptr<Cloud> cloud;
};

// A path for a database that is removed with its companions at the end of the test.
class DatabaseFile {
 public:
  DatabaseFile() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    path_ = testing::TempDir() + "drover_" + test->test_suite_name() + "_" + test->name() + ".db";
    remove();
  }
  ~DatabaseFile() { remove(); }
  DatabaseFile(const DatabaseFile&) = delete;
  DatabaseFile& operator=(const DatabaseFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  void remove() const {
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
  }
  std::string path_;
};

}  // namespace drover::cloud
