// What the agent must know after a crash, and the file that keeps it. Any thread; the caller orders writes.
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
// Whole or not at all, and on disk when it returns (temporary file, fsync, rename, fsync of the folder).
// Errors: storage; the file is the old one or the new one.
Result<void> save_file(const std::string& path, const std::string& text);

}  // namespace drover::agent
