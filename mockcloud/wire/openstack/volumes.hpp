// Volumes under Cinder's ids, and what only Cinder knows of them: names of any kind and metadata.
#pragma once

#include <optional>
#include <string>

#include "mockcloud/wire/openstack/exchange.hpp"

namespace drover::wire::openstack {

class Volumes {
 public:
  explicit Volumes(Backend& backend) : backend_(backend) {}

  static std::string uuid_of(const std::string& id);  // of "vol-00000001"; "" for what is none
  // The cloud's id; "" for every text that is no volume's UUID.
  static std::string id_of(const std::string& uuid);
  const cloud::Volume* find(const std::string& uuid) const;

  // Details {"name", "metadata", "created"} of a volume that is being created, under a number: its id is not
  // known yet, and the answer that tells it may be lost.
  std::string keep_pending(const std::string& name, unsigned gigabytes, Json details);
  void forget_pending(const std::string& number);
  void settle(const std::string& number, const std::string& id);
  // A volume without details takes those of the first pending creation of its name and size.
  Json details(const cloud::Volume& volume);
  void forget(const std::string& id);

 private:
  Backend& backend_;
};

}  // namespace drover::wire::openstack
