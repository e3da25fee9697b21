#include "manager/adapters/user_data.hpp"

namespace drover {

std::string shell_quote(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\0') continue;
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
  return out + "'";
}

std::string render_user_data(const AgentStart& start) {
  std::string out = "#!/bin/sh\n";
  const auto set = [&](const char* name, const std::string& value) {
    if (!value.empty()) out += std::string(name) + "=" + shell_quote(value) + "\n";
  };
  set("DROVER_MANAGER_IP", start.manager_ip);
  set("DROVER_MANAGER_PORT", std::to_string(start.manager_port));
  set("DROVER_TOKEN", start.token.value);
  set("DROVER_INSTANCE_ID", start.instance_id);
  set("DROVER_LISTEN_ADDRESS", start.listen_address);
  set("DROVER_AGENT_PORT", std::to_string(start.agent_port));
  set("DROVER_MYSQLD_PORT", std::to_string(start.mysqld_port));
  set("DROVER_BUFFER_POOL_MB", std::to_string(start.buffer_pool_mb));
  set("DROVER_BINARY_URL", start.binary_url);
  set("DROVER_BINARY_SHA256", start.binary_sha256);
  set("DROVER_PACKAGES", start.packages);
  // The first line is there already.
  const std::string_view script = agent_script();
  out += script.substr(script.find('\n') + 1);
  return out;
}

}  // namespace drover
