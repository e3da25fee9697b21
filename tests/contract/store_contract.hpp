// The contract of the Store port (manager/ports/store.hpp) as one suite over every implementation. A test
// program includes this header and instantiates the suite with its own stages:
//
//   INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract, testing::Values(StoreUnderTest{"Memory", make}),
//   name_of);
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "manager/ports/store.hpp"

namespace drover {

// What an implementation brings to the suite.
class StoreStage {
 public:
  virtual ~StoreStage() = default;
  virtual Store& store() = 0;
  // Lets time pass until `done`; nothing to do for stores that answer at once.
  virtual void run_until(const std::function<bool()>& done) { (void)done; }
  // Closes the store and opens it again, as a restarted manager does; false when nothing survives that here.
  virtual bool reopen() { return false; }
};

struct StoreUnderTest {
  std::string name;
  std::function<std::unique_ptr<StoreStage>()> make;
};

inline std::string name_of(const testing::TestParamInfo<StoreUnderTest>& info) { return info.param.name; }
inline void PrintTo(const StoreUnderTest& under_test, std::ostream* out) { *out << under_test.name; }

class StoreContract : public testing::TestWithParam<StoreUnderTest> {
 protected:
  void SetUp() override {
    stage_ = GetParam().make();
    generation_ = take(0, 0).value();
  }

  static Change put(Table table, std::int64_t id, std::string document) {
    return {table, id, false, std::move(document)};
  }
  static Change erase(Table table, std::int64_t id) { return {table, id, true, {}}; }

  Result<std::uint64_t> take(std::uint64_t own, std::uint64_t above) {
    return stage_->store().take_generation(own, above);
  }
  ErrorCode commit_of(std::uint64_t generation, std::string document) {
    generation_ = generation;
    const auto written = commit({put(Table::node, 1, std::move(document))});
    return written.has_error() ? written.error().code : ErrorCode::unknown;
  }
  Result<void> commit(std::vector<Change> changes) {
    std::optional<Result<void>> answer;
    int answers = 0;
    stage_->store().commit(generation_, std::move(changes), [&](Result<void> result) {
      answer = std::move(result);
      ++answers;
    });
    stage_->run_until([&] { return answer.has_value(); });
    EXPECT_EQ(answers, 1) << "a commit is answered once";
    return answer ? *answer : Result<void>(make_error(ErrorCode::timeout, "no answer"));
  }
  // "node/3=text" in the order of load().
  std::vector<std::string> stored() {
    std::vector<std::string> texts;
    const auto documents = stage_->store().load();
    EXPECT_TRUE(documents.has_value());
    if (documents.has_value())
      for (const auto& one : documents.value())
        texts.push_back(std::string(to_text(one.table)) + "/" + std::to_string(one.id) + "=" + one.document);
    return texts;
  }

