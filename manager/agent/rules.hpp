// What the agent decides, apart from doing it: who may give a command, what a replication status means, and
// the text of the server's configuration. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "manager/agent/settings.hpp"
#include "manager/agent/state_file.hpp"
#include "manager/base/gtid.hpp"

namespace drover::agent {

// Raises the generation to the command's, or refuses with ErrorCode::fenced what could change something and
// comes from an older manager. Asked right before a command begins.
Result<void> admit_generation(AgentState& state, const AgentCommand& command, const std::string& name);
// Raises the epoch, or refuses an older one with wrong_state.
Result<void> admit_epoch(AgentState& state, std::uint64_t epoch, const std::string& name);

// One row by column name; NULL is absent.
using NamedRow = std::map<std::string, std::string>;
// Of a row of SHOW SLAVE STATUS; an empty one is "not configured".
ReplicationState replication_of(const NamedRow& row);

enum class Connecting : unsigned char { done, wait, failed };
// What the I/O thread's state says about a replica that was just started. `late`: the time for it is over.
// When failed: `error` says why, with Effect::possible.
Connecting judge_connection(const ReplicationState& state, bool late, const std::string& name,
                            const std::string& source, Error& error);

// A user's name has 1 to 128 bytes and no NUL. Errors: invalid.
Result<void> check_user_name(const std::string& name);

// The server's configuration file: read-only at start, GTID replication, small memory.
std::string server_configuration(const AgentSettings& settings, const AgentState& state, bool runs_as_root);

// The GTID position in the file xtrabackup_binlog_info of a copy: its last field, "" when there is none.
// Nothing when the file is no such file.
std::optional<std::string> backup_position(const std::string& binlog_info);

}  // namespace drover::agent
