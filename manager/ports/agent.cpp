#include "manager/ports/agent.hpp"

namespace drover {

const char* to_text(Role role) {
  switch (role) {
    case Role::none:
      return "none";
    case Role::primary:
      return "primary";
    case Role::replica:
      return "replica";
  }
  return "?";
}

const char* to_text(ThreadState state) {
  switch (state) {
    case ThreadState::no:
      return "No";
    case ThreadState::preparing:
      return "Preparing";
    case ThreadState::connecting:
      return "Connecting";
    case ThreadState::yes:
      return "Yes";
  }
  return "?";
}

void set_generation(AgentCommand& command, std::uint64_t generation) {
  std::visit([generation](auto& one) { one.generation = generation; }, command);
}

std::uint64_t generation_of(const AgentCommand& command) {
  return std::visit([](const auto& one) { return one.generation; }, command);
}

bool is_reading(const AgentCommand& command) {
  return std::holds_alternative<GetServerState>(command) || std::holds_alternative<WaitForGtid>(command) ||
         std::holds_alternative<GetUsers>(command) || std::holds_alternative<TakeDump>(command);
}

const char* agent_method(const AgentCommand& command) {
  struct Names {
    const char* operator()(const GetServerState&) const { return "get_server_state"; }
    const char* operator()(const StartServer&) const { return "start_server"; }
    const char* operator()(const StopServer&) const { return "stop_server"; }
    const char* operator()(const RestartServer&) const { return "restart_server"; }
    const char* operator()(const SetUpPrimary&) const { return "set_up_replica_master"; }
    const char* operator()(const SetUpReplica&) const { return "set_up_replica_slave"; }
    const char* operator()(const StopReplica&) const { return "stop_replica"; }
    const char* operator()(const SetReadOnly&) const { return "set_read_only"; }
    const char* operator()(const WaitForGtid&) const { return "wait_for_gtid"; }
    const char* operator()(const GetUsers&) const { return "get_users"; }
    const char* operator()(const ConfigureUser&) const { return "configure_user"; }
    const char* operator()(const DeleteUser&) const { return "delete_user"; }
    const char* operator()(const SetPassword&) const { return "set_password"; }
    const char* operator()(const TakeDump&) const { return "dump"; }
    const char* operator()(const LoadDump&) const { return "load_dump"; }
  };
  return std::visit(Names{}, command);
}

}  // namespace drover
