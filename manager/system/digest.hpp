// Hashes and text forms of bytes that protocols ask for (signatures, tokens, user data). Pure, over OpenSSL.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace drover {

// The digests, as bytes: 32 of SHA-256, 20 of SHA-1.
std::string sha256(std::string_view text);
std::string sha1(std::string_view text);
std::string hmac_sha256(std::string_view key, std::string_view text);
std::string hmac_sha1(std::string_view key, std::string_view text);

// Lower case, two digits a byte.
std::string to_hex(std::string_view bytes);

// RFC 4648, with padding, without line breaks.
std::string base64_encode(std::string_view bytes);
// Line breaks and spaces are skipped, the padding may be missing; nothing for anything else that is not
// base64.
std::optional<std::string> base64_decode(std::string_view text);

// Takes as long for texts of one length, whatever is in them: for secrets and signatures.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace drover
