// The VMs that this manager has destroyed, as the cloud confirmed. A listing that lags shows them for a
// while, and then they are no orphans; one that is still listed after kBelieved is not gone, whatever the
// cloud has said. Kept in memory only: a later life that sees one destroys it once more, which does no harm.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "manager/base/time.hpp"

namespace drover::ops {

class Departed {
 public:
  static constexpr Duration kBelieved = std::chrono::minutes(10);

  void add(std::string vm, TimePoint now) {
    forget(now);
    order_.push_back(vm);
    since_.insert_or_assign(std::move(vm), now);
  }
  bool contains(const std::string& vm, TimePoint now) const {
    const auto found = since_.find(vm);
    return found != since_.end() && now - found->second < kBelieved;
  }

 private:
  void forget(TimePoint now) {
    for (; !order_.empty() && !contains(order_.front(), now); order_.pop_front())
      since_.erase(order_.front());
  }

  std::deque<std::string> order_;
  std::map<std::string, TimePoint> since_;
};

}  // namespace drover::ops
