// The world of a run on a real cloud: the whole manager with its API in this process, the driver of the cloud
// behind a guard (guarded_cloud.hpp), and the agents that the VMs start by themselves. What is true is asked
// of the cloud and of the agents. Single-threaded.
#pragma once

#include <memory>
#include <string>

#include "manager/adapters/http_agent.hpp"
#include "manager/adapters/http_client.hpp"
#include "manager/adapters/sqlite_store.hpp"
#include "scenarios/cloud/guarded_cloud.hpp"
#include "scenarios/local/real_referee.hpp"
#include "scenarios/local/real_world.hpp"

namespace drover::scenario {

// Where and with what runs are made; from the configuration of drover serve.
struct CloudPlace {
  std::string cloud;  // "ec2"
  // Errors: invalid, unavailable.
  std::function<Result<std::unique_ptr<Iaas>>(Scheduler&, HttpClient&)> make_driver;
  InstanceSpec instance;  // image, size, network and user data of every VM
  Secret agent_token;     // that the user data gives to agents
  std::uint16_t agent_port = 0;
  std::string ca_file;
  std::string folder;  // for journals and uploads; exists
};

class CloudWorld final : public RealWorld {
 public:
  // `run` is the value of the run's tag; `wall` seconds since 1970 when the world begins. Errors: storage,
  // unavailable, invalid.
  static Result<std::unique_ptr<CloudWorld>> open(const Scenario& scenario, std::uint64_t seed,
                                                  const CloudPlace& place, const std::string& run,
                                                  std::int64_t wall, asio::io_context& io);
  // Leaves the VMs as they are: end_everything() first.
  ~CloudWorld() override;

  const char* name() const override { return "cloud"; }
  const char* for_people() const override { return "a real cloud"; }
  Pace pace() const override;
  void start() override;
  std::string add_upload(std::string content) override;
  Result<void> act(const fault::Action& action) override;
  void destroy_foreign(const std::string& target, Handler<void> handler) override;
  bool has_traffic() const override { return false; }
  void stop_traffic() override {}
  double truth(Truth which) override;
  bool sees_at_once() const override { return false; }
  void look(Handler<void> handler) override;
  bool replicas_lag() override;
  std::size_t leaked_instances() const override;

  const GuardedCloud& guard() const { return *guard_; }
  // What the agent of a VM last said; null when it has not answered.
  const ServerState* server(const std::string& vm) const;
  // The manager and its faults end, and every VM with the run's tag; calls `handler` with those that are
  // still there after ten minutes.
  void end_everything(Handler<std::vector<std::string>> handler);

 private:
  CloudWorld(const Scenario& scenario, std::uint64_t seed, const CloudPlace& place, asio::io_context& io);
  Result<void> prepare(const std::string& run, std::int64_t wall);
  std::vector<std::string> living_vms() const override;
  Task<void> see(std::shared_ptr<Handler<void>> handler);
  Task<void> see_often();
  Task<Result<std::vector<InstanceInfo>>> list();
  Task<void> end_vms(Handler<std::vector<std::string>> handler);
  void watch_vms();

  const CloudPlace place_;
  Domain client_domain_{scheduler_};
  Domain last_domain_{scheduler_};  // of the end
  std::unique_ptr<SqliteStore> store_;
  std::unique_ptr<NetHttpClient> client_;
  std::unique_ptr<Iaas> driver_;
  std::unique_ptr<GuardedCloud> guard_;
  std::unique_ptr<HttpAgent> http_agent_;
  std::map<std::string, ServerState> servers_;   // by VM, of those that answer
  std::map<std::string, InstanceState> states_;  // as last told to the faults
  std::size_t high_water_ = 0;
  unsigned uploads_ = 0;
};

class CloudReferee final : public RealReferee {
 public:
  explicit CloudReferee(CloudWorld& world) : RealReferee(world), world_(world) {}
  std::vector<std::string> judged() const override;
  void after_change() override;
  bool settled() override;
  std::uint64_t check_writes() override { return 0; }
  void at_end(bool judged) override;

 private:
  CloudWorld& world_;
};

}  // namespace drover::scenario
