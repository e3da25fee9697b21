// The actions of the fault catalogue that are made on the machines of a mock cloud alone, whoever runs on
// them.
#pragma once

#include <string>

#include "mockcloud/cloud/cloud.hpp"
#include "mockcloud/fault/engine.hpp"

namespace drover::tools {

// Where an action is made: what it does later runs in `domain`.
struct CloudStage {
  Scheduler& scheduler;
  Domain& domain;
  cloud::Cloud& cloud;
};

// Whether act_on_cloud knows the action.
bool is_cloud_action(std::string_view name);
// Does it to the instance `id`; "" where the action needs none (vm.reuse_address). Errors: not_found,
// wrong_state, unavailable (not an action of machines).
Result<void> act_on_cloud(const CloudStage& stage, const fault::Action& action, const std::string& id);
// The names, for messages: "vm.crash, vm.reboot, …".
std::string cloud_action_names();

// Whom an observation of this VM is about: "node-3" for a VM of a service, else its name.
std::string fault_subject(const cloud::Instance& vm);
// The live instance that an action's target means (an id, a name, "node-3" or "3"); with no target one of
// those alive, drawn by the rule. "" when there is none.
std::string find_target(cloud::Cloud& cloud, Choices& choices, const fault::Action& action);

}  // namespace drover::tools
