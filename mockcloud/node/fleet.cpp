// Lifecycle of the nodes, the way of agent calls to them, heartbeats, and clients.
#include "mockcloud/node/fleet.hpp"

#include <algorithm>

namespace drover::node {
namespace {

constexpr std::uint64_t kUnanswered = 0;  // number of a call whose answer nobody waits for
constexpr Duration kWorthAnEvent = 10ms;  // a heartbeat that takes less is there at once

}  // namespace

Fleet::Fleet(Scheduler& scheduler, Choices& choices, Trace& trace, FleetConfig config, Links* links)
    : scheduler_(scheduler),
      choices_(choices),
      trace_(trace),
      config_(std::move(config)),
      links_(links != nullptr ? *links : open_links_),
      domain_(scheduler) {}

Fleet::~Fleet() {
  for (const auto& node : nodes_) node->agent->crash();
  domain_.kill();
}

// Finding nodes.

Fleet::Node* Fleet::find(const std::string& id) const {
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : at->second;
}

Fleet::Node* Fleet::live(const std::string& id) const {
  Node* node = find(id);
  return node != nullptr && !node->terminated ? node : nullptr;
}

Fleet::Node* Fleet::at(const std::string& address) const {
  const auto found = by_address_.find(address);
  return found == by_address_.end() || found->second.empty() ? nullptr : found->second.back();
}

Fleet::Node& Fleet::make(const InstanceInfo& info) {
  nodes_.push_back(std::make_unique<Node>());
  Node& node = *nodes_.back();
  node.id = info.id;
  node.name = info.name.empty() ? info.id : info.name;
  ServerHost& server_host = *this;
  AgentHost& agent_host = *this;
  node.server = std::make_unique<SimServer>(scheduler_, domain_, choices_, trace_, ledger_, server_host,
                                            node.name, config_.server);
  node.agent = std::make_unique<SimAgent>(scheduler_, choices_, trace_, agent_host, *node.server,
                                          config_.agent, config_.data_megabytes, node.id);
  by_id_[node.id] = &node;
  node.server->set_host_index(nodes_.size() - 1);
  return node;
}

void Fleet::set_address(Node& node, const std::string& address) {
  if (node.address == address) return;
  if (!node.address.empty()) std::erase(by_address_[node.address], &node);
  node.address = address;
  if (!address.empty()) by_address_[address].push_back(&node);
}

// InstanceListener.

void Fleet::instance_booted(const InstanceInfo& info, const std::string&) {
  Node* node = find(info.id);
  if (node == nullptr) node = &make(info);
  if (node->terminated) return;
  set_address(*node, info.address);
  power_off(*node);
  node->installed = config_.image.empty() || info.image == config_.image;
  begin_boot(*node);
}

void Fleet::begin_boot(Node& node) {
  node.powered = true;
  node.paused = false;
  node.agent->set_frozen(false);
  node.server->set_frozen(false);
  const std::uint64_t boot = ++node.boot;
  refresh(node);
  if (!node.installed) return;
  const Duration wait = config_.agent_start.sample(choices_, node.name, "agent_start");
  scheduler_.call_after(domain_, wait, [this, &node, boot] {
    if (node.boot != boot) return;
    node.agent->start();
    start_heartbeats(node);
    refresh(node);
  });
}

// Everything on the machine ends at once; nobody outside is told.
void Fleet::power_off(Node& node) {
  ++node.boot;
  ++node.heartbeat;
  node.powered = false;
  node.agent->crash();
  break_calls(node, false);
  node.server->power_off();
  refresh(node);
}

void Fleet::instance_rebooted(const std::string& id, bool keep_disk) {
  Node* node = live(id);
  if (node == nullptr) return;
  power_off(*node);
  if (!keep_disk) {
    node->agent->wipe();
    node->server->wipe();
  }
  begin_boot(*node);
  links_changed();
}

void Fleet::instance_address_changed(const std::string& id, const std::string& address) {
  Node* node = live(id);
  if (node == nullptr) return;
  set_address(*node, address);
  if (node->agent->running()) start_heartbeats(*node);
  refresh(*node);
  links_changed();
}

void Fleet::instance_paused(const std::string& id, bool paused) {
  Node* node = live(id);
  if (node == nullptr || node->paused == paused) return;
  node->paused = paused;
  node->agent->set_frozen(paused);
  node->server->set_frozen(paused);
  refresh(*node);
}

void Fleet::instance_stopped(const std::string& id) {
  if (Node* node = live(id)) power_off(*node);
}

void Fleet::instance_terminated(const std::string& id) {
  Node* node = live(id);
  if (node == nullptr) return;
  power_off(*node);
  node->terminated = true;
  set_address(*node, "");
  node->agent->wipe();
  node->server->wipe();
  refresh(*node);
}

void Fleet::links_changed() {
  for (const auto& node : nodes_) {
    node->server->recheck_connection();
    refresh(*node);
  }
}

// Agent calls.

void Fleet::call(const CallContext&, const Endpoint& endpoint, const AgentCommand& command,
                 Handler<AgentReply> handler) {
  const std::uint64_t number = ++last_call_;
  calls_.emplace(number, Call{std::move(handler), nullptr});
  const Node* node = at(endpoint.address);
  const Arrivals arrivals = node != nullptr ? links_.send(kManager, node->name, Message::agent_call)
                                            : Arrivals(config_.refused_after);
  if (arrivals.size() == 0) calls_.erase(number);
  std::uint64_t copy = number;
  for (const Duration way : arrivals) {
    scheduler_.call_after(domain_, way, [this, copy, endpoint, command] { arrive(copy, endpoint, command); });
    copy = kUnanswered;
  }
}

void Fleet::arrive(std::uint64_t call, const Endpoint& endpoint, const AgentCommand& command) {
  Node* node = at(endpoint.address);
  if (call == kUnanswered) {
    if (node != nullptr && node->powered && links_.can_reach(kManager, node->name))
      node->agent->receive(call, command);
    return;
  }
  const bool silent = node != nullptr && (!node->powered || !links_.can_reach(kManager, node->name));
  if (silent) {
    calls_.erase(call);
    return;
  }
  const bool listens = node != nullptr && endpoint.port == config_.agent_port && node->agent->running();
  if (!listens && node != nullptr && node->paused) {
    calls_.erase(call);
    return;
  }
  if (!listens) {
    scheduler_.call_after(domain_, config_.refused_after, [this, call, address = endpoint.address] {
      deliver_reply(
          call, make_error(ErrorCode::unavailable,
                           "Nothing answers at " + address + ": no agent listens there (connection refused).",
                           Effect::none, Retry::soon));
    });
    return;
  }
  calls_.at(call).node = node;
  node->agent->receive(call, command);
}

void Fleet::agent_reply(std::uint64_t call, Result<AgentReply> result) {
  const auto at = calls_.find(call);
  if (at == calls_.end()) return;
  const Node& node = *at->second.node;
  at->second.node = nullptr;  // a crash from now on does not unsay the answer
  if (!links_.can_reach(node.name, kManager)) {
    calls_.erase(at);
    return;
  }
  const Arrivals arrivals = links_.send(node.name, kManager, Message::agent_reply);
  if (arrivals.size() == 0) {
    calls_.erase(at);
    return;
  }
  auto arrive = [this, call, answer = std::move(result)]() mutable {
    deliver_reply(call, std::move(answer));
  };
  scheduler_.call_after(domain_, *arrivals.begin(), std::move(arrive));
}

void Fleet::deliver_reply(std::uint64_t call, Result<AgentReply> result) {
  auto found = calls_.extract(call);
  if (!found.empty()) found.mapped().handler(std::move(result));
}

// The agent's process is gone: callers see a broken connection, or nothing at all.
void Fleet::break_calls(Node& node, bool told) {
  std::vector<std::uint64_t> broken;
  for (const auto& [number, call] : calls_)
    if (call.node == &node) broken.push_back(number);
  const bool heard = told && links_.can_reach(node.name, kManager);
  for (const std::uint64_t number : broken) {
    if (heard)
      agent_reply(number, make_error(ErrorCode::connection_lost,
                                     "The agent of " + node.name + " ended before it answered.",
                                     Effect::possible, Retry::soon));
    else
      calls_.erase(number);
  }
}

void Fleet::agent_crashes(const std::string& id, std::optional<Duration> restart) {
  scheduler_.call_soon(domain_, [this, id, restart] { crash_agent(id, restart); });
}

Result<std::string> Fleet::read_dump(const std::string& path) {
  if (config_.read_dump) return config_.read_dump(path);
  return make_error(ErrorCode::not_found, "The dump " + path + " cannot be read: there is no such file.");
}

// Heartbeats.

void Fleet::start_heartbeats(Node& node) {
  if (config_.heartbeat_interval <= Duration{0} || node.address.empty()) return;
  heartbeat(node, ++node.heartbeat);
}

void Fleet::heartbeat(Node& node, std::uint64_t number) {
  if (node.heartbeat != number || !node.agent->running()) return;
  const bool sent = !node.paused && !node.agent->controls().hung && links_.can_reach(node.name, kManager);
  if (sent && config_.on_heartbeat) {
    const Heartbeat beat{node.id,      node.name,          node.server->running() ? "RUNNING" : "STOPPED",
                         node.address, config_.agent_port, node.server->config().port};
    for (const Duration way : links_.send(node.name, kManager, Message::heartbeat)) {
      if (way < kWorthAnEvent)
        config_.on_heartbeat(beat);
      else
        scheduler_.call_after(domain_, way, [this, beat] { config_.on_heartbeat(beat); });
    }
  }
  scheduler_.call_after(domain_, node.server->pace().timeout(config_.heartbeat_interval, scheduler_.now()),
                        [this, &node, number] { heartbeat(node, number); });
}

// ServerHost.

SimServer* Fleet::server_at(const std::string& address, std::uint16_t port) {
  Node* node = at(address);
  return node != nullptr && node->server->config().port == port ? node->server.get() : nullptr;
}

bool Fleet::connected(const SimServer& from, const SimServer& to) const {
  const Node& a = node_of(from);
  const Node& b = node_of(to);
  return a.powered && b.powered && !a.paused && !b.paused && links_.can_reach(a.name, b.name) &&
         links_.can_reach(b.name, a.name);
}

Duration Fleet::delay(const SimServer& from, const SimServer& to) {
  return links_.delay(from.name(), to.name());
}

void Fleet::server_changed(SimServer& server) { refresh(node_of(server)); }

void Fleet::write_acknowledged(const SimServer& server, Stamp stamp) {
  if (config_.on_acknowledged) config_.on_acknowledged(server, stamp);
}

void Fleet::replication_entered(SimServer& server, ReplicationPhase phase) {
  if (config_.on_replication) config_.on_replication(node_of(server).id, phase);
}

void Fleet::agent_changed(const std::string& id) {
  if (Node* node = find(id)) refresh(*node);
}

// Clients.

void Fleet::client_write(Domain& client, const std::string& address, Ledger::Item counter,
                         WriteListener* listener, std::uint64_t token) {
  const auto way = client_way_to(address);
  if (!way) return;
  scheduler_.call_after(client, *way, [this, address, counter, listener, token] {
    const Node* node = at(address);
    if (node == nullptr) {
      listener->write_done(token, WriteOutcome::refused, kNoStamp);
    } else if (node->powered && links_.can_reach(kClients, node->name)) {
      const bool answers = node->server->responsive() || (!node->server->running() && !node->paused);
      if (answers) node->server->write(counter, listener, token);
    }
  });
}

void Fleet::client_read(Domain& client, const std::string& address, Ledger::Item counter,
                        std::function<void(std::optional<std::uint64_t>)> done) {
  const auto way = client_way_to(address);
  if (!way) return;
  scheduler_.call_after(client, *way, [this, &client, address, counter, done = std::move(done)]() mutable {
    const Node* node = at(address);
    std::optional<std::uint64_t> value;
    if (node != nullptr) {
      const bool answers = client_reaches(*node) && (node->server->responsive() || !node->server->running());
      if (!answers) return;
      if (node->server->running() && !node->server->connections_exhausted())
        value = node->server->read_counter(counter);
    }
    const auto back = client_way_back(address);
    if (back) scheduler_.call_after(client, *back, [done = std::move(done), value] { done(value); });
  });
}

void Fleet::forget(const WriteListener* listener) {
  for (const auto& node : nodes_) node->server->forget(listener);
}

// Nothing when the statement is lost.
std::optional<Duration> Fleet::client_way_to(const std::string& address) {
  const Node* node = at(address);
  if (node == nullptr) return config_.refused_after;
  const Arrivals arrivals = links_.send(kClients, node->name, Message::statement);
  return arrivals.size() == 0 ? std::nullopt : std::optional<Duration>(*arrivals.begin());
}

std::optional<Duration> Fleet::client_way_back(const std::string& address) {
  const Node* node = at(address);
  if (node == nullptr) return config_.refused_after;
  if (!links_.can_reach(node->name, kClients)) return std::nullopt;
  const Arrivals arrivals = links_.send(node->name, kClients, Message::statement_reply);
  return arrivals.size() == 0 ? std::nullopt : std::optional<Duration>(*arrivals.begin());
}

bool Fleet::client_reaches(const Node& node) const {
  return node.powered && !node.paused && !node.address.empty() && at(node.address) == &node &&
         links_.can_reach(kClients, node.name) && links_.can_reach(node.name, kClients);
}

}  // namespace drover::node
