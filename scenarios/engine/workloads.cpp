#include "scenarios/engine/workloads.hpp"

#include "scenarios/engine/steps.hpp"

namespace drover::scenario {
namespace {

using nlohmann::json;

// Some id that a client may know: mostly a member, sometimes nonsense.
std::string some_id(World& world, const std::string& client) {
  auto& choices = world.choices();
  if (world.manager() == nullptr || choices.chance(0.1, client, "nonsense")) return "999";
  const auto listed = world.manager()->listed_nodes();
  if (listed.empty()) return "1";
  return model::id_text(listed[choices.below(listed.size(), client, "node")]);
}

std::pair<std::string, json> some_call(World& world, const std::string& client) {
  const auto id = some_id(world, client);
  switch (world.choices().below(14, client, "method")) {
    case 0:
      return {"add_nodes", json{{"count", 1 + world.choices().below(2, client, "count")}}};
    case 1:
      return {"remove_nodes", json{{"serviceNodeId", id}}};
    case 2:
      return {"remove_nodes", json{{"count", 1}}};
    case 3:
      return {"set_up_replica_master", json{{"id", id}}};
    case 4:
      return {"set_up_replica_slave", json{{"id", id}}};
    case 5:
      return {"promote", json{{"id", id}}};
    case 6:
      return {"list_nodes", json::object()};
    case 7:
      return {"get_node_info", json{{"serviceNodeId", id}}};
    case 8:
      return {"get_service_info", json::object()};
    case 9:
      return {"get_topology", json::object()};
    case 10:
      return {"list_operations", json::object()};
    case 11:
      return {"create_replica", json{{"master_id", id}}};
    case 12:
      return {"cancel_operation",
              json{{"id", std::to_string(1 + world.choices().below(20, client, "operation"))}}};
    default:
      return {"get_users", json::object()};
  }
}

struct Clients {
  std::size_t working = 0;
  std::string trouble;
  Signal done;
};

Task<void> one_client(World* world, Referee* referee, std::string name, unsigned calls, Duration gap,
                      std::shared_ptr<Clients> clients) {
  for (unsigned i = 0; i < calls; ++i) {
    co_await sleep_for(Distribution::exponential(gap).sample(world->choices(), name, "gap"));
    auto [method, params] = some_call(*world, name);
    const api::Request request = make_request(*world, method, params);
    const ClientAnswer answer =
        co_await await_reply<api::Response>(20min, [&](Handler<api::Response> handler) {
          auto shared = std::make_shared<Handler<api::Response>>(std::move(handler));
          world->request(request, [shared](ClientAnswer got) { (*shared)(std::move(got)); });
        });
    if (answer.has_error()) {
      const bool excused = world->is_disturbed();  // its request may still be under way
      if (answer.error().code == ErrorCode::timeout && !excused && clients->trouble.empty())
        clients->trouble = name + " got no answer to " + method;
      continue;
    }
    const auto& response = answer.value();
    if (!response.failed && response.result.is_object() && response.result.contains("operation") &&
        response.result.at("operation").is_string())
      referee->acknowledged(std::stoll(response.result.at("operation").get<std::string>()), "");
    // Refusals are fine, failures of the manager itself are not.
    const bool journal_full = response.error.find("the journal cannot be written") != std::string::npos;
    if (response.failed && response.code == api::Code::E_UNKNOWN && method != "get_users" && !journal_full &&
        clients->trouble.empty())
      clients->trouble = method + " failed: " + response.error;
  }
  if (--clients->working == 0) clients->done.notify_all();
}

// Clients that call whatever comes to their mind. with: clients (3), calls (20 each), gap ("20s", the mean).
Task<std::string> mixed_calls(World& world, Referee& referee, json with) {
  const auto count = with.value("clients", 3U);
  const auto calls = with.value("calls", 20U);
  const Duration gap = parse_duration(with.value("gap", "20s")).value_or(20s);
  auto clients = std::make_shared<Clients>();
  clients->working = count;
  for (unsigned i = 1; i <= count; ++i)
    spawn(world.domain(), one_client(&world, &referee, "client-" + std::to_string(i), calls, gap, clients));
  while (clients->working > 0) (void)co_await clients->done.wait(kForever);
  co_return clients->trouble;
}

// Somebody destroys a node's VM at the provider's console. with: node ("node-2").
Task<std::string> foreign_kill(World& world, Referee&, json with) {
  const std::string target = with.value("node", std::string());
  const auto killed = co_await await_reply<void>(
      1min, [&](Handler<void> handler) { world.destroy_foreign(target, std::move(handler)); });
  if (killed.has_error()) co_return killed.error().message;
  co_return std::string();
}

}  // namespace

const std::vector<NamedWorkload>& workloads() {
  static const std::vector<NamedWorkload> all = {
      {"mixed_calls", "clients that make random legal and illegal calls; with: clients, calls, gap",
       &mixed_calls},
      {"foreign_kill", "somebody destroys a node's VM behind the manager's back; with: node", &foreign_kill},
  };
  return all;
}

const NamedWorkload* find_workload(const std::string& name) {
  for (const auto& workload : workloads())
    if (workload.name == name) return &workload;
  return nullptr;
}

}  // namespace drover::scenario
