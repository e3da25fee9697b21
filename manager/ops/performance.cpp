#include "manager/ops/performance.hpp"

#include <cmath>

namespace drover::ops {
namespace {

constexpr Duration kWindow = 1min;

}  // namespace

void ServerPerformance::saw(model::NodeId node, const ServerState& state, TimePoint now) {
  std::deque<Sample>& samples = samples_[node];
  const Sample sample{now, state.queries, state.errors, state.busy};
  if (!samples.empty()) {
    const Sample& last = samples.back();
    if (sample.queries < last.queries || sample.errors < last.errors || sample.busy < last.busy)
      samples.clear();
  }
  if (!state.running) {
    samples_.erase(node);
    return;
  }
  samples.push_back(sample);
  while (samples.size() > 2 && samples[1].at <= now - kWindow) samples.pop_front();
}

ServerPerformance::Sum ServerPerformance::sum(model::NodeId node, TimePoint now) const {
  const auto found = samples_.find(node);
  if (found == samples_.end() || found->second.size() < 2) return {};
  const Sample& first = found->second.front();
  const Sample& last = found->second.back();
  const double span = to_seconds(last.at - first.at);
  if (span <= 0 || last.at < now - kWindow) return {};
  return Sum{static_cast<double>(last.queries - first.queries) / span,
             static_cast<double>(last.errors - first.errors) / span,
             to_seconds(last.busy - first.busy) / span};
}

ServerPerformance::Rates ServerPerformance::rates(const Sum& sum) {
  // To the microsecond, the counters' own step.
  const double response_us = sum.query_rate > 0 ? std::round(sum.busy / sum.query_rate * 1e6) : 0;
  return Rates{sum.query_rate, sum.error_rate, response_us / 1e3};
}

ServerPerformance::Rates ServerPerformance::of(model::NodeId node, TimePoint now) const {
  return rates(sum(node, now));
}

ServerPerformance::Rates ServerPerformance::of(const std::vector<model::NodeId>& nodes, TimePoint now) const {
  Sum all;
  for (const model::NodeId node : nodes) {
    const Sum one = sum(node, now);
    all.query_rate += one.query_rate;
    all.error_rate += one.error_rate;
    all.busy += one.busy;
  }
  return rates(all);
}

}  // namespace drover::ops
