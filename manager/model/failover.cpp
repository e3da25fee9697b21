#include "manager/model/failover.hpp"

#include <algorithm>

namespace drover::model {
namespace {

GtidPosition position_of(const std::string& text) {
  return parse_gtid_position(text).value_or(GtidPosition{});
}

bool is_asked(const View& view) { return view.state == NodeState::running; }

std::string names(const std::vector<const View*>& views) {
  std::string text;
  for (const View* view : views) text += (text.empty() ? "" : ", ") + node_name(view->node);
  return text;
}

// Why the replica cannot succeed a master, or "".
std::string obstacle(const View& view, const std::string& source) {
  if (view.state == NodeState::lost) return "is LOST";
  if (!view.answered) return "does not answer";
  if (view.hung) return "hangs";
  if (!view.server.running) return "does not run";
  if (view.busy) return "is being set up";
  const auto& replication = view.server.replication;
  if (view.server.role != Role::replica || !replication.configured || replication.source_address != source)
    return "does not replicate from the master";
  if (replication.sql_errno != 0)
    return "cannot apply what it has received: error " + std::to_string(replication.sql_errno);
  if (!replication.sql_running) return "does not apply what it receives";
  return {};
}

// Its server was started anew (a crash throws the relay log away) and has not reached the master since, or
// was refused what it asked for: it may have confirmed transactions that it does not have any more.
bool may_have_forgotten(const View& view, const std::string& source) {
  if (!view.answered || view.hung || !view.server.running || view.left_behind) return false;
  const auto& replication = view.server.replication;
  const bool refused = replication.io == ThreadState::no && replication.io_errno != 0;
  return replication.configured && replication.source_address == source &&
         (replication.source_server_id == 0 || refused);
}

}  // namespace

bool hears(const View& view, const std::string& source) {
  const auto& replication = view.server.replication;
  return view.answered && !view.hung && replication.configured && replication.source_address == source &&
         replication.io == ThreadState::yes;
}

const char* to_text(Health health) {
  switch (health) {
    case Health::well:
      return "well";
    case Health::away:
      return "away";
    case Health::hung:
      return "hung";
    case Health::dead:
      return "dead";
    case Health::unclear:
      return "unclear";
    case Health::irreplaceable:
      return "irreplaceable";
  }
  return "?";
}

Judgement judge_master(const View* master, const std::vector<View>& replicas, const std::string& source) {
  if (master != nullptr && master->answered && !master->hung && master->server.running)
    return {Health::well, node_name(master->node) + " answers"};
  if (replicas.empty()) return {Health::irreplaceable, "there is no replica"};
  std::vector<const View*> hearing;
  std::size_t asked = 0, answering = 0;
  for (const View& view : replicas) {
    if (hears(view, source)) hearing.push_back(&view);
    if (is_asked(view)) ++asked;
    if (view.answered) ++answering;
  }
  std::string evidence = "its VM is gone";
  if (master != nullptr && !master->answered) evidence = "its agent does not answer";
  if (master != nullptr && master->answered)
    evidence = master->hung ? "its server runs and does not answer" : "its server does not run";
  if (answering * 2 <= asked || answering == 0)
    return {Health::unclear,
            evidence + ", and " + std::to_string(answering) + " of " + std::to_string(asked) +
                " replica(s) can be asked: too few to tell a dead master from a manager that is "
                "cut off"};
  // Nobody fences a machine that the records no longer know.
  if (master == nullptr && !hearing.empty())
    return {Health::away, evidence + ", says the cloud, but " + names(hearing) + " hear(s) it"};
  if (master == nullptr) return {Health::dead, evidence};
  if (master->hung) return {Health::hung, evidence};
  // The agent's word against what some replica has not noticed yet: enough when another one has.
  if (hearing.empty() || (master->answered && hearing.size() < answering))
    return {Health::dead, evidence + ", and " + std::to_string(answering - hearing.size()) + " of " +
                              std::to_string(answering) + " replica(s) have lost it"};
  if (master->answered)
    return {Health::unclear, evidence + ", says its agent, but " + names(hearing) + " hear(s) it"};
  return {Health::away, evidence + ", but " + names(hearing) + " hear(s) it"};
}

GtidPosition applied_position(const ServerState& state) {
  return merged(position_of(state.gtid_binlog_pos), position_of(state.gtid_slave_pos));
}

GtidPosition received_position(const ServerState& state) {
  if (!state.replication.configured) return applied_position(state);
  return merged(applied_position(state), position_of(state.replication.gtid_io_pos));
}

Succession choose_successor(const std::vector<View>& replicas, const std::string& source,
                            std::uint32_t server_id) {
  Succession succession;
  const View* best = nullptr;
  const auto pending = [](const View& view) {
    return count(excess(received_position(view.server), applied_position(view.server)));
  };
  for (const View& view : replicas) {
    if (may_have_forgotten(view, source)) {
      succession.complete = false;
      succession.notes.push_back(
          node_name(view.node) +
          " was started anew and has not reached the master since, or was refused what it lacks: it may have "
          "lost what it had confirmed");
    }
    if (const std::string why = obstacle(view, source); !why.empty()) {
      succession.notes.push_back(node_name(view.node) + " " + why);
      if (!view.answered || view.hung || !view.server.running) succession.complete = false;
      continue;
    }
    if (best == nullptr) {
      best = &view;
      continue;
    }
    const auto more = count(excess(received_position(view.server), received_position(best->server)));
    const auto less = count(excess(received_position(best->server), received_position(view.server)));
    if (more > less || (more == less && pending(view) < pending(*best))) best = &view;
  }
  if (best == nullptr) return succession;
  succession.node = best->node;
  succession.received = received_position(best->server);
  const std::uint32_t met = best->server.replication.source_server_id;
  if (server_id != 0 && met != 0 && met != server_id) {
    succession.complete = false;
    succession.notes.push_back(node_name(best->node) + " has not been connected to the master yet");
  }
  for (const View& view : replicas) {
    if (&view == best || !view.answered || view.hung || !view.server.running) continue;
    const auto beyond = excess(received_position(view.server), succession.received);
    if (beyond.empty()) continue;
    succession.passed_over = std::max(succession.passed_over, count(beyond));
    succession.notes.push_back(node_name(view.node) + " has " + std::to_string(count(beyond)) +
                               " transaction(s) more (" + drover::to_text(beyond) + ")");
  }
  return succession;
}

bool was_told_to_follow(const ServerState& state, const std::string& source, std::uint64_t epoch) {
  return state.role == Role::replica && state.epoch == epoch && state.replication.configured &&
         state.replication.source_address == source;
}

std::vector<Excess> errant_transactions(const ServerState& state, const std::string& left_at) {
  if (left_at.empty()) return {};
  return excess(applied_position(state), position_of(left_at));
}

}  // namespace drover::model
