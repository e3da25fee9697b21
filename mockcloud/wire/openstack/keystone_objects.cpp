// What clients ask Keystone about themselves: catalogue, project, user, application credentials.
#include "mockcloud/wire/openstack/ids.hpp"
#include "mockcloud/wire/openstack/keystone.hpp"

namespace drover::wire::openstack {
namespace {

constexpr const char* kRegion = "RegionOne";

Json listing(const Exchange& exchange, const char* what, Json items, const std::string& path) {
  Json body;
  body[what] = std::move(items);
  body["links"]["next"] = nullptr;
  body["links"]["self"] = exchange.origin + "/identity/v3/" + path;
  body["links"]["previous"] = nullptr;
  return body;
}

}  // namespace

Json Keystone::services(const Exchange& exchange) const {
  const std::string project = catalogue_.project_id();
  struct Entry {
    const char* type;
    const char* name;
    std::string url;
  };
  const Entry entries[] = {
      {"identity", "keystone", "/identity/v3/"},
      {"compute", "nova", "/compute/v2.1"},
      {"image", "glance", "/image"},
      {"network", "neutron", "/network"},
      {"volumev3", "cinderv3", "/volume/v3/" + project},
      {"block-storage", "cinder", "/volume/v3/" + project},
  };
  Json all = Json::array();
  for (const Entry& entry : entries) {
    Json endpoints = Json::array();
    for (const char* interface : {"public", "internal", "admin"}) {
      Json endpoint;
      endpoint["id"] = named_hex("endpoint", std::string(entry.type) + interface);
      endpoint["interface"] = interface;
      endpoint["region_id"] = kRegion;
      endpoint["url"] = exchange.origin + entry.url;
      endpoint["region"] = kRegion;
      endpoints.push_back(endpoint);
    }
    Json service;
    service["endpoints"] = endpoints;
    service["id"] = named_hex("service", entry.type);
    service["type"] = entry.type;
    service["name"] = entry.name;
    all.push_back(service);
  }
  return all;
}

Json Keystone::project_json(const Exchange& exchange) const {
  Json project;
  project["id"] = catalogue_.project_id();
  project["name"] = catalogue_.project();
  project["domain_id"] = "default";
  project["description"] = "";
  project["enabled"] = true;
  project["parent_id"] = "default";
  project["is_domain"] = false;
  project["tags"] = Json::array();
  project["options"] = Json::object();
  project["links"]["self"] = exchange.origin + "/identity/v3/projects/" + catalogue_.project_id();
  return project;
}

Json Keystone::user_json(const Exchange& exchange, const std::string& name) const {
  Json user;
  user["id"] = catalogue_.user_id(name);
  user["name"] = name;
  user["domain_id"] = "default";
  user["enabled"] = true;
  user["default_project_id"] = catalogue_.project_id();
  user["password_expires_at"] = nullptr;
  user["options"] = Json::object();
  user["links"]["self"] = exchange.origin + "/identity/v3/users/" + catalogue_.user_id(name);
  return user;
}

Json Keystone::credential_json(const Exchange& exchange, const ApplicationCredential& credential) const {
  Json json;
  json["id"] = credential.id;
  json["name"] = credential.name;
  json["description"] = credential.description.empty() ? Json(nullptr) : Json(credential.description);
  json["user_id"] = catalogue_.user_id(credential.user);
  json["project_id"] = catalogue_.project_id();
  json["system"] = nullptr;
  json["expires_at"] = nullptr;
  json["unrestricted"] = nullptr;
  json["roles"] = Json::array();
  for (const char* name : {"reader", "member"}) {
    Json role;
    role["id"] = catalogue_.user_id(std::string("role:") + name);
    role["name"] = name;
    role["domain_id"] = nullptr;
    role["description"] = nullptr;
    role["options"]["immutable"] = true;
    json["roles"].push_back(role);
  }
  json["links"]["self"] = exchange.origin + "/identity/v3/application_credentials/" + credential.id;
  return json;
}

void Keystone::known(Exchange& exchange) {
  const auto who = tokens_.find(std::string(exchange.request.value("X-Auth-Token")));
  if (!who) return refuse_token(exchange);
  exchange.who = *who;
  const auto& path = exchange.path;
  if (path.size() >= 3 && path.size() <= 4 && path[0] == "users" && path[2] == "application_credentials")
    return credentials(exchange);
  if (exchange.request.method != "GET" && exchange.request.method != "HEAD") {
    if (path[0] == "projects" || path[0] == "users" || path[0] == "services" || path[0] == "endpoints" ||
        path[0] == "roles" || path[0] == "domains")
      return refuse_policy(exchange, "identity:create_" + path[0].substr(0, path[0].size() - 1));
    return refuse_route(exchange);
  }
  if (exchange.is("GET", 2) && path[0] == "auth") {
    if (path[1] == "catalog") {
      if (!who->scoped) return refuse_policy(exchange, "identity:get_auth_catalog");
      Json body;
      body["catalog"] = services(exchange);
      body["links"]["self"] = exchange.origin + "/identity/v3/auth/catalog";
      return answer(exchange, 200, body);
    }
    if (path[1] == "projects")
      return answer(exchange, 200,
                    listing(exchange, "projects", Json::array({project_json(exchange)}), "auth/projects"));
    if (path[1] == "domains")
      return answer(exchange, 200, listing(exchange, "domains", Json::array(), "auth/domains"));
  }
  const std::string own_id = catalogue_.user_id(who->user);
  if (path[0] == "projects" && path.size() == 2) {
    if (path[1] != catalogue_.project_id())
      return refuse(exchange, 404, "Could not find project: " + path[1].substr(0, 80) + ".");
    Json body;
    body["project"] = project_json(exchange);
    return answer(exchange, 200, body);
  }
  if (path[0] == "users" && path.size() == 2) {
    if (path[1] != own_id) return refuse_policy(exchange, "identity:get_user");
    Json body;
    body["user"] = user_json(exchange, who->user);
    return answer(exchange, 200, body);
  }
  if (path[0] == "users" && path.size() == 3 && path[1] == own_id && path[2] == "projects")
    return answer(exchange, 200,
                  listing(exchange, "projects", Json::array({project_json(exchange)}),
                          "users/" + own_id + "/projects"));
  if (path[0] == "regions" && path.size() == 1) {
    Json region;
    region["id"] = kRegion;
    region["description"] = "";
    region["parent_region_id"] = nullptr;
    return answer(exchange, 200, listing(exchange, "regions", Json::array({region}), "regions"));
  }
  for (const char* admins : {"projects", "users", "services", "endpoints", "roles", "domains"})
    if (path.size() == 1 && path[0] == admins)
      return refuse_policy(exchange, "identity:list_" + std::string(admins));
  refuse_route(exchange);
}

void Keystone::credentials(Exchange& exchange) {
  const auto& path = exchange.path;
  const std::string& method = exchange.request.method;
  if (path[1] != catalogue_.user_id(exchange.who.user))
    return refuse_policy(exchange, "identity:list_application_credentials");
  if (path.size() == 3) {
    if (method == "POST") return create_credential(exchange);
    if (method != "GET") return refuse_route(exchange);
    Json items = Json::array();
    for (const auto& each : tokens_.credentials(exchange.who.user))
      items.push_back(credential_json(exchange, each));
    return answer(
        exchange, 200,
        listing(exchange, "application_credentials", items, "users/" + path[1] + "/application_credentials"));
  }
  const auto found = tokens_.credential(path[3]);
  if (!found || found->user != exchange.who.user)
    return refuse(exchange, 404, "Could not find Application Credential: " + path[3].substr(0, 80) + ".");
  if (method == "DELETE") {
    tokens_.erase_credential(found->id);
    return answer_empty(exchange, 204);
  }
  if (method != "GET") return refuse_route(exchange);
  Json body;
  body["application_credential"] = credential_json(exchange, *found);
  answer(exchange, 200, body);
}

void Keystone::create_credential(Exchange& exchange) {
  const auto body = body_of(exchange);
  if (!body) return;
  const Json* wanted = member(*body, "application_credential");
  const auto name = wanted != nullptr ? text_member(*wanted, "name") : std::nullopt;
  if (!name || name->empty() || name->size() > 255)
    return refuse(exchange, 400,
                  "Invalid input for field 'application_credential': 'name' is a required property");
  for (const auto& each : tokens_.credentials(exchange.who.user))
    if (each.name == *name)
      return refuse(
          exchange, 409,
          "Conflict occurred attempting to store application_credential - Duplicate entry found with name " +
              *name + ".");
  ApplicationCredential credential;
  credential.name = *name;
  credential.user = exchange.who.user;
  credential.secret = text_member(*wanted, "secret").value_or("");
  credential.description = text_member(*wanted, "description").value_or("");
  const auto created = tokens_.create_credential(std::move(credential));
  Json shown;
  shown["application_credential"] = credential_json(exchange, created);
  shown["application_credential"]["secret"] = created.secret;
  answer(exchange, 201, shown);
}

}  // namespace drover::wire::openstack
