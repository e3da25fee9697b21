// Networks and disks of a run's own, with sockets of this process in the place of VMs. Skipped where this
// process may not make them.
#include "scenarios/local/run_ground.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "manager/system/net_stream.hpp"
#include "tests/support/drover_process.hpp"

namespace drover::scenario {
namespace {

using testing::IsEmpty;
using testing::Not;

constexpr std::uint16_t kPort = 3306;

TEST(PartyAddresses, AreAllDifferentAndOfOneNetwork) {
  EXPECT_EQ(party_address(0), "10.64.0.1");
  EXPECT_EQ(party_address(299), "10.64.1.44");
  EXPECT_EQ(party_address(60'000), party_address(0));
}

// Each test on a thread of its own: what it enters, it does not leave.
class Ground : public testing::Test {
 protected:
  void on_ground(const GroundWanted& wanted, const std::function<void(RunGround&)>& test) {
    const std::string folder = scratch_.path("vm");
    std::filesystem::create_directory(folder);
    if (const auto why = why_no_ground(wanted, folder); !why.empty()) GTEST_SKIP() << why;
    std::thread([&] {
      auto made = RunGround::make(wanted, 1);
      ASSERT_TRUE(made.has_value()) << made.error().message;
      test(*made.value());
    }).join();
  }
  static system::Descriptor listen_at(RunGround& ground, const std::string& vm, const std::string& address) {
    const system::InsideNetwork inside(ground.network_of(vm));
    auto listening = system::listen_on(address, kPort);
    EXPECT_TRUE(listening.has_value());
    return listening.has_value() ? std::move(listening).value() : system::Descriptor();
  }
  static bool reaches(int network, const std::string& address, Duration patience = 3s) {
    const system::InsideNetwork inside(network);
    return inside.entered() && system::connect_to(address, kPort, patience).has_value();
  }
  static std::vector<std::string> mounts() {
    std::vector<std::string> lines;
    std::ifstream file("/proc/self/mountinfo");
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }

  testing_support::ScratchFolder scratch_;
};

TEST_F(Ground, EverybodyReachesEverybodyUntilALinkIsCut) {
  on_ground({.networks = true, .disks = false}, [this](RunGround& ground) {
    const std::string at = ground.settle("vm-1", scratch_.path("vm")).value();
    ASSERT_TRUE(ground.settle("vm-2", scratch_.path("vm")).has_value());
    const auto listening = listen_at(ground, "vm-1", at);
    EXPECT_TRUE(reaches(-1, at)) << "from the manager";
    EXPECT_TRUE(reaches(ground.clients_network(), at));
    EXPECT_TRUE(reaches(ground.network_of("vm-2"), at));
    sim::LinkRule rule;
    rule.from = {{"vm-1"}, false};
    rule.to = {{"vm-2"}, false};
    ground.links()->set_rules({rule});
    const auto before = ground.links()->delivered("vm-2", "vm-1");
    EXPECT_FALSE(reaches(ground.network_of("vm-2"), at, 300ms));
    EXPECT_EQ(ground.links()->delivered("vm-2", "vm-1"), before);
    EXPECT_TRUE(reaches(-1, at));
    ground.links()->set_rules({});
    EXPECT_TRUE(reaches(ground.network_of("vm-2"), at));
  });
}

TEST_F(Ground, ALeftAddressIsNobodys) {
  on_ground({.networks = true, .disks = false}, [this](RunGround& ground) {
    const std::string at = ground.settle("vm-1", scratch_.path("vm")).value();
    const auto listening = listen_at(ground, "vm-1", at);
    ground.leave("vm-1", scratch_.path("vm"));
    EXPECT_EQ(ground.network_of("vm-1"), -1);
    EXPECT_FALSE(reaches(-1, at, 300ms));
  });
}

TEST_F(Ground, ADiskIsFullUntilItIsFreedAndNobodyElseSeesIt) {
  const auto before = mounts();
  on_ground({.networks = false, .disks = true}, [&](RunGround& ground) {
    const std::string folder = scratch_.path("vm");
    ASSERT_TRUE(ground.settle("vm-1", folder).has_value());
    const auto write = [&](const std::string& name) {
      std::ofstream file(folder + "/" + name);
      file << std::string(100'000, 'x') << std::flush;
      return file.good();
    };
    EXPECT_TRUE(write("before"));
    ASSERT_TRUE(ground.fill_disk(folder).has_value());
    EXPECT_FALSE(write("while"));
    ASSERT_TRUE(ground.free_disk(folder).has_value());
    EXPECT_TRUE(write("after"));
    std::thread([&] { EXPECT_THAT(system::tail_of_file(folder + "/after", 1), Not(IsEmpty())); }).join();
  });
  EXPECT_EQ(mounts(), before);
  EXPECT_FALSE(std::filesystem::exists(scratch_.path("vm") + "/after"));
}

}  // namespace
}  // namespace drover::scenario
