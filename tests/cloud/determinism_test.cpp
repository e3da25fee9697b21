#include "tests/cloud/cloud_stage.hpp"

namespace drover::cloud {
namespace {

// A busy life with every latency random.
std::pair<std::uint64_t, std::uint64_t> run(std::uint64_t seed, const std::string& path = ":memory:") {
  CloudConfig config;
  config.list_lag = Distribution::uniform(0s, 20s);
  config.address_delay = Distribution::exponential(30s);
  Stage stage(config, path, seed);
  for (int i = 0; i < 50; ++i) {
    stage.create("node-" + std::to_string(i));
    if (i % 7 == 3) {
      for (const auto& info : stage.list("", "")) EXPECT_TRUE(stage.kill(info.id).has_value());
    }
    if (i == 30) {
      EXPECT_TRUE(stage.cloud->lose_zone("a").has_value());
    }
    stage.pass(5s);
  }
  stage.pass(10min);
  return {stage.trace.digest(), stage.scheduler.digest()};
}

TEST(Determinism, TheSameSeedGivesTheSameDigests) { EXPECT_EQ(run(1), run(1)); }

TEST(Determinism, AnotherSeedGivesAnotherDigest) { EXPECT_NE(run(1), run(2)); }

TEST(Determinism, AFileGivesTheSameRunAsMemory) {
  const DatabaseFile file;
  EXPECT_EQ(run(3, file.path()), run(3));
}

TEST(Determinism, AnInstancesLatenciesDoNotDependOnOtherInstances) {
  const auto boot_time = [](int others) {
    Stage stage{CloudConfig{}};
    for (int i = 0; i < others; ++i) stage.create("other-" + std::to_string(i));
    const std::string id = stage.create("node-1");
    while (stage.state(id) != InstanceState::running) stage.scheduler.run_one();
    return stage.cloud->instance(id)->state_since - stage.cloud->instance(id)->created_at;
  };
  EXPECT_EQ(boot_time(0), boot_time(5));
}

}  // namespace
}  // namespace drover::cloud
