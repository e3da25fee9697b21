// The checkers of every run: safety S1–S12 after each event that could break it, liveness L1–L7 at the end
// (L7 always), and W1–W2, the rules that the simulated cloud and servers themselves keep. They look at the
// truth (cloud, servers), at the journal, at the manager's calls and at what it says, and stand apart from
// all of them. What a fault explains is excused for whom it was done to, and for no longer than it lasts
// (evidence.hpp).
//
// This class is the frame: the subjects have classes and sources of their own (check_*.hpp,
// invariants_*.cpp).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "scenarios/engine/check_answers.hpp"
#include "scenarios/engine/check_cloud.hpp"
#include "scenarios/engine/check_death.hpp"
#include "scenarios/engine/check_endings.hpp"
#include "scenarios/engine/check_master.hpp"
#include "scenarios/engine/check_obedience.hpp"
#include "scenarios/engine/check_repeats.hpp"
#include "scenarios/engine/check_servers.hpp"
#include "scenarios/engine/check_states.hpp"
#include "scenarios/engine/check_write_ahead.hpp"
#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {

// One row per invariant, for docs and reports.
struct Invariant {
  const char* name;
  const char* says;
};
std::span<const Invariant> invariants();

class Checkers final : public Referee, private PortWatch {
 public:
  explicit Checkers(SimWorld& world);
  ~Checkers() override;
  Checkers(const Checkers&) = delete;
  Checkers& operator=(const Checkers&) = delete;

  // Referee.
  std::vector<std::string> judged() const override;
  void after_change() override;
  void after_event() override;
  void acknowledged(model::OperationId operation, const std::string& key) override {
    answers_.acknowledged(operation, key);
  }

  bool settled() override;
  void at_end(bool judged) override;
  bool writes_may_be_lost() const;
  bool are_kept_elsewhere();
  std::uint64_t check_writes() override;

 private:
  // PortWatch.
  std::uint64_t asked(const IaasCall& call, const InstanceSpec* spec) override;
  void answered(std::uint64_t number, const IaasCall& call, const IaasAnswer& answer) override;
  std::uint64_t asked(const std::string& subject, const AgentCommand& command, Duration timeout) override;
  void answered(std::uint64_t number, const std::string& subject, const AgentCommand& command,
                const Result<AgentReply>& reply) override;

  void at_point(std::string_view point, std::string_view subject);
  void requested(const api::Request& request);
  void stored(const Change& change, const std::string& before);

  // invariants_instances.cpp
  void check_instances();
  void check_surplus(const cloud::Instance& vm, const std::string& subject);
  void check_foreign(const std::string& vm);
  void check_discarded(const std::string& vm);
  void check_gone(const std::string& vm);
  bool holds_data(const std::string& vm);
  bool is_only_witness(const std::string& id);
  void check_bounds();
  // invariants_operations.cpp
  void check_running(const std::string& subject, bool kept, bool found);
  void check_lost(const std::string& subject);
  void check_removed(const std::string& subject);
  void check_stopped();
  void check_operation_done(const std::string& subject);
  void check_promoted(const std::string& subject, const model::Node& node);
  void check_restart();
  // invariants_secrets.cpp
  void watch_secrets();
  bool holds_secret(std::string_view text) const;
  void check_secret(std::string_view text, const char* where);
  // invariants_liveness.cpp
  bool is_settled(const model::Node& node);
  bool is_slow_yet(const cloud::Instance& vm, const node::NodeTruth& truth) const;
  bool is_begun_again(const model::Operation& operation) const;
  std::size_t leaked_instances(TimePoint made_before = kNever) const;
  TimePoint became_master(model::NodeId master) const;
  void check_death(const std::string& subject);
  void check_members();
  void check_clients();
  void check_replicas();
  bool waits_for_a_silent_one();
  void check_refused(const model::Node& primary, const model::Node& node);
  void check_reads();
  void count_repairs(const std::string& subject);

  SimWorld& world_;
  WriteAhead write_ahead_;
  Repeats repeats_;
  States states_;
  Servers servers_;
  Deaths deaths_;
  Masters masters_;
  Endings endings_;
  CloudRules cloud_;
  Obedience obedience_;
  std::uint64_t by_several_ = 0;  // commands sent while a manager that was replaced lives
  Answers answers_;
  TimePoint looked_at_ = kEpoch;                  // whether everything had come to rest
  std::set<model::NodeId> lost_and_up_;           // then: members that are called LOST, and whose agents run
  double managers_ = 1;                           // the most that lived at the same time
  std::uint64_t nodes_ever_ = 0;                  // that the journal has ever counted
  unsigned losses_ = 0;                           // of the journal, that are known
  std::uint64_t epoch_ = 0;                       // the highest that was ever in the journal
  std::map<std::string, std::string> living_;     // VMs of ours that live, and whose they are
  std::map<std::string, std::string> newest_of_;  // the newest VM seen of each node
  std::set<std::string> doomed_;                  // VMs that the manager wanted destroyed
  std::set<std::string> granted_;                 // VMs whose destruction the cloud has accepted
  std::set<std::string> removing_;                // nodes, until they are RUNNING again
  std::set<std::string> lost_;                    // likewise
  std::map<std::string, unsigned> repairs_;       // of each node since it became quiet
  std::size_t secrets_watched_ = 0;
  TimePoint instant_{};
  std::uint64_t events_at_instant_ = 0;
  TimePoint shutdown_at_{};
  std::uint64_t stale_reads_ = 0;
  bool promised_ = true;  // no server lost its disk so far: acknowledged writes must be there
};

}  // namespace drover::scenario
