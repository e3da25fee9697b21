#include "mockcloud/node/history.hpp"

#include <gtest/gtest.h>

#include "manager/base/choices.hpp"

namespace drover::node {
namespace {

TEST(GtidPosition, ReadsItsOwnText) {
  const auto position = GtidPosition::parse("7-107-1, 0-105-3");
  ASSERT_TRUE(position.has_value());
  EXPECT_EQ(position->to_text(), "0-105-3,7-107-1");
  EXPECT_TRUE(GtidPosition::parse("")->empty());
}

TEST(GtidPosition, RefusesOtherText) {
  for (const char* text :
       {"0-1", "0-1-", "0-1-2,", "0-1-2,0-2-3", "a-1-2", "0-1-2x", "-1-1-1", ",", "0-1-99999999999999999999"})
    EXPECT_FALSE(GtidPosition::parse(text).has_value()) << text;
}

TEST(GtidPosition, ReachesByTheSequenceOfEachDomain) {
  const auto own = *GtidPosition::parse("0-2-10,1-1-5");
  EXPECT_TRUE(own.reaches(*GtidPosition::parse("0-1-10")));
  EXPECT_FALSE(own.reaches(*GtidPosition::parse("0-1-11")));
  EXPECT_FALSE(own.reaches(*GtidPosition::parse("2-1-1")));
}

TEST(StampSet, MeltsNeighboursIntoOneInterval) {
  StampSet set;
  set.add(10, 5);
  set.add(20, 5);
  set.add(15, 5);
  EXPECT_EQ(set.intervals().size(), 1U);
  EXPECT_EQ(set.size(), 15U);
}

TEST(StampSet, MinusGivesExactlyWhatIsMissing) {
  StampSet all, some;
  all.add(0, 100);
  all.add(200, 10);
  some.add(10, 10);
  some.add(30, 1);
  some.add(205, 100);
  const StampSet missing = all.minus(some);
  EXPECT_EQ(missing.size(), 110U - 10U - 1U - 5U);
  EXPECT_TRUE(missing.contains(9));
  EXPECT_FALSE(missing.contains(10));
  EXPECT_TRUE(missing.contains(204));
  EXPECT_FALSE(missing.contains(205));
}

TEST(StampSet, AgreesWithAPlainSetOverManyOperations) {
  Choices choices(7);
  StampSet set;
  std::vector<bool> plain(400);
  for (int i = 0; i < 3000; ++i) {
    const std::uint64_t first = choices.below(390, "s", "first");
    const std::uint64_t count = 1 + choices.below(10, "s", "count");
    const bool add = choices.chance(0.6, "s", "add");
    if (add)
      set.add(first, count);
    else
      set.remove(first, count);
    for (std::uint64_t k = first; k < first + count; ++k) plain[k] = add;
  }
  std::uint64_t size = 0;
  for (std::uint64_t k = 0; k < 400; ++k) {
    EXPECT_EQ(set.contains(k), plain[k]) << k;
    size += plain[k] ? 1 : 0;
  }
  EXPECT_EQ(set.size(), size);
}

node::Run run(std::uint32_t server, std::uint64_t sequence, std::uint64_t count, Stamp stamp) {
  return Run{0, server, sequence, count, stamp};
}

TEST(Binlog, FindsWhereAReplicaGoesOn) {
  Binlog log;
  log.append(run(1, 1, 10, 0));
  log.append(run(2, 11, 5, 100));
  EXPECT_EQ(log.after(Gtid{0, 1, 4})->ordinal, 4U);
  EXPECT_EQ(log.after(Gtid{0, 2, 15})->ordinal, 15U);
  EXPECT_EQ(log.position().to_text(), "0-2-15");
}

TEST(Binlog, ReadsPartsOfRuns) {
  Binlog log;
  log.append(run(1, 1, 10, 0));
  log.append(run(2, 11, 5, 100));
  std::vector<node::Run> runs;
  log.read(8, 12, runs);
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_EQ(runs[0].sequence, 9U);
  EXPECT_EQ(runs[0].count, 2U);
  EXPECT_EQ(runs[1].stamp, 100U);
  EXPECT_EQ(runs[1].count, 2U);
}

TEST(Binlog, APurgedPlaceIsNotFoundAndTheEndOfThePurgedIs) {
  Binlog log;
  log.append(run(1, 1, 10, 0));
  log.rotate();
  log.append(run(1, 11, 5, 10));
  EXPECT_EQ(log.purge(log.end()), 10U);
  EXPECT_FALSE(log.after(Gtid{0, 1, 9}).has_value());
  EXPECT_TRUE(log.after(Gtid{0, 1, 10})->exact);
  EXPECT_EQ(log.after(Gtid{0, 1, 12})->ordinal, 12U);
}

TEST(Binlog, ThePurgedEndOfAnEarlierServersStreamIsNotTheStartOfWhatIsLeft) {
  Binlog log;
  log.append(run(1, 1, 10, 0));    // replicated from server 1
  log.append(run(2, 11, 10, 10));  // then own transactions, purged with them
  log.rotate();
  log.append(run(2, 21, 5, 20));
  log.purge(log.end());
  EXPECT_FALSE(log.after(Gtid{0, 1, 10}).has_value()) << "11 to 20 would be skipped";
  ASSERT_TRUE(log.after(Gtid{0, 2, 20}).has_value());
  EXPECT_TRUE(log.after(Gtid{0, 2, 20})->exact);
}

TEST(Binlog, FileAndPositionNameAnOrdinal) {
  Binlog log;
  log.append(run(1, 1, 10, 0));
  log.rotate();
  log.append(run(1, 11, 5, 10));
  EXPECT_EQ(log.locate(log.file_name(), log.file_position()), 15U);
  EXPECT_EQ(log.locate("binlog.000001", Binlog::kHeaderBytes), 0U);
  EXPECT_FALSE(log.locate("binlog.000009", 4).has_value());
  EXPECT_FALSE(log.locate("../etc/passwd", 4).has_value());
  EXPECT_FALSE(log.locate("binlog.000001", 1U << 30U).has_value());
}

TEST(Binlog, TruncatingForgetsTheTail) {
  Binlog log;
  log.append(run(1, 1, 10, 0));
  log.append(run(2, 11, 5, 100));
  log.truncate(12);
  EXPECT_EQ(log.position().to_text(), "0-2-12");
  log.truncate(3);
  EXPECT_EQ(log.position().to_text(), "0-1-3");
  EXPECT_EQ(log.end(), 3U);
}

}  // namespace
}  // namespace drover::node
