#include "manager/api/service.hpp"

#include <set>

#include "manager/api/answers.hpp"

namespace drover::api {

using model::Node;
using model::NodeId;
using model::Operation;
using nlohmann::json;

// --- measurements ---

void Measurements::count(TimePoint now, Duration taken, bool failed, std::uint64_t) {
  const std::int64_t second = now.time_since_epoch() / 1s;
  Bucket& bucket = buckets_[static_cast<std::size_t>(second % kWindow)];
  if (bucket.second != second) bucket = Bucket{second, 0, 0, 0};
  ++bucket.requests;
  bucket.errors += failed ? 1 : 0;
  bucket.seconds += to_seconds(taken);
  ++requests_;
  errors_ += failed ? 1 : 0;
  seconds_ += to_seconds(taken);
}

Measurements::Rates Measurements::rates(TimePoint now) const {
  const std::int64_t second = now.time_since_epoch() / 1s;
  double requests = 0, errors = 0, seconds = 0;
  for (const Bucket& bucket : buckets_) {
    if (bucket.second < 0 || bucket.second <= second - kWindow) continue;
    requests += bucket.requests;
    errors += bucket.errors;
    seconds += bucket.seconds;
  }
  const double span = std::min<double>(static_cast<double>(kWindow), static_cast<double>(second) + 1);
  return Rates{requests / span, errors / span, (requests - errors) / span,
               requests > 0 ? seconds / requests * 1e3 : 0};
}

// --- dispatch ---

void Service::handle(Request request, Respond respond) {
  const Method* method = nullptr;
  for (const Method& row : exposed_functions())
    if (row.verb == request.verb && request.method == row.name) method = &row;
  if (method == nullptr) {
    Response unknown;
    unknown.method_found = false;
    return respond(std::move(unknown));
  }
  const TimePoint asked = scheduler_.now();
  trace_.add(TraceKind::request, request.method);
  Respond answer = [this, asked, name = method->name,
                    respond = std::move(respond)](Response response) mutable {
    trace_.add(TraceKind::response, name, response.failed ? response.error : std::string("ok"));
    measurements_.count(scheduler_.now(), scheduler_.now() - asked, response.failed, 0);
    respond(std::move(response));
  };
  if (request.params.is_null() || (request.params.is_array() && request.params.empty()))
    request.params = json::object();
  if (!request.params.is_object())
    return answer(
        failure(Code::E_ARGS_INVALID, "Invalid argument: params DETAIL:\"params\" must be an object"));
  if (!method->takes_anything) {
    std::vector<std::string> unexpected;
    const auto is_known = [&](const std::string& name) {
      return std::any_of(method->parameters.begin(), method->parameters.end(),
                         [&](const Parameter& parameter) { return name == parameter.name; });
    };
    for (const auto& name : request.order)
      if (!is_known(name) && request.params.contains(name)) unexpected.push_back(name);
    const std::set<std::string> ordered(unexpected.begin(), unexpected.end());
    for (const auto& [name, value] : request.params.items())
      if (!is_known(name) && !ordered.contains(name)) unexpected.push_back(name);
    for (const auto& file : request.files)
      if (!is_known(file.field)) unexpected.push_back(file.field);
    if (!unexpected.empty()) return answer(unexpected_arguments(unexpected));
  }
  for (const Parameter& parameter : method->parameters) {
    if (!parameter.required || request.params.contains(parameter.name)) continue;
    const bool uploaded = std::any_of(request.files.begin(), request.files.end(),
                                      [&](const UploadedFile& file) { return file.field == parameter.name; });
    if (!uploaded) return answer(missing_argument(parameter.name));
  }
  (this->*method->handler)(request, std::move(answer));
}

const Node* Service::member(const json& id) const {
  const std::string text = id_of(id);
  if (text.empty()) return nullptr;
  const Node* node = manager_.model().find(text);
  return node != nullptr && model::is_listed(node->state) ? node : nullptr;
}

// --- shapes ---

json Service::node_details(const Node& node) const {
  const bool up = model::is_listed(node.state);
  json details{{"id", model::id_text(node.id)},
               {"ip", node.address},
               {"isRunningMySQL", up && node.server_running},
               {"name", model::node_name(node.id)},
               {"state", model::to_text(node.state)},
               {"port", std::to_string(manager_.config().agent_port)},
               {"mysqld_port", std::to_string(node.mysqld_port)},
               {"role", node.role == Role::primary   ? "master"
                        : node.role == Role::replica ? "slave"
                                                     : "none"},
               {"vm", node.vm},
               {"server_id", node.server_id}};
  if (node.role == Role::replica)
    details["seconds_behind_master"] = node.seconds_behind < 0 ? json(nullptr) : json(node.seconds_behind);
  if (!node.errant.empty()) details["errant_transactions"] = node.errant;
  return details;
}

json Service::operation_details(const Operation& operation) const {
  json nodes = json::array();
  for (const NodeId id : operation.nodes) nodes.push_back(model::id_text(id));
  json details{{"id", model::id_text(operation.id)},
               {"method", model::to_text(operation.request.kind)},
               {"state", model::to_text(operation.state)},
               {"nodes", std::move(nodes)},
               {"accepted_at_s", static_cast<double>(operation.accepted_at_ns) / 1e9}};
  if (model::is_ended(operation.state))
    details["ended_at_s"] = static_cast<double>(operation.ended_at_ns) / 1e9;
  if (!operation.error.empty()) details["error"] = operation.error;
  if (!operation.warning.empty()) details["warning"] = operation.warning;
  if (!operation.request.key.empty()) details["key"] = operation.request.key;
  return details;
}

json Service::topology() const {
  const auto& model = manager_.model();
  json nodes = json::array();
  const Node* primary = model.service.primary == 0 ? nullptr : model.node(model.service.primary);
  for (const auto& [id, node] : model.nodes()) {
    json row = node_details(node);
    if (node.role == Role::replica && primary != nullptr) row["master"] = model::id_text(primary->id);
    nodes.push_back(std::move(row));
  }
  return json{{"state", model::to_text(manager_.dstate())},
              {"epoch", model.service.epoch},
              {"master", primary == nullptr ? json(nullptr) : json(model::id_text(primary->id))},
              {"nodes", std::move(nodes)}};
}

// --- questions ---

void Service::list_nodes(const Request&, Respond respond) {
  manager_.list_nodes([answer = std::move(respond)](Result<std::vector<NodeId>> listed) mutable {
    json ids = json::array();
    for (const NodeId id : listed.value()) ids.push_back(model::id_text(id));
    json result{{"serviceNode", ids}};
    result["conpaas-mysql"] = std::move(ids);
    answer(ok(std::move(result)));
  });
}

void Service::get_node_info(const Request& request, Respond respond) {
  const Node* node = member(request.params.at("serviceNodeId"));
  if (node == nullptr)
    return respond(invalid_reference("serviceNodeId",
                                     "there is no such service node: list_nodes tells which there are"));
  respond(ok(json{{"serviceNode", node_details(*node)}}));
}

void Service::get_service_info(const Request&, Respond respond) {
  respond(ok(json{{"state", model::to_text(manager_.dstate())}, {"type", "conpaas-mysql"}}));
}

void Service::get_service_performance(const Request&, Respond respond) {
  const auto rates = measurements_.rates(scheduler_.now());
  const auto row = [](const ops::ServerPerformance::Rates& of) {
    return json{
        {"query_rate", of.query_rate}, {"error_rate", of.error_rate}, {"response_time", of.response_time}};
  };
  const auto members = manager_.listed_nodes();
  json nodes = json::object();
  for (const NodeId id : members)
    nodes[model::id_text(id)] = row(manager_.performance().of(id, scheduler_.now()));
  respond(ok(json{{"request_rate", rates.request_rate},
                  {"error_rate", rates.error_rate},
                  {"throughput", rates.throughput},
                  {"response_time", rates.response_time},
                  {"servers", row(manager_.performance().of(members, scheduler_.now()))},
                  {"nodes", std::move(nodes)}}));
}

void Service::get_log(const Request&, Respond respond) {
  std::string text;
  for (const auto& line : manager_.core().log_lines()) text += line + "\n";
  respond(ok(json{{"log", std::move(text)}}));
}

void Service::get_mean_load(const Request&, Respond respond) {
  json loads = json::object();
  double sum = 0;
  for (const NodeId id : manager_.listed_nodes()) {
    const double load = static_cast<double>(manager_.model().node(id)->load);
    loads[model::id_text(id)] = load;
    sum += load;
  }
  const double mean = loads.empty() ? 0 : sum / static_cast<double>(loads.size());
  respond(ok(json{{"mean_load", mean}, {"nodes", std::move(loads)}}));
}

void Service::get_topology(const Request& request, Respond respond) {
  const auto format = request.params.find("format");
  if (format == request.params.end() || *format == "json") return respond(ok(topology()));
  if (*format == "text") return respond(ok(json{{"format", "text"}, {"text", topology_text()}}));
  if (*format == "dot") return respond(ok(json{{"format", "dot"}, {"text", topology_dot()}}));
  respond(invalid_argument("format", "\"format\" is json, text or dot"));
}

void Service::get_service_history(const Request&, Respond respond) {
  json rows = json::array();
  for (const auto& [number, document] : manager_.core().journal.history()) {
    json row = json::parse(document, nullptr, false);
    if (row.is_object()) rows.push_back(std::move(row));
  }
  respond(ok(json{{"history", std::move(rows)}}));
}

void Service::get_operation(const Request& request, Respond respond) {
  const std::string id = id_of(request.params.at("id"));
  const Operation* found = nullptr;
  if (!id.empty() && id.size() < 18 && id.find_first_not_of("0123456789") == std::string::npos)
    found = manager_.model().operation(std::stoll(id));
  if (found == nullptr)
    return respond(invalid_reference(
        "id", "there is no operation \"" + id + "\": list_operations tells which there are"));
  respond(ok(json{{"operation", operation_details(*found)}}));
}

void Service::list_operations(const Request&, Respond respond) {
  json rows = json::array();
  for (const auto& [id, operation] : manager_.model().operations())
    rows.push_back(operation_details(operation));
  respond(ok(json{{"operations", std::move(rows)}}));
}

void Service::cancel_operation(const Request& request, Respond respond) {
  const std::string id = id_of(request.params.at("id"));
  if (id.empty() || id.size() > 17 || id.find_first_not_of("0123456789") != std::string::npos)
    return respond(invalid_reference("id", "\"" + id + "\" is no operation id"));
  const model::OperationId number = std::stoll(id);
  manager_.cancel(number, [this, number, answer = std::move(respond)](Result<void> cancelled) mutable {
    if (cancelled.has_error()) return answer(of(cancelled.error(), "id"));
    json result{{"state", model::to_text(manager_.dstate())}};
    if (const Operation* operation = manager_.model().operation(number); operation != nullptr)
      result["operation"] = operation_details(*operation);
    answer(ok(std::move(result)));
  });
}

void Service::register_node(const Request& request, Respond respond) {
  const auto& state = request.params.at("state");
  if (!state.is_object()) return respond(invalid_argument("state", "\"state\" must be an object"));
  if (!state.contains("id")) return respond(missing_argument("state.id"));
  const auto text = [&](const char* name) {
    const auto found = state.find(name);
    return found != state.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  ops::Heartbeat heartbeat;
  heartbeat.instance_id = id_of(state.at("id"));
  heartbeat.address = text("ip");
  heartbeat.server_running = text("state") == "RUNNING";
  const auto registered = manager_.register_node(heartbeat);
  if (registered.has_error()) return respond(of(registered.error(), "state"));
  respond(ok(json{{"result", "OK"}}));
}

std::string Service::metrics() const {
  std::string text;
  const auto family = [&](const char* name, const char* type, const char* help) {
    text += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
  };
  const auto sample = [&](const std::string& name, auto value) {
    text += name + " " + json(value).dump() + "\n";
  };
  const auto& model = manager_.model();
  family("drover_service_state", "gauge", "1 for the present state of the service.");
  for (int i = 0; i < model::kServiceStates; ++i) {
    const auto state = static_cast<model::ServiceState>(i);
    sample(std::string("drover_service_state{state=\"") + model::to_text(state) + "\"}",
           model.service.state == state ? 1 : 0);
  }
  family("drover_nodes", "gauge", "Nodes by state.");
  for (int i = 0; i < model::kNodeStates; ++i) {
    const auto state = static_cast<model::NodeState>(i);
    if (state == model::NodeState::removed) continue;
    sample(std::string("drover_nodes{state=\"") + model::to_text(state) + "\"}", model.count(state));
  }
  family("drover_operations_active", "gauge", "Operations accepted and not ended.");
  sample("drover_operations_active", model.active_operations());
  family("drover_operations_accepted_total", "counter", "Operations accepted ever.");
  sample("drover_operations_accepted_total", model.service.next_operation - 1);
  family("drover_topology_epoch", "counter", "Epoch of the replication topology.");
  sample("drover_topology_epoch", model.service.epoch);
  family("drover_journal_commits_total", "counter", "Commits of the journal since the start.");
  sample("drover_journal_commits_total", manager_.core().journal.commits());
  family("drover_api_requests_total", "counter", "API calls answered since the start.");
  sample("drover_api_requests_total", measurements_.requests());
  family("drover_api_errors_total", "counter", "API calls answered with an error since the start.");
  sample("drover_api_errors_total", measurements_.errors());
  family("drover_api_request_seconds_sum", "counter", "Time from request to answer, summed.");
  sample("drover_api_request_seconds_sum", measurements_.seconds_sum());
  return text;
}

}  // namespace drover::api
