// An IPv4 packet as the switch between real machines reads it (packet_switch.hpp), and the one that ends a
// connection. Pure.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace drover::scenario {

struct Packet {
  std::uint32_t from = 0, to = 0;  // addresses; all numbers as this machine has them
  bool is_tcp = false;             // a first fragment or a whole one; what follows only then
  std::uint16_t from_port = 0, to_port = 0;
  std::uint32_t sequence = 0, acknowledged = 0;
  bool opens = false;   // the first of a connection: SYN without ACK
  bool resets = false;  // RST
};
// Nothing for what is no IPv4 packet or a damaged one.
std::optional<Packet> parse_packet(std::string_view bytes);

// A connection, or what has no ports between two addresses; one direction of it.
struct Flow {
  std::uint32_t from = 0, to = 0;
  std::uint16_t from_port = 0, to_port = 0;
  auto operator<=>(const Flow&) const = default;
  Flow reversed() const { return {to, from, to_port, from_port}; }
};
Flow flow_of(const Packet& packet);

// What a machine answers that knows nothing of the packet's connection: an RST that its sender believes.
std::string reset_for(const Packet& packet);

// "10.64.0.7" as a number and back. The text must be an address.
std::uint32_t to_address_number(const std::string& text);
std::string to_address_text(std::uint32_t number);

}  // namespace drover::scenario
