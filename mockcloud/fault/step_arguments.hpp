// The arguments of a fault that a step of a scenario makes by itself.
#pragma once

#include <map>
#include <string>

#include "manager/base/result.hpp"
#include "mockcloud/fault/catalogue.hpp"

namespace drover::fault {

// As check_rule, of an action that is no call's. What a value with a "$" stands for is known when the step is
// taken. Errors: invalid.
Result<void> check_step_arguments(const ActionRow& row, const std::map<std::string, std::string>& arguments);

}  // namespace drover::fault
