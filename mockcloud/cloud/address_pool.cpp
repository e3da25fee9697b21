#include "mockcloud/cloud/address_pool.hpp"

#include <algorithm>
#include <charconv>

#include "manager/base/check.hpp"

namespace drover::cloud {
namespace {

constexpr std::uint32_t kLastOctets = 254;  // .1 to .254

// Reads one decimal octet without leading zeros off the front of `text`.
std::optional<unsigned> take_octet(std::string_view& text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto length = static_cast<std::size_t>(end - text.data());
  if (error != std::errc{} || value > 255 || (length > 1 && text.front() == '0')) return std::nullopt;
  text.remove_prefix(length);
  return value;
}

}  // namespace

AddressPool::AddressPool(std::string prefix, std::uint32_t next) : prefix_(std::move(prefix)), next_(next) {
  DROVER_CHECK(is_prefix(prefix_), "address prefix must be one to three octets, each followed by a dot");
  free_octets_ = 4U - static_cast<unsigned>(std::count(prefix_.begin(), prefix_.end(), '.'));
  size_ = kLastOctets;
  for (unsigned octet = 1; octet < free_octets_; ++octet) size_ *= 256;
  next_ %= size_;
}

bool AddressPool::is_prefix(std::string_view text) {
  unsigned octets = 0;
  while (!text.empty()) {
    if (!take_octet(text) || text.empty() || text.front() != '.') return false;
    text.remove_prefix(1);
    ++octets;
  }
  return octets >= 1 && octets <= 3;
}

std::optional<std::string> AddressPool::take() {
  if (full()) return std::nullopt;
  while (next_ < users_.size() && users_[next_] > 0) next_ = (next_ + 1) % size_;
  std::string address = text_of(next_);
  next_ = (next_ + 1) % size_;
  add_user(address);
  return address;
}

void AddressPool::add_user(std::string_view address) {
  const auto number = number_of(address);
  if (!number) return;
  if (users_.size() <= *number) users_.resize(*number + 1);
  if (users_[*number]++ == 0) ++in_use_;
}

void AddressPool::drop_user(std::string_view address) {
  const auto number = number_of(address);
  if (!number || *number >= users_.size() || users_[*number] == 0) return;
  if (--users_[*number] == 0) --in_use_;
}

bool AddressPool::is_used(std::string_view address) const {
  const auto number = number_of(address);
  return number && *number < users_.size() && users_[*number] > 0;
}

std::optional<std::uint32_t> AddressPool::number_of(std::string_view address) const {
  if (!address.starts_with(prefix_)) return std::nullopt;
  address.remove_prefix(prefix_.size());
  std::uint32_t number = 0;
  for (unsigned octet = 0; octet < free_octets_; ++octet) {
    if (octet > 0) {
      if (address.empty() || address.front() != '.') return std::nullopt;
      address.remove_prefix(1);
    }
    const auto value = take_octet(address);
    if (!value) return std::nullopt;
    if (octet + 1 < free_octets_) {
      number = number * 256 + *value;
    } else {
      if (*value < 1 || *value > kLastOctets) return std::nullopt;
      number = number * kLastOctets + *value - 1;
    }
  }
  return address.empty() ? std::optional(number) : std::nullopt;
}

std::string AddressPool::text_of(std::uint32_t number) const {
  std::string text = prefix_;
  std::uint32_t rest = number / kLastOctets;
  if (free_octets_ == 3) {
    text += std::to_string(rest / 256) + '.';
    rest %= 256;
  }
  if (free_octets_ >= 2) text += std::to_string(rest) + '.';
  return text + std::to_string(number % kLastOctets + 1);
}

}  // namespace drover::cloud
