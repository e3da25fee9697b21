// The checkers of every run: safety S1–S12 after each event that could break it, liveness L1–L7 at the end
// (L7 always). They look at the truth (cloud, servers) and at what the manager says, and stand apart from
// both.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {

// One row per invariant, for docs and reports.
struct Invariant {
  const char* name;
  const char* says;
};
std::span<const Invariant> invariants();

class Checkers {
 public:
  explicit Checkers(SimWorld& world);

  // After an event that changed something (the caller looks at the trace's count).
  void after_change();
  // After every event, cheap: livelock and unanswered calls.
  void after_event();

  // A client was told of an accepted operation: from now on it must survive (S8), and be the only one of its
  // key (S7).
  void acknowledged(model::OperationId operation, const std::string& key);

  // Whether nothing is under way any more and what is wanted is there: what settling waits for.
  bool settled();
  // Liveness, once everything had its time. `judged`: false when a fault beyond the budget has fired.
  void at_end(bool judged);
  // Acknowledged writes that the master does not have: a failure where they were promised, else counted.
  // Returns the number lost without having been promised.
  std::uint64_t check_writes();

 private:
  void at_point(std::string_view point, std::string_view subject);
  void check_masters();
  void check_instances();
  void check_nodes();
  void check_reads();
  void check_killed(const std::string& vm);
  bool holds_data(const std::string& vm);
  void check_running(const std::string& subject);
  void check_stopped();
  void check_operation_done(const std::string& subject);
  void check_restart();
  void check_secrets();
  void check_bounds();
  void check_replicas();
  std::uint64_t fired() const;

  SimWorld& world_;
  std::uint64_t epoch_ = 0;
  std::map<model::OperationId, std::string> acknowledged_;
  std::map<std::string, model::OperationId> keys_;
  std::map<std::string, TimePoint> writable_replicas_;  // since when
  std::map<std::string, std::string> living_;           // tagged VMs that live, and whose they are
  std::map<std::string, std::string> newest_of_;        // the newest VM seen of each node
  std::map<std::uint32_t, model::NodeId> server_ids_;   // who was given each, last
  TimePoint instant_{};
  std::uint64_t events_at_instant_ = 0;
  std::uint64_t stale_reads_ = 0;
  bool promised_ = true;  // no server lost its disk so far: acknowledged writes must be there
};

}  // namespace drover::scenario
