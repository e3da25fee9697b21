// The durable view holds what is stored, as it is stored.
#include "scenarios/engine/durable_view.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "manager/adapters/sqlite_store.hpp"
#include "manager/model/codec.hpp"

namespace drover::scenario {
namespace {

class DurableViewTest : public testing::Test {
 protected:
  void write(Table table, std::int64_t id, const std::string& document, bool erase = false) {
    std::vector<Change> changes{{table, id, erase, document}};
    const auto generation = view_.take_generation(0, 0).value();
    view_.commit(generation, std::move(changes),
                 [](Result<void> written) { EXPECT_TRUE(written.has_value()); });
  }
  static model::Node node(model::NodeId id, const std::string& vm) {
    model::Node node;
    node.id = id;
    node.vm = vm;
    node.attempt = 2;
    return node;
  }

  std::unique_ptr<SqliteStore> store_ = SqliteStore::open(":memory:").value();
  DurableView view_{*store_};
};

TEST_F(DurableViewTest, GivesRecordsAsTheyWereStored) {
  EXPECT_EQ(view_.node(3), nullptr);
  EXPECT_EQ(view_.service(), nullptr);
  write(Table::node, 3, model::encode(node(3, "i-1")));
  ASSERT_NE(view_.node(3), nullptr);
  EXPECT_EQ(view_.node(3)->attempt, 2);
  write(Table::node, 3, model::encode(node(3, "i-2")));
  EXPECT_EQ(view_.node(3)->vm, "i-2");
  write(Table::node, 3, {}, true);
  EXPECT_EQ(view_.node(3), nullptr);
}

TEST_F(DurableViewTest, FindsTheNodeOfAVm) {
  write(Table::node, 3, model::encode(node(3, "i-1")));
  EXPECT_EQ(view_.node_of_vm("i-1"), 3);
  write(Table::node, 4, model::encode(node(4, "i-1")));  // taken over
  write(Table::node, 3, model::encode(node(3, "")));
  EXPECT_EQ(view_.node_of_vm("i-1"), 4);
  write(Table::node, 4, {}, true);
  EXPECT_EQ(view_.node_of_vm("i-1"), 0);
}

TEST_F(DurableViewTest, ShowsAStartingManagerWhatIsInTheFile) {
  write(Table::node, 3, model::encode(node(3, "i-1")));
  const auto generation = store_->take_generation(0, 0).value();
  store_->commit(generation, {{Table::node, 3, false, model::encode(node(3, "i-9"))}}, [](Result<void>) {});
  EXPECT_EQ(view_.node(3)->vm, "i-1");
  ASSERT_TRUE(view_.load().has_value());
  EXPECT_EQ(view_.node(3)->vm, "i-9");
  EXPECT_EQ(view_.node_of_vm("i-9"), 3);
}

TEST_F(DurableViewTest, TellsEachChangeWithWhatWasBefore) {
  std::vector<std::string> told;
  view_.set_watch([&](const Change& change, const std::string& before) {
    told.push_back(before + " > " + (change.erase ? "" : change.document));
  });
  write(Table::history, 1, "a");
  write(Table::history, 1, "b");
  write(Table::history, 1, {}, true);
  EXPECT_THAT(told, testing::ElementsAre(" > a", "a > b", "b > "));
}

TEST(DurableView, ReadsTextsAndNumbersWithoutDecoding) {
  model::Service service;
  service.epoch = 17;
  service.next_node = 4;
  const std::string document = model::encode(service);
  EXPECT_EQ(text_in(document, "state"), "INIT");
  EXPECT_EQ(number_in(document, "epoch"), 17U);
  EXPECT_EQ(number_in(document, "next_node"), 4U);
  EXPECT_EQ(text_in(document, "nothing"), "");
  EXPECT_EQ(number_in("", "epoch"), 0U);
  EXPECT_EQ(text_in(model::encode(model::Node{}), "vm"), "");
}

}  // namespace
}  // namespace drover::scenario
