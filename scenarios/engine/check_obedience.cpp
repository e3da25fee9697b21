#include "scenarios/engine/check_obedience.hpp"

#include <algorithm>

#include "scenarios/engine/check_write_ahead.hpp"

namespace drover::scenario {

namespace {

constexpr std::uint64_t kApart = 1ULL << 63U;

}  // namespace

std::uint64_t Obedience::asked(const std::string& subject, const AgentCommand& command) {
  const std::uint64_t number = kApart | ++last_;
  if (is_reading(command)) return number;
  const auto* node = world_.durable().node(node_number(subject));
  const auto heard = node == nullptr ? heard_.end() : heard_.find(node->vm);
  if (heard != heard_.end() && heard->second > generation_of(command))
    outdated_.emplace(number, Outdated{agent_method(command), generation_of(command), heard->second});
  return number;
}

void Obedience::answered(std::uint64_t number, const std::string& subject, const Result<AgentReply>& reply) {
  if (reply.has_value()) {
    const ServerState& state = reply.value().state;
    std::uint64_t& heard = heard_[state.instance_id];
    heard = std::max(heard, state.generation);
  }
  const auto found = outdated_.find(number);
  if (found == outdated_.end()) return;
  const Outdated command = found->second;
  outdated_.erase(found);
  if (reply.has_error()) return;
  const auto* node = world_.durable().node(node_number(subject));
  const auto* vm = node == nullptr ? nullptr : world_.cloud().instance(node->vm);
  // Whoever says ok without doing it, or answers at another's address.
  if (vm == nullptr || reply.value().state.instance_id != node->vm ||
      world_.evidence().any_to(*vm, {"agent.lie", "agent.partial_configuration", "vm.lose_disk"}))
    return;
  world_.report("W2",
                "the agent of " + subject + " has heard of manager generation " +
                    std::to_string(command.heard) + " and carried out " + command.method + " of generation " +
                    std::to_string(command.generation),
                "W2 obeys an old manager");
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
