// Bringing one node up, from the journaled intent to a registered member. Every function looks at the record
// first and goes on from there, so the same code runs for a new node and for one found in the journal after a
// restart.
#pragma once

#include "manager/ops/core.hpp"

namespace drover::ops {

// The documented createServiceNodeThread: creates the VM, waits for it and for its agent, registers the node.
// On an error the record says how far it came; a VM may exist.
Task<Result<void>> createServiceNodeThread(Core& core, model::NodeId id);

// Only the first part: from CREATING to BOOTING. The VM's id is durable on return.
Task<Result<void>> create_vm(Core& core, model::NodeId id);

// The documented wait_for_nodes(nodes, poll_interval=10 s): until each of the BOOTING nodes has a running VM
// with an address. Fails with the first VM that ended otherwise, or with timeout after config.boot_timeout.
Task<Result<void>> wait_for_nodes(Core& core, std::vector<model::NodeId> nodes, Duration poll_interval);

}  // namespace drover::ops
