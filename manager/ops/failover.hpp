// Fail-over: what is known of the master and its replicas, and the operation that replaces it.
#pragma once

#include "manager/model/failover.hpp"
#include "manager/ops/core.hpp"

namespace drover::ops {

struct Analysis {
  model::NodeId master = 0;  // 0: gone for good
  std::string source;        // its address
  model::Judgement judgement;
  std::vector<model::View> replicas;
  model::Succession succession;
};

// Asks the agent of the master and those of all replicas, all at once, each for the policy's patience.
Task<Analysis> analyse(Core& core);
// With what the master's agent has said just now.
Task<Analysis> analyse(Core& core, model::View master);
// The master alone: whether its server answers; hung is told apart from silent.
Task<model::View> look_at(Core& core, model::NodeId id);

// Replaces the primary by operation.request.node or by whom turns out to know more. The old one is fenced for
// certain first: by its agent, which ends a server that does not close itself, else by the end of its VM.
// Then the successor applies what it has received, and takes over; the others follow, the old one too as soon
// as it answers. Before it is known to be fenced nothing changes: running it again is harmless. An old
// primary that turns out to be well takes writes again, unless the request says `force`.
Task<Result<void>> fail_over(Core& core, model::OperationId id);

// Waits until no replica hears the former master, whose VM is said to be gone: the only evidence there is,
// for nobody can fence it. At once when the service has not lost its master in that way. Errors: unavailable,
// one hears it still when the time for draining has passed.
Task<Result<void>> former_is_unheard(Core& core);

}  // namespace drover::ops
