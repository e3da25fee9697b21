// What the database servers do for their clients: rates over about a minute, from the counters that the
// agents tell at every poll. Scheduler's thread; nothing of it is journaled.
#pragma once

#include <deque>
#include <map>

#include "manager/model/records.hpp"
#include "manager/ports/agent.hpp"

namespace drover::ops {

class ServerPerformance {
 public:
  struct Rates {
    double query_rate = 0;     // queries/s
    double error_rate = 0;     // refused logins and broken connections/s
    double response_time = 0;  // mean of a query, ms
  };

  // What an agent told now. Counters that went back are those of another server, or of one that was
  // restarted: they begin anew.
  void saw(model::NodeId node, const ServerState& state, TimePoint now);
  // From what was told in the last minute, and for at most another one; nothing until it was told twice.
  Rates of(model::NodeId node, TimePoint now) const;
  // Of these nodes together.
  Rates of(const std::vector<model::NodeId>& nodes, TimePoint now) const;

 private:
  struct Sample {
    TimePoint at{};
    std::uint64_t queries = 0;
    std::uint64_t errors = 0;
    Duration busy{0};
  };
  struct Sum {
    double query_rate = 0;
    double error_rate = 0;
    double busy = 0;  // seconds per second
  };
  Sum sum(model::NodeId node, TimePoint now) const;
  static Rates rates(const Sum& sum);

  std::map<model::NodeId, std::deque<Sample>> samples_;  // the oldest first
};

}  // namespace drover::ops
