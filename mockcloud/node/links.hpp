// Who can reach whom, and how long it takes: the one seam between the simulated nodes and the network
// (mockcloud/sim/network.hpp); without one everybody reaches everybody. Parties are named by the instance's
// name; the manager is kManager, the clients are kClients. Scheduler's thread.
#pragma once

#include <array>
#include <string_view>

#include "manager/base/time.hpp"

namespace drover::node {

inline constexpr std::string_view kManager = "manager";
inline constexpr std::string_view kClients = "clients";

// What travels. Messages of different connections may overtake each other.
enum class Message : unsigned char {
  agent_call,   // manager -> node
  agent_reply,  // node -> manager
  heartbeat,    // node -> manager
  statement,    // clients -> node
  statement_reply,
  api_request,  // clients -> manager
  api_answer,
};

// When the copies of one message arrive, counted from now: none when it is lost.
class Arrivals {
 public:
  Arrivals() = default;
  explicit Arrivals(Duration after) { add(after); }
  void add(Duration after) {
    if (count_ < after_.size()) after_[count_++] = after;
  }
  const Duration* begin() const { return after_.data(); }
  const Duration* end() const { return after_.data() + count_; }
  std::size_t size() const { return count_; }

 private:
  std::array<Duration, 2> after_{};
  std::size_t count_ = 0;
};

class Links {
 public:
  virtual ~Links() = default;
  // Whether what `from` sends arrives at `to`; one direction only. What does not arrive is lost in silence.
  // Whoever changes the answer calls Fleet::links_changed() afterwards.
  virtual bool can_reach(std::string_view from, std::string_view to) const = 0;
  // The way from `from` to `to` of what is sent now over a connection that exists: later, never lost.
  virtual Duration delay(std::string_view from, std::string_view to) = 0;
  // The fate of one message sent now. Whether `to` can be reached is asked again when it arrives.
  virtual Arrivals send(std::string_view from, std::string_view to, Message) {
    return Arrivals(delay(from, to));
  }
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
