#include "scenarios/explore/explicit_faults.hpp"

namespace drover::explore {

std::optional<scenario::Scenario> with_explicit_faults(const scenario::Scenario&, std::uint64_t) {
  return std::nullopt;
}

}  // namespace drover::explore
