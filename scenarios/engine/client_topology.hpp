// What the clients of the database believe the master's address to be. They ask the manager's get_topology
// through the network, now and then and after a write that failed, and keep what they last heard: the address
// may be of a node that is no longer the master, or dead. A question whose answer would be the one they have
// is not answered: that saves most of the cost. Scheduler's thread; part of SimWorld.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "manager/api/request.hpp"
#include "manager/runtime/scheduler.hpp"

namespace drover::scenario {

class SimWorld;

class ClientTopology {
 public:
  // `every`: between two questions; above 0.
  ClientTopology(SimWorld& world, Duration every);

  void start();
  void stop();
  // A write has failed: asks again at once, or as soon as the last question is half a second old.
  void doubt();
  // Nothing while they know of none.
  const std::optional<std::string>& master() const { return master_; }

 private:
  // What the answer to a question now would depend on.
  struct Basis {
    unsigned incarnation = 0;
    std::uint64_t epoch = 0;
    std::int64_t primary = 0;
    std::string address;
    friend bool operator==(const Basis&, const Basis&) = default;
  };

  void tick();
  void ask();
  Basis basis() const;
  void arrived(std::uint64_t question);
  void take(std::uint64_t question, const Basis& basis, const api::Response& response);

  SimWorld& world_;
  Duration every_;
  bool running_ = false;
  bool doubting_ = false;
  TimePoint asked_at_{};
  std::uint64_t asked_ = 0;
  std::uint64_t taken_ = 0;  // the newest question whose answer was taken: older answers come too late
  Basis basis_;              // of the answer that was taken
  std::optional<std::string> master_;
};

}  // namespace drover::scenario
