// What the simulation tells of itself: metrics of clouds, servers and clients, and how a run ends.
#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {

namespace {

constexpr Pace kPace{.await_look = 1s,
                     .settle_bound = 90min,
                     .settle_look = 5s,
                     .settle_hold = 90s,
                     .catch_up_bound = 10min,
                     .catch_up_look = 5s};

double number(std::integral auto value) { return static_cast<double>(value); }

double lag_max(node::Fleet& fleet) {
  double worst = 0;
  for (const auto& id : fleet.ids()) {
    const auto truth = fleet.truth(id);
    if (truth && truth->replication.configured)
      worst = std::max(worst, truth->replication.seconds_behind < 0
                                  ? 1e9
                                  : static_cast<double>(truth->replication.seconds_behind));
  }
  return worst;
}

double healthy_replicas(node::Fleet& fleet) {
  double healthy = 0;
  for (const auto& id : fleet.ids()) {
    const auto truth = fleet.truth(id);
    if (truth && truth->role == Role::replica && truth->replication.io == ThreadState::yes &&
        truth->replication.sql_running && truth->read_only)
      ++healthy;
  }
  return healthy;
}

}  // namespace

Pace SimWorld::pace() const { return kPace; }

double SimWorld::truth(Truth which) {
  const auto* server = traffic_ && (which == Truth::lost_writes || which == Truth::phantom_writes)
                           ? fleet_->server(master_vm())
                           : nullptr;
  switch (which) {
    case Truth::healthy_replicas:
      return healthy_replicas(*fleet_);
    case Truth::writable_masters:
      return number(fleet_->writable_primaries());
    case Truth::writable_servers:
      return number(fleet_->writable_servers());
    case Truth::lag_max:
      return lag_max(*fleet_);
    case Truth::instances:
      return number(cloud_->live());
    case Truth::instances_created:
      return number(cloud_->total_created());
    case Truth::instances_terminated:
      return number(cloud_->total_terminated());
    case Truth::instances_high_water:
      return number(cloud_->high_water());
    case Truth::leaked_instances:
      return number(leaked_instances());
    case Truth::leaked_volumes:
      return number(leaked_volumes());
    case Truth::zombies:
      return number(cloud_->zombies());
    case Truth::manager_starts:
      return number(incarnations_);
    case Truth::managers:
      return number(managers());
    case Truth::fenced_managers:
      return number(fenced_managers_);
    case Truth::iaas_calls:
      return number(counts_.iaas);
    case Truth::agent_calls:
      return number(counts_.agent);
    case Truth::acknowledged_writes:
      return traffic_ ? number(traffic_->stats().acknowledged) : 0.0;
    case Truth::failed_writes:
      return traffic_ ? number(traffic_->stats().failed) : 0.0;
    case Truth::unknown_writes:
      return traffic_ ? number(traffic_->stats().unknown) : 0.0;
    case Truth::stale_reads:
      return traffic_ ? number(traffic_->stats().stale_reads) : 0.0;
    case Truth::lost_writes:
      return server == nullptr ? 0.0 : number(traffic_->lost(*server));
    case Truth::phantom_writes:
      return server == nullptr ? 0.0 : number(traffic_->phantoms(*server));
    case Truth::longest_outage_s:
      return traffic_ ? to_seconds(traffic_->stats().longest_gap) : 0.0;
  }
  return 0;
}

// By the truth: what a server reports of its lag follows its clock.
bool SimWorld::replicas_lag() {
  if (lag_max(*fleet_) > 0) return true;
  const auto ids = fleet_->ids();
  const auto* master = fleet_->server(master_vm());
  return std::any_of(ids.begin(), ids.end(), [&](const std::string& id) {
    const auto truth = fleet_->truth(id);
    if (!truth || !truth->replication.configured) return false;
    if (truth->relay_pending > 0) return true;
    // One that has yet to notice that its connection is dead believes that it has all.
    const auto* server = fleet_->server(id);
    return truth->replication.io == ThreadState::yes && master != nullptr && server != nullptr &&
           master->data().minus(server->data()).size() > 0;
  });
}

EndState SimWorld::end(std::vector<std::string> shortfalls) {
  return end_state(*this, std::move(shortfalls));
}

void SimWorld::destroy_foreign(const std::string& target, Handler<void> handler) {
  const auto* vm = instance_of(target);
  if (vm == nullptr) return handler(make_error(ErrorCode::not_found, "there is no VM of \"" + target + "\""));
  const std::string id = vm->id;
  evidence_->add("foreign_kill", id, {});
  cloud_->killInstance(CallContext{"somebody", 1min}, id, std::move(handler));
}

}  // namespace drover::scenario
