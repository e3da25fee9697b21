#include "scenarios/explore/situation.hpp"

#include "scenarios/engine/check_write_ahead.hpp"

namespace drover::explore {
namespace {

using scenario::SimWorld;

constexpr unsigned kRoles = 3;  // none, primary, replica

std::uint64_t describe(SimWorld& world, const model::Model& model, const model::Node& node) {
  std::uint64_t hash = mix(hash_text(model::to_text(node.state)), static_cast<std::uint64_t>(node.role));
  hash = mix(hash, node.attempt);
  hash = mix(hash, (node.vm.empty() ? 0U : 1U) | (node.address.empty() ? 0U : 2U) |
                       (model.service.primary == node.id ? 4U : 0U) |
                       (model.service.maybe_writable == node.id ? 8U : 0U));
  if (node.vm.empty()) return hash;
  if (const auto* vm = world.cloud().instance(node.vm); vm != nullptr)
    hash = mix(hash, static_cast<std::uint64_t>(vm->state));
  const auto truth = world.fleet().truth(node.vm);
  if (!truth) return hash;
  hash =
      mix(hash, (truth->up ? 1U : 0U) | (truth->agent_running ? 2U : 0U) | (truth->server_running ? 4U : 0U) |
                    (truth->read_only ? 8U : 0U) | (truth->replication.configured ? 16U : 0U) |
                    (truth->replication.sql_running ? 32U : 0U));
  return mix(hash,
             static_cast<std::uint64_t>(truth->replication.io) * 8 + static_cast<std::uint64_t>(truth->role));
}

}  // namespace

Situation situation_of(SimWorld& world, std::string_view subject) {
  Situation seen;
  const auto* manager = world.manager();
  if (manager == nullptr) {
    seen.context = "no manager";
    return seen;
  }
  const auto& model = manager->model();
  // Which kinds of nodes there are, not how many of each: a bit for each state and role.
  static_assert(model::kNodeStates * kRoles <= 64);
  std::uint64_t kinds = 0;
  for (const auto& [number, node] : model.nodes())
    kinds |= 1ULL << (static_cast<unsigned>(node.state) * kRoles + static_cast<unsigned>(node.role));
  if (const auto* node = model.node(scenario::node_number(subject)); node != nullptr)
    seen.subject = describe(world, model, *node);
  seen.world = mix(hash_text(model::to_text(model.service.state)), kinds);
  if (const auto* master = model.node(model.service.primary); master != nullptr)
    seen.world = mix(seen.world, describe(world, model, *master));
  for (const auto id : model.active()) {
    const auto* operation = model.operation(id);
    const std::string text =
        std::string(model::to_text(operation->request.kind)) + " " + model::to_text(operation->state);
    seen.world = hash_text(text, seen.world);
    // What waits is no part of what is under way.
    if (operation->state != model::OperationState::queued)
      seen.context += (seen.context.empty() ? "" : "; ") + text;
  }
  if (seen.context.empty()) seen.context = model::to_text(model.service.state);
  return seen;
}

}  // namespace drover::explore
