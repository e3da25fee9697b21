#include "scenarios/local/local_world.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "manager/base/hash.hpp"
#include "manager/system/child_process.hpp"

namespace drover::scenario {
namespace {

constexpr Pace kPace{.await_look = 100ms,
                     .settle_bound = 5min,
                     .settle_look = 250ms,
                     .settle_hold = 3s,
                     .catch_up_bound = 1min,
                     .catch_up_look = 200ms};
constexpr Duration kDoubtAtMostEvery = 100ms;

}  // namespace

// --- counting ports, below the faults: what really went out ---

class LocalWorld::CountingIaas final : public Iaas {
 public:
  CountingIaas(Iaas& inner, std::uint64_t& calls, std::function<void()> created)
      : inner_(inner), calls_(calls), created_(std::move(created)) {}
  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override {
    ++calls_;
    inner_.newInstance(context, spec, token,
                       [this, done = std::move(handler)](Result<InstanceInfo> answer) mutable {
                         created_();
                         done(std::move(answer));
                       });
  }
  void killInstance(const CallContext& context, const std::string& id, Handler<void> handler) override {
    ++calls_;
    inner_.killInstance(context, id, std::move(handler));
  }
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override {
    ++calls_;
    inner_.getVMInfo(context, id, std::move(handler));
  }
  void listVMs(const CallContext& context, const std::string& key, const std::string& value,
               Handler<std::vector<InstanceInfo>> handler) override {
    ++calls_;
    inner_.listVMs(context, key, value, std::move(handler));
  }
  void createVolume(const CallContext& context, const std::string& name, unsigned gigabytes,
                    const std::string& token, Handler<VolumeInfo> handler) override {
    ++calls_;
    inner_.createVolume(context, name, gigabytes, token, std::move(handler));
  }
  void attachVolume(const CallContext& context, const std::string& volume, const std::string& instance,
                    Handler<void> handler) override {
    ++calls_;
    inner_.attachVolume(context, volume, instance, std::move(handler));
  }
  void deleteVolume(const CallContext& context, const std::string& volume, Handler<void> handler) override {
    ++calls_;
    inner_.deleteVolume(context, volume, std::move(handler));
  }
  void listVolumes(const CallContext& context, Handler<std::vector<VolumeInfo>> handler) override {
    ++calls_;
    inner_.listVolumes(context, std::move(handler));
  }

 private:
  Iaas& inner_;
  std::uint64_t& calls_;
  std::function<void()> created_;
};

class LocalWorld::CountingAgent final : public Agent {
 public:
  CountingAgent(Agent& inner, std::uint64_t& calls) : inner_(inner), calls_(calls) {}
  void call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
            Handler<AgentReply> handler) override {
    ++calls_;
    inner_.call(context, endpoint, command, std::move(handler));
  }

 private:
  Agent& inner_;
  std::uint64_t& calls_;
};

// --- making, starting, ending ---

LocalWorld::LocalWorld(const Scenario& scenario, std::uint64_t seed, const LocalPlace& place,
                       asio::io_context& io)
    : World(scenario, seed),
      place_(place),
      io_(io),
      pump_(io, scheduler_),
      self_(std::make_shared<LocalWorld*>(this)) {
  // As drover serve --cloud local: looking at a VM costs nothing here.
  if (scenario.manager.is_default("poll_interval")) configuration_.poll_interval = 200ms;
}

Result<std::unique_ptr<LocalWorld>> LocalWorld::open(const Scenario& scenario, std::uint64_t seed,
                                                     const LocalPlace& place, asio::io_context& io) {
  std::unique_ptr<LocalWorld> world(new LocalWorld(scenario, seed, place, io));
  DROVER_TRY(world->prepare());
  return world;
}

