// What worlds of real agents have in common: the whole manager with its API in this process, in real time,
// over ports that the simulation's decorators wrap; its crashes and freezes; and clients of the API. Where
// the VMs are and what is true there is for the world itself (local_world.hpp, scenarios/cloud).
// Single-threaded.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "manager/adapters/real_time.hpp"
#include "manager/api/service.hpp"
#include "mockcloud/fault/faulty_agent.hpp"
#include "mockcloud/fault/faulty_iaas.hpp"
#include "mockcloud/fault/faulty_store.hpp"
#include "scenarios/engine/world.hpp"

namespace drover::scenario {

class RealWorld : public World, public fault::ActionSink {
 public:
  ~RealWorld() override;

  void request(api::Request request, std::function<void(ClientAnswer)> answer,
               Patience patience = Patience::keeps_on) override;
  void quiesce() override;
  const ops::MySQLServerManager* manager() const override { return manager_ ? &manager_->manager : nullptr; }
  fault::Engine& faults() override { return *engine_; }
  bool is_disturbed() override { return false; }
  EndState end(std::vector<std::string>) override { return {}; }

  // Live VMs of the run that no record of the manager accounts for.
  virtual std::size_t leaked_instances() const = 0;

  RealTimePump& pump() { return pump_; }
  // The VM of the master by the manager's records; "" when there is none or the manager is dead.
  std::string master_vm() const;
  bool has_pending_requests() const { return !pending_.empty(); }
  // When the oldest request without an answer was made; kNever without one.
  TimePoint pending_since() const;
  bool is_quiet() const { return quiet_; }
  // For the referee: every line of the log, every answer of the API.
  void set_watch(std::function<void(const std::string& text, const char* where)> watch) {
    watch_ = std::move(watch);
  }

 protected:
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

  RealWorld(const Scenario& scenario, std::uint64_t seed, asio::io_context& io);
  // Puts faults and counters around the ports, which must outlive this. `created` is called whenever the
  // cloud has answered a creation.
  void make_ports(Iaas& cloud, Agent& agent, Store& store, std::function<void()> created);

  void perform(const fault::Action& action) override;
  // Those among which a fault without a target draws.
  virtual std::vector<std::string> living_vms() const = 0;

  void start_manager();
  ops::Hooks hooks();
  void crash_manager(std::optional<Duration> restart);
  void crash_again(std::uint64_t times, Duration up, Duration down);
  void freeze_manager(Duration time);
  void thaw_manager();
  void finish_upgrade(Duration down, TimePoint deadline);
  void deliver(std::uint64_t number, api::Request request);
  Result<void> act_on_manager(const fault::Action& action);
  // Undoes something after a time, or at the latest when the world is to be quiet.
  void later(Duration after, std::function<void()> undo);

  class CountingIaas;
  class CountingAgent;

  asio::io_context& io_;
  RealTimePump pump_;
  std::unique_ptr<fault::Engine> engine_;
  std::unique_ptr<CountingIaas> counting_iaas_;
  std::unique_ptr<CountingAgent> counting_agent_;
  std::unique_ptr<fault::FaultyIaas> iaas_;
  std::unique_ptr<fault::FaultyAgent> agent_;
  std::unique_ptr<fault::FaultyStore> faulty_store_;
  std::unique_ptr<Incarnation> manager_;
  bool quiet_ = false;
  unsigned incarnations_ = 0;
  std::uint64_t iaas_calls_ = 0, agent_calls_ = 0;
  std::uint64_t last_request_ = 0;
  std::map<std::uint64_t, OpenCall> pending_;
  std::vector<std::function<void()>> healers_;  // what quiesce() has to end
  std::function<void(const std::string&, const char*)> watch_;
};

}  // namespace drover::scenario
