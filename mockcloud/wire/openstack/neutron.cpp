#include "mockcloud/wire/openstack/neutron.hpp"

#include <algorithm>

#include "mockcloud/wire/openstack/ids.hpp"

namespace drover::wire::openstack {
namespace {

constexpr std::size_t kPageMax = 1000;
// Collections that the mock cloud has nothing of.
constexpr std::string_view kEmpty[] = {
    "routers",     "floatingips",    "extensions",         "agents",
    "subnetpools", "address-groups", "availability_zones", "security-group-rules"};

std::string to_key(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// Whether a parameter of the query ("true", "ACTIVE") says what the field says.
bool says(const Json& field, const std::string& wanted) {
  if (field.is_string()) return field.get_ref<const std::string&>() == wanted;
  if (field.is_boolean()) {
    const bool yes = wanted == "True" || wanted == "true" || wanted == "1";
    return field.get<bool>() == yes;
  }
  return field.is_number() && field.dump() == wanted;
}

}  // namespace

bool Neutron::is_version(const Exchange& exchange) { return exchange.path.empty(); }

void Neutron::versions(Exchange& exchange) {
  Json version, link, body;
  version["id"] = "v2.0";
  version["status"] = "CURRENT";
  link["rel"] = "self";
  link["href"] = exchange.origin + "/network/v2.0/";
  version["links"] = Json::array({link});
  body["versions"] = Json::array({version});
  answer(exchange, 200, body);
}

void Neutron::handle(const ExchangePtr& exchange) {
  auto& path = exchange->path;
  if (path[0] != "v2.0") return refuse_route(*exchange);
  path.erase(path.begin());
  if (!path.empty())
    if (std::string& last = path.back(); last.ends_with(".json")) last.resize(last.size() - 5);
  const std::string what = path.empty() ? std::string() : path[0];
  if (what == "ports" && exchange->request.method == "GET" && path.size() <= 2) return ports(exchange);
  look_up(backend_, exchange, "neutron.look_up", [this, what](Exchange& asked) { known(asked, what); });
}

void Neutron::known(Exchange& exchange, const std::string& what) {
  Json body;
  if (what.empty()) {
    body["resources"] = Json::array();
    return exchange.request.method == "GET" ? answer(exchange, 200, body) : refuse_route(exchange);
  }
  if (exchange.request.method != "GET") {
    if (what == "networks" || what == "subnets" || what == "ports" || what == "security-groups" ||
        what == "routers" || what == "floatingips" || what == "security-group-rules")
      return refuse_policy(exchange, "create_" + to_key(what.substr(0, what.size() - 1)));
    return refuse_route(exchange);
  }
  std::vector<Json> items;
  if (what == "networks") {
    for (const auto& name : catalogue_.networks()) items.push_back(network_json(name));
    return show(exchange, what, "network", "NetworkNotFound", std::move(items));
  }
  if (what == "subnets") {
    for (const auto& name : catalogue_.networks()) items.push_back(subnet_json(name));
    return show(exchange, what, "subnet", "SubnetNotFound", std::move(items));
  }
  if (what == "security-groups") {
    items.push_back(group_json());
    return show(exchange, what, "security_group", "SecurityGroupNotFound", std::move(items));
  }
  if (what == "quotas" && exchange.path.size() <= 3) {
    for (const char* each : {"network", "subnet", "port", "router", "floatingip", "security_group",
                             "security_group_rule", "subnetpool", "rbac_policy"})
      body["quota"][each] = -1;
    return answer(exchange, 200, body);
  }
  for (const std::string_view each : kEmpty)
    if (what == each) return show(exchange, what, "item", "ResourceNotFound", {});
  refuse_route(exchange);
}

void Neutron::ports(const ExchangePtr& exchange) {
  exchange->subject = backend_.subject(exchange->request, nullptr, "list");
  CallContext context;
  context.subject = exchange->subject;
  backend_.list(context, {}, {}, [this, exchange](const Result<cloud::Snapshot>& result) {
    if (!result) return refuse(*exchange, result.error());
    std::vector<Json> items;
    InstanceInfo info;
    for (std::size_t row = 0; row < result.value().size(); ++row) {
      result.value().tell(row, info);
      const auto server = servers_.from(info);
      if (server && server->state != InstanceState::terminated && !addresses_json(*server, false).empty())
        items.push_back(port_json(*server));
    }
    show(*exchange, "ports", "port", "PortNotFound", std::move(items));
  });
}

void Neutron::show(Exchange& exchange, const std::string& what, const char* one, const char* type,
                   std::vector<Json> items) const {
  Json body;
  if (exchange.path.size() == 2) {
    const std::string& id = exchange.path[1];
    for (const Json& item : items)
      if (item["id"] == Json(id)) {
        body[one] = item;
        return answer(exchange, 200, body);
      }
    std::string name = one;
    name[0] = static_cast<char>(name[0] - 'a' + 'A');
    return refuse(exchange, 404, name + " " + id.substr(0, 80) + " could not be found.", type);
  }
  if (exchange.path.size() != 1) return refuse_route(exchange);
  std::vector<std::string> fields;
  std::vector<Json> found;
  for (const auto& [key, value] : exchange.query)
    if (key == "fields") fields.push_back(value);
  for (const Json& item : items) {
    bool wanted = true;
    // A parameter that comes several times names alternatives.
    for (const auto& [key, value] : exchange.query) {
      const Json* field = member(item, key.c_str());
      if (field == nullptr || key == "fields" || key == "limit" || key == "marker") continue;
      bool any = false;
      for (const auto& [other, alternative] : exchange.query)
        any = any || (other == key && says(*field, alternative));
      wanted = wanted && any;
    }
    if (wanted) found.push_back(item);
  }
  bool more = false;
  const auto page = page_of(
      exchange, std::move(found), kPageMax, [](const Json& item) { return item["id"].get<std::string>(); },
      more);
  if (!page) return;
  const std::string key = to_key(what);
  body[key] = Json::array();
  for (const Json& item : *page) {
    Json shown = item;
    if (!fields.empty()) {
      shown = Json::object();
      for (const auto& field : fields)
        if (item.contains(field)) shown[field] = item[field];
    }
    body[key].push_back(shown);
  }
  if (more) {
    Json link;
    link["rel"] = "next";
    link["href"] =
        exchange.origin + "/network/v2.0/" + next_page(exchange, what, page->back()["id"].get<std::string>());
    body[key + "_links"] = Json::array({link});
  }
  answer(exchange, 200, body);
}

Json Neutron::network_json(const std::string& name) const {
  const std::string when = calendar_.text(kEpoch);
  Json json;
  json["id"] = catalogue_.network_id(name);
  json["name"] = name;
  json["tenant_id"] = catalogue_.project_id();
  json["admin_state_up"] = true;
  json["mtu"] = 1450;
  json["status"] = "ACTIVE";
  json["subnets"] = Json::array({catalogue_.subnet_id(name)});
  json["shared"] = false;
  json["availability_zone_hints"] = Json::array();
  json["availability_zones"] = Json::array();
  json["ipv4_address_scope"] = nullptr;
  json["ipv6_address_scope"] = nullptr;
  json["router:external"] = false;
  json["description"] = "";
  json["port_security_enabled"] = true;
  json["tags"] = Json::array();
  json["created_at"] = when;
  json["updated_at"] = when;
  json["revision_number"] = 2;
  json["project_id"] = catalogue_.project_id();
  return json;
}

Json Neutron::subnet_json(const std::string& network) const {
  // The cloud's addresses begin with one to three octets, each with its dot.
  const std::string& prefix = backend_.cloud().config().address_prefix;
  const auto octets = std::count(prefix.begin(), prefix.end(), '.');
  std::string base = prefix;
  for (auto i = octets; i < 4; ++i) base += i == 3 ? "0" : "0.";
  const std::string when = calendar_.text(kEpoch);
  Json json;
  json["id"] = catalogue_.subnet_id(network);
  json["name"] = network + "-subnet";
  json["tenant_id"] = catalogue_.project_id();
  json["network_id"] = catalogue_.network_id(network);
  json["ip_version"] = 4;
  json["subnetpool_id"] = nullptr;
  json["enable_dhcp"] = true;
  json["ipv6_ra_mode"] = nullptr;
  json["ipv6_address_mode"] = nullptr;
  json["gateway_ip"] = nullptr;
  json["cidr"] = base + "/" + std::to_string(8 * octets);
  json["allocation_pools"] = Json::array();
  json["host_routes"] = Json::array();
  json["dns_nameservers"] = Json::array();
  json["description"] = "";
  json["service_types"] = Json::array();
  json["tags"] = Json::array();
  json["created_at"] = when;
  json["updated_at"] = when;
  json["revision_number"] = 0;
  json["project_id"] = catalogue_.project_id();
  return json;
}

Json Neutron::group_json() const {
  const std::string when = calendar_.text(kEpoch);
  Json json;
  json["id"] = named_uuid("group", "default");
  json["name"] = "default";
  json["stateful"] = true;
  json["tenant_id"] = catalogue_.project_id();
  json["description"] = "Default security group";
  json["shared"] = false;
  json["security_group_rules"] = Json::array();
  json["tags"] = Json::array();
  json["created_at"] = when;
  json["updated_at"] = when;
  json["revision_number"] = 1;
  json["project_id"] = catalogue_.project_id();
  return json;
}

Json Neutron::port_json(const Server& server) const {
  Json address, json;
  address["subnet_id"] = catalogue_.subnet_id(server.network);
  address["ip_address"] = server.address;
  json["id"] = named_uuid("port", server.uuid);
  json["name"] = "";
  json["network_id"] = catalogue_.network_id(server.network);
  json["tenant_id"] = catalogue_.project_id();
  json["mac_address"] = mac_of(server.uuid);
  json["admin_state_up"] = true;
  json["status"] = server.state == InstanceState::running ? "ACTIVE" : "DOWN";
  json["device_id"] = server.uuid;
  json["device_owner"] = "compute:" + server.zone;
  json["fixed_ips"] = Json::array({address});
  json["allowed_address_pairs"] = Json::array();
  json["extra_dhcp_opts"] = Json::array();
  json["security_groups"] = Json::array({named_uuid("group", "default")});
  json["description"] = "";
  json["binding:vnic_type"] = "normal";
  json["port_security_enabled"] = true;
  json["tags"] = Json::array();
  json["created_at"] = calendar_.text(server.created);
  json["updated_at"] = calendar_.text(server.updated);
  json["revision_number"] = 1;
  json["project_id"] = catalogue_.project_id();
  return json;
}

}  // namespace drover::wire::openstack
