// Small disks in memory that only this thread, and what it starts, can see: they end with the last of them,
// and leave nothing behind. Linux; needs root, or the root of a user namespace (`unshare
// --map-root-user`).
#pragma once

#include <cstdint>
#include <string>

#include "manager/base/result.hpp"

namespace drover::system {

// From now on nobody else sees what this thread mounts; for good. Errors: unavailable, with what is missing.
Result<void> keep_mounts_private();
// An empty disk in place of what the folder holds. Errors: unavailable.
Result<void> mount_disk(const std::string& folder, std::uint64_t bytes);
// It has no room beyond what it holds now. Errors: unavailable.
Result<void> fill_disk(const std::string& folder);
// It has room for so much again, what it holds included. Errors: unavailable.
Result<void> free_disk(const std::string& folder, std::uint64_t bytes);
// What it held is gone. Without effect where there is none.
void unmount_disk(const std::string& folder);

}  // namespace drover::system