  std::unique_ptr<StoreStage> stage_;
  std::uint64_t generation_ = 0;
};

TEST_P(StoreContract, IsEmptyAtFirst) { EXPECT_THAT(stored(), testing::IsEmpty()); }

TEST_P(StoreContract, GivesWhatWasCommitted) {
  ASSERT_TRUE(commit({put(Table::node, 3, "three")}).has_value());
  EXPECT_THAT(stored(), testing::ElementsAre("node/3=three"));
}

TEST_P(StoreContract, GivesDocumentsOrderedByTableAndId) {
  ASSERT_TRUE(
      commit({put(Table::history, 1, "h"), put(Table::operation, 2, "o2"), put(Table::node, 10, "n10"),
              put(Table::operation, 1, "o1"), put(Table::node, 9, "n9"), put(Table::service, 1, "s")})
          .has_value());
  EXPECT_THAT(stored(), testing::ElementsAre("service/1=s", "node/9=n9", "node/10=n10", "operation/1=o1",
                                             "operation/2=o2", "history/1=h"));
}

TEST_P(StoreContract, ALaterDocumentReplacesAnEarlierOne) {
  ASSERT_TRUE(commit({put(Table::node, 1, "old")}).has_value());
  ASSERT_TRUE(commit({put(Table::node, 1, "new")}).has_value());
  EXPECT_THAT(stored(), testing::ElementsAre("node/1=new"));
}

TEST_P(StoreContract, WithinACommitTheLastChangeOfADocumentWins) {
  ASSERT_TRUE(commit({put(Table::node, 1, "a"), put(Table::node, 1, "b"), put(Table::node, 2, "c"),
                      erase(Table::node, 2), erase(Table::node, 3), put(Table::node, 3, "d")})
                  .has_value());
  EXPECT_THAT(stored(), testing::ElementsAre("node/1=b", "node/3=d"));
}

TEST_P(StoreContract, AnErasedDocumentIsGone) {
  ASSERT_TRUE(commit({put(Table::node, 1, "a"), put(Table::operation, 1, "b")}).has_value());
  ASSERT_TRUE(commit({erase(Table::node, 1)}).has_value());
  EXPECT_THAT(stored(), testing::ElementsAre("operation/1=b"));
}

TEST_P(StoreContract, ErasingWhatIsNotThereSucceeds) {
  EXPECT_TRUE(commit({erase(Table::node, 99)}).has_value());
}

TEST_P(StoreContract, AnEmptyCommitSucceeds) { EXPECT_TRUE(commit({}).has_value()); }

TEST_P(StoreContract, KeepsEveryByteOfADocument) {
  const std::string document = std::string("a\0b", 3) + "'\"; DROP TABLE node; -- \xc3\xa4 \xff";
  ASSERT_TRUE(commit({put(Table::node, 1, document), put(Table::node, 2, "")}).has_value());
  EXPECT_THAT(stored(), testing::ElementsAre("node/1=" + document, "node/2="));
}

TEST_P(StoreContract, KeepsTheWholeRangeOfIds) {
  ASSERT_TRUE(commit({put(Table::node, INT64_MAX, "max"), put(Table::node, 0, "zero"),
                      put(Table::node, INT64_MIN, "min")})
                  .has_value());
  EXPECT_THAT(stored(), testing::ElementsAre("node/" + std::to_string(INT64_MIN) + "=min", "node/0=zero",
                                             "node/" + std::to_string(INT64_MAX) + "=max"));
}

TEST_P(StoreContract, TakesALargeCommit) {
  std::vector<Change> changes;
  for (std::int64_t id = 1; id <= 10'000; ++id)
    changes.push_back(put(Table::node, id, std::string(200, 'x')));
  ASSERT_TRUE(commit(std::move(changes)).has_value());
  EXPECT_EQ(stored().size(), 10'000U);
}

TEST_P(StoreContract, CommitsInTheOrderTheyWereMade) {
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(commit({put(Table::service, 1, std::to_string(i))}).has_value());
  EXPECT_THAT(stored(), testing::ElementsAre("service/1=49"));
}

TEST_P(StoreContract, WhatWasCommittedSurvivesAReopening) {
  ASSERT_TRUE(commit({put(Table::node, 1, "kept"), put(Table::node, 2, "gone")}).has_value());
  ASSERT_TRUE(commit({erase(Table::node, 2)}).has_value());
  if (!stage_->reopen()) GTEST_SKIP() << "this store does not outlive its process";
  EXPECT_THAT(stored(), testing::ElementsAre("node/1=kept"));
}

// --- one writer ---

TEST_P(StoreContract, EveryWriterTakesAHigherGeneration) {
  const auto first = take(0, 0).value();
  EXPECT_GT(first, generation_);
  EXPECT_GT(take(0, 0).value(), first);
  EXPECT_GT(take(0, 1000).value(), 1000U);
}

TEST_P(StoreContract, ACommitOfAnOlderWriterIsFencedOffForGood) {
  const auto old = generation_;
  ASSERT_EQ(commit_of(old, "old"), ErrorCode::unknown);
  const auto present = take(0, 0).value();
  EXPECT_EQ(commit_of(old, "late"), ErrorCode::fenced);
  EXPECT_THAT(stored(), testing::ElementsAre("node/1=old"));
  EXPECT_EQ(commit_of(present, "new"), ErrorCode::unknown);
  EXPECT_EQ(commit_of(old, "later"), ErrorCode::fenced);
  EXPECT_THAT(stored(), testing::ElementsAre("node/1=new"));
}

TEST_P(StoreContract, AnEmptyCommitOfAnOlderWriterIsFencedOffToo) {
  ASSERT_TRUE(take(0, 0).has_value());
  const auto written = commit({});
  ASSERT_TRUE(written.has_error());
  EXPECT_EQ(written.error().code, ErrorCode::fenced);
  EXPECT_EQ(written.error().effect, Effect::none);
}

TEST_P(StoreContract, AWriterMayTakeAHigherGenerationAsLongAsItIsTheNewest) {
  const auto raised = take(generation_, 50).value();
  EXPECT_GT(raised, 50U);
  EXPECT_EQ(commit_of(raised, "mine"), ErrorCode::unknown);
  const auto other = take(0, 0).value();
  const auto refused = take(raised, 100);
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code, ErrorCode::fenced);
  EXPECT_EQ(commit_of(other, "theirs"), ErrorCode::unknown);
}

TEST_P(StoreContract, GenerationsSurviveAReopening) {
  const auto old = generation_;
  const auto present = take(0, 40).value();
  if (!stage_->reopen()) GTEST_SKIP() << "this store does not outlive its process";
  EXPECT_EQ(commit_of(old, "late"), ErrorCode::fenced);
  EXPECT_GT(take(0, 0).value(), present);
}

}  // namespace drover
