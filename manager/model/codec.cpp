#include "manager/model/codec.hpp"

#include <nlohmann/json.hpp>

namespace drover::model {
namespace {

using nlohmann::json;

Role parse_role(const std::string& text) {
  if (text == "primary") return Role::primary;
  if (text == "replica") return Role::replica;
  return Role::none;
}

OperationKind parse_kind(const std::string& text) {
  for (int i = 0; i < kOperationKinds; ++i)
    if (text == to_text(static_cast<OperationKind>(i))) return static_cast<OperationKind>(i);
  return OperationKind::add_nodes;
}

template <class Record, class Read>
Result<Record> decode(const char* what, const std::string& document, Read read) {
  const json parsed = json::parse(document, nullptr, false);
  if (!parsed.is_object())
    return make_error(ErrorCode::storage,
                      std::string("the journal holds a ") + what + " that is no JSON object");
  try {
    Record record;
    read(parsed, record);
    return record;
  } catch (const json::exception& e) {
    return make_error(ErrorCode::storage,
                      std::string("the journal holds a broken ") + what + ": " + e.what());
  }
}

}  // namespace

std::string encode(const Service& service) {
  return json{{"state", to_text(service.state)},          {"epoch", service.epoch},
              {"next_node", service.next_node},           {"next_operation", service.next_operation},
              {"next_server_id", service.next_server_id}, {"primary", service.primary},
              {"maybe_writable", service.maybe_writable}}
      .dump();
}

Result<Service> decode_service(const std::string& document) {
  return decode<Service>("service", document, [](const json& from, Service& to) {
    to.state = parse_service_state(from.value("state", "INIT")).value_or(ServiceState::S_INIT);
    to.epoch = from.value("epoch", std::uint64_t{0});
    to.next_node = from.value("next_node", NodeId{1});
    to.next_operation = from.value("next_operation", OperationId{1});
    to.next_server_id = from.value("next_server_id", 1U);
    to.primary = from.value("primary", NodeId{0});
    to.maybe_writable = from.value("maybe_writable", NodeId{0});
  });
}

std::string encode(const Node& node) {
  return json{{"id", node.id},
              {"state", to_text(node.state)},
              {"role", to_text(node.role)},
              {"server_id", node.server_id},
              {"attempt", node.attempt},
              {"mysqld_port", node.mysqld_port},
              {"operation", node.operation},
              {"vm", node.vm},
              {"address", node.address}}
      .dump();
}

Result<Node> decode_node(const std::string& document) {
  return decode<Node>("node", document, [](const json& from, Node& to) {
    to.id = from.at("id").get<NodeId>();
    to.state = parse_node_state(from.at("state").get<std::string>()).value_or(NodeState::failed);
    to.role = parse_role(from.value("role", "none"));
    to.server_id = from.value("server_id", 0U);
    to.attempt = from.value("attempt", std::uint16_t{1});
    to.mysqld_port = from.value("mysqld_port", std::uint16_t{3306});
    to.operation = from.value("operation", OperationId{0});
    to.vm = from.value("vm", "");
    to.address = from.value("address", "");
  });
}

std::string encode(const Operation& operation) {
  const auto& request = operation.request;
  json document{{"id", operation.id},
                {"kind", to_text(request.kind)},
                {"state", to_text(operation.state)},
                {"nodes", operation.nodes},
                {"accepted_at_ns", operation.accepted_at_ns}};
  if (!request.key.empty()) document["key"] = request.key;
  if (request.count != 0) document["count"] = request.count;
  if (request.node != 0) document["node"] = request.node;
  if (request.partial == PartialPolicy::keep) document["partial"] = "keep";
  if (request.force) document["force"] = true;
  if (request.source.slave_server_id != 0) {
    document["source"] = json{{"master_host", request.source.master_host},
                              {"master_log_file", request.source.master_log_file},
                              {"master_log_pos", request.source.master_log_pos},
                              {"slave_server_id", request.source.slave_server_id}};
  }
  if (operation.epoch != 0) document["epoch"] = operation.epoch;
  if (operation.former != 0) document["former"] = operation.former;
  if (!operation.error.empty()) document["error"] = operation.error;
  if (!operation.warning.empty()) document["warning"] = operation.warning;
  if (operation.cancelling) document["cancelling"] = true;
  if (operation.ended_at_ns != 0) document["ended_at_ns"] = operation.ended_at_ns;
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Operation> decode_operation(const std::string& document) {
  return decode<Operation>("operation", document, [](const json& from, Operation& to) {
    to.id = from.at("id").get<OperationId>();
    to.request.kind = parse_kind(from.at("kind").get<std::string>());
    to.state = parse_operation_state(from.at("state").get<std::string>()).value_or(OperationState::failed);
    to.nodes = from.value("nodes", std::vector<NodeId>{});
    to.accepted_at_ns = from.value("accepted_at_ns", std::int64_t{0});
    to.request.key = from.value("key", "");
    to.request.count = from.value("count", std::int64_t{0});
    to.request.node = from.value("node", NodeId{0});
    to.request.partial = from.value("partial", "") == "keep" ? PartialPolicy::keep : PartialPolicy::rollback;
    to.request.force = from.value("force", false);
    if (const auto source = from.find("source"); source != from.end()) {
      to.request.source.master_host = source->value("master_host", "");
      to.request.source.master_log_file = source->value("master_log_file", "");
      to.request.source.master_log_pos = source->value("master_log_pos", std::uint64_t{0});
      to.request.source.slave_server_id = source->value("slave_server_id", 0U);
    }
    to.epoch = from.value("epoch", std::uint64_t{0});
    to.former = from.value("former", NodeId{0});
    to.error = from.value("error", "");
    to.warning = from.value("warning", "");
    to.cancelling = from.value("cancelling", false);
    to.ended_at_ns = from.value("ended_at_ns", std::int64_t{0});
  });
}

}  // namespace drover::model