Result<void> LocalWorld::prepare() {
  const std::string token = "token-" + std::to_string(hash_text(place_.folder));
  secrets_.insert(token);
  const std::string token_file = place_.folder + "/token";
  DROVER_TRY(system::save_file(token_file, token + "\n"));
  DROVER_TRY(store_, SqliteStore::open(place_.folder + "/journal"));
  LocalCloudConfig cloud;
  cloud.folder = place_.folder;
  cloud.program = place_.program;
  cloud.token_file = token_file;
  cloud.template_folder = place_.data_template;
  cloud.agent_port = configuration_.agent_port;
  cloud.ephemeral = true;
  cloud.network = place_.network;
  if (scenario_.cloud.has("quota.instances"))
    cloud.instances_max = static_cast<unsigned>(scenario_.cloud.integer("quota.instances"));
  DROVER_TRY(cloud_, LocalCloud::open(scheduler_, std::move(cloud), [this](const std::string& line) {
               trace_.add(TraceKind::instance, "cloud", line);
             }));
  http_agent_ = std::make_unique<HttpAgent>(io_, pump_, Secret{token});
  engine_ = std::make_unique<fault::Engine>(scheduler_, domain_, choices_, trace_, scenario_.faults,
                                            static_cast<fault::ActionSink&>(*this));
  counting_iaas_ = std::make_unique<CountingIaas>(*cloud_, iaas_calls_, [this] { watch_machines(); });
  counting_agent_ = std::make_unique<CountingAgent>(*http_agent_, agent_calls_);
  iaas_ = std::make_unique<fault::FaultyIaas>(*counting_iaas_, *engine_);
  agent_ = std::make_unique<fault::FaultyAgent>(*counting_agent_, *engine_);
  faulty_store_ = std::make_unique<fault::FaultyStore>(*store_, *engine_);
  servers_ = std::make_unique<RealServers>(place_.user);
  const auto writers = static_cast<unsigned>(scenario_.traffic.integer("writers"));
  if (writers == 0) return success();
  Writers::Config config;
  config.writers = writers;
  config.rate_per_second = scenario_.traffic.number("rate");
  config.password = place_.writers_password;
  config.on_failure = [this, self = std::weak_ptr(self_)] {
    asio::post(io_, [this, self] {
      if (self.lock()) ask_topology_again();
    });
  };
  writers_ = std::make_unique<Writers>(std::move(config));
  return success();
}

LocalWorld::~LocalWorld() {
  pump_.stop();
  if (writers_) writers_->stop();
  held_connections_.clear();
  manager_.reset();
  domain_.kill();
  // What stands still would not end by a polite signal; this one is not polite.
  if (cloud_) cloud_->terminate_all();
  writers_.reset();  // after the servers: a writer may wait for one
  servers_.reset();
  self_.reset();
  http_agent_.reset();
  // What other threads have sent is let go of while there is still something to let go of it from.
  io_.restart();
  io_.poll();
  cloud_.reset();
}

Pace LocalWorld::pace() const { return kPace; }

void LocalWorld::start() {
  pump_.start();
  start_manager();
  see_often();
  if (!writers_) return;
  ask_topology();
  writers_->start();
}

// --- managers ---

ops::Hooks LocalWorld::hooks() {
  ops::Hooks hooks;
  hooks.observe = [this](std::string_view point, std::string_view subject) {
    engine_->observe(point, subject);
  };
  hooks.log = [this](const std::string& line) {
    trace_.add(TraceKind::note, "manager", line);
    if (watch_) watch_(line, "the log");
  };
  hooks.violation = [this](const std::string& what) { report("S5", what, "S5 illegal transition"); };
  hooks.fenced = [this](const Error& why) { report("S8", "fenced off: " + why.message, "S8 fenced"); };
  return hooks;
}

void LocalWorld::start_manager() {
  if (manager_) return;
  ++incarnations_;
  const ops::Ports ports{scheduler_, *iaas_, *agent_, *faulty_store_, trace_};
  manager_ = std::make_unique<Incarnation>(ports, configuration_, hooks());
  const auto started = manager_->manager.start();
  if (started.has_value()) return;
  manager_.reset();
  report("S8", "the manager cannot start from its journal: " + started.error().message,
         "S8 journal unreadable");
}

// As a process that is killed: everything of it is gone, its journal is a file.
void LocalWorld::crash_manager(std::optional<Duration> restart) {
  if (!manager_ || manager_->ending) return;
  manager_->ending = true;
  // Never from inside one of its own coroutines.
  scheduler_.call_soon(domain_, [this, restart] {
    trace_.add(TraceKind::crash, "manager", "crashed");
    manager_.reset();
    engine_->manager_crashed();
    for (auto& [number, call] : std::exchange(pending_, {}))
      call.answer(make_error(ErrorCode::connection_lost,
                             "the connection to the manager broke before it answered", Effect::possible));
    if (restart) scheduler_.call_after(domain_, *restart, [this] { start_manager(); });
  });
}

