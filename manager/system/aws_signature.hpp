// The signatures of Amazon's query interfaces, for both ends: version 4 (header and presigned query) and
// version 2 (query and form). Pure: time comes from the caller, as nanoseconds since 1970 on the axis of
// TimePoint. No secret, and no signature, is ever in an error's message.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "manager/base/result.hpp"
#include "manager/system/http_message.hpp"

namespace drover {

struct AwsCredentials {
  std::string access_key;
  std::string secret;         // never printed
  std::string session_token;  // of temporary credentials, else ""
};

namespace aws {

// "20261126T160048Z"
std::string to_amz_date(TimePoint at);
// Of "20261126T160048Z"; nothing for anything else, or for a date that does not exist.
std::optional<TimePoint> parse_amz_date(std::string_view text);
// Of "2026-11-26T16:00:48", with or without a fraction (up to nine digits are kept), and with "Z" or nothing
// at its end: always UTC. Nothing for anything else. Years 1900 to 2200.
std::optional<TimePoint> parse_iso8601(std::string_view text);

// Adds X-Amz-Date, X-Amz-Security-Token (of temporary credentials) and Authorization, over all fields that
// are in the request then but User-Agent, which proxies may change. Host must be among them.
void sign_sigv4(http::Request& request, const AwsCredentials& credentials, std::string_view region,
                std::string_view service, TimePoint at);

// What a request signed with version 4 says of its signature.
struct SigV4 {
  std::string access_key;
  std::string date;                        // "20261126"
  std::string region;                      // as in the scope; some clients write nonsense here
  std::string service;                     // likewise
  std::string amz_date;                    // "20261126T160048Z"
  std::vector<std::string> signed_fields;  // lower case, in the order of the request
  std::string signature;                   // 64 hexadecimal digits
  std::string session_token;
  bool presigned = false;
  Duration valid_for{0};  // of a presigned request
};

// What a request signed with version 2 says of its signature.
struct SigV2 {
  std::string access_key;
  std::string method;     // "HmacSHA256" or "HmacSHA1"
  std::string signature;  // base64
  std::string session_token;
  std::optional<TimePoint> timestamp;  // one of the two is there
  std::optional<TimePoint> expires;
};

enum class SignatureKind : unsigned char { none, v2, v4 };
// By the Authorization field, the query, or the form in the body. The other functions say whether it is well
// made.
SignatureKind signature_kind(const http::Request& request);

// Errors: invalid, with what is missing or malformed (EC2's AuthFailure or IncompleteSignature).
Result<SigV4> parse_sigv4(const http::Request& request);
Result<SigV2> parse_sigv2(const http::Request& request);

// The signature that the owner of `secret` would have made over the request as it arrived. `host` replaces
// the Host field when it is not empty.
std::string expected_sigv4(const http::Request& request, const SigV4& parsed, std::string_view secret,
                           std::string_view host = {});
std::string expected_sigv2(const http::Request& request, const SigV2& parsed, std::string_view secret,
                           std::string_view host = {});

// Whether the signature is the secret's, compared in constant time. Clients sign the host with or without its
// port, and not always as they send it: any of these is right.
bool is_signed_by(const http::Request& request, const SigV4& parsed, std::string_view secret);
bool is_signed_by(const http::Request& request, const SigV2& parsed, std::string_view secret);

}  // namespace aws
}  // namespace drover
