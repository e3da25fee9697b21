#include "tools/drover/serve_world.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "manager/model/codec.hpp"
#include "tools/drover/cloud_actions.hpp"

namespace drover::tools {
namespace {

constexpr std::uintmax_t kDumpBytesMax = std::uintmax_t{256} << 20U;
constexpr Duration kSaveEvery{1s};

Result<std::string> read_dump_file(const std::string& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) return make_error(ErrorCode::not_found, "the uploaded dump is gone: upload it again");
  if (bytes > kDumpBytesMax)
    return make_error(ErrorCode::invalid, "simulated servers take dumps of up to 256 MiB, and this one has " +
                                              std::to_string(bytes) + " bytes");
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

// Counts of the fault engine as rows "rule|count" of the cloud's database.
void save_counts(const fault::Engine& engine, cloud::Cloud& cloud) {
  const nlohmann::json counts = engine.export_counts();
  for (const auto& [entity, entry] : counts.items()) {
    for (const char* name : {"matched", "started", "fired", "waiting_calls"})
      cloud.set_fault_count(entity + "|" + name, entry.at(name).get<std::uint64_t>());
    const auto& progress = entry.at("progress");
    for (std::size_t i = 0; i < progress.size(); ++i)
      cloud.set_fault_count(entity + "|progress|" + std::to_string(i), progress[i].get<std::uint64_t>());
    const auto& action = entry.at("waiting_action").get_ref<const std::string&>();
    if (!action.empty()) cloud.set_fault_count(entity + "|action|" + action, entry.at("waiting_calls"));
  }
}

void restore_counts(fault::Engine& engine, cloud::Cloud& cloud) {
  nlohmann::json counts = engine.export_counts();
  bool known = false;
  for (const auto& [key, value] : cloud.fault_counts()) {
    const auto bar = key.find('|');
    const auto entry = counts.find(key.substr(0, bar));
    if (bar == std::string::npos || entry == counts.end()) continue;
    const std::string name = key.substr(bar + 1);
    known = true;
    if (name.starts_with("progress|")) {
      const auto at = std::stoull(name.substr(9));
      if (at < entry->at("progress").size()) entry->at("progress")[at] = value;
    } else if (name.starts_with("action|")) {
      if (value > 0) entry->at("waiting_action") = name.substr(7);
    } else if (entry->contains(name)) {
      entry->at(name) = value;
    }
  }
  if (known) (void)engine.import_counts(counts);  // a changed file starts anew
}

}  // namespace

Result<TimePoint> start_time(SqliteStore& store) {
  const auto wall = std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch());
  TimePoint start = kEpoch + wall;
  DROVER_TRY(const std::vector<StoredDocument> documents, store.load());
  for (const StoredDocument& stored : documents) {
    if (stored.table != Table::operation) continue;
    DROVER_TRY(const model::Operation operation, model::decode_operation(stored.document));
    start = std::max(
        {start, kEpoch + Duration(operation.accepted_at_ns), kEpoch + Duration(operation.ended_at_ns)});
  }
  return start;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> FileLock::take(const std::string& path) {
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return success();
  const std::string reason = errno == EWOULDBLOCK
                                 ? "another drover serve uses it: stop that one, or choose another file"
                                 : std::string(std::strerror(errno)) +
                                       ": choose a file in a folder that may "
                                       "be written to";
  return make_error(ErrorCode::unavailable, "--db " + path + ": " + reason);
}

ServeWorld::ServeWorld(const ServeSettings& settings, Log log)
    : log_(std::move(log)), choices_(settings.seed) {
  trace_.follow(scheduler_.now_address());
}

Result<std::unique_ptr<ServeWorld>> ServeWorld::open(const ServeSettings& settings, Log log) {
  std::unique_ptr<ServeWorld> world(new ServeWorld(settings, std::move(log)));
  if (auto opened = world->open_parts(settings); opened.has_error()) return std::move(opened).error();
  return world;
}

Result<void> ServeWorld::open_parts(const ServeSettings& settings) {
  auto store = SqliteStore::open(settings.journal);
  if (store.has_error())
    return make_error(ErrorCode::unavailable, "--journal " + settings.journal + ": " + store.error().message +
                                                  ": stop the other manager, or choose another file in a "
                                                  "folder that may be written to");
  store_ = std::move(store).value();
  DROVER_TRY(const TimePoint start, start_time(*store_));
  scheduler_.advance_to(start);
  std::vector<fault::Rule> rules;
  if (!settings.faults.empty()) {
    DROVER_TRY(rules, load_fault_rules(settings.faults, start));
  }
  if (settings.database != kInMemory) {
    DROVER_TRY(database_lock_.take(settings.database));
  }
  DROVER_TRY(cloud_, cloud::Cloud::open(scheduler_, cloud_domain_, choices_, trace_, settings.mock_cloud,
                                        settings.database));
  node::FleetConfig fleet = settings.agents;
  fleet.on_heartbeat = [this](const node::Heartbeat& beat) { heartbeat(beat); };
  fleet.read_dump = read_dump_file;
  fleet_ = std::make_unique<node::Fleet>(scheduler_, choices_, trace_, std::move(fleet));
  cloud_->set_listener(fleet_.get());
  actions_ = std::make_unique<ServeFaults>(scheduler_, domain_, choices_, *cloud_, *fleet_, log_);
  engine_ =
      std::make_unique<fault::Engine>(scheduler_, domain_, choices_, trace_, std::move(rules), *actions_);
  actions_->set_engine(*engine_);
  restore_counts(*engine_, *cloud_);
  iaas_ = std::make_unique<fault::FaultyIaas>(*cloud_, *engine_);
  agent_ = std::make_unique<fault::FaultyAgent>(*fleet_, *engine_);
  journal_ = std::make_unique<fault::FaultyStore>(*store_, *engine_);
  ops::Configuration config = settings.manager;
  DROVER_TRY(config.replication_password, read_replication_password(settings));
  hooks_ = std::make_unique<FailoverHooks>(scheduler_, settings.failover_hooks);
  ops::Hooks hooks;
  hooks.observe = [this](std::string_view point, std::string_view subject) {
    engine_->observe(point, subject);
  };
  hooks.log = log_;
  hooks.fail_over = [this](const ops::FailoverNotice& notice, Handler<void> handler) {
    hooks_->run(notice, std::move(handler));
  };
  hooks.fenced = [this](const Error& why) {
    if (on_fenced_) on_fenced_(why);
  };
  manager_ = std::make_unique<ops::MySQLServerManager>(
      ops::Ports{scheduler_, *iaas_, *agent_, *journal_, trace_}, std::move(config), std::move(hooks));
  service_ = std::make_unique<api::Service>(*manager_, scheduler_, trace_);
  return success();
}

ServeWorld::~ServeWorld() {
  service_.reset();
  manager_.reset();
  hooks_.reset();
  domain_.kill();
  cloud_domain_.kill();
}

Result<void> ServeWorld::start(RealTimePump&, const std::string&) {
  cloud_->for_each_instance([this](const cloud::Instance& vm) {
    if (!vm.powered) return;
    fleet_->instance_booted(cloud_->info(vm), vm.spec.user_data);
    if (vm.paused) fleet_->instance_paused(vm.id, true);
  });
  cloud_->set_observer([this](const cloud::Instance& vm, InstanceState) {
    if (engine_->watching()) engine_->observe(std::string("vm.") + to_text(vm.state), fault_subject(vm));
  });
  if (engine_->watching()) save_later();
  return manager_->start();
}

void ServeWorld::save() {
  if (engine_->watching()) save_counts(*engine_, *cloud_);
}

void ServeWorld::save_later() {
  scheduler_.call_after(domain_, kSaveEvery, [this] {
    save();
    save_later();
  });
}

void ServeWorld::heartbeat(const node::Heartbeat& beat) {
  if (!service_) return;
  api::Request request;
  request.verb = api::Verb::post;
  request.method = "register_node";
  request.params["state"] = nlohmann::json{{"id", beat.id},
                                           {"name", beat.name},
                                           {"state", beat.state},
                                           {"ip", beat.ip},
                                           {"port", std::to_string(beat.port)},
                                           {"mysqld_port", std::to_string(beat.mysqld_port)}};
  service_->handle(std::move(request), [](api::Response) {});
}

std::string ServeWorld::metrics() const {
  std::string text = service_->metrics();
  text +=
      "# HELP drover_mock_instances VMs of the mock cloud by state.\n# TYPE drover_mock_instances gauge\n";
  for (int i = 0; i < kInstanceStates; ++i) {
    const auto state = static_cast<InstanceState>(i);
    text += std::string("drover_mock_instances{state=\"") + to_text(state) + "\"} " +
            std::to_string(cloud_->count(state)) + "\n";
  }
  return text;
}

}  // namespace drover::tools
