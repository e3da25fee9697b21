#include "mockcloud/wire/ec2/ec2_face.hpp"

#include <algorithm>

#include "manager/base/hash.hpp"
#include "manager/system/aws_signature.hpp"
#include "mockcloud/wire/ec2/call.hpp"

namespace drover::wire {

namespace ec2 {

http::Response error_response(const Fault& fault, const std::string& request_id) {
  http::Response response;
  response.status = fault.status;
  response.fields = {
      {"Content-Type", "text/xml;charset=UTF-8"}, {"x-amzn-RequestId", request_id}, {"Server", "AmazonEC2"}};
  if (fault.retry_after > Duration{0})
    response.fields.emplace_back(
        "Retry-After", std::to_string(std::chrono::ceil<std::chrono::seconds>(fault.retry_after).count()));
  response.body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  XmlWriter xml(response.body);
  xml.element("Response", [&] {
    xml.element("Errors", [&] {
      xml.element("Error", [&] {
        xml.text("Code", fault.code);
        xml.text("Message", fault.message);
      });
    });
    xml.text("RequestID", request_id);
  });
  return response;
}

namespace {

constexpr Duration kSkewMax = std::chrono::minutes(15);
constexpr const char* kNewestVersion = "2016-11-15";

const Action* find_action(std::string_view name) {
  for (const auto table : {instance_actions(), describe_actions(), launch_actions(), catalogue_actions(),
                           tag_actions(), access_actions(), volume_actions()})
    for (const Action& row : table)
      if (row.name == name) return &row;
  return nullptr;
}

Fault denied() {
  return {401, "AuthFailure", "AWS was not able to validate the provided access credentials", {}};
}

Fault expired(TimePoint at, TimePoint now) {
  return {400,
          "RequestExpired",
          "Request has expired. Timestamp date is " + to_iso8601(at, false) + ", the time here is " +
              to_iso8601(now, false),
          {}};
}

Fault wrong_signature() {
  return {403,
          "SignatureDoesNotMatch",
          "The request signature we calculated does not match the signature you provided. Check your AWS "
          "Secret Access "
          "Key and signing method. Consult the service documentation for details.",
          {}};
}

bool is_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '-' || (c >= '0' && c <= '9'); });
}

Answer<void> check_v4(const Backend& backend, const http::Request& request) {
  const auto parsed = aws::parse_sigv4(request);
  if (parsed.has_error()) return Fault{400, "IncompleteSignature", parsed.error().message, {}};
  const Account* account = backend.account(parsed.value().access_key);
  if (account == nullptr) return denied();
  const auto at = aws::parse_amz_date(parsed.value().amz_date);
  if (!at) return Fault{400, "IncompleteSignature", "Date must be in ISO-8601 'basic format'.", {}};
  const TimePoint now = backend.wall();
  const Duration age = now - *at;
  const Duration allowed =
      parsed.value().presigned ? std::max(parsed.value().valid_for, Duration{0}) : kSkewMax;
  if (age > allowed || age < -kSkewMax) return expired(*at, now);
  if (!aws::is_signed_by(request, parsed.value(), account->secret.value)) return wrong_signature();
  return success();
}

Answer<void> check_v2(const Backend& backend, const http::Request& request) {
  const auto parsed = aws::parse_sigv2(request);
  if (parsed.has_error()) return Fault{400, "IncompleteSignature", parsed.error().message, {}};
  const Account* account = backend.account(parsed.value().access_key);
  if (account == nullptr) return denied();
  const TimePoint now = backend.wall();
  if (parsed.value().expires && *parsed.value().expires < now) return expired(*parsed.value().expires, now);
  if (parsed.value().timestamp) {
    const Duration age = now - *parsed.value().timestamp;
    if (age > kSkewMax || age < -kSkewMax) return expired(*parsed.value().timestamp, now);
  }
  if (!aws::is_signed_by(request, parsed.value(), account->secret.value)) return wrong_signature();
  return success();
}

Answer<void> check_signature(const Backend& backend, const http::Request& request) {
  if (!backend.settings().check_signatures) return success();
  switch (aws::signature_kind(request)) {
    case aws::SignatureKind::v4:
      return check_v4(backend, request);
    case aws::SignatureKind::v2:
      return check_v2(backend, request);
    case aws::SignatureKind::none:
      break;
  }
  return Fault{403,
               "MissingAuthenticationToken",
               "The request must contain either a valid (registered) AWS access key ID or X.509 certificate.",
               {}};
}

