// One mixing function for digests, seeded choices and sharding: fixed for ever, equal on every machine and
// compiler (std::hash is neither). Not for hostile keys.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace drover {

__extension__ typedef unsigned __int128 Uint128;

// Folds two words into one by a 64 x 64 -> 128 bit product.
constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<Uint128>(a ^ 0x9e3779b97f4a7c15ULL) * (b ^ 0xe7037ed1a0b428dbULL);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

// Hash of a text, byte order independent.
constexpr std::uint64_t hash_text(std::string_view text, std::uint64_t seed = 0) {
  std::uint64_t state = mix(seed, text.size() + 0x2d358dccaa6c78a5ULL);
  std::uint64_t word = 0;
  unsigned filled = 0;
  for (const char c : text) {
    word |= static_cast<std::uint64_t>(static_cast<unsigned char>(c)) << (8U * filled);
    if (++filled == 8) {
      state = mix(state, word);
      word = 0;
      filled = 0;
    }
  }
  return filled == 0 ? state : mix(state, word ^ 0x8bb84b93962eacc9ULL);
}

}  // namespace drover
