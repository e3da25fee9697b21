// The topology and a fail-over's analysis as clients see them.
#include "manager/api/service.hpp"

namespace drover::api {

using model::Node;
using model::NodeId;
using nlohmann::json;

namespace {

const char* role_text(Role role) {
  return role == Role::primary ? "master" : role == Role::replica ? "slave" : "no role";
}

std::string line_of(const Node& node) {
  std::string text = model::node_name(node.id) + "  " + node.address + "  " + role_text(node.role) + ", " +
                     model::to_text(node.state);
  if (!node.server_running) text += ", server down";
  if (node.role == Role::replica)
    text += node.seconds_behind < 0 ? ", does not replicate"
                                    : ", " + std::to_string(node.seconds_behind) + " s behind";
  if (!node.errant.empty()) text += ", not taken back: errant " + node.errant;
  return text;
}

// A quoted string of the DOT language.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

json views(const std::vector<model::View>& seen) {
  json rows = json::array();
  for (const auto& view : seen) {
    json row{
        {"id", model::id_text(view.node)}, {"state", model::to_text(view.state)}, {"answers", view.answered}};
    if (view.hung) row["hangs"] = true;
    if (view.answered && !view.hung && view.server.running) {
      const auto received = model::received_position(view.server);
      const auto applied = model::applied_position(view.server);
      row["received"] = to_text(received);
      row["applied"] = to_text(applied);
      row["to_apply"] = count(excess(received, applied));
      row["io"] = to_text(view.server.replication.io);
      row["sql_running"] = view.server.replication.sql_running;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

std::string Service::topology_text() const {
  const auto& model = manager_.model();
  std::string text;
  const Node* primary = model.service.primary == 0 ? nullptr : model.node(model.service.primary);
  if (primary == nullptr && !model.nodes().empty()) text += "no master\n";
  if (primary != nullptr) text += line_of(*primary) + "\n";
  for (const auto& [id, node] : model.nodes())
    if (node.role == Role::replica) text += (primary == nullptr ? "" : "  + ") + line_of(node) + "\n";
  for (const auto& [id, node] : model.nodes())
    if (node.role != Role::replica && (primary == nullptr || id != primary->id)) text += line_of(node) + "\n";
  return text;
}

std::string Service::topology_dot() const {
  const auto& model = manager_.model();
  std::string text = "digraph " + quoted(manager_.config().service_id) + " {\n  node [shape=box];\n";
  for (const auto& [id, node] : model.nodes()) {
    const bool well = node.state == model::NodeState::running && node.server_running;
    text += "  " + quoted(model::node_name(id)) + " [label=" +
            quoted(model::node_name(id) + " " + node.address + " " + role_text(node.role) + " " +
                   model::to_text(node.state)) +
            (node.role == Role::primary ? ", style=bold" : "") + (well ? "" : ", color=red") + "];\n";
  }
  if (model.node(model.service.primary) != nullptr)
    for (const auto& [id, node] : model.nodes())
      if (node.role == Role::replica)
        text += "  " + quoted(model::node_name(model.service.primary)) + " -> " +
                quoted(model::node_name(id)) + (node.seconds_behind < 0 ? " [style=dashed]" : "") + ";\n";
  return text + "}\n";
}

json Service::analysis_details(const ops::Analysis& analysis) const {
  const auto health = analysis.judgement.health;
  const bool dead = health == model::Health::dead || health == model::Health::hung;
  const auto& succession = analysis.succession;
  json result{{"dry_run", true},
              {"master", analysis.master == 0 ? json(nullptr) : json(model::id_text(analysis.master))},
              {"health", to_text(health)},
              {"reason", analysis.judgement.reason},
              {"would_fail_over", dead && succession.node != 0},
              {"successor", succession.node == 0 ? json(nullptr) : json(model::id_text(succession.node))},
              {"position", to_text(succession.received)},
              {"passed_over", succession.passed_over},
              {"notes", succession.notes}};
  result["slaves"] = views(analysis.replicas);
  return result;
}

}  // namespace drover::api
