#include "manager/adapters/sqlite_store.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <string>

namespace drover {
namespace {

constexpr Table kTables[] = {Table::service, Table::node, Table::operation, Table::history};
constexpr int kVersion = 2;  // 2: generations of writers

Error fenced(std::uint64_t generation, std::uint64_t newest) {
  return make_error(ErrorCode::fenced, "another manager has taken over this journal (generation " +
                                           std::to_string(newest) + ", this one has " +
                                           std::to_string(generation) + ")");
}

}  // namespace

Error SqliteStore::error(const char* what) const {
  const int code = sqlite3_errcode(database_);
  std::string message = std::string("the journal could not be ") + what + ": " + sqlite3_errmsg(database_);
  if (code == SQLITE_FULL) message += "; free some space on its disk";
  if (code == SQLITE_BUSY || code == SQLITE_LOCKED) message += "; another manager holds it";
  return make_error(ErrorCode::storage, std::move(message), Effect::none, Retry::soon);
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path) {
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &database,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<SqliteStore> store(new SqliteStore(database));
  Result<void> prepared = success();
  if (code != SQLITE_OK)
    prepared = store->error("opened");
  else
    prepared = store->prepare(path == ":memory:");
  if (prepared.has_error()) {
    auto failed = std::move(prepared).error();
    failed.message += " (" + path + ")";
    return failed;
  }
  return store;
}

Result<void> SqliteStore::prepare(bool memory) {
  // An exclusive lock for the process's life: a second manager on the same journal must not start.
  const char* settings =
      memory ? "PRAGMA synchronous=OFF;"
             : "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;";
  if (sqlite3_exec(database_, settings, nullptr, nullptr, nullptr) != SQLITE_OK) return error("opened");
  int version = 0;
  const auto read_version = [](void* to, int, char** values, char**) {
    *static_cast<int*>(to) = values[0] == nullptr ? 0 : std::stoi(values[0]);
    return 0;
  };
  if (sqlite3_exec(database_, "PRAGMA user_version", read_version, &version, nullptr) != SQLITE_OK)
    return error("read");
  if (version > kVersion)
    return make_error(ErrorCode::storage, "the journal was written by a newer drover (format " +
                                              std::to_string(version) + "): use that version");
  std::string schema = "BEGIN IMMEDIATE;";
  for (const Table table : kTables)
    schema += std::string("CREATE TABLE IF NOT EXISTS ") + to_text(table) +
              "(id INTEGER PRIMARY KEY, document TEXT NOT NULL);";
  schema +=
      "CREATE TABLE IF NOT EXISTS generation(id INTEGER PRIMARY KEY CHECK (id = 1), newest INTEGER NOT NULL);"
      "INSERT OR IGNORE INTO generation VALUES (1, 0);";
  schema += "PRAGMA user_version=" + std::to_string(kVersion) + ";COMMIT;";
  if (sqlite3_exec(database_, schema.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    return error("prepared");
  const auto statement = [&](const std::string& sql, sqlite3_stmt** to) {
    return sqlite3_prepare_v3(database_, sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, to, nullptr) ==
           SQLITE_OK;
  };
  bool prepared = statement("BEGIN IMMEDIATE", &begin_) && statement("COMMIT", &commit_) &&
                  statement("ROLLBACK", &rollback_) &&
                  statement("SELECT newest FROM generation WHERE id = 1", &read_generation_) &&
                  statement("UPDATE generation SET newest = ?1 WHERE id = 1", &write_generation_);
  for (const Table table : kTables) {
    const auto at = static_cast<std::size_t>(table);
    prepared =
        prepared &&
        statement(std::string("INSERT OR REPLACE INTO ") + to_text(table) + "(id, document) VALUES (?1, ?2)",
                  &put_[at]) &&
        statement(std::string("DELETE FROM ") + to_text(table) + " WHERE id = ?1", &erase_[at]);
  }
  if (!prepared) return error("prepared");
  return success();
}

SqliteStore::~SqliteStore() {
  for (auto* statement : put_) sqlite3_finalize(statement);
  for (auto* statement : erase_) sqlite3_finalize(statement);
  sqlite3_finalize(begin_);
  sqlite3_finalize(commit_);
  sqlite3_finalize(rollback_);
  sqlite3_finalize(read_generation_);
  sqlite3_finalize(write_generation_);
  sqlite3_close(database_);
}

bool SqliteStore::run(sqlite3_stmt* statement) {
  const int code = sqlite3_step(statement);
  sqlite3_reset(statement);
  return code == SQLITE_DONE || code == SQLITE_ROW;
}

Result<std::uint64_t> SqliteStore::newest_generation() {
  const int code = sqlite3_step(read_generation_);
  const auto newest = static_cast<std::uint64_t>(sqlite3_column_int64(read_generation_, 0));
  sqlite3_reset(read_generation_);
  if (code != SQLITE_ROW) return error("read");
  return newest;
}

Result<std::uint64_t> SqliteStore::take_generation(std::uint64_t own, std::uint64_t above) {
  if (!run(begin_)) return error("written");
  auto newest = newest_generation();
  if (newest.has_value() && own != 0 && newest.value() != own) newest = fenced(own, newest.value());
  if (newest.has_error()) {
    run(rollback_);
    return newest;
  }
  const std::uint64_t taken = std::max(newest.value(), above) + 1;
  sqlite3_bind_int64(write_generation_, 1, static_cast<std::int64_t>(taken));
  if (!run(write_generation_) || !run(commit_)) {
    auto failed = error("written");
    run(rollback_);
    return failed;
  }
  return taken;
}

Result<void> SqliteStore::write(std::uint64_t generation, const std::vector<Change>& changes) {
  if (!run(begin_)) return error("written");
  auto newest = newest_generation();
  if (newest.has_value() && newest.value() != generation) newest = fenced(generation, newest.value());
  if (newest.has_error()) {
    run(rollback_);
    return std::move(newest).error();
  }
  for (const auto& change : changes) {
    auto* statement = (change.erase ? erase_ : put_)[static_cast<std::size_t>(change.table)];
    sqlite3_bind_int64(statement, 1, change.id);
    if (!change.erase)
      sqlite3_bind_text(statement, 2, change.document.data(), static_cast<int>(change.document.size()),
                        SQLITE_STATIC);
    if (!run(statement)) {
      auto failed = error("written");
      run(rollback_);
      return failed;
    }
  }
  if (!run(commit_)) {
    auto failed = error("written");
    run(rollback_);
    return failed;
  }
  return success();
}

Result<void> SqliteStore::clear() {
  std::string sql = "BEGIN IMMEDIATE;";
  for (const Table table : kTables) sql += std::string("DELETE FROM ") + to_text(table) + ";";
  sql += "UPDATE generation SET newest = 0;COMMIT;";
  if (sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return error("cleared");
  return success();
}

void SqliteStore::limit_pages(unsigned pages) {
  const std::string sql = "PRAGMA max_page_count=" + std::to_string(pages);
  (void)sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr);
}

void SqliteStore::commit(std::uint64_t generation, std::vector<Change> changes, Handler<void> handler) {
  handler(write(generation, changes));
}

Result<std::vector<StoredDocument>> SqliteStore::load() {
  std::vector<StoredDocument> documents;
  for (const Table table : kTables) {
    sqlite3_stmt* statement = nullptr;
    const std::string sql = std::string("SELECT id, document FROM ") + to_text(table) + " ORDER BY id";
    if (sqlite3_prepare_v2(database_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK)
      return error("read");
    int code = SQLITE_OK;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
      const auto* text = sqlite3_column_text(statement, 1);
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, 1));
      StoredDocument document{table, sqlite3_column_int64(statement, 0), {}};
      if (text != nullptr) document.document.assign(reinterpret_cast<const char*>(text), size);
      documents.push_back(std::move(document));
    }
    sqlite3_finalize(statement);
    if (code != SQLITE_DONE) return error("read");
  }
  return documents;
}

}  // namespace drover
