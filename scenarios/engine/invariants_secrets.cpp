// S11: nothing secret anywhere.
#include <algorithm>

#include "scenarios/engine/invariants.hpp"

namespace drover::scenario {

void Checkers::check_secrets() {
  const auto holds_secret = [&](const std::string& text) {
    return std::any_of(world_.secrets().begin(), world_.secrets().end(), [&](const std::string& secret) {
      return !secret.empty() && text.find(secret) != std::string::npos;
    });
  };
  if (auto stored = world_.journal().load(); stored.has_value())
    for (const auto& document : stored.value())
      if (holds_secret(document.document)) world_.report("S11", "the journal holds a secret", "S11 journal");
  if (const auto* manager = world_.manager(); manager != nullptr)
    for (const auto& line : manager->core().log_lines())
      if (holds_secret(line)) world_.report("S11", "the log holds a secret", "S11 log");
  for (const auto& entry : world_.trace().entries())
    if (holds_secret(entry.detail)) world_.report("S11", "the trace holds a secret", "S11 trace");
}

}  // namespace drover::scenario
