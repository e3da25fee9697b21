#include "mockcloud/wire/openstack/servers.hpp"

#include "mockcloud/wire/openstack/ids.hpp"

namespace drover::wire::openstack {
namespace {

constexpr const char* kDetails = "openstack.server";
constexpr const char* kFailed = "openstack.failed";
constexpr const char* kFailedKind = "failed-server";
constexpr std::string_view kTokenPrefix = "openstack-";

std::string details_id(const cloud::Instance& vm) {
  return Servers::made(vm) ? vm.token : "instance:" + vm.id;
}

std::int64_t nanoseconds(TimePoint at) { return at.time_since_epoch().count(); }
TimePoint moment(const Json& json, const char* name) {
  const Json* found = member(json, name);
  return TimePoint(Duration(found != nullptr && found->is_number_integer() ? found->get<std::int64_t>() : 0));
}

Json to_json(const Server& server) {
  Json json;
  json["name"] = server.name;
  json["image"] = server.image;
  json["size"] = server.size;
  json["network"] = server.network;
  json["fault"] = server.fault;
  json["created"] = nanoseconds(server.created);
  json["updated"] = nanoseconds(server.updated);
  json["deleted"] = server.state == InstanceState::terminated;
  json["metadata"] = Json::object();
  for (const auto& [key, value] : server.metadata) json["metadata"][key] = value;
  json["details"] = server.details;
  return json;
}

std::optional<Server> to_server(const std::string& uuid, const std::string& text) {
  const auto json = parse_json(text);
  if (!json) return std::nullopt;
  Server server;
  server.uuid = uuid;
  server.name = text_member(*json, "name").value_or("");
  server.image = text_member(*json, "image").value_or("");
  server.size = text_member(*json, "size").value_or("");
  server.network = text_member(*json, "network").value_or("");
  server.fault = text_member(*json, "fault").value_or("");
  server.created = moment(*json, "created");
  server.updated = moment(*json, "updated");
  const Json* deleted = member(*json, "deleted");
  server.state = deleted != nullptr && deleted->is_boolean() && deleted->get<bool>()
                     ? InstanceState::terminated
                     : InstanceState::error;
  if (const Json* metadata = member(*json, "metadata"); metadata != nullptr)
    for (const auto& [key, value] : metadata->items())
      if (value.is_string()) server.metadata.emplace_back(key, value.get<std::string>());
  if (const Json* details = member(*json, "details"); details != nullptr) server.details = *details;
  return server;
}

}  // namespace

std::string Servers::uuid_of(const cloud::Instance& vm) { return numbered_uuid(kServerKind, vm.number); }

bool Servers::made(const cloud::Instance& vm) { return vm.token.starts_with(kTokenPrefix); }

const cloud::Instance* Servers::instance(const std::string& uuid) const {
  const std::uint32_t number = number_of_uuid(kServerKind, uuid);
  if (number == 0) return nullptr;
  std::string digits = std::to_string(number);
  if (digits.size() < 8) digits.insert(0, 8 - digits.size(), '0');
  const cloud::Instance* vm = backend_.cloud().instance("i-" + digits);
  return vm != nullptr && vm->number == number ? vm : nullptr;
}

std::optional<Server> Servers::from(const InstanceInfo& info) const {
  const cloud::Instance* vm = backend_.cloud().instance(info.id);
  if (vm == nullptr) return std::nullopt;
  Server server;
  server.uuid = uuid_of(*vm);
  server.instance = info.id;
  server.name = info.name;
  server.state = info.state;
  server.address = info.address;
  server.fault = info.fault;
  server.image = info.image;
  server.size = info.size;
  server.network = vm->spec.network;
  server.zone = vm->zone;
  server.metadata = info.tags;
  server.created = vm->created_at;
  server.updated = vm->state_since;
  server.paused = vm->paused && info.state == InstanceState::running;
  server.order = vm->number;
  for (const std::uint32_t volume : vm->volumes) server.volumes.push_back(numbered_uuid(kVolumeKind, volume));
  server.details = details(*vm);
  if (server.state == InstanceState::terminated) server.metadata.clear();  // Nova drops it with the server
  return server;
}

std::string Servers::new_token() {
  return std::string(kTokenPrefix) + backend_.token("openstack.server", 24);
}

void Servers::keep_details(const std::string& token, const Json& details) {
  backend_.put(kDetails, token, to_text(details));
}

void Servers::forget_details(const std::string& token) { backend_.erase(kDetails, token); }

Json Servers::details(const cloud::Instance& vm) const {
  const std::string* text = backend_.document(kDetails, details_id(vm));
  if (text == nullptr) return Json::object();
  return parse_json(*text).value_or(Json::object());
}

void Servers::change_details(const cloud::Instance& vm, const char* name, const Json& value) {
  Json all = details(vm);
  all[name] = value;
  backend_.put(kDetails, details_id(vm), to_text(all));
}

Server Servers::keep_failed(const InstanceSpec& spec, const std::string& message, const Json& details) {
  Server server;
  server.uuid = numbered_uuid(kFailedKind, static_cast<std::uint32_t>(backend_.next_number(kFailed)));
  server.name = spec.name;
  server.image = spec.image;
  server.size = spec.size;
  server.network = spec.network;
  server.metadata = spec.tags;
  server.fault = message;
  server.state = InstanceState::error;
  server.created = server.updated = backend_.now();
  server.details = details;
  change_failed(server);
  return server;
}

std::optional<Server> Servers::failed(const std::string& uuid) const {
  const std::string* text = backend_.document(kFailed, uuid);
  if (text == nullptr) return std::nullopt;
  return to_server(uuid, *text);
}

std::vector<Server> Servers::all_failed() const {
  std::vector<Server> all;
  const TimePoint now = backend_.now();
  for (const auto& [uuid, text] : backend_.documents(kFailed)) {
    auto server = to_server(uuid, text);
    if (!server) continue;
    const bool forgotten = server->state == InstanceState::terminated &&
                           now - server->updated >= backend_.cloud().config().terminated_listed;
    if (!forgotten) all.push_back(std::move(*server));
  }
  return all;
}

void Servers::delete_failed(const std::string& uuid) {
  auto server = failed(uuid);
  if (!server || server->state == InstanceState::terminated) return;
  server->state = InstanceState::terminated;
  server->updated = backend_.now();
  change_failed(*server);
}

void Servers::change_failed(const Server& server) {
  backend_.put(kFailed, server.uuid, to_text(to_json(server)));
}

}  // namespace drover::wire::openstack
