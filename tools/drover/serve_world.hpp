// What serves: the manager and its API on the mock cloud with simulated nodes, on one scheduler that somebody
// else drives (RealTimePump). Journal and cloud are files when asked for, and go on from them. The data of
// simulated servers is not kept: after a restart they are up again with the same addresses, and empty.
// Single-threaded.
#pragma once

#include <memory>
#include <string>

#include "manager/adapters/real_time.hpp"
#include "manager/adapters/sqlite_store.hpp"
#include "manager/api/service.hpp"
#include "mockcloud/fault/faulty_agent.hpp"
#include "mockcloud/fault/faulty_iaas.hpp"
#include "mockcloud/fault/faulty_store.hpp"
#include "tools/drover/serve_config.hpp"
#include "tools/drover/serve_faults.hpp"

namespace drover::tools {

// A file that one process at a time may use, for as long as this lives.
class FileLock {
 public:
  FileLock() = default;
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  // Creates the file when it is missing. Errors: unavailable.
  Result<void> take(const std::string& path);

 private:
  int descriptor_ = -1;
};

// What `drover serve` drives, whatever its nodes are.
class ServedWorld {
 public:
  // One line for people.
  using Log = std::function<void(const std::string& line)>;

  virtual ~ServedWorld() = default;
  // The manager goes on from its journal. `pump` runs the scheduler from now on and outlives this call's
  // world's end(); `manager_url` is where nodes reach the API. Errors: storage, unavailable.
  virtual Result<void> start(RealTimePump& pump, const std::string& manager_url) = 0;
  // Called before the orderly end.
  virtual void save() = 0;
  virtual Scheduler& scheduler() = 0;
  // Valid once started.
  virtual api::Service& service() = 0;
  // Prometheus text.
  virtual std::string metrics() const = 0;

  // Called, from inside the manager, when another one has taken over its journal: it does nothing any more.
  void set_on_fenced(std::function<void(const Error& why)> on_fenced) { on_fenced_ = std::move(on_fenced); }

 protected:
  std::function<void(const Error& why)> on_fenced_;
};

// The time at which the scheduler starts: the wall clock's, and never before what the journal has seen (time
// may have been scaled).
Result<TimePoint> start_time(SqliteStore& store);

class ServeWorld : public ServedWorld {
 public:
  // Opens journal, cloud and faults; nothing runs yet. Errors: storage (unreadable, locked by another
  // manager), invalid (a faults file), unavailable.
  static Result<std::unique_ptr<ServeWorld>> open(const ServeSettings& settings, Log log);
  ~ServeWorld() override;
  ServeWorld(const ServeWorld&) = delete;
  ServeWorld& operator=(const ServeWorld&) = delete;

  // Boots what the cloud says is powered and lets the manager go on from its journal. Errors: storage.
  Result<void> start(RealTimePump& pump, const std::string& manager_url) override;
  // Writes what a successor needs of the faults. Called before the end; the manager needs nothing.
  void save() override;

  Scheduler& scheduler() override { return scheduler_; }
  api::Service& service() override { return *service_; }
  // The manager's and the cloud's families, Prometheus text.
  std::string metrics() const override;

 private:
  ServeWorld(const ServeSettings& settings, Log log);
  Result<void> open_parts(const ServeSettings& settings);
  void heartbeat(const node::Heartbeat& beat);
  void save_later();

  Log log_;
  Scheduler scheduler_;
  Domain domain_{scheduler_};
  Domain cloud_domain_{scheduler_};
  Choices choices_;
  Trace trace_;
  std::unique_ptr<SqliteStore> store_;
  FileLock database_lock_;
  std::unique_ptr<cloud::Cloud> cloud_;
  std::unique_ptr<node::Fleet> fleet_;
  std::unique_ptr<ServeFaults> actions_;
  std::unique_ptr<fault::Engine> engine_;
  std::unique_ptr<fault::FaultyIaas> iaas_;
  std::unique_ptr<fault::FaultyAgent> agent_;
  std::unique_ptr<fault::FaultyStore> journal_;
  std::unique_ptr<FailoverHooks> hooks_;
  std::unique_ptr<ops::MySQLServerManager> manager_;
  std::unique_ptr<api::Service> service_;
};

}  // namespace drover::tools
