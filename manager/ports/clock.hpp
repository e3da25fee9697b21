// The Clock port: the only source of time for manager code.
#pragma once

#include <chrono>

#include "manager/base/time.hpp"

namespace drover {

class Clock {
 public:
  virtual ~Clock() = default;
  // Steady, starts near 0; deadlines and durations are made from this alone.
  virtual TimePoint now() const = 0;
  // For people's eyes only (history, logs); may jump, is never compared.
  virtual std::chrono::system_clock::time_point wall_now() const = 0;
};

}  // namespace drover
