// Of several managers and of a journal that went back: W2 an agent obeys nobody who was replaced, and no
// order of an epoch that is over; S8 nobody stands down who was not; S12 nobody says that the journal is
// behind when it never lost anything. Single-threaded; one per world.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "scenarios/engine/port_watch.hpp"
#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {

class Obedience {
 public:
  explicit Obedience(SimWorld& world) : world_(world) {}

  // `number` ties the answer to the command.
  void asked(std::uint64_t number, const std::string& subject, const AgentCommand& command);
  void answered(std::uint64_t number, const std::string& subject, const Result<AgentReply>& reply);
  void at_point(std::string_view point, std::string_view subject);

 private:
  // The highest that an agent has told.
  struct Heard {
    std::uint64_t generation = 0;
    std::uint64_t epoch = 0;
  };
  struct Outdated {
    std::string what;  // "set_read_only of generation 4 after it had heard of generation 5"
    std::string fingerprint;
  };

  SimWorld& world_;
  std::map<std::uint64_t, Outdated> outdated_;  // commands that an agent must refuse
  std::map<std::string, Heard> heard_;          // by VM
};

}  // namespace drover::scenario
