#include "manager/base/time.hpp"

#include <array>
#include <cstdint>

#include "manager/base/hash.hpp"

namespace drover {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};
constexpr std::array<Unit, 7> kUnits{{{"d", 86'400'000'000'000},
                                      {"h", 3'600'000'000'000},
                                      {"m", 60'000'000'000},
                                      {"s", 1'000'000'000},
                                      {"ms", 1'000'000},
                                      {"us", 1'000},
                                      {"ns", 1}}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::int64_t total = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    std::int64_t whole = 0;
    std::size_t digits = 0;
    while (at < text.size() && is_digit(text[at])) {
      if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, text[at] - '0', &whole))
        return std::nullopt;
      ++at, ++digits;
    }
    std::int64_t fraction = 0, scale = 1;
    if (at < text.size() && text[at] == '.') {
      ++at;
      const std::size_t begin = at;
      while (at < text.size() && is_digit(text[at])) {
        if (scale < 1'000'000'000) fraction = fraction * 10 + (text[at] - '0'), scale *= 10;
        ++at, ++digits;
      }
      if (at == begin) return std::nullopt;
    }
    if (digits == 0) return std::nullopt;
    std::size_t end = at;
    while (end < text.size() && text[end] >= 'a' && text[end] <= 'z') ++end;
    const auto name = text.substr(at, end - at);
    const Unit* unit = nullptr;
    for (const auto& candidate : kUnits)
      if (candidate.name == name) unit = &candidate;
    if (unit == nullptr) return std::nullopt;
    at = end;
    std::int64_t part = 0;
    if (__builtin_mul_overflow(whole, unit->nanoseconds, &part)) return std::nullopt;
    const auto rest =
        static_cast<std::int64_t>(static_cast<Uint128>(fraction) * static_cast<Uint128>(unit->nanoseconds) /
                                  static_cast<Uint128>(scale));
    if (__builtin_add_overflow(total, part, &total) || __builtin_add_overflow(total, rest, &total))
      return std::nullopt;
  }
  return Duration(total);
}

std::string to_text(Duration value) {
  std::int64_t rest = value.count();
  if (rest == 0) return "0s";
  std::string text;
  if (rest < 0) {
    text = "-";
    rest = -rest;
  }
  for (const auto& unit : kUnits) {
    if (rest < unit.nanoseconds) continue;
    text += std::to_string(rest / unit.nanoseconds);
    text += unit.name;
    rest %= unit.nanoseconds;
  }
  return text;
}

}  // namespace drover
