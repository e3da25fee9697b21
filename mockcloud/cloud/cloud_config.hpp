// How a mock cloud behaves: latencies, limits, catalogue. A plain value that scenario files fill in; it holds
// no faults (those are Cloud's controls, driven by mockcloud/fault).
#pragma once

#include <string>
#include <vector>

#include "manager/base/distribution.hpp"
#include "manager/base/result.hpp"

namespace drover::cloud {

// One token bucket for all calls of the account. A rate of 0 turns it off.
struct ThrottleConfig {
  double rate_per_second = 0;
  unsigned burst = 10;
  Duration retry_after{0};  // told to the caller; 0: the time until the next call is allowed
  friend bool operator==(const ThrottleConfig&, const ThrottleConfig&) = default;
};

struct CloudConfig {
  // Every draw is keyed by the instance's name (calls: by the caller's subject).
  Distribution boot = Distribution::lognormal(40s, 2min);
  Distribution address_delay;  // from creation to the address; "" is listed before
  Distribution list_lag;       // a listing shows the world as it was this long ago
  Distribution call_latency = Distribution::uniform(20ms, 120ms);
  Distribution stop = Distribution::constant(10s);
  Distribution reboot = Distribution::constant(20s);
  Distribution terminate = Distribution::constant(15s);

  unsigned quota_instances = 0;  // of the account; 0: unlimited
  // How long an instance still counts against the quota after it was terminated; 0: only until its deletion
  // starts.
  Duration quota_keeps_terminated{0};
  unsigned quota_volumes = 0;    // 0: unlimited
  unsigned quota_gigabytes = 0;  // over all volumes; 0: unlimited
  unsigned capacity = 0;         // live instances that the provider has room for; 0: unlimited
  Duration terminated_listed{1h};
  ThrottleConfig throttle;

  bool strict = true;  // refuse images, sizes and networks that are not listed here
  std::vector<std::string> images{"debian-12-drover"};
  std::vector<std::string> sizes{"small"};
  std::vector<std::string> networks{"default"};
  std::vector<std::string> zones{"a", "b", "c"};  // an instance's zone follows from a hash of its name
  std::string address_prefix = "10.0.";           // one to three octets, each followed by a dot

  friend bool operator==(const CloudConfig&, const CloudConfig&) = default;
};

// ErrorCode::invalid, naming the field, for a configuration that no cloud can have.
Result<void> check_config(const CloudConfig& config);

}  // namespace drover::cloud
