#include <gtest/gtest.h>

#include "manager/base/choices.hpp"
#include "manager/base/time.hpp"

namespace drover {
namespace {

TEST(DurationText, IsReadInEveryUnit) {
  EXPECT_EQ(parse_duration("1ns"), 1ns);
  EXPECT_EQ(parse_duration("2us"), 2us);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("35s"), 35s);
  EXPECT_EQ(parse_duration("3m"), 3min);
  EXPECT_EQ(parse_duration("4h"), 4h);
  EXPECT_EQ(parse_duration("2d"), 48h);
}

TEST(DurationText, MayHaveAFractionAndSeveralParts) {
  EXPECT_EQ(parse_duration("1.5h"), 90min);
  EXPECT_EQ(parse_duration("2m30s"), 150s);
  EXPECT_EQ(parse_duration("0.001s"), 1ms);
}

TEST(DurationText, NeedsAUnitAndNothingElse) {
  for (const char* text : {"", " ", "0", "35", "s", "-1s", "+1s", "1 s", " 1s", "1s ", "1.s", ".s", "1e3s",
                           "1S", "1sec", "1.5.5s", "0x1s", "nan", "inf"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(DurationText, AboveTheLongestIsRefused) {
  EXPECT_EQ(parse_duration("9223372036854775807ns"), Duration::max());
  for (const char* text : {"9223372036854775808ns", "106752d", "99999999999999999999s", "106751d24h"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(DurationText, IsWrittenInTheLargestUnits) {
  EXPECT_EQ(to_text(Duration{0}), "0s");
  EXPECT_EQ(to_text(90s), "1m30s");
  EXPECT_EQ(to_text(1500ms), "1s500ms");
  EXPECT_EQ(to_text(25h), "1d1h");
}

TEST(DurationText, IsReadBackExactlyForEveryValue) {
  Choices choices(1);
  for (int i = 0; i < 20'000; ++i) {
    const auto bits = choices.below(64, "test", "bits");
    const Duration value(static_cast<Duration::rep>(choices.draw("test", "value") >> (bits + 1) % 64U >> 1U));
    EXPECT_EQ(parse_duration(to_text(value)), value) << value.count();
  }
  EXPECT_EQ(parse_duration(to_text(Duration::max())), Duration::max());
}

}  // namespace
}  // namespace drover
