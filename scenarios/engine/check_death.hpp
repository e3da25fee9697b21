// L5: whether an automatic fail-over had a reason to close the master, judged by what the manager can have
// known: more than half of the slaves have answered since it began to doubt, and a server that only hangs has
// done so for as long as the configuration says; whether it has paused after the one before; and whether a
// node that is called LOST has missed as many looks as that takes. Single-threaded; one per world.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {

class Deaths {
 public:
  explicit Deaths(SimWorld& world) : world_(world) {}

  void at_point(std::string_view point, std::string_view subject);
  // A person asks for a fail-over, and need not wait as the manager does.
  void requested() { requested_ = true; }
  void asked(std::uint64_t number, std::string_view subject, const AgentCommand& command, Duration timeout);
  // An agent's answer, as it came to the manager.
  void answered(std::uint64_t number, std::string_view subject, const AgentCommand& command,
                const Result<AgentReply>& reply);
  void after_change();

 private:
  static model::NodeId model_id(std::string_view subject);
  struct Look {
    TimePoint asked{};
    Duration timeout{};
  };

  void check_missed(model::NodeId id);
  void check_pause(const model::Operation& operation);
  void check_slaves(const model::Node& former);
  void check_hang(const model::Node& former);

  SimWorld& world_;
  std::map<model::NodeId, TimePoint> answers_;  // the latest of each node
  std::map<model::NodeId, TimePoint> unwell_;   // the first look of the watch since it was last told "well"
  std::map<model::NodeId, std::map<std::uint64_t, Look>> missed_;  // looks that were not answered in time
  std::set<model::OperationId> judged_;
  TimePoint doubt_ = kEpoch;         // since when the master is suspected
  TimePoint silent_since_ = kNever;  // since when the master's server answers nobody
  std::string silent_;               // its VM
  bool requested_ = false;
  bool former_managers_ = false;  // whose looks are not told apart from this one's
};

}  // namespace drover::scenario
