// Moments as ISO 8601 has them, in UTC. Pure: time is nanoseconds since 1970 on the axis of TimePoint.
#pragma once

#include <string>

#include "manager/base/time.hpp"

namespace drover {

// "2026-11-26T16:00:48Z", or "2026-11-26T16:00:48.000Z".
std::string to_iso8601(TimePoint at, bool milliseconds = false);

}  // namespace drover
