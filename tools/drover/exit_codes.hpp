// The exit codes that scripts can rely on.
#pragma once

namespace drover::tools {

inline constexpr int kExitPassed = 0;
inline constexpr int kExitFailed =
    1;                                // a scenario failed, an exploration found something, a call was refused
inline constexpr int kExitUsage = 2;  // usage, or an invalid file
inline constexpr int kExitNondeterministic = 3;  // the same seed gave two traces
inline constexpr int kExitUnavailable = 4;       // the world or server asked for is not available
inline constexpr int kExitReplaced = 5;          // serve: another manager has taken over the journal

}  // namespace drover::tools
