// How fast one machine works and how its clock goes. Plain data, set by faults; the agent and the server of
// the machine ask it how long what they wait for takes in true time.
#pragma once

#include <algorithm>

#include "manager/base/time.hpp"

namespace drover::node {

struct Pace {
  double cpu = 1;            // how many times as long work takes
  double clock = 1;          // how fast the machine's clock goes: 2 is twice as fast
  TimePoint frozen_until{};  // until then its clock stands still
  Duration ahead{0};         // how far its clock is ahead of the true time
  Duration commit{0};        // how much longer a commit takes

  Duration work(Duration time) const { return cpu == 1 ? time : scaled(time, cpu); }
  // A time-out that begins now.
  Duration timeout(Duration time, TimePoint now) const {
    if (clock != 1) time = scaled(time, 1 / clock);
    return time + std::max(Duration{0}, frozen_until - now);
  }

  static Duration scaled(Duration time, double factor) {
    return Duration(static_cast<Duration::rep>(static_cast<double>(time.count()) * factor));
  }
};

}  // namespace drover::node
