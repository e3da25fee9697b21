#include "manager/base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace drover {

void check_failed(const char* condition, const char* file, int line, const char* message) {
  std::fprintf(stderr, "drover: broken invariant: %s (%s) at %s:%d\n", message, condition, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace drover
