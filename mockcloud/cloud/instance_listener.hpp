// What the cloud tells the machines inside it: the seam between the cloud's lifecycle (mockcloud/cloud) and
// the agents and servers that run on its instances (mockcloud/node).
#pragma once

#include <string>

#include "manager/ports/iaas.hpp"

namespace drover::cloud {

class InstanceListener {
 public:
  virtual ~InstanceListener() = default;
  // The operating system has booted (first boot, or start after stop). `info.address` may still be empty.
  virtual void instance_booted(const InstanceInfo& info, const std::string& user_data) = 0;
  // A reboot: processes are gone and come back; without `keep_disk` the data is gone too.
  virtual void instance_rebooted(const std::string& id, bool keep_disk) = 0;
  virtual void instance_address_changed(const std::string& id, const std::string& address) = 0;
  // Frozen: keeps its state, answers nothing (true), or goes on where it was (false).
  virtual void instance_paused(const std::string& id, bool paused) = 0;
  // Powered off (stopped, crashed); with its disk.
  virtual void instance_stopped(const std::string& id) = 0;
  // Gone for good, with its disk.
  virtual void instance_terminated(const std::string& id) = 0;
};

}  // namespace drover::cloud
