#include "manager/system/http_message.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace drover::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

bool is_unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char small = lower(c);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

}  // namespace

const std::string* find_field(const Fields& fields, std::string_view name) {
  for (const auto& [key, value] : fields)
    if (same_name(key, name)) return &value;
  return nullptr;
}

std::string_view Request::path() const {
  const std::string_view all = target;
  return all.substr(0, all.find('?'));
}

std::string_view Request::query() const {
  const auto mark = target.find('?');
  return mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
}

std::string_view Request::value(std::string_view name) const {
  const std::string* found = field(name);
  return found == nullptr ? std::string_view() : std::string_view(*found);
}

const char* reason_of(int status) {
  struct Row {
    int status;
    const char* reason;
  };
  static constexpr std::array kRows{Row{200, "OK"},
                                    Row{201, "Created"},
                                    Row{202, "Accepted"},
                                    Row{203, "Non-Authoritative Information"},
                                    Row{204, "No Content"},
                                    Row{300, "Multiple Choices"},
                                    Row{302, "Found"},
                                    Row{400, "Bad Request"},
                                    Row{401, "Unauthorized"},
                                    Row{403, "Forbidden"},
                                    Row{404, "Not Found"},
                                    Row{405, "Method Not Allowed"},
                                    Row{406, "Not Acceptable"},
                                    Row{408, "Request Timeout"},
                                    Row{409, "Conflict"},
                                    Row{411, "Length Required"},
                                    Row{412, "Precondition Failed"},
                                    Row{413, "Request Entity Too Large"},
                                    Row{415, "Unsupported Media Type"},
                                    Row{429, "Too Many Requests"},
                                    Row{431, "Request Header Fields Too Large"},
                                    Row{500, "Internal Server Error"},
                                    Row{501, "Not Implemented"},
                                    Row{503, "Service Unavailable"},
                                    Row{504, "Gateway Timeout"}};
  const auto* found =
      std::find_if(kRows.begin(), kRows.end(), [&](const Row& row) { return row.status == status; });
  return found == kRows.end() ? "Unknown" : found->reason;
}

std::string percent_encode(std::string_view text, bool keep_slash) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || (keep_slash && c == '/')) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += kDigits[byte >> 4U];
    encoded += kDigits[byte & 15U];
  }
  return encoded;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
      continue;
    }
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

std::optional<Fields> parse_form(std::string_view text) {
  Fields fields;
  while (!text.empty()) {
    const auto end = text.find('&');
    const std::string_view part = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (part.empty()) continue;
    const auto equals = part.find('=');
    auto name = percent_decode(part.substr(0, equals), true);
    auto value =
        percent_decode(equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1), true);
    if (!name || !value) return std::nullopt;
    fields.emplace_back(*std::move(name), *std::move(value));
  }
  return fields;
}

std::string to_form(const Fields& fields) {
  std::string text;
  for (const auto& [name, value] : fields) {
    if (!text.empty()) text += '&';
    text += percent_encode(name) + "=" + percent_encode(value);
  }
  return text;
}

std::string Url::authority() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (tls ? 443 : 80)) text += ":" + std::to_string(port);
  return text;
}

std::optional<Url> parse_url(std::string_view text) {
  Url url;
  if (text.starts_with("https://")) {
    url.tls = true;
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
  } else {
    return std::nullopt;
  }
  const auto slash = text.find('/');
  std::string_view place = text.substr(0, slash);
  if (slash != std::string_view::npos) url.path = text.substr(slash);
  while (url.path.ends_with('/')) url.path.pop_back();
  if (url.path.find_first_of("?# ") != std::string::npos) return std::nullopt;
  url.port = url.tls ? 443 : 80;
  std::string_view port;
  bool has_port = false;
  if (place.starts_with('[')) {
    const auto close = place.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    url.host = place.substr(1, close - 1);
    place.remove_prefix(close + 1);
    if (!place.empty() && place.front() != ':') return std::nullopt;
    has_port = !place.empty();
    if (has_port) port = place.substr(1);
  } else {
    const auto colon = place.find(':');
    url.host = place.substr(0, colon);
    has_port = colon != std::string_view::npos;
    if (has_port) port = place.substr(colon + 1);
  }
  if (url.host.empty() || url.host.find_first_of("@ \t\r\n?#\\") != std::string::npos) return std::nullopt;
  if (has_port) {
    const auto [last, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc{} || last != port.data() + port.size() || url.port == 0) return std::nullopt;
  }
  return url;
}

}  // namespace drover::http
