// What the agent must know after a crash, as it is kept in a file. Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "manager/ports/agent.hpp"

namespace drover::agent {

struct AgentState {
  std::uint64_t epoch = 0;       // highest seen
  std::uint64_t generation = 0;  // highest seen
  Role role = Role::none;
  bool server_wanted = false;
  bool clone_unfinished = false;  // the data directory is worthless
  std::uint32_t server_id = 0;    // of the server's file
  bool semi_sync_primary = false;
  bool semi_sync_replica = false;
  friend bool operator==(const AgentState&, const AgentState&) = default;
};

std::string encode_state(const AgentState& state);
// Errors: storage, for anything encode_state did not write.
Result<AgentState> decode_state(const std::string& text);

// A missing file is a new agent's state. Errors: storage.
Result<AgentState> load_state(const std::string& path);

}  // namespace drover::agent
