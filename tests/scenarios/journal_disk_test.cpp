// What happens to the disk under the simulated journal.
#include "scenarios/engine/journal_disk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace drover::scenario {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct JournalDiskTest : testing::Test {
  void SetUp() override { generation = disk.take_generation(0, 0).value(); }

  ErrorCode commit(std::int64_t node, std::string document) {
    std::optional<Result<void>> answer;
    disk.commit(generation, {{Table::node, node, false, std::move(document)}},
                [&](Result<void> result) { answer = std::move(result); });
    scheduler.run_until(scheduler.now() + 1min);
    if (!answer) return ErrorCode::timeout;
    return answer->has_error() ? answer->error().code : ErrorCode::unknown;
  }
  std::vector<std::string> stored() {
    std::vector<std::string> texts;
    const auto documents = disk.load();
    for (const auto& one : documents.value()) texts.push_back(std::to_string(one.id) + "=" + one.document);
    return texts;
  }

  Scheduler scheduler;
  Domain domain{scheduler};
  JournalDisk disk{scheduler, domain, true};
  std::uint64_t generation = 0;
};

TEST_F(JournalDiskTest, ALostTailIsGoneWhenTheManagerDiesAndNotBefore) {
  commit(1, "a");
  commit(2, "b");
  commit(1, "c");
  disk.lose_tail_at_crash(2);
  EXPECT_THAT(stored(), ElementsAre("1=c", "2=b"));
  EXPECT_EQ(disk.losses(), 0U);
  disk.manager_crashed();
  EXPECT_THAT(stored(), ElementsAre("1=a"));
  EXPECT_EQ(disk.losses(), 1U);
  EXPECT_EQ(commit(3, "d"), ErrorCode::unknown) << "the writer stays the writer";
}

TEST_F(JournalDiskTest, ABackupIsTheStateOfItsTime) {
  commit(1, "a");
  const TimePoint backup = scheduler.now();
  const auto old = generation;
  generation = disk.take_generation(0, 0).value();
  commit(1, "b");
  disk.roll_back(backup - 30s);
  EXPECT_THAT(stored(), ElementsAre("1=a"));
  generation = old;
  EXPECT_EQ(commit(2, "c"), ErrorCode::unknown) << "its generation went back, too";
}

TEST_F(JournalDiskTest, ABackupFromBeforeEverythingIsEmpty) {
  commit(1, "a");
  disk.roll_back(kEpoch - 1s);
  EXPECT_THAT(stored(), IsEmpty());
}

TEST_F(JournalDiskTest, ATornCommitIsNotThereAndNobodyAnswers) {
  commit(1, "a");
  bool died = false;
  disk.tear_next([&] { died = true; });
  EXPECT_EQ(commit(1, "b"), ErrorCode::timeout);
  EXPECT_TRUE(died);
  EXPECT_THAT(stored(), ElementsAre("1=a"));
  EXPECT_EQ(commit(1, "c"), ErrorCode::unknown);
}

TEST_F(JournalDiskTest, ACorruptDocumentIsWholeAgainWhenItIsMendedOrWritten) {
  commit(1, "first");
  commit(2, "second");
  EXPECT_FALSE(disk.corrupt("node-3"));
  ASSERT_TRUE(disk.corrupt("node-2"));
  EXPECT_TRUE(disk.is_unusable());
  EXPECT_NE(stored(), (std::vector<std::string>{"1=first", "2=second"}));
  disk.mend();
  EXPECT_THAT(stored(), ElementsAre("1=first", "2=second"));
  ASSERT_TRUE(disk.corrupt("node-2"));
  commit(2, "new");
  EXPECT_THAT(stored(), ElementsAre("1=first", "2=new"));
  EXPECT_FALSE(disk.is_unusable());
}

TEST_F(JournalDiskTest, AFullDiskTakesNeitherCommitsNorANewManager) {
  disk.set_full(true);
  EXPECT_EQ(commit(1, "a"), ErrorCode::storage);
  EXPECT_TRUE(disk.take_generation(0, 0).has_error());
  disk.set_full(false);
  EXPECT_EQ(commit(1, "a"), ErrorCode::unknown);
}

TEST_F(JournalDiskTest, ASlowCommitThatArrivesAfterATakeoverIsFencedOff) {
  disk.set_delay(5s);
  std::optional<ErrorCode> answer;
  disk.commit(generation, {{Table::node, 1, false, "late"}}, [&](Result<void> result) {
    answer = result.has_error() ? result.error().code : ErrorCode::unknown;
  });
  (void)disk.take_generation(0, 0);
  scheduler.run_until(kEpoch + 10s);
  EXPECT_EQ(answer, ErrorCode::fenced);
  EXPECT_THAT(stored(), IsEmpty());
}

TEST_F(JournalDiskTest, ACommitDoesNotOvertakeASlowerOne) {
  disk.set_delay(5s);
  disk.commit(generation, {{Table::node, 1, false, "old"}}, [](Result<void>) {});
  disk.set_delay(0s);
  disk.commit(generation, {{Table::node, 1, false, "new"}}, [](Result<void>) {});
  scheduler.run_until(kEpoch + 10s);
  EXPECT_THAT(stored(), ElementsAre("1=new"));
}

}  // namespace
}  // namespace drover::scenario
