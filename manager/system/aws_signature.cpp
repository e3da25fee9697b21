#include "manager/system/aws_signature.hpp"

#include <algorithm>
#include <charconv>

#include "manager/system/digest.hpp"

namespace drover::aws {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::size_t kSignedFieldsMax = 64;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

// Without space around it, and with one space where there were several.
std::string collapsed(std::string_view text) {
  std::string result;
  for (const char c : trimmed(text))
    if (!is_space(c))
      result += c;
    else if (result.back() != ' ')
      result += ' ';
  return result;
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool all_of_class(std::string_view text, bool (*belongs)(char)) {
  return std::all_of(text.begin(), text.end(), belongs);
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }

// The parameters of a query or form. Broken escapes are taken as they stand: such a request fails elsewhere.
http::Fields parameters(std::string_view text) {
  http::Fields fields;
  if (text.empty()) return fields;
  for (const std::string_view part : split(text, '&')) {
    if (part.empty()) continue;
    const auto equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? "" : part.substr(equals + 1);
    fields.emplace_back(http::percent_decode(name, true).value_or(std::string(name)),
                        http::percent_decode(value, true).value_or(std::string(value)));
  }
  return fields;
}

const std::string* find_exactly(const http::Fields& fields, std::string_view name) {
  for (const auto& [known, value] : fields)
    if (known == name) return &value;
  return nullptr;
}

// "a=1&b=2", every part encoded, in the order of the encoded (version 4) or plain (version 2) names.
std::string sorted_query(http::Fields fields, std::string_view left_out, bool by_encoded_name) {
  std::erase_if(fields, [&](const auto& field) { return field.first == left_out; });
  if (!by_encoded_name) std::sort(fields.begin(), fields.end());
  for (auto& [name, value] : fields) {
    name = http::percent_encode(name);
    value = http::percent_encode(value);
  }
  if (by_encoded_name) std::sort(fields.begin(), fields.end());
  std::string text;
  for (const auto& [name, value] : fields) {
    if (!text.empty()) text += '&';
    text += name;
    text += '=';
    text += value;
  }
  return text;
}

// Without "." and "..", and without empty parts; encoded once more, as every service but S3 wants it.
std::string canonical_path(std::string_view path) {
  std::vector<std::string_view> kept;
  for (const std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..")
      kept.push_back(part);
    else if (!kept.empty())
      kept.pop_back();
  }
  std::string result;
  for (const std::string_view part : kept) result += '/' + http::percent_encode(part);
  if (result.empty() || path.ends_with('/')) result += '/';
  return result;
}

std::string canonical_field(const http::Request& request, const std::string& name, std::string_view host) {
  if (name == "host" && !host.empty()) return std::string(host);
  std::string text;
  bool first = true;
  for (const auto& [known, value] : request.fields) {
    if (lower(known) != name) continue;
    if (!first) text += ',';
    text += collapsed(value);
    first = false;
  }
  return text;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) {
    if (!text.empty()) text += ';';
    text += name;
  }
  return text;
}

std::string scope_of(const SigV4& parsed) {
  return parsed.date + '/' + parsed.region + '/' + parsed.service + "/aws4_request";
}

Error malformed(std::string message) { return make_error(ErrorCode::invalid, std::move(message)); }

Result<void> parse_credential(std::string_view text, SigV4& parsed) {
  // An access key may hold slashes, the scope has always four parts.
  auto parts = split(text, '/');
  if (parts.size() < 5 || parts.back() != "aws4_request")
    return malformed("the credential is not KEY/DATE/REGION/SERVICE/aws4_request");
  const auto end = parts.size();
  parsed.service = parts[end - 2];
  parsed.region = parts[end - 3];
  parsed.date = parts[end - 4];
  parsed.access_key = text.substr(0, text.size() - (parsed.date.size() + parsed.region.size() +
                                                    parsed.service.size() + parts.back().size() + 4));
  if (parsed.access_key.empty()) return malformed("the credential has no access key");
  if (parsed.date.size() != 8 || !all_of_class(parsed.date, is_digit))
    return malformed("the date of the credential's scope is not YYYYMMDD");
  return success();
}

Result<void> parse_signed_fields(std::string_view text, SigV4& parsed) {
  const auto names = split(text, ';');
  if (names.size() > kSignedFieldsMax) return malformed("too many signed headers");
  for (const std::string_view name : names) {
    if (trimmed(name).empty()) return malformed("SignedHeaders has an empty name");
    parsed.signed_fields.push_back(lower(trimmed(name)));
  }
  if (std::find(parsed.signed_fields.begin(), parsed.signed_fields.end(), "host") ==
      parsed.signed_fields.end())
    return malformed("the Host header must be signed");
  return success();
}

Result<void> parse_signature(std::string_view text, SigV4& parsed) {
  parsed.signature = lower(text);
  if (parsed.signature.size() != 64 || !all_of_class(parsed.signature, is_hex))
    return malformed("the signature is not 64 hexadecimal digits");
  return success();
}

Result<SigV4> parse_authorization(const http::Request& request, std::string_view text) {
  SigV4 parsed;
  text.remove_prefix(kAlgorithm.size());
  bool credential = false, fields = false, signature = false;
  for (const std::string_view part : split(text, ',')) {
    const auto equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = trimmed(part.substr(0, equals)), value = trimmed(part.substr(equals + 1));
    if (name == "Credential" && !std::exchange(credential, true)) {
      DROVER_TRY(parse_credential(value, parsed));
    } else if (name == "SignedHeaders" && !std::exchange(fields, true)) {
      DROVER_TRY(parse_signed_fields(value, parsed));
    } else if (name == "Signature" && !std::exchange(signature, true)) {
      DROVER_TRY(parse_signature(value, parsed));
    }
  }
  if (!credential) return malformed("the Authorization header lacks 'Credential'");
  if (!fields) return malformed("the Authorization header lacks 'SignedHeaders'");
  if (!signature) return malformed("the Authorization header lacks 'Signature'");
  parsed.amz_date = trimmed(request.value("x-amz-date"));
  if (parsed.amz_date.empty()) return malformed("the request has no X-Amz-Date header");
  parsed.session_token = trimmed(request.value("x-amz-security-token"));
  return parsed;
}

Result<SigV4> parse_presigned(const http::Fields& query) {
  SigV4 parsed;
  parsed.presigned = true;
  const auto value = [&](std::string_view name) {
    const std::string* found = find_exactly(query, name);
    return found == nullptr ? std::string() : *found;
  };
  if (value("X-Amz-Algorithm") != kAlgorithm) return malformed("X-Amz-Algorithm must be AWS4-HMAC-SHA256");
  DROVER_TRY(parse_credential(value("X-Amz-Credential"), parsed));
  DROVER_TRY(parse_signed_fields(value("X-Amz-SignedHeaders"), parsed));
  DROVER_TRY(parse_signature(value("X-Amz-Signature"), parsed));
  parsed.amz_date = value("X-Amz-Date");
  parsed.session_token = value("X-Amz-Security-Token");
  const std::string expires = value("X-Amz-Expires");
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(expires.data(), expires.data() + expires.size(), seconds);
  if (error != std::errc() || end != expires.data() + expires.size() || seconds == 0 || seconds > 604800)
    return malformed("X-Amz-Expires must be 1 to 604800 seconds");
  parsed.valid_for = std::chrono::seconds(seconds);
  return parsed;
}

std::string signature_of(const http::Request& request, const SigV4& parsed, std::string_view secret,
                         std::string_view host) {
  const std::string* stated = request.field("x-amz-content-sha256");
  const bool unsigned_body = stated != nullptr && *stated == "UNSIGNED-PAYLOAD";
  std::string canonical = request.method + '\n' + canonical_path(request.path()) + '\n' +
                          sorted_query(parameters(request.query()), "X-Amz-Signature", true) + '\n';
  for (const auto& name : parsed.signed_fields)
    canonical += name + ':' + canonical_field(request, name, host) + '\n';
  canonical += '\n' + joined(parsed.signed_fields) + '\n';
  canonical += unsigned_body ? *stated : to_hex(sha256(request.body));
  std::string text(kAlgorithm);
  for (const std::string& line : {parsed.amz_date, scope_of(parsed), to_hex(sha256(canonical))})
    text.append("\n").append(line);
  std::string key = "AWS4" + std::string(secret);
  for (const std::string_view step : {std::string_view(parsed.date), std::string_view(parsed.region),
                                      std::string_view(parsed.service), std::string_view("aws4_request")})
    key = hmac_sha256(key, step);
  return to_hex(hmac_sha256(key, text));
}

// A version 2 request says everything in its query, or in the form that it posts.
http::Fields v2_parameters(const http::Request& request) {
  http::Fields fields = parameters(request.query());
  if (request.method == "POST")
    for (auto& field : parameters(request.body)) fields.push_back(std::move(field));
  return fields;
}

// The Host field as it came, without its port, and with the port that it does not have.
std::vector<std::string> hosts_of(const http::Request& request) {
  const std::string host = lower(trimmed(request.value("host")));
  std::vector<std::string> hosts{host};
  const auto colon = host.rfind(':');
  const bool has_port = colon != std::string::npos && colon + 1 < host.size() &&
                        all_of_class(std::string_view(host).substr(colon + 1), is_digit);
  if (has_port) {
    hosts.push_back(host.substr(0, colon));
  } else {
    hosts.push_back(host + ":80");
    hosts.push_back(host + ":443");
  }
  return hosts;
}

}  // namespace

