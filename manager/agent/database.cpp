#include "manager/agent/database.hpp"

#include <mariadb/errmsg.h>
#include <mariadb/mysql.h>
#include <poll.h>

#include <charconv>

namespace drover::agent {
namespace {

unsigned seconds_up(Duration time) {
  return static_cast<unsigned>(std::max<Duration::rep>(1, (time + 999ms) / 1s));
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const Place& place, Duration connect, Duration answer) {
  MYSQL* handle = mysql_init(nullptr);
  if (handle == nullptr) return make_error(ErrorCode::internal, "no memory for a connection");
  std::unique_ptr<Connection> connection(new Connection(handle));
  const unsigned connect_seconds = seconds_up(connect), seconds = seconds_up(answer);
  mysql_options(handle, MYSQL_OPT_CONNECT_TIMEOUT, &connect_seconds);
  mysql_options(handle, MYSQL_OPT_READ_TIMEOUT, &seconds);
  mysql_options(handle, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
  mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  const auto given = [](const std::string& text) { return text.empty() ? nullptr : text.c_str(); };
  if (mysql_real_connect(handle, given(place.address), place.user.c_str(), given(place.password.value),
                         nullptr, place.socket.empty() ? place.port : 0U, given(place.socket), 0) == nullptr)
    return connection->error({});
  return connection;
}

Connection::~Connection() { mysql_close(handle_); }

std::string Connection::quoted(const std::string& value) {
  std::string text(value.size() * 2 + 1, '\0');
  text.resize(mysql_real_escape_string(handle_, text.data(), value.data(), value.size()));
  return "'" + text + "'";
}

// The server's texts repeat parts of a statement: values never appear in a message.
Error Connection::error(const std::vector<std::string>& values) {
  const unsigned number = mysql_errno(handle_);
  std::string text = mysql_error(handle_);
  for (const std::string& value : values)
    for (const std::string& form : {value, quoted(value)}) {
      if (form.size() < 4) continue;
      for (auto at = text.find(form); at != std::string::npos; at = text.find(form, at + 3))
        text.replace(at, form.size(), "...");
    }
  lost_ = number == CR_SERVER_LOST || number == CR_SERVER_GONE_ERROR || number == CR_CONNECTION_ERROR ||
          number == CR_COMMANDS_OUT_OF_SYNC || number == 1927;
  return make_error(ErrorCode::database, std::to_string(number) + ": " + text,
                    lost_ && number != CR_CONNECTION_ERROR ? Effect::possible : Effect::none);
}

Result<std::vector<NamedRow>> Connection::ask(std::string_view sql, const std::vector<std::string>& values) {
  std::string statement;
  std::size_t used = 0;
  for (const char c : sql) {
    if (c == '?' && used < values.size())
      statement += quoted(values[used++]);
    else
      statement += c;
  }
  DROVER_CHECK(used == values.size(), "a statement has fewer places than values");
  if (mysql_real_query(handle_, statement.data(), statement.size()) != 0) return error(values);
  MYSQL_RES* result = mysql_store_result(handle_);
  std::vector<NamedRow> rows;
  if (result == nullptr) {
    if (mysql_field_count(handle_) != 0) return error(values);
    return rows;
  }
  const unsigned columns = mysql_num_fields(result);
  const MYSQL_FIELD* fields = mysql_fetch_fields(result);
  while (MYSQL_ROW row = mysql_fetch_row(result)) {
    const unsigned long* lengths = mysql_fetch_lengths(result);
    NamedRow named;
    for (unsigned i = 0; i < columns; ++i)
      if (row[i] != nullptr) named.emplace(fields[i].name, std::string(row[i], lengths[i]));
    rows.push_back(std::move(named));
  }
  mysql_free_result(result);
  return rows;
}

Result<void> Connection::run(std::string_view sql, const std::vector<std::string>& values) {
  DROVER_TRY(ask(sql, values));
  return success();
}

Result<void> Connection::check_alive(Duration patience) {
  static constexpr std::string_view kQuestion = "SELECT 1";
  if (mysql_send_query(handle_, kQuestion.data(), kQuestion.size()) != 0) return error({});
  pollfd answer{static_cast<int>(mysql_get_socket(handle_)), POLLIN, 0};
  if (::poll(&answer, 1, static_cast<int>(patience / 1ms)) == 0) {
    lost_ = true;
    return make_error(ErrorCode::database, "2013: no answer within " + drover::to_text(patience));
  }
  if (mysql_read_query_result(handle_) != 0) return error({});
  MYSQL_RES* result = mysql_store_result(handle_);
  if (result == nullptr) return error({});
  mysql_free_result(result);
  return success();
}

int database_number(const Error& error) {
  int number = 0;
  if (error.code == ErrorCode::database)
    std::from_chars(error.message.data(), error.message.data() + error.message.size(), number);
  return number;
}

}  // namespace drover::agent
