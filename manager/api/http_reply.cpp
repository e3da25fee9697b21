#include "manager/api/http_reply.hpp"

#include <array>
#include <charconv>
#include <ctime>

namespace drover::api {
namespace {

struct StatusText {
  int status;
  std::string_view phrase;
  std::string_view explanation;
};

// Phrases and explanations as the original sends them (they are those of Python 2's BaseHTTPServer).
constexpr std::array kStatusTexts = {
    StatusText{200, "OK", "Request fulfilled, document follows"},
    StatusText{400, "Bad Request", "Bad request syntax or unsupported method"},
    StatusText{404, "Not Found", "Nothing matches the given URI"},
    StatusText{405, "Method Not Allowed", "Specified method is invalid for this resource."},
    StatusText{408, "Request Timeout", "Request timed out; try again later."},
    StatusText{411, "Length Required", "Client must specify Content-Length."},
    StatusText{413, "Request Entity Too Large", "Entity is too large."},
    StatusText{414, "Request-URI Too Long", "URI is too long."},
    StatusText{415, "Unsupported Media Type", "Entity body in unsupported format."},
    StatusText{417, "Expectation Failed", "Expect condition could not be satisfied."},
    StatusText{431, "Request Header Fields Too Large", "The request's headers are too large."},
    StatusText{500, "Internal Server Error", "Server got itself in trouble"},
    StatusText{501, "Not Implemented", "Server does not support this operation"},
    StatusText{503, "Service Unavailable", "The server cannot process the request due to a high load"},
    StatusText{505, "HTTP Version Not Supported", "Cannot fulfill request."},
};

const StatusText& status_text(int status) {
  for (const StatusText& text : kStatusTexts)
    if (text.status == status) return text;
  return status_text(500);
}

void append_number(std::string& out, std::size_t value) {
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof(digits), value);
  static_cast<void>(error);
  out.append(digits, end);
}

// "Date: Sun, 22 Nov 2026 08:23:06 GMT\r\n", made anew once a second; names fixed, whatever the locale.
std::string_view date_line() {
  static constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  thread_local std::time_t made_at = -1;
  thread_local std::string line;
  const std::time_t now = std::time(nullptr);
  if (now == made_at) return line;
  made_at = now;
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[96];
  const int size = std::snprintf(text, sizeof(text), "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                                 kDays.at(static_cast<std::size_t>(parts.tm_wday)), parts.tm_mday,
                                 kMonths.at(static_cast<std::size_t>(parts.tm_mon)), parts.tm_year + 1900,
                                 parts.tm_hour, parts.tm_min, parts.tm_sec);
  line.assign(text, static_cast<std::size_t>(size));
  return line;
}

}  // namespace

std::string_view reason_phrase(int status) { return status_text(status).phrase; }

void append_reply(std::string& out, const Reply& reply) {
  if (reply.status == 200) {
    out += "HTTP/1.1 200 OK\r\n";
  } else {
    out += "HTTP/1.1 ";
    append_number(out, static_cast<std::size_t>(reply.status));
    out += ' ';
    out += reason_phrase(reply.status);
    out += "\r\n";
  }
  out += date_line();
  out += "Content-Type: ";
  out += reply.content_type;
  out += "\r\nContent-Length: ";
  append_number(out, reply.body.size());
  out += "\r\n";
  if (reply.close)
    out += "Connection: close\r\n";
  else if (reply.say_keep_alive)
    out += "Connection: keep-alive\r\n";
  out += reply.extra_headers;
  out += "\r\n";
  if (!reply.omit_body) out += reply.body;
}

std::string html_error(int status, std::string_view message) {
  const StatusText& text = status_text(status);
  const std::string code = std::to_string(status);
  std::string html =
      "<head>\n<title>Error response</title>\n</head>\n<body>\n<h1>Error response</h1>\n<p>Error code ";
  html += code;
  html += ".\n<p>Message: ";
  html += message.empty() ? text.phrase : message;
  html += ".\n<p>Error code explanation: ";
  html += code;
  html += " = ";
  html += text.explanation;
  html += ".\n</body>\n";
  return html;
}

}  // namespace drover::api
