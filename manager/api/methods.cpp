// exposed_functions and the methods that ask for operations.
#include "manager/api/answers.hpp"
#include "manager/api/service.hpp"

namespace drover::api {

using model::Node;
using model::NodeId;
using model::OperationKind;
using model::OperationRequest;
using nlohmann::json;

const std::vector<Method>& exposed_functions() {
  static const std::vector<Method> table = [] {
    std::vector<Method> rows;
    const auto expose = [&](Verb verb, const char* name, std::vector<Parameter> parameters,
                            void (Service::*handler)(const Request&, Respond), const char* summary,
                            bool takes_anything = false) {
      rows.push_back(Method{verb, name, std::move(parameters), takes_anything, handler, summary});
    };
    constexpr Parameter kKey{"key", false};
    constexpr Parameter kNode{"serviceNodeId", true};
    expose(Verb::get, "list_nodes", {}, &Service::list_nodes,
           "all service nodes; those the cloud no longer has are dropped");
    expose(Verb::get, "get_node_info", {kNode}, &Service::get_node_info, "details of one node");
    expose(Verb::post, "add_nodes", {{"count", false}, {"function", false}, kKey, {"partial", false}},
           &Service::add_nodes, "brings up new nodes in the background");
    expose(Verb::post, "remove_nodes", {{"serviceNodeId", false}, {"count", false}, kKey, {"force", false}},
           &Service::remove_nodes, "takes nodes and their VMs away");
    expose(Verb::get, "get_service_info", {}, &Service::get_service_info, "the manager's state", true);
    expose(Verb::post, "set_up_replica_master", {{"id", true}, kKey}, &Service::set_up_replica_master,
           "makes a node the master");
    expose(Verb::post, "set_up_replica_slave",
           {{"id", true},
            {"master_host", false},
            {"master_log_file", false},
            {"master_log_pos", false},
            {"slave_server_id", false},
            kKey},
           &Service::set_up_replica_slave, "makes a node a slave of the master, with a copy of its data");
    expose(Verb::post, "shutdown", {}, &Service::shutdown, "takes everything down");
    expose(Verb::get, "get_service_performance", {}, &Service::get_service_performance,
           "requests/s, errors/s, successes/s and mean response time (ms) of the last minute");
    expose(Verb::get, "getLog", {}, &Service::get_log, "the manager's last log lines");
    expose(Verb::get, "get_users", {}, &Service::get_users, "the database users on every node");
    expose(Verb::post, "configure_user", {kNode, {"username", true}, {"password", true}},
           &Service::configure_user, "creates a database user");
    expose(Verb::post, "delete_user", {kNode, {"username", true}}, &Service::delete_user,
           "drops a database user");
    expose(Verb::upload, "send_mysqldump", {{"mysqldump", true}, kNode}, &Service::send_mysqldump,
           "loads an uploaded dump on a node");
    expose(Verb::post, "register_node", {{"state", true}}, &Service::register_node, "an agent's heartbeat",
           true);
    expose(Verb::post, "create_replica", {{"master_id", true}, kKey}, &Service::create_replica,
           "adds a node and makes it a slave");
    expose(Verb::post, "set_password", {{"user", true}, {"password", true}}, &Service::set_password,
           "changes a database user's password");
    expose(Verb::get, "sqldump", {}, &Service::sqldump, "a dump of the master, or of the only node");
    expose(Verb::upload, "load_dump", {{"mysqldump_file", true}}, &Service::load_dump,
           "loads an uploaded dump on the master, or on the only node");
    expose(Verb::get, "getMeanLoad", {}, &Service::get_mean_load, "the mean load of the nodes");
    expose(Verb::post, "startup", {}, &Service::startup, "starts a stopped service");
    expose(Verb::get, "get_operation", {{"id", true}}, &Service::get_operation, "one operation");
    expose(Verb::get, "list_operations", {}, &Service::list_operations, "operations, oldest first");
    expose(Verb::get, "get_topology", {{"format", false}}, &Service::get_topology,
           "who replicates from whom; format: json, text or dot (Graphviz)");
    expose(Verb::post, "promote", {{"id", true}, kKey}, &Service::promote, "planned switchover to a slave");
    expose(Verb::post, "fail_over", {{"dry_run", false}, {"force", false}, kKey}, &Service::fail_over,
           "replaces a dead master by the slave that has received the most");
    expose(Verb::post, "cancel_operation", {{"id", true}}, &Service::cancel_operation,
           "stops an operation and takes back what it did");
    expose(Verb::get, "get_service_history", {}, &Service::get_service_history, "the audit trail");
    return rows;
  }();
  return table;
}

bool Service::read_common(const Request& request, OperationRequest& operation, Respond& respond) const {
  if (const auto key = request.params.find("key"); key != request.params.end()) {
    if (!key->is_string() || key->get_ref<const std::string&>().empty() ||
        key->get_ref<const std::string&>().size() > 200) {
      respond(invalid_argument("key", "\"key\" must be a text of 1 to 200 bytes"));
      return false;
    }
    operation.key = key->get<std::string>();
  }
  return true;
}

void Service::submit(OperationRequest operation, bool one_node, Respond respond) {
  const auto kind = operation.kind;
  const char* argument =
      kind == OperationKind::add_nodes || (kind == OperationKind::remove_nodes && operation.node == 0)
          ? "count"
      : kind == OperationKind::remove_nodes   ? "serviceNodeId"
      : kind == OperationKind::create_replica ? "master_id"
                                              : "id";
  manager_.submit(std::move(operation), [this, kind, argument, one_node, answer = std::move(respond)](
                                            Result<ops::Accepted> accepted) mutable {
    if (accepted.has_error()) {
      answer(of(accepted.error(), argument));
      return;
    }
    json nodes = json::array();
    for (const NodeId id : accepted.value().nodes) {
      if (const Node* node = manager_.model().node(id); node != nullptr)
        nodes.push_back(node_details(*node));
      else
        nodes.push_back(json{{"id", model::id_text(id)}, {"state", "REMOVED"}});
    }
    json result{{"state", model::to_text(manager_.dstate())},
                {"operation", model::id_text(accepted.value().operation)}};
    if (kind != OperationKind::shutdown)
      result["serviceNode"] = one_node && nodes.size() == 1 ? nodes[0] : nodes;
    answer(ok(std::move(result)));
  });
}

void Service::node_operation(const Request& request, const char* parameter, OperationRequest operation,
                             Respond respond) {
  if (!read_common(request, operation, respond)) return;
  // A repeated key is answered with its operation even if the node is gone meanwhile.
  const Node* node = member(request.params.at(parameter));
  if (node == nullptr) {
    const auto* known = operation.key.empty() ? nullptr : manager_.model().operation_of_key(operation.key);
    if (known == nullptr || model::id_text(known->request.node) != id_of(request.params.at(parameter))) {
      respond(invalid_reference(parameter, "there is no service node \"" +
                                               id_of(request.params.at(parameter)) +
                                               "\": list_nodes tells which there are"));
      return;
    }
    operation.node = known->request.node;
  } else {
    operation.node = node->id;
  }
  submit(std::move(operation), true, std::move(respond));
}

namespace {

// A whole number from 0, however the JSON value came to be.
bool is_natural(const json& value) {
  return value.is_number_unsigned() || (value.is_number_integer() && value.get<std::int64_t>() >= 0);
}

// A positive count; answers and returns false otherwise.
bool read_count(const json& value, std::int64_t& count, Respond& respond) {
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{INT64_MAX})) {
    respond(expected_integer("count"));
    return false;
  }
  count = value.get<std::int64_t>();
  if (count < 1) {
    respond(invalid_argument("count", "\"count\" must be a positive integer"));
    return false;
  }
  return true;
}

}  // namespace

