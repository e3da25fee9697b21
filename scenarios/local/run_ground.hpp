// Where the VMs of one run are when its scenario harms networks or disks: every party (VM, manager, clients)
// in a network of its own with the switch between them, and every VM's folder on a small disk of its own.
// Networks have no names and disks are seen by this run's threads and processes only: when those end,
// however they end, there is nothing left. Made on the run's thread, before it has started another one.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "manager/adapters/local_cloud.hpp"
#include "manager/system/network_space.hpp"
#include "scenarios/local/packet_switch.hpp"

namespace drover::scenario {

struct GroundWanted {
  bool networks = false;
  bool disks = false;
  bool any() const { return networks || disks; }
};

// The address of a run's party by its number, from 0: manager, clients, and VMs in the order of their
// creation; after 60,000 the first ones again.
std::string party_address(unsigned number);

class RunGround final : public LocalGround {
 public:
  // Moves this thread into the manager's network, and its view of the disks away from that of others; both
  // for good. Errors: unavailable, with what is missing.
  static Result<std::unique_ptr<RunGround>> make(const GroundWanted& wanted, std::uint64_t seed);
  ~RunGround() override;

  Result<std::string> settle(const std::string& vm, const std::string& folder) override;
  int network_of(const std::string& vm) const override;
  void leave(const std::string& vm, const std::string& folder) override;

  const GroundWanted& has() const { return has_; }
  // Null without networks.
  PacketSwitch* links() { return links_.get(); }
  int clients_network() const;  // -1 without networks
  // Errors: not_found without disks, unavailable.
  Result<void> fill_disk(const std::string& folder) const;
  Result<void> free_disk(const std::string& folder) const;

 private:
  explicit RunGround(const GroundWanted& wanted) : has_(wanted) {}
  Result<std::string> add_party(const std::string& party);

  const GroundWanted has_;
  std::unique_ptr<PacketSwitch> links_;
  std::map<std::string, system::NetworkSpace> networks_;
  unsigned parties_ = 0;
};

// Why this process cannot make such a ground, and what would help; "" when it can. Tries it, at `folder`, on
// a thread of its own.
std::string why_no_ground(const GroundWanted& wanted, const std::string& folder);

}  // namespace drover::scenario
