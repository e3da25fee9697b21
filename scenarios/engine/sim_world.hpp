// The simulated world of one run: virtual time, mock cloud, simulated nodes, journal, faults, clients, and
// the whole manager with its API inside. Knows how to crash and restart the manager, and tells checkers the
// truth. Single-threaded; one world per run, nothing shared between worlds.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "manager/api/service.hpp"
#include "mockcloud/cloud/cloud.hpp"
#include "mockcloud/fault/engine.hpp"
#include "mockcloud/fault/faulty_agent.hpp"
#include "mockcloud/fault/faulty_iaas.hpp"
#include "mockcloud/fault/faulty_store.hpp"
#include "mockcloud/node/fleet.hpp"
#include "mockcloud/node/traffic.hpp"
#include "scenarios/engine/client_topology.hpp"
#include "scenarios/engine/detour.hpp"
#include "scenarios/engine/durable_view.hpp"
#include "scenarios/engine/evidence.hpp"
#include "scenarios/engine/journal_disk.hpp"
#include "scenarios/engine/port_watch.hpp"
#include "scenarios/engine/sabotage.hpp"
#include "scenarios/engine/scenario.hpp"
#include "scenarios/engine/sim_world_network.hpp"
#include "scenarios/engine/world.hpp"

namespace drover::scenario {

class SimWorld final : public World, public fault::ActionSink {
 public:
  // `sabotage` breaks the manager or its view of the world (sabotage.hpp), `detour` lies between the manager
  // and its cloud; they must outlive the world. Either may be null.
  SimWorld(const Scenario& scenario, std::uint64_t seed, const Sabotage* sabotage = nullptr,
           Detour* detour = nullptr);
  ~SimWorld() override;

  // World.
  const char* name() const override { return detour_ == nullptr ? "sim" : detour_->world(); }
  const char* for_people() const override {
    return detour_ == nullptr ? "the simulation" : detour_->for_people();
  }
  Pace pace() const override;
  void start() override;
  void request(api::Request request, std::function<void(ClientAnswer)> answer,
               Patience patience = Patience::keeps_on) override;
  std::string add_upload(std::string content) override;
  Result<void> act(const fault::Action& action) override;
  void destroy_foreign(const std::string& target, Handler<void> handler) override;
  void quiesce() override;
  bool has_traffic() const override { return traffic_ != nullptr; }
  void stop_traffic() override;
  const ops::MySQLServerManager* manager() const override { return manager_ ? &manager_->manager : nullptr; }
  fault::Engine& faults() override { return *engine_; }
  double truth(Truth which) override;
  bool sees_at_once() const override { return true; }
  void look(Handler<void> handler) override { handler(success()); }
  bool replicas_lag() override;
  bool is_disturbed() override { return network_->disturbed(); }
  EndState end(std::vector<std::string> shortfalls) override;

  // The two halves of request(): the way of a message between clients and manager (`arrive` is told whether
  // it is a copy), and its arrival at the manager.
  void carry(std::string_view from, std::string_view to, node::Message message, Patience patience,
             std::function<void(bool is_copy)> arrive);
  void deliver(const api::Request& request, bool is_copy, Patience patience,
               const std::function<void(ClientAnswer)>& answer);

  cloud::Cloud& cloud() { return *cloud_; }
  node::Fleet& fleet() { return *fleet_; }
  node::Traffic* traffic() { return traffic_.get(); }
  WorldNetwork& network() { return *network_; }
  JournalDisk& journal() { return *disk_; }
  // Of the cloud as the manager meets it.
  bool honours_tokens() const { return detour_ == nullptr || detour_->honours_tokens(); }
  // What a crash would leave of the journal now.
  DurableView& durable() { return *durable_; }
  // What has been done to this world so far.
  Evidence& evidence() { return *evidence_; }
  const Evidence& evidence() const { return *evidence_; }

  const api::Service* service() const { return manager_ ? &manager_->service : nullptr; }
  unsigned incarnations() const { return incarnations_; }
  bool has_former_managers() const { return !former_.empty(); }  // replaced ones that live
  // Managers that live, frozen or not, and how many have been fenced off so far.
  std::size_t managers() const { return former_.size() + (manager_ ? 1 : 0); }
  unsigned fenced_managers() const { return fenced_managers_; }
  // The VM of the master by the manager's records, whatever the clients believe; "" when there is none or the
  // manager is dead.
  std::string master_vm() const;

