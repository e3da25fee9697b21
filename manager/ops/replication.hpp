// The operations on replication: master, slave, planned switchover; and the repair of a replica. Each looks
// before it acts, so running it again after a restart does what is still to be done.
#pragma once

#include "manager/ops/core.hpp"

namespace drover::ops {

// Makes operation.request.node the primary. Whatever else may still be writable is fenced first.
Task<Result<void>> set_up_replica_master(Core& core, model::OperationId id);

// Makes `node` a replica of the primary (or of the source named in the request), with a copy of its data, and
// waits until it has caught up.
Task<Result<void>> set_up_replica_slave(Core& core, model::OperationId id, model::NodeId node);
// Takes a half-made replica back to a node without a role.
Task<void> undo_replica_slave(Core& core, model::NodeId node);

// Planned switchover: the old primary is made read-only, the replica drained and made writable, the others
// repointed, the old primary taken back as a replica. Once the old one is fenced it is carried through, never
// undone half-way.
Task<Result<void>> promote(Core& core, model::OperationId id);

// Starts replication of a broken replica anew from the primary; with a fresh copy of the data.
Task<Result<void>> repair_replica(Core& core, model::NodeId node);

}  // namespace drover::ops
