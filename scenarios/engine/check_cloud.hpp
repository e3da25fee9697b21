// W1: the rules that a cloud keeps by itself, so that a simulated one that breaks them is not mistaken for
// the world: lifecycle, tokens, what calls answer. Sits right above the cloud, below the faults.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {

class CloudRules final : public CloudWatch {
 public:
  explicit CloudRules(SimWorld& world) : world_(world) {}

  // The cloud says that an instance changed (or, new, was made).
  void changed(const cloud::Instance& vm, InstanceState from) override;
  // The cloud's answers, before any fault had a hand in them. `asked`: when the call arrived.
  void created(const InstanceSpec& spec, const std::string& token,
               const Result<InstanceInfo>& answer) override;
  void killed(const std::string& id, const Result<void>& answer) override;
  void looked(const std::string& id, TimePoint asked, const Result<InstanceInfo>& answer) override;
  void listed(const std::string& key, const std::string& value, TimePoint asked,
              const Result<std::vector<InstanceInfo>>& answer) override;

 private:
  void report(const std::string& what, const std::string& fingerprint);
  void check_goes_on(const std::string& key, const std::string& value, TimePoint asked,
                     const std::vector<InstanceInfo>& infos);
  void check_told(const InstanceInfo& info, TimePoint asked);

  SimWorld& world_;
  std::map<std::string, std::string> tokens_;   // which VM each token made
  std::map<std::string, InstanceState> shown_;  // as what each was last listed, where listings lag
  TimePoint latest_listing_{};                  // when the latest of those was asked for
};

// The checker's own table of the lifecycle.
bool is_legal_step(InstanceState from, InstanceState to);

}  // namespace drover::scenario
