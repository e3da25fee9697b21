// A SQLite connection and its cached statements, as the mock cloud needs them. A statement that fails after
// the database was opened is a broken invariant: the message goes to stderr and the process ends.
// Single-threaded.
#pragma once

#include <sqlite3.h>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "manager/base/result.hpp"

namespace drover::cloud {

class Database {
 public:
  Database() = default;
  Database(Database&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Database& operator=(Database&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Database() { sqlite3_close(handle_); }

  // ErrorCode::storage with SQLite's reason.
  static Result<Database> open(const std::string& path);
  // An empty database in memory.
  static Database memory();

  // Runs statements that take no values and give no rows.
  void execute(const char* sql);
  Result<void> try_execute(const char* sql);
  // The whole database as bytes, and a database in memory made from them.
  std::string image();
  void load_image(const std::string& image);
  // Writes everything to a new file. ErrorCode::storage, also when `path` exists.
  Result<void> copy_to(const std::string& path);
  [[noreturn]] void fail(const char* what) const;

  sqlite3* handle() const { return handle_; }

 private:
  explicit Database(sqlite3* handle) : handle_(handle) {}
  sqlite3* handle_ = nullptr;
};

// One row of a query; valid inside the callback.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  std::string text(int column) const {
    const auto* bytes = sqlite3_column_text(statement_, column);
    if (bytes == nullptr) return {};
    return {reinterpret_cast<const char*>(bytes),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }

 private:
  sqlite3_stmt* statement_;
};

// A statement that is prepared when first used and kept. `sql` must be a literal.
class Statement {
 public:
  Statement(Database& database, const char* sql) : database_(database), sql_(sql) {}
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { sqlite3_finalize(statement_); }

  // Runs it to its end with the values bound to ?1, ?2, …
  template <class... Values>
  void run(const Values&... values) {
    bind_all(values...);
    while (step()) {
    }
  }
  // Calls row(Row) for each row.
  template <class Function, class... Values>
  void query(Function row, const Values&... values) {
    bind_all(values...);
    while (step()) row(Row(statement_));
  }

 private:
  template <class... Values>
  void bind_all(const Values&... values) {
    if (statement_ == nullptr) prepare();
    int index = 0;
    ((bind(++index, values)), ...);
  }
  void bind(int index, std::integral auto value) {
    check(sqlite3_bind_int64(statement_, index, static_cast<sqlite3_int64>(value)));
  }
  void bind(int index, std::string_view text);
  void check(int code) {
    if (code != SQLITE_OK) database_.fail(sql_);
  }
  void prepare();
  // True while there is a row; resets at the end.
  bool step();

  Database& database_;
  const char* sql_;
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace drover::cloud
