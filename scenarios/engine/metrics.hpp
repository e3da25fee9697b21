// The named values of a world: what expectations, checks and conditions may ask for. One declared table.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "scenarios/engine/expression.hpp"
#include "scenarios/engine/world.hpp"

namespace drover::scenario {

struct Metric {
  std::string_view name;
  std::string_view summary;
  Value (*read)(World& world);
};

std::span<const Metric> metrics();
const Metric* find_metric(std::string_view name);
// The names of the table, for parsing; a name's index is its slot.
const std::vector<std::string>& metric_names();

// What an expression of this scenario may name: the metrics, then "<fault id>.fired" for every fault with an
// id.
std::vector<std::string> known_names(const Scenario& scenario);
// The value of slot `slot` of known_names().
Value read_slot(World& world, unsigned slot);

}  // namespace drover::scenario
