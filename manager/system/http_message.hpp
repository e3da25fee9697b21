// HTTP requests and answers as plain values, and the text forms that the protocols of clouds build from them.
// Shared by the drivers (manager/adapters) and by the mock cloud's wires (mockcloud/wire). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace drover::http {

using Fields = std::vector<std::pair<std::string, std::string>>;  // in the order of the wire

// The first value of a field, its name compared without case; null when there is none.
const std::string* find_field(const Fields& fields, std::string_view name);

struct Request {
  std::string method;  // "GET"
  std::string target;  // as on the wire: "/path?query", percent-encoded
  Fields fields;
  std::string body;

  std::string_view path() const;   // of target, still encoded
  std::string_view query() const;  // without the '?', "" when there is none
  const std::string* field(std::string_view name) const { return find_field(fields, name); }
  // The value of a field, or "".
  std::string_view value(std::string_view name) const;
};

struct Response {
  int status = 200;
  Fields fields;
  std::string body;

  const std::string* field(std::string_view name) const { return find_field(fields, name); }
};

// The reason phrase of a status, "Unknown" for one without.
const char* reason_of(int status);

// RFC 3986: everything but unreserved characters (and '/' when `keep_slash`) becomes %XX, in capitals.
std::string percent_encode(std::string_view text, bool keep_slash = false);
// Nothing for a broken escape. `plus_is_space` as in forms.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
// "a=1&b=2" in its order; a name without '=' has the value "". Nothing for a broken escape.
std::optional<Fields> parse_form(std::string_view text);
std::string to_form(const Fields& fields);

// An absolute URL "http[s]://host[:port][/path]"; nothing for anything else. Credentials in it are refused.
struct Url {
  bool tls = false;
  std::string host;  // a name or an address, IPv6 without brackets
  std::uint16_t port = 0;
  std::string path;  // "" or begins with '/', without the last '/'
  // "host" or "host:port" as a Host field has it: the scheme's own port is left out.
  std::string authority() const;
};
std::optional<Url> parse_url(std::string_view text);

}  // namespace drover::http