bool is_form(const http::Request& request) {
  const std::string_view type = request.value("Content-Type");
  return type.empty() || type.starts_with("application/x-www-form-urlencoded");
}

Answer<Query> read_query(const http::Request& request) {
  if (request.method != "GET" && request.method != "POST")
    return Fault{405,
                 "UnsupportedHttpVerb",
                 "The HTTP method " + request.method.substr(0, 40) + " is not supported: use GET or POST.",
                 {}};
  auto fields = http::parse_form(request.query());
  std::optional<http::Fields> form = http::Fields{};
  if (request.method == "POST" && !request.body.empty()) {
    if (!is_form(request))
      return Fault{
          400, "MalformedQueryString", "The body must be of type application/x-www-form-urlencoded.", {}};
    form = http::parse_form(request.body);
  }
  if (!fields || !form)
    return Fault{400, "MalformedQueryString", "The query string contains a syntax error.", {}};
  fields->insert(fields->end(), std::make_move_iterator(form->begin()), std::make_move_iterator(form->end()));
  return Query(*std::move(fields));
}

}  // namespace
}  // namespace ec2

bool Ec2Face::claims(const http::Request& request) const {
  const std::string_view path = request.path();
  if (path != "/" && !path.empty() && !path.starts_with("/services/")) return false;
  if (request.value("Authorization").starts_with("AWS") || request.field("X-Amz-Date") != nullptr)
    return true;
  const auto names_action = [](std::string_view text) {
    return text.starts_with("Action=") || text.find("&Action=") != std::string_view::npos ||
           text.find("AWSAccessKeyId=") != std::string_view::npos ||
           text.find("X-Amz-Signature=") != std::string_view::npos;
  };
  if (names_action(request.query())) return true;
  return request.method == "POST" &&
         request.value("Content-Type").starts_with("application/x-www-form-urlencoded");
}

std::string Ec2Face::next_request_id() const {
  constexpr const char* kDigits = "0123456789abcdef";
  const std::uint64_t number = ++requests_;
  const std::uint64_t high = mix(backend_.cloud().seed(), number), low = mix(high, number);
  std::string id;
  for (unsigned i = 0; i < 32; ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) id += '-';
    const std::uint64_t word = i < 16 ? high : low;
    id += i == 12 ? '4' : kDigits[word >> (4U * (i % 16)) & 15U];
  }
  return id;
}

http::Response Ec2Face::refusal(int status, const std::string& why) const {
  if (status == 413)
    return ec2::error_response(
        {413, "RequestEntityTooLarge", "The request is larger than is allowed here.", {}}, next_request_id());
  return ec2::error_response({status, "MalformedQueryString", "The request cannot be read: " + why, {}},
                             next_request_id());
}

std::string Ec2Face::label(const http::Request& request) const {
  const auto query = ec2::read_query(request);
  if (query.has_error()) return "unreadable";
  const std::string action = query.value().value("Action");
  return ec2::find_action(action) == nullptr ? "unknown action" : action;
}

void Ec2Face::handle(http::Request request, Respond respond) {
  const std::string id = next_request_id();
  const auto refuse = [&](const ec2::Fault& fault) { respond(ec2::error_response(fault, id)); };
  auto query = ec2::read_query(request);
  if (query.has_error()) return refuse(query.error());
  if (const auto signature = ec2::check_signature(backend_, request); signature.has_error())
    return refuse(signature.error());
  const std::string action = query.value().value("Action");
  if (action.empty())
    return refuse({400, "MissingAction", "The request must contain the parameter Action.", {}});
  std::string version = query.value().value("Version");
  if (version.empty()) version = ec2::kNewestVersion;
  if (!ec2::is_date(version))
    return refuse(
        {400,
         "NoSuchVersion",
         "The requested version (" + version.substr(0, 40) + ") of service AmazonEC2 does not exist",
         {}});
  const ec2::Action* row = ec2::find_action(action);
  if (row == nullptr)
    return refuse({400,
                   "InvalidAction",
                   "The action " + action.substr(0, 100) + " is not valid for this web service.",
                   {}});
  const auto call = std::make_shared<ec2::Call>(backend_, std::move(request), std::move(query).value(),
                                                action, version, id, std::move(respond));
  row->handle(call);
}

}  // namespace drover::wire
