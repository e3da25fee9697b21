// drover run --world cloud: from the configuration of drover serve to the place where scenarios run.
#pragma once

#include <string>

#include "scenarios/cloud/cloud_stage.hpp"

namespace drover::tools {

// `config` is a file as drover serve takes it, with `cloud: ec2` (or openstack, opennebula). Errors: invalid,
// unavailable, with what to do.
Result<scenario::CloudPlace> open_cloud_place(const std::string& config);

// A name that no other run has: "drover-run-" and eight digits.
Result<std::string> new_run_name();

}  // namespace drover::tools
