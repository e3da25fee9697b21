// Who can reach whom, and how long it takes: the one seam between the simulated nodes and the network. A
// simulated network with partitions replaces the default, where everybody reaches everybody. Parties are
// named by the instance's name; the manager is kManager, the clients are kClients. Scheduler's thread.
#pragma once

#include <string_view>

#include "manager/base/time.hpp"

namespace drover::node {

inline constexpr std::string_view kManager = "manager";
inline constexpr std::string_view kClients = "clients";

class Links {
 public:
  virtual ~Links() = default;
  // Whether what `from` sends arrives at `to`; one direction only. What does not arrive is lost in silence.
  // Whoever changes the answer calls Fleet::links_changed() afterwards.
  virtual bool can_reach(std::string_view from, std::string_view to) const = 0;
  // The way from `from` to `to` of one message sent now.
  virtual Duration delay(std::string_view from, std::string_view to) = 0;
};

// Everybody reaches everybody, always in the same time.
class OpenLinks final : public Links {
 public:
  explicit OpenLinks(Duration delay = 500us) : delay_(delay) {}
  bool can_reach(std::string_view, std::string_view) const override { return true; }
  Duration delay(std::string_view, std::string_view) override { return delay_; }

 private:
  Duration delay_;
};

}  // namespace drover::node
