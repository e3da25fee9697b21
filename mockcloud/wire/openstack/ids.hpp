// The ids that OpenStack's clients see, made from what the mock cloud has: stable over restarts, and read
// back without a table. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace drover::wire::openstack {

// A UUID for the `number`th thing of a kind ("server", "volume"). One to one: every number has its own.
std::string numbered_uuid(std::string_view kind, std::uint32_t number);
// The number of such a UUID, in any case of letters; 0 for every other text.
std::uint32_t number_of_uuid(std::string_view kind, std::string_view uuid);

// A UUID for a name ("image", "debian-12"); and its 32 digits without dashes, as Keystone writes ids.
std::string named_uuid(std::string_view kind, std::string_view name);
std::string named_hex(std::string_view kind, std::string_view name);

// 8-4-4-4-12 hexadecimal digits.
bool is_uuid(std::string_view text);
// 32 hexadecimal digits as a UUID.
std::string with_dashes(std::string_view hex);

// "fa:16:3e:…", from an id.
std::string mac_of(std::string_view id);

}  // namespace drover::wire::openstack
