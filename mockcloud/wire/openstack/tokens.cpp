#include "mockcloud/wire/openstack/tokens.hpp"

#include "mockcloud/wire/openstack/ids.hpp"

namespace drover::wire::openstack {
namespace {

constexpr const char* kTokens = "openstack.token";
constexpr const char* kCredentials = "openstack.credential";

std::int64_t nanoseconds(TimePoint at) { return at.time_since_epoch().count(); }
TimePoint moment(const Json& json, const char* name) {
  const Json* found = member(json, name);
  return TimePoint(Duration(found != nullptr && found->is_number_integer() ? found->get<std::int64_t>() : 0));
}
std::vector<std::string> texts(const Json& json, const char* name) {
  std::vector<std::string> all;
  if (const Json* found = member(json, name); found != nullptr && found->is_array())
    for (const auto& each : *found)
      if (each.is_string()) all.push_back(each.get<std::string>());
  return all;
}

std::optional<Identity> read_token(const std::string& token, const std::string& text) {
  const auto json = parse_json(text);
  if (!json) return std::nullopt;
  Identity who;
  who.token = token;
  who.user = text_member(*json, "user").value_or("");
  const Json* scoped = member(*json, "scoped");
  who.scoped = scoped != nullptr && scoped->is_boolean() && scoped->get<bool>();
  who.methods = texts(*json, "methods");
  who.audits = texts(*json, "audits");
  who.issued = moment(*json, "issued");
  who.expires = moment(*json, "expires");
  return who;
}

std::optional<ApplicationCredential> read_credential(const std::string& id, const std::string& text) {
  const auto json = parse_json(text);
  if (!json) return std::nullopt;
  ApplicationCredential credential;
  credential.id = id;
  credential.name = text_member(*json, "name").value_or("");
  credential.user = text_member(*json, "user").value_or("");
  credential.secret = text_member(*json, "secret").value_or("");
  credential.description = text_member(*json, "description").value_or("");
  return credential;
}

ApplicationCredential built_in(const Account& account) {
  ApplicationCredential credential;
  credential.id = named_hex("credential", account.name);
  credential.name = "default";
  credential.user = account.name;
  credential.secret = account.secret.value;
  credential.description = "";
  return credential;
}

}  // namespace

Identity Tokens::issue(const std::string& user, bool scoped, std::vector<std::string> methods,
                       const std::string& parent_audit, std::optional<TimePoint> expires) {
  forget_expired();
  Identity who;
  who.token = "gAAAAAB" + backend_.token("openstack.token", 96);
  who.user = user;
  who.scoped = scoped;
  who.methods = std::move(methods);
  who.audits.push_back(backend_.token("openstack.audit", 22));
  if (!parent_audit.empty()) who.audits.push_back(parent_audit);
  // Keystone's tokens know whole seconds.
  who.issued = std::chrono::floor<std::chrono::seconds>(backend_.wall());
  who.expires = expires.value_or(who.issued + lifetime_);
  Json json;
  json["user"] = who.user;
  json["scoped"] = who.scoped;
  json["methods"] = who.methods;
  json["audits"] = who.audits;
  json["issued"] = nanoseconds(who.issued);
  json["expires"] = nanoseconds(who.expires);
  backend_.put(kTokens, who.token, to_text(json));
  return who;
}

std::optional<Identity> Tokens::find(const std::string& token) const {
  const std::string* text = backend_.document(kTokens, token);
  if (text == nullptr) return std::nullopt;
  auto who = read_token(token, *text);
  if (!who || who->expires <= backend_.wall() || backend_.account(who->user) == nullptr) return std::nullopt;
  return who;
}

void Tokens::revoke(const std::string& token) { backend_.erase(kTokens, token); }

void Tokens::forget_expired() {
  std::vector<std::string> expired;
  std::string oldest;
  TimePoint oldest_issued = TimePoint::max();
  const auto& all = backend_.documents(kTokens);
  for (const auto& [token, text] : all) {
    const auto who = read_token(token, text);
    if (!who || who->expires <= backend_.wall()) {
      expired.push_back(token);
    } else if (who->issued < oldest_issued) {
      oldest = token;
      oldest_issued = who->issued;
    }
  }
  if (expired.empty() && all.size() >= kTokensMax) expired.push_back(oldest);
  for (const auto& token : expired) backend_.erase(kTokens, token);
}

std::vector<ApplicationCredential> Tokens::credentials(const std::string& user) const {
  std::vector<ApplicationCredential> all;
  if (const Account* account = backend_.account(user); account != nullptr) all.push_back(built_in(*account));
  for (const auto& [id, text] : backend_.documents(kCredentials))
    if (auto found = read_credential(id, text); found && found->user == user) all.push_back(*found);
  return all;
}

std::optional<ApplicationCredential> Tokens::credential(const std::string& id) const {
  for (const Account& account : backend_.settings().accounts)
    if (auto found = built_in(account); found.id == id) return found;
  const std::string* text = backend_.document(kCredentials, id);
  if (text == nullptr) return std::nullopt;
  return read_credential(id, *text);
}

ApplicationCredential Tokens::create_credential(ApplicationCredential wanted) {
  wanted.id = backend_.token("openstack.credential", 32);
  if (wanted.secret.empty()) wanted.secret = backend_.token("openstack.secret", 64);
  Json json;
  json["name"] = wanted.name;
  json["user"] = wanted.user;
  json["secret"] = wanted.secret;
  json["description"] = wanted.description;
  backend_.put(kCredentials, wanted.id, to_text(json));
  return wanted;
}

void Tokens::erase_credential(const std::string& id) { backend_.erase(kCredentials, id); }

}  // namespace drover::wire::openstack
