// What is asked of the members: who they are, what the cloud and their agents say of them, and what their
// heartbeats tell.
#include <algorithm>

#include "manager/ops/manager.hpp"
#include "manager/runtime/parallel.hpp"

namespace drover::ops {

using model::NodeEvent;
using model::NodeId;

std::vector<NodeId> MySQLServerManager::listed_nodes() const {
  std::vector<NodeId> listed;
  for (const auto& [id, node] : core_.model.nodes())
    if (model::is_listed(node.state)) listed.push_back(id);
  return listed;
}

void MySQLServerManager::list_nodes(Handler<std::vector<NodeId>> handler) {
  spawn(core_.domain, list(std::move(handler)));
}

Task<void> MySQLServerManager::list(Handler<std::vector<NodeId>> handler) {
  if (core_.model.listed() > 0) {
    auto seen = co_await core_.list_vms("list_nodes", kServiceTag, core_.config.service_id);
    if (seen.has_value()) {
      std::vector<std::string> live;
      for (const auto& info : seen.value())
        if (!is_gone(info.state)) live.push_back(info.id);
      std::sort(live.begin(), live.end());
      std::vector<NodeId> missing;
      for (const NodeId id : listed_nodes())
        if (!std::binary_search(live.begin(), live.end(), core_.model.node(id)->vm)) missing.push_back(id);
      if (!missing.empty()) co_await confirm_vanished(std::move(missing));
    }
  }
  auto listed = listed_nodes();
  handler(std::move(listed));
}

// A listing may lag or be torn: a member is removed only when the cloud says so itself and its agent is
// silent too.
Task<void> MySQLServerManager::confirm_vanished(std::vector<NodeId> missing) {
  constexpr std::size_t kAtOnce = 16;
  if (missing.size() > kAtOnce) missing.resize(kAtOnce);
  std::function<Task<void>(std::int64_t)> body = [this](std::int64_t id) -> Task<void> {
    struct Body {
      static Task<void> run(Core& core, NodeId node_id) {
        const auto* node = core.model.node(node_id);
        if (node == nullptr || !model::is_listed(node->state)) co_return;
        std::string vm = node->vm;
        auto info = co_await core.get_vm_info(model::node_name(node_id), vm);
        const bool gone =
            info.has_value() ? is_gone(info.value().state) : info.error().code == ErrorCode::not_found;
        if (!gone) co_return;
        GetServerState look;
        const AgentCommand looking = look;
        auto state = co_await core.ask(node_id, looking);
        auto* confirmed = core.model.node(node_id);
        if (state.has_value() || confirmed == nullptr || !model::is_listed(confirmed->state)) co_return;
        if (info.has_error()) {
          // Off, or not up yet, says the listing: it takes no writes, and its data may be all there is.
          std::string tag = Core::node_tag(*confirmed);
          const auto listed = co_await core.list_vms(model::node_name(node_id), kNodeTag, std::move(tag));
          confirmed = core.model.node(node_id);
          if (confirmed == nullptr || !model::is_listed(confirmed->state)) co_return;
          if (listed.has_error()) co_return;  // until it tells
          if (std::ranges::any_of(listed.value(), [&](const InstanceInfo& one) {
                return one.id == vm && one.state != InstanceState::running && !is_gone(one.state) &&
                       one.state != InstanceState::error;
              }))
            co_return;
        }
        core.note(model::node_name(node_id), "its VM " + vm + " no longer exists");
        core.forget(*confirmed, NodeEvent::vanished);
        co_await core.journal.durable();
      }
    };
    return Body::run(core_, id);
  };
  co_await for_each_parallel(std::move(missing), core_.config.parallelism, std::move(body));
}

Result<void> MySQLServerManager::register_node(const Heartbeat& heartbeat) {
  auto* node = core_.model.node_of_vm(heartbeat.instance_id);
  if (node == nullptr) node = core_.model.find(heartbeat.instance_id);
  if (node == nullptr)
    return make_error(ErrorCode::not_found,
                      "no node of this service runs on instance \"" + heartbeat.instance_id + "\"");
  node->last_seen = core_.now();
  node->server_running = heartbeat.server_running;
  return success();
}

// What each says of its server; the core takes note of epochs and generations. For twice the time-out of an
// agent at most.
Task<Result<MySQLServerManager::Answers>> MySQLServerManager::hear(std::vector<NodeId> nodes) {
  GetServerState look;
  const AgentCommand looking = look;
  const Duration timeout = core_.config.agent_timeout;
  Result<Answers> heard = co_await await_reply<Answers>(timeout * 2, [&](Handler<Answers> handler) {
    ask_nodes(std::move(nodes), looking, timeout, std::move(handler));
  });
  co_return heard;
}

void MySQLServerManager::ask_nodes(std::vector<NodeId> nodes, AgentCommand command, Duration timeout,
                                   Handler<Answers> handler) {
  spawn(core_.domain, ask_all(std::move(nodes), std::move(command), timeout, std::move(handler)));
}

Task<void> MySQLServerManager::ask_all(std::vector<NodeId> nodes, AgentCommand command, Duration timeout,
                                       Handler<Answers> handler) {
  auto answers = std::make_shared<std::map<NodeId, Result<AgentReply>>>();
  std::function<Task<void>(std::int64_t)> body = [this, answers, command,
                                                  timeout](std::int64_t id) -> Task<void> {
    struct Body {
      static Task<void> run(Core& core, NodeId node, AgentCommand asked, Duration limit,
                            std::shared_ptr<std::map<NodeId, Result<AgentReply>>> to) {
        auto reply = co_await core.ask(node, asked, limit);
        to->emplace(node, std::move(reply));
      }
    };
    return Body::run(core_, id, command, timeout, answers);
  };
  const auto order = nodes;
  co_await for_each_parallel(std::move(nodes), core_.config.parallelism, std::move(body));
  Answers ordered;
  for (const NodeId id : order) ordered.emplace_back(id, std::move(answers->at(id)));
  handler(std::move(ordered));
}

}  // namespace drover::ops
