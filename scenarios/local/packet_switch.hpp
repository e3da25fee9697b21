// The network between the real machines of a run: a thread that takes IP packets from the device of each
// party (NetworkSpace::plug) and gives them to that of the party they are for — or does not, or later, as the
// rules in force say. Their senders notice nothing but silence.
//
// All functions from any thread; what they change is in force for every packet read after they return.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "manager/system/child_process.hpp"
#include "scenarios/local/packet.hpp"
#include "scenarios/local/packet_fate.hpp"

namespace drover::scenario {

class PacketSwitch {
 public:
  explicit PacketSwitch(std::uint64_t seed);
  ~PacketSwitch();
  PacketSwitch(const PacketSwitch&) = delete;
  PacketSwitch& operator=(const PacketSwitch&) = delete;

  // The party is at the device, which gives one packet a read without waiting. Names and addresses are used
  // once at a time.
  void plug(const std::string& party, std::uint32_t address, system::Descriptor device);
  void unplug(const std::string& party);  // unknown ones are ignored
  // In place of those before. What was held and is not any more goes on, in its order.
  void set_rules(std::vector<sim::LinkRule> rules);
  // Nothing arrives any more of connections that the party has now; new ones work.
  void forget_connections(const std::string& party);
  // From now on whoever uses a forgotten one is told so (RST).
  void deny_forgotten(const std::string& party);

  // Packets that have been given to `to`.
  std::uint64_t delivered(const std::string& from, const std::string& to) const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Port {
    std::string party;
    std::uint32_t address = 0;
    system::Descriptor device;
  };
  struct Sent {
    std::uint32_t from = 0, to = 0;  // addresses
    std::string bytes;
  };
  // Of a party whose connections were forgotten.
  struct Forgotten {
    bool denied = false;
    std::set<Flow> fresh;  // opened since, both directions
  };

  void work();
  void read_from(std::uint64_t number);
  void forward(Port& from, std::string_view bytes);
  // Whether the packet belongs to a connection that is gone.
  bool is_forgotten(const Packet& packet, const Port& from, const Port& to);
  void send_late(const Packet& packet, Duration late, std::string_view bytes);
  void send_held();
  void send_due();
  void deliver(std::uint32_t from, std::uint32_t to, std::string_view bytes);
  Port* at(std::uint32_t address);
  int milliseconds_to_wait() const;
  void wake() const;

  mutable std::mutex mutex_;
  const system::Descriptor poll_;
  const system::Descriptor waker_;
  bool ending_ = false;
  std::uint64_t last_port_ = 0;
  std::map<std::uint64_t, Port> ports_;  // by the number that the poll knows them by
  std::map<std::uint32_t, std::uint64_t> by_address_;
  std::vector<sim::LinkRule> rules_;
  Draws draws_;
  std::multimap<Clock::time_point, Sent> late_;
  std::map<Flow, Clock::time_point> last_due_;  // what one connection carries keeps its order
  std::vector<Sent> held_;
  std::size_t kept_bytes_ = 0;  // late and held
  std::map<std::string, Forgotten> forgotten_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> delivered_;
  std::vector<char> piece_;
  std::thread thread_;  // last: everything else is there when it begins
};

}  // namespace drover::scenario
