// Time as the manager and the simulation see it: nanoseconds on a steady axis that starts at 0 with the
// world. std::chrono inside; text such as "35s" only at the JSON, YAML and SQL edges (parse_duration,
// to_text).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace drover {

using Duration = std::chrono::nanoseconds;

// Tag of the steady axis; never read directly: ask the Clock port or the Scheduler for now().
struct SteadyAxis {
  using duration = Duration;
  using rep = Duration::rep;
  using period = Duration::period;
  using time_point = std::chrono::time_point<SteadyAxis, Duration>;
  static constexpr bool is_steady = true;
};
using TimePoint = SteadyAxis::time_point;

inline constexpr TimePoint kEpoch{};
inline constexpr TimePoint kNever = TimePoint::max();

using namespace std::chrono_literals;

// Parses "250ms", "35s", "1.5h", "2m30s". Units: ns, us, ms, s, m, h, d; a unit is required, also for "0s".
// Returns nothing for anything else, for a negative value, and above 292 years.
std::optional<Duration> parse_duration(std::string_view text);

// The shortest text that parse_duration reads back to exactly this value: "90s" is "1m30s".
std::string to_text(Duration value);

inline double to_seconds(Duration value) { return static_cast<double>(value.count()) / 1e9; }
inline double to_seconds(TimePoint at) { return to_seconds(at.time_since_epoch()); }
inline Duration from_seconds(double seconds) { return Duration(static_cast<Duration::rep>(seconds * 1e9)); }

}  // namespace drover
