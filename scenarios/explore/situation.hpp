// The abstract state of a world at one moment: what exploration compares to tell two moments apart. Nodes are
// described, not named, so that moments which differ only in which of several like nodes is meant are the
// same. Pure readers of the world; nothing is changed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "scenarios/engine/sim_world.hpp"

namespace drover::explore {

struct Situation {
  std::uint64_t world = 0;    // service, operations, the master, and which kinds of nodes there are
  std::uint64_t subject = 0;  // the node that the observation is about; 0 when it is about none
  std::string context;        // "set_up_replica_slave RUNNING; ADAPTING": for reports and coverage
};

// `subject` as observed: "node-2", "op-1", "service", "reconcile".
Situation situation_of(scenario::SimWorld& world, std::string_view subject);

}  // namespace drover::explore