void sign_sigv4(http::Request& request, const AwsCredentials& credentials, std::string_view region,
                std::string_view service, TimePoint at) {
  SigV4 parsed;
  parsed.access_key = credentials.access_key;
  parsed.amz_date = to_amz_date(at);
  parsed.date = parsed.amz_date.substr(0, 8);
  parsed.region = region;
  parsed.service = service;
  request.fields.emplace_back("X-Amz-Date", parsed.amz_date);
  if (!credentials.session_token.empty())
    request.fields.emplace_back("X-Amz-Security-Token", credentials.session_token);
  for (const auto& [name, value] : request.fields)
    if (lower(name) != "user-agent") parsed.signed_fields.push_back(lower(name));
  auto& names = parsed.signed_fields;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const std::string signature = signature_of(request, parsed, credentials.secret, {});
  request.fields.emplace_back(
      "Authorization", std::string(kAlgorithm) + " Credential=" + parsed.access_key + '/' + scope_of(parsed) +
                           ", SignedHeaders=" + joined(names) + ", Signature=" + signature);
}

SignatureKind signature_kind(const http::Request& request) {
  if (trimmed(request.value("authorization")).starts_with(kAlgorithm)) return SignatureKind::v4;
  const http::Fields query = parameters(request.query());
  if (find_exactly(query, "X-Amz-Signature") != nullptr || find_exactly(query, "X-Amz-Algorithm") != nullptr)
    return SignatureKind::v4;
  const http::Fields fields = v2_parameters(request);
  for (const std::string_view name : {"AWSAccessKeyId", "SignatureVersion", "Signature"})
    if (find_exactly(fields, name) != nullptr) return SignatureKind::v2;
  return SignatureKind::none;
}

