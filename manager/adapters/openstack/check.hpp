// What `doctor` says about an OpenStack.
#pragma once

#include <string>
#include <vector>

#include "manager/adapters/openstack/names.hpp"

namespace drover::openstack {

// Lines, "ok: …" or "problem: …". All references must outlive the task.
Task<std::vector<std::string>> check(Session& session, Names& names, const Budget& budget);

}  // namespace drover::openstack
