// Volumes of Cinder.
#pragma once

#include <string>
#include <vector>

#include "manager/adapters/openstack/session.hpp"

namespace drover::openstack {

class Volumes {
 public:
  explicit Volumes(Session& session) : session_(session) {}

  Task<Result<VolumeInfo>> create(const std::string& name, unsigned gigabytes, const std::string& token,
                                  const Budget& budget);
  Task<Result<void>> attach(const std::string& volume, const std::string& instance, const Budget& budget);
  Task<Result<void>> remove(const std::string& volume, const Budget& budget);
  Task<Result<std::vector<VolumeInfo>>> list(const Budget& budget);

 private:
  // ErrorCode::invalid where the cloud has none.
  Task<Result<void>> require_service(const Budget& budget);
  Task<Result<Json>> show(const std::string& volume, const Budget& budget);
  Task<Result<void>> wait_until_available(const std::string& volume, const Budget& budget);

  Session& session_;
};

}  // namespace drover::openstack
