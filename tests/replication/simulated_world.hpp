// The simulated servers of mockcloud/node with a network that loses nothing. Virtual time.
#pragma once

#include <memory>
#include <vector>

#include "mockcloud/node/server.hpp"
#include "tests/replication/world.hpp"

namespace drover::replication_test {

class SimulatedWorld final : public World, private node::ServerHost {
 public:
  explicit SimulatedWorld(unsigned servers);

  void start_server(unsigned server, bool skip_slave_start) override;
  void stop_server(unsigned server) override { at(server).stop(); }
  void kill_server(unsigned server) override { at(server).crash(); }
  void hang_server(unsigned server, bool hung) override { at(server).set_hung(hung); }
  unsigned change_master(unsigned server, const Source& source) override;
  unsigned start_slave(unsigned server, bool io, bool sql) override;
  unsigned stop_slave(unsigned server, bool io, bool sql) override;
  unsigned reset_slave(unsigned server, bool all) override;
  unsigned reset_master(unsigned server) override;
  unsigned set_slave_position(unsigned server, const std::string& gtid) override;
  unsigned skip_transaction(unsigned server) override;
  unsigned purge_binlogs(unsigned server) override;
  unsigned set_server_id(unsigned server, unsigned id) override;
  unsigned set_read_only(unsigned server, bool on) override;
  unsigned set_semi_sync(unsigned server, bool primary, bool replica) override;
  unsigned write(unsigned server, Account account) override;
  void plant_conflict(unsigned server, int number) override;
  unsigned rewrite(unsigned server) override { return write(server, Account::application); }
  void hold_back(unsigned server, bool held) override;
  void admit_replicas(unsigned server, bool admitted) override;
  void exhaust_connections(unsigned server, bool on) override { at(server).exhaust_connections(on); }
  void cut_connection(unsigned server) override { at(server).disconnect_io(); }
  Observation look(unsigned server) override;
  void pass(Duration time) override;

 private:
  node::SimServer& at(unsigned server) { return *servers_[server - 1]; }
  static std::string address_of(unsigned server) { return "10.0.0." + std::to_string(server); }

  node::SimServer* server_at(const std::string& address, std::uint16_t port) override;
  bool connected(const node::SimServer&, const node::SimServer&) const override { return true; }
  Duration delay(const node::SimServer&, const node::SimServer&) override { return 100us; }
  void server_changed(node::SimServer&) override {}

  Scheduler scheduler_;
  Choices choices_{1};
  Trace trace_;
  node::Ledger ledger_;
  Domain domain_;
  std::vector<std::unique_ptr<node::SimServer>> servers_;
  unsigned planted_at_ = 0;
  int planted_ = 0;
};

}  // namespace drover::replication_test