void Service::add_nodes(const Request& request, Respond respond) {
  OperationRequest operation;
  operation.kind = OperationKind::add_nodes;
  operation.partial = manager_.config().partial;
  const auto count = request.params.find("count");
  const auto function = request.params.find("function");
  if (count != request.params.end() && function != request.params.end())
    return respond(unexpected_arguments({"function"}));
  if (count == request.params.end() && function == request.params.end())
    return respond(missing_argument("\"serviceNodeId\" or \"count\""));
  operation.count = 1;
  if (count != request.params.end()) {
    if (!read_count(*count, operation.count, respond)) return;
  } else if (*function != "agent") {
    return respond(invalid_argument("function", "the only function of a node is \"agent\""));
  }
  if (const auto partial = request.params.find("partial"); partial != request.params.end()) {
    if (*partial != "keep" && *partial != "rollback")
      return respond(invalid_argument("partial", "\"partial\" is \"rollback\" or \"keep\""));
    operation.partial = *partial == "keep" ? model::PartialPolicy::keep : model::PartialPolicy::rollback;
  }
  if (!read_common(request, operation, respond)) return;
  submit(std::move(operation), function != request.params.end(), std::move(respond));
}

void Service::remove_nodes(const Request& request, Respond respond) {
  OperationRequest operation;
  operation.kind = OperationKind::remove_nodes;
  const auto count = request.params.find("count");
  const bool by_id = request.params.contains("serviceNodeId");
  if (by_id && count != request.params.end()) return respond(unexpected_arguments({"count"}));
  if (!by_id && count == request.params.end())
    return respond(missing_argument("\"serviceNodeId\" or \"count\""));
  if (const auto force = request.params.find("force"); force != request.params.end()) {
    if (!force->is_boolean()) return respond(invalid_argument("force", "\"force\" is true or false"));
    operation.force = force->get<bool>();
  }
  if (by_id) return node_operation(request, "serviceNodeId", std::move(operation), std::move(respond));
  if (!read_count(*count, operation.count, respond)) return;
  if (!read_common(request, operation, respond)) return;
  submit(std::move(operation), false, std::move(respond));
}

