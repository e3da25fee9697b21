#include "manager/adapters/openstack/session.hpp"

#include <algorithm>
#include <charconv>

namespace drover::openstack {
namespace {

constexpr std::size_t kTokenMax = 32 * 1024;
constexpr std::size_t kSubjectMax = 64;
constexpr Duration kTokenUnknown{5min};  // the lifetime of a token that does not tell it
constexpr Duration kRenewBefore{2min};   // at most; a tenth of a short lifetime
constexpr unsigned kThrottledMax = 20;

// Types by which catalogues name the services, the best first.
std::vector<std::string> types_of(Service service) {
  switch (service) {
    case Service::compute:
      return {"compute"};
    case Service::image:
      return {"image"};
    case Service::network:
      return {"network"};
    case Service::volume:
      return {"volumev3", "block-storage", "block-store", "volume", "volumev2"};
  }
  return {};
}

bool is_clean(const std::string& token) {
  return !token.empty() && token.size() <= kTokenMax &&
         std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

// The part of a compute endpoint up to its version: "…/v2.1" of "…/v2.1/0123…".
std::string version_root(const std::string& endpoint) {
  for (const std::string_view version : {"/v2.1", "/v2"})
    if (const auto found = endpoint.find(version); found != std::string::npos)
      return endpoint.substr(0, found + version.size());
  return endpoint;
}

unsigned minor_of(const std::string& version) {
  unsigned minor = 0;
  if (!version.starts_with("2.")) return 0;
  std::from_chars(version.data() + 2, version.data() + version.size(), minor);
  return minor;
}

std::string agent_of(const std::string& subject) {
  std::string text = "drover/" DROVER_VERSION;
  std::string clean;
  for (const char c : subject.substr(0, kSubjectMax)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
    clean += plain ? c : '-';
  }
  return clean.empty() ? text : text + " subject/" + clean;
}

Json domain_json(const std::string& name) {
  return name == "default" ? Json{{"id", name}} : Json{{"name", name}};
}

}  // namespace

const char* to_text(Service service) {
  switch (service) {
    case Service::compute:
      return "compute";
    case Service::image:
      return "image";
    case Service::network:
      return "network";
    case Service::volume:
      break;
  }
  return "volume";
}

Session::Session(Scheduler& scheduler, HttpClient& client, const OpenStackConfig& config)
    : scheduler_(scheduler), client_(client), config_(config) {}

Error Session::late(const ServiceCall& call) const {
  return make_error(ErrorCode::timeout, call.what() + ": no time was left to ask", Effect::none, Retry::soon);
}

Task<Result<http::Response>> Session::send(const http::Url& url, const http::Request& request,
                                           bool repeatable, const Budget& budget) {
  const Duration left = budget.deadline - scheduler_.now();
  if (left <= Duration{0})
    co_return make_error(ErrorCode::timeout, "no time was left to ask", Effect::none, Retry::soon);
  const auto start = [&](Handler<http::Response> handler) {
    client_.send(url, request, left, repeatable, std::move(handler));
  };
  Result<http::Response> result = co_await await_reply<http::Response>(left, start);
  co_return result;
}

Task<Result<void>> Session::ensure_token(const Budget& budget) {
  while (!has_token()) {
    if (!logging_in_) {
      logging_in_ = true;
      Result<void> done = co_await authenticate(budget);
      logging_in_ = false;
      ++logins_;
      login_error_.reset();
      if (!done) login_error_ = done.error();
      logged_in_.notify_all();
      co_return done;
    }
    const std::uint64_t before = logins_;
    const Duration left = budget.deadline - scheduler_.now();
    Result<void> waited = co_await logged_in_.wait(std::max(left, Duration{0}));
    if (logins_ == before && !waited)
      co_return make_error(ErrorCode::timeout, "identity: another call's login was not over in time",
                           Effect::none, Retry::soon);
    // What was refused to one would be refused to all.
    if (login_error_ && !has_token()) co_return *login_error_;
  }
  co_return success();
}

std::string Session::login() const {
  Json identity, auth;
  if (!config_.credential_secret.value.empty()) {
    Json credential;
    credential["secret"] = config_.credential_secret.value;
    if (!config_.credential_id.empty()) {
      credential["id"] = config_.credential_id;
    } else {
      credential["name"] = config_.credential_name;
      credential["user"]["name"] = config_.user;
      credential["user"]["domain"] = domain_json(config_.user_domain);
    }
    identity["methods"] = Json::array({"application_credential"});
    identity["application_credential"] = credential;
  } else {
    Json user;
    user["name"] = config_.user;
    user["domain"] = domain_json(config_.user_domain);
    user["password"] = config_.password.value;
    identity["methods"] = Json::array({"password"});
    identity["password"]["user"] = user;
    if (!config_.project.empty()) {
      auth["scope"]["project"]["name"] = config_.project;
      auth["scope"]["project"]["domain"] = domain_json(config_.project_domain);
    }
  }
  auth["identity"] = identity;
  Json body;
  body["auth"] = auth;
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Task<Result<void>> Session::authenticate(const Budget& budget) {
  const auto url = http::parse_url(config_.auth_url);
  if (!url)
    co_return make_error(ErrorCode::invalid,
                         "openstack.auth_url is no URL: " + config_.auth_url.substr(0, 200));
  http::Request request;
  request.method = "POST";
  request.target = url->path + (url->path.ends_with("/v3") ? "" : "/v3") + "/auth/tokens";
  request.fields.emplace_back("Content-Type", "application/json");
  request.fields.emplace_back("Accept", "application/json");
  request.fields.emplace_back("User-Agent", agent_of(budget.subject));
  request.body = login();
  const std::string what = "identity POST " + request.target;
  for (unsigned attempt = 1;; ++attempt) {
    // A login may be repeated: a second token does no harm.
    Result<http::Response> sent = co_await send(*url, request, true, budget);
    if (sent && sent.value().status == 201) co_return take_token(sent.value());
    Error error;
    if (!sent) {
      error = sent.error();
      error.message = what + ": " + error.message;
    } else {
      error = error_of(sent.value(), what, false);
      if (sent.value().status == 404 || sent.value().status == 300)
        error = make_error(ErrorCode::invalid, what + ": there is no Keystone v3 at " + config_.auth_url +
                                                   "; openstack.auth_url must be its address, up to \"/v3\"");
    }
    error.effect = Effect::none;
    const bool again = error.retry == Retry::soon || error.code == ErrorCode::throttled;
    const Duration pause = std::max(config_.retry_pause, error.retry_after);
    if (!again || attempt >= config_.read_attempts || scheduler_.later(pause) >= budget.deadline)
      co_return error;
    co_await sleep_for(pause);
  }
}

Result<void> Session::take_token(const http::Response& response) {
  const std::string* value = response.field("X-Subject-Token");
  DROVER_TRY(const Json token, read_answer(response, "token", "identity POST /auth/tokens", Effect::none));
  if (value == nullptr || !is_clean(*value))
    return make_error(ErrorCode::protocol,
                      "identity: the login was accepted, but came without a token that can be used",
                      Effect::none, Retry::soon);
  const auto issued = parse_time(text_of(token, "issued_at")),
             expires = parse_time(text_of(token, "expires_at"));
  Duration lifetime = kTokenUnknown;
  if (issued && expires) lifetime = std::max(*expires - *issued, Duration{1s});
  const TimePoint now = scheduler_.now();
  if (issued) ahead_ = *issued - now;
  token_.value = *value;
  expires_ = now + lifetime;
  renew_at_ = expires_ - std::min(kRenewBefore, lifetime / 10);
  user_ = text_of(at(token, "user"), "name");
  project_ = text_of(at(token, "project"), "name");
  take_catalogue(at(token, "catalog"));
  return success();
}

void Session::take_catalogue(const Json& catalogue) {
  endpoints_.clear();
  if (!catalogue.is_array()) return;
  for (const Service service : {Service::compute, Service::image, Service::network, Service::volume}) {
    for (const std::string& type : types_of(service)) {
      for (const auto& entry : catalogue) {
        if (text_of(entry, "type") != type || endpoints_.contains(service)) continue;
        const Json& endpoints = at(entry, "endpoints");
        if (!endpoints.is_array()) continue;
        for (const auto& endpoint : endpoints) {
          const std::string region = text_of(endpoint, "region_id"), other = text_of(endpoint, "region");
          const bool here = config_.region.empty() || region == config_.region || other == config_.region;
          const std::string url = text_of(endpoint, "url");
          if (!here || text_of(endpoint, "interface") != config_.interface || !http::parse_url(url)) continue;
          endpoints_.emplace(service, url);
          break;
        }
      }
    }
  }
}

http::Request Session::request_for(const ServiceCall& call, const http::Url& url,
                                   const Budget& budget) const {
  http::Request request;
  request.method = call.method;
  std::string base = url.path;
  // Catalogues name the image and network services with or without their version.
  if (call.service == Service::image && !base.ends_with("/v2")) base += "/v2";
  if (call.service == Service::network && !base.ends_with("/v2.0")) base += "/v2.0";
  request.target = base + call.path;
  request.fields.emplace_back("X-Auth-Token", token_.value);
  request.fields.emplace_back("Accept", "application/json");
  request.fields.emplace_back("User-Agent", agent_of(budget.subject));
  if (call.service == Service::compute && minor_max_ > 1) {
    const std::string version = "2." + std::to_string(minor_);
    request.fields.emplace_back("OpenStack-API-Version", "compute " + version);
    request.fields.emplace_back("X-OpenStack-Nova-API-Version", version);
  }
  if (!call.body.empty()) request.fields.emplace_back("Content-Type", "application/json");
  request.body = call.body;
  return request;
}

Task<Result<http::Response>> Session::call(const ServiceCall& call, const Budget& budget) {
  unsigned failures = 0, throttled = 0;
  bool renewed = false;
  for (;;) {
    Result<void> ready = co_await open(budget);
    if (!ready) co_return ready.error();
    const auto endpoint = endpoints_.find(call.service);
    if (endpoint == endpoints_.end())
      co_return make_error(ErrorCode::unavailable,
                           call.what() + ": the catalogue has no " + to_text(call.service) +
                               " service with the interface \"" + config_.interface + "\"" +
                               (config_.region.empty() ? "" : " in the region \"" + config_.region + "\"") +
                               "; see `openstack catalog list`");
    const auto url = http::parse_url(endpoint->second);
    const http::Request request = request_for(call, *url, budget);
    const std::string used = token_.value;
    if (is_over(budget)) co_return late(call);
    Result<http::Response> sent = co_await send(*url, request, !call.changes, budget);
    Error error;
    if (!sent) {
      error = sent.error();
      error.message = call.what() + ": " + error.message;
      if (!call.changes) error.effect = Effect::none;
    } else {
      const int status = sent.value().status;
      if (status == 401 && !renewed) {
        renewed = true;
        if (token_.value == used) token_.value.clear();
        continue;
      }
      error = error_of(sent.value(), call.what(), call.changes);
      const bool failed = status == 401 || status >= 500 || error.code == ErrorCode::throttled;
      if (!failed) co_return sent;
    }
    // Refused for being too much: nothing has happened, it may be asked again.
    const bool too_many = error.code == ErrorCode::throttled && ++throttled <= kThrottledMax;
    const bool may_repeat = !call.changes && error.retry == Retry::soon && ++failures < config_.read_attempts;
    const Duration pause = std::max(config_.retry_pause, error.retry_after);
    if ((!too_many && !may_repeat) || scheduler_.later(pause) >= budget.deadline) co_return error;
    co_await sleep_for(pause);
  }
}

Task<Result<http::Response>> Session::succeed(const ServiceCall& call, const Budget& budget) {
  Result<http::Response> answer = co_await this->call(call, budget);
  if (!answer) co_return answer;
  const int status = answer.value().status;
  if (status >= 200 && status < 300) co_return answer;
  co_return error_of(answer.value(), call.what(), call.changes);
}

Task<Result<void>> Session::open(const Budget& budget) {
  Result<void> ready = co_await ensure_token(budget);
  if (!ready) co_return ready;
  if (negotiated_ || !has(Service::compute)) co_return success();
  Result<void> agreed = co_await negotiate(budget);
  co_return agreed;
}

// Asks compute for the versions that it has, and settles on the wanted one or the nearest below.
Task<Result<void>> Session::negotiate(const Budget& budget) {
  const auto url = http::parse_url(version_root(endpoints_[Service::compute]));
  ServiceCall call;
  call.path = "/";
  http::Request request = request_for(call, *url, budget);
  for (unsigned attempt = 1;; ++attempt) {
    Result<http::Response> sent = co_await send(*url, request, true, budget);
    if (sent && sent.value().status < 300) {
      const auto version =
          read_answer(sent.value(), "version", "compute GET " + request.target, Effect::none);
      if (!version) co_return version.error();
      minor_max_ = minor_of(text_of(version.value(), "version"));
      const unsigned least = std::max(minor_of(text_of(version.value(), "min_version")), 1U);
      minor_ = std::max(std::min(config_.microversion, std::max(minor_max_, 1U)), least);
      negotiated_ = true;
      co_return success();
    }
    Error error;
    if (sent)
      error = error_of(sent.value(), "compute GET " + request.target, false);
    else
      error = sent.error();
    error.effect = Effect::none;
    const Duration pause = std::max(config_.retry_pause, error.retry_after);
    const bool again = error.retry != Retry::no && attempt < config_.read_attempts;
    if (!again || scheduler_.later(pause) >= budget.deadline) co_return error;
    co_await sleep_for(pause);
  }
}

}  // namespace drover::openstack
