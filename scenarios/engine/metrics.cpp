#include "scenarios/engine/metrics.hpp"

namespace drover::scenario {
namespace {

using model::OperationState;

double number(std::integral auto value) { return static_cast<double>(value); }

template <class F>
double over_model(World& world, F&& count) {
  return world.manager() == nullptr ? 0.0 : static_cast<double>(count(world.manager()->model()));
}

double operations_in(World& world, OperationState state) {
  return over_model(world, [&](const model::Model& model) {
    std::size_t found = 0;
    for (const auto& [id, operation] : model.operations()) found += operation.state == state ? 1 : 0;
    return found;
  });
}

double nodes_with(World& world, Role role) {
  return over_model(world, [&](const model::Model& model) {
    std::size_t found = 0;
    for (const auto& [id, node] : model.nodes())
      found += node.role == role && model::is_listed(node.state) ? 1 : 0;
    return found;
  });
}

template <Truth Which>
Value told(World& world) {
  return world.truth(Which);
}

constexpr Metric kMetrics[] = {
    {"state", "the state of the service as its API tells it; 'DOWN' while the manager is dead",
     [](World& w) -> Value {
       return std::string(w.manager() == nullptr ? "DOWN" : model::to_text(w.manager()->dstate()));
     }},
    {"nodes", "members of the service, as list_nodes would count them",
     [](World& w) -> Value { return over_model(w, [](const auto& m) { return m.listed(); }); }},
    {"records", "nodes in the manager's records, in whatever state",
     [](World& w) -> Value { return over_model(w, [](const auto& m) { return m.nodes().size(); }); }},
    {"running_nodes", "members whose agent answers",
     [](World& w) -> Value {
       return over_model(w, [](const auto& m) { return m.count(model::NodeState::running); });
     }},
    {"lost_nodes", "members whose agent does not answer",
     [](World& w) -> Value {
       return over_model(w, [](const auto& m) { return m.count(model::NodeState::lost); });
     }},
    {"master", "id of the master as the manager tells it; '' when there is none",
     [](World& w) -> Value {
       if (w.manager() == nullptr || w.manager()->model().service.primary == 0) return std::string();
       return model::id_text(w.manager()->model().service.primary);
     }},
    {"replicas", "members that the manager counts as slaves",
     [](World& w) -> Value { return nodes_with(w, Role::replica); }},
    {"healthy_replicas", "servers that truly replicate, read-only, with both threads running",
     &told<Truth::healthy_replicas>},
    {"writable_masters", "servers in the role of master that take writes from clients",
     &told<Truth::writable_masters>},
    {"writable_servers", "servers that take writes, whatever their role", &told<Truth::writable_servers>},
    {"epoch", "epoch of the topology",
     [](World& w) -> Value { return over_model(w, [](const auto& m) { return m.service.epoch; }); }},
    {"operations", "operations under way",
     [](World& w) -> Value { return over_model(w, [](const auto& m) { return m.active_operations(); }); }},
    {"operations_accepted", "operations accepted ever",
     [](World& w) -> Value {
       return over_model(w, [](const auto& m) { return m.service.next_operation - 1; });
     }},
    {"operations_done", "operations that ended well",
     [](World& w) -> Value { return operations_in(w, OperationState::done); }},
    {"operations_failed", "operations that failed",
     [](World& w) -> Value { return operations_in(w, OperationState::failed); }},
    {"operations_cancelled", "operations that were cancelled",
     [](World& w) -> Value { return operations_in(w, OperationState::cancelled); }},
    {"instances", "VMs that live in the cloud, whoever's", &told<Truth::instances>},
    {"instances_created", "VMs ever created", &told<Truth::instances_created>},
    {"instances_terminated", "VMs that are gone", &told<Truth::instances_terminated>},
    {"instances_high_water", "most VMs alive at once", &told<Truth::instances_high_water>},
    {"leaked_instances", "living VMs of the service that no record accounts for",
     &told<Truth::leaked_instances>},
    {"leaked_volumes", "volumes that nobody accounts for", &told<Truth::leaked_volumes>},
    {"zombies", "VMs reported gone that still run", &told<Truth::zombies>},
    {"manager_starts", "how often the manager was started", &told<Truth::manager_starts>},
    {"managers", "managers that live, frozen ones and replaced ones included", &told<Truth::managers>},
    {"fenced_managers", "replaced managers that noticed it, and ended", &told<Truth::fenced_managers>},
    {"iaas_calls", "calls that reached the cloud", &told<Truth::iaas_calls>},
    {"agent_calls", "calls that reached an agent's host", &told<Truth::agent_calls>},
    {"acknowledged_writes", "writes that clients were promised", &told<Truth::acknowledged_writes>},
    {"failed_writes", "writes that were clearly refused", &told<Truth::failed_writes>},
    {"unknown_writes", "writes without an answer", &told<Truth::unknown_writes>},
    {"stale_reads", "reads that did not show an acknowledged write", &told<Truth::stale_reads>},
    {"lost_writes", "acknowledged writes that the present master does not have", &told<Truth::lost_writes>},
    {"phantom_writes", "writes on the present master that nobody made or knows of",
     &told<Truth::phantom_writes>},
    {"longest_outage_s", "longest time between two acknowledged writes, in seconds",
     &told<Truth::longest_outage_s>},
    {"lag_max", "largest lag of a replica in seconds, 1e9 for one that does not replicate",
     &told<Truth::lag_max>},
    {"time_s", "virtual time in seconds", [](World& w) -> Value { return to_seconds(w.scheduler().now()); }},
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

Value read_slot(World& world, unsigned slot) {
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
