// A blocking client of the manager's API, one call a connection. Used by `drover call`. Any thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace drover::tools {

struct ApiAddress {
  std::string host;
  std::string port = "50000";
};
// "http://HOST[:PORT][/]", also without "http://" and with "[::1]"; nothing for anything else.
std::optional<ApiAddress> parse_api_url(const std::string& url);

struct ApiFile {
  std::string field;
  std::string path;
};
struct ApiCall {
  std::string verb;  // GET, POST or UPLOAD
  std::string method;
  nlohmann::json params = nlohmann::json::object();
  std::vector<ApiFile> files;
};

// The verb that the API knows a method under. An unknown one is UPLOAD with files, GET when its name begins
// with get or list, else POST.
std::string verb_of_method(const std::string& method, bool has_files);

struct ApiOutcome {
  enum class Kind : unsigned char {
    result,       // `result`
    refused,      // the API's error in `text`, its data in `result`
    bad_file,     // a file to upload cannot be read
    unreachable,  // no connection, or no answer that is one of this API
  };
  Kind kind = Kind::result;
  std::string text;  // what happened and what to do
  nlohmann::json result;
};
ApiOutcome call_api(const ApiAddress& address, const ApiCall& call);

}  // namespace drover::tools
