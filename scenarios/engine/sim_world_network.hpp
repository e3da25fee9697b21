// The network of the simulated world, and what the fault engine's net.* actions and `do:` steps can do to it.
// Part of SimWorld; knows which party a node of the manager is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mockcloud/fault/engine.hpp"
#include "mockcloud/sim/network.hpp"

namespace drover::scenario {

class SimWorld;

class WorldNetwork {
 public:
  WorldNetwork(SimWorld& world, sim::NetworkConfig config);

  sim::Network& links() { return links_; }
  // Errors: not_found when there is no such node, or too few for what is asked; nothing was done then.
  Result<void> act(const fault::Action& action);
  // Everything is as before, for good.
  void heal();
  // Whether anything was ever done to the network.
  bool disturbed() const { return disturbed_; }

 private:
  using Names = std::vector<std::string>;

  Names nodes() const;  // of the machines that live, oldest first
  Result<Names> named(std::string_view text) const;
  Result<Names> target_of(const fault::Action& action);
  Names shuffled(Names names, std::string_view site);
  sim::LinkRule between(Names from, const std::string& peers) const;
  void disturb(sim::LinkRule rule, Duration time);

  Result<void> cut_sides(const fault::Action& action);
  Result<void> cut_minority(Duration time);
  void cut_halves(Duration time);
  Result<void> cut_ring(Duration time);
  Result<void> swizzle(Duration time);
  void flap(const sim::LinkRule& rule, const fault::Arguments& arguments);
  void flap_down(const sim::LinkRule& rule, const Distribution& down, const Distribution& up, TimePoint end);
  Result<void> half_open(const fault::Action& action);
  Result<void> disturb_target(const fault::Action& action);
  // Later, unless everything was healed before. Time may be kNeverHappens: not at all.
  template <class Act>
  void later(Duration time, Act act);

  SimWorld& world_;
  sim::Network links_;
  std::string key_;  // of the action being carried out: keys its random decisions
  bool disturbed_ = false;
  std::uint64_t heals_ = 0;
};

}  // namespace drover::scenario
