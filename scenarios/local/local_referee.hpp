// The invariants that can be judged by observing real servers, the cloud, the manager's records and what the
// API answers. The simulation judges more (invariants.hpp); judged() names those of this world, and reports
// list them. Single-threaded.
#pragma once

#include <map>
#include <string>

#include "scenarios/local/local_world.hpp"

namespace drover::scenario {

class LocalReferee final : public Referee {
 public:
  explicit LocalReferee(LocalWorld& world);
  ~LocalReferee() override;
  LocalReferee(const LocalReferee&) = delete;
  LocalReferee& operator=(const LocalReferee&) = delete;

  std::vector<std::string> judged() const override;
  void acknowledged(model::OperationId operation, const std::string& key) override;
  void after_change() override;
  void after_event() override;
  bool settled() override;
  std::uint64_t check_writes() override;
  void at_end(bool judged) override;

 private:
  bool is_settled(const model::Node& node) const;
  void check_acknowledged();
  void check_instances();
  void check_members();
  void check_replicas();
  void check_server_ids();
  void check_secret(const std::string& text, const char* where);

  LocalWorld& world_;
  std::map<model::OperationId, std::string> acknowledged_;  // and their keys
  std::map<std::string, model::OperationId> keys_;
};

}  // namespace drover::scenario
