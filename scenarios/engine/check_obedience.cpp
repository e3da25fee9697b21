#include "scenarios/engine/check_obedience.hpp"

#include <algorithm>
#include <optional>
#include <variant>

#include "scenarios/engine/check_write_ahead.hpp"

namespace drover::scenario {

namespace {

// Of the topology that the command is for; nothing when it is for any.
std::optional<std::uint64_t> epoch_of(const AgentCommand& command) {
  return std::visit(
      [](const auto& one) -> std::optional<std::uint64_t> {
        if constexpr (requires { one.epoch; })
          return one.epoch;
        else
          return std::nullopt;
      },
      command);
}

std::string after(const AgentCommand& command, const char* what, std::uint64_t sent, std::uint64_t heard) {
  return std::string(agent_method(command)) + " of " + what + " " + std::to_string(sent) +
         " after it had heard of " + what + " " + std::to_string(heard);
}

}  // namespace

void Obedience::asked(std::uint64_t number, const std::string& subject, const AgentCommand& command) {
  if (is_reading(command)) return;
  const auto* node = world_.durable().node(node_number(subject));
  const auto found = node == nullptr ? heard_.end() : heard_.find(node->vm);
  if (found == heard_.end()) return;
  const Heard& heard = found->second;
  if (const auto generation = generation_of(command); generation < heard.generation)
    outdated_[number] = {after(command, "generation", generation, heard.generation),
                         "W2 obeys an old manager"};
  else if (const auto epoch = epoch_of(command); epoch && *epoch < heard.epoch)
    outdated_[number] = {after(command, "epoch", *epoch, heard.epoch), "W2 obeys an order of an old epoch"};
}

void Obedience::answered(std::uint64_t number, const std::string& subject, const Result<AgentReply>& reply) {
  if (reply.has_value()) {
    const ServerState& state = reply.value().state;
    Heard& heard = heard_[state.instance_id];
    heard.generation = std::max(heard.generation, state.generation);
    heard.epoch = std::max(heard.epoch, state.epoch);
  }
  auto command = outdated_.extract(number);
  if (command.empty() || reply.has_error()) return;
  const auto* node = world_.durable().node(node_number(subject));
  const auto* vm = node == nullptr ? nullptr : world_.cloud().instance(node->vm);
  // Whoever says ok without doing it, or answers at another's address.
  if (vm == nullptr || reply.value().state.instance_id != node->vm ||
      world_.evidence().any_to(*vm, {"agent.lie", "agent.partial_configuration", "vm.lose_disk"}))
    return;
  world_.report("W2", "the agent of " + subject + " carried out " + command.mapped().what,
                command.mapped().fingerprint);
}

void Obedience::at_point(std::string_view point, std::string_view subject) {
  if (world_.has_former_managers()) return;
  if (point == "manager.fenced")
    world_.report("S8", "the manager has stood down, and nobody replaced it", "S8 stood down unreplaced");
  if (point == "node.adopted" && world_.journal().losses() == 0)
    world_.report("S12", std::string(subject) + " is taken up because the journal is behind, which it is not",
                  "S12 adopted without a lost journal");
}

}  // namespace drover::scenario
