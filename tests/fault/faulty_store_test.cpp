#include "mockcloud/fault/faulty_store.hpp"

#include "tests/fault/support.hpp"

namespace drover::fault {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

struct FaultyStoreTest : EngineTest {
  void commit(std::vector<Rule> rules) {
    start(std::move(rules));
    store = std::make_unique<FaultyStore>(inner, *engine);
    store->commit(1, {{Table::node, 3, false, R"({"password": "hunter2"})"}, {Table::operation, 7, true, {}}},
                  caught.handler());
  }

  FakeStore inner;
  std::unique_ptr<FaultyStore> store;
  Caught<void> caught;
};

TEST_F(FaultyStoreTest, WithoutRulesCommitsArePassedOn) {
  commit({});
  ASSERT_THAT(inner.commits, SizeIs(1));
  EXPECT_THAT(inner.commits[0], SizeIs(2));
  EXPECT_TRUE(caught.ok());
}

TEST_F(FaultyStoreTest, RefusedCommitStoresNothing) {
  commit({rule("store.commit#1", "refuse")});
  EXPECT_THAT(inner.commits, IsEmpty());
  EXPECT_EQ(caught.code(), ErrorCode::storage);
  EXPECT_EQ(caught.last->error().effect, Effect::none);
}

TEST_F(FaultyStoreTest, ErrorAfterEffectHasStored) {
  commit({rule("store.commit.reply", "error_after_effect")});
  EXPECT_THAT(inner.commits, SizeIs(1));
  EXPECT_EQ(caught.code(), ErrorCode::storage);
  EXPECT_EQ(caught.last->error().effect, Effect::possible);
}

TEST_F(FaultyStoreTest, CrashBeforeStoresNothing) {
  commit({rule("store.commit", "manager.crash")});
  EXPECT_THAT(inner.commits, IsEmpty());
  EXPECT_EQ(caught.answers, 0);
}

TEST_F(FaultyStoreTest, CrashAtTheReplyHasStored) {
  commit({rule("store.commit.reply", "manager.crash")});
  EXPECT_THAT(inner.commits, SizeIs(1));
  EXPECT_EQ(caught.answers, 0);
}

TEST_F(FaultyStoreTest, SubjectIsTheFirstDocument) {
  Rule only = rule("store.commit", "refuse");
  only.subject = "node-3";
  commit({only});
  EXPECT_EQ(caught.code(), ErrorCode::storage);
}

TEST_F(FaultyStoreTest, TraceHoldsSizesButNoDocument) {
  trace.keep();
  commit({});
  EXPECT_EQ(trace.entries().at(0).subject, "node-3");
  EXPECT_EQ(trace.entries().at(0).detail, "commit 2 23");
  EXPECT_EQ(trace.entries().at(1).detail, "commit ok");
}

}  // namespace
}  // namespace drover::fault
