#include "tools/drover/serve_local.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "manager/agent/server_process.hpp"
#include "manager/system/child_process.hpp"
#include "tools/drover/agent_config.hpp"

namespace drover::tools {
namespace {

namespace fs = std::filesystem;

Error unavailable(const std::string& message) { return make_error(ErrorCode::unavailable, message); }

}  // namespace

Result<void> make_template(const std::string& folder, const std::string& made) {
  std::error_code error;
  if (fs::exists(made, error)) return success();
  agent::AgentSettings settings;
  settings.folder = folder + "/maker";
  settings.log = [](const std::string&) {};
  agent::ServerProcess maker(settings);
  DROVER_TRY(maker.open());
  const std::string fresh = settings.folder + "/data";
  fs::remove_all(fresh, error);
  DROVER_TRY(maker.make_data(fresh));
  fs::rename(fresh, made, error);
  if (error) return unavailable(made + " cannot be made: " + error.message());
  fs::remove_all(settings.folder, error);
  return success();
}

LocalWorld::LocalWorld(ServeSettings settings, asio::io_context& io, Log log)
    : settings_(std::move(settings)), io_(io), log_(std::move(log)) {
  trace_.follow(scheduler_.now_address());
}

Result<std::unique_ptr<ServedWorld>> LocalWorld::open(const ServeSettings& settings, asio::io_context& io,
                                                      Log log) {
  std::unique_ptr<LocalWorld> world(new LocalWorld(settings, io, std::move(log)));
  DROVER_TRY(world->prepare());
  return std::unique_ptr<ServedWorld>(std::move(world));
}

Result<void> LocalWorld::prepare() {
  if (settings_.time_scale != 1)
    return make_error(ErrorCode::invalid, "--time-scale: real servers take their time: leave it at 1");
  if (!settings_.faults.empty())
    return make_error(ErrorCode::invalid, "--faults: this version makes faults on --cloud mock only");
  for (const char* name : {"mariadbd", "mariadb-install-db"})
    if (system::find_program(name).empty())
      return unavailable(std::string("--cloud local needs ") + name +
                         ": apt-get install mariadb-server-core mariadb-client mariadb-backup");
  DROVER_TRY(prepare_folder());
  auto store = SqliteStore::open(settings_.journal);
  if (store.has_error())
    return unavailable("--journal " + settings_.journal + ": " + store.error().message +
                       ": stop the other manager, or choose another file in a folder that may be written to");
  store_ = std::move(store).value();
  DROVER_TRY(const TimePoint start, start_time(*store_));
  scheduler_.advance_to(start);
  config_ = settings_.manager;
  // A successor on the same folder must know the password that the servers know.
  const bool configured =
      !settings_.replication_password_file.empty() || !settings_.replication_password_env.empty();
  if (configured) {
    DROVER_TRY(config_.replication_password, read_replication_password(settings_));
  } else {
    DROVER_TRY(config_.replication_password, kept_secret(folder_ + "/replication_password"));
  }
  return success();
}

Result<void> LocalWorld::prepare_folder() {
  std::error_code error;
  if (settings_.local_folder.empty()) {
    if (settings_.local_keep)
      return make_error(ErrorCode::invalid,
                        "local.keep needs local.dir (or --state-dir): a folder that stays");
    std::string name = (fs::temp_directory_path(error) / "drover-local-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) return unavailable(name + " cannot be made: set --state-dir");
    folder_ = name;
    temporary_ = true;
  } else {
    folder_ = fs::absolute(settings_.local_folder, error).lexically_normal().string();
    fs::create_directories(folder_, error);
    fs::permissions(folder_, fs::perms::owner_all, error);
    if (error) return unavailable("--state-dir " + folder_ + " cannot be used: " + error.message());
  }
  if (auto locked = lock_.take(folder_ + "/lock"); locked.has_error())
    return unavailable("--state-dir " + folder_ +
                       ": another drover serve uses it, or it cannot be written to");
  // The agents that go on hold the token of their start: it is kept with them.
  DROVER_TRY(token_, kept_secret(folder_ + "/token"));
  return make_template(folder_, folder_ + "/template");
}

LocalWorld::~LocalWorld() {
  service_.reset();
  manager_.reset();
  hooks_.reset();
  agent_.reset();
  if (cloud_ && !settings_.local_keep && !replaced_) cloud_->terminate_all();
  cloud_.reset();
  std::error_code ignored;
  if (temporary_ && !replaced_) fs::remove_all(folder_, ignored);
}

Result<void> LocalWorld::start(RealTimePump& pump, const std::string& manager_url) {
  // What an agent that was killed leaves behind becomes ours to reap.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  LocalCloudConfig cloud;
  cloud.folder = folder_;
  std::error_code error;
  cloud.program = fs::read_symlink("/proc/self/exe", error).string();
  cloud.token_file = folder_ + "/token";
  cloud.template_folder = folder_ + "/template";
  cloud.manager_url = manager_url;
  cloud.agent_port = config_.agent_port;
  cloud.instances_max = settings_.local_instances;
  cloud.buffer_pool_mb = settings_.local_buffer_pool_mb;
  cloud.ephemeral = temporary_;
  DROVER_TRY(cloud_, LocalCloud::open(scheduler_, std::move(cloud), log_));
  agent_ = std::make_unique<HttpAgent>(io_, pump, token_);
  hooks_ = std::make_unique<FailoverHooks>(scheduler_, settings_.failover_hooks);
  ops::Hooks hooks;
  hooks.log = log_;
  hooks.fail_over = [this](const ops::FailoverNotice& notice, Handler<void> handler) {
    hooks_->run(notice, std::move(handler));
  };
  hooks.fenced = [this](const Error& why) {
    replaced_ = true;
    if (on_fenced_) on_fenced_(why);
  };
  manager_ = std::make_unique<ops::MySQLServerManager>(
      ops::Ports{scheduler_, *cloud_, *agent_, *store_, trace_}, config_, std::move(hooks));
  service_ = std::make_unique<api::Service>(*manager_, scheduler_, trace_);
  return manager_->start();
}

std::string LocalWorld::metrics() const {
  return service_->metrics() +
         "# HELP drover_local_instances VMs of the local cloud that hold resources.\n"
         "# TYPE drover_local_instances gauge\ndrover_local_instances " +
         std::to_string(cloud_->count()) + "\n";
}

}  // namespace drover::tools
