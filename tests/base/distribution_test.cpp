#include "manager/base/distribution.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace drover {
namespace {

using testing::HasSubstr;

Distribution parsed(const char* text) { return Distribution::parse(text).value(); }

TEST(DistributionText, IsReadInEveryShape) {
  EXPECT_EQ(parsed("35s"), Distribution::constant(35s));
  EXPECT_EQ(parsed("const(2s)"), Distribution::constant(2s));
  EXPECT_EQ(parsed(" uniform( 0s , 20s ) "), Distribution::uniform(0s, 20s));
  EXPECT_EQ(parsed("exp(90s)"), Distribution::exponential(90s));
  EXPECT_EQ(parsed("lognormal(p50=40s, p99=5m)"), Distribution::lognormal(40s, 5min));
}

TEST(DistributionText, IsReadBack) {
  for (const char* text : {"const(2s)", "uniform(0s, 20s)", "exp(1m30s)", "lognormal(p50=40s, p99=5m)"})
    EXPECT_EQ(parsed(text).to_text(), text);
}

TEST(DistributionText, ErrorsSayWhatIsWrong) {
  const std::pair<const char*, const char*> kCases[] = {
      {"", "expected a duration"},
      {"35", "expected a duration"},
      {"exp", "expected a duration"},
      {"exp(90s", "closing parenthesis"},
      {"exp(90)", "\"90\" is not a duration with its unit"},
      {"exp()", "not a duration"},
      {"exp(-1s)", "not a duration"},
      {"exp(1s, 2s)", "exp takes one duration"},
      {"const(mean=1s)", "const takes one duration"},
      {"uniform(1s)", "uniform takes two durations"},
      {"uniform(2s, 1s)", "the low end is above the high end"},
      {"uniform(low=1s, high=2s)", "uniform takes two durations"},
      {"lognormal(40s, 5m)", "lognormal takes p50=.. and p99=.."},
      {"lognormal(p99=5m, p50=40s)", "lognormal takes p50=.. and p99=.."},
      {"lognormal(p50=5m, p99=40s)", "p50 is above p99"},
      {"lognormal(p50=0s, p99=40s)", "p50 must be above 0s"},
      {"normal(1s)", "unknown shape \"normal\""},
      {"(1s)", "unknown shape \"\""},
  };
  for (const auto& [text, why] : kCases) {
    const auto result = Distribution::parse(text);
    ASSERT_TRUE(result.has_error()) << text;
    EXPECT_EQ(result.error().code, ErrorCode::invalid) << text;
    EXPECT_THAT(result.error().message, HasSubstr(why)) << text;
  }
}

TEST(DistributionText, WithBytesAtRandomNeverBreaks) {
  Choices choices(1);
  const std::string letters = "uniformexplgcst()=,.0159 msdh";
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (auto left = choices.below(24, "test", "length"); left > 0; --left)
      text += letters[choices.below(letters.size(), "test", "letter")];
    const auto read = Distribution::parse(text);
    if (read.has_error()) continue;
    EXPECT_EQ(Distribution::parse(read.value().to_text()).value(), read.value()) << text;
  }
}

constexpr Duration kLongest = std::chrono::hours(24 * 30);

TEST(DistributionSamples, ThatAreDrawnAreNeverNegativeAndNeverAboveThirtyDays) {
  const Distribution all[] = {
      Distribution::uniform(0s, 20s),
      Distribution::exponential(90s),
      Distribution::lognormal(40s, 5min),
      Distribution::exponential(std::chrono::hours(24 * 400)),
      Distribution::lognormal(1ns, Duration::max()),
      Distribution::uniform(0s, Duration::max()),
      Distribution::uniform(std::chrono::hours(24 * 40), std::chrono::hours(24 * 400)),
  };
  for (const auto& one : all) {
    for (const double unit : {0.0, 1e-300, 1e-12, 0.25, 0.5, 0.75, 1 - 1e-12, 0x1.fffffffffffffp-1}) {
      EXPECT_GE(one.sample(unit), 0s) << one.to_text() << " " << unit;
      EXPECT_LE(one.sample(unit), kLongest) << one.to_text() << " " << unit;
    }
  }
}

