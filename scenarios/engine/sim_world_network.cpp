#include "scenarios/engine/sim_world_network.hpp"

#include <algorithm>

#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {
namespace {

std::string party_of(const cloud::Instance& vm) { return vm.spec.name.empty() ? vm.id : vm.spec.name; }

}  // namespace

WorldNetwork::WorldNetwork(SimWorld& world, sim::NetworkConfig config)
    : NetworkFaults(world),
      world_(world),
      links_(world.scheduler(), world.choices(), world.trace(), std::move(config)) {
  links_.on_change([this] { world_.fleet().links_changed(); });
}

WorldNetwork::Names WorldNetwork::living() const {
  Names names;
  world_.cloud().for_each_instance([&](const cloud::Instance& vm) {
    if (vm.live() && !is_gone(vm.state)) names.push_back(party_of(vm));
  });
  return names;
}

WorldNetwork::Found WorldNetwork::find(const std::string& target) const {
  const auto* vm = world_.instance_of(target);
  if (vm == nullptr) return {};
  if (is_gone(vm->state)) return {.is_known = true, .party = std::nullopt};
  return {.is_known = true, .party = party_of(*vm)};
}

std::string WorldNetwork::master_vm() const { return world_.master_vm(); }

Result<void> WorldNetwork::break_connections(const Names& parties, Duration time) {
  bool any = false;
  world_.cloud().for_each_instance([&](const cloud::Instance& vm) {
    if (!vm.live() || std::ranges::find(parties, party_of(vm)) == parties.end()) return;
    any = world_.fleet().half_open(vm.id) || any;
    later(time, [this, id = vm.id] { world_.fleet().reset_half_open(id); });
  });
  if (!any) return make_error(ErrorCode::not_found, "nothing has started there");
  return success();
}

}  // namespace drover::scenario
