// What a fault needs of the machine that it is made on, in the world of real servers on one machine.
#pragma once

#include "mockcloud/fault/catalogue.hpp"

namespace drover::fault {

// Both take root, or the root of a user namespace.
enum class LocalNeed : unsigned char {
  none,
  network,  // of each VM's own
  disk,
};

inline LocalNeed local_need_of(const ActionRow& row) {
  if ((row.worlds & kLocal) == 0) return LocalNeed::none;
  if (row.target == Target::net) return LocalNeed::network;
  return row.name.ends_with(".disk_full") ? LocalNeed::disk : LocalNeed::none;
}

}  // namespace drover::fault
