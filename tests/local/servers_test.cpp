// Looking at the servers of a run past the manager: what is seen of one that runs and cannot be asked yet.
#include "scenarios/local/servers.hpp"

#include <gtest/gtest.h>

#include <future>

#include "manager/system/child_process.hpp"
#include "tests/support/drover_process.hpp"

namespace drover::scenario {
namespace {

using testing_support::eventually;
using testing_support::ScratchFolder;

// A process that is taken for the server of the folder "vm", and listens nowhere.
Result<system::Tool> start_what_does_not_listen(const ScratchFolder& scratch) {
  std::filesystem::create_directory(scratch.path("vm"));
  const std::string configuration = scratch.write("vm/mysqld.cnf", "");
  auto started = system::Tool::start({.arguments = {"tail", "-f", configuration}});
  (void)eventually([&] {
    for (const pid_t pid : system::processes_with(configuration))
      (void)scratch.write("vm/mysqld.pid", std::to_string(pid));
    return server_pid(scratch.path("vm")).has_value();
  });
  return started;
}

TEST(RealServers, AServerThatDoesNotListenYetIsSeenAsOneThatDoesNotAnswer) {
  const ScratchFolder scratch;
  const auto server = start_what_does_not_listen(scratch);
  ASSERT_TRUE(server.has_value()) << server.error().message;
  ASSERT_TRUE(server_pid(scratch.path("vm")).has_value());

  std::promise<Sight> seen;
  RealServers servers("root");
  SightWanted wanted;
  wanted.servers.push_back({.vm = "i-1", .folder = scratch.path("vm"), .address = ""});
  wanted.written = "i-1";
  wanted.checksums = true;
  servers.look(wanted, [&](Sight sight) { seen.set_value(std::move(sight)); });
  const Sight sight = seen.get_future().get();
  ASSERT_NE(sight.of("i-1"), nullptr);
  EXPECT_FALSE(sight.of("i-1")->answers);
  EXPECT_FALSE(sight.of("i-1")->takes_writes());
  EXPECT_FALSE(sight.written.has_value());
  EXPECT_TRUE(sight.writable_at_once.empty());
}

}  // namespace
}  // namespace drover::scenario
