// How members with data of their own come to follow the primary: after a switchover, after a fail-over, and
// when they come back.
#include <algorithm>
#include <utility>

#include "manager/model/failover.hpp"
#include "manager/ops/failover.hpp"
#include "manager/ops/replication_steps.hpp"
#include "manager/runtime/parallel.hpp"

namespace drover::ops {

using model::Node;
using model::node_name;
using model::NodeId;

namespace {

// Whether what it holds is known to be the master's: it was judged before it was told to follow it in this
// epoch, or it replicates from somebody who follows (a source refuses a slave that has what it lacks).
Task<bool> has_the_masters_history(Core& core, ServerState state) {
  const Node* primary = core.model.primary();
  if (primary == nullptr) co_return false;
  if (model::was_told_to_follow(state, primary->address, core.model.service.epoch)) co_return true;
  const auto& replication = state.replication;
  if (!replication.configured || replication.io != ThreadState::yes || !replication.sql_running)
    co_return false;
  const auto source = std::ranges::find_if(core.model.nodes(), [&](const auto& entry) {
    return entry.second.address == replication.source_address && entry.second.role == Role::replica &&
           model::is_listed(entry.second.state);
  });
  if (source == core.model.nodes().end()) co_return false;
  if (source->second.left_at.empty()) co_return true;
  // Back for a moment only: it follows, and has not been seen to.
  GetServerState look;
  const AgentCommand looking = look;
  const NodeId id = source->first;
  const auto seen = co_await core.ask(id, looking);
  primary = core.model.primary();
  co_return seen.has_value() &&
      primary !=
          nullptr&& model::was_told_to_follow(seen.value().state, primary->address, core.model.service.epoch);
}

}  // namespace

Task<void> acquit_followers(Core& core, NodeId target) {
  std::vector<NodeId> left;
  for (const auto& [id, node] : core.model.nodes())
    // Also who is called LOST: it may answer again, and is asked with the others.
    if (id != target && node.role == Role::replica && model::is_listed(node.state) && !node.left_at.empty())
      left.push_back(id);
  for (const NodeId id : left) {
    const model::View view = co_await look_at(core, id);
    const Node* to = core.model.node(target);
    if (to == nullptr || !view.answered || view.hung || !view.server.running ||
        view.server.replication.source_address != to->address)
      continue;
    ServerState held = view.server;
    const bool follows = co_await has_the_masters_history(core, std::move(held));
    Node* node = core.model.node(id);
    if (!follows || node == nullptr) continue;
    node->left_at.clear();
    node->errant.clear();
    core.journal.node_changed(id);
  }
}

Task<Result<void>> follow_primary(Core& core, NodeId id, Hurry hurry, By by) {
  const Node* node = core.model.node(id);
  if (node == nullptr) co_return not_there(id);
  bool clone = false;
  if (!node->left_at.empty()) {
    core.observe("step.rejoin", node_name(id));
    GetServerState look;
    const AgentCommand looking = look;
    auto seen = co_await core.ask(id, looking);
    if (seen.has_error()) co_return std::move(seen).error();
    if (!seen.value().state.running)
      co_return make_error(ErrorCode::unavailable, "the server of " + node_name(id) + " does not run");
    Node* back = core.model.node(id);
    if (back == nullptr) co_return not_there(id);
    // Judged once: half a command may have stopped it since, and it hears nobody any more.
    const std::uint64_t epoch = core.model.service.epoch;
    bool follows = back->acquitted_in != 0 && back->acquitted_in == epoch;
    if (!follows) {
      ServerState held = seen.value().state;
      follows = co_await has_the_masters_history(core, std::move(held));
      back = core.model.node(id);
      if (back == nullptr) co_return not_there(id);
      if (follows && core.model.service.epoch == epoch) back->acquitted_in = epoch;
    }
    const auto errant =
        follows ? std::vector<Excess>() : model::errant_transactions(seen.value().state, back->left_at);
    if (!errant.empty() && !core.config.failover.clone_errant) {
      const std::string text = to_text(errant);
      const std::string what =
          std::to_string(count(errant)) + " transaction(s) that the master never got: " + text;
      if (back->errant != text) core.note(node_name(id), "is not taken back: it holds " + what);
      back->errant = text;
      co_return make_error(
          ErrorCode::wrong_state,
          node_name(id) + " holds " + what +
              "; set_up_replica_slave copies the master's data over them, remove_nodes takes the "
              "node away");
    }
    if (!errant.empty()) core.note(node_name(id), "its errant transactions are given up: " + to_text(errant));
    clone = !errant.empty();
  }
  node = core.model.node(id);
  const Node* primary = core.model.primary();
  if (node == nullptr) co_return not_there(id);
  if (primary == nullptr) co_return make_error(ErrorCode::wrong_state, "there is no master to follow");
  const bool returned = !node->left_at.empty();
  const SetUpReplica command = replica_command(core, *node, *primary, core.model.service.epoch, clone);
  auto made = co_await make_replica(core, id, command, Until::replicates, hurry, by);
  if (made.has_error()) co_return made;
  if (returned) core.note(node_name(id), "follows the new master");
  co_return success();
}

namespace {

constexpr Duration kOwnRelayLog = 3s;  // for a replica to apply what it has, before it follows another

// To follow another source is to throw the relay log away. What is in it the new source can send again only
// as long as it has it: one that was filled by a copy lately has no older events.
Task<void> apply_relay_log(Core& core, NodeId id) {
  GetServerState look;
  const AgentCommand looking = look;
  const auto seen = co_await core.ask(id, looking);
  if (seen.has_error()) co_return;
  const ServerState& state = seen.value().state;
  if (!state.running || !state.replication.sql_running || state.replication.sql_errno != 0) co_return;
  const GtidPosition received = model::received_position(state);
  if (excess(received, model::applied_position(state)).empty()) co_return;
  // What the successor never had would be errant once it is applied.
  const Node* node = core.model.node(id);
  const auto left = parse_gtid_position(node == nullptr ? std::string() : node->left_at);
  if (left && !left->empty() && !excess(received, *left).empty()) co_return;
  core.observe("step.drain", node_name(id));
  WaitForGtid wait;
  wait.epoch = core.model.service.epoch;
  wait.gtid = to_text(received);
  wait.limit = std::min(kOwnRelayLog, core.config.agent_timeout / 2);
  const AgentCommand waiting = wait;
  (void)co_await core.ask(id, waiting);
}

}  // namespace

Task<std::map<NodeId, std::string>> repoint(Core& core, NodeId target, Hurry hurry) {
  core.observe("step.repoint", node_name(target));
  std::vector<NodeId> others;
  for (const auto& [other, node] : core.model.nodes())
    if (other != target && node.role == Role::replica && model::is_listed(node.state))
      others.push_back(other);
  auto troubles = std::make_shared<std::map<NodeId, std::string>>();
  std::function<Task<void>(std::int64_t)> body = [&core, troubles, hurry](std::int64_t id) -> Task<void> {
    struct Body {
      static Task<void> run(Core& of, NodeId other, Hurry how,
                            std::shared_ptr<std::map<NodeId, std::string>> told) {
        co_await apply_relay_log(of, other);
        auto made = co_await follow_primary(of, other, how);
        if (made.has_error()) told->emplace(other, made.error().message);
      }
    };
    return Body::run(core, id, hurry, troubles);
  };
  co_await for_each_parallel(std::move(others), core.config.parallelism, std::move(body));
  co_return *troubles;
}

std::string joined(const std::map<NodeId, std::string>& troubles) {
  std::string text;
  for (const auto& [id, trouble] : troubles) text += (text.empty() ? "" : "; ") + trouble;
  return text;
}

void warn(Core& core, model::OperationId id, const std::string& text) {
  if (text.empty()) return;
  model::Operation* operation = core.model.operation(id);
  operation->warning += (operation->warning.empty() ? "" : "; ") + text;
  core.journal.operation_changed(id);
}

}  // namespace drover::ops
