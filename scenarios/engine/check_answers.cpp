#include "scenarios/engine/check_answers.hpp"

#include <nlohmann/json.hpp>

namespace drover::scenario {

using nlohmann::json;

namespace {

// The manager forgets the oldest of the operations that have ended.
constexpr model::OperationId kPrunedBelow = 900;

std::string described(const model::Operation& operation) {
  std::string text = model::to_text(operation.request.kind);
  // Who turns out to have received the most is seen only when the old master is fenced.
  if (operation.request.kind == model::OperationKind::fail_over) return text;
  // A shutdown is about whoever is there when it is accepted.
  for (const auto id : operation.nodes) text += " " + model::id_text(id);
  return text;
}

// Of the API, and by the same name what each server is told for it.
bool changes_users(std::string_view method) {
  return method == "configure_user" || method == "delete_user" || method == "set_password";
}

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? std::string()
         : found->is_string()  ? found->get<std::string>()
                               : found->dump();
}

}  // namespace

void Answers::differs(const std::string& method, const std::string& what) {
  world_.report("S12", method + " answered what is not so: " + what, "S12 " + method + " answered wrongly");
}

Answers::Round& Answers::round_of(const std::string& method) {
  const TimePoint now = world_.scheduler().now();
  // Others may have asked for something else in between.
  for (auto round = rounds_.rbegin(); round != rounds_.rend() && round->asked == now; ++round)
    if (round->method == method) return *round;
  return rounds_.emplace_back(Round{method, now, now, 0, 0, 0});
}

void Answers::requested(const std::string& method) {
  if (changes_users(method)) ++round_of(method).requests;
}

void Answers::asked(std::uint64_t number, const AgentCommand& command) {
  const std::string method = agent_method(command);
  if (!changes_users(method)) return;
  Round& round = round_of(method);
  ++round.told;
  round_of_[number] = static_cast<std::size_t>(&round - rounds_.data());
}

void Answers::answered(std::uint64_t number, const Result<AgentReply>& reply) {
  const auto found = round_of_.extract(number);
  if (found.empty()) return;
  Round& round = rounds_[found.mapped()];
  round.answered = world_.scheduler().now();
  if (reply.has_value()) ++round.done;
}

// The client is answered at the moment at which the last server answers.
void Answers::check_change(const std::string& method) {
  const TimePoint now = world_.scheduler().now();
  const Round* failed = nullptr;
  for (const Round& round : rounds_) {
    if (round.method != method || round.answered != now) continue;
    if (round.done == round.told || round.requests > 1) return;  // of several clients: not told apart
    failed = &round;
  }
  if (failed != nullptr)
    differs(method, "it is done on " + std::to_string(failed->done) + " of " + std::to_string(failed->told) +
                        " server(s)");
}

void Answers::answered(const std::string& method, const api::Response& response) {
  if (!response.failed && changes_users(method)) check_change(method);
  const auto* manager = world_.manager();
  if (manager == nullptr || response.failed || !response.result.is_object()) return;
  const json& result = response.result;
  const char* state = model::to_text(manager->dstate());
  if (method == "get_service_info" && text_of(result, "state") != state)
    differs(method, "the service is " + std::string(state) + ", not " + text_of(result, "state"));
  if (method == "list_nodes") check_nodes(result);
  if (method == "get_topology" && !result.contains("text")) check_topology(result);
  if (method == "get_operation" && result.contains("operation") && result.at("operation").is_object())
    check_operation(result.at("operation"));
  if (method == "list_operations" && result.contains("operations"))
    for (const auto& row : result.at("operations")) check_operation(row);
}

void Answers::check_nodes(const json& result) {
  const auto found = result.find("serviceNode");
  if (found == result.end() || !found->is_array()) return differs("list_nodes", "it has no serviceNode");
  json listed = json::array();
  for (const auto id : world_.manager()->listed_nodes()) listed.push_back(model::id_text(id));
  if (*found != listed) differs("list_nodes", found->dump() + " instead of " + listed.dump());
}

