// Tokens: how they are asked for, shown and revoked. The rest is in keystone_objects.cpp.
#include "mockcloud/wire/openstack/keystone.hpp"

#include <algorithm>

#include "manager/system/digest.hpp"

namespace drover::wire::openstack {
namespace {

constexpr const char* kMalformed =
    " The server could not comply with the request since it is either malformed or otherwise incorrect. The "
    "client is assumed to be in error.";

// Keystone's texts end in what it thinks of the request.
std::string expecting(const std::string& what, const std::string& where) {
  return "Expecting to find " + what + " in " + where + "." + kMalformed;
}
std::string required(const std::string& what, const std::string& where) {
  return "Invalid input for field '" + where + "': '" + what + "' is a required property";
}

bool is_default_domain(const Json& domain) {
  if (const auto id = text_member(domain, "id")) return *id == "default";
  return text_member(domain, "name") == "Default";
}

Json version_json(const Exchange& exchange) {
  Json version, link, media;
  version["id"] = "v3.14";
  version["status"] = "stable";
  version["updated"] = "2020-04-07T00:00:00Z";
  link["rel"] = "self";
  link["href"] = exchange.origin + "/identity/v3/";
  version["links"] = Json::array({link});
  media["base"] = "application/json";
  media["type"] = "application/vnd.openstack.identity-v3+json";
  version["media-types"] = Json::array({media});
  return version;
}

// "2026-11-22T10:44:13.000000Z"
std::string token_time(TimePoint at) {
  std::string text = to_iso8601(at, false);
  text.pop_back();
  return text + ".000000Z";
}

}  // namespace

void Keystone::versions(Exchange& exchange) {
  Json body;
  body["versions"]["values"] = Json::array({version_json(exchange)});
  http::Response response;
  response.status = 300;
  response.fields.emplace_back("Location", exchange.origin + "/identity/v3/");
  response.body = to_text(body);
  answer(exchange, std::move(response));
}

void Keystone::handle(const ExchangePtr& exchange) {
  const auto& path = exchange->path;
  if (path.empty()) {
    if (exchange->request.method != "GET" && exchange->request.method != "HEAD")
      return refuse_route(*exchange);
    Json body;
    body["version"] = version_json(*exchange);
    return answer(*exchange, 200, body);
  }
  if (path.size() == 2 && path[0] == "auth" && path[1] == "tokens") {
    if (exchange->request.method == "POST")
      return look_up(backend_, exchange, "keystone.authenticate", [this](Exchange& e) { authenticate(e); });
    return look_up(backend_, exchange, "keystone.token", [this](Exchange& e) { tokens(e); });
  }
  look_up(backend_, exchange, "keystone.look_up", [this](Exchange& e) { known(e); });
}

const Account* Keystone::user_of(const Json& user) const {
  const auto id = text_member(user, "id"), name = text_member(user, "name");
  for (const Account& account : backend_.settings().accounts) {
    if (id && catalogue_.user_id(account.name) == *id) return &account;
    if (!id && name && account.name == *name) return &account;
  }
  return nullptr;
}

Keystone::Proof Keystone::prove_password(const Json& identity) const {
  Proof proof;
  const auto bad = [&](const std::string& message) {
    proof.refusal = Refusal{400, message};
    return proof;
  };
  const Json* method = member(identity, "password");
  const Json* user = method != nullptr ? member(*method, "user") : nullptr;
  if (user == nullptr || !user->is_object()) return bad(expecting("user", "None"));
  const auto password = text_member(*user, "password");
  const bool by_id = text_member(*user, "id").has_value();
  if (!by_id && !text_member(*user, "name")) return bad(expecting("id or name", "user"));
  const Json* domain = member(*user, "domain");
  if (!by_id && domain == nullptr) return bad(expecting("domain", "user"));
  if (!by_id && !is_default_domain(*domain)) return proof;
  const Account* account = user_of(*user);
  if (account == nullptr || !password) return proof;
  if (backend_.settings().check_signatures && !equal_in_constant_time(account->secret.value, *password))
    return proof;
  proof.who.emplace();
  proof.who->user = account->name;
  return proof;
}

Keystone::Proof Keystone::prove_token(const Json& identity) const {
  Proof proof;
  const Json* method = member(identity, "token");
  const auto id = method != nullptr ? text_member(*method, "id") : std::nullopt;
  if (!id) {
    proof.refusal = Refusal{400, required("id", "token")};
    return proof;
  }
  const auto known = tokens_.find(*id);
  if (!known) {
    proof.refusal = Refusal{404, "Failed to validate token"};
    return proof;
  }
  proof.who = *known;
  proof.expires = known->expires;
  return proof;
}

Keystone::Proof Keystone::prove_credential(const Json& identity) const {
  Proof proof;
  const Json* method = member(identity, "application_credential");
  const auto secret = method != nullptr ? text_member(*method, "secret") : std::nullopt;
  if (!secret) {
    proof.refusal = Refusal{400, expecting("secret", "application_credential")};
    return proof;
  }
  std::optional<ApplicationCredential> found;
  if (const auto id = text_member(*method, "id")) {
    found = tokens_.credential(*id);
    if (!found) {
      proof.refusal = Refusal{404, "Could not find Application Credential: " + id->substr(0, 80) + "."};
      return proof;
    }
  } else if (const auto name = text_member(*method, "name")) {
    const Json* user = member(*method, "user");
    const Account* account = user != nullptr ? user_of(*user) : nullptr;
    if (account == nullptr) return proof;
    for (auto& each : tokens_.credentials(account->name))
      if (each.name == *name) found = each;
  } else {
    proof.refusal = Refusal{400, expecting("id or name", "application_credential")};
    return proof;
  }
  if (!found || backend_.account(found->user) == nullptr) return proof;
  if (backend_.settings().check_signatures && !equal_in_constant_time(found->secret, *secret)) return proof;
  proof.who.emplace();
  proof.who->user = found->user;
  return proof;
}

Keystone::Proof Keystone::prove(const Json& auth) const {
  Proof proof;
  const Json* identity = member(auth, "identity");
  const Json* methods = identity != nullptr ? member(*identity, "methods") : nullptr;
  if (identity == nullptr || methods == nullptr || !methods->is_array() || methods->empty()) {
    proof.refusal =
        Refusal{400, identity == nullptr ? required("identity", "auth") : required("methods", "identity")};
    return proof;
  }
  for (const auto& method : *methods) {
    const std::string name = method.is_string() ? method.get<std::string>().substr(0, 80) : std::string();
    if (name.empty() || !member(*identity, name.c_str())) {
      proof.refusal = Refusal{400, expecting(name.empty() ? "a method" : name, "identity")};
      return proof;
    }
  }
  // Several methods would have to agree; clients name one.
  const auto first = methods->front().get<std::string>();
  if (first == "password") proof = prove_password(*identity);
  if (first == "token") proof = prove_token(*identity);
  if (first == "application_credential") proof = prove_credential(*identity);
  if (!proof.who) return proof;
  auto all = proof.who->methods;
  all.insert(all.begin(), first);
  std::vector<std::string> unique;
  for (auto& each : all)
    if (std::find(unique.begin(), unique.end(), each) == unique.end()) unique.push_back(each);
  proof.who->methods = std::move(unique);
  return proof;
}

Keystone::Scope Keystone::scope_of(const Json& auth) const {
  const Json* scope = member(auth, "scope");
  if (scope == nullptr) return Scope::project;  // the user's default project
  if (scope->is_string() && scope->get<std::string>() == "unscoped") return Scope::none;
  const Json* project = member(*scope, "project");
  if (project == nullptr) return Scope::refused;
  if (const auto id = text_member(*project, "id"))
    return *id == catalogue_.project_id() ? Scope::project : Scope::refused;
  const Json* domain = member(*project, "domain");
  const bool here = domain != nullptr && is_default_domain(*domain);
  return here && text_member(*project, "name") == catalogue_.project() ? Scope::project : Scope::refused;
}

void Keystone::authenticate(Exchange& exchange) {
  const auto body = body_of(exchange);
  if (!body) return;
  const Json* auth = member(*body, "auth");
  if (auth == nullptr) return refuse(exchange, 400, expecting("auth", "request body"));
  if (!auth->is_object()) return refuse(exchange, 400, quoted(*auth) + " is not of type 'object'");
  const Proof proof = prove(*auth);
  if (!proof.who) {
    if (proof.refusal.status == 401) return refuse_token(exchange);
    return refuse(exchange, proof.refusal.status, proof.refusal.message);
  }
  const Scope scope = scope_of(*auth);
  if (scope == Scope::refused) return refuse_token(exchange);
  const std::string parent = proof.who->audits.empty() ? std::string() : proof.who->audits.front();
  const Identity who =
      tokens_.issue(proof.who->user, scope == Scope::project, proof.who->methods, parent, proof.expires);
  http::Response response;
  response.status = 201;
  response.fields.emplace_back("X-Subject-Token", who.token);
  Json shown;
  shown["token"] = token_json(exchange, who, exchange.parameter("nocatalog") == nullptr);
  response.body = to_text(shown);
  answer(exchange, std::move(response));
}

// Validation and revocation: X-Auth-Token asks about X-Subject-Token.
void Keystone::tokens(Exchange& exchange) {
  const auto& method = exchange.request.method;
  if (method != "GET" && method != "HEAD" && method != "DELETE") return refuse_route(exchange);
  if (!tokens_.find(std::string(exchange.request.value("X-Auth-Token")))) return refuse_token(exchange);
  const std::string subject(exchange.request.value("X-Subject-Token"));
  const auto who = tokens_.find(subject);
  if (!who)
    return refuse(
        exchange, 404,
        subject.starts_with("gAAAA") ? "Failed to validate token" : "Could not recognize Fernet token");
  http::Response response;
  if (method == "DELETE") {
    tokens_.revoke(subject);
    response.status = 204;
    return answer(exchange, std::move(response));
  }
  response.fields.emplace_back("X-Subject-Token", subject);
  Json shown;
  shown["token"] = token_json(exchange, *who, exchange.parameter("nocatalog") == nullptr);
  response.body = to_text(shown);
  answer(exchange, std::move(response));
}

Json Keystone::token_json(const Exchange& exchange, const Identity& who, bool with_catalogue) const {
  Json token;
  token["methods"] = who.methods;
  Json domain;
  domain["id"] = "default";
  domain["name"] = "Default";
  token["user"]["domain"] = domain;
  token["user"]["id"] = catalogue_.user_id(who.user);
  token["user"]["name"] = who.user;
  token["user"]["password_expires_at"] = nullptr;
  token["audit_ids"] = who.audits;
  token["expires_at"] = token_time(who.expires);
  token["issued_at"] = token_time(who.issued);
  if (!who.scoped) return token;
  token["project"]["domain"] = domain;
  token["project"]["id"] = catalogue_.project_id();
  token["project"]["name"] = catalogue_.project();
  token["is_domain"] = false;
  Json roles = Json::array();
  for (const char* name : {"reader", "member"}) {
    Json role;
    role["id"] = catalogue_.user_id(std::string("role:") + name);
    role["name"] = name;
    roles.push_back(role);
  }
  token["roles"] = roles;
  if (with_catalogue) token["catalog"] = services(exchange);
  return token;
}

}  // namespace drover::wire::openstack
