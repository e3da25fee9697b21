// S5 by a second pair of eyes: the legal transitions of service, nodes and operations, written down again
// (a test compares them with the manager's own tables), against what the model and the journal really say. A
// state that is changed behind the tables' back, or a table that became looser, shows here.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {

template <class State>
using StatePair = std::pair<State, State>;  // from, to

// The checker's own tables.
std::span<const StatePair<model::ServiceState>> legal_service_steps();
std::span<const StatePair<model::NodeState>> legal_node_steps();
std::span<const StatePair<model::OperationState>> legal_operation_steps();

class States {
 public:
  explicit States(SimWorld& world) : world_(world) {}

  // A transition that the manager announces ("node.running", "node-3").
  void at_point(std::string_view point, std::string_view subject);
  // A client asks for a service that was stopped, or has failed, to be started.
  void startup_requested() { start_wanted_ = true; }
  // What the manager holds now agrees with what it announced.
  void after_change();
  // A document was stored; "" before: none was there.
  void stored(const Change& change, const std::string& before);
  // The journal was put back to an earlier state: its numbers are given once more.
  void forget() { erased_.clear(); }
  // What the journal says of the members is what the manager holds. For a run that has come to rest; of few
  // members after every commit.
  void at_rest();

 private:
  void begin();  // another manager has read its journal
  void check_service();
  void check_nodes();
  void check_operations();
  void stored_service(const Change& change, const std::string& before);
  void stored_operation(const Change& change, const std::string& before);
  void report(const std::string& who, const std::string& from, const std::string& to,
              const std::string& where);

  SimWorld& world_;
  std::optional<model::ServiceState> service_;
  std::map<model::NodeId, model::NodeState> nodes_;
  std::map<model::OperationId, model::OperationState> operations_;  // that have not ended
  std::map<model::NodeId, std::string> erased_;                     // from the journal; the VM it had
  std::uint64_t changes_ = 0;
  bool stored_ = false;        // something, since the records were compared
  bool start_wanted_ = false;  // since the service last ran
};

}  // namespace drover::scenario
