#include "manager/system/network_space.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <thread>

#include "manager/base/check.hpp"

namespace drover::system {
namespace {

constexpr const char* kHere = "/proc/thread-self/ns/net";
constexpr const char* kTun = "/dev/net/tun";
constexpr const char* kDevice = "node0";

Error missing(const std::string& what, int number) {
  std::string text = what + ": " + std::strerror(number);
  if (number == EPERM || number == EACCES)
    text += "; it takes root, or the root of a user namespace: unshare --map-root-user drover …";
  return make_error(ErrorCode::unavailable, std::move(text));
}

Descriptor here() { return Descriptor(::open(kHere, O_RDONLY | O_CLOEXEC)); }

ifreq request_for(const char* device) {
  ifreq request{};
  std::strncpy(request.ifr_name, device, IFNAMSIZ - 1);
  return request;
}

sockaddr to_sockaddr(in_addr address) {
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_addr = address;
  sockaddr plain{};
  std::memcpy(&plain, &place, sizeof plain);
  return plain;
}

bool bring_up(int control, const char* device) {
  ifreq request = request_for(device);
  if (::ioctl(control, SIOCGIFFLAGS, &request) != 0) return false;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  return ::ioctl(control, SIOCSIFFLAGS, &request) == 0;
}

bool configure(int control, in_addr address, unsigned prefix_bits, unsigned mtu) {
  ifreq request = request_for(kDevice);
  request.ifr_addr = to_sockaddr(address);
  if (::ioctl(control, SIOCSIFADDR, &request) != 0) return false;
  request = request_for(kDevice);
  request.ifr_netmask = to_sockaddr({htonl(~std::uint32_t{0} << (32U - prefix_bits))});
  if (::ioctl(control, SIOCSIFNETMASK, &request) != 0) return false;
  request = request_for(kDevice);
  request.ifr_mtu = static_cast<int>(mtu);
  return ::ioctl(control, SIOCSIFMTU, &request) == 0 && bring_up(control, kDevice);
}

Result<Descriptor> make_device(in_addr address, unsigned prefix_bits, unsigned mtu) {
  Descriptor device(::open(kTun, O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!device.is_open())
    return missing(
        std::string(kTun) + " cannot be used (modprobe tun; for a container: --device /dev/net/tun)", errno);
  ifreq request = request_for(kDevice);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (::ioctl(device.get(), TUNSETIFF, &request) != 0) return missing("no network device", errno);
  const Descriptor control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!control.is_open() || !configure(control.get(), address, prefix_bits, mtu))
    return missing("the network device cannot be set up", errno);
  return device;
}

}  // namespace

// On a thread of its own: the root of a user namespace may leave the machine's network, and not go back.
Result<NetworkSpace> NetworkSpace::make() {
  Descriptor made;
  std::optional<Error> wrong;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) != 0) {
      wrong = missing("a network of its own cannot be made", errno);
      return;
    }
    made = here();
    const Descriptor control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!made.is_open() || !control.is_open() || !bring_up(control.get(), "lo"))
      wrong = missing("a network of its own cannot be set up", errno);
  }).join();
  if (wrong) return *std::move(wrong);
  return NetworkSpace(std::move(made));
}

Result<Descriptor> NetworkSpace::plug(const std::string& address, unsigned prefix_bits, unsigned mtu) const {
  in_addr number{};
  DROVER_CHECK(::inet_pton(AF_INET, address.c_str(), &number) == 1 && prefix_bits > 0 && prefix_bits < 32,
               "no address of a network");
  std::optional<Result<Descriptor>> made;
  std::thread([&] {
    const auto moved = move_to_network(descriptor());
    if (moved.has_error())
      made = moved.error();
    else
      made = make_device(number, prefix_bits, mtu);
  }).join();
  return *std::move(made);
}

InsideNetwork::InsideNetwork(int space) {
  if (space < 0) {
    entered_ = true;
    return;
  }
  before_ = here();
  entered_ = before_.is_open() && ::setns(space, CLONE_NEWNET) == 0;
}

InsideNetwork::~InsideNetwork() {
  if (!entered_ || !before_.is_open()) return;
  DROVER_CHECK(::setns(before_.get(), CLONE_NEWNET) == 0, "a thread cannot go back to its network");
}

Result<void> move_to_network(int space) {
  if (::setns(space, CLONE_NEWNET) != 0) return missing("a network cannot be entered", errno);
  return success();
}

}  // namespace drover::system
