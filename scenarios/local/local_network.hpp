// The net.* faults of a run on real servers: rules for the switch between its VMs, its manager and its
// clients. Part of LocalWorld.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "scenarios/engine/network_faults.hpp"
#include "scenarios/local/packet_switch.hpp"

namespace drover::scenario {

class LocalWorld;

class LocalNetwork final : public NetworkFaults {
 public:
  LocalNetwork(LocalWorld& world, PacketSwitch& links);

  // Calls of the API do not leave this process: whether they would arrive.
  bool reaches(std::string_view from, std::string_view to) const;

 private:
  Names living() const override;
  Found find(const std::string& target) const override;
  std::string master_vm() const override;
  std::uint64_t add(sim::LinkRule rule) override;
  void remove(std::uint64_t number) override;
  void remove_all() override;
  Result<void> break_connections(const Names& parties, Duration time) override;
  void changed(const char* what, const sim::LinkRule& rule);
  std::vector<sim::LinkRule> in_force() const;

  LocalWorld& world_;
  PacketSwitch& links_;
  std::map<std::uint64_t, sim::LinkRule> rules_;
  std::uint64_t last_rule_ = 0;
};

}  // namespace drover::scenario
