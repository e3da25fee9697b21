// From the sections of a scenario to the configurations of cloud, nodes, manager and traffic. Pure.
#pragma once

#include "manager/ops/config.hpp"
#include "mockcloud/cloud/cloud_config.hpp"
#include "mockcloud/node/fleet.hpp"
#include "mockcloud/node/traffic.hpp"
#include "mockcloud/sim/network.hpp"
#include "scenarios/engine/scenario.hpp"

namespace drover::scenario {

cloud::CloudConfig cloud_config(const Scenario& scenario);
node::FleetConfig fleet_config(const Scenario& scenario);
sim::NetworkConfig network_config(const Scenario& scenario);
ops::Configuration manager_config(const Scenario& scenario);
// Whether a fault or a step of it may put the journal back to an earlier state.
bool goes_back_in_journal(const Scenario& scenario);
// Nothing when the scenario has no clients.
std::optional<node::TrafficConfig> traffic_config(const Scenario& scenario);

}  // namespace drover::scenario
