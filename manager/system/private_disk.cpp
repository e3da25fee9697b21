#include "manager/system/private_disk.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>

namespace drover::system {
namespace {

constexpr int kAttempts = 20;  // somebody may write between the question and the answer

Error no_disk(const std::string& what, int number) {
  std::string text = what + ": " + std::strerror(number);
  if (number == EPERM || number == EACCES)
    text += "; it takes root, or the root of a user namespace: unshare --map-root-user drover …";
  return make_error(ErrorCode::unavailable, std::move(text));
}

std::string size_option(std::uint64_t bytes) { return "size=" + std::to_string(bytes); }

}  // namespace

Result<void> keep_mounts_private() {
  if (::unshare(CLONE_NEWNS) != 0) return no_disk("a view of its own on the disks cannot be made", errno);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0)
    return no_disk("mounts cannot be kept private", errno);
  return success();
}

Result<void> mount_disk(const std::string& folder, std::uint64_t bytes) {
  const std::string options = size_option(bytes) + ",mode=0700";
  if (::mount("drover", folder.c_str(), "tmpfs", MS_NODEV | MS_NOSUID, options.c_str()) != 0)
    return no_disk("no small disk can be mounted at " + folder, errno);
  return success();
}

Result<void> fill_disk(const std::string& folder) {
  int number = 0;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    struct statvfs room {};
    if (::statvfs(folder.c_str(), &room) != 0) return no_disk(folder, errno);
    const std::string options = size_option((room.f_blocks - room.f_bfree) * room.f_frsize);
    if (::mount(nullptr, folder.c_str(), nullptr, MS_REMOUNT | MS_NODEV | MS_NOSUID, options.c_str()) == 0)
      return success();
    number = errno;
  }
  return no_disk(folder + " cannot be filled", number);
}

Result<void> free_disk(const std::string& folder, std::uint64_t bytes) {
  if (::mount(nullptr, folder.c_str(), nullptr, MS_REMOUNT | MS_NODEV | MS_NOSUID,
              size_option(bytes).c_str()) != 0)
    return no_disk(folder + " cannot be made larger", errno);
  return success();
}

void unmount_disk(const std::string& folder) { (void)::umount2(folder.c_str(), MNT_DETACH); }

}  // namespace drover::system
