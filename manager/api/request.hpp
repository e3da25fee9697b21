// One call of the API, free of its transport: the HTTP server makes it from the wire, the scenario runner
// from a step.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace drover::api {

enum class Verb : unsigned char { get, post, upload };

// A file that came with an UPLOAD, already on disk; removed by its owner, the HTTP server, after the answer.
struct UploadedFile {
  std::string field;
  std::string path;
  std::uint64_t bytes = 0;
};

struct Request {
  Verb verb = Verb::get;
  std::string method;
  nlohmann::json params = nlohmann::json::object();  // may be of any JSON type: the dispatcher checks it
  std::vector<std::string> order;  // keys of params as the client wrote them; may be empty or lack some
  std::vector<UploadedFile> files;
};

// The codes of the documented ManagerException.
enum class Code : int {
  E_ARGS_UNEXPECTED = 0,
  E_CONFIG_READ_FAILED = 1,
  E_CONFIG_NOT_EXIST = 2,
  E_UNKNOWN = 3,
  E_ARGS_MISSING = 4,
  E_ARGS_INVALID = 5,
  E_STATE_ERROR = 6,
};

struct Response {
  bool method_found = true;  // false: HTTP 404 "method not found"
  bool failed = false;
  nlohmann::json result = nlohmann::json::object();  // when not failed
  std::string error;                                 // the documented text, when failed
  Code code = Code::E_UNKNOWN;
  nlohmann::json data = nlohmann::json::object();  // machine-readable details beside the error
};

using Respond = std::move_only_function<void(Response)>;

// What the HTTP server and the scenario runner call. Answers every request exactly once, now or later, unless
// the service behind it goes away first.
using HandleRequest = std::function<void(Request, Respond)>;

}  // namespace drover::api
