#include "mockcloud/cloud/database.hpp"

#include <cstring>

#include "manager/base/check.hpp"

namespace drover::cloud {
namespace {

constexpr int kOpenFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
constexpr int kBusyTimeoutMs = 5000;

}  // namespace

Result<Database> Database::open(const std::string& path) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, kOpenFlags, nullptr);
  if (code != SQLITE_OK) {
    const std::string reason = handle != nullptr ? sqlite3_errmsg(handle) : "out of memory";
    sqlite3_close(handle);
    return make_error(ErrorCode::storage, "cannot open the cloud's database " + path + ": " + reason +
                                              "; check that its folder exists and may be written to");
  }
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  return Database(handle);
}

Database Database::memory() {
  sqlite3* handle = nullptr;
  // Not SQLITE_OPEN_MEMORY: VACUUM INTO would inherit it and write its copy to memory.
  const int code = sqlite3_open_v2(":memory:", &handle, kOpenFlags, nullptr);
  DROVER_CHECK(code == SQLITE_OK, "no memory for a database");
  return Database(handle);
}

void Database::execute(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(sql);
}

Result<void> Database::try_execute(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return success();
  return make_error(ErrorCode::storage, sqlite3_errmsg(handle_));
}

std::string Database::image() {
  sqlite3_int64 size = 0;
  unsigned char* bytes = sqlite3_serialize(handle_, "main", &size, 0);
  if (bytes == nullptr) fail("sqlite3_serialize");
  std::string image(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  sqlite3_free(bytes);
  return image;
}

void Database::load_image(const std::string& image) {
  const auto size = static_cast<sqlite3_int64>(image.size());
  auto* bytes = static_cast<unsigned char*>(sqlite3_malloc64(image.size()));
  DROVER_CHECK(bytes != nullptr, "no memory for a database");
  std::memcpy(bytes, image.data(), image.size());
  if (sqlite3_deserialize(handle_, "main", bytes, size, size,
                          SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) != SQLITE_OK)
    fail("sqlite3_deserialize");
}

Result<void> Database::copy_to(const std::string& path) {
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(handle_, "VACUUM INTO ?1", -1, &statement, nullptr);
  if (code == SQLITE_OK)
    code = sqlite3_bind_text64(statement, 1, path.data(), path.size(), SQLITE_STATIC, SQLITE_UTF8);
  if (code == SQLITE_OK) code = sqlite3_step(statement);
  const std::string reason = sqlite3_errmsg(handle_);
  sqlite3_finalize(statement);
  if (code == SQLITE_DONE) return success();
  return make_error(ErrorCode::storage, "cannot copy the cloud's database to " + path + ": " + reason +
                                            "; name a file that does not exist yet, in a folder that does");
}

void Database::fail(const char* what) const {
  const std::string message =
      std::string("the cloud's database: ") + sqlite3_errmsg(handle_) + ", in: " + what;
  check_failed("SQLite succeeds", __FILE__, __LINE__, message.c_str());
}

void Statement::prepare() {
  check(sqlite3_prepare_v3(database_.handle(), sql_, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr));
}

void Statement::bind(int index, std::string_view text) {
  const char* bytes = text.data() != nullptr ? text.data() : "";
  check(sqlite3_bind_text64(statement_, index, bytes, text.size(), SQLITE_STATIC, SQLITE_UTF8));
}

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_.fail(sql_);
  sqlite3_reset(statement_);
  return false;
}

}  // namespace drover::cloud
