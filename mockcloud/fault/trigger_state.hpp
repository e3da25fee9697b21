// How far a trigger has come: the occurrences each of its points has seen. Owned by the engine;
// single-threaded.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "mockcloud/fault/rule.hpp"

namespace drover::fault {

class TriggerState {
 public:
  TriggerState() = default;
  explicit TriggerState(const Trigger& trigger);

  // Offers one observation (a canonical point, or the id of a rule that fired); true when it completes the
  // trigger.
  bool offer(std::string_view point);
  // Whether any part of it names this point.
  bool names(std::string_view point) const;

  // The progress as numbers, for export; restore() refuses a list that cannot be of this trigger.
  std::vector<std::uint64_t> progress() const;
  bool restore(const std::vector<std::uint64_t>& progress);

 private:
  struct Node {
    Trigger::Kind kind = Trigger::Kind::point;
    std::string point;
    std::uint64_t first = 1;
    bool onward = true;
    std::vector<std::size_t> children;
    std::uint64_t count = 0;  // point: occurrences; then: the child waited for
    bool seen = false;        // as a child of both
  };

  std::size_t add(const Trigger& trigger);
  bool offer(std::size_t index, std::string_view point);
  void reset(std::size_t index);

  std::vector<Node> nodes_;  // children before their parent; the root is the last
};

}  // namespace drover::fault