  // The present instance of a node ("node-2", "2", an instance id), or null.
  const cloud::Instance* instance_of(const std::string& target) const;
  // "node-2" for an instance of ours, else its name.
  static std::string subject_of(const cloud::Instance& vm);

  // Every VM ever created for a node ("node-2"), oldest first; its tags may have been taken away since.
  const std::vector<const cloud::Instance*>& instances_for(const std::string& node) const;
  // Live VMs of the service that no record of the manager accounts for. O(instances).
  std::size_t leaked_instances() const;
  // A VM that lives, and no record tells of.
  bool is_unaccounted_for(const cloud::Instance& vm) const;
  std::size_t leaked_volumes() const { return cloud_->volumes(); }

  // Requests without an answer so far, oldest first.
  struct Pending {
    TimePoint since{};
    std::string method;
  };
  const std::map<std::uint64_t, Pending>& pending_requests() const { return pending_since_; }
  // Checkers: called at every observation point of the manager, and whenever a VM begins to go.
  void set_watch(std::function<void(std::string_view point, std::string_view subject)> watch) {
    watch_ = std::move(watch);
  }
  // Checkers that see more than points; null: none. They must outlive the world's run.
  void set_port_watch(PortWatch* watch) { port_watch_ = watch; }
  void set_cloud_watch(CloudWatch* watch) { cloud_watch_ = watch; }
  // Clients' requests (without heartbeats), and what they are answered.
  struct ClientWatch {
    std::function<void(const api::Request&)> request;
    std::function<void(const std::string& method, const api::Response&)> response;
  };
  void set_client_watch(ClientWatch watch) { client_watch_ = std::move(watch); }
  // Every line of the manager's log.
  void set_log_watch(std::function<void(const std::string&)> watch) { log_watch_ = std::move(watch); }
  // A server has told a client that its write is safe.
  void set_write_watch(std::function<void(const node::SimServer&, node::Stamp)> watch) {
    write_watch_ = std::move(watch);
  }
  // Calls the manager made to the cloud and to agents, and commits.
  struct Counts {
    std::uint64_t iaas = 0, agent = 0, api = 0;
  };
  const Counts& counts() const { return counts_; }
  void count_call(bool iaas) { ++(iaas ? counts_.iaas : counts_.agent); }

 private:
  // One process of the manager.
  struct Incarnation {
    Incarnation(unsigned number_, const ops::Ports& ports, const ops::Configuration& config, ops::Hooks hooks)
        : number(number_),
          manager(ports, config, std::move(hooks)),
          service(manager, ports.scheduler, ports.trace) {}
    const unsigned number;
    ops::MySQLServerManager manager;
    api::Service service;
    std::vector<std::function<void()>> waiting;  // requests that reached it while it was frozen
    bool ending = false;                         // its death is due, or it takes no more requests
  };
  struct OpenCall {
    std::function<void(ClientAnswer)> answer;
    unsigned incarnation = 0;
    std::string method;
  };
  class CountingIaas;
  class CountingAgent;

