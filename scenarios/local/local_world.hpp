// The world of a run on this machine: the whole manager with its API over the local cloud, whose VMs are real
// agents and real servers, in real time. Faults of calls are made by the decorators that the simulation uses
// too; those of machines, agents and servers by signals and in SQL (local_faults.cpp). What is true is asked
// of the servers themselves (servers.hpp), at once when a step asks and every moment else.
//
// Single-threaded but for the threads of RealServers and Writers, which come back through the io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "manager/adapters/http_agent.hpp"
#include "manager/adapters/local_cloud.hpp"
#include "manager/adapters/sqlite_store.hpp"
#include "scenarios/local/local_network.hpp"
#include "scenarios/local/real_world.hpp"
#include "scenarios/local/run_ground.hpp"
#include "scenarios/local/servers.hpp"
#include "scenarios/local/writers.hpp"

namespace drover::scenario {

// Where a run has its files and processes, and what it is started with.
struct LocalPlace {
  std::string folder;           // of this run alone; exists, removed by whoever made it
  std::string program;          // the drover binary, for agents
  std::string data_template;    // made by LocalStage
  Secret writers_password;      // that of the template
  std::string user;             // of the servers' superuser: the system's
  unsigned network = 0;         // LocalCloudConfig::network
  RunGround* ground = nullptr;  // of this run alone, where its scenario needs one; outlives the world
};

class LocalWorld final : public RealWorld {
 public:
  // Errors: storage, unavailable.
  static Result<std::unique_ptr<LocalWorld>> open(const Scenario& scenario, std::uint64_t seed,
                                                  const LocalPlace& place, asio::io_context& io);
  // Ends every process of the run.
  ~LocalWorld() override;

  const char* name() const override { return "local"; }
  const char* for_people() const override { return "the local world"; }
  Pace pace() const override;
  void start() override;
  void request(api::Request request, std::function<void(ClientAnswer)> answer,
               Patience patience = Patience::keeps_on) override;
  void quiesce() override;
  bool is_disturbed() override { return network_ && network_->disturbed(); }
  std::string add_upload(std::string content) override;
  Result<void> act(const fault::Action& action) override;
  void destroy_foreign(const std::string& target, Handler<void> handler) override;
  bool has_traffic() const override { return writers_ != nullptr; }
  void stop_traffic() override;
  double truth(Truth which) override;
  bool sees_at_once() const override { return false; }
  void look(Handler<void> handler) override;
  bool replicas_lag() override;
  const Sight& sight() const { return sight_; }
  std::vector<LocalCloud::Machine> machines() const { return cloud_->machines(); }
  std::optional<LocalCloud::Machine> machine_of(const std::string& target) const;
  std::size_t leaked_instances() const override;
  // Whether a fault opened the VM's server to writes, and it has not been seen closed since.
  bool was_opened_by_fault(const std::string& vm) const { return opened_.contains(vm); }
  // Whether a server has lost what it held.
  bool has_lost_a_disk() const { return lost_disk_; }
  // Both ways, as the network's rules are now.
  bool clients_reach(const std::string& vm) const;

 private:
  LocalWorld(const Scenario& scenario, std::uint64_t seed, const LocalPlace& place, asio::io_context& io);
  Result<void> prepare();
  std::vector<std::string> living_vms() const override;

  // Clients. Their calls do not leave this process: what the network would do to them is done here.
  void carry(std::string_view from, std::string_view to, Patience patience, std::function<void()> arrive);
  void ask_topology();
  void ask_topology_again();

  // What is seen.
  void see_often();
  SightWanted wanted() const;
  void take(Sight sight);
  WriteAccount::Mark mark() const { return writers_ ? writers_->account().mark() : WriteAccount::Mark(); }
  void watch_machines();
  void machine_entered(const LocalCloud::Machine& vm);

  // local_faults.cpp
  // The machine stays `pending` so much longer than it would have.
  Result<void> hold_boot(const std::string& vm, Duration longer);
  void die_after(const std::string& vm, Duration delay);
  Result<void> act_on_vm(const fault::Action& action, const LocalCloud::Machine& vm);
  Result<void> act_on_agent(const fault::Action& action, const LocalCloud::Machine& vm);
  Result<void> act_on_database(const fault::Action& action, const LocalCloud::Machine& vm);
  Result<void> crash_server(const fault::Action& action, const LocalCloud::Machine& vm);
  Result<void> hang_server(const fault::Action& action, const LocalCloud::Machine& vm);
  Result<void> lag_server(const fault::Action& action, const LocalCloud::Machine& vm);
  Result<void> exhaust_connections(const fault::Action& action, const LocalCloud::Machine& vm);
  Result<void> stop_sql_thread(const fault::Action& action, const ServerPlace& server);
  Result<void> take_server_id(const ServerPlace& server);
  Result<void> fill_disk(const fault::Action& action, const LocalCloud::Machine& vm);
  void start_server(const std::string& vm);

  const LocalPlace place_;
  std::unique_ptr<SqliteStore> store_;
  std::unique_ptr<LocalCloud> cloud_;
  std::unique_ptr<LocalNetwork> network_;  // null on the loopback
  std::unique_ptr<HttpAgent> http_agent_;
  std::unique_ptr<Writers> writers_;
  std::unique_ptr<RealServers> servers_;
  std::shared_ptr<LocalWorld*> self_;  // what comes from other threads sees that the world is gone

  Sight sight_;
  WriteAccount::Mark written_mark_;              // up to which the rows in sight_ must be there
  std::map<std::string, InstanceState> states_;  // of VMs, as last seen
  std::map<std::string, TimePoint> held_;        // machines that do not boot before
  std::map<std::string, Duration> dying_;        // machines that will power off so long after their boot
  std::size_t high_water_ = 0;
  bool looking_ = false;
  bool traffic_ended_ = false;
  bool lost_disk_ = false;
  std::map<std::string, bool> opened_;  // VMs whose server a fault opened, and whether it was seen open
  bool asks_topology_soon_ = false;
  std::optional<std::string> known_master_;
  unsigned uploads_ = 0;
  std::vector<std::shared_ptr<agent::Connection>> held_connections_;
};

}  // namespace drover::scenario