void LocalWorld::crash_again(std::uint64_t times, Duration up, Duration down) {
  crash_manager(down);
  if (times > 1)
    scheduler_.call_after(domain_, down + up, [this, times, up, down] {
      if (!quiet_) crash_again(times - 1, up, down);
    });
}

void LocalWorld::freeze_manager(Duration time) {
  trace_.add(TraceKind::crash, "manager", "frozen");
  manager_->manager.freeze();
  later(time, [this] { thaw_manager(); });
}

void LocalWorld::thaw_manager() {
  if (!manager_ || !manager_->manager.frozen() || manager_->manager.stood_down()) return;
  trace_.add(TraceKind::crash, "manager", "goes on");
  manager_->manager.thaw();
  for (auto& request : std::exchange(manager_->waiting, {}))
    scheduler_.call_soon(domain_, std::move(request));
}

// --- clients ---

void LocalWorld::request(api::Request request, std::function<void(ClientAnswer)> answer, Patience) {
  if (!manager_ || manager_->ending)
    return answer(make_error(ErrorCode::unavailable, "connection refused: the manager does not run"));
  const std::uint64_t number = ++last_request_;
  pending_[number] = OpenCall{std::move(answer), scheduler_.now()};
  if (manager_->manager.frozen()) {
    manager_->waiting.push_back([this, number, request = std::move(request)] { deliver(number, request); });
    return;
  }
  deliver(number, std::move(request));
}

void LocalWorld::deliver(std::uint64_t number, api::Request request) {
  if (!manager_) return;
  manager_->service.handle(std::move(request), [this, number](api::Response response) {
    auto found = pending_.extract(number);
    if (found.empty()) return;
    if (watch_) watch_(response.error + response.result.dump(), "an answer");
    found.mapped().answer(std::move(response));
  });
}

TimePoint LocalWorld::pending_since() const {
  return pending_.empty() ? kNever : pending_.begin()->second.since;
}

std::string LocalWorld::add_upload(std::string content) {
  const std::string path = place_.folder + "/upload-" + std::to_string(++uploads_);
  if (const auto saved = system::save_file(path, content); saved.has_error())
    trace_.add(TraceKind::note, "upload", saved.error().message);
  return path;
}

// What the writers believe: they ask now and then, and after a write that failed.
void LocalWorld::ask_topology() {
  if (traffic_ended_) return;
  ask_topology_again();
  scheduler_.call_after(domain_, scenario_.traffic.duration("topology_every"), [this] { ask_topology(); });
}

void LocalWorld::ask_topology_again() {
  if (asks_topology_soon_ || traffic_ended_) return;
  asks_topology_soon_ = true;
  pump_.submit([this] {
    scheduler_.call_after(domain_, kDoubtAtMostEvery, [this] {
      asks_topology_soon_ = false;
      api::Request question;
      question.verb = api::Verb::get;
      question.method = "get_topology";
      question.params = nlohmann::json::object();
      request(std::move(question), [this](const ClientAnswer& answer) {
        if (answer.has_error() || answer.value().failed || !answer.value().result.is_object()) return;
        const auto& topology = answer.value().result;
        std::optional<std::string> master;
        const auto id = topology.find("master");
        if (id != topology.end() && id->is_string())
          for (const auto& row : topology.value("nodes", nlohmann::json::array()))
            if (row.value("id", std::string()) == id->get<std::string>())
              master = row.value("ip", std::string());
        if (master == known_master_ || (master && master->empty())) return;
        trace_.add(TraceKind::client, "clients", "master:", master ? *master : "none");
        known_master_ = master;
        writers_->set_master(master);
      });
    });
  });
}

void LocalWorld::stop_traffic() {
  traffic_ended_ = true;
  if (writers_) writers_->stop();
}

void LocalWorld::quiesce() {
  if (quiet_) return;
  quiet_ = true;
  trace_.add(TraceKind::step, "quiesce");
  engine_->stop();
  for (auto& heal : std::exchange(healers_, {})) heal();
  if (!manager_) start_manager();
}

void LocalWorld::destroy_foreign(const std::string& target, Handler<void> handler) {
  const auto vm = machine_of(target);
  if (!vm) return handler(make_error(ErrorCode::not_found, "there is no VM of \"" + target + "\""));
  lost_disk_ = true;
  cloud_->killInstance(CallContext{"somebody", 1min}, vm->id, std::move(handler));
}

}  // namespace drover::scenario
