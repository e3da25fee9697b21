// Sessions, users and groups. The accounts of the mock cloud are its users, the first is UID 0; login tokens
// are documents beside the cloud.
#include <nlohmann/json.hpp>

#include "manager/system/digest.hpp"
#include "mockcloud/wire/opennebula/exchange.hpp"
#include "mockcloud/wire/opennebula/vm_view.hpp"

namespace drover::wire::opennebula {
namespace {

constexpr const char* kTokens = "one_token";
constexpr std::size_t kTokenDigits = 64;
constexpr std::size_t kTokensMax = 1000;
constexpr std::int64_t kForEver = -1;

std::int64_t uid_of(const Backend& backend, const std::string& name) {
  const auto& accounts = backend.settings().accounts;
  for (std::size_t i = 0; i < accounts.size(); ++i)
    if (accounts[i].name == name) return static_cast<std::int64_t>(i);
  return -1;
}

bool is_token(Backend& backend, const std::string& user, const std::string& given) {
  const std::string* text = backend.document(kTokens, given);
  if (text == nullptr) return false;
  const auto value = nlohmann::json::parse(*text);
  const auto until = value.at("until").get<std::int64_t>();
  if (until != kForEver && until <= seconds_of(backend.wall())) {
    backend.erase(kTokens, given);
    return false;
  }
  return value.at("user").get<std::string>() == user;
}

void drop_tokens(Backend& backend, const std::string& user) {
  std::vector<std::string> found;
  for (const auto& [token, text] : backend.documents(kTokens))
    if (nlohmann::json::parse(text).at("user").get<std::string>() == user) found.push_back(token);
  for (const std::string& token : found) backend.erase(kTokens, token);
}

void user_login(Backend& backend, Exchange exchange) {
  const std::string subject = backend.subject(exchange.http, nullptr, "opennebula");
  perform(backend, std::move(exchange), subject, [&backend](const Exchange& asked) {
    const std::string user = asked.text(0);
    const std::int64_t valid = asked.number(2, kForEver);
    if (backend.account(user) == nullptr)
      return refused(kNoExists, "Error getting user [" + user.substr(0, 128) + "].");
    if (user != asked.user) return refused(kAuthorization, "Not authorized to perform MANAGE USER.");
    if (valid == 0) {
      drop_tokens(backend, user);
      return done(std::string());
    }
    std::string token = asked.text(1);
    if (token.size() > 256) return refused(kInternal, "Invalid argument: the token is too long");
    if (backend.documents(kTokens).size() >= kTokensMax) drop_tokens(backend, user);
    if (token.empty()) token = backend.token(kTokens, kTokenDigits);
    const std::int64_t until = valid < 0 ? kForEver : seconds_of(backend.wall()) + valid;
    const nlohmann::json value{{"user", user}, {"until", until}};
    backend.put(kTokens, token, value.dump());
    return done(token);
  });
}

std::string user_element(const Backend& backend, std::size_t index) {
  const auto id = static_cast<std::int64_t>(index);
  return element("USER", element("ID", id) +
                             "<GID>0</GID><GROUPS><ID>0</ID></GROUPS><GNAME>oneadmin</GNAME>" +
                             text_element("NAME", backend.settings().accounts[index].name) +
                             "<PASSWORD></PASSWORD><AUTH_DRIVER>core</AUTH_DRIVER><ENABLED>1</ENABLED>"
                             "<TEMPLATE></TEMPLATE>");
}

void user_info(Backend& backend, Exchange exchange) {
  const std::string subject = backend.subject(exchange.http, nullptr, "opennebula");
  perform(backend, std::move(exchange), subject, [&backend](const Exchange& asked) {
    // -1 is whoever asks.
    std::int64_t id = asked.number(0);
    if (id == -1) id = std::max<std::int64_t>(0, uid_of(backend, asked.user));
    if (id < 0 || static_cast<std::size_t>(id) >= backend.settings().accounts.size())
      return refused(kNoExists, "Error getting user [" + std::to_string(id) + "].", id);
    return done(user_element(backend, static_cast<std::size_t>(id)));
  });
}

void userpool_info(Backend& backend, Exchange exchange) {
  const std::string subject = backend.subject(exchange.http, nullptr, "opennebula");
  perform(backend, std::move(exchange), subject, [&backend](const Exchange&) {
    std::string text;
    for (std::size_t i = backend.settings().accounts.size(); i-- > 0;) text += user_element(backend, i);
    return done(element("USER_POOL", text));
  });
}

void grouppool_info(Backend& backend, Exchange exchange) {
  const std::string subject = backend.subject(exchange.http, nullptr, "opennebula");
  perform(backend, std::move(exchange), subject, [&backend](const Exchange&) {
    std::string users;
    for (std::size_t i = 0; i < backend.settings().accounts.size(); ++i)
      users += element("ID", static_cast<std::int64_t>(i));
    return done(
        element("GROUP_POOL", element("GROUP", "<ID>0</ID><NAME>oneadmin</NAME><TEMPLATE></TEMPLATE>" +
                                                   element("USERS", users) + "<ADMINS></ADMINS>")));
  });
}

constexpr Method kMethods[] = {
    {"one.user.login", "ss|ii", user_login},
    {"one.user.info", "|ib", user_info},
    {"one.userpool.info", "", userpool_info},
    {"one.grouppool.info", "", grouppool_info},
};

}  // namespace

std::span<const Method> user_methods() { return kMethods; }

std::string authenticate(Backend& backend, const std::string& session) {
  const auto colon = session.find(':');
  if (colon == std::string::npos) return {};
  const std::string user = session.substr(0, colon), given = session.substr(colon + 1);
  const Account* account = backend.account(user);
  if (!backend.settings().check_signatures) return user;
  if (account == nullptr) return {};
  const std::string& secret = account->secret.value;
  const bool known = equal_in_constant_time(given, secret) ||
                     equal_in_constant_time(given, to_hex(sha1(secret))) || is_token(backend, user, given);
  return known ? user : std::string();
}

}  // namespace drover::wire::opennebula
