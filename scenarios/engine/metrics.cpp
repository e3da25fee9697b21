#include "scenarios/engine/metrics.hpp"

namespace drover::scenario {
namespace {

using model::OperationState;

double number(std::integral auto value) { return static_cast<double>(value); }

template <class F>
double over_model(SimWorld& world, F&& count) {
  return world.manager() == nullptr ? 0.0 : static_cast<double>(count(world.manager()->model()));
}

double operations_in(SimWorld& world, OperationState state) {
  return over_model(world, [&](const model::Model& model) {
    std::size_t found = 0;
    for (const auto& [id, operation] : model.operations()) found += operation.state == state ? 1 : 0;
    return found;
  });
}

double nodes_with(SimWorld& world, Role role) {
  return over_model(world, [&](const model::Model& model) {
    std::size_t found = 0;
    for (const auto& [id, node] : model.nodes())
      found += node.role == role && model::is_listed(node.state) ? 1 : 0;
    return found;
  });
}

double lost_writes(SimWorld& world) {
  auto* traffic = world.traffic();
  if (traffic == nullptr) return 0;
  auto* server = world.fleet().server(world.master_vm());
  return server == nullptr ? 0 : number(traffic->lost(*server));
}

double phantom_writes(SimWorld& world) {
  auto* traffic = world.traffic();
  if (traffic == nullptr) return 0;
  auto* server = world.fleet().server(world.master_vm());
  return server == nullptr ? 0 : number(traffic->phantoms(*server));
}

double lag_max(SimWorld& world) {
  double worst = 0;
  for (const auto& id : world.fleet().ids()) {
    const auto truth = world.fleet().truth(id);
    if (truth && truth->replication.configured)
      worst = std::max(worst, truth->replication.seconds_behind < 0
                                  ? 1e9
                                  : static_cast<double>(truth->replication.seconds_behind));
  }
  return worst;
}

double healthy_replicas(SimWorld& world) {
  double healthy = 0;
  for (const auto& id : world.fleet().ids()) {
    const auto truth = world.fleet().truth(id);
    if (truth && truth->role == Role::replica && truth->replication.io == ThreadState::yes &&
        truth->replication.sql_running && truth->read_only)
      ++healthy;
  }
  return healthy;
}

template <std::uint64_t node::TrafficStats::*Member>
Value traffic_count(SimWorld& world) {
  return world.traffic() == nullptr ? 0.0 : number(world.traffic()->stats().*Member);
}

constexpr Metric kMetrics[] = {
    {"state", "the state of the service as its API tells it; 'DOWN' while the manager is dead",
     [](SimWorld& w) -> Value {
       return std::string(w.manager() == nullptr ? "DOWN" : model::to_text(w.manager()->dstate()));
     }},
    {"nodes", "members of the service, as list_nodes would count them",
     [](SimWorld& w) -> Value { return over_model(w, [](const auto& m) { return m.listed(); }); }},
    {"records", "nodes in the manager's records, in whatever state",
     [](SimWorld& w) -> Value { return over_model(w, [](const auto& m) { return m.nodes().size(); }); }},
    {"running_nodes", "members whose agent answers",
     [](SimWorld& w) -> Value {
       return over_model(w, [](const auto& m) { return m.count(model::NodeState::running); });
     }},
    {"lost_nodes", "members whose agent does not answer",
     [](SimWorld& w) -> Value {
       return over_model(w, [](const auto& m) { return m.count(model::NodeState::lost); });
     }},
    {"master", "id of the master as the manager tells it; '' when there is none",
     [](SimWorld& w) -> Value {
       if (w.manager() == nullptr || w.manager()->model().service.primary == 0) return std::string();
       return model::id_text(w.manager()->model().service.primary);
     }},
    {"replicas", "members that the manager counts as slaves",
     [](SimWorld& w) -> Value { return nodes_with(w, Role::replica); }},
    {"healthy_replicas", "servers that truly replicate, read-only, with both threads running",
     [](SimWorld& w) -> Value { return healthy_replicas(w); }},
    {"writable_masters", "servers in the role of master that take writes from clients",
     [](SimWorld& w) -> Value { return number(w.fleet().writable_primaries()); }},
    {"writable_servers", "servers that take writes, whatever their role",
     [](SimWorld& w) -> Value { return number(w.fleet().writable_servers()); }},
    {"epoch", "epoch of the topology",
     [](SimWorld& w) -> Value { return over_model(w, [](const auto& m) { return m.service.epoch; }); }},
    {"operations", "operations under way",
     [](SimWorld& w) -> Value { return over_model(w, [](const auto& m) { return m.active_operations(); }); }},
    {"operations_accepted", "operations accepted ever",
     [](SimWorld& w) -> Value {
       return over_model(w, [](const auto& m) { return m.service.next_operation - 1; });
     }},
    {"operations_done", "operations that ended well",
     [](SimWorld& w) -> Value { return operations_in(w, OperationState::done); }},
    {"operations_failed", "operations that failed",
     [](SimWorld& w) -> Value { return operations_in(w, OperationState::failed); }},
    {"operations_cancelled", "operations that were cancelled",
     [](SimWorld& w) -> Value { return operations_in(w, OperationState::cancelled); }},
    {"instances", "VMs that live in the cloud, whoever's",
     [](SimWorld& w) -> Value { return number(w.cloud().live()); }},
    {"instances_created", "VMs ever created",
     [](SimWorld& w) -> Value { return number(w.cloud().total_created()); }},
    {"instances_terminated", "VMs that are gone",
     [](SimWorld& w) -> Value { return number(w.cloud().total_terminated()); }},
    {"instances_high_water", "most VMs alive at once",
     [](SimWorld& w) -> Value { return number(w.cloud().high_water()); }},
    {"leaked_instances", "living VMs of the service that no record accounts for",
     [](SimWorld& w) -> Value { return number(w.leaked_instances()); }},
    {"leaked_volumes", "volumes that nobody accounts for",
     [](SimWorld& w) -> Value { return number(w.leaked_volumes()); }},
    {"zombies", "VMs reported gone that still run",
     [](SimWorld& w) -> Value { return number(w.cloud().zombies()); }},
    {"manager_starts", "how often the manager was started",
     [](SimWorld& w) -> Value { return number(w.incarnations()); }},
    {"managers", "managers that live, frozen ones and replaced ones included",
     [](SimWorld& w) -> Value { return number(w.managers()); }},
    {"fenced_managers", "replaced managers that noticed it, and ended",
     [](SimWorld& w) -> Value { return number(w.fenced_managers()); }},
    {"iaas_calls", "calls that reached the cloud",
     [](SimWorld& w) -> Value { return number(w.counts().iaas); }},
    {"agent_calls", "calls that reached an agent's host",
     [](SimWorld& w) -> Value { return number(w.counts().agent); }},
    {"acknowledged_writes", "writes that clients were promised",
     [](SimWorld& w) -> Value { return traffic_count<&node::TrafficStats::acknowledged>(w); }},
    {"failed_writes", "writes that were clearly refused",
     [](SimWorld& w) -> Value { return traffic_count<&node::TrafficStats::failed>(w); }},
    {"unknown_writes", "writes without an answer",
     [](SimWorld& w) -> Value { return traffic_count<&node::TrafficStats::unknown>(w); }},
    {"stale_reads", "reads that did not show an acknowledged write",
     [](SimWorld& w) -> Value { return traffic_count<&node::TrafficStats::stale_reads>(w); }},
    {"lost_writes", "acknowledged writes that the present master does not have",
     [](SimWorld& w) -> Value { return lost_writes(w); }},
    {"phantom_writes", "writes on the present master that nobody made or knows of",
     [](SimWorld& w) -> Value { return phantom_writes(w); }},
    {"longest_outage_s", "longest time between two acknowledged writes, in seconds",
     [](SimWorld& w) -> Value {
       return w.traffic() == nullptr ? 0.0 : to_seconds(w.traffic()->stats().longest_gap);
     }},
    {"lag_max", "largest lag of a replica in seconds, 1e9 for one that does not replicate",
     [](SimWorld& w) -> Value { return lag_max(w); }},
    {"time_s", "virtual time in seconds",
     [](SimWorld& w) -> Value { return to_seconds(w.scheduler().now()); }},
};

}  // namespace

std::span<const Metric> metrics() { return kMetrics; }

const Metric* find_metric(std::string_view name) {
  for (const Metric& metric : kMetrics)
    if (metric.name == name) return &metric;
  return nullptr;
}

const std::vector<std::string>& metric_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Metric& metric : kMetrics) all.emplace_back(metric.name);
    return all;
  }();
  return names;
}

std::vector<std::string> known_names(const Scenario& scenario) {
  auto names = metric_names();
  for (const auto& rule : scenario.faults)
    if (!rule.id.empty()) names.push_back(rule.id + ".fired");
  return names;
}

Value read_slot(SimWorld& world, unsigned slot) {
  if (slot < std::size(kMetrics)) return kMetrics[slot].read(world);
  unsigned named = static_cast<unsigned>(std::size(kMetrics));
  for (const auto& count : world.faults().counts()) {
    const auto& rules = world.scenario().faults;
    const auto is_named =
        std::any_of(rules.begin(), rules.end(), [&](const auto& rule) { return rule.id == count.name; });
    if (!is_named) continue;
    if (named++ == slot) return count.fired > 0;
  }
  return 0.0;
}

}  // namespace drover::scenario
