// The invariants that can be judged by observing real servers, the cloud, the manager's records and what the
// API answers. The simulation judges more (invariants.hpp); judged() names those of this world, and reports
// list them. Single-threaded.
#pragma once

#include <string>

#include "scenarios/local/local_world.hpp"
#include "scenarios/local/real_referee.hpp"

namespace drover::scenario {

class LocalReferee final : public RealReferee {
 public:
  explicit LocalReferee(LocalWorld& world) : RealReferee(world), world_(world) {}

  std::vector<std::string> judged() const override;
  void after_change() override;
  bool settled() override;
  std::uint64_t check_writes() override;
  void at_end(bool judged) override;

 private:
  bool is_settled(const model::Node& node) const;
  void check_instances();
  void check_members();
  void check_replicas();
  void check_server_ids();

  LocalWorld& world_;
};

}  // namespace drover::scenario
