// What serves VMs of a real cloud: the manager and its API, the cloud's driver, and the agents of the VMs
// over HTTP, in real time. Single-threaded.
#pragma once

#include "manager/adapters/http_agent.hpp"
#include "tools/drover/cloud_drivers.hpp"
#include "tools/drover/serve_world.hpp"

namespace drover::tools {

class CloudWorld : public ServedWorld {
 public:
  // Opens the journal; nothing runs yet. Errors: invalid (settings that make no sense here), unavailable
  // (files, secrets), storage.
  static Result<std::unique_ptr<ServedWorld>> open(const ServeSettings& settings, asio::io_context& io,
                                                   Log log);
  // The VMs stay as they are: the next process on the journal goes on with them.
  ~CloudWorld() override;
  CloudWorld(const CloudWorld&) = delete;
  CloudWorld& operator=(const CloudWorld&) = delete;

  Result<void> start(RealTimePump& pump, const std::string& manager_url) override;
  void save() override {}
  Scheduler& scheduler() override { return scheduler_; }
  api::Service& service() override { return *service_; }
  std::string metrics() const override { return service_->metrics(); }

 private:
  CloudWorld(ServeSettings settings, asio::io_context& io, Log log);
  Result<void> prepare();

  const ServeSettings settings_;
  asio::io_context& io_;
  Log log_;
  Scheduler scheduler_;
  Domain client_domain_{scheduler_};
  Trace trace_;
  std::unique_ptr<SqliteStore> store_;
  ops::Configuration config_;
  Secret token_;
  std::string token_prefix_;  // of tokens of idempotency, this journal's own
  std::unique_ptr<NetHttpClient> client_;
  CloudDriver driver_;
  std::unique_ptr<HttpAgent> agent_;
  std::unique_ptr<FailoverHooks> hooks_;
  std::unique_ptr<ops::MySQLServerManager> manager_;
  std::unique_ptr<api::Service> service_;
};

}  // namespace drover::tools
