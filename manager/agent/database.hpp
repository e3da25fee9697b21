// One connection to a server through libmariadb: the node's own over its socket, or any as a client. Values
// enter statements only as escaped literals in place of a "?". One thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "manager/agent/rules.hpp"
#include "manager/base/result.hpp"

struct st_mysql;

namespace drover::agent {

class Connection {
 public:
  struct Place {
    std::string socket;
    std::string user;  // authenticated by the socket: no password
    // Without a socket: a client's way.
    std::string address = {};
    std::uint16_t port = 3306;
    Secret password = {};
  };
  // How long connecting and every single answer may take, rounded up to seconds.
  // Errors: database, with the client's number (2002, 2013, …).
  static Result<std::unique_ptr<Connection>> open(const Place& place, Duration connect, Duration answer);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Every row of the answer. Each "?" of `sql`, which must hold none otherwise, becomes the next value as a
  // literal. Errors: database with "number: text"; Effect::possible when the connection was lost.
  Result<std::vector<NamedRow>> ask(std::string_view sql, const std::vector<std::string>& values = {});
  Result<void> run(std::string_view sql, const std::vector<std::string>& values = {});
  // Whether the server answers "SELECT 1" within `patience`, which is not rounded. Without an answer the
  // connection is lost.
  Result<void> check_alive(Duration patience);
  // A connection that failed in this way is of no more use.
  bool lost() const { return lost_; }

 private:
  explicit Connection(st_mysql* handle) : handle_(handle) {}
  std::string quoted(const std::string& value);
  Error error(const std::vector<std::string>& values);

  st_mysql* handle_;
  bool lost_ = false;
};

// The number at the beginning of a database error's message, else 0.
int database_number(const Error& error);

}  // namespace drover::agent
