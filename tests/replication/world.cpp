#include "tests/replication/world.hpp"

#include <regex>
#include <utility>
#include <vector>

namespace drover::replication_test {

std::string shape_of(const std::string& message) {
  static const std::vector<std::pair<std::regex, const char*>> kTakenOut{
      {std::regex("on table [^;]*;"), "on table T;"},
      {std::regex("record in '[^']*'"), "record in 'T'"},
      {std::regex("user 'repl'@'[^']*'"), "user 'repl'@'H'"},
      {std::regex("[0-9]+"), "#"},
  };
  std::string shape = message;
  for (const auto& [pattern, instead] : kTakenOut) shape = std::regex_replace(shape, pattern, instead);
  return shape;
}

void show_replication(Observation& seen, const ReplicationState& state) {
  seen["replica"] = state.configured ? "1" : "0";
  if (!state.configured) return;
  // The last number of an address is the server's.
  seen["source"] = state.source_address.substr(state.source_address.rfind('.') + 1);
  seen["io"] = to_text(state.io);
  seen["sql"] = state.sql_running ? "Yes" : "No";
  seen["io_errno"] = std::to_string(state.io_errno);
  seen["sql_errno"] = std::to_string(state.sql_errno);
  seen["error"] = shape_of(state.last_error);
  seen["io_pos"] = state.gtid_io_pos;
  seen["met"] = std::to_string(state.source_server_id);
  seen["behind"] = state.seconds_behind < 0 ? "NULL" : "number";
}

}  // namespace drover::replication_test
