// The end of a former master's VM that a fail-over found lost.
#pragma once

#include "manager/ops/core.hpp"

namespace drover::ops {

// Where a lost VM is to be replaced, one that is off goes, now that another server has the writes: not
// sooner, for its data might have been all there was, and nobody's writes wait for its end.
// `id`: the fail-over, which has moved the writes. What goes wrong becomes its warning.
Task<void> discard_lost(Core& core, model::OperationId id);

}  // namespace drover::ops
