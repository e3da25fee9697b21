// The network of the simulated world. Part of SimWorld; knows which party a node of the manager is.
#pragma once

#include "scenarios/engine/network_faults.hpp"

namespace drover::scenario {

class SimWorld;

class WorldNetwork final : public NetworkFaults {
 public:
  WorldNetwork(SimWorld& world, sim::NetworkConfig config);

  sim::Network& links() { return links_; }

 private:
  Names living() const override;
  Found find(const std::string& target) const override;
  std::string master_vm() const override;
  std::uint64_t add(sim::LinkRule rule) override { return links_.add(std::move(rule)); }
  void remove(std::uint64_t number) override { links_.remove(number); }
  void remove_all() override { links_.heal(); }
  Result<void> break_connections(const Names& parties, Duration time) override;

  SimWorld& world_;
  sim::Network links_;
};

}  // namespace drover::scenario
