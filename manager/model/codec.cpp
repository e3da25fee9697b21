#include "manager/model/codec.hpp"

#include <concepts>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

namespace drover::model {
namespace {

using nlohmann::json;

// A value that a record cannot hold; becomes an Error in decode().
[[noreturn]] void reject(const char* key, const std::string& why) {
  throw std::out_of_range("\"" + std::string(key) + "\" " + why);
}

// A whole number that fits into T and is not below `least`: neither rounded, wrapped nor converted.
template <std::integral T>
T whole(const char* key, const json& value, T least = std::numeric_limits<T>::min()) {
  const auto checked = [&](auto number) {
    if (!std::in_range<T>(number) || std::cmp_less(number, least))
      reject(key, "is out of range: " + value.dump());
    return static_cast<T>(number);
  };
  if (value.is_number_unsigned()) return checked(value.get<std::uint64_t>());
  if (value.is_number_integer()) return checked(value.get<std::int64_t>());
  reject(key, "is no whole number");
}

template <std::integral T>
T number(const json& from, const char* key, T otherwise, T least = std::numeric_limits<T>::min()) {
  const auto found = from.find(key);
  return found == from.end() ? otherwise : whole<T>(key, *found, least);
}

// What `parse` makes of the text at `key`; a text that it does not know is rejected: a newer version wrote
// it.
template <class Parse>
auto named(const json& from, const char* key, Parse parse) {
  const auto text = from.at(key).get<std::string>();
  const auto value = parse(text);
  if (!value) reject(key, "is \"" + text + "\", which this version does not know");
  return *value;
}

std::optional<Role> parse_role(const std::string& text) {
  if (text == "none") return Role::none;
  if (text == "primary") return Role::primary;
  if (text == "replica") return Role::replica;
  return std::nullopt;
}

std::optional<OperationKind> parse_kind(const std::string& text) {
  for (int i = 0; i < kOperationKinds; ++i)
    if (text == to_text(static_cast<OperationKind>(i))) return static_cast<OperationKind>(i);
  return std::nullopt;
}

// Names of a cloud may hold any bytes; a document holds UTF-8.
std::string text_of(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
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
  } catch (const std::exception& e) {
    return make_error(ErrorCode::storage,
                      std::string("the journal holds a broken ") + what + ": " + e.what());
  }
}

}  // namespace

std::string encode(const Service& service) {
  json document;
  document["state"] = to_text(service.state);
  document["epoch"] = service.epoch;
  document["next_node"] = service.next_node;
  document["next_operation"] = service.next_operation;
  document["next_server_id"] = service.next_server_id;
  document["primary"] = service.primary;
  document["maybe_writable"] = service.maybe_writable;
  if (!service.bereft_of.empty()) document["bereft_of"] = service.bereft_of;
  if (!service.doomed.empty()) document["doomed"] = service.doomed;
  return text_of(document);
}

Result<Service> decode_service(const std::string& document) {
  return decode<Service>("service", document, [](const json& from, Service& to) {
    if (from.contains("state")) to.state = named(from, "state", parse_service_state);
    to.epoch = number<std::uint64_t>(from, "epoch", 0);
    to.next_node = number<NodeId>(from, "next_node", 1, 1);
    to.next_operation = number<OperationId>(from, "next_operation", 1, 1);
    to.next_server_id = number<std::uint32_t>(from, "next_server_id", 1, 1);
    to.primary = number<NodeId>(from, "primary", 0, 0);
    to.maybe_writable = number<NodeId>(from, "maybe_writable", 0, 0);
    to.bereft_of = from.value("bereft_of", "");
    if (const auto doomed = from.find("doomed"); doomed != from.end()) {
      if (!doomed->is_array()) reject("doomed", "is no list");
      for (const auto& vm : *doomed) {
        if (!vm.is_string()) reject("doomed", "holds something else than the names of VMs");
        to.doomed.insert(vm.get<std::string>());
      }
    }
  });
}

std::string encode(const Node& node) {
  json document;  // member by member: an initialiser list makes an array of each pair first
  document["id"] = node.id;
  document["state"] = to_text(node.state);
  document["role"] = to_text(node.role);
  document["server_id"] = node.server_id;
  document["attempt"] = node.attempt;
  document["mysqld_port"] = node.mysqld_port;
  document["operation"] = node.operation;
  document["vm"] = node.vm;
  document["address"] = node.address;
  if (!node.left_at.empty()) document["left_at"] = node.left_at;
  return text_of(document);
}

Result<Node> decode_node(const std::string& document) {
  return decode<Node>("node", document, [](const json& from, Node& to) {
    to.id = whole<NodeId>("id", from.at("id"), 1);
    to.state = named(from, "state", parse_node_state);
    if (from.contains("role")) to.role = named(from, "role", parse_role);
    to.server_id = number<std::uint32_t>(from, "server_id", 0);
    to.attempt = number<std::uint16_t>(from, "attempt", 1);
    to.mysqld_port = number<std::uint16_t>(from, "mysqld_port", 3306);
    to.operation = number<OperationId>(from, "operation", 0, 0);
    to.vm = from.value("vm", "");
    to.address = from.value("address", "");
    to.left_at = from.value("left_at", "");
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
  if (request.source.slave_server_id != 0 || !request.source.master_host.empty()) {
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
  return text_of(document);
}

Result<Operation> decode_operation(const std::string& document) {
  return decode<Operation>("operation", document, [](const json& from, Operation& to) {
    to.id = whole<OperationId>("id", from.at("id"), 1);
    to.request.kind = named(from, "kind", parse_kind);
    to.state = named(from, "state", parse_operation_state);
    if (const auto nodes = from.find("nodes"); nodes != from.end()) {
      if (!nodes->is_array()) reject("nodes", "is no list");
      for (const auto& node : *nodes) to.nodes.push_back(whole<NodeId>("nodes", node, 1));
    }
    to.accepted_at_ns = number<std::int64_t>(from, "accepted_at_ns", 0);
    to.request.key = from.value("key", "");
    to.request.count = number<std::int64_t>(from, "count", 0);
    to.request.node = number<NodeId>(from, "node", 0, 0);
    to.request.partial = from.value("partial", "") == "keep" ? PartialPolicy::keep : PartialPolicy::rollback;
    to.request.force = from.value("force", false);
    if (const auto source = from.find("source"); source != from.end()) {
      if (!source->is_object()) reject("source", "is no object");
      to.request.source.master_host = source->value("master_host", "");
      to.request.source.master_log_file = source->value("master_log_file", "");
      to.request.source.master_log_pos = number<std::uint64_t>(*source, "master_log_pos", 0);
      to.request.source.slave_server_id = number<std::uint32_t>(*source, "slave_server_id", 0);
    }
    to.epoch = number<std::uint64_t>(from, "epoch", 0);
    to.former = number<NodeId>(from, "former", 0, 0);
    to.error = from.value("error", "");
    to.warning = from.value("warning", "");
    to.cancelling = from.value("cancelling", false);
    to.ended_at_ns = number<std::int64_t>(from, "ended_at_ns", 0);
  });
}

}  // namespace drover::model
