// Bounds generous enough for a busy machine and a build without optimisation: they catch what grows with the
// number of instances, not a slow day.
#include <chrono>
#include <iostream>

#include "tests/cloud/cloud_stage.hpp"

namespace drover::cloud {
namespace {

constexpr int kInstances = 10'000;

class Stopwatch {
 public:
  double microseconds() const {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void report(const char* what, double microseconds, double bound) {
  testing::Test::RecordProperty(what, std::to_string(microseconds));
  std::cout << "  " << what << ": " << microseconds << " us\n";
  EXPECT_LT(microseconds, bound) << what;
}

TEST(Performance, TenThousandInstancesAreQuick) {
  Stage stage{CloudConfig{}};
  int answers = 0;
  const Stopwatch creating;
  for (int i = 0; i < kInstances; ++i) {
    const std::string name = "node-" + std::to_string(i);
    stage.cloud->newInstance({}, make_spec(name), name, [&](auto result) { answers += result ? 1 : 0; });
  }
  stage.scheduler.run_until(kNever);
  report("newInstance until running, each", creating.microseconds() / kInstances, 500);
  ASSERT_EQ(answers, kInstances);
  ASSERT_EQ(stage.cloud->count(InstanceState::running), static_cast<std::size_t>(kInstances));

  const Stopwatch looking;
  for (int i = 1; i <= kInstances; ++i) {
    stage.cloud->getVMInfo({}, stage.cloud->instance_named("node-1")->id, [&](auto) { ++answers; });
    stage.scheduler.run_one();
    stage.scheduler.run_one();
  }
  report("getVMInfo, each", looking.microseconds() / kInstances, 100);

  stage.list();
  const Stopwatch listing;
  EXPECT_EQ(stage.list().size(), static_cast<std::size_t>(kInstances));
  report("listVMs", listing.microseconds(), 500'000);

  const Stopwatch killing;
  stage.cloud->for_each_instance(
      [&](const Instance& vm) { stage.cloud->killInstance({}, vm.id, [](auto) {}); });
  stage.scheduler.run_until(kNever);
  report("killInstance until terminated, each", killing.microseconds() / kInstances, 500);
  EXPECT_EQ(stage.cloud->live(), 0U);
}

TEST(Performance, SettingUpACloudIsQuick) {
  { Stage warm; }
  double best = 1e9;
  for (int i = 0; i < 50; ++i) {
    const Stopwatch watch;
    Stage stage;
    best = std::min(best, watch.microseconds());
  }
  report("set-up", best, 5'000);
}

}  // namespace
}  // namespace drover::cloud
