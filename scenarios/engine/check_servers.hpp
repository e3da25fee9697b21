// Database servers as they really are: S2 by truth (who takes client writes, and who may), S9, and W2: what a
// MariaDB server never does, so that a simulated one that does is not mistaken for the world.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {

class Servers {
 public:
  explicit Servers(SimWorld& world) : world_(world), strict_(world.scenario().agents.boolean("strict")) {}

  // Looks at the servers that changed since the last call, and at who may be writable now.
  void after_change();
  // A server has just told a client that its write is safe.
  void acknowledged(const node::SimServer& server, node::Stamp stamp);
  // Everything that costs a walk over the data.
  void at_end();

  // The manager tells a node to replicate: what its relay log holds is thrown away, also what it has
  // confirmed.
  void told_to_replicate(const std::string& vm) { seen_[vm].told_at = world_.scheduler().now(); }
  // Since when this VM's server has taken writes from clients; kNever when it does not.
  TimePoint taking_since(const std::string& vm) const;
  // Since when this VM's server process has run, as far as anybody has looked; kNever when it does not.
  TimePoint running_since(const std::string& vm) const;

 private:
  struct Seen {
    TimePoint open_since = kNever;         // kNever: it is read-only
    TimePoint taking_since = kNever;       // kNever: it takes no writes from clients, for whatever reason
    TimePoint running_since = kNever;      // its present process; kNever: it does not run
    TimePoint down_at = TimePoint{} - 1h;  // its latest end
    TimePoint twin_at = TimePoint{} - 1h;  // until when another had its server_id
    TimePoint told_at = TimePoint{} - 1h;  // to replicate, last
    bool twin = false;
    std::uint64_t process = 0;
    std::uint64_t data_generation = 0;
    std::uint64_t epoch = 0;  // the highest that its agent has heard of
    node::GtidPosition slave_pos;
  };

  void look_at(const std::string& id);
  void look_for_twins(const std::string& id);
  void check_replication(const std::string& id, const node::NodeTruth& truth, const node::SimServer& server);
  void check_position(Seen& seen, const std::string& id, const node::NodeTruth& truth,
                      const node::SimServer& server);
  void check_server_id(const std::string& id);
  void check_writable();
  void check_open_replicas();
  bool is_beyond_knowledge(const std::string& id) const;
  bool may_be_writable(const cloud::Instance& vm) const;
  // Whether servers may hold what their source never had.
  bool data_was_tampered_with() const;

  SimWorld& world_;
  std::map<std::string, Seen> seen_;
  std::map<std::string, TimePoint> writable_;          // servers that take client writes, since when
  std::map<std::string, TimePoint> open_replicas_;     // replicas that are not read-only, since when
  std::map<std::uint32_t, model::NodeId> server_ids_;  // who was given each, last
  const bool strict_;                                  // gtid_strict_mode
  bool lost_a_disk_ = false;
};

// What the counters of a server with this data must be, by number; nothing when a dump has set some of them.
std::optional<std::vector<std::uint64_t>> counted_in(const node::StampSet& data, const node::Ledger& ledger);

}  // namespace drover::scenario
