#include "manager/ports/iaas.hpp"

namespace drover {

const char* to_text(InstanceState state) {
  switch (state) {
    case InstanceState::pending:
      return "pending";
    case InstanceState::running:
      return "running";
    case InstanceState::rebooting:
      return "rebooting";
    case InstanceState::stopping:
      return "stopping";
    case InstanceState::stopped:
      return "stopped";
    case InstanceState::shutting_down:
      return "shutting-down";
    case InstanceState::terminated:
      return "terminated";
    case InstanceState::error:
      return "error";
  }
  return "?";
}

}  // namespace drover