void Service::set_up_replica_master(const Request& request, Respond respond) {
  OperationRequest operation;
  operation.kind = OperationKind::set_up_replica_master;
  node_operation(request, "id", std::move(operation), std::move(respond));
}

void Service::set_up_replica_slave(const Request& request, Respond respond) {
  OperationRequest operation;
  operation.kind = OperationKind::set_up_replica_slave;
  static constexpr const char* kSource[] = {"master_host", "master_log_file", "master_log_pos",
                                            "slave_server_id"};
  std::size_t given = 0;
  for (const char* name : kSource) given += request.params.contains(name) ? 1 : 0;
  if (given != 0) {
    for (const char* name : kSource)
      if (!request.params.contains(name)) return respond(missing_argument(name));
    auto& source = operation.source;
    const auto& host = request.params.at("master_host");
    if (!host.is_string() || host.get_ref<const std::string&>().empty())
      return respond(invalid_argument("master_host", "\"master_host\" must be a host name or an address"));
    source.master_host = host.get<std::string>();
    const auto& file = request.params.at("master_log_file");
    if (!file.is_string() || file.get_ref<const std::string&>().empty())
      return respond(
          invalid_argument("master_log_file", "\"master_log_file\" must be the name of a binary log"));
    source.master_log_file = file.get<std::string>();
    const auto& position = request.params.at("master_log_pos");
    if (!is_natural(position)) return respond(expected_integer("master_log_pos"));
    source.master_log_pos = position.get<std::uint64_t>();
    const auto& server_id = request.params.at("slave_server_id");
    if (!is_natural(server_id)) return respond(expected_integer("slave_server_id"));
    if (server_id.get<std::uint64_t>() < 1 || server_id.get<std::uint64_t>() > 0x7fffffffU)
      return respond(
          invalid_argument("slave_server_id", "\"slave_server_id\" must be between 1 and 2147483647"));
    source.slave_server_id = server_id.get<std::uint32_t>();
  }
  node_operation(request, "id", std::move(operation), std::move(respond));
}

void Service::create_replica(const Request& request, Respond respond) {
  OperationRequest operation;
  operation.kind = OperationKind::create_replica;
  node_operation(request, "master_id", std::move(operation), std::move(respond));
}

void Service::promote(const Request& request, Respond respond) {
  OperationRequest operation;
  operation.kind = OperationKind::promote;
  node_operation(request, "id", std::move(operation), std::move(respond));
}

namespace {

bool read_flag(const Request& request, const char* name, bool& value, Respond& respond) {
  const auto found = request.params.find(name);
  if (found == request.params.end()) return true;
  if (!found->is_boolean()) {
    respond(invalid_argument(name, "\"" + std::string(name) + "\" is true or false"));
    return false;
  }
  value = found->get<bool>();
  return true;
}

}  // namespace

// Looks first; what it finds is the answer of a dry run, and decides whether there is anything to do.
void Service::fail_over(const Request& request, Respond respond) {
  OperationRequest operation;
  operation.kind = OperationKind::fail_over;
  bool dry_run = false;
  if (!read_flag(request, "dry_run", dry_run, respond) ||
      !read_flag(request, "force", operation.force, respond))
    return;
  if (!read_common(request, operation, respond)) return;
  const auto* known = operation.key.empty() ? nullptr : manager_.model().operation_of_key(operation.key);
  if (known != nullptr && !dry_run) {
    operation.node = known->request.node;
    return submit(std::move(operation), true, std::move(respond));
  }
  manager_.analyse_failover([this, operation = std::move(operation), dry_run,
                             answer = std::move(respond)](Result<ops::Analysis> analysed) mutable {
    const ops::Analysis& analysis = analysed.value();
    if (dry_run) return answer(ok(analysis_details(analysis)));
    const auto health = analysis.judgement.health;
    if (health != model::Health::dead && health != model::Health::hung && !operation.force)
      return answer(wrong_state("the master is " + std::string(to_text(health)) + ": " +
                                analysis.judgement.reason + "; \"force\": true replaces it none the less"));
    if (analysis.succession.node == 0) {
      std::string why;
      for (const auto& note : analysis.succession.notes) why += (why.empty() ? "" : "; ") + note;
      return answer(wrong_state("no slave can take over" + (why.empty() ? std::string() : ": " + why)));
    }
    operation.node = analysis.succession.node;
    submit(std::move(operation), true, std::move(answer));
  });
}

void Service::shutdown(const Request&, Respond respond) {
  OperationRequest operation;
  operation.kind = OperationKind::shutdown;
  submit(std::move(operation), false, std::move(respond));
}

void Service::startup(const Request&, Respond respond) {
  manager_.startup([this, answer = std::move(respond)](Result<void> started) mutable {
    if (started.has_error()) return answer(of(started.error(), "startup"));
    answer(ok(json{{"state", model::to_text(manager_.dstate())}}));
  });
}

}  // namespace drover::api
