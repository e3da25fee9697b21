// The nearest valid name, for errors about unknown ones. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace drover::fault {

// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
unsigned edit_distance(std::string_view a, std::string_view b);

// The candidate with the smallest distance (the first of equals), or "" when none is near enough to be meant:
// more than half of the name, and more than two characters, would have to change.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

// "; did you mean "X"?" or "".
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace drover::fault
