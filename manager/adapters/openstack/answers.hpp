// What OpenStack's services answer, as values: errors in all their forms, servers, times. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "manager/base/result.hpp"
#include "manager/ports/iaas.hpp"
#include "manager/system/http_message.hpp"

namespace drover::openstack {

using Json = nlohmann::json;

inline constexpr const char* kTokenKey = "drover-token";  // in the metadata of servers and volumes
inline constexpr const char* kSpecKey = "drover-spec";

// Nothing for what is no JSON or nests deeper than 64.
std::optional<Json> parse_json(std::string_view text);
// A member as text; "" when it is missing or something else.
std::string text_of(const Json& json, const char* name);
// A member, or JSON's null.
const Json& at(const Json& json, const char* name);

// The body as JSON with the member `name`. Errors: protocol, with `effect`.
Result<Json> read_answer(const http::Response& response, const char* name, std::string_view what,
                         Effect effect);

// An answer with a status that is no success, as an error of the port. `what` names the call; `changes`:
// whether it may have had an effect.
Error error_of(const http::Response& response, std::string_view what, bool changes);
// The text in an error's body, whatever service wrote it; shortened.
std::string message_of(const std::string& body);

// "2026-11-22T09:44:14Z", with or without a fraction; nothing for anything else.
std::optional<TimePoint> parse_time(std::string_view text);

bool is_uuid(std::string_view text);
// For a URL's path or query: "name" must be matched as it is by a regular expression.
std::string as_exact_pattern(std::string_view name);

// What the caller is told of Nova's three words for a server's state.
InstanceState state_of(std::string_view status, std::string_view task_state, std::string_view vm_state);

// A server of Nova's as far as it can be read without asking further.
struct ServerAnswer {
  InstanceInfo info;  // image and size are still ids, or names where Nova tells them
  std::string image_id;
  std::string flavor_id;    // until 2.46
  std::string flavor_name;  // from 2.47 on
  std::string token;
  std::string spec;
  std::optional<TimePoint> created;  // in the server's time
};
// Errors: protocol.
Result<ServerAnswer> read_server(const Json& server, bool floating_address);

// A digest of what newInstance was asked for, as text.
std::string digest_of(const InstanceSpec& spec);

// Metadata as tags, without drover's own two.
Tags tags_of(const Json& metadata);

}  // namespace drover::openstack
