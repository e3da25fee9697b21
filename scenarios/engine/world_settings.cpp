#include "scenarios/engine/world_settings.hpp"

#include <algorithm>

#include "manager/base/hash.hpp"

namespace drover::scenario {
namespace {

void read_names(const Settings& from, std::string_view key, std::vector<std::string>& to) {
  if (!from.has(key)) return;
  to.clear();
  for (const auto& value : from.json(key)) {
    if (value.is_string()) to.push_back(value.get<std::string>());
    if (value.is_object() && value.contains("name")) to.push_back(value.at("name").get<std::string>());
  }
}

}  // namespace

cloud::CloudConfig cloud_config(const Scenario& scenario) {
  const Settings& from = scenario.cloud;
  cloud::CloudConfig config;
  config.boot = from.distribution("boot");
  config.address_delay = from.distribution("address_delay");
  config.list_lag = from.distribution("list_lag");
  config.call_latency = from.distribution("call_latency");
  config.stop = from.distribution("stop");
  config.reboot = from.distribution("reboot");
  config.terminate = from.distribution("terminate");
  config.terminated_listed = from.duration("terminated_listed");
  if (from.boolean("terminated_counts")) config.quota_keeps_terminated = config.terminated_listed;
  if (from.has("quota.instances"))
    config.quota_instances = static_cast<unsigned>(from.integer("quota.instances"));
  if (from.has("quota.volumes")) config.quota_volumes = static_cast<unsigned>(from.integer("quota.volumes"));
  if (from.has("capacity")) config.capacity = static_cast<unsigned>(from.integer("capacity"));
  if (from.has("throttle.rate")) config.throttle.rate_per_second = from.number("throttle.rate");
  config.throttle.burst = static_cast<unsigned>(from.integer("throttle.burst"));
  if (from.has("throttle.retry_after")) config.throttle.retry_after = from.duration("throttle.retry_after");
  read_names(from, "images", config.images);
  read_names(from, "sizes", config.sizes);
  read_names(from, "networks", config.networks);
  return config;
}

node::FleetConfig fleet_config(const Scenario& scenario) {
  const Settings& from = scenario.agents;
  node::FleetConfig config;
  config.agent_start = from.distribution("start");
  config.heartbeat_interval = from.duration("heartbeat");
  config.agent.command = from.distribution("command_latency");
  config.server.replication_lag = from.distribution("lag");
  config.server.gtid_strict_mode = from.boolean("strict");
  config.image = ops::Configuration().instance.image;
  config.data_megabytes = static_cast<unsigned>(from.integer("data_mb"));
  return config;
}

sim::NetworkConfig network_config(const Scenario& scenario) {
  const Settings& from = scenario.network;
  sim::NetworkConfig config;
  config.delay = from.distribution("delay");
  if (from.has("manager_delay")) config.manager_delay = from.distribution("manager_delay");
  if (from.has("client_delay")) config.client_delay = from.distribution("client_delay");
  config.loss = from.number("loss");
  return config;
}

ops::Configuration manager_config(const Scenario& scenario) {
  const Settings& from = scenario.manager;
  ops::Configuration config;
  config.poll_agents_timer = from.duration("poll_agents_timer");
  config.poll_interval = from.duration("poll_interval");
  config.boot_timeout = from.duration("boot_timeout");
  config.agent_timeout = from.duration("agent_timeout");
  config.iaas_timeout = from.duration("iaas_timeout");
  config.semi_sync = from.text("durability") == "semi_sync";
  config.automatic_startup = from.text("startup") == "auto";
  config.reconcile_interval = from.duration("reconcile_interval");
  config.retry.first = from.duration("retry.first");
  config.retry.limit = from.duration("retry.limit");
  config.retry.attempts = static_cast<unsigned>(from.integer("retry.attempts"));
  ops::FailoverPolicy& failover = config.failover;
  failover.automatic = from.boolean("failover.automatic");
  failover.watch = from.duration("failover.watch");
  failover.patience = from.duration("failover.patience");
  failover.hung_after = from.duration("failover.hung_after");
  failover.pause = from.duration("failover.pause");
  failover.drain_timeout = from.duration("failover.drain_timeout");
  failover.loss_when_late = from.text("failover.when_late") == "lose";
  failover.kill_vm = from.boolean("failover.kill_vm");
  failover.replace = from.boolean("failover.replace");
  failover.clone_errant = from.text("failover.errant") == "clone";
  config.partial =
      from.text("partial") == "keep" ? model::PartialPolicy::keep : model::PartialPolicy::rollback;
  config.parallelism = static_cast<unsigned>(from.integer("parallelism"));
  config.limits.max_queued = static_cast<std::size_t>(from.integer("max_queued"));
  // A secret of this world alone; checkers look for it wherever it must not appear.
  config.replication_password.value = "repl-secret-" + std::to_string(hash_text(scenario.name));
  return config;
}

std::optional<node::TrafficConfig> traffic_config(const Scenario& scenario) {
  const Settings& from = scenario.traffic;
  node::TrafficConfig config;
  config.writers = static_cast<unsigned>(from.integer("writers"));
  if (config.writers == 0) return std::nullopt;
  config.rate_per_second = from.number("rate");
  config.kind = from.text("kind");
  return config;
}

namespace {

bool is_going_back(const std::string& action) {
  return action == "store.lose_tail" || action == "store.roll_back";
}

bool goes_back(const std::vector<Step>& steps) {
  return std::any_of(steps.begin(), steps.end(), [](const Step& step) {
    if (const auto* one = std::get_if<Do>(&step.action)) return is_going_back(one->action);
    if (const auto* beside = std::get_if<Parallel>(&step.action)) return goes_back(beside->steps);
    if (const auto* again = std::get_if<Repeat>(&step.action)) return goes_back(again->steps);
    return false;
  });
}

}  // namespace

bool goes_back_in_journal(const Scenario& scenario) {
  return goes_back(scenario.steps) ||
         std::any_of(scenario.faults.begin(), scenario.faults.end(), [](const fault::Rule& rule) {
           return is_going_back(rule.action) ||
                  std::any_of(rule.pick.begin(), rule.pick.end(), is_going_back);
         });
}

}  // namespace drover::scenario
