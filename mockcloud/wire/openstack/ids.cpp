#include "mockcloud/wire/openstack/ids.hpp"

#include "manager/base/hash.hpp"

namespace drover::wire::openstack {
namespace {

// An odd factor has an inverse modulo 2^32, which makes the first eight digits one to one.
constexpr std::uint32_t kFactor = 0x9E3779B1U;

constexpr std::uint32_t inverse_of(std::uint32_t odd) {
  std::uint32_t inverse = odd;
  for (int i = 0; i < 5; ++i) inverse *= 2U - odd * inverse;
  return inverse;
}
static_assert(kFactor * inverse_of(kFactor) == 1U);

std::string hex(std::uint64_t value, std::size_t digits) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text(digits, '0');
  for (std::size_t i = digits; i > 0; --i, value >>= 4U) text[i - 1] = kDigits[value & 15U];
  return text;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_digit(char c) { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'f'); }

// Version 4 of the common variant, as Nova's own.
std::string as_version_4(std::string digits) {
  digits[12] = '4';
  constexpr const char* kVariant = "89ab";
  digits[16] = kVariant[static_cast<unsigned char>(digits[16]) & 3U];
  return digits;
}

}  // namespace

std::string with_dashes(std::string_view hex) {
  std::string text(hex.substr(0, 32));
  text.resize(32, '0');
  for (const std::size_t at : {8U, 13U, 18U, 23U}) text.insert(at, 1, '-');
  return text;
}

std::string numbered_uuid(std::string_view kind, std::uint32_t number) {
  const std::uint64_t salt = hash_text(kind);
  const std::uint32_t first = (number * kFactor) ^ static_cast<std::uint32_t>(salt);
  const std::uint64_t a = mix(salt, number), b = mix(a, 1);
  return with_dashes(as_version_4(hex(first, 8) + hex(a, 12) + hex(b, 12)));
}

std::uint32_t number_of_uuid(std::string_view kind, std::string_view uuid) {
  if (!is_uuid(uuid)) return 0;
  std::string text(uuid);
  for (char& c : text) c = lower(c);
  std::uint32_t first = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    const char c = text[i];
    first = first << 4U | static_cast<std::uint32_t>(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  const auto number = (first ^ static_cast<std::uint32_t>(hash_text(kind))) * inverse_of(kFactor);
  return number != 0 && numbered_uuid(kind, number) == text ? number : 0;
}

std::string named_hex(std::string_view kind, std::string_view name) {
  const std::uint64_t a = hash_text(name, hash_text(kind)), b = hash_text(name, mix(a, 1));
  return as_version_4(hex(a, 16) + hex(b, 16));
}

std::string named_uuid(std::string_view kind, std::string_view name) {
  return with_dashes(named_hex(kind, name));
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_digit(text[i])) return false;
  }
  return true;
}

std::string mac_of(std::string_view id) {
  const std::string digits = hex(hash_text(id), 6);
  return "fa:16:3e:" + digits.substr(0, 2) + ":" + digits.substr(2, 2) + ":" + digits.substr(4, 2);
}

}  // namespace drover::wire::openstack
