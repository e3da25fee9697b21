#include "mockcloud/cloud/cloud_config.hpp"

#include <cmath>

#include "mockcloud/cloud/address_pool.hpp"

namespace drover::cloud {

Result<void> check_config(const CloudConfig& config) {
  if (!AddressPool::is_prefix(config.address_prefix))
    return make_error(ErrorCode::invalid,
                      "cloud: address_prefix \"" + config.address_prefix +
                          "\" is not one to three octets, each followed by a dot, such as "
                          "\"10.0.\"");
  if (config.zones.empty())
    return make_error(ErrorCode::invalid, "cloud: zones is empty; name at least one zone");
  const double rate = config.throttle.rate_per_second;
  if (!std::isfinite(rate) || rate < 0 || rate > 1e6)
    return make_error(ErrorCode::invalid,
                      "cloud: throttle rate must be between 0 (off) and 1000000 calls a second");
  if (rate > 0 && rate < 1e-3)
    return make_error(ErrorCode::invalid, "cloud: throttle rate is below one call in 1000 s; 0 turns it off");
  if (config.throttle.burst == 0 || config.throttle.burst > 1'000'000)
    return make_error(ErrorCode::invalid, "cloud: throttle burst must be between 1 and 1000000 calls");
  if (config.terminated_listed < Duration{0} || config.quota_keeps_terminated < Duration{0} ||
      config.throttle.retry_after < Duration{0})
    return make_error(ErrorCode::invalid, "cloud: a duration is negative");
  return success();
}

}  // namespace drover::cloud
