// Servers as clients of each microversion see them.
#include <algorithm>

#include "mockcloud/wire/openstack/ids.hpp"
#include "mockcloud/wire/openstack/servers.hpp"

namespace drover::wire::openstack {
namespace {

bool flag(const Json& details, const char* name) {
  const Json* found = member(details, name);
  return found != nullptr && found->is_boolean() && found->get<bool>();
}

// Started again by a client, and not yet up: Nova says that it is off until it is on.
bool is_starting(const Server& server) {
  return server.state == InstanceState::pending && flag(server.details, "starting");
}

Json image_json(const Exchange& exchange, const Catalogue& catalogue, const Server& server) {
  if (server.image.empty()) return "";
  Json image, link;
  image["id"] = catalogue.image_id(server.image);
  link["rel"] = "bookmark";
  link["href"] = exchange.origin + "/compute/images/" + catalogue.image_id(server.image);
  image["links"] = Json::array({link});
  return image;
}

Json embedded_flavor(const Exchange& exchange, const Flavor& flavor) {
  Json json;
  if (exchange.minor < 47) {
    Json link;
    json["id"] = flavor.id;
    link["rel"] = "bookmark";
    link["href"] = exchange.origin + "/compute/flavors/" + http::percent_encode(flavor.id);
    json["links"] = Json::array({link});
    return json;
  }
  json["vcpus"] = flavor.vcpus;
  json["ram"] = flavor.ram;
  json["disk"] = flavor.disk;
  json["ephemeral"] = 0;
  json["swap"] = 0;
  json["original_name"] = flavor.name;
  json["extra_specs"] = Json::object();
  return json;
}

Json or_null(const Json& details, const char* name) {
  const Json* found = member(details, name);
  return found != nullptr ? *found : Json(nullptr);
}

Json volumes_json(const Exchange& exchange, const Server& server) {
  Json all = Json::array();
  for (const auto& uuid : server.volumes) {
    Json volume;
    volume["id"] = uuid;
    if (exchange.minor >= 3) volume["delete_on_termination"] = false;
    all.push_back(volume);
  }
  return all;
}

// A host name made from the server's name, as Nova does it.
std::string hostname_of(const Server& server) {
  std::string host;
  for (const char c : server.name) {
    const char small = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool plain = (small >= 'a' && small <= 'z') || (small >= '0' && small <= '9');
    if (plain)
      host += small;
    else if (small == ' ' || small == '_' || small == '-' || small == '.')
      host += '-';
  }
  const auto begin = host.find_first_not_of('-');
  if (begin == std::string::npos) return "server-" + server.uuid;
  return host.substr(begin, std::min<std::size_t>(63, host.find_last_not_of('-') + 1 - begin));
}

void add_extended(Json& json, const Exchange& exchange, const Calendar& calendar, const Server& server) {
  const bool placed = !server.instance.empty() && server.state != InstanceState::pending;
  json["OS-EXT-AZ:availability_zone"] = placed ? server.zone : "";
  json["config_drive"] = flag(server.details, "config_drive") ? "True" : "";
  json["key_name"] = or_null(server.details, "key_name");
  const auto precise = [&](TimePoint at) {
    std::string text = calendar.text(at);
    text.pop_back();
    return text + ".000000";
  };
  json["OS-SRV-USG:launched_at"] =
      placed && server.state != InstanceState::error ? Json(precise(server.created)) : Json(nullptr);
  json["OS-SRV-USG:terminated_at"] =
      server.state == InstanceState::terminated ? Json(precise(server.updated)) : Json(nullptr);
  if (!server.address.empty() && !flag(server.details, "no_network")) {
    Json groups = Json::array();
    if (const Json* names = member(server.details, "security_groups"); names != nullptr) {
      for (const auto& each : *names) groups.push_back(Json{{"name", each}});
    } else {
      groups.push_back(Json{{"name", "default"}});
    }
    json["security_groups"] = groups;
  }
  const char* task = task_state_of(server);
  json["OS-EXT-STS:task_state"] = task != nullptr ? Json(task) : Json(nullptr);
  json["OS-EXT-STS:vm_state"] = vm_state_of(server);
  json["OS-EXT-STS:power_state"] = power_state_of(server);
  json["os-extended-volumes:volumes_attached"] = volumes_json(exchange, server);
}

}  // namespace

const char* status_of(const Server& server) {
  switch (server.state) {
    case InstanceState::pending:
      return is_starting(server) ? "SHUTOFF" : "BUILD";
    case InstanceState::running:
      return server.paused ? "PAUSED" : "ACTIVE";
    case InstanceState::rebooting:
      return "REBOOT";
    case InstanceState::stopping:
    case InstanceState::shutting_down:
      return "ACTIVE";
    case InstanceState::stopped:
      return "SHUTOFF";
    case InstanceState::terminated:
      return "DELETED";
    case InstanceState::error:
      break;
  }
  return "ERROR";
}

const char* vm_state_of(const Server& server) {
  switch (server.state) {
    case InstanceState::pending:
      return is_starting(server) ? "stopped" : "building";
    case InstanceState::running:
      return server.paused ? "paused" : "active";
    case InstanceState::rebooting:
    case InstanceState::stopping:
    case InstanceState::shutting_down:
      return "active";
    case InstanceState::stopped:
      return "stopped";
    case InstanceState::terminated:
      return "deleted";
    case InstanceState::error:
      break;
  }
  return "error";
}

const char* task_state_of(const Server& server) {
  switch (server.state) {
    case InstanceState::pending:
      return is_starting(server) ? "powering-on" : "spawning";
    case InstanceState::rebooting:
      return "rebooting";
    case InstanceState::stopping:
      return "powering-off";
    case InstanceState::shutting_down:
      return "deleting";
    default:
      return nullptr;
  }
}

int power_state_of(const Server& server) {
  switch (server.state) {
    case InstanceState::running:
      return server.paused ? 3 : 1;
    case InstanceState::rebooting:
    case InstanceState::stopping:
    case InstanceState::shutting_down:
      return 1;
    case InstanceState::stopped:
      return 4;
    default:
      return 0;
  }
}

Json addresses_json(const Server& server, bool extended) {
  Json all = Json::object();
  if (server.address.empty() || flag(server.details, "no_network")) return all;
  Json address;
  address["version"] = server.address.find(':') == std::string::npos ? 4 : 6;
  address["addr"] = server.address;
  if (extended) {
    address["OS-EXT-IPS:type"] = "fixed";
    address["OS-EXT-IPS-MAC:mac_addr"] = mac_of(server.uuid);
  }
  all[server.network.empty() ? "network" : server.network] = Json::array({address});
  return all;
}

Json server_json(const Exchange& exchange, const Catalogue& catalogue, const Calendar& calendar,
                 const Server& server, View view) {
  Json json;
  json["id"] = server.uuid;
  json["name"] = server.name;
  if (view == View::summary) {
    json["links"] = links_of(exchange, "servers", server.uuid);
    return json;
  }
  const std::string status = status_of(server);
  json["status"] = status;
  json["tenant_id"] = catalogue.project_id();
  json["user_id"] = catalogue.user_id(text_member(server.details, "user").value_or(exchange.who.user));
  json["metadata"] = Json::object();
  for (const auto& [key, value] : server.metadata) json["metadata"][key] = value;
  const bool placed = !server.instance.empty() && server.state != InstanceState::pending;
  json["hostId"] =
      placed ? named_hex("host", server.zone) + named_hex("host-", server.zone).substr(0, 24) : "";
  json["image"] = image_json(exchange, catalogue, server);
  json["flavor"] = embedded_flavor(exchange, catalogue.flavor_named(server.size));
  json["created"] = calendar.text(server.created);
  json["updated"] = calendar.text(server.updated);
  json["addresses"] = addresses_json(server, true);
  json["accessIPv4"] = "";
  json["accessIPv6"] = "";
  json["links"] = links_of(exchange, "servers", server.uuid);
  json["OS-DCF:diskConfig"] = "MANUAL";
  if (status == "ERROR") {
    json["fault"]["code"] = 500;
    json["fault"]["created"] = calendar.text(server.updated);
    json["fault"]["message"] = server.fault;
  }
  if (status == "ACTIVE" || status == "BUILD" || status == "REBOOT") json["progress"] = 0;
  const bool full = view != View::changed || exchange.minor >= 75;
  if (full) add_extended(json, exchange, calendar, server);
  if (exchange.minor >= 9) json["locked"] = flag(server.details, "locked");
  if (full && exchange.minor >= 73) json["locked_reason"] = nullptr;
  if (exchange.minor >= 19) json["description"] = or_null(server.details, "description");
  if (exchange.minor >= 26) {
    const Json* tags = member(server.details, "tags");
    json["tags"] = tags != nullptr ? *tags : Json::array();
  }
  if (exchange.minor >= 63) json["trusted_image_certificates"] = nullptr;
  if (full && exchange.minor >= 90) {
    const auto hostname = text_member(server.details, "hostname");
    json["OS-EXT-SRV-ATTR:hostname"] = hostname ? *hostname : hostname_of(server);
  }
  if (view == View::shown && exchange.minor >= 71) json["server_groups"] = Json::array();
  return json;
}

}  // namespace drover::wire::openstack
