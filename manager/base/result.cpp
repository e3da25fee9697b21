#include "manager/base/result.hpp"

namespace drover {

const char* to_text(ErrorCode code) {
  switch (code) {
    case ErrorCode::unknown:
      return "unknown";
    case ErrorCode::invalid:
      return "invalid";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::already_exists:
      return "already_exists";
    case ErrorCode::wrong_state:
      return "wrong_state";
    case ErrorCode::quota:
      return "quota";
    case ErrorCode::capacity:
      return "capacity";
    case ErrorCode::throttled:
      return "throttled";
    case ErrorCode::unauthenticated:
      return "unauthenticated";
    case ErrorCode::permission:
      return "permission";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::connection_lost:
      return "connection_lost";
    case ErrorCode::protocol:
      return "protocol";
    case ErrorCode::storage:
      return "storage";
    case ErrorCode::fenced:
      return "fenced";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::database:
      return "database";
    case ErrorCode::internal:
      return "internal";
  }
  return "unknown";
}

}  // namespace drover
