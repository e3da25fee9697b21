// Packets as the switch reads them.
#include "scenarios/local/packet.hpp"

#include <gmock/gmock.h>

namespace drover::scenario {
namespace {

const std::uint32_t kHere = to_address_number("10.64.0.3"), kThere = to_address_number("10.64.0.4");

// A TCP packet from kHere:4000 to kThere:3306 with these flags.
std::string tcp_packet(unsigned char flags) {
  std::string bytes(40, '\0');
  bytes[0] = 0x45;
  bytes[3] = 40;
  bytes[9] = 6;
  const auto put = [&bytes](std::size_t at, std::uint32_t value) {
    for (int i = 3; i >= 0; --i) {
      bytes[at + static_cast<std::size_t>(i)] = static_cast<char>(value & 0xffU);
      value >>= 8U;
    }
  };
  put(12, kHere);
  put(16, kThere);
  put(20, 4000U << 16U | 3306U);
  put(24, 1000);
  put(28, 0x01020304);
  bytes[32] = 0x50;
  bytes[33] = static_cast<char>(flags);
  return bytes;
}

// The Internet checksum over everything, its own field included, is 0.
unsigned sum_of(std::string_view bytes, unsigned sum = 0) {
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
    sum += static_cast<unsigned char>(bytes[i]) * 256U + static_cast<unsigned char>(bytes[i + 1]);
  while (sum > 0xffffU) sum = (sum & 0xffffU) + (sum >> 16U);
  return sum;
}

TEST(Packets, SayFromWhomToWhomTheyAre) {
  const auto packet = parse_packet(tcp_packet(0x10));
  ASSERT_TRUE(packet);
  EXPECT_EQ(to_address_text(packet->from), "10.64.0.3");
  EXPECT_EQ(to_address_text(packet->to), "10.64.0.4");
  EXPECT_TRUE(packet->is_tcp);
  EXPECT_EQ(packet->from_port, 4000);
  EXPECT_EQ(packet->to_port, 3306);
  EXPECT_EQ(packet->acknowledged, 0x01020304U);
}

TEST(Packets, OpenAConnectionWithSynAlone) {
  EXPECT_TRUE(parse_packet(tcp_packet(0x02))->opens);
  EXPECT_FALSE(parse_packet(tcp_packet(0x12))->opens);
  EXPECT_FALSE(parse_packet(tcp_packet(0x10))->opens);
  EXPECT_TRUE(parse_packet(tcp_packet(0x14))->resets);
}

TEST(Packets, AreNothingWhereTheyAreDamagedOrOfAnotherKind) {
  std::string six = tcp_packet(0x10);
  six[0] = 0x60;
  EXPECT_FALSE(parse_packet(six));
  EXPECT_FALSE(parse_packet(std::string(19, '\x45')));
  EXPECT_FALSE(parse_packet(""));
  std::string longer = tcp_packet(0x10);
  longer[3] = 41;
  EXPECT_FALSE(parse_packet(longer));
}

TEST(Packets, HaveNoPortsWhereTheyAreALaterFragment) {
  std::string fragment = tcp_packet(0x10);
  fragment[7] = 9;
  EXPECT_FALSE(parse_packet(fragment)->is_tcp);
}

TEST(Packets, AreAnsweredWithAResetThatTheirSenderBelieves) {
  const std::string bytes = reset_for(*parse_packet(tcp_packet(0x10)));
  const auto reset = parse_packet(bytes);
  ASSERT_TRUE(reset);
  EXPECT_TRUE(reset->resets);
  EXPECT_EQ(flow_of(*reset), flow_of(*parse_packet(tcp_packet(0x10))).reversed());
  EXPECT_EQ(reset->sequence, 0x01020304U) << "the number that the sender waits for";
  EXPECT_EQ(sum_of(bytes.substr(0, 20)), 0xffffU);
  EXPECT_EQ(sum_of(bytes.substr(20), sum_of(bytes.substr(12, 8), 6 + 20)), 0xffffU);
}

}  // namespace
}  // namespace drover::scenario