Result<SigV4> parse_sigv4(const http::Request& request) {
  const std::string_view authorization = trimmed(request.value("authorization"));
  Result<SigV4> parsed = authorization.starts_with(kAlgorithm) ? parse_authorization(request, authorization)
                                                               : parse_presigned(parameters(request.query()));
  if (!parsed) return parsed;
  if (!parse_amz_date(parsed.value().amz_date))
    return malformed("X-Amz-Date is not of the form YYYYMMDD'T'HHMMSS'Z'");
  if (!parsed.value().amz_date.starts_with(parsed.value().date))
    return malformed("the date of the credential's scope is not that of X-Amz-Date");
  return parsed;
}

Result<SigV2> parse_sigv2(const http::Request& request) {
  const http::Fields fields = v2_parameters(request);
  SigV2 parsed;
  const auto take = [&](std::string_view name) {
    const std::string* found = find_exactly(fields, name);
    return found == nullptr ? std::string() : *found;
  };
  parsed.access_key = take("AWSAccessKeyId");
  parsed.method = take("SignatureMethod");
  parsed.signature = take("Signature");
  parsed.session_token = take("SecurityToken");
  if (parsed.access_key.empty()) return malformed("the request lacks AWSAccessKeyId");
  if (parsed.signature.empty()) return malformed("the request lacks Signature");
  if (take("SignatureVersion") != "2") return malformed("SignatureVersion must be 2, or sign with version 4");
  if (parsed.method != "HmacSHA256" && parsed.method != "HmacSHA1")
    return malformed("SignatureMethod must be HmacSHA256 or HmacSHA1");
  const std::string timestamp = take("Timestamp"), expires = take("Expires");
  if (timestamp.empty() == expires.empty())
    return malformed("the request must have one of Timestamp and Expires");
  parsed.timestamp = parse_iso8601(timestamp);
  parsed.expires = parse_iso8601(expires);
  if (!parsed.timestamp && !parsed.expires)
    return malformed("Timestamp or Expires is not of the form YYYY-MM-DDTHH:MM:SSZ");
  return parsed;
}

std::string expected_sigv4(const http::Request& request, const SigV4& parsed, std::string_view secret,
                           std::string_view host) {
  return signature_of(request, parsed, secret, host);
}

std::string expected_sigv2(const http::Request& request, const SigV2& parsed, std::string_view secret,
                           std::string_view host) {
  const std::string path(request.path().empty() ? "/" : request.path());
  const std::string text = request.method + '\n' +
                           lower(host.empty() ? trimmed(request.value("host")) : host) + '\n' + path + '\n' +
                           sorted_query(v2_parameters(request), "Signature", false);
  return base64_encode(parsed.method == "HmacSHA1" ? hmac_sha1(secret, text) : hmac_sha256(secret, text));
}

bool is_signed_by(const http::Request& request, const SigV4& parsed, std::string_view secret) {
  for (const auto& host : hosts_of(request))
    if (equal_in_constant_time(expected_sigv4(request, parsed, secret, host), parsed.signature)) return true;
  return false;
}

bool is_signed_by(const http::Request& request, const SigV2& parsed, std::string_view secret) {
  for (const auto& host : hosts_of(request))
    if (equal_in_constant_time(expected_sigv2(request, parsed, secret, host), parsed.signature)) return true;
  return false;
}

}  // namespace drover::aws
