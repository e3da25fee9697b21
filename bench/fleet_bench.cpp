// The simulated servers: writes per second of clients to a master with two replicas, from the client's
// statement to its answer, replicated and applied at both.
#include <benchmark/benchmark.h>

#include <optional>

#include "mockcloud/node/traffic.hpp"

namespace drover {
namespace {

class Cluster {
 public:
  explicit Cluster(bool semi_sync) : choices_(1), fleet_(scheduler_, choices_, trace_, config()) {
    trace_.follow(scheduler_.now_address());
    for (unsigned n = 1; n <= 3; ++n) boot(n);
    scheduler_.run_until(scheduler_.later(5s));
    SetUpPrimary primary;
    primary.epoch = 1;
    primary.server_id = 1;
    primary.semi_sync = semi_sync;
    primary.replication_user = "repl";
    tell(1, primary);
    tell(1, SetReadOnly{1, false});
    for (unsigned n = 2; n <= 3; ++n) {
      SetUpReplica replica;
      replica.epoch = 1;
      replica.server_id = n;
      replica.source = endpoint(1);
      replica.semi_sync = semi_sync;
      replica.replication_user = "repl";
      tell(n, replica);
    }
    node::TrafficConfig clients;
    clients.writers = 4;
    clients.rate_per_second = 1'000;
    traffic_.emplace(
        scheduler_, choices_, trace_, fleet_, [] { return std::optional<std::string>("10.0.0.1"); }, clients);
    traffic_->start();
    scheduler_.run_until(scheduler_.later(1s));
  }
  void pass(Duration time) { scheduler_.run_until(scheduler_.later(time)); }
  std::uint64_t writes() const { return traffic_->stats().acknowledged; }
  std::uint64_t events() const { return scheduler_.events(); }
  bool replicated() const {
    return !fleet_.truth("i-3")->gtid_slave_pos.empty() && !fleet_.truth("i-2")->gtid_slave_pos.empty();
  }

 private:
  static node::FleetConfig config() {
    node::FleetConfig config;
    config.heartbeat_interval = Duration{0};
    return config;
  }
  static Endpoint endpoint(unsigned n) { return {"10.0.0." + std::to_string(n), 60000}; }
  void boot(unsigned n) {
    InstanceInfo info;
    info.id = "i-" + std::to_string(n);
    info.name = "node-" + std::to_string(n);
    info.address = endpoint(n).address;
    info.state = InstanceState::running;
    fleet_.instance_booted(info, "");
  }
  void tell(unsigned n, const AgentCommand& command) {
    bool done = false;
    fleet_.call(CallContext{}, endpoint(n), command, [&done](Result<AgentReply> reply) {
      DROVER_CHECK(reply.has_value(), reply.has_value() ? "" : reply.error().message.c_str());
      done = true;
    });
    while (!done && scheduler_.run_one()) {
    }
  }

  Scheduler scheduler_;
  Choices choices_;
  Trace trace_;
  node::Fleet fleet_;
  std::optional<node::Traffic> traffic_;
};

void writes(benchmark::State& state, bool semi_sync) {
  Cluster cluster(semi_sync);
  const auto writes_before = cluster.writes();
  const auto events_before = cluster.events();
  for (auto _ : state) cluster.pass(1s);
  const auto made = cluster.writes() - writes_before;
  if (made == 0 || !cluster.replicated()) state.SkipWithError("nothing was written or replicated");
  state.SetItemsProcessed(static_cast<std::int64_t>(made));
  state.counters["events_per_write"] = static_cast<double>(cluster.events() - events_before) /
                                       static_cast<double>(std::max<std::uint64_t>(made, 1));
}

void writes_async(benchmark::State& state) { writes(state, false); }
BENCHMARK(writes_async)->Name("writes/two_replicas/async")->Unit(benchmark::kMillisecond);
void writes_semi_sync(benchmark::State& state) { writes(state, true); }
BENCHMARK(writes_semi_sync)->Name("writes/two_replicas/semi_sync")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace drover
