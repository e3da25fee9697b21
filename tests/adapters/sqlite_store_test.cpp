#include "manager/adapters/sqlite_store.hpp"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/contract/store_contract.hpp"

namespace drover {
namespace {

using testing::HasSubstr;

// A folder of its own, gone with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "drover-store-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const char* name = "journal.db") const { return path_ + "/" + name; }

 private:
  std::string path_;
};

class MemoryStage : public StoreStage {
 public:
  Store& store() override { return *store_; }

 private:
  std::unique_ptr<SqliteStore> store_ = SqliteStore::open(":memory:").value();
};

class FileStage : public StoreStage {
 public:
  Store& store() override { return *store_; }
  bool reopen() override {
    store_.reset();
    store_ = SqliteStore::open(folder_.file()).value();
    return true;
  }

 private:
  Folder folder_;
  std::unique_ptr<SqliteStore> store_ = SqliteStore::open(folder_.file()).value();
};

INSTANTIATE_TEST_SUITE_P(
    Sqlite, StoreContract,
    testing::Values(StoreUnderTest{"Memory", [] { return std::make_unique<MemoryStage>(); }},
                    StoreUnderTest{"File", [] { return std::make_unique<FileStage>(); }}),
    name_of);

// As the newest writer.
Result<void> commit(Store& store, std::vector<Change> changes) {
  std::optional<Result<void>> answer;
  const auto generation = store.take_generation(0, 0);
  if (generation.has_error()) return generation.error();
  store.commit(generation.value(), std::move(changes),
               [&](Result<void> result) { answer = std::move(result); });
  return *answer;
}

// Runs SQL on a file from the outside.
void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(database);
  sqlite3_close(database);
}

std::string error_of(const std::string& path) {
  const auto opened = SqliteStore::open(path);
  if (opened.has_value()) return {};
  EXPECT_EQ(opened.error().code, ErrorCode::storage);
  return opened.error().message;
}

TEST(SqliteStore, TwoStoresInMemoryKnowNothingOfEachOther) {
  auto one = SqliteStore::open(":memory:").value(), other = SqliteStore::open(":memory:").value();
  ASSERT_TRUE(commit(*one, {{Table::node, 1, false, "x"}}).has_value());
  EXPECT_TRUE(other->load().value().empty());
}

TEST(SqliteStore, AJournalThatAManagerHoldsIsRefusedToASecondOne) {
  const Folder folder;
  const auto first = SqliteStore::open(folder.file());
  ASSERT_TRUE(first.has_value());
  EXPECT_THAT(error_of(folder.file()), HasSubstr("another manager holds it"));
}

TEST(SqliteStore, AJournalIsFreeOnceItsManagerIsGone) {
  const Folder folder;
  { const auto first = SqliteStore::open(folder.file()); }
  EXPECT_EQ(error_of(folder.file()), "");
}

TEST(SqliteStore, AJournalOfANewerVersionIsRefused) {
  const Folder folder;
  run_sql(folder.file(), "PRAGMA user_version=3");
  EXPECT_THAT(error_of(folder.file()), HasSubstr("written by a newer drover (format 3)"));
}

TEST(SqliteStore, AJournalOfANewerVersionIsLeftAsItIs) {
  const Folder folder;
  run_sql(folder.file(), "PRAGMA user_version=3; CREATE TABLE future(x)");
  (void)error_of(folder.file());
  run_sql(folder.file(), "INSERT INTO future VALUES (1); CREATE TABLE node(x)");
}

TEST(SqliteStore, AJournalFromBeforeThereWereGenerationsIsTakenOver) {
  const Folder folder;
  run_sql(folder.file(),
          "CREATE TABLE node(id INTEGER PRIMARY KEY, document TEXT NOT NULL);"
          "INSERT INTO node VALUES (1, 'kept'); PRAGMA user_version=1");
  auto store = SqliteStore::open(folder.file()).value();
  EXPECT_EQ(store->take_generation(0, 0).value(), 1U);
  EXPECT_EQ(store->load().value().at(0).document, "kept");
}

TEST(SqliteStore, AFileThatIsNoDatabaseIsRefusedAndLeftAsItIs) {
  const Folder folder;
  const std::string text(5000, 'x');
  std::ofstream(folder.file()) << text;
  EXPECT_THAT(error_of(folder.file()), HasSubstr("not a database"));
  std::ifstream in(folder.file());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), text);
}

