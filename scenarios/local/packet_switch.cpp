#include "scenarios/local/packet_switch.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "manager/base/check.hpp"

namespace drover::scenario {
namespace {

constexpr std::uint64_t kWaker = 0;
constexpr std::size_t kPacketMax = 65536;
constexpr int kReadsAtOnce = 32;  // of one device, then the others have their turn
constexpr std::size_t kKeptBytesMax = std::size_t{64} << 20U;  // beyond, packets are lost as in any router

void watch(int poll, int descriptor, std::uint64_t number) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = number;
  DROVER_CHECK(::epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event) == 0, "a device cannot be watched");
}

}  // namespace

PacketSwitch::PacketSwitch(std::uint64_t seed)
    : poll_(::epoll_create1(EPOLL_CLOEXEC)),
      waker_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      draws_(seed),
      piece_(kPacketMax) {
  DROVER_CHECK(poll_.is_open() && waker_.is_open(), "no descriptors left");
  watch(poll_.get(), waker_.get(), kWaker);
  thread_ = std::thread([this] { work(); });
}

PacketSwitch::~PacketSwitch() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  wake();
  thread_.join();
}

void PacketSwitch::wake() const {
  const std::uint64_t one = 1;
  (void)!::write(waker_.get(), &one, sizeof one);
}

// --- who is there, and what is so ---

void PacketSwitch::plug(const std::string& party, std::uint32_t address, system::Descriptor device) {
  const std::scoped_lock lock(mutex_);
  DROVER_CHECK(!by_address_.contains(address), "an address is taken");
  const std::uint64_t number = ++last_port_;
  watch(poll_.get(), device.get(), number);
  ports_.emplace(number, Port{party, address, std::move(device)});
  by_address_[address] = number;
}

void PacketSwitch::unplug(const std::string& party) {
  const std::scoped_lock lock(mutex_);
  for (const auto& [number, port] : ports_) {
    if (port.party != party) continue;
    by_address_.erase(port.address);
    ports_.erase(number);  // the closed device is watched no more
    break;
  }
  forgotten_.erase(party);
}

void PacketSwitch::set_rules(std::vector<sim::LinkRule> rules) {
  const std::scoped_lock lock(mutex_);
  rules_ = std::move(rules);
  if (late_.empty()) last_due_.clear();
  send_held();
  wake();
}

void PacketSwitch::forget_connections(const std::string& party) {
  const std::scoped_lock lock(mutex_);
  forgotten_[party] = Forgotten();
}

void PacketSwitch::deny_forgotten(const std::string& party) {
  const std::scoped_lock lock(mutex_);
  if (const auto found = forgotten_.find(party); found != forgotten_.end()) found->second.denied = true;
}

std::uint64_t PacketSwitch::delivered(const std::string& from, const std::string& to) const {
  const std::scoped_lock lock(mutex_);
  const auto address = [this](const std::string& party) {
    const auto found =
        std::ranges::find_if(ports_, [&](const auto& entry) { return entry.second.party == party; });
    return found == ports_.end() ? 0U : found->second.address;
  };
  const auto found = delivered_.find({address(from), address(to)});
  return found == delivered_.end() ? 0 : found->second;
}

PacketSwitch::Port* PacketSwitch::at(std::uint32_t address) {
  const auto number = by_address_.find(address);
  return number == by_address_.end() ? nullptr : &ports_.at(number->second);
}

// --- the thread ---

void PacketSwitch::work() {
  std::array<epoll_event, 64> events{};
  while (true) {
    int wait = 0;
    {
      const std::scoped_lock lock(mutex_);
      if (ending_) return;
      wait = milliseconds_to_wait();
    }
    const int count = ::epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), wait);
    const std::scoped_lock lock(mutex_);
    for (int i = 0; i < count; ++i) {
      const std::uint64_t number = events[static_cast<std::size_t>(i)].data.u64;
      std::uint64_t ignored = 0;
      if (number == kWaker)
        (void)!::read(waker_.get(), &ignored, sizeof ignored);
      else
        read_from(number);
    }
    send_due();
  }
}

int PacketSwitch::milliseconds_to_wait() const {
  if (late_.empty()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(late_.begin()->first - Clock::now());
  return static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(left.count(), 0, 60'000));
}

void PacketSwitch::read_from(std::uint64_t number) {
  const auto port = ports_.find(number);
  if (port == ports_.end()) return;  // unplugged since
  for (int i = 0; i < kReadsAtOnce; ++i) {
    const ssize_t size = ::read(port->second.device.get(), piece_.data(), piece_.size());
    if (size <= 0) return;
    forward(port->second, std::string_view(piece_.data(), static_cast<std::size_t>(size)));
  }
}

void PacketSwitch::forward(Port& from, std::string_view bytes) {
  const auto packet = parse_packet(bytes);
  if (!packet || packet->from != from.address) return;  // IPv6 of a device that has just come up
  const Port* to = at(packet->to);
  if (to == nullptr) return;
  const Fate fate = fate_of(rules_, from.party, to->party, draws_);
  if (fate.kind == Fate::Kind::lost) return;
  if (is_forgotten(*packet, from, *to)) return;
  if (fate.kind == Fate::Kind::arrives && fate.late <= Duration{0})
    return deliver(packet->from, packet->to, bytes);
  if (kept_bytes_ + bytes.size() > kKeptBytesMax) return;
  if (fate.kind == Fate::Kind::arrives) return send_late(*packet, fate.late, bytes);
  kept_bytes_ += bytes.size();
  held_.push_back({packet->from, packet->to, std::string(bytes)});
}

bool PacketSwitch::is_forgotten(const Packet& packet, const Port& from, const Port& to) {
  if (!packet.is_tcp) return false;
  bool gone = false, denied = false;
  for (const Port* port : {&from, &to}) {
    const auto found = forgotten_.find(port->party);
    if (found == forgotten_.end()) continue;
    const Flow flow = flow_of(packet);
    if (packet.opens) found->second.fresh.insert({flow, flow.reversed()});
    if (found->second.fresh.contains(flow)) continue;
    gone = true;
    denied = denied || found->second.denied;
  }
  if (denied && !packet.resets) deliver(packet.to, packet.from, reset_for(packet));
  return gone;
}

void PacketSwitch::send_late(const Packet& packet, Duration late, std::string_view bytes) {
  auto& last = last_due_[flow_of(packet)];
  last = std::max(last, Clock::now() + std::chrono::duration_cast<Clock::duration>(late));
  kept_bytes_ += bytes.size();
  late_.emplace(last, Sent{packet.from, packet.to, std::string(bytes)});
}

void PacketSwitch::send_held() {
  for (auto& sent : std::exchange(held_, {})) {
    kept_bytes_ -= sent.bytes.size();
    if (Port* from = at(sent.from); from != nullptr) forward(*from, sent.bytes);
  }
}

void PacketSwitch::send_due() {
  const auto now = Clock::now();
  while (!late_.empty() && late_.begin()->first <= now) {
    const auto sent = late_.extract(late_.begin());
    kept_bytes_ -= sent.mapped().bytes.size();
    deliver(sent.mapped().from, sent.mapped().to, sent.mapped().bytes);
  }
}

// What a device does not take is lost, as in any network.
void PacketSwitch::deliver(std::uint32_t from, std::uint32_t to, std::string_view bytes) {
  Port* port = at(to);
  if (port == nullptr) return;
  if (::write(port->device.get(), bytes.data(), bytes.size()) > 0) ++delivered_[{from, to}];
}

}  // namespace drover::scenario
