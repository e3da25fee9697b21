// Regular expressions of Nova's name and address filters, which the real one hands to its database. Runs in
// time proportional to pattern times text, whatever the pattern. Pure.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace drover::wire::openstack {

// Knows literals, '.', '^', '$', '*', '+', '?', '[…]', '(…)', '|' and '\'; matches without regard to case,
// as MySQL's default collation does.
class NamePattern {
 public:
  // Nothing for a pattern that is broken, or longer than 1024 bytes.
  static std::optional<NamePattern> parse(std::string_view pattern);
  // Whether it matches anywhere in `text`.
  bool found_in(std::string_view text) const;

 private:
  class Parser;
  struct State {
    enum class Kind : unsigned char { bytes, split, begin, end, match } kind = Kind::match;
    std::uint32_t next = 0;
    std::uint32_t other = 0;  // the second way of a split
    std::bitset<256> bytes;
  };
  void follow(std::uint32_t state, std::size_t at, std::size_t size, std::vector<bool>& known,
              std::vector<std::uint32_t>& reached) const;

  std::vector<State> states_;
  std::uint32_t start_ = 0;
};

}  // namespace drover::wire::openstack
