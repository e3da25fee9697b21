// A simulated server is configured as the agent configures a real one.
#include <gmock/gmock.h>

#include "manager/agent/rules.hpp"
#include "mockcloud/node/server.hpp"

namespace drover::replication_test {
namespace {

TEST(SimulatedServer, IsConfiguredAsTheAgentConfiguresARealOne) {
  const node::ServerConfig simulated;
  const std::string real = agent::server_configuration({}, {}, false);
  const auto line = [](const char* name, const std::string& value) {
    std::string text = "\n";
    return text.append(name).append("=").append(value).append("\n");
  };
  const auto flag = [](bool on) { return on ? "1" : "0"; };
  EXPECT_THAT(real, testing::HasSubstr(line("read_only", flag(simulated.read_only_in_file))));
  EXPECT_THAT(real, testing::HasSubstr(line("gtid_strict_mode", flag(simulated.gtid_strict_mode))));
  EXPECT_THAT(real, testing::HasSubstr(line("log_slave_updates", flag(simulated.log_slave_updates))));
  EXPECT_THAT(
      real, testing::HasSubstr(line("slave_net_timeout", std::to_string(simulated.slave_net_timeout / 1s))));
  const bool after_sync = simulated.semi_sync_point == node::SemiSyncPoint::after_sync;
  EXPECT_THAT(real, testing::HasSubstr(
                        line("rpl_semi_sync_master_wait_point", after_sync ? "AFTER_SYNC" : "AFTER_COMMIT")));
  for (const char* of_mariadb : {"skip_slave_start", "rpl_semi_sync_master_timeout", "init_rpl_role"})
    EXPECT_THAT(real, testing::Not(testing::HasSubstr(of_mariadb))) << "the simulation has its default";
}

}  // namespace
}  // namespace drover::replication_test
