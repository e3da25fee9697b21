#include "manager/adapters/ec2/ec2_errors.hpp"

#include <charconv>
#include <pugixml.hpp>

namespace drover::ec2 {
namespace {

constexpr std::size_t kBodyMax = 1024 * 1024;
constexpr std::size_t kMessageMax = 500;
constexpr long kRetryAfterMax = 3600;

struct Row {
  std::string_view code;
  ErrorCode error;
  const char* advice;
};

constexpr const char* kSlowDown = "the account makes too many calls; the next attempt waits longer";
constexpr const char* kRaiseLimit = "terminate something, or ask for a higher limit in Service Quotas";
constexpr const char* kNoRoom = "try again later, or configure another size, zone or subnet";
constexpr const char* kMayNot = "give the account's user or role the permission for this action";
constexpr const char* kKeys = "check the access key, its secret and the session token";
constexpr const char* kClock = "the cloud refuses the request's time: set this machine's clock (NTP)";
constexpr const char* kState = "wait until its state allows this";
constexpr const char* kTheirs = "the cloud could not do it now; try again";

// Codes whose name does not say by its end or beginning what they are.
constexpr Row kRows[] = {
    {"RequestLimitExceeded", ErrorCode::throttled, kSlowDown},
    {"Throttling", ErrorCode::throttled, kSlowDown},
    {"ThrottlingException", ErrorCode::throttled, kSlowDown},
    {"EC2ThrottledException", ErrorCode::throttled, kSlowDown},
    {"SnapshotCreationPerVolumeRateExceeded", ErrorCode::throttled, kSlowDown},
    {"UnauthorizedOperation", ErrorCode::permission, kMayNot},
    {"AccessDenied", ErrorCode::permission, kMayNot},
    {"AccessDeniedException", ErrorCode::permission, kMayNot},
    {"OperationNotPermitted", ErrorCode::permission, "the instance is protected: take the protection away"},
    {"OptInRequired", ErrorCode::permission, "subscribe the account to this service"},
    {"PendingVerification", ErrorCode::permission, "the account is being verified by the provider: wait"},
    {"Blocked", ErrorCode::permission, "the account is blocked: ask the provider"},
    {"AuthFailure", ErrorCode::unauthenticated, kKeys},
    {"SignatureDoesNotMatch", ErrorCode::unauthenticated, kKeys},
    {"IncompleteSignature", ErrorCode::unauthenticated, kKeys},
    {"InvalidClientTokenId", ErrorCode::unauthenticated, kKeys},
    {"InvalidAccessKeyId", ErrorCode::unauthenticated, kKeys},
    {"UnrecognizedClientException", ErrorCode::unauthenticated, kKeys},
    {"MissingAuthenticationToken", ErrorCode::unauthenticated, kKeys},
    {"InvalidSecurity", ErrorCode::unauthenticated, kKeys},
    {"ExpiredToken", ErrorCode::unauthenticated, "the session token has expired: get another one"},
    {"ExpiredTokenException", ErrorCode::unauthenticated, "the session token has expired: get another one"},
    {"RequestExpired", ErrorCode::unauthenticated, kClock},
    {"IdempotentParameterMismatch", ErrorCode::already_exists, "the token was used for another request"},
    {"IdempotentInstanceTerminated", ErrorCode::already_exists, "the token's instance is terminated"},
    {"InvalidInstanceID.NotFound", ErrorCode::not_found, "it is gone, or too new to be known everywhere"},
    {"InvalidVolume.NotFound", ErrorCode::not_found, "it is gone, or too new to be known everywhere"},
    {"IncorrectInstanceState", ErrorCode::wrong_state, kState},
    {"IncorrectState", ErrorCode::wrong_state, kState},
    {"InvalidState", ErrorCode::wrong_state, kState},
    {"VolumeInUse", ErrorCode::wrong_state, "detach it, or terminate its instance first"},
    {"InternalError", ErrorCode::unavailable, kTheirs},
    {"InternalFailure", ErrorCode::unavailable, kTheirs},
    {"ServerInternal", ErrorCode::unavailable, kTheirs},
    {"Unavailable", ErrorCode::unavailable, kTheirs},
    {"ServiceUnavailable", ErrorCode::unavailable, kTheirs},
};

Row row_of(std::string_view code, int status) {
  for (const Row& row : kRows)
    if (row.code == code) return row;
  if (code.ends_with("LimitExceeded")) return {code, ErrorCode::quota, kRaiseLimit};
  if (code.starts_with("Insufficient")) return {code, ErrorCode::capacity, kNoRoom};
  if (status == 429) return {code, ErrorCode::throttled, kSlowDown};
  if (status >= 500) return {code, ErrorCode::unavailable, kTheirs};
  if (code.empty() && status == 401) return {code, ErrorCode::unauthenticated, kKeys};
  if (code.empty() && status == 403) return {code, ErrorCode::permission, kMayNot};
  if (code.empty() && (status < 400 || status == 404))
    return {code, ErrorCode::protocol, "is the endpoint that of an EC2 API?"};
  return {code, ErrorCode::invalid, "correct the configuration that this comes from"};
}

// What the cloud says of a signature repeats what was signed, the session token included.
bool may_hold_secret(std::string_view code) {
  return code == "SignatureDoesNotMatch" || code == "IncompleteSignature";
}

std::string printable(std::string_view text, std::size_t bytes_max) {
  std::string result(text.substr(0, bytes_max));
  for (char& c : result)
    if (static_cast<unsigned char>(c) < 32 || c == 127) c = ' ';
  return result;
}

Duration retry_after_of(const http::Response& response) {
  const std::string* text = response.field("retry-after");
  long seconds = 0;
  if (text == nullptr) return Duration{0};
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
  if (error != std::errc() || end != text->data() + text->size() || seconds < 0) return Duration{0};
  return std::chrono::seconds(std::min(seconds, kRetryAfterMax));
}

}  // namespace

Refusal read_refusal(const std::string& body) {
  Refusal refusal;
  pugi::xml_document document;
  if (body.size() > kBodyMax || !document.load_buffer(body.data(), body.size())) return refusal;
  pugi::xml_node error = document.child("Response").child("Errors").child("Error");
  if (!error) error = document.child("ErrorResponse").child("Error");
  refusal.code = printable(error.child_value("Code"), 100);
  // Some clouds write "Client." or "Server." before the code, as the API for SOAP did.
  for (const std::string_view prefix : {"Client.", "Server."})
    if (refusal.code.starts_with(prefix)) refusal.code.erase(0, prefix.size());
  refusal.message = printable(error.child_value("Message"), kMessageMax);
  return refusal;
}

Error to_error(const http::Response& response, const Refusal& refusal, bool changing,
               const std::string& what) {
  const Row row = row_of(refusal.code, response.status);
  Error error;
  error.code = row.error;
  error.message = what + ": ";
  if (refusal.code.empty())
    error.message += "the cloud answered HTTP status " + std::to_string(response.status);
  else
    error.message += refusal.code;
  if (!refusal.message.empty() && !may_hold_secret(refusal.code)) error.message += ": " + refusal.message;
  error.message += std::string("; ") + row.advice;
  switch (row.error) {
    case ErrorCode::throttled:
    case ErrorCode::capacity:
      error.retry = Retry::later;
      error.retry_after = retry_after_of(response);
      break;
    case ErrorCode::unavailable:
    case ErrorCode::protocol:
      error.retry = row.error == ErrorCode::unavailable ? Retry::soon : Retry::no;
      error.retry_after = retry_after_of(response);
      if (changing && (response.status < 400 || response.status >= 500)) error.effect = Effect::possible;
      break;
    default:
      break;
  }
  return error;
}

}  // namespace drover::ec2
