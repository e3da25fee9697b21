#include "scenarios/local/packet.hpp"

#include <arpa/inet.h>

#include "manager/base/check.hpp"

namespace drover::scenario {
namespace {

// RFC 791 and RFC 9293.
constexpr std::size_t kIpHead = 20, kTcpHead = 20;
constexpr unsigned kTcp = 6;
constexpr unsigned kSyn = 2, kRst = 4, kAck = 16;
constexpr unsigned kOffsetOfFragment = 0x1fff;
constexpr unsigned char kHops = 64;

unsigned octet(std::string_view bytes, std::size_t at) { return static_cast<unsigned char>(bytes[at]); }
std::uint16_t two(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(octet(bytes, at) << 8U | octet(bytes, at + 1));
}
std::uint32_t four(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint32_t>(two(bytes, at)) << 16U | two(bytes, at + 2);
}

void put_two(std::string& bytes, std::size_t at, std::uint32_t value) {
  bytes[at] = static_cast<char>(value >> 8U & 0xffU);
  bytes[at + 1] = static_cast<char>(value & 0xffU);
}
void put_four(std::string& bytes, std::size_t at, std::uint32_t value) {
  put_two(bytes, at, value >> 16U);
  put_two(bytes, at + 2, value & 0xffffU);
}

// The Internet checksum of an even number of bytes, on top of `sum`.
std::uint16_t checksum(std::string_view bytes, std::uint32_t sum) {
  for (std::size_t at = 0; at + 1 < bytes.size(); at += 2) sum += two(bytes, at);
  while (sum > 0xffffU) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace

std::optional<Packet> parse_packet(std::string_view bytes) {
  if (bytes.size() < kIpHead || octet(bytes, 0) >> 4U != 4) return std::nullopt;
  const std::size_t head = (octet(bytes, 0) & 15U) * 4U;
  if (head < kIpHead || head > bytes.size() || two(bytes, 2) > bytes.size()) return std::nullopt;
  Packet packet;
  packet.from = four(bytes, 12);
  packet.to = four(bytes, 16);
  const bool is_later_fragment = (two(bytes, 6) & kOffsetOfFragment) != 0;
  if (octet(bytes, 9) != kTcp || is_later_fragment || bytes.size() < head + kTcpHead) return packet;
  const std::string_view tcp = bytes.substr(head);
  packet.is_tcp = true;
  packet.from_port = two(tcp, 0);
  packet.to_port = two(tcp, 2);
  packet.sequence = four(tcp, 4);
  packet.acknowledged = four(tcp, 8);
  const unsigned flags = octet(tcp, 13);
  packet.opens = (flags & (kSyn | kAck)) == kSyn;
  packet.resets = (flags & kRst) != 0;
  return packet;
}

Flow flow_of(const Packet& packet) { return {packet.from, packet.to, packet.from_port, packet.to_port}; }

std::string reset_for(const Packet& packet) {
  std::string ip(kIpHead, '\0'), tcp(kTcpHead, '\0');
  ip[0] = 0x45;
  put_two(ip, 2, kIpHead + kTcpHead);
  ip[8] = static_cast<char>(kHops);
  ip[9] = static_cast<char>(kTcp);
  put_four(ip, 12, packet.to);
  put_four(ip, 16, packet.from);
  put_two(ip, 10, checksum(ip, 0));
  put_two(tcp, 0, packet.to_port);
  put_two(tcp, 2, packet.from_port);
  put_four(tcp, 4, packet.acknowledged);
  tcp[12] = static_cast<char>(kTcpHead / 4 << 4U);
  tcp[13] = static_cast<char>(kRst);
  const std::string_view addresses = std::string_view(ip).substr(12);
  std::uint32_t pseudo = kTcp + kTcpHead;
  for (std::size_t at = 0; at < addresses.size(); at += 2) pseudo += two(addresses, at);
  put_two(tcp, 16, checksum(tcp, pseudo));
  return ip + tcp;
}

std::uint32_t to_address_number(const std::string& text) {
  in_addr number{};
  DROVER_CHECK(::inet_pton(AF_INET, text.c_str(), &number) == 1, "no address");
  return ntohl(number.s_addr);
}

std::string to_address_text(std::uint32_t number) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8)
    text += (text.empty() ? "" : ".") + std::to_string(number >> static_cast<unsigned>(shift) & 0xffU);
  return text;
}

}  // namespace drover::scenario
