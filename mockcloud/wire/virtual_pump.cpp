#include "mockcloud/wire/virtual_pump.hpp"

#include "manager/base/check.hpp"

namespace drover::wire {

VirtualPump::VirtualPump(asio::io_context& io, Scheduler& scheduler, const WireTraffic& traffic,
                         std::chrono::seconds patience)
    : io_(io), scheduler_(scheduler), traffic_(traffic), patience_(patience) {}

void VirtualPump::run(TimePoint limit, const std::function<bool()>& go_on) {
  // One event at a time, and behind each the bytes that it sent: the order of events never depends on how
  // fast they travel.
  let_bytes_arrive();
  while (go_on() && scheduler_.run_one(limit)) let_bytes_arrive();
}

void VirtualPump::let_bytes_arrive() {
  const auto given_up = std::chrono::steady_clock::now() + patience_;
  while (!traffic_.quiet()) {
    if (io_.stopped()) io_.restart();
    io_.run_one_for(patience_);
    DROVER_CHECK(std::chrono::steady_clock::now() < given_up,
                 "bytes sent on a socket of this process did not arrive");
  }
}

}  // namespace drover::wire
