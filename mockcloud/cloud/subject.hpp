// Whom an observation of a VM is about, as fault rules name it.
#pragma once

#include <string>

#include "manager/ports/iaas.hpp"

namespace drover::cloud {

// "node-3" for a VM of a service (its tag is "node-3.1"), else its name.
inline std::string subject_of(const std::string& name, const Tags& tags) {
  for (const auto& [key, value] : tags)
    if (key == kNodeTag) return value.substr(0, value.find('.'));
  return name;
}

}  // namespace drover::cloud
