// What 100,000 instances may take (docs/benchmarks.md), in small: bytes that the allocator has given out.
#include <malloc.h>

#include <iostream>

#include "tests/cloud/cloud_stage.hpp"

namespace drover::cloud {
namespace {

constexpr int kInstances = 20'000;
constexpr double kInstanceMax = 850;  // bytes, with its tags, token, name and the timer of its boot
constexpr double kRowMax = 24;        // bytes of a listing that somebody holds, for each instance in it

double bytes_in_use() {
  const auto info = ::mallinfo2();
  return static_cast<double>(info.uordblks) + static_cast<double>(info.hblkhd);
}

void launch(Stage& stage, int from, int to) {
  for (int i = from; i < to; ++i) {
    const std::string number = std::to_string(i);
    InstanceSpec spec{"node-" + number,
                      "debian-12-drover",
                      "small",
                      "default",
                      "",
                      {{"drover-service", "7"}, {"set", number}}};
    ASSERT_TRUE(stage.try_create(spec, "token-" + number).has_value());
  }
}

TEST(Memory, AnInstanceTakesLittleAndAListingHardlyAnything) {
  CloudConfig config = steady_config();
  config.boot = Distribution::constant(10h);
  Stage stage(config, "");  // tables in a temporary file, as those of `drover mockcloud`
  launch(stage, 0, 1000);
  const double before = bytes_in_use();
  if (before == 0) GTEST_SKIP() << "this allocator does not say what it has given out";
  launch(stage, 1000, 1000 + kInstances);
  const double each = (bytes_in_use() - before) / kInstances;
  std::cout << "  an instance: " << each << " bytes\n";
  EXPECT_LT(each, kInstanceMax);

  const auto list = [&] {
    return stage.ask<Snapshot>(
        [&](auto handler) { stage.cloud->list_snapshot({}, {}, {}, std::move(handler)); });
  };
  ASSERT_TRUE(list().has_value());  // the next one knows how many there are
  const double unlisted = bytes_in_use();
  const auto listed = list();
  ASSERT_EQ(listed.value().size(), 1000U + kInstances);
  const double row = (bytes_in_use() - unlisted) / static_cast<double>(listed.value().size());
  std::cout << "  a row of a listing: " << row << " bytes\n";
  EXPECT_LT(row, kRowMax);
}

}  // namespace
}  // namespace drover::cloud
