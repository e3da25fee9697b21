// JSON as OpenStack's services read and write it. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace drover::wire::openstack {

using Json = nlohmann::ordered_json;  // the order in which clients see the real services' fields

// Nothing for text that is no JSON, or nests deeper than 32: no later step recurses further than that.
std::optional<Json> parse_json(std::string_view text);

// Compact; what is no UTF-8 becomes the replacement character.
std::string to_text(const Json& json);

// The member of an object, or null: also when `json` is no object or the member is JSON's null.
const Json* member(const Json& json, const char* name);
// The member as text; nothing when it is missing or no string.
std::optional<std::string> text_member(const Json& json, const char* name);
// The member as a number from `least` to `most`, also when it is written as a string of digits.
std::optional<std::uint64_t> number_member(const Json& json, const char* name, std::uint64_t least,
                                           std::uint64_t most);

// A value as it is quoted in messages: like Python prints it, cut after 200 bytes.
std::string quoted(const Json& json);

}  // namespace drover::wire::openstack
