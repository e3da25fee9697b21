#include "scenarios/local/packet_fate.hpp"

#include <algorithm>

#include "manager/base/hash.hpp"

namespace drover::scenario {

using sim::Effect;
using sim::LinkRule;

double Draws::next() { return Choices::to_unit(mix(seed_, ++count_)); }

bool reaches(const std::vector<LinkRule>& rules, std::string_view from, std::string_view to) {
  return std::ranges::none_of(
      rules, [&](const LinkRule& rule) { return sim::cuts(rule) && sim::covers(rule, from, to); });
}

Fate fate_of(const std::vector<LinkRule>& rules, std::string_view from, std::string_view to, Draws& draws) {
  if (!reaches(rules, from, to)) return {.kind = Fate::Kind::lost};
  Fate fate;
  for (const LinkRule& rule : rules) {
    if (!sim::covers(rule, from, to)) continue;
    if (rule.effect == Effect::hold) fate.kind = Fate::Kind::held;
    if (rule.effect == Effect::loss && draws.next() < rule.share) return {.kind = Fate::Kind::lost};
    if (rule.effect == Effect::delay || rule.effect == Effect::reorder)
      fate.late += rule.by.sample(draws.next());
  }
  return fate;
}

}  // namespace drover::scenario
