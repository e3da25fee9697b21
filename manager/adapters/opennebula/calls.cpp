// How the driver speaks: one XML-RPC call with its retries, reads of XML, and what it looks up by name.
#include <algorithm>

#include "manager/adapters/opennebula/listing.hpp"

namespace drover {
namespace {

using xml_rpc::Value;

constexpr std::size_t kSubjectMax = 64;
constexpr int kReadAttempts = 3;
constexpr Duration kNameKnown = std::chrono::minutes(1);
constexpr Duration kFirstPause = std::chrono::milliseconds(250);
constexpr Duration kPauseMax = std::chrono::seconds(5);

std::string user_agent(std::string_view subject) {
  std::string text = std::string("drover/") + DROVER_VERSION;
  if (subject.empty()) return text;
  text += " subject/";
  for (const char c : subject.substr(0, kSubjectMax)) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
    text += plain ? c : '-';
  }
  return text;
}

// What may be asked again although its answer is lost: a read.
bool is_passing(ErrorCode code) {
  return code == ErrorCode::timeout || code == ErrorCode::connection_lost || code == ErrorCode::unavailable ||
         code == ErrorCode::protocol || code == ErrorCode::internal;
}

void replace_all(std::string& text, const std::string& what) {
  if (what.empty()) return;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at))
    text.replace(at, what.size(), "***");
}

}  // namespace

OpenNebulaCloud::Ask OpenNebulaCloud::ask_of(const CallContext& context) const {
  Ask ask;
  ask.subject = context.subject;
  ask.deadline = scheduler_.later(context.timeout);
  return ask;
}

Duration OpenNebulaCloud::left(const Ask& ask) const {
  return std::max(Duration{0}, ask.deadline - scheduler_.now());
}

http::Request OpenNebulaCloud::request_for(const Ask& ask, const std::string& method,
                                           const std::vector<Value>& params) const {
  xml_rpc::Call rpc;
  rpc.method = method;
  rpc.params.push_back(Value::of_text(session_));
  rpc.params.insert(rpc.params.end(), params.begin(), params.end());
  http::Request request;
  request.method = "POST";
  request.target = url_.path;
  request.fields = {{"Content-Type", "text/xml"}, {"User-Agent", user_agent(ask.subject)}};
  request.body = xml_rpc::write_call(rpc);
  return request;
}

Error OpenNebulaCloud::redacted(Error error) const {
  replace_all(error.message, session_);
  // A password of a few letters would be found in every other word.
  if (config_.password.value.size() >= 4) replace_all(error.message, config_.password.value);
  return error;
}

Task<Result<Value>> OpenNebulaCloud::call(Ask ask, std::string method, std::vector<Value> params,
                                          bool reading) {
  if (!url_valid_)
    co_return make_error(ErrorCode::invalid,
                         "opennebula.url is no URL such as http://HOST:2633/RPC2; correct the configuration");
  Duration pause = kFirstPause;
  int failures = 0;
  while (true) {
    const Duration timeout = std::min(left(ask), config_.request_timeout);
    if (timeout <= Duration{0})
      co_return make_error(ErrorCode::timeout, method + ": no time is left for the call", Effect::none,
                           Retry::soon);
    http::Request request = request_for(ask, method, params);
    auto send = [this, &request, timeout, reading](Handler<http::Response> handler) {
      client_.send(url_, std::move(request), timeout, reading, std::move(handler));
    };
    // A little later than the client, which knows better what happened.
    auto response = co_await await_reply<http::Response>(timeout + kFirstPause, send);
    Error error;
    if (!response) {
      error = response.error();
      error.message = method + " of OpenNebula at " + url_.authority() + ": " + error.message;
      if (reading) error.effect = Effect::none;
    } else if (response.value().status != 200) {
      error = opennebula::error_of_status(method, response.value(), reading);
    } else {
      auto value = opennebula::value_of_reply(method, response.value().body, reading);
      if (value) co_return value;
      error = value.error();
    }
    error = redacted(std::move(error));
    const bool again = error.code == ErrorCode::throttled || (reading && is_passing(error.code));
    if (!again) co_return error;
    if (error.code != ErrorCode::throttled && ++failures >= kReadAttempts) co_return error;
    const Duration wait = std::max(pause, error.retry_after);
    if (left(ask) <= wait) co_return error;
    co_await sleep_for(wait);
    pause = std::min(pause * 2, kPauseMax);
  }
}

