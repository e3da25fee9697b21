// Random weather for one run: a seed draws which families of faults there are, and how often each strikes.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "mockcloud/fault/rule.hpp"

namespace drover::explore {

// `entity` keeps the draws of different files apart; faults strike until `lasting` at the latest. One seed in
// three is calm. Beyond the budget (when allowed) is one in eight, then judged by safety alone.
std::vector<fault::Rule> weather(std::uint64_t seed, const std::string& entity, Duration lasting,
                                 bool beyond_budget);

}  // namespace drover::explore
