#include "tools/drover/agent_config.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "scenarios/engine/scenario.hpp"
#include "tools/drover/api_client.hpp"
#include "tools/drover/serve_config.hpp"

namespace drover::tools {
namespace {

using scenario::Field;
using scenario::FieldType;

constexpr std::size_t kTokenBytesMax = 1024;
constexpr long kPortMax = 65535;

constexpr Field kFields[] = {
    {"id", FieldType::text, "what the cloud calls this VM; the manager knows the node by it"},
    {"listen", FieldType::text, "address and port of the agent; the server takes the same address",
     "127.0.0.1:60000"},
    {"mysqld_port", FieldType::integer, "port of the database server", "3306", {}, {}, 1, kPortMax},
    {"dir", FieldType::text, "folder of the data, the socket, the log and the agent's state"},
    {"manager", FieldType::text, "http://HOST:PORT of the manager to report to; left out: none"},
    {"token_file", FieldType::text, "file that holds the token shared with the manager"},
    {"token_env", FieldType::identifier, "environment variable that holds it", kAgentTokenVariable},
    {"template", FieldType::text, "a data directory to copy instead of running mariadb-install-db"},
    {"buffer_pool_mb", FieldType::integer, "innodb_buffer_pool_size", "16", {}, {}, 5, 1'000'000},
    {"heartbeat_interval", FieldType::duration, "between two reports to the manager", "30s"},
    {"server_timeout", FieldType::duration, "until a server that does not answer counts as hung", "2s"},
};

Error invalid(const std::string& message) { return make_error(ErrorCode::invalid, message); }

Result<void> take_file(const std::string& path, scenario::Settings& own) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file)
    return make_error(ErrorCode::not_found,
                      path + ": cannot be read; check that the file exists and may be read");
  DROVER_TRY(const scenario::Node root, scenario::parse_document(text.str(), path));
  scenario::Problems problems(path);
  if (!scenario::check_map(root, kFields, "the configuration", problems) || !problems.empty())
    return problems.to_error();
  own.assign(root);
  return success();
}

}  // namespace

std::span<const Field> agent_fields() { return kFields; }

Result<AgentStart> read_agent_settings(const AgentOptions& options) {
  scenario::Settings own(kFields);
  if (!options.config.empty()) {
    DROVER_TRY(take_file(options.config, own));
  }
  const auto text = [&](const std::optional<std::string>& option, const char* key) {
    if (option) return *option;
    return own.has(key) ? own.text(key) : std::string();
  };
  AgentStart start;
  agent::AgentSettings& to = start.settings;
  to.instance_id = text(options.id, "id");
  if (to.instance_id.empty()) return invalid("--id (or id in the configuration) is missing: the VM's id");
  const std::string listen = text(options.listen, "listen");
  const auto place = parse_listen(listen);
  if (!place || place->second == 0)
    return invalid("--listen: \"" + listen + "\" is no ADDR:PORT such as 127.0.0.1:60000");
  std::tie(to.address, to.port) = *place;
  to.mysqld_port = static_cast<std::uint16_t>(
      options.mysqld_port.value_or(static_cast<unsigned>(own.integer("mysqld_port"))));
  if (options.mysqld_port.value_or(1) == 0 || options.mysqld_port.value_or(1) > kPortMax)
    return invalid("--mysqld-port takes a number from 1 to 65535");
  to.folder = text(options.folder, "dir");
  if (to.folder.empty())
    return invalid("--dir (or dir in the configuration) is missing: a folder for the data");
  std::error_code ignored;
  to.folder = std::filesystem::absolute(to.folder, ignored).lexically_normal().string();
  if (const std::string manager = text(options.manager, "manager"); !manager.empty()) {
    const auto url = parse_api_url(manager);
    if (!url) return invalid("--manager: \"" + manager + "\" is no URL such as http://127.0.0.1:50000");
    to.manager_host = url->host;
    to.manager_port = static_cast<std::uint16_t>(std::stoul(url->port));
  }
  to.template_folder = text(options.template_folder, "template");
  to.buffer_pool_mb = options.buffer_pool_mb.value_or(static_cast<unsigned>(own.integer("buffer_pool_mb")));
  to.heartbeat_interval = own.duration("heartbeat_interval");
  to.server_timeout = own.duration("server_timeout");
  if (to.heartbeat_interval <= Duration{0} || to.server_timeout <= Duration{0})
    return invalid("heartbeat_interval and server_timeout take a time above 0s");
  start.token_file = text(options.token_file, "token_file");
  start.token_env = own.text("token_env");
  return start;
}

Result<Secret> read_agent_token(const std::string& file, const std::string& variable) {
  const auto refuse = [](const std::string& message) { return make_error(ErrorCode::unavailable, message); };
  Secret token;
  if (!file.empty()) {
    std::ifstream in(file, std::ios::binary);
    std::getline(in, token.value);
    while (token.value.ends_with('\r')) token.value.pop_back();
    if (!in && token.value.empty()) return refuse("token_file: " + file + " cannot be read, or is empty");
  } else {
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr || *value == '\0')
      return refuse("there is no token: name a file with --token-file, or set the environment variable " +
                    variable + ", to what the manager has");
    token.value = value;
    ::unsetenv(variable.c_str());
  }
  if (token.value.size() > kTokenBytesMax || token.value.find_first_of("\r\n\t") != std::string::npos)
    return refuse("the token must be one line of at most 1024 bytes");
  return token;
}

}  // namespace drover::tools
