// L2, while a run goes on: a service that could take writes does. A master that is well is not left closed;
// one that is down is started again or replaced. Single-threaded; one per world.
#pragma once

#include <string>

#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {

class Masters {
 public:
  explicit Masters(SimWorld& world) : world_(world) {}

  void after_change();

 private:
  enum class Trouble : unsigned char { none, closed, down, dead };

  // What keeps the recorded master, as anybody could see, from taking writes while no operation is under way.
  Trouble trouble() const;
  bool is_excused(TimePoint since) const;
  // Whether this one could be heard all the time, and says nothing that the manager has to doubt.
  bool is_beyond_doubt(const model::Node& node, TimePoint since) const;
  // Whether everything that a successor needs is there: who is dead is replaced.
  bool can_be_replaced(TimePoint since) const;

  SimWorld& world_;
  Trouble trouble_ = Trouble::none;
  std::string vm_;            // whose
  TimePoint since_ = kNever;  // without a break
  TimePoint looked_at_{};
  bool reported_ = false;
};

}  // namespace drover::scenario
