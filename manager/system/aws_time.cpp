#include <array>
#include <charconv>

#include "manager/system/aws_signature.hpp"

namespace drover::aws {
namespace {

namespace chrono = std::chrono;

struct Civil {
  chrono::year_month_day day;
  chrono::hh_mm_ss<chrono::seconds> time;
};

Civil civil(TimePoint at) {
  const auto seconds = chrono::floor<chrono::seconds>(at.time_since_epoch());
  const auto days = chrono::floor<chrono::days>(seconds);
  return {chrono::year_month_day(chrono::sys_days(days)), chrono::hh_mm_ss<chrono::seconds>(seconds - days)};
}

void put(std::string& text, long number, std::size_t digits) {
  const std::string plain = std::to_string(number);
  text.append(digits - std::min(digits, plain.size()), '0').append(plain);
}

// Takes `digits` digits from the front of the text.
std::optional<int> take(std::string_view& text, std::size_t digits) {
  int number = 0;
  if (text.size() < digits || text.front() < '0' || text.front() > '9') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
  if (error != std::errc() || end != text.data() + digits) return std::nullopt;
  text.remove_prefix(digits);
  return number;
}

bool take(std::string_view& text, char letter) {
  if (!text.starts_with(letter)) return false;
  text.remove_prefix(1);
  return true;
}

// Year to second, with the separators that the form has; what follows stays in `text`.
std::optional<TimePoint> take_time(std::string_view& text, bool separated) {
  std::array<int, 6> parts{};
  constexpr std::array<std::size_t, 6> digits{4, 2, 2, 2, 2, 2};
  constexpr std::string_view separators = "--T::";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0 && (separated || i == 3) && !take(text, separators[i - 1])) return std::nullopt;
    const auto part = take(text, digits[i]);
    if (!part) return std::nullopt;
    parts[i] = *part;
  }
  const chrono::year_month_day day{chrono::year{parts[0]}, chrono::month{static_cast<unsigned>(parts[1])},
                                   chrono::day{static_cast<unsigned>(parts[2])}};
  if (!day.ok() || parts[0] < 1900 || parts[0] > 2200) return std::nullopt;
  if (parts[3] > 23 || parts[4] > 59 || parts[5] > 60) return std::nullopt;
  const auto since = chrono::sys_days(day).time_since_epoch() + chrono::hours(parts[3]) +
                     chrono::minutes(parts[4]) + chrono::seconds(parts[5]);
  return TimePoint(Duration(since));
}

}  // namespace

std::string to_amz_date(TimePoint at) {
  const Civil now = civil(at);
  std::string text;
  put(text, static_cast<int>(now.day.year()), 4);
  put(text, static_cast<unsigned>(now.day.month()), 2);
  put(text, static_cast<unsigned>(now.day.day()), 2);
  text += 'T';
  put(text, now.time.hours().count(), 2);
  put(text, now.time.minutes().count(), 2);
  put(text, now.time.seconds().count(), 2);
  return text + 'Z';
}

std::optional<TimePoint> parse_amz_date(std::string_view text) {
  const auto at = take_time(text, false);
  if (!at || text != "Z") return std::nullopt;
  return at;
}

std::optional<TimePoint> parse_iso8601(std::string_view text) {
  const auto at = take_time(text, true);
  if (!at) return std::nullopt;
  Duration fraction{0};
  if (take(text, '.')) {
    Duration digit = chrono::milliseconds(100);
    if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      fraction += digit * (text.front() - '0');
      digit /= 10;
      text.remove_prefix(1);
    }
  }
  take(text, 'Z');
  if (!text.empty()) return std::nullopt;
  return *at + fraction;
}

}  // namespace drover::aws
