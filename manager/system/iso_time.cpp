#include "manager/system/iso_time.hpp"

#include <chrono>

namespace drover {

std::string to_iso8601(TimePoint at, bool milliseconds) {
  const auto since = at.time_since_epoch();
  const auto days = std::chrono::floor<std::chrono::days>(since);
  const std::chrono::year_month_day date{std::chrono::sys_days(days)};
  const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::milliseconds>(since - days)};
  std::string text;
  const auto add = [&](long value, std::size_t width, const char* before) {
    const std::string digits = std::to_string(value);
    text += before;
    text.append(digits.size() < width ? width - digits.size() : 0, '0');
    text += digits;
  };
  add(static_cast<int>(date.year()), 4, "");
  add(static_cast<long>(static_cast<unsigned>(date.month())), 2, "-");
  add(static_cast<long>(static_cast<unsigned>(date.day())), 2, "-");
  add(clock.hours().count(), 2, "T");
  add(clock.minutes().count(), 2, ":");
  add(clock.seconds().count(), 2, ":");
  if (milliseconds) add(clock.subseconds().count(), 3, ".");
  return text + "Z";
}

}  // namespace drover
