// Some mariadbd with the configuration that the agent writes, on addresses of their own. Real time. What
// waits for a time-out is shortened: semi-sync 1 s, slave_net_timeout 2 s. Ended with SIGKILL by the
// destructor.
#pragma once

#include <memory>
#include <vector>

#include "manager/agent/database.hpp"
#include "manager/agent/settings.hpp"
#include "tests/agent/sql_client.hpp"
#include "tests/replication/world.hpp"
#include "tests/support/drover_process.hpp"

namespace drover::replication_test {

class RealWorld final : public World {
 public:
  explicit RealWorld(unsigned servers);
  ~RealWorld() override;

  void start_server(unsigned server, bool skip_slave_start) override;
  void stop_server(unsigned server) override;
  void kill_server(unsigned server) override;
  void hang_server(unsigned server, bool hung) override;
  unsigned change_master(unsigned server, const Source& source) override;
  unsigned start_slave(unsigned server, bool io, bool sql) override;
  unsigned stop_slave(unsigned server, bool io, bool sql) override;
  unsigned reset_slave(unsigned server, bool all) override;
  unsigned reset_master(unsigned server) override { return run(server, "RESET MASTER"); }
  unsigned set_slave_position(unsigned server, const std::string& gtid) override;
  unsigned skip_transaction(unsigned server) override;
  unsigned purge_binlogs(unsigned server) override;
  unsigned set_server_id(unsigned server, unsigned id) override;
  unsigned set_read_only(unsigned server, bool on) override;
  unsigned set_semi_sync(unsigned server, bool primary, bool replica) override;
  unsigned write(unsigned server, Account account) override;
  void plant_conflict(unsigned server, int number) override;
  unsigned rewrite(unsigned server) override;
  void hold_back(unsigned server, bool held) override;
  void admit_replicas(unsigned server, bool admitted) override;
  void exhaust_connections(unsigned server, bool exhausted) override;
  void cut_connection(unsigned server) override;
  Observation look(unsigned server) override;
  void pass(Duration time) override;

 private:
  using Rows = std::vector<agent::NamedRow>;
  struct Server {
    agent::AgentSettings settings;
    pid_t pid = -1;
    bool hung = false;
    std::unique_ptr<agent::Connection> connection;  // of its superuser
    std::unique_ptr<agent::Connection> holder;      // see hold_back()
    std::vector<std::unique_ptr<agent_test::SqlClient>> crowd;
  };

  Server& at(unsigned server) { return servers_[server - 1]; }
  void launch(unsigned server, bool skip_slave_start);
  void await_start(unsigned server);
  std::unique_ptr<agent::Connection> connect(unsigned server);
  void end(unsigned server, int signal);
  void make_accounts(unsigned server);
  std::size_t end_dumps(unsigned server);
  Rows ask(unsigned server, const std::string& sql);
  unsigned run(unsigned server, const std::string& sql);
  // The same without a trace in its binary log.
  void run_unlogged(unsigned server, const std::string& sql);
  unsigned run_as(unsigned server, Account account, const std::string& sql);

  testing_support::ScratchFolder folder_;
  std::vector<Server> servers_;
  unsigned rows_ = 0;  // of the table
};

}  // namespace drover::replication_test
