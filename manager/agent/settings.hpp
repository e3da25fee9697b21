// What one agent is told at its start. The secret token is read by whoever starts the agent, from a file or
// the environment.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "manager/ports/agent.hpp"

namespace drover::agent {

struct AgentSettings {
  std::string instance_id;  // what the cloud calls this VM
  std::string address = "127.0.0.1";
  std::uint16_t port = 60000;  // of the agent
  std::uint16_t mysqld_port = 3306;
  std::string folder;           // of everything: state, data, socket, log; made with mode 0700
  std::string template_folder;  // a data directory to copy instead of running mariadb-install-db; "" for none
  std::string backup_program = "mariadb-backup";
  std::string manager_host;  // "" for no heartbeats
  std::uint16_t manager_port = 50000;
  Secret token;  // both this agent's and that of the agents it clones from
  unsigned buffer_pool_mb = 16;
  Duration heartbeat_interval{30s};
  Duration server_timeout{2s};  // until a server that does not answer counts as hung
  Duration start_timeout{60s};
  Duration stop_timeout{60s};  // then it is killed
  Duration connect_wait{3s};   // how long SetUpReplica waits for the I/O thread to connect
  // One line for people; any thread. Never a secret.
  std::function<void(const std::string& line)> log;
};

}  // namespace drover::agent
