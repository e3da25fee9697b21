// What is judged in every world of real agents: what the API has promised, and whether the manager comes to
// rest. Single-threaded.
#pragma once

#include <map>
#include <string>

#include "scenarios/local/real_world.hpp"

namespace drover::scenario {

class RealReferee : public Referee {
 public:
  ~RealReferee() override;
  RealReferee(const RealReferee&) = delete;
  RealReferee& operator=(const RealReferee&) = delete;

  void acknowledged(model::OperationId operation, const std::string& key) override;
  void after_event() override;

 protected:
  explicit RealReferee(RealWorld& world);
  // Nothing is under way, and no VM is unaccounted for.
  bool is_at_rest() const;
  // S8, L1, L2 and L3 at the end. Whether the rest can be judged.
  bool check_manager(bool judged);

 private:
  void check_acknowledged();
  void check_secret(const std::string& text, const char* where);

  RealWorld& real_;
  std::map<model::OperationId, std::string> acknowledged_;  // and their keys
  std::map<std::string, model::OperationId> keys_;
};

}  // namespace drover::scenario
