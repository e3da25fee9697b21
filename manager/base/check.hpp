// Broken invariants end the process, in release builds too: a manager that no longer knows what it owns must
// not go on buying and deleting VMs. For what may legitimately fail use Result (result.hpp).
#pragma once

namespace drover {

// Prints the condition, the place and the message to stderr and aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line, const char* message);

}  // namespace drover

#define DROVER_CHECK(condition, message)                                                 \
  do {                                                                                   \
    if (!(condition)) ::drover::check_failed(#condition, __FILE__, __LINE__, (message)); \
  } while (false)
