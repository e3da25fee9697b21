// The recorded samples asked of a real OpenStack again, and what the driver's check says of it.
#include <gtest/gtest.h>

#include <iostream>

#include "tests/openstack/real_place.hpp"
#include "tests/openstack/samples.hpp"

namespace drover {
namespace {

using test::config_of_environment;
using test::Outside;
using test::variable;

TEST(RealOpenStackSamples, TheRealOneStillAnswersAsRecorded) {
  if (variable("SAMPLES") != "1") GTEST_SKIP() << "no real OpenStack made by openstack-up.sh";
  Outside outside;
  test::Place place(
      [&](const http::Url& url, http::Request request) { return outside.ask(url, std::move(request)); },
      variable("AUTH_URL"),
      "samples-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count()));
  ASSERT_TRUE(place.is_open()) << "no login";
  const auto second = [&] { outside.run_until([] { return false; }, 1s); };
  ASSERT_EQ(place.prepare(second), "");
  for (const auto& name : test::sequence()) {
    const auto sample = test::read_sample(name);
    const auto answer = place.ask(sample);
    ASSERT_TRUE(answer.has_value()) << name << ": " << answer.error().message;
    const auto& all = test::known_differences();
    const auto known = all.find(name);
    const auto found = differences(sample, answer.value(), place,
                                   known == all.end() ? std::vector<std::string>{} : known->second);
    EXPECT_TRUE(found.empty()) << name << ":\n  " << testing::PrintToString(found);
  }
  place.clean_up();
}

TEST(RealOpenStackCheck, FindsAllThatAnInstanceNeeds) {
  if (variable("AUTH_URL").empty()) GTEST_SKIP() << "no real OpenStack is named";
  Outside outside;
  OpenStackCloud driver(outside.scheduler(), outside.client(), config_of_environment());
  std::optional<std::vector<std::string>> lines;
  outside.pump().submit([&] {
    driver.check(CallContext{"check", 1min},
                 [&](Result<std::vector<std::string>> result) { lines = result.value(); });
  });
  ASSERT_TRUE(outside.run_until([&] { return lines.has_value(); }, 2min));
  for (const auto& line : *lines) {
    std::cout << line << "\n";
    EXPECT_TRUE(line.starts_with("ok: ")) << line;
  }
}

}  // namespace
}  // namespace drover
