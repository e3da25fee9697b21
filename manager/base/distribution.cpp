#include "manager/base/distribution.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace drover {
namespace {

constexpr double kLn2 = 0.693147180559945309417232121458;
constexpr Duration kLongest = std::chrono::hours(24 * 30);

Duration clamped(double nanoseconds) {
  if (!(nanoseconds > 0)) return Duration{0};
  if (nanoseconds >= static_cast<double>(kLongest.count())) return kLongest;
  return Duration(static_cast<Duration::rep>(nanoseconds));
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Error bad(std::string_view text, std::string_view why) {
  return make_error(ErrorCode::invalid,
                    "bad distribution \"" + std::string(text) + "\": " + std::string(why));
}

}  // namespace

double portable_exp(double x) {
  if (x > 700) x = 700;
  if (x < -700) return 0;
  const double k = static_cast<double>(static_cast<std::int64_t>(x / kLn2 + (x < 0 ? -0.5 : 0.5)));
  const double r = x - k * kLn2;  // |r| <= ln2 / 2
  double term = 1, sum = 1;
  for (int i = 1; i < 18; ++i) {
    term = term * r / i;
    sum = sum + term;
  }
  const auto power =
      std::bit_cast<double>(static_cast<std::uint64_t>(1023 + static_cast<std::int64_t>(k)) << 52U);
  return sum * power;
}

double portable_log(double x) {
  if (!(x > 0)) return -745;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  auto exponent = static_cast<std::int64_t>(bits >> 52U) - 1023;
  double mantissa = std::bit_cast<double>((bits & 0x000fffffffffffffULL) | 0x3ff0000000000000ULL);
  if (mantissa > 1.4142135623730951) {
    mantissa = mantissa / 2;
    ++exponent;
  }
  const double s = (mantissa - 1) / (mantissa + 1);
  const double square = s * s;
  double power = s, sum = 0;
  for (int i = 1; i < 40; i += 2) {
    sum = sum + power / i;
    power = power * square;
  }
  return 2 * sum + static_cast<double>(exponent) * kLn2;
}

double normal_quantile(double p) {
  if (p < 1e-12) p = 1e-12;
  if (p > 1 - 1e-12) p = 1 - 1e-12;
  constexpr double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                          1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
  constexpr double b[] = {-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02,
                          6.680131188771972e+01, -1.328068155288572e+01};
  constexpr double c[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                          -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
  constexpr double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                          3.754408661907416e+00};
  const auto tail = [&](double q) {
    return (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
           ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
  };
  if (p < 0.02425) return tail(std::sqrt(-2 * portable_log(p)));
  if (p > 1 - 0.02425) return -tail(std::sqrt(-2 * portable_log(1 - p)));
  const double q = p - 0.5;
  const double r = q * q;
  return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
         (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}

Duration Distribution::sample(double unit) const {
  switch (kind_) {
    case Kind::constant:
      return a_;
    case Kind::uniform:
      return std::min(std::min(a_, kLongest) + clamped(static_cast<double>((b_ - a_).count()) * unit),
                      kLongest);
    case Kind::exponential:
      return clamped(-portable_log(1 - unit) * static_cast<double>(a_.count()));
    case Kind::lognormal: {
      const double mu = portable_log(static_cast<double>(a_.count()));
      const double sigma = (portable_log(static_cast<double>(b_.count())) - mu) / normal_quantile(0.99);
      return clamped(portable_exp(mu + sigma * normal_quantile(unit)));
    }
  }
  return a_;
}

std::string Distribution::to_text() const {
  switch (kind_) {
    case Kind::constant:
      return "const(" + drover::to_text(a_) + ")";
    case Kind::uniform:
      return "uniform(" + drover::to_text(a_) + ", " + drover::to_text(b_) + ")";
    case Kind::exponential:
      return "exp(" + drover::to_text(a_) + ")";
    case Kind::lognormal:
      return "lognormal(p50=" + drover::to_text(a_) + ", p99=" + drover::to_text(b_) + ")";
  }
  return {};
}

Result<Distribution> Distribution::parse(std::string_view text) {
  const auto whole = trimmed(text);
  const auto open = whole.find('(');
  if (open == std::string_view::npos) {
    const auto value = parse_duration(whole);
    if (!value)
      return bad(whole,
                 "expected a duration with its unit such as \"35s\", or const(..), uniform(..), exp(..), "
                 "lognormal(..)");
    return constant(*value);
  }
  if (whole.back() != ')') return bad(whole, "the closing parenthesis is missing");
  const auto name = trimmed(whole.substr(0, open));
  auto inside = whole.substr(open + 1, whole.size() - open - 2);
  struct Argument {
    std::string_view key;
    Duration value;
  };
  std::vector<Argument> arguments;
  while (true) {
    const auto comma = inside.find(',');
    auto part = trimmed(inside.substr(0, comma));
    std::string_view key;
    if (const auto equals = part.find('='); equals != std::string_view::npos) {
      key = trimmed(part.substr(0, equals));
      part = trimmed(part.substr(equals + 1));
    }
    const auto value = parse_duration(part);
    if (!value) return bad(whole, "\"" + std::string(part) + "\" is not a duration with its unit");
    arguments.push_back({key, *value});
    if (comma == std::string_view::npos) break;
    inside.remove_prefix(comma + 1);
  }
  if (name == "const" || name == "exp") {
    if (arguments.size() != 1 || !arguments[0].key.empty())
      return bad(whole, std::string(name) + " takes one duration");
    return name == "const" ? constant(arguments[0].value) : exponential(arguments[0].value);
  }
  if (name == "uniform") {
    if (arguments.size() != 2 || !arguments[0].key.empty() || !arguments[1].key.empty())
      return bad(whole, "uniform takes two durations, low and high");
    if (arguments[0].value > arguments[1].value) return bad(whole, "the low end is above the high end");
    return uniform(arguments[0].value, arguments[1].value);
  }
  if (name == "lognormal") {
    if (arguments.size() != 2 || arguments[0].key != "p50" || arguments[1].key != "p99")
      return bad(whole, "lognormal takes p50=.. and p99=..");
    if (arguments[0].value <= Duration{0}) return bad(whole, "p50 must be above 0s");
    if (arguments[0].value > arguments[1].value) return bad(whole, "p50 is above p99");
    return lognormal(arguments[0].value, arguments[1].value);
  }
  return bad(whole, "unknown shape \"" + std::string(name) + "\"; known: const, uniform, exp, lognormal");
}

}  // namespace drover
