// What a fresh machine of a cloud is given at its birth: the script that makes it a node
// (tools/cloud-init/agent.sh, built into the program), with the values that it needs in front. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "manager/ports/agent.hpp"

namespace drover {

struct AgentStart {
  std::string manager_ip;  // an address or a name at which machines reach the API
  std::uint16_t manager_port = 50000;
  Secret token;                // shared by the manager and its agents
  std::string instance_id;     // "": the machine finds out what its cloud calls it
  std::string listen_address;  // "": the one from which the manager is reached
  std::uint16_t agent_port = 60000;
  std::uint16_t mysqld_port = 3306;
  unsigned buffer_pool_mb = 128;
  std::string binary_url;     // where drover is fetched from; "": it is in the image
  std::string binary_sha256;  // of that, in 64 digits; needed with a URL
  std::string packages;       // instead of Debian 12's packages of MariaDB, with spaces between; "" for those
};

// A shell script for cloud-init's user data, below EC2's limit of 16 KB. Every value is one quoted word,
// whatever is in it; the script refuses those that make no sense. It holds the token: whoever may read a
// machine's user data may read that too.
std::string render_user_data(const AgentStart& start);

// The script without values, as it is in tools/cloud-init/agent.sh.
std::string_view agent_script();

// `text` as one word of a POSIX shell. What no shell can hold (zero bytes) is left out.
std::string shell_quote(std::string_view text);

}  // namespace drover
