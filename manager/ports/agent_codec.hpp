// The Agent port's commands, replies and errors as JSON: what travels between HttpAgent (manager/adapters)
// and the agent of a node (manager/agent). Pure. Durations are nanoseconds in keys that end in _ns; secrets
// are encoded in clear, so an encoded command must never be logged.
//
// LoadDump's path and the text of a dump are not part of the JSON: dumps travel as the rest of the HTTP body.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "manager/base/result.hpp"
#include "manager/ports/agent.hpp"

namespace drover {

// The command's fields; its name is agent_method(command).
nlohmann::json encode_command(const AgentCommand& command);
// Errors: not_found (no such method), invalid (a missing field or one of another type; named).
Result<AgentCommand> decode_command(std::string_view method, const nlohmann::json& fields);

// {"state": {...}, "users": [...]}; without the dump.
nlohmann::json encode_reply(const AgentReply& reply);
// Errors: protocol.
Result<AgentReply> decode_reply(const nlohmann::json& reply);

// {"error": {"code", "effect", "retry", "retry_after_ns", "message"}}
nlohmann::json encode_error(const Error& error);
// Anything that is no encoded error: ErrorCode::protocol with Effect::possible.
Error decode_error(const nlohmann::json& reply);

}  // namespace drover