TEST(DistributionSamples, GrowWithTheUniformNumber) {
  for (const auto& one :
       {Distribution::uniform(1s, 20s), Distribution::exponential(90s), Distribution::lognormal(40s, 5min)}) {
    Duration last{0};
    for (int i = 0; i < 1000; ++i) {
      const Duration sample = one.sample(i / 1000.0);
      EXPECT_GE(sample, last) << one.to_text() << " " << i;
      last = sample;
    }
  }
}

TEST(DistributionSamples, OfAUniformOneStayWithinItsEnds) {
  const auto one = Distribution::uniform(3s, 5s);
  EXPECT_EQ(one.sample(0), 3s);
  EXPECT_LE(one.sample(0x1.fffffffffffffp-1), 5s);
}

TEST(DistributionSamples, OfALognormalOneHaveTheStatedQuantiles) {
  const auto one = Distribution::lognormal(40s, 5min);
  EXPECT_NEAR(to_seconds(one.sample(0.5)), 40, 1e-6);
  EXPECT_NEAR(to_seconds(one.sample(0.99)), 300, 1e-6);
}

TEST(DistributionSamples, OfALognormalOneWithEqualQuantilesAreThatValue) {
  EXPECT_NEAR(to_seconds(Distribution::lognormal(40s, 40s).sample(0.9)), 40, 1e-6);
}

TEST(DistributionSamples, OfAnExponentialOneHaveTheStatedMean) {
  const auto one = Distribution::exponential(90s);
  double sum = 0;
  constexpr int kSamples = 100'000;
  for (int i = 0; i < kSamples; ++i) sum += to_seconds(one.sample((i + 0.5) / kSamples));
  EXPECT_NEAR(sum / kSamples, 90, 0.1);
}

TEST(DistributionSamples, OfAConstantDrawNothing) {
  Choices choices(1);
  const auto before = Choices(1).draw("a", "b");
  (void)Distribution::constant(3s).sample(choices, "a", "b");
  EXPECT_EQ(choices.draw("a", "b"), before);
}

TEST(PortableMath, ExpAgreesWithTheLibrary) {
  for (double x = -690; x <= 690; x += 0.37)
    EXPECT_NEAR(portable_exp(x) / std::exp(x), 1, 1e-13 + 2.3e-16 * std::abs(x)) << x;
  EXPECT_EQ(portable_exp(0), 1);
}

TEST(PortableMath, ExpIsBoundedOutsideItsRange) {
  EXPECT_EQ(portable_exp(-1e9), 0);
  EXPECT_TRUE(std::isfinite(portable_exp(1e9)));
}

TEST(PortableMath, LogAgreesWithTheLibrary) {
  for (double x = 1e-300; x < 1e300; x *= 1.37)
    EXPECT_NEAR(portable_log(x), std::log(x), 1e-14 * std::max(1.0, std::abs(std::log(x)))) << x;
  for (double x = 0.5; x < 2; x += 0.001)
    EXPECT_NEAR(portable_log(x), std::log(x), 1e-14 * std::max(1e-2, std::abs(std::log(x)))) << x;
  EXPECT_EQ(portable_log(1), 0);
}

TEST(PortableMath, LogOfNothingIsBounded) {
  EXPECT_EQ(portable_log(0), -745);
  EXPECT_EQ(portable_log(-3), -745);
  EXPECT_EQ(portable_log(std::nan("")), -745);
}

TEST(PortableMath, ExpUndoesLog) {
  for (double x = 1e-200; x < 1e200; x *= 3.1) EXPECT_NEAR(portable_exp(portable_log(x)) / x, 1, 1e-12) << x;
}

TEST(PortableMath, TheNormalQuantileIsSymmetric) {
  EXPECT_EQ(normal_quantile(0.5), 0);
  for (double p = 0.0001; p < 0.5; p += 0.0007)
    EXPECT_NEAR(normal_quantile(p), -normal_quantile(1 - p), 1e-9) << p;
}

TEST(PortableMath, TheNormalQuantileUndoesTheNormalDistribution) {
  for (double p = 0.001; p < 1; p += 0.001)
    EXPECT_NEAR(0.5 * std::erfc(-normal_quantile(p) / std::sqrt(2.0)), p, 1e-8) << p;
}

TEST(PortableMath, TheNormalQuantileIsFiniteAtTheEnds) {
  EXPECT_TRUE(std::isfinite(normal_quantile(0)));
  EXPECT_TRUE(std::isfinite(normal_quantile(1)));
}

}  // namespace
}  // namespace drover
