// What the net.* actions of the fault catalogue mean, whatever world they are made in: who is on which side,
// and what becomes of the links between them, for how long. Where links are and who lives is for whoever
// derives from this: the simulation (sim_world_network.hpp) or real machines (scenarios/local).
// Scheduler's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mockcloud/fault/engine.hpp"
#include "mockcloud/node/links.hpp"
#include "mockcloud/sim/network.hpp"
#include "scenarios/engine/world.hpp"

namespace drover::scenario {

// The parties that are no machines, as links and faults name them.
inline constexpr std::string_view kManagerParty = node::kManager;
inline constexpr std::string_view kClientsParty = node::kClients;

class NetworkFaults {
 public:
  virtual ~NetworkFaults() = default;
  NetworkFaults(const NetworkFaults&) = delete;
  NetworkFaults& operator=(const NetworkFaults&) = delete;

  // Errors: not_found when there is no such node, or too few for what is asked; nothing was done then.
  Result<void> act(const fault::Action& action);
  // Everything is as before, for good.
  void heal();
  // Whether anything was ever done to the network.
  bool disturbed() const { return disturbed_; }

 protected:
  using Names = std::vector<std::string>;
  // What a name stands for: a machine that lives, under the name that links know it by; one that is gone; or
  // nothing that was ever heard of.
  struct Found {
    bool is_known = false;
    std::optional<std::string> party;
  };

  explicit NetworkFaults(World& world) : world_(world) {}

  virtual Names living() const = 0;                         // parties of the machines that live, oldest first
  virtual Found find(const std::string& target) const = 0;  // "node-2", "vm-3"
  virtual std::string master_vm() const = 0;                // "" without one
  virtual std::uint64_t add(sim::LinkRule rule) = 0;
  virtual void remove(std::uint64_t number) = 0;  // unknown numbers are ignored
  virtual void remove_all() = 0;
  // Their connections are gone and nobody knows, until `time` is over. Errors: not_found.
  virtual Result<void> break_connections(const Names& parties, Duration time) = 0;

  // Later, unless everything was healed before. Time may be kNeverHappens: not at all.
  template <class Act>
  void later(Duration time, Act act) {
    if (time == fault::kNeverHappens) return;
    world_.scheduler().call_after(world_.domain(), time, [this, act = std::move(act), heals = heals_] {
      if (heals == heals_) act();
    });
  }

 private:
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
  Result<void> disturb_target(const fault::Action& action);

  World& world_;
  std::string key_;  // of the action being carried out: keys its random decisions
  bool disturbed_ = false;
  std::uint64_t heals_ = 0;
};

}  // namespace drover::scenario
