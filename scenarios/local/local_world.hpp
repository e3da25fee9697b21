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
#include "manager/adapters/real_time.hpp"
#include "manager/adapters/sqlite_store.hpp"
#include "manager/api/service.hpp"
#include "mockcloud/fault/faulty_agent.hpp"
#include "mockcloud/fault/faulty_iaas.hpp"
#include "mockcloud/fault/faulty_store.hpp"
#include "scenarios/engine/world.hpp"
#include "scenarios/local/servers.hpp"
#include "scenarios/local/writers.hpp"

namespace drover::scenario {

// Where a run has its files and processes, and what it is started with.
struct LocalPlace {
  std::string folder;         // of this run alone; exists, removed by whoever made it
  std::string program;        // the drover binary, for agents
  std::string data_template;  // made by LocalStage
  Secret writers_password;    // that of the template
  std::string user;           // of the servers' superuser: the system's
  unsigned network = 0;       // LocalCloudConfig::network
};

class LocalWorld final : public World, public fault::ActionSink {
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
  std::string add_upload(std::string content) override;
  Result<void> act(const fault::Action& action) override;
  void destroy_foreign(const std::string& target, Handler<void> handler) override;
  void quiesce() override;
  bool has_traffic() const override { return writers_ != nullptr; }
  void stop_traffic() override;
  const ops::MySQLServerManager* manager() const override { return manager_ ? &manager_->manager : nullptr; }
  fault::Engine& faults() override { return *engine_; }
  double truth(Truth which) override;
  bool sees_at_once() const override { return false; }
  void look(Handler<void> handler) override;
  bool replicas_lag() override;
  bool is_disturbed() override { return false; }
  EndState end(std::vector<std::string>) override { return {}; }

  RealTimePump& pump() { return pump_; }
  const Sight& sight() const { return sight_; }
  std::vector<LocalCloud::Machine> machines() const { return cloud_->machines(); }
  std::size_t leaked_instances() const;
  // The VM of the master by the manager's records; "" when there is none or the manager is dead.
  std::string master_vm() const;
  bool has_pending_requests() const { return !pending_.empty(); }
  // When the oldest request without an answer was made; kNever without one.
  TimePoint pending_since() const;
  bool is_quiet() const { return quiet_; }
  // Whether a fault opened the VM's server to writes, and it has not been seen closed since.
  bool was_opened_by_fault(const std::string& vm) const { return opened_.contains(vm); }
  // Whether a server has lost what it held.
  bool has_lost_a_disk() const { return lost_disk_; }
  // For the referee: every line of the log, every answer of the API.
  void set_watch(std::function<void(const std::string& text, const char* where)> watch) {
    watch_ = std::move(watch);
  }

 private:
  struct Incarnation {
    Incarnation(const ops::Ports& ports, const ops::Configuration& config, ops::Hooks hooks)
        : manager(ports, config, std::move(hooks)), service(manager, ports.scheduler, ports.trace) {}
    ops::MySQLServerManager manager;
    api::Service service;
    std::vector<std::function<void()>> waiting;  // requests that reached it while it was frozen
    bool ending = false;
  };
  struct OpenCall {
    std::function<void(ClientAnswer)> answer;
    TimePoint since{};
  };
  class CountingIaas;
  class CountingAgent;

  LocalWorld(const Scenario& scenario, std::uint64_t seed, const LocalPlace& place, asio::io_context& io);
  Result<void> prepare();
  void perform(const fault::Action& action) override;

  // Managers and clients.
  void start_manager();
  ops::Hooks hooks();
  void crash_manager(std::optional<Duration> restart);
  void crash_again(std::uint64_t times, Duration up, Duration down);
  void freeze_manager(Duration time);
  void thaw_manager();
  void deliver(std::uint64_t number, api::Request request);
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
  Result<void> act_on_manager(const fault::Action& action);
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
  void finish_upgrade(Duration down, TimePoint deadline);
  void start_server(const std::string& vm);
  void later(Duration after, std::function<void()> undo);
  std::optional<LocalCloud::Machine> machine_of(const std::string& target) const;

  const LocalPlace place_;
  asio::io_context& io_;
  RealTimePump pump_;
  std::unique_ptr<SqliteStore> store_;
  std::unique_ptr<LocalCloud> cloud_;
  std::unique_ptr<HttpAgent> http_agent_;
  std::unique_ptr<fault::Engine> engine_;
  std::unique_ptr<CountingIaas> counting_iaas_;
  std::unique_ptr<CountingAgent> counting_agent_;
  std::unique_ptr<fault::FaultyIaas> iaas_;
  std::unique_ptr<fault::FaultyAgent> agent_;
  std::unique_ptr<fault::FaultyStore> faulty_store_;
  std::unique_ptr<Incarnation> manager_;
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
  bool quiet_ = false;
  bool traffic_ended_ = false;
  bool lost_disk_ = false;
  std::map<std::string, bool> opened_;  // VMs whose server a fault opened, and whether it was seen open
  bool asks_topology_soon_ = false;
  std::optional<std::string> known_master_;
  unsigned incarnations_ = 0;
  std::uint64_t iaas_calls_ = 0, agent_calls_ = 0;
  std::uint64_t last_request_ = 0;
  std::map<std::uint64_t, OpenCall> pending_;
  unsigned uploads_ = 0;
  std::vector<std::function<void()>> healers_;  // what quiesce() has to end
  std::vector<std::shared_ptr<agent::Connection>> held_connections_;
  std::function<void(const std::string&, const char*)> watch_;
};

}  // namespace drover::scenario
