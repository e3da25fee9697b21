// The Store in SQLite: a file (WAL, synchronous FULL) or memory. One table per kind of document, so that a
// journal can be looked into with sqlite3: select json_extract(document, '$.state') from node.
// Single-threaded; a commit to a file blocks for the disk's flush (0.5–1 ms).
#pragma once

#include <memory>
#include <string>

#include "manager/ports/store.hpp"
#include "manager/runtime/scheduler.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace drover {

class SqliteStore : public Store {
 public:
  // Opens or creates the journal at `path` (":memory:" for none on disk).
  // Errors: ErrorCode::storage when it cannot be opened, is no database, is locked by another manager, or was
  // written by a newer version.
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path);
  ~SqliteStore() override;

  Result<std::uint64_t> take_generation(std::uint64_t own, std::uint64_t above) override;
  void commit(std::uint64_t generation, std::vector<Change> changes, Handler<void> handler) override;
  Result<std::vector<StoredDocument>> load() override;
  // Takes everything out: as if it had just been opened. Errors: ErrorCode::storage.
  Result<void> clear();
  // From now on the journal takes at most so many pages of 4 KiB: a commit beyond that fails as on a full
  // disk.
  void limit_pages(unsigned pages);

 private:
  explicit SqliteStore(sqlite3* database) : database_(database) {}
  Result<void> prepare(bool memory);
  Result<void> write(std::uint64_t generation, const std::vector<Change>& changes);
  // Within a transaction. Errors: ErrorCode::storage.
  Result<std::uint64_t> newest_generation();
  bool run(sqlite3_stmt* statement);
  Error error(const char* what) const;

  sqlite3* database_;
  sqlite3_stmt* put_[4] = {};
  sqlite3_stmt* erase_[4] = {};
  sqlite3_stmt* begin_ = nullptr;
  sqlite3_stmt* commit_ = nullptr;
  sqlite3_stmt* rollback_ = nullptr;
  sqlite3_stmt* read_generation_ = nullptr;
  sqlite3_stmt* write_generation_ = nullptr;
};

}  // namespace drover
