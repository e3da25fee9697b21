#include "manager/agent/rules.hpp"

#include <charconv>

namespace drover::agent {
namespace {

std::string text_of(const NamedRow& row, const char* column) {
  const auto found = row.find(column);
  return found == row.end() ? std::string() : found->second;
}

std::int64_t number_of(const NamedRow& row, const char* column, std::int64_t missing) {
  const std::string text = text_of(row, column);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? value : missing;
}

}  // namespace

Result<void> admit_generation(AgentState& state, const AgentCommand& command, const std::string& name) {
  const std::uint64_t generation = generation_of(command);
  if (generation >= state.generation) {
    state.generation = generation;
    return success();
  }
  if (is_reading(command)) return success();
  return make_error(ErrorCode::fenced, "The agent of " + name + " has heard from manager generation " +
                                           std::to_string(state.generation) +
                                           " and refuses a command of generation " +
                                           std::to_string(generation) + ".");
}

Result<void> admit_epoch(AgentState& state, std::uint64_t epoch, const std::string& name) {
  if (epoch < state.epoch)
    return make_error(ErrorCode::wrong_state, "The agent of " + name + " has seen topology epoch " +
                                                  std::to_string(state.epoch) +
                                                  " and refuses a command of epoch " + std::to_string(epoch) +
                                                  ": whoever sent it has been replaced.");
  state.epoch = epoch;
  return success();
}

ReplicationState replication_of(const NamedRow& row) {
  ReplicationState state;
  if (row.empty()) return state;
  state.configured = true;
  state.source_address = text_of(row, "Master_Host");
  state.source_port = static_cast<std::uint16_t>(number_of(row, "Master_Port", 0));
  const std::string io = text_of(row, "Slave_IO_Running");
  if (io == "Yes") state.io = ThreadState::yes;
  if (io == "Connecting") state.io = ThreadState::connecting;
  if (io == "Preparing") state.io = ThreadState::preparing;
  state.sql_running = text_of(row, "Slave_SQL_Running") == "Yes";
  state.io_errno = static_cast<int>(number_of(row, "Last_IO_Errno", 0));
  state.sql_errno = static_cast<int>(number_of(row, "Last_SQL_Errno", 0));
  state.last_error = text_of(row, state.sql_errno != 0 ? "Last_SQL_Error" : "Last_IO_Error");
  state.gtid_io_pos = text_of(row, "Gtid_IO_Pos");
  state.seconds_behind = number_of(row, "Seconds_Behind_Master", -1);
  state.source_server_id = static_cast<std::uint32_t>(number_of(row, "Master_Server_Id", 0));
  return state;
}

Connecting judge_connection(const ReplicationState& state, bool late, const std::string& name,
                            const std::string& source, Error& error) {
  if (state.io == ThreadState::yes) return Connecting::done;
  const bool unreachable = state.io_errno == 2002 || state.io_errno == 2003 || state.io_errno == 1040;
  if (unreachable || (state.io_errno == 0 && late)) {
    error =
        make_error(ErrorCode::unavailable,
                   name + " is configured as a replica of " + source + " but cannot connect: " +
                       (state.last_error.empty() ? "no answer" : state.last_error) + ". It goes on trying.",
                   Effect::possible, Retry::later);
    return Connecting::failed;
  }
  if (state.io_errno != 0 && state.io_errno != 2013) {
    error = make_error(ErrorCode::database, std::to_string(state.io_errno) + ": " + state.last_error,
                       Effect::possible);
    return Connecting::failed;
  }
  if (!late) return Connecting::wait;
  error = make_error(ErrorCode::unavailable, "The source " + source + " broke the connection",
                     Effect::possible, Retry::later);
  return Connecting::failed;
}

Result<void> check_user_name(const std::string& name) {
  if (name.empty() || name.size() > 128)
    return make_error(ErrorCode::invalid,
                      "A user name has 1 to 128 bytes; this one has " + std::to_string(name.size()) + ".");
  if (name.find('\0') != std::string::npos)
    return make_error(ErrorCode::invalid, "A user name has no NUL character.");
  return success();
}

std::string server_configuration(const AgentSettings& settings, const AgentState& state, bool runs_as_root) {
  const auto flag = [](bool on) { return on ? "ON" : "OFF"; };
  std::string text =
      "# Written by drover agent before every start of the server; changes made here are lost.\n"
      "[client]\nsocket=" +
      settings.folder + "/mysqld.sock\n\n[mysqld]\n";
  const auto set = [&text](const std::string& name, const std::string& value) {
    text += name + "=" + value + "\n";
  };
  set("datadir", settings.folder + "/data");
  set("socket", settings.folder + "/mysqld.sock");
  set("pid_file", settings.folder + "/mysqld.pid");
  set("log_error", settings.folder + "/mysqld.log");
  set("tmpdir", settings.folder + "/tmp");
  if (runs_as_root) set("user", "root");
  set("bind_address", settings.address);
  set("port", std::to_string(settings.mysqld_port));
  text += "skip_name_resolve\nskip_external_locking\n";
  set("local_infile", "0");
  set("character_set_server", "utf8mb4");
  text += "\n# Replication. Every start is read-only until the manager opens the server.\n";
  set("read_only", "1");
  set("server_id", std::to_string(state.server_id == 0 ? 1 : state.server_id));
  set("report_host", settings.address);
  set("report_port", std::to_string(settings.mysqld_port));
  set("log_bin", "binlog");
  set("binlog_format", "ROW");
  set("sync_binlog", "1");
  set("log_slave_updates", "1");
  set("relay_log", "relay");
  set("relay_log_recovery", "1");
  set("gtid_strict_mode", "1");
  set("slave_net_timeout", "10");
  set("rpl_semi_sync_master_enabled", flag(state.semi_sync_primary));
  set("rpl_semi_sync_slave_enabled", flag(state.semi_sync_replica));
  set("rpl_semi_sync_master_wait_point", "AFTER_SYNC");
  text += "\n# Memory.\n";
  set("innodb_buffer_pool_size", std::to_string(settings.buffer_pool_mb) + "M");
  set("innodb_log_file_size", "8M");
  set("performance_schema", "0");
  set("key_buffer_size", "64K");
  set("aria_pagecache_buffer_size", "1M");
  text += "\n# How much clients ask, and how long it takes.\n";
  set("userstat", "1");
  return text;
}

std::optional<std::string> backup_position(const std::string& binlog_info) {
  std::string_view line = std::string_view(binlog_info).substr(0, binlog_info.find('\n'));
  const auto first = line.find('\t');
  if (first == std::string_view::npos) return std::nullopt;
  const auto second = line.find('\t', first + 1);
  std::string position(second == std::string_view::npos ? "" : line.substr(second + 1));
  while (position.ends_with(' ') || position.ends_with('\r')) position.pop_back();
  if (!parse_gtid_position(position)) return std::nullopt;
  return position;
}

}  // namespace drover::agent
