#include "manager/system/digest.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "manager/base/check.hpp"

namespace drover {
namespace {

std::string digest(const EVP_MD* kind, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned length = 0;
  const int done = EVP_Digest(text.data(), text.size(), bytes.data(), &length, kind, nullptr);
  DROVER_CHECK(done == 1, "OpenSSL cannot compute a digest");
  return {bytes.begin(), bytes.begin() + length};
}

std::string hmac(const EVP_MD* kind, std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned length = 0;
  DROVER_CHECK(key.size() <= 1024 * 1024, "a key of this size is none");
  const std::string data(text);
  const unsigned char* result =
      HMAC(kind, key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(data.data()),  // NOLINT: bytes, as OpenSSL spells them
           data.size(), bytes.data(), &length);
  DROVER_CHECK(result != nullptr, "OpenSSL cannot compute an HMAC");
  return {bytes.begin(), bytes.begin() + length};
}

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

unsigned byte_at(std::string_view text, std::size_t at) {
  return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
}

}  // namespace

std::string sha256(std::string_view text) { return digest(EVP_sha256(), text); }
std::string sha1(std::string_view text) { return digest(EVP_sha1(), text); }
std::string hmac_sha256(std::string_view key, std::string_view text) { return hmac(EVP_sha256(), key, text); }
std::string hmac_sha1(std::string_view key, std::string_view text) { return hmac(EVP_sha1(), key, text); }

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += digits[byte >> 4U];
    text += digits[byte & 15U];
  }
  return text;
}

std::string base64_encode(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const unsigned word = byte_at(bytes, at) << 16U | byte_at(bytes, at + 1) << 8U | byte_at(bytes, at + 2);
    const std::size_t left = bytes.size() - at;
    text += kBase64[word >> 18U & 63U];
    text += kBase64[word >> 12U & 63U];
    text += left > 1 ? kBase64[word >> 6U & 63U] : '=';
    text += left > 2 ? kBase64[word & 63U] : '=';
  }
  return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 3);
  unsigned word = 0, digits = 0, padding = 0;
  for (const char c : text) {
    if (c == '\r' || c == '\n' || c == ' ' || c == '\t') continue;
    if (c == '=') {
      if (++padding > 2) return std::nullopt;
      continue;
    }
    const auto digit = kBase64.find(c);
    if (digit == std::string_view::npos || padding != 0) return std::nullopt;
    word = (word << 6U | static_cast<unsigned>(digit)) & 0xffffffU;
    if (++digits % 4 == 0)
      for (const unsigned shift : {16U, 8U, 0U}) bytes += static_cast<char>(word >> shift & 255U);
  }
  const unsigned rest = digits % 4;
  if (rest == 1 || (padding != 0 && rest + padding != 4)) return std::nullopt;
  if (rest >= 2) bytes += static_cast<char>(word >> (rest == 2 ? 4U : 10U) & 255U);
  if (rest == 3) bytes += static_cast<char>(word >> 2U & 255U);
  return bytes;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace drover
