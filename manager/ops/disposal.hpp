// Destroying VMs. The cloud cannot tell a manager that was replaced from its successor, so a VM is destroyed
// only after a commit that says so, which only the present manager can make: its node's record in REMOVING,
// or its place among the doomed VMs of the service record. No manager takes a doomed VM for a member again.
#pragma once

#include "manager/ops/core.hpp"

namespace drover::ops {

// Looks for the VM of the node's present attempt by its tag: after a call whose effect is unknown. The id, ""
// when the cloud shows none that is not doomed (it may lag), or an error when the cloud could not be asked.
Task<Result<std::string>> find_vm(Core& core, model::NodeId id);

// Condemns a VM; the caller commits that before it goes on to destroy_doomed.
void doom(Core& core, const std::string& vm);
// Destroys a VM that is doomed, and waits until the cloud confirms it; config.kill_timeout at most. Success
// also when it is not doomed, or being destroyed already. On an error it stays doomed.
Task<Result<void>> destroy_doomed(Core& core, std::string subject, std::string vm);
Task<Result<void>> destroy_all_doomed(Core& core);

// Takes a node in REMOVING down: finds its VM, destroys it, forgets the record. On an error the record stays,
// and the reconciler goes on trying.
Task<Result<void>> remove_node(Core& core, model::NodeId id);

}  // namespace drover::ops
