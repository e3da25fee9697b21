// Plans as JSON, for searches that are interrupted and taken up again. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "manager/base/result.hpp"
#include "scenarios/explore/plan.hpp"

namespace drover::explore {

nlohmann::json to_json(const Plan& plan);
// Errors: ErrorCode::invalid for what to_json() did not write.
Result<Plan> plan_of(const nlohmann::json& saved);

}  // namespace drover::explore
