// Versions and routes.
#include "mockcloud/wire/openstack/nova.hpp"

#include <charconv>

namespace drover::wire::openstack {
namespace {

Json version_json(const Exchange& exchange, bool full) {
  Json version, self;
  version["id"] = "v2.1";
  version["status"] = "CURRENT";
  version["version"] = "2." + std::to_string(kMinorMax);
  version["min_version"] = "2.1";
  version["updated"] = "2013-07-23T11:33:21Z";
  self["rel"] = "self";
  self["href"] = exchange.origin + "/compute/v2.1/";
  version["links"] = Json::array({self});
  if (!full) return version;
  Json described, media;
  described["rel"] = "describedby";
  described["type"] = "text/html";
  described["href"] = "http://docs.openstack.org/";
  version["links"].push_back(described);
  media["base"] = "application/json";
  media["type"] = "application/vnd.openstack.compute+json;version=2.1";
  version["media-types"] = Json::array({media});
  return version;
}

// The version that a client wants: "compute 2.37" among the services of the common field, or the older field.
std::string wanted_version(const http::Request& request) {
  std::string_view all = request.value("OpenStack-API-Version");
  while (!all.empty()) {
    const auto comma = all.find(',');
    std::string_view one = all.substr(0, comma);
    all = comma == std::string_view::npos ? std::string_view{} : all.substr(comma + 1);
    while (one.starts_with(' ')) one.remove_prefix(1);
    constexpr std::string_view kCompute = "compute ";
    if (!one.starts_with(kCompute)) continue;
    one.remove_prefix(kCompute.size());
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    return std::string(one);
  }
  return std::string(request.value("X-OpenStack-Nova-API-Version"));
}

std::optional<unsigned> whole(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

bool Nova::is_version(const Exchange& exchange) {
  return exchange.path.empty() || (exchange.path.size() == 1 && exchange.path[0] == "v2.1");
}

void Nova::version(Exchange& exchange) {
  exchange.known_route = !exchange.path.empty();
  if (exchange.request.method != "GET" && exchange.request.method != "HEAD") return refuse_route(exchange);
  Json body;
  if (exchange.path.empty())
    body["versions"] = Json::array({version_json(exchange, false)});
  else
    body["version"] = version_json(exchange, true);
  answer(exchange, 200, body);
}

bool Nova::set_version(Exchange& exchange) {
  const std::string wanted = wanted_version(exchange.request).substr(0, 40);
  if (wanted.empty()) return true;
  if (wanted == "latest") {
    exchange.minor = kMinorMax;
    return true;
  }
  const auto dot = wanted.find('.');
  const auto major = whole(std::string_view(wanted).substr(0, dot));
  const auto minor =
      dot == std::string::npos ? std::nullopt : whole(std::string_view(wanted).substr(dot + 1));
  if (!major || !minor) {
    exchange.known_route = false;
    refuse(exchange, 400,
           "API Version String " + wanted + " is of invalid format. Must be of format MajorNum.MinorNum.");
    return false;
  }
  if (*major != 2 || *minor < kMinorMin || *minor > kMinorMax) {
    exchange.wanted_version = wanted;
    refuse(exchange, 406,
           "Version " + wanted + " is not supported by the API. Minimum is 2.1 and maximum is 2.93.");
    return false;
  }
  exchange.minor = static_cast<int>(*minor);
  return true;
}

void Nova::handle(const ExchangePtr& exchange) {
  auto& path = exchange->path;
  if (path[0] != "v2.1" && path[0] != "v2") return refuse_route(*exchange);
  path.erase(path.begin());
  // Older clients put the project's id into the path.
  if (path.size() > 1 && path[0] == catalogue_.project_id()) path.erase(path.begin());
  if (!set_version(*exchange)) return;
  if (!exchange->who.scoped) return refuse_policy(*exchange, "os_compute_api:servers:index");
  route(exchange);
}

void Nova::route(const ExchangePtr& exchange) {
  Exchange& e = *exchange;
  const std::string& first = e.path.empty() ? e.request.target : e.path[0];
  if (first == "servers") return route_server(exchange);
  if (first == "os-keypairs") return keypairs(exchange);
  look_up(backend_, exchange, "nova.look_up", [this](Exchange& asked) { catalogue(asked); });
}

void Nova::route_server(const ExchangePtr& exchange) {
  Exchange& e = *exchange;
  const auto& path = e.path;
  if (e.is("GET", 1)) return list(exchange, false);
  if (e.is("POST", 1)) return create(exchange);
  if (e.is("GET", 2) && path[1] == "detail") return list(exchange, true);
  if (e.is("GET", 2)) return show(exchange);
  if (e.is("PUT", 2)) return update(exchange);
  if (e.is("DELETE", 2)) return remove(exchange);
  if (path.size() < 3) return refuse_route(e);
  if (e.is("POST", 3) && path[2] == "action") return action(exchange);
  if (path[2] == "metadata") return metadata(exchange);
  if (path[2] == "tags" && e.minor >= 26) return server_tags(exchange);
  if (path[2] == "os-volume_attachments") return attachments(exchange);
  if (e.request.method != "GET") return refuse_route(e);
  if (path[2] == "diagnostics") return refuse_policy(e, "os_compute_api:os-server-diagnostics");
  const bool known = (path[2] == "ips" && path.size() <= 4) ||
                     (path.size() == 3 && (path[2] == "os-instance-actions" ||
                                           path[2] == "os-security-groups" || path[2] == "os-interface"));
  if (!known) return refuse_route(e);
  with_server(exchange, [this, exchange](const Server& server) {
    const auto& what = exchange->path;
    Json body;
    if (what[2] == "ips") {
      const Json all = addresses_json(server, false);
      if (what.size() == 3) {
        body["addresses"] = all;
      } else {
        const Json* found = member(all, what[3].c_str());
        if (found == nullptr) return refuse(*exchange, 404, "Network name not found");
        body[what[3]] = *found;
      }
    } else if (what[2] == "os-instance-actions") {
      Json action;
      action["action"] = "create";
      action["instance_uuid"] = server.uuid;
      action["request_id"] = "req-" + server.uuid;
      action["user_id"] = catalogue_.user_id(exchange->who.user);
      action["project_id"] = catalogue_.project_id();
      action["start_time"] = calendar_.text(server.created).substr(0, 19) + ".000000";
      action["message"] = nullptr;
      body["instanceActions"] = Json::array({action});
    } else if (what[2] == "os-security-groups") {
      Json group;
      group["id"] = catalogue_.network_id("group:default");
      group["name"] = "default";
      group["description"] = "Default security group";
      group["tenant_id"] = catalogue_.project_id();
      group["rules"] = Json::array();
      body["security_groups"] = Json::array({group});
    } else {
      body["interfaceAttachments"] = Json::array();
    }
    answer(*exchange, 200, body);
  });
}

}  // namespace drover::wire::openstack
