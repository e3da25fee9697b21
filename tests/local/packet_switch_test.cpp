// The switch between devices that are pairs of sockets: no network, no rights.
#include "scenarios/local/packet_switch.hpp"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace drover::scenario {
namespace {

using sim::Effect;
using sim::LinkRule;
using sim::Parties;

constexpr unsigned char kSyn = 2, kAck = 16;

class Switch : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"a", "b", "c"}) {
      int ends[2];
      ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
      devices_.emplace(name, system::Descriptor(ends[0]));
      links_.plug(name, address(name), system::Descriptor(ends[1]));
    }
  }

  static std::uint32_t address(const std::string& name) {
    return to_address_number("10.64.0.1") + static_cast<std::uint32_t>(name[0] - 'a');
  }
  void send(const std::string& from, const std::string& to, char mark, unsigned char flags = kAck,
            unsigned char port = 1) {
    Packet packet;
    packet.from = address(to);  // reset_for() turns it round
    packet.to = address(from);
    packet.from_port = packet.to_port = port;
    std::string bytes = reset_for(packet);
    bytes[33] = static_cast<char>(flags);
    bytes[27] = mark;  // in the sequence number
    ASSERT_GT(::write(devices_.at(from).get(), bytes.data(), bytes.size()), 0);
  }
  // The marks of what arrives, until `count` did or for a while.
  std::string arrived(const std::string& at, std::size_t count, int patience_ms = 2000) {
    std::string marks;
    char bytes[100];
    while (marks.size() < count) {
      pollfd look{devices_.at(at).get(), POLLIN, 0};
      if (::poll(&look, 1, patience_ms) <= 0) break;
      if (::read(devices_.at(at).get(), bytes, sizeof bytes) < 40) break;
      last_flags_ = static_cast<unsigned char>(bytes[33]);
      marks += bytes[27];
    }
    return marks;
  }
  std::string nothing_more(const std::string& at) { return arrived(at, 1, 100); }
  static LinkRule rule(const std::string& from, const std::string& to, Effect effect = Effect::cut) {
    LinkRule made;
    made.from = Parties{{from}, false};
    made.to = Parties{{to}, false};
    made.effect = effect;
    return made;
  }

  PacketSwitch links_{1};
  std::map<std::string, system::Descriptor> devices_;
  unsigned last_flags_ = 0;
};

TEST_F(Switch, GivesPacketsToWhomTheyAreFor) {
  send("a", "b", '1');
  send("a", "c", '2');
  EXPECT_EQ(arrived("b", 1), "1");
  EXPECT_EQ(arrived("c", 1), "2");
  EXPECT_EQ(nothing_more("a"), "");
  EXPECT_EQ(links_.delivered("a", "b"), 1);
  EXPECT_EQ(links_.delivered("b", "a"), 0);
}

TEST_F(Switch, IsSilentWhereALinkIsCutAndGoesOnAfterwards) {
  links_.set_rules({rule("a", "b")});
  send("a", "b", '1');
  send("b", "a", '2');
  send("c", "b", '3');
  EXPECT_EQ(arrived("b", 1), "3");
  EXPECT_EQ(nothing_more("a"), "");
  EXPECT_EQ(nothing_more("b"), "") << "what was cut is lost for good";
  links_.set_rules({});
  send("a", "b", '4');
  EXPECT_EQ(arrived("b", 1), "4");
  EXPECT_EQ(links_.delivered("a", "b"), 1);
}

TEST_F(Switch, HoldsPacketsBackAndDeliversThemTogetherInTheirOrder) {
  LinkRule hold = rule("a", "b", Effect::hold);
  hold.until = TimePoint{} + 1h;
  links_.set_rules({hold});
  for (const char mark : {'1', '2', '3'}) send("a", "b", mark);
  EXPECT_EQ(nothing_more("b"), "");
  links_.set_rules({});
  EXPECT_EQ(arrived("b", 3), "123");
}

TEST_F(Switch, KeepsTheOrderOfAConnectionThatIsLate) {
  LinkRule late = rule("a", "b", Effect::reorder);
  late.by = Distribution::uniform(0s, 100ms);
  links_.set_rules({late});
  for (char mark = 'a'; mark <= 'z'; ++mark) send("a", "b", mark);
  EXPECT_EQ(arrived("b", 26), "abcdefghijklmnopqrstuvwxyz");
}

TEST_F(Switch, HasNothingForWhoWasUnplugged) {
  links_.unplug("b");
  send("a", "b", '1');
  send("a", "c", '2');
  EXPECT_EQ(arrived("c", 1), "2");
  EXPECT_EQ(links_.delivered("a", "b"), 0);
}

TEST_F(Switch, ForgetsConnectionsAndLetsNewOnesThrough) {
  links_.forget_connections("b");
  send("a", "b", '1');
  send("b", "a", '2');
  EXPECT_EQ(nothing_more("a") + nothing_more("b"), "");
  send("a", "b", '3', kSyn, 9);
  send("a", "b", '4', kAck, 9);
  EXPECT_EQ(arrived("b", 2), "34");
  send("b", "a", '5', kAck, 9);
  EXPECT_EQ(arrived("a", 1), "5");
  links_.deny_forgotten("b");
  send("a", "b", '6');
  EXPECT_EQ(arrived("a", 1).size(), 1);
  EXPECT_EQ(last_flags_, 4U) << "an RST";
  EXPECT_EQ(nothing_more("b"), "");
}

}  // namespace
}  // namespace drover::scenario
