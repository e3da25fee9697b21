// Whether a request for an operation may be accepted, and what it changes at once: pure decisions over the
// Model. The dispatcher (ops/manager.cpp) journals the outcome before anyone is told.
#pragma once

#include <span>
#include <vector>

#include "manager/base/result.hpp"
#include "manager/model/records.hpp"

namespace drover::model {

struct AdmissionLimits {
  std::size_t max_nodes = 20'000;
  std::size_t max_queued = 100;  // operations accepted and not ended
};

struct Admission {
  const Operation* repeated = nullptr;  // the idempotency key was used before: answer this one again
  Operation operation;                  // to be added, with id and nodes
  std::vector<Node> created;            // records to be added, state creating
  std::vector<NodeId> claimed;          // nodes to be moved to removing
};

// In which service states an operation of this kind may be accepted; all others give E_STATE_ERROR.
std::span<const ServiceState> accepting_states(OperationKind kind);
bool is_accepted_in(OperationKind kind, ServiceState state);

// Operations that change replication or membership of existing nodes wait for each other; add_nodes runs
// beside everything but shutdown.
bool may_run_beside(OperationKind running, OperationKind next);
// Operations that cancel_operation can stop while they run; queued ones can always be cancelled.
bool is_cancellable(OperationKind kind);

// Errors: ErrorCode::invalid (an argument can never work; the message is for people), ErrorCode::wrong_state.
// Changes nothing.
Result<Admission> admit(const Model& model, const OperationRequest& request, const AdmissionLimits& limits);

// The nodes remove_nodes{count} takes: never the primary; those without a role first, then replicas, newest
// first.
std::vector<NodeId> removable_nodes(const Model& model);

}  // namespace drover::model
