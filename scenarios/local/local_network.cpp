#include "scenarios/local/local_network.hpp"

#include "scenarios/local/local_world.hpp"

namespace drover::scenario {

LocalNetwork::LocalNetwork(LocalWorld& world, PacketSwitch& links)
    : NetworkFaults(world), world_(world), links_(links) {}

// Parties are VMs by their ids.
LocalNetwork::Names LocalNetwork::living() const {
  Names names;
  for (const auto& vm : world_.machines())
    if (!is_gone(vm.state) && vm.has_power) names.push_back(vm.id);
  return names;
}

LocalNetwork::Found LocalNetwork::find(const std::string& target) const {
  const auto vm = world_.machine_of(target);
  if (!vm) return {};
  if (is_gone(vm->state)) return {.is_known = true, .party = std::nullopt};
  return {.is_known = true, .party = vm->id};
}

std::string LocalNetwork::master_vm() const { return world_.master_vm(); }

std::uint64_t LocalNetwork::add(sim::LinkRule rule) {
  const std::uint64_t number = ++last_rule_;
  changed(sim::to_text(rule.effect), rules_.emplace(number, std::move(rule)).first->second);
  return number;
}

void LocalNetwork::remove(std::uint64_t number) {
  if (const auto removed = rules_.extract(number); !removed.empty()) changed("ends:", removed.mapped());
}

void LocalNetwork::remove_all() {
  while (!rules_.empty()) remove(rules_.begin()->first);
}

std::vector<sim::LinkRule> LocalNetwork::in_force() const {
  std::vector<sim::LinkRule> rules;
  for (const auto& [number, rule] : rules_) rules.push_back(rule);
  return rules;
}

bool LocalNetwork::reaches(std::string_view from, std::string_view to) const {
  return scenario::reaches(in_force(), from, to);
}

void LocalNetwork::changed(const char* what, const sim::LinkRule& rule) {
  links_.set_rules(in_force());
  world_.trace().add(TraceKind::note, "network", what,
                     to_text(rule.from) + (rule.both_ways ? " <-> " : " -> ") + to_text(rule.to));
}

Result<void> LocalNetwork::break_connections(const Names& parties, Duration time) {
  for (const auto& party : parties) {
    links_.forget_connections(party);
    world_.trace().add(TraceKind::note, "network", "half open:", party);
    later(time, [this, party] { links_.deny_forgotten(party); });
  }
  return success();
}

}  // namespace drover::scenario