TEST(SqliteStore, AFolderThatIsNotThereIsNamedInTheError) {
  const Folder folder;
  EXPECT_THAT(error_of(folder.file("no/such/journal.db")), HasSubstr("no/such/journal.db"));
}

TEST(SqliteStore, EveryErrorOfOpeningNamesTheFile) {
  const Folder folder;
  std::ofstream(folder.file()) << std::string(5000, 'x');
  EXPECT_THAT(error_of(folder.file()), HasSubstr("journal.db"));
  const auto first = SqliteStore::open(folder.file("held.db"));
  EXPECT_THAT(error_of(folder.file("held.db")), HasSubstr("held.db"));
}

TEST(SqliteStore, AJournalCanBeLookedIntoWithSql) {
  const Folder folder;
  {
    auto store = SqliteStore::open(folder.file()).value();
    ASSERT_TRUE(commit(*store, {{Table::node, 1, false, R"({"state":"RUNNING"})"}}).has_value());
  }
  run_sql(folder.file(),
          "CREATE TEMP TABLE t(x CHECK (x = 'RUNNING'));"
          "INSERT INTO t SELECT json_extract(document, '$.state') FROM node WHERE id = 1");
}

// A commit that fails half-way: a trigger of the test's own refuses the document "poison".
class Failing : public testing::Test {
 protected:
  Failing() {
    { const auto made = SqliteStore::open(folder_.file()); }
    run_sql(folder_.file(),
            "CREATE TRIGGER refuse BEFORE INSERT ON operation WHEN NEW.document = 'poison' "
            "BEGIN SELECT RAISE(ABORT, 'refused'); END");
    store_ = SqliteStore::open(folder_.file()).value();
  }
  Folder folder_;
  std::unique_ptr<SqliteStore> store_;
};

TEST_F(Failing, ACommitLeavesNothingBehind) {
  ASSERT_TRUE(commit(*store_, {{Table::node, 1, false, "old"}, {Table::node, 2, false, "two"}}).has_value());
  const auto failed = commit(*store_, {{Table::node, 1, false, "new"},
                                       {Table::node, 2, true, {}},
                                       {Table::operation, 1, false, "poison"},
                                       {Table::node, 3, false, "three"}});
  ASSERT_TRUE(failed.has_error());
  EXPECT_EQ(failed.error().code, ErrorCode::storage);
  const auto left = store_->load().value();
  ASSERT_EQ(left.size(), 2U);
  EXPECT_EQ(left[0].document, "old");
}

TEST_F(Failing, ACommitDoesNotHinderTheNext) {
  ASSERT_TRUE(commit(*store_, {{Table::operation, 1, false, "poison"}}).has_error());
  EXPECT_TRUE(commit(*store_, {{Table::operation, 1, false, "wholesome"}}).has_value());
}

TEST(SqliteStore, ClearedItIsAsIfItHadJustBeenOpened) {
  auto store = SqliteStore::open(":memory:").value();
  for (const Table table : {Table::service, Table::node, Table::operation, Table::history})
    ASSERT_TRUE(commit(*store, {{table, 1, false, "old"}}).has_value());
  ASSERT_TRUE(store->clear().has_value());
  EXPECT_TRUE(store->load().value().empty());
  EXPECT_EQ(store->take_generation(0, 0).value(), 1U);
}

// A database that may not grow any more stands for a full disk.
TEST(SqliteStore, AFullDiskIsAnErrorThatSaysWhatToDoAndLosesNothing) {
  const Folder folder;
  {
    auto store = SqliteStore::open(folder.file()).value();
    ASSERT_TRUE(commit(*store, {{Table::node, 1, false, "kept"}}).has_value());
    store->limit_pages(16);
    const auto failed = commit(*store, {{Table::node, 2, false, std::string(1'000'000, 'x')}});
    ASSERT_TRUE(failed.has_error());
    EXPECT_EQ(failed.error().code, ErrorCode::storage);
    EXPECT_EQ(failed.error().effect, Effect::none);
    EXPECT_THAT(failed.error().message, HasSubstr("free some space"));
    EXPECT_TRUE(commit(*store, {{Table::node, 3, false, "small"}}).has_value());
  }
  const auto left = SqliteStore::open(folder.file()).value()->load().value();
  ASSERT_EQ(left.size(), 2U);
  EXPECT_EQ(left[0].document, "kept");
  EXPECT_EQ(left[1].document, "small");
}

}  // namespace
}  // namespace drover
