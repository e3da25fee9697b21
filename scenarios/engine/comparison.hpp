// What a comparison of a condition asks of the order of two values. Pure.
#pragma once

#include "scenarios/engine/scenario.hpp"

namespace drover::scenario {

// `order`: negative, 0 or positive, as the left value is less than, equal to or greater than the right one.
inline bool holds(int order, Comparison comparison) {
  switch (comparison) {
    case Comparison::equal:
      return order == 0;
    case Comparison::not_equal:
      return order != 0;
    case Comparison::less:
      return order < 0;
    case Comparison::less_equal:
      return order <= 0;
    case Comparison::greater:
      return order > 0;
    case Comparison::greater_equal:
      return order >= 0;
  }
  return false;
}

}  // namespace drover::scenario
