// A client of a node's database server over TCP, as an application is one. One thread.
#pragma once

#include <mariadb/mysql.h>

#include <optional>
#include <string>

namespace drover::agent_test {

class SqlClient {
 public:
  SqlClient(const std::string& address, const std::string& user, const std::string& password)
      : handle_(mysql_init(nullptr)) {
    const unsigned seconds = 20;
    mysql_options(handle_, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    mysql_options(handle_, MYSQL_OPT_READ_TIMEOUT, &seconds);
    mysql_real_connect(handle_, address.c_str(), user.c_str(), password.c_str(), nullptr, 3306, nullptr, 0);
  }
  ~SqlClient() { mysql_close(handle_); }
  SqlClient(const SqlClient&) = delete;
  SqlClient& operator=(const SqlClient&) = delete;

  // Of the connecting, or of the last statement; 0: it succeeded.
  unsigned error() { return mysql_errno(handle_); }
  std::string message() { return mysql_error(handle_); }
  // The error's number.
  unsigned run(const std::string& sql) {
    if (mysql_query(handle_, sql.c_str()) == 0) mysql_free_result(mysql_store_result(handle_));
    return error();
  }
  // The first column of the first row.
  std::optional<std::string> value(const std::string& sql) {
    if (mysql_query(handle_, sql.c_str()) != 0) return std::nullopt;
    MYSQL_RES* result = mysql_store_result(handle_);
    if (result == nullptr) return std::nullopt;
    std::optional<std::string> found;
    if (MYSQL_ROW row = mysql_fetch_row(result); row != nullptr && row[0] != nullptr) found = row[0];
    mysql_free_result(result);
    return found;
  }

 private:
  MYSQL* handle_;
};

}  // namespace drover::agent_test
