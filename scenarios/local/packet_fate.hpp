// What becomes of a packet between two parties, by the rules that disturb their links. Pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "mockcloud/sim/network.hpp"

namespace drover::scenario {

struct Fate {
  enum class Kind : unsigned char {
    arrives,  // after `late`
    lost,
    held,  // until the rules change
  };
  Kind kind = Kind::arrives;
  Duration late{0};
};

// A sequence of numbers in [0, 1), of one seed.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : seed_(seed) {}
  double next();

 private:
  std::uint64_t seed_;
  std::uint64_t count_ = 0;
};

// Rules add up; a cut beats all. What `from` sends to `to`; a rule that cannot be made of packets
// (Effect::duplicate: a stream carries nothing twice) changes nothing.
Fate fate_of(const std::vector<sim::LinkRule>& rules, std::string_view from, std::string_view to,
             Draws& draws);
// Whether anything of it arrives, some time.
bool reaches(const std::vector<sim::LinkRule>& rules, std::string_view from, std::string_view to);

}  // namespace drover::scenario
