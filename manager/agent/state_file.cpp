#include "manager/agent/state_file.hpp"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace drover::agent {

using nlohmann::json;

std::string encode_state(const AgentState& state) {
  return json{{"version", 1},
              {"epoch", state.epoch},
              {"generation", state.generation},
              {"role", to_text(state.role)},
              {"server_wanted", state.server_wanted},
              {"clone_unfinished", state.clone_unfinished},
              {"server_id", state.server_id},
              {"semi_sync_primary", state.semi_sync_primary},
              {"semi_sync_replica", state.semi_sync_replica}}
             .dump(2) +
         "\n";
}

Result<AgentState> decode_state(const std::string& text) {
  const auto damaged = [](const char* what) {
    return make_error(ErrorCode::storage, std::string("the agent's state is damaged (") + what +
                                              "): replace this node, its epoch and role are not known");
  };
  const json in = json::parse(text, nullptr, false);
  if (!in.is_object() || in.value("version", json()) != 1) return damaged("not version 1");
  AgentState state;
  for (const char* name : {"epoch", "generation", "server_id"})
    if (!in.value(name, json()).is_number_unsigned()) return damaged(name);
  for (const char* name : {"server_wanted", "clone_unfinished", "semi_sync_primary", "semi_sync_replica"})
    if (!in.value(name, json()).is_boolean()) return damaged(name);
  bool known = false;
  for (const Role role : {Role::none, Role::primary, Role::replica})
    if (in.value("role", json()) == to_text(role)) {
      state.role = role;
      known = true;
    }
  if (!known) return damaged("role");
  state.epoch = in["epoch"].get<std::uint64_t>();
  state.generation = in["generation"].get<std::uint64_t>();
  state.server_id = in["server_id"].get<std::uint32_t>();
  state.server_wanted = in["server_wanted"].get<bool>();
  state.clone_unfinished = in["clone_unfinished"].get<bool>();
  state.semi_sync_primary = in["semi_sync_primary"].get<bool>();
  state.semi_sync_replica = in["semi_sync_replica"].get<bool>();
  return state;
}

Result<AgentState> load_state(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) return AgentState{};
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return make_error(ErrorCode::storage, path + " cannot be read: check its owner and the disk");
  return decode_state(text.str());
}

}  // namespace drover::agent