Task<Result<std::string>> OpenNebulaCloud::read(Ask ask, std::string method, std::vector<Value> params) {
  auto answer = co_await call(std::move(ask), method, std::move(params), true);
  if (!answer) co_return answer.error();
  if (answer.value().kind != Value::Kind::text)
    co_return make_error(ErrorCode::protocol, method + " answered something else than text");
  co_return std::move(answer.value().text);
}

Task<Result<std::string>> OpenNebulaCloud::id_of(Ask ask, std::string pool, std::string wanted) {
  const bool number = !wanted.empty() && wanted.find_first_not_of("0123456789") == std::string::npos;
  if (number || wanted.empty()) co_return wanted;
  const std::string key = pool + "/" + wanted;
  const auto known = found_.find(key);
  if (known != found_.end() && scheduler_.now() < known->second.until) co_return known->second.id;
  std::vector<Value> params;
  for (const int each : {-2, -1, -1}) params.push_back(Value::of_int(each));
  const std::string method = "one." + pool + "pool.info";
  auto answer = co_await read(std::move(ask), method, std::move(params));
  if (!answer) co_return answer.error();
  auto objects = opennebula::parse_pool(answer.value());
  if (!objects) co_return objects.error();
  for (const opennebula::NamedObject& each : objects.value()) {
    if (each.name != wanted) continue;
    Found& found = found_[key];
    found.id = std::to_string(each.id);
    found.until = scheduler_.later(kNameKnown);
    co_return found.id;
  }
  const char* what = pool == "image" ? "image" : "network";
  co_return make_error(ErrorCode::invalid, std::string("OpenNebula has no ") + what + " \"" +
                                               wanted.substr(0, 128) +
                                               "\" that this user may see; give its id or its exact name");
}

void OpenNebulaCloud::check(Handler<std::vector<std::string>> handler) {
  spawn(domain_, run_check(std::move(handler)));
}

Task<void> OpenNebulaCloud::run_check(Handler<std::vector<std::string>> handler) {
  CallContext context;
  context.timeout = config_.request_timeout;
  auto found = co_await problems(ask_of(context));
  handler(std::move(found));
}

Task<std::vector<std::string>> OpenNebulaCloud::problems(Ask ask) {
  std::vector<std::string> all;
  std::vector<Value> nothing;
  auto version = co_await read(ask, "one.system.version", std::move(nothing));
  if (!version) {
    all.push_back(version.error().message);
    co_return all;
  }
  const auto major = static_cast<int>(std::strtol(version.value().c_str(), nullptr, 10));
  if (major < 5)
    all.push_back("OpenNebula is of version " + version.value().substr(0, 32) +
                  "; the driver needs 5 or newer (terminate-hard, paged listings)");
  opennebula::Placed placed;
  placed.spec.name = "drover-check";
  placed.spec.image = config_.image;
  placed.spec.network = config_.network;
  placed.token = "check";
  const std::string image = config_.image, network = config_.network;
  auto image_id = co_await id_of(ask, "image", image);
  if (image_id)
    placed.image_id = image_id.value();
  else
    all.push_back(image_id.error().message + " (opennebula.image)");
  auto network_id = co_await id_of(ask, "vn", network);
  if (network_id)
    placed.network_id = network_id.value();
  else
    all.push_back(network_id.error().message + " (opennebula.network)");
  auto listing = co_await list(ask);
  if (!listing) all.push_back("VMs cannot be listed: " + listing.error().message);
  if (config_.sizes.empty())
    all.push_back("opennebula.sizes is empty: name at least one size, with cpu and memory");
  for (const OpenNebulaSize& size : config_.sizes) {
    placed.spec.size = size.name;
    const auto text = opennebula::vm_template(config_, placed);
    if (text) continue;
    all.push_back(text.error().message);
    break;
  }
  co_return all;
}

}  // namespace drover
