#include "scenarios/explore/weather.hpp"

#include <algorithm>

#include "mockcloud/fault/catalogue.hpp"
#include "scenarios/explore/drawer.hpp"

namespace drover::explore {
namespace {

using fault::ActionRow;
using fault::Target;

std::vector<const ActionRow*> rows_of(Target target, bool beyond) {
  std::vector<const ActionRow*> rows;
  for (const ActionRow& row : fault::catalogue())
    if (row.target == target && (row.worlds & fault::kSim) != 0 && row.beyond_budget == beyond)
      rows.push_back(&row);
  return rows;
}

void give_arguments(const ActionRow& row, Drawer& draw, fault::Rule& rule) {
  const auto& variant = row.variants[draw.below(row.variants.size(), "variant")];
  for (const auto& [name, value] : variant.arguments) rule.arguments[std::string(name)] = std::string(value);
  // Whom it strikes is anybody's guess: it may be the only server that has what clients were promised.
  rule.arguments.erase("keep_disk");
}

const char* phase_for(const ActionRow& row, Drawer& draw) {
  std::vector<const char*> phases;
  for (const auto phase : {fault::Phase::before, fault::Phase::effect, fault::Phase::reply})
    if (row.in_phase(phase)) phases.push_back(fault::to_text(phase));
  return phases[draw.below(phases.size(), "phase")];
}

// A share of all calls of a port is hit.
fault::Rule on_calls(const ActionRow& row, Drawer& draw, Duration lasting) {
  static constexpr double kShares[] = {0.01, 0.03, 0.1, 0.25};
  fault::Rule rule;
  const auto port = *fault::port_of(row.target);
  std::string call = "*";
  if (!row.calls.empty()) {
    call = std::string(row.calls);
    call = call.substr(0, call.find(' '));
  }
  rule.when = fault::Trigger{fault::Trigger::Kind::point,
                             std::string(fault::to_text(port)) + "." + call + "." + phase_for(row, draw),
                             1,
                             true,
                             {}};
  rule.probability = draw.one_of(kShares, "share");
  rule.until = lasting;
  rule.action = row.name;
  give_arguments(row, draw, rule);
  if (rule.arguments.contains("for")) rule.times = 3;
  return rule;
}

// Strikes somebody every now and then.
fault::Rule now_and_then(const ActionRow& row, Drawer& draw, Duration lasting) {
  static constexpr Duration kGaps[] = {45s, 2min, 5min};
  fault::Rule rule;
  rule.every = Distribution::exponential(draw.one_of(kGaps, "gap"));
  rule.until = lasting;
  rule.action = row.name;
  give_arguments(row, draw, rule);
  return rule;
}

// Actions on a machine that boots must be done where one does.
fault::Rule at_boot(const ActionRow& row, Drawer& draw, Duration lasting) {
  fault::Rule rule;
  rule.when = fault::Trigger{fault::Trigger::Kind::point, "vm.pending", 1, true, {}};
  rule.probability = 0.2;
  rule.until = lasting;
  rule.action = row.name;
  give_arguments(row, draw, rule);
  return rule;
}

bool is_of_boot(std::string_view name) {
  static constexpr std::string_view kNames[] = {"vm.never_boot",   "vm.slow_boot",   "vm.boot_error",
                                                "vm.boot_stopped", "vm.wrong_image", "vm.late_address",
                                                "vm.dies_after"};
  return std::ranges::find(kNames, name) != std::end(kNames);
}

}  // namespace

std::vector<fault::Rule> weather(std::uint64_t seed, const std::string& entity, Duration lasting,
                                 bool beyond_budget) {
  std::vector<fault::Rule> rules;
  if (seed % 3 == 0) return rules;
  Drawer draw(seed, entity);
  const bool beyond = beyond_budget && draw.chance(0.125, "beyond");
  for (const auto target : {Target::iaas_call, Target::agent_call, Target::store_commit, Target::vm,
                            Target::agent, Target::database, Target::manager, Target::net}) {
    if (!draw.chance(0.4, "family")) continue;
    auto rows = rows_of(target, false);
    if (beyond)
      for (const auto* row : rows_of(target, true)) rows.push_back(row);
    if (rows.empty()) continue;
    const std::uint64_t count = 1 + draw.below(2, "count");
    for (std::uint64_t i = 0; i < count; ++i) {
      const ActionRow& row = *rows[draw.below(rows.size(), "row")];
      fault::Rule rule = row.is_call()          ? on_calls(row, draw, lasting)
                         : is_of_boot(row.name) ? at_boot(row, draw, lasting)
                                                : now_and_then(row, draw, lasting);
      rule.beyond_budget = row.beyond_budget;
      rule.id = "w" + std::to_string(rules.size() + 1);
      rules.push_back(std::move(rule));
    }
  }
  return rules;
}

}  // namespace drover::explore
