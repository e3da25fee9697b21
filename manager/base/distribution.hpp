// Latency distributions of our own: the standard library's differ between implementations, and libm's last
// bit differs between versions. Text form: "35s" or "const(2s)", "uniform(0s,20s)", "exp(90s)",
// "lognormal(p50=40s, p99=5m)". Sampling is a pure function of one uniform number.
#pragma once

#include <string>
#include <string_view>

#include "manager/base/choices.hpp"
#include "manager/base/result.hpp"
#include "manager/base/time.hpp"

namespace drover {

class Distribution {
 public:
  enum class Kind : unsigned char { constant, uniform, exponential, lognormal };

  Distribution() = default;  // constant 0s
  static Distribution constant(Duration value) { return {Kind::constant, value, value}; }
  static Distribution uniform(Duration low, Duration high) { return {Kind::uniform, low, high}; }
  static Distribution exponential(Duration mean) { return {Kind::exponential, mean, mean}; }
  static Distribution lognormal(Duration p50, Duration p99) { return {Kind::lognormal, p50, p99}; }

  // Errors (ErrorCode::invalid) name what is wrong: unknown shape, missing unit, low above high, p50 above
  // p99.
  static Result<Distribution> parse(std::string_view text);

  // `unit` in [0, 1). Results are never negative and never above 30 days.
  Duration sample(double unit) const;
  Duration sample(Choices& choices, std::string_view entity, std::string_view site) const {
    return kind_ == Kind::constant ? a_ : sample(choices.unit(entity, site));
  }
  // The value that half of the samples stay below.
  Duration median() const { return sample(0.5); }
  std::string to_text() const;
  Kind kind() const { return kind_; }
  friend bool operator==(const Distribution&, const Distribution&) = default;

 private:
  Distribution(Kind kind, Duration a, Duration b) : kind_(kind), a_(a), b_(b) {}

  Kind kind_ = Kind::constant;
  Duration a_{0};  // constant value, low end, mean, or p50
  Duration b_{0};  // high end or p99
};

// exp and log from IEEE basic operations only: the same bits with every libm. Relative error below 1e-14.
double portable_exp(double x);
double portable_log(double x);
// The quantile function of the standard normal distribution (Acklam's rational approximation, error 1.2e-9).
double normal_quantile(double probability);

}  // namespace drover