  void perform(const fault::Action& action) override;
  Result<void> carry_out(const fault::Action& action);
  std::vector<std::string> those_meant_by(const fault::Action& action) const;
  std::string draw_target(const std::string& rule);
  // sim_world_managers.cpp
  Result<void> act_on_manager(const fault::Action& action);
  Result<void> ask_as_client(const fault::Action& action);
  Result<void> act_on_journal(const fault::Action& action);
  void start_manager();
  ops::Hooks hooks_of(unsigned incarnation);
  void crash_manager(std::optional<Duration> restart);
  void freeze_manager(Duration time);
  void thaw_manager(unsigned incarnation);
  void take_over(Duration old_goes_on_after);
  void upgrade_manager(Duration down);
  void finish_upgrade(unsigned incarnation, Duration down, TimePoint deadline);
  void crash_again(std::uint64_t times, Duration up, Duration down);
  // The process is gone: what it was asked is answered by a broken connection.
  void end_incarnation(std::unique_ptr<Incarnation> ended);
  void end_former_managers();
  void end_fenced(unsigned incarnation);
  void restart_after(std::optional<Duration> time);
  Incarnation* find_incarnation(unsigned number);
  // sim_world_clients.cpp
  void take(std::uint64_t number, const api::Request& request);
  void handle(Incarnation& to, std::uint64_t number, api::Request request);
  void instance_changed(const cloud::Instance& vm, InstanceState from);
  void heartbeat(const node::Heartbeat& beat);
  void replication_entered(const std::string& id, node::ReplicationPhase phase);
  void answer_client(Patience patience, std::function<void(ClientAnswer)> answer, ClientAnswer with);
  Result<void> act_on_vm(const fault::Action& action, const cloud::Instance& vm);
  Result<void> act_on_pace(const fault::Action& action, const std::string& id);
  void die_after(const std::string& id, Duration delay);
  std::vector<std::string> those_on_host(const fault::Action& action, const cloud::Instance& vm) const;
  Result<void> lose_host(const fault::Action& action, const cloud::Instance& vm);
  std::optional<std::uint32_t> foreign_server_id(const std::string& id) const;
  Result<void> act_on_agent(const fault::Action& action, const std::string& id);
  Result<void> act_on_database(const fault::Action& action, const std::string& id);
  // Undoes what an action did `after` a time, unless that is "never".
  void later(const fault::Action& action, Duration after, std::function<void()> undo);

  const Sabotage* sabotage_;
  Detour* detour_;
  Domain cloud_domain_;
  std::unique_ptr<cloud::Cloud> cloud_;
  std::unique_ptr<WorldNetwork> network_;
  std::unique_ptr<node::Fleet> fleet_;
  std::unique_ptr<JournalDisk> disk_;
  std::unique_ptr<DurableView> durable_;
  std::unique_ptr<fault::Engine> engine_;
  std::unique_ptr<Evidence> evidence_;
  std::unique_ptr<CountingIaas> counting_iaas_;
  std::unique_ptr<CountingAgent> counting_agent_;
  std::unique_ptr<fault::FaultyIaas> iaas_;
  std::unique_ptr<fault::FaultyAgent> agent_;
  std::unique_ptr<fault::FaultyStore> faulty_store_;
  std::unique_ptr<WatchedIaas> watched_iaas_;
  std::unique_ptr<WatchedAgent> watched_agent_;
  std::unique_ptr<Iaas> broken_iaas_;  // of the sabotage, between the manager and the faults; may be null
  std::unique_ptr<Agent> broken_agent_;
  std::unique_ptr<Store> broken_store_;
  std::unique_ptr<Incarnation> manager_;
  std::vector<std::unique_ptr<Incarnation>> former_;  // that live on beside the present one, oldest first
  std::unique_ptr<ClientTopology> client_topology_;
  std::unique_ptr<node::Traffic> traffic_;

  unsigned incarnations_ = 0;
  unsigned fenced_managers_ = 0;
  bool quiet_ = false;
  std::map<std::uint64_t, OpenCall> pending_;
  std::map<std::uint64_t, Pending> pending_since_;
  std::function<void(std::string_view, std::string_view)> watch_;
  PortWatch* port_watch_ = nullptr;
  CloudWatch* cloud_watch_ = nullptr;
  ClientWatch client_watch_;
  std::function<void(const std::string&)> log_watch_;
  std::function<void(const node::SimServer&, node::Stamp)> write_watch_;
  std::uint64_t last_request_ = 0;
  std::unordered_map<std::string, std::vector<const cloud::Instance*>> by_subject_;  // looked up only
  std::uint32_t last_indexed_ = 0;
  std::map<std::pair<std::string, std::string>, TimePoint> lasting_;  // until when, by action and target
  std::vector<std::function<void()>> healers_;                        // what quiesce() has to end
  std::map<std::string, std::string> uploads_;
  std::map<std::string, Duration> dying_;  // machines that will power off so long after their boot
  Counts counts_;
};

}  // namespace drover::scenario
