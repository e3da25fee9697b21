// The VMs of a listing that comes in overlapping pages. Internal to the driver.
#pragma once

#include <algorithm>
#include <vector>

#include "manager/adapters/opennebula/vm_words.hpp"

namespace drover {

struct OpenNebulaCloud::Listing {
  std::vector<opennebula::VmRecord> records;

  // Adds a page; false when it does not begin with the VM that the last one ended with.
  bool join(std::vector<opennebula::VmRecord> page) {
    if (records.empty()) {
      records = std::move(page);
      return true;
    }
    if (page.empty() || page.front().id != records.back().id) return false;
    records.insert(records.end(), std::make_move_iterator(page.begin() + 1),
                   std::make_move_iterator(page.end()));
    return true;
  }
  // By id: in the order of creation. New VMs may have pushed others into a second page: each once.
  void sort() {
    std::stable_sort(records.begin(), records.end(),
                     [](const auto& a, const auto& b) { return a.id < b.id; });
    records.erase(std::unique(records.begin(), records.end(),
                              [](const auto& a, const auto& b) { return a.id == b.id; }),
                  records.end());
  }
};

}  // namespace drover
