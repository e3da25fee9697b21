// The text of HTTP answers. Beast's serialiser costs more than all the rest of a small request, so answers
// are put together as strings. Single-threaded (the Date header is cached).
#pragma once

#include <string>
#include <string_view>

namespace drover::api {

struct Reply {
  int status = 200;
  std::string_view content_type = "application/json";
  std::string_view body;
  std::string_view extra_headers;  // complete lines, each with CRLF
  bool omit_body = false;          // HEAD: the headers alone
  bool close = false;              // this is the last answer of the connection
  bool say_keep_alive = false;     // HTTP/1.0 with keep-alive must be told
};

void append_reply(std::string& out, const Reply& reply);

// The HTML that the original's HTTP layer answers a refused request with. `message` replaces the standard
// phrase when not empty; both must be free of markup.
std::string html_error(int status, std::string_view message = {});

// "Not Found" for 404.
std::string_view reason_phrase(int status);

}  // namespace drover::api