void Answers::check_topology(const json& result) {
  const auto& model = world_.manager()->model();
  const auto* primary = model.node(model.service.primary);
  const json master = primary == nullptr ? json(nullptr) : json(model::id_text(primary->id));
  if (result.value("master", json(nullptr)) != master)
    differs("get_topology",
            "the master is " + master.dump() + ", not " + result.value("master", json()).dump());
  if (result.value("epoch", json()) != json(model.service.epoch))
    differs("get_topology", "the epoch is " + std::to_string(model.service.epoch));
  const auto rows = result.find("nodes");
  if (rows == result.end() || !rows->is_array() || rows->size() != model.nodes().size())
    return differs("get_topology", "it does not name every node");
  for (const auto& row : *rows) {
    const auto* node = model.find(text_of(row, "id"));
    const char* role = node == nullptr               ? "?"
                       : node->role == Role::primary ? "master"
                       : node->role == Role::replica ? "slave"
                                                     : "none";
    if (node == nullptr || text_of(row, "state") != model::to_text(node->state) ||
        text_of(row, "role") != role)
      differs("get_topology", row.dump());
  }
}

void Answers::check_operation(const json& told) {
  const std::string id = text_of(told, "id");
  const auto number = id.empty() ? 0 : std::stoll(id);
  const auto* operation = world_.manager()->model().operation(number);
  if (operation == nullptr) return differs("get_operation", "there is no operation " + id);
  const std::string state = text_of(told, "state");
  if (state != model::to_text(operation->state))
    differs("get_operation",
            "operation " + id + " is " + model::to_text(operation->state) + ", not " + state);
  if (told.contains("ended_at_s") && told.value("ended_at_s", 0.0) < told.value("accepted_at_s", 0.0))
    differs("get_operation", "operation " + id + " ended before it was accepted");
  if (model::is_ended(operation->state)) {
    const auto [known, inserted] = ended_.emplace(number, state);
    if (known->second != state)
      world_.report("S12", "operation " + id + " was told as " + known->second + " and then as " + state,
                    "S12 end of an operation changed");
  }
}

void Answers::stored(const Change& change) {
  if (change.table != Table::operation || change.erase) return;
  const auto told = ended_.find(change.id);
  const auto state = model::parse_operation_state(text_in(change.document, "state"));
  if (told == ended_.end() || !state || !model::is_ended(*state) || told->second == model::to_text(*state))
    return;
  world_.report("S12",
                model::operation_name(change.id) + " was told as " + told->second + " and is recorded as " +
                    model::to_text(*state),
                "S12 end of an operation changed");
}

void Answers::acknowledged(model::OperationId id, const std::string& key) {
  acknowledged_.emplace(id, key);
  const auto* manager = world_.manager();
  const auto* operation = manager == nullptr ? nullptr : manager->model().operation(id);
  if (operation != nullptr) operations_.emplace(id, described(*operation));
  if (key.empty()) return;
  const auto [known, inserted] = keys_.emplace(key, id);
  if (!inserted && known->second != id)
    world_.report("S7",
                  "key \"" + key + "\" was answered with operation " + model::id_text(known->second) +
                      " and then with " + model::id_text(id),
                  "S7 two operations of one key");
  if (operation != nullptr && operation->request.key != key)
    world_.report("S7", "operation " + model::id_text(id) + " does not have the key \"" + key + "\"",
                  "S7 key forgotten");
}

void Answers::forget() {
  acknowledged_.clear();
  keys_.clear();
  operations_.clear();
  ended_.clear();
}

void Answers::restarted() {
  const auto* manager = world_.manager();
  if (manager == nullptr) return;
  for (const auto& [id, key] : acknowledged_) {
    const auto* operation = manager->model().operation(id);
    if (operation == nullptr) {
      if (manager->model().service.next_operation > id + kPrunedBelow) continue;
      world_.report("S8", "operation " + model::id_text(id) + " was acknowledged, and is forgotten",
                    "S8 operation forgotten");
      continue;
    }
    const auto known = operations_.find(id);
    if (known != operations_.end() && known->second != described(*operation))
      world_.report(
          "S8",
          "operation " + model::id_text(id) + " was " + known->second + ", and is " + described(*operation),
          "S8 operation is another");
  }
}

}  // namespace drover::scenario
