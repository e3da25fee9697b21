// Hands out the addresses below a prefix, each once before any is used again. Knows addresses by number;
// those set by hand outside the prefix are not its business. Single-threaded, deterministic.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drover::cloud {

class AddressPool {
 public:
  // `prefix` must satisfy is_prefix(); `next` is what next() of an earlier pool gave.
  explicit AddressPool(std::string prefix, std::uint32_t next = 0);

  static bool is_prefix(std::string_view text);

  // The next address that nobody uses, marked as used; nothing when all are in use.
  std::optional<std::string> take();
  // Marks one more user of an address, or one less.
  void add_user(std::string_view address);
  void drop_user(std::string_view address);
  bool is_used(std::string_view address) const;
  bool full() const { return in_use_ >= size_; }
  std::uint32_t next() const { return next_; }

 private:
  std::optional<std::uint32_t> number_of(std::string_view address) const;
  std::string text_of(std::uint32_t number) const;

  std::string prefix_;
  unsigned free_octets_;
  std::uint32_t size_;
  std::uint32_t next_;
  std::uint32_t in_use_ = 0;
  std::vector<std::uint32_t> users_;  // by number; grows with use
};

}  // namespace drover::cloud
