// The JSON-RPC wire without a socket: from a request's target, media type and body to a call, and from a
// call's Response to the envelope's text. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "manager/api/request.hpp"

namespace drover::api {

struct Target {
  std::string_view path;   // without query, fragment and path parameters; "" when there is none
  std::string_view query;  // without "?"
};
// Splits a request target: "/?a=b", "/;p?a=b", or an absolute URI. Views into `target`.
Target split_target(std::string_view target);

enum class Media : unsigned char { json, multipart, other };
struct ContentType {
  Media media = Media::other;
  std::string boundary;  // of multipart; empty when the parameter is missing or longer than RFC 2046 allows
};
// Letter case and parameters such as "; charset=utf-8" do not matter; a charset other than UTF-8 is `other`.
ContentType parse_content_type(std::string_view value);

// What a request turned out to ask for.
struct Call {
  enum class Kind : unsigned char {
    call,            // `request` is complete
    no_method,       // HTTP 400 "Did not specify method"
    unknown_method,  // HTTP 404 "method not found"
    failure,         // an envelope with `failure`
  };
  Kind kind = Kind::call;
  std::string id = "null";  // JSON text of the id, exactly as the client wrote it
  Request request;
  Response failure;
};

struct CallRules {
  std::size_t depth_max = 64;
  // May be empty: then a missing id is told before an unknown method.
  const std::function<bool(Verb, std::string_view)>* knows_method = nullptr;
};

// GET: "method=M&id=I&params=JSON", "&" or ";" between, the last of repeated keys wins, blank values are
// dropped.
Call read_query(std::string_view query, const CallRules& rules);
// POST: a JSON object with method, params and id; a byte order mark is skipped; the last of repeated keys
// wins.
Call read_body(std::string_view body, const CallRules& rules);
// UPLOAD: the fields are the params, "method" names the method, the id is 1.
Call read_fields(nlohmann::json fields, std::vector<UploadedFile> files, const CallRules& rules);

Response make_failure(Code code, std::string text);

// Appends {"id": I, "result": R, "error": null} or {"id": I, "error": "text", "code": N, "data": {...}}.
// Texts are escaped to ASCII; what is not UTF-8 in them becomes U+FFFD.
void append_envelope(std::string& out, std::string_view id, const Response& response);

// Percent-decoding of a query's key or value; "+" is a space, a malformed escape stays as it is.
std::string decode_query_text(std::string_view text);
bool is_utf8(std::string_view text);
// Compares ASCII letters without their case.
bool equal_ignoring_case(std::string_view a, std::string_view b);
std::string_view trim(std::string_view text);

}  // namespace drover::api
