// Of several managers and of a journal that went back: W2 an agent obeys nobody who was replaced; S8 nobody
// stands down who was not; S12 nobody says that the journal is behind when it never lost anything.
// Single-threaded; one per world.
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

  // While a manager that was replaced lives. The result ties the answer to the command; it differs from the
  // numbers of the other checkers.
  std::uint64_t asked(const std::string& subject, const AgentCommand& command);
  void answered(std::uint64_t number, const std::string& subject, const Result<AgentReply>& reply);
  void at_point(std::string_view point, std::string_view subject);

 private:
  struct Outdated {
    std::string method;
    std::uint64_t generation = 0;
    std::uint64_t heard = 0;  // by the agent, before the command was sent
  };

  SimWorld& world_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, Outdated> outdated_;  // commands that an agent must refuse
  std::map<std::string, std::uint64_t> heard_;  // of each VM's agent: the highest generation it told
};

}  // namespace drover::scenario
