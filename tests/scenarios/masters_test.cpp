// A master that could take writes and does not, made so behind everybody's back.
#include <gmock/gmock.h>

#include "tests/scenarios/oracle_text.hpp"

namespace drover::scenario {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Not;

constexpr const char* kClosed = "L2 master left closed";
constexpr const char* kDown = "L2 master left down";

void close_for_good(SimWorld& world) {
  const std::string master = id_of(world, "node-1");
  world.fleet().stick_read_only(master, true);
  world.fleet().crash_server(master, 1s);
}

TEST(Masters, OneThatStaysClosedIsReported) {
  EXPECT_THAT(fingerprints_of(at(kLater, close_for_good)), AllOf(Contains(kClosed), Not(Contains(kDown))));
}

TEST(Masters, OneWhoseServerStaysDownIsReported) {
  EXPECT_THAT(fingerprints_of(at(kLater,
                                 [](SimWorld& world) {
                                   const std::string master = id_of(world, "node-1");
                                   world.fleet().pretend_commands(master, 1000);
                                   world.fleet().crash_server(master);
                                 })),
              AllOf(Contains(kDown), Not(Contains(kClosed))));
}

TEST(Masters, OneThatIsDeadAndNotReplacedIsReported) {
  const auto die = [](SimWorld& world) { world.fleet().instance_stopped(id_of(world, "node-1")); };
  const auto unseen = [&](SimWorld& world) {
    const_cast<ops::Configuration&>(core(world).config).failover.watch = 1000h;
    world.scheduler().call_at(world.domain(), world.scheduler().later(10s), [&world, die] { die(world); });
  };
  std::string text = pair_text();
  text.replace(text.find("steps:"), 0, "manager: {failover: {automatic: yes}}\n");
  EXPECT_THAT(fingerprints_of(at(kLater, unseen), text), Contains("L2 master left dead"));
  EXPECT_THAT(fingerprints_of(at(kLater, die), text), Not(Contains("L2 master left dead")));
}

TEST(Masters, OneThatIsOpenedAgainIsNot) {
  EXPECT_THAT(fingerprints_of(at(
                  kLater, [](SimWorld& world) { world.fleet().crash_server(id_of(world, "node-1"), 1s); })),
              Not(Contains(kClosed)));
}

TEST(Masters, WhileAMemberCannotBeHeardItMayBeWaitedFor) {
  EXPECT_THAT(fingerprints_of(at(kLater,
                                 [](SimWorld& world) {
                                   close_for_good(world);
                                   world.fleet().crash_agent(id_of(world, "node-2"), std::nullopt);
                                 })),
              Not(Contains(kClosed)));
}

}  // namespace
}  // namespace drover::scenario
