// What `drover agent` is told: defaults, then one JSON or YAML file, then the command line. Reads files and
// the environment; used while the program starts, on its one thread.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "manager/agent/settings.hpp"
#include "manager/base/result.hpp"
#include "scenarios/engine/schema_fields.hpp"

namespace drover::tools {

// The command line; what is not given leaves the file's value, or the default.
struct AgentOptions {
  std::string config;
  std::optional<std::string> id, listen, folder, manager, token_file, template_folder;
  std::optional<unsigned> mysqld_port, buffer_pool_mb;
};

// Every key of the file, as a table (schema_fields.hpp).
std::span<const scenario::Field> agent_fields();

// All but the token and the log. Errors: ErrorCode::invalid with "file:line:column: message", one a line;
// not_found when there is no such file.
struct AgentStart {
  agent::AgentSettings settings;
  std::string token_file;
  std::string token_env;
};
Result<AgentStart> read_agent_settings(const AgentOptions& options);

// The token from the file, or from the environment variable, which is then taken out of the environment, so
// that no child inherits it. Errors: unavailable, never with any of the content.
Result<Secret> read_agent_token(const std::string& file, const std::string& variable);

inline constexpr const char* kAgentTokenVariable = "DROVER_AGENT_TOKEN";

}  // namespace drover::tools
