// The one source of random decisions. A decision is keyed by (seed, entity, site, occurrence): what other
// entities and sites draw never moves it, so deleting one fault or one step leaves every other decision as it
// was. Single-threaded; owned by the world, passed by reference.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "manager/base/hash.hpp"

namespace drover {

class Choices {
 public:
  explicit Choices(std::uint64_t seed) : seed_(seed) {}
  virtual ~Choices() = default;

  std::uint64_t seed() const { return seed_; }

  // The next raw 64-bit decision of `entity` ("node-3", "client-1") at `site` ("boot_delay").
  std::uint64_t draw(std::string_view entity, std::string_view site) {
    return draw_key(mix(hash_text(entity), hash_text(site)));
  }
  std::uint64_t draw_key(std::uint64_t key) { return decide(key, occurrences_[key]++); }

  // Uniform in [0, 1), with 53 bits.
  double unit(std::string_view entity, std::string_view site) { return to_unit(draw(entity, site)); }
  // Uniform integer in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound, std::string_view entity, std::string_view site) {
    return static_cast<std::uint64_t>(static_cast<Uint128>(draw(entity, site)) * bound >> 64U);
  }
  bool chance(double probability, std::string_view entity, std::string_view site) {
    return unit(entity, site) < probability;
  }

  static double to_unit(std::uint64_t raw) { return static_cast<double>(raw >> 11U) * 0x1.0p-53; }

 protected:
  // Overridden where decisions come from elsewhere (a fuzzer's bytes, a recorded plan).
  virtual std::uint64_t decide(std::uint64_t key, std::uint64_t occurrence) {
    // A product alone leaves neighbouring occurrences correlated: finish as splitmix64 does.
    std::uint64_t raw = mix(mix(seed_, key), occurrence);
    raw = (raw ^ (raw >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    raw = (raw ^ (raw >> 27U)) * 0x94d049bb133111ebULL;
    return raw ^ (raw >> 31U);
  }

 private:
  std::uint64_t seed_;
  std::unordered_map<std::uint64_t, std::uint32_t> occurrences_;  // looked up, never iterated
};

}  // namespace drover
