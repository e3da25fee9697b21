#include "scenarios/cloud/cloud_world.hpp"

#include <algorithm>

#include "manager/system/child_process.hpp"

namespace drover::scenario {
namespace {

constexpr Duration kLookEvery = 2s;
constexpr Duration kCall = 30s;        // of a look at the cloud
constexpr Duration kAgentAnswer = 5s;  // of a look at a server
constexpr Duration kEndWithin = 10min;
constexpr Duration kEndAgain = 5s;

double number(std::integral auto value) { return static_cast<double>(value); }

bool replicates(const ServerState& server) {
  return server.running && server.replication.configured && server.replication.io == ThreadState::yes &&
         server.replication.sql_running;
}

std::string node_of(const InstanceInfo& vm) {
  const std::string tag = vm.tag(kNodeTag);
  return tag.substr(0, tag.find('.'));
}

}  // namespace

CloudWorld::CloudWorld(const Scenario& scenario, std::uint64_t seed, const CloudPlace& place,
                       asio::io_context& io)
    : RealWorld(scenario, seed, io), place_(place) {
  configuration_.instance = place_.instance;
  if (place_.agent_port != 0) configuration_.agent_port = place_.agent_port;
}

Result<std::unique_ptr<CloudWorld>> CloudWorld::open(const Scenario& scenario, std::uint64_t seed,
                                                     const CloudPlace& place, const std::string& run,
                                                     std::int64_t wall, asio::io_context& io) {
  std::unique_ptr<CloudWorld> world(new CloudWorld(scenario, seed, place, io));
  DROVER_TRY(world->prepare(run, wall));
  return world;
}

Result<void> CloudWorld::prepare(const std::string& run, std::int64_t wall) {
  // A name of its own: nothing that another manager of the account has is this one's.
  configuration_.service_id = run;
  secrets_.insert(place_.agent_token.value);
  DROVER_TRY(store_, SqliteStore::open(place_.folder + "/" + run + ".journal"));
  HttpClientConfig http;
  http.ca_file = place_.ca_file;
  client_ = std::make_unique<NetHttpClient>(
      io_, client_domain_, [this](std::move_only_function<void()> input) { pump_.submit(std::move(input)); },
      std::move(http));
  DROVER_TRY(driver_, place_.make_driver(scheduler_, *client_));
  CloudLimits limits;
  limits.run = run;
  limits.max_instances = scenario_.real.max_instances;
  limits.until = scheduler_.later(scenario_.real.ttl);
  limits.until_text = std::to_string(wall + scenario_.real.ttl / 1s);
  guard_ = std::make_unique<GuardedCloud>(*driver_, scheduler_, std::move(limits));
  http_agent_ = std::make_unique<HttpAgent>(io_, pump_, place_.agent_token);
  make_ports(*guard_, *http_agent_, *store_, [this] { watch_vms(); });
  return success();
}

CloudWorld::~CloudWorld() {
  pump_.stop();
  manager_.reset();
  domain_.kill();
  last_domain_.kill();
  http_agent_.reset();
  driver_.reset();
  client_.reset();
  io_.restart();
  io_.poll();
}

Pace CloudWorld::pace() const {
  const auto slack = [this](Duration time) {
    return Duration(static_cast<Duration::rep>(static_cast<double>(time.count()) * scenario_.real.slack));
  };
  return {.await_look = 500ms,
          .settle_bound = slack(10min),
          .settle_look = 1s,
          .settle_hold = 5s,
          .catch_up_bound = slack(2min),
          .catch_up_look = 1s};
}

void CloudWorld::start() {
  pump_.start();
  start_manager();
  spawn(domain_, see_often());
}

std::string CloudWorld::add_upload(std::string content) {
  const std::string path =
      place_.folder + "/" + guard_->limits().run + "-upload-" + std::to_string(++uploads_);
  if (const auto saved = system::save_file(path, content); saved.has_error())
    trace_.add(TraceKind::note, "upload", saved.error().message);
  return path;
}

Result<void> CloudWorld::act(const fault::Action& action) {
  if (action.name.starts_with("manager.")) return act_on_manager(action);
  return make_error(ErrorCode::invalid, "a real cloud cannot make the action \"" + action.name + "\"");
}

void CloudWorld::destroy_foreign(const std::string& target, Handler<void> handler) {
  std::string node = target;
  if (!node.empty() && node.find_first_not_of("0123456789") == std::string::npos) node = "node-" + node;
  std::string id;
  for (const auto& [vm, info] : guard_->seen())
    if (!is_gone(info.state) && (vm == target || node_of(info) == node)) id = vm;
  if (id.empty()) return handler(make_error(ErrorCode::not_found, "there is no VM of \"" + target + "\""));
  CallContext context;
  context.subject = "somebody";
  context.timeout = kCall;
  guard_->killInstance(context, id, std::move(handler));
}

// --- what is seen ---

Task<Result<std::vector<InstanceInfo>>> CloudWorld::list() {
  CallContext context;
  context.subject = "run";
  context.timeout = kCall;
  const std::string run = guard_->limits().run;
  auto start = [this, context, run](Handler<std::vector<InstanceInfo>> handler) {
    guard_->listVMs(context, kRunTag, run, std::move(handler));
  };
  auto result = co_await await_reply<std::vector<InstanceInfo>>(kCall, std::move(start));
  co_return result;
}

Task<void> CloudWorld::see(std::shared_ptr<Handler<void>> handler) {
  const auto listed = co_await list();
  if (listed.has_error()) trace_.add(TraceKind::note, "cloud", listed.error().message);
  std::map<std::string, ServerState> servers;
  std::vector<std::pair<std::string, std::string>> places;
  for (const auto& [vm, info] : guard_->seen())
    if (info.state == InstanceState::running && !info.address.empty()) places.emplace_back(vm, info.address);
  for (const auto& [vm, address] : places) {
    CallContext context;
    context.subject = "run";
    context.timeout = kAgentAnswer;
    const Endpoint endpoint{address, configuration_.agent_port};
    auto start = [this, context, endpoint](Handler<AgentReply> done) {
      http_agent_->call(context, endpoint, GetServerState{}, std::move(done));
    };
    auto reply = co_await await_reply<AgentReply>(kAgentAnswer, std::move(start));
    if (reply.has_value()) servers[vm] = std::move(reply.value().state);
  }
  servers_ = std::move(servers);
  watch_vms();
  trace_.add(TraceKind::database, "servers", std::to_string(servers_.size()) + " answer");
  if (handler) (*handler)(success());
}

Task<void> CloudWorld::see_often() {
  while (true) {
    co_await see(nullptr);
    co_await sleep_for(kLookEvery);
  }
}

void CloudWorld::look(Handler<void> handler) {
  spawn(domain_, see(std::make_shared<Handler<void>>(std::move(handler))));
}

void CloudWorld::watch_vms() {
  for (const auto& [vm, info] : guard_->seen()) {
    const auto [known, is_new] = states_.emplace(vm, info.state);
    if (!is_new && known->second == info.state) continue;
    known->second = info.state;
    trace_.add(TraceKind::instance, vm, node_of(info), " ", to_text(info.state));
    engine_->observe(std::string("vm.") + to_text(info.state), node_of(info));
  }
  high_water_ = std::max(high_water_, guard_->alive());
}

const ServerState* CloudWorld::server(const std::string& vm) const {
  const auto found = servers_.find(vm);
  return found == servers_.end() ? nullptr : &found->second;
}

std::vector<std::string> CloudWorld::living_vms() const {
  std::vector<std::string> living;
  for (const auto& [vm, info] : guard_->seen())
    if (!is_gone(info.state)) living.push_back(vm);
  return living;
}

std::size_t CloudWorld::leaked_instances() const {
  if (!manager_) return 0;
  const auto& model = manager_->manager.model();
  std::size_t leaked = 0;
  for (const auto& [vm, info] : guard_->seen()) {
    if (is_gone(info.state) || model.find(vm) != nullptr) continue;
    const std::string name = node_of(info);
    const auto* node = name.starts_with("node-") ? model.find(name.substr(5)) : nullptr;
    if (node == nullptr || !node->vm.empty()) ++leaked;
  }
  return leaked;
}

bool CloudWorld::replicas_lag() {
  return std::any_of(servers_.begin(), servers_.end(), [](const auto& entry) {
    return entry.second.replication.configured && entry.second.replication.seconds_behind != 0;
  });
}

double CloudWorld::truth(Truth which) {
  const auto count = [this](auto&& is_so) {
    return number(std::count_if(servers_.begin(), servers_.end(),
                                [&](const auto& entry) { return is_so(entry.second); }));
  };
  switch (which) {
    case Truth::healthy_replicas:
      return count([](const ServerState& server) { return replicates(server) && server.read_only; });
    case Truth::writable_masters:
      return count([](const ServerState& server) {
        return server.running && !server.read_only && !server.replication.configured;
      });
    case Truth::writable_servers:
      return count([](const ServerState& server) { return server.running && !server.read_only; });
    case Truth::lag_max: {
      double worst = 0;
      for (const auto& [vm, server] : servers_)
        if (server.replication.configured)
          worst = std::max(
              worst, server.replication.seconds_behind < 0 ? 1e9 : number(server.replication.seconds_behind));
      return worst;
    }
    case Truth::instances:
      return number(guard_->alive());
    case Truth::instances_created:
      return number(guard_->created());
    case Truth::instances_terminated:
      return number(guard_->created() - guard_->alive());
    case Truth::instances_high_water:
      return number(std::max(high_water_, guard_->alive()));
    case Truth::leaked_instances:
      return number(leaked_instances());
    case Truth::manager_starts:
      return number(incarnations_);
    case Truth::managers:
      return manager_ ? 1 : 0;
    case Truth::iaas_calls:
      return number(iaas_calls_);
    case Truth::agent_calls:
      return number(agent_calls_);
    default:
      return 0;
  }
}

// --- the end ---

void CloudWorld::end_everything(Handler<std::vector<std::string>> handler) {
  engine_->stop();
  manager_.reset();
  domain_.kill();
  spawn(last_domain_, end_vms(std::move(handler)));
}

Task<void> CloudWorld::end_vms(Handler<std::vector<std::string>> handler) {
  const TimePoint given_up = scheduler_.later(kEndWithin);
  std::vector<std::string> left;
  // Twice nothing: a listing may lag behind.
  unsigned empty = 0;
  while (empty < 2 && scheduler_.now() < given_up) {
    const auto listed = co_await list();
    left.clear();
    for (const auto& [vm, info] : guard_->seen())
      if (info.state != InstanceState::terminated) left.push_back(vm);
    if (listed.has_value()) {
      // What is listed no more is gone.
      std::erase_if(left, [&](const std::string& vm) {
        return std::none_of(listed.value().begin(), listed.value().end(), [&](const InstanceInfo& info) {
          return info.id == vm && info.state != InstanceState::terminated;
        });
      });
    }
    empty = listed.has_value() && left.empty() ? empty + 1 : 0;
    for (const std::string& vm : left) {
      CallContext context;
      context.subject = "run";
      context.timeout = kCall;
      auto start = [this, context, vm](Handler<void> done) {
        guard_->killInstance(context, vm, std::move(done));
      };
      const auto killed = co_await await_reply<void>(kCall, std::move(start));
      if (killed.has_error()) trace_.add(TraceKind::note, "cloud", killed.error().message);
    }
    if (empty < 2) co_await sleep_for(kEndAgain);
  }
  handler(std::move(left));
}

// --- the referee ---

std::vector<std::string> CloudReferee::judged() const {
  return {"S2", "S7", "S8", "S11", "L1", "L2", "L3", "L4", "L7"};
}

void CloudReferee::after_change() {}

bool CloudReferee::settled() {
  if (!is_at_rest()) return false;
  const auto& nodes = world_.manager()->model().nodes();
  return std::all_of(nodes.begin(), nodes.end(), [this](const auto& entry) {
    const model::Node& node = entry.second;
    if (!model::is_listed(node.state) || node.state == model::NodeState::lost) return true;
    const ServerState* server = world_.server(node.vm);
    if (server == nullptr || !server->running) return false;
    return node.role != Role::replica || replicates(*server);
  });
}

void CloudReferee::at_end(bool judged) {
  if (!check_manager(judged)) return;
  const double writable = world_.truth(Truth::writable_masters);
  if (writable > 1)
    world_.report(
        "S2", std::to_string(static_cast<int>(writable)) + " servers that replicate from nobody take writes",
        "S2 two writable");
  for (const auto& [id, node] : world_.manager()->model().nodes()) {
    if (node.role != Role::replica || node.state != model::NodeState::running) continue;
    const ServerState* server = world_.server(node.vm);
    if (server == nullptr || !replicates(*server))
      world_.report("L4", model::node_name(id) + " does not replicate", "L4 not replicating");
  }
}

}  // namespace drover::scenario
