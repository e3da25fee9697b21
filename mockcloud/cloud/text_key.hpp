// Stands for a text as the key of a large table: 16 bytes, whatever its length. Two texts share a key with a
// probability of 2^-128.
#pragma once

#include <cstdint>
#include <string_view>

#include "manager/base/choices.hpp"

namespace drover::cloud {

class TextKey {
 public:
  explicit TextKey(std::string_view text) : high_(hash_text(text)), low_(hash_text(text, high_)) {}
  friend bool operator==(const TextKey&, const TextKey&) = default;

  struct Hash {
    using is_avalanching = void;
    std::size_t operator()(const TextKey& key) const { return key.low_; }
  };

 private:
  std::uint64_t high_;
  std::uint64_t low_;
};

}  // namespace drover::cloud
