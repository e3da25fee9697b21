#include "scenarios/local/run_ground.hpp"

#include <thread>

#include "manager/system/private_disk.hpp"
#include "scenarios/engine/network_faults.hpp"

namespace drover::scenario {
namespace {

constexpr unsigned kPrefixBits = 16;
constexpr unsigned kNetwork = 10U << 24U | 64U << 16U;  // 10.64.0.0, of these networks alone
constexpr unsigned kHosts = 60'000;
constexpr unsigned kMtu = 9000;
constexpr std::uint64_t kDiskBytes = std::uint64_t{1} << 30U;  // in memory only as far as it is used

}  // namespace

std::string party_address(unsigned number) { return to_address_text(kNetwork + 1 + number % kHosts); }

Result<std::unique_ptr<RunGround>> RunGround::make(const GroundWanted& wanted, std::uint64_t seed) {
  std::unique_ptr<RunGround> ground(new RunGround(wanted));
  if (wanted.disks) {
    DROVER_TRY(system::keep_mounts_private());
  }
  if (!wanted.networks) return ground;
  ground->links_ = std::make_unique<PacketSwitch>(seed);
  DROVER_TRY(ground->add_party(std::string(kManagerParty)));
  DROVER_TRY(system::move_to_network(ground->network_of(std::string(kManagerParty))));
  DROVER_TRY(ground->add_party(std::string(kClientsParty)));
  return ground;
}

RunGround::~RunGround() = default;

Result<std::string> RunGround::add_party(const std::string& party) {
  DROVER_TRY(auto network, system::NetworkSpace::make());
  const std::string address = party_address(parties_++);
  DROVER_TRY(auto device, network.plug(address, kPrefixBits, kMtu));
  links_->plug(party, to_address_number(address), std::move(device));
  networks_.insert_or_assign(party, std::move(network));
  return address;
}

Result<std::string> RunGround::settle(const std::string& vm, const std::string& folder) {
  if (has_.disks) {
    DROVER_TRY(system::mount_disk(folder, kDiskBytes));
  }
  if (!has_.networks) return std::string();
  auto address = add_party(vm);
  if (address.has_error()) leave(vm, folder);
  return address;
}

int RunGround::network_of(const std::string& vm) const {
  const auto found = networks_.find(vm);
  return found == networks_.end() ? -1 : found->second.descriptor();
}

int RunGround::clients_network() const { return network_of(std::string(kClientsParty)); }

void RunGround::leave(const std::string& vm, const std::string& folder) {
  if (links_) links_->unplug(vm);
  networks_.erase(vm);
  if (has_.disks) system::unmount_disk(folder);
}

Result<void> RunGround::fill_disk(const std::string& folder) const {
  if (!has_.disks) return make_error(ErrorCode::not_found, "the VM has no disk of its own");
  return system::fill_disk(folder);
}

Result<void> RunGround::free_disk(const std::string& folder) const {
  if (!has_.disks) return make_error(ErrorCode::not_found, "the VM has no disk of its own");
  return system::free_disk(folder, kDiskBytes);
}

std::string why_no_ground(const GroundWanted& wanted, const std::string& folder) {
  std::string why;
  std::thread([&] {
    auto ground = RunGround::make(wanted, 0);
    if (ground.has_error()) {
      why = ground.error().message;
      return;
    }
    if (auto settled = ground.value()->settle("vm-1", folder); settled.has_error())
      why = settled.error().message;
    ground.value()->leave("vm-1", folder);
  }).join();
  return why;
}

}  // namespace drover::scenario
