// Callers that nobody wrote down: API calls drawn at random and put between the steps of a scenario, some in
// a row, some while an operation of the file's is under way. What they ask for may be right, too late or
// plain wrong; only invariants judge what becomes of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "manager/base/choices.hpp"
#include "scenarios/engine/scenario.hpp"
#include "scenarios/explore/recording.hpp"

namespace drover::explore {

inline constexpr std::uint64_t kMostDrawnCalls = 6;

// Whether calls may be drawn into the scenario: not where the journal loses what clients were told, or
// something else happens that is beyond the budget. What becomes of a call meanwhile nobody can promise.
bool may_take_calls(const scenario::Scenario& written);

// `steps` with 1 to `most` calls more, each behind a wait of its own. Decided by `seed` and `entity` (the
// case's name) alone. A step that waits is cut in two at a call; one that begins an operation and waits for
// its end becomes two steps with the call between them. Pure.
std::vector<scenario::Step> with_drawn_calls(const std::vector<scenario::Step>& steps, std::uint64_t seed,
                                             const std::string& entity, std::uint64_t most = kMostDrawnCalls);

// One call more, as a fault (`api.call`) at one of the points: in the middle of what is under way there,
// where a step would have to be lucky. Nothing without points.
std::optional<fault::Rule> drawn_call_at(const std::vector<ObservedPoint>& points, Choices& choices);

}  // namespace drover::explore
