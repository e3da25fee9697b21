// What serves real nodes: the manager and its API over the local cloud and the agents of its VMs, in real
// time. Single-threaded.
#pragma once

#include "manager/adapters/http_agent.hpp"
#include "manager/adapters/local_cloud.hpp"
#include "tools/drover/serve_world.hpp"

namespace drover::tools {

class LocalWorld : public ServedWorld {
 public:
  // Opens journal and folder; nothing runs yet. Errors: unavailable (no mariadbd, a folder that cannot be
  // used), invalid (settings that make no sense here), storage.
  static Result<std::unique_ptr<ServedWorld>> open(const ServeSettings& settings, asio::io_context& io,
                                                   Log log);
  // Without local.keep, and unless another manager has taken over, nothing is left of the VMs.
  ~LocalWorld() override;
  LocalWorld(const LocalWorld&) = delete;
  LocalWorld& operator=(const LocalWorld&) = delete;

  Result<void> start(RealTimePump& pump, const std::string& manager_url) override;
  void save() override {}
  Scheduler& scheduler() override { return scheduler_; }
  api::Service& service() override { return *service_; }
  std::string metrics() const override;

 private:
  LocalWorld(ServeSettings settings, asio::io_context& io, Log log);
  Result<void> prepare();
  Result<void> prepare_folder();

  const ServeSettings settings_;
  asio::io_context& io_;
  Log log_;
  Scheduler scheduler_;
  Trace trace_;
  std::string folder_;
  bool temporary_ = false;
  bool replaced_ = false;  // the VMs are another manager's now
  FileLock lock_;
  std::unique_ptr<SqliteStore> store_;
  ops::Configuration config_;
  Secret token_;
  std::unique_ptr<LocalCloud> cloud_;
  std::unique_ptr<HttpAgent> agent_;
  std::unique_ptr<FailoverHooks> hooks_;
  std::unique_ptr<ops::MySQLServerManager> manager_;
  std::unique_ptr<api::Service> service_;
};

// The data directory that every new VM begins with, at `made` unless it is there: making one takes a second,
// copying it a blink. `folder` is on the same file system. Errors: unavailable, storage.
Result<void> make_template(const std::string& folder, const std::string& made);

}  // namespace drover::tools
