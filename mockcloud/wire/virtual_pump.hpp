// Drives a Scheduler and the sockets of an io_context together in virtual time, where both ends of every
// connection are in this process: time stands still while bytes are under way (WireTraffic), and jumps to the
// next event when nothing is. What happens is then decided by the scheduler alone, not by the machine's
// speed. Single-threaded.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>

#include "manager/runtime/scheduler.hpp"
#include "manager/system/wire_traffic.hpp"

namespace drover::wire {

class VirtualPump {
 public:
  // All must outlive the pump. Bytes that do not arrive within `patience` of real time are a broken
  // invariant: the process ends with a message.
  VirtualPump(asio::io_context& io, Scheduler& scheduler, const WireTraffic& traffic,
              std::chrono::seconds patience = std::chrono::seconds(60));

  // Runs until `go_on` (asked after every event) says false, no event is left before `limit`, or `limit` is
  // reached.
  void run(TimePoint limit, const std::function<bool()>& go_on);

  // The way for a socket's completion into the scheduler: what clients and servers are given as `enter`.
  void enter(std::move_only_function<void()> input) { input(); }

 private:
  // Lets the sockets work until nothing is under way; false when `go_on` said so meanwhile.
  void let_bytes_arrive();

  asio::io_context& io_;
  Scheduler& scheduler_;
  const WireTraffic& traffic_;
  std::chrono::seconds patience_;
};

}  // namespace drover::wire
