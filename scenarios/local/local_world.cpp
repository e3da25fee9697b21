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
constexpr Duration kSendAgainEvery = 1s;

}  // namespace

// --- making, starting, ending ---

LocalWorld::LocalWorld(const Scenario& scenario, std::uint64_t seed, const LocalPlace& place,
                       asio::io_context& io)
    : RealWorld(scenario, seed, io), place_(place), self_(std::make_shared<LocalWorld*>(this)) {
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
  cloud.ground = place_.ground;
  if (place_.ground != nullptr && place_.ground->links() != nullptr)
    network_ = std::make_unique<LocalNetwork>(*this, *place_.ground->links());
  if (scenario_.cloud.has("quota.instances"))
    cloud.instances_max = static_cast<unsigned>(scenario_.cloud.integer("quota.instances"));
  DROVER_TRY(cloud_, LocalCloud::open(scheduler_, std::move(cloud), [this](const std::string& line) {
               trace_.add(TraceKind::instance, "cloud", line);
             }));
  http_agent_ = std::make_unique<HttpAgent>(io_, pump_, Secret{token});
  make_ports(*cloud_, *http_agent_, *store_, [this] { watch_machines(); });
  servers_ = std::make_unique<RealServers>(place_.user);
  const auto writers = static_cast<unsigned>(scenario_.traffic.integer("writers"));
  if (writers == 0) return success();
  Writers::Config config;
  config.writers = writers;
  config.rate_per_second = scenario_.traffic.number("rate");
  config.password = place_.writers_password;
  if (network_) config.network = place_.ground->clients_network();
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

void LocalWorld::quiesce() {
  if (network_ && !is_quiet()) network_->heal();
  RealWorld::quiesce();
}

// --- clients ---

void LocalWorld::carry(std::string_view from, std::string_view to, Patience patience,
                       std::function<void()> arrive) {
  if (!network_ || network_->reaches(from, to)) return arrive();
  if (patience == Patience::once) return;
  scheduler_.call_after(domain_, kSendAgainEvery, [this, from, to, patience, arrive = std::move(arrive)] {
    carry(from, to, patience, arrive);
  });
}

void LocalWorld::request(api::Request request, std::function<void(ClientAnswer)> answer, Patience patience) {
  if (!network_) return RealWorld::request(std::move(request), std::move(answer), patience);
  auto take = [this, answer = std::move(answer), patience](ClientAnswer with) {
    carry(kManagerParty, kClientsParty, patience, [answer, with = std::move(with)] { answer(with); });
  };
  carry(kClientsParty, kManagerParty, patience,
        [this, request = std::move(request), take = std::move(take), patience] {
          RealWorld::request(request, take, patience);
        });
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
      request(
          std::move(question),
          [this](const ClientAnswer& answer) {
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
          },
          Patience::once);
    });
  });
}

void LocalWorld::stop_traffic() {
  traffic_ended_ = true;
  if (writers_) writers_->stop();
}

void LocalWorld::destroy_foreign(const std::string& target, Handler<void> handler) {
  const auto vm = machine_of(target);
  if (!vm) return handler(make_error(ErrorCode::not_found, "there is no VM of \"" + target + "\""));
  lost_disk_ = true;
  cloud_->killInstance(CallContext{"somebody", 1min}, vm->id, std::move(handler));
}

}  // namespace drover::scenario
