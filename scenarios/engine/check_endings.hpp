// S12, S2 and L2: what is left when something has come to its end: of an addition that failed, of a node that
// is destroyed, of a service that is called STOPPED, of a master that vanished, of a fall-back from
// semi-sync; and that a removal ends nobody who is promoted. Single-threaded; one per world.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "scenarios/engine/port_watch.hpp"
#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {

class Endings {
 public:
  explicit Endings(SimWorld& world) : world_(world) {}

  void at_point(std::string_view point, std::string_view subject);
  void asked(std::uint64_t number, const IaasCall& call);
  void answered(std::uint64_t number) { creations_.erase(number); }
  void asked(const std::string& subject, const AgentCommand& command);
  // When a run has come to rest and no fault lasts.
  void at_rest();

 private:
  struct Creation {
    TimePoint asked{};
    Duration timeout{};
  };

  bool is_shutting_down() const;
  void check_taken_back(const model::Operation& operation);
  bool has_another_part(const model::Node& node, const model::Operation& operation) const;
  void check_closed(const IaasCall& call);
  void check_still_wanted_away(const IaasCall& call);
  void check_no_creation();
  void check_chosen(const model::Operation& removal);
  void check_no_master();
  void check_semi_sync();

  SimWorld& world_;
  std::map<std::uint64_t, Creation> creations_;  // that have not been answered
  std::map<model::NodeId, TimePoint> closed_;    // when each was last told to take no writes
  std::map<model::NodeId, TimePoint> removing_;  // since when
  bool had_master_ = false;
  bool asked_to_go_ = false;  // somebody removed members, or stopped the service
};

}  // namespace drover::scenario
