#include "manager/adapters/ec2/ec2_query.hpp"

#include "manager/adapters/ec2/ec2_errors.hpp"
#include "manager/base/hash.hpp"

namespace drover {
namespace {

constexpr std::size_t kBodyMax = 64 * 1024 * 1024;
constexpr unsigned kAttemptsMax = 8;
constexpr Duration kPauseFirst = 200ms;
constexpr Duration kPauseMax = 5s;

std::string user_agent(const std::string& subject) {
  std::string text = "drover/" DROVER_VERSION;
  if (subject.empty()) return text;
  text += " subject/";
  for (const char c : std::string_view(subject).substr(0, 200)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
    text += plain ? c : '_';
  }
  return text;
}

std::string described(const Ec2Call& call) {
  std::string text = call.action;
  if (!call.about.empty()) text += " of " + call.about;
  return text;
}

// What one attempt came to.
Result<Ec2Answer> judge(const Ec2Call& call, const Result<http::Response>& response, std::string& code) {
  if (response.has_error()) {
    Error error = response.error();
    error.message = described(call) + ": " + error.message;
    if (!call.changing) error.effect = Effect::none;
    return error;
  }
  const int status = response.value().status;
  if (status < 200 || status > 299) {
    const ec2::Refusal refusal = ec2::read_refusal(response.value().body);
    code = refusal.code;
    return ec2::to_error(response.value(), refusal, call.changing, described(call));
  }
  auto answer = Ec2Answer::read(response.value().body, call.action);
  if (answer.has_value()) return answer;
  Error error = answer.error();
  error.message = described(call) + ": " + error.message;
  if (call.changing) error.effect = Effect::possible;
  return error;
}

}  // namespace

Result<Ec2Answer> Ec2Answer::read(const std::string& body, const std::string& action) {
  const auto refuse = [](const std::string& why) {
    return make_error(ErrorCode::protocol,
                      "the cloud's answer " + why + "; is the endpoint that of an EC2 API?");
  };
  if (body.size() > kBodyMax) return refuse("is larger than 64 MB");
  Ec2Answer answer;
  answer.document_ = std::make_unique<pugi::xml_document>();
  const auto parsed =
      answer.document_->load_buffer(body.data(), body.size(), pugi::parse_default | pugi::parse_doctype);
  if (!parsed) return refuse(std::string("is no XML: ") + parsed.description());
  for (const pugi::xml_node node : answer.document_->children())
    if (node.type() == pugi::node_doctype) return refuse("has a document type, which none of this API has");
  if (answer.root().name() != action + "Response") return refuse("is not a " + action + "Response");
  return answer;
}

Ec2Query::Ec2Query(Scheduler& scheduler, HttpClient& client, Settings settings,
                   std::function<TimePoint()> wall)
    : scheduler_(scheduler), client_(client), settings_(std::move(settings)), wall_(std::move(wall)) {}

http::Request Ec2Query::build(const Ec2Call& call) const {
  http::Fields form{{"Action", call.action}, {"Version", settings_.api_version}};
  form.insert(form.end(), call.parameters.begin(), call.parameters.end());
  http::Request request;
  request.method = "POST";
  request.target = settings_.url.path.empty() ? "/" : settings_.url.path;
  request.fields = {{"Host", settings_.url.authority()},
                    {"User-Agent", user_agent(call.subject)},
                    {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
  request.body = http::to_form(form);
  aws::sign_sigv4(request, settings_.credentials, settings_.region, "ec2", wall_());
  return request;
}

std::optional<Duration> Ec2Query::pause(const Ec2Call& call, const Error& error, unsigned attempt) const {
  if (attempt >= kAttemptsMax) return std::nullopt;
  switch (error.code) {
    case ErrorCode::throttled:
      break;
    case ErrorCode::unavailable:
    case ErrorCode::connection_lost:
    case ErrorCode::timeout:
      if (call.changing && !call.repeatable && error.effect == Effect::possible) return std::nullopt;
      break;
    default:
      return std::nullopt;
  }
  Duration delay = kPauseFirst;
  for (unsigned i = 1; i < attempt && delay < kPauseMax; ++i) delay *= 2;
  // Callers that were refused together do not come back together.
  const std::uint64_t spread = hash_text(call.about + call.subject, attempt) % 256;
  delay = std::min(delay, kPauseMax) + delay * static_cast<Duration::rep>(spread) / 1024;
  delay = std::max(delay, error.retry_after);
  if (delay >= call.deadline - scheduler_.now()) return std::nullopt;
  return delay;
}

Task<Result<Ec2Answer>> Ec2Query::ask(Ec2Call call, std::string* code) {
  Effect effect = Effect::none;
  for (unsigned attempt = 1;; ++attempt) {
    const Duration left = call.deadline - scheduler_.now();
    if (left <= Duration{0}) {
      co_return make_error(ErrorCode::timeout, described(call) + ": no time is left for it", effect,
                           Retry::soon);
    }
    const http::Request request = build(call);
    const auto send = [&](Handler<http::Response> handler) {
      client_.send(settings_.url, request, left, call.repeatable, std::move(handler));
    };
    const Result<http::Response> response = co_await await_reply<http::Response>(left, send);
    std::string refused;
    Result<Ec2Answer> answer = judge(call, response, refused);
    if (code != nullptr) *code = refused;
    if (answer.has_value()) co_return answer;
    Error error = std::move(answer).error();
    if (error.effect == Effect::possible) effect = Effect::possible;
    const std::optional<Duration> delay = pause(call, error, attempt);
    if (!delay) {
      error.effect = effect;
      co_return error;
    }
    co_await sleep_for(*delay);
  }
}

}  // namespace drover
