// Faults in a serving process: the actions of a --faults file that are made on VMs, agents and servers of the
// mock cloud. Faults of calls are made by the decorators around the ports. Scheduler's thread only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mockcloud/cloud/cloud.hpp"
#include "mockcloud/fault/engine.hpp"
#include "mockcloud/node/fleet.hpp"

namespace drover::tools {

// The rules of a scenario file, their times moved so that they count from `start`. Errors: invalid with
// "file:line:column: message", not_found, and unavailable for actions that a serving process cannot make.
Result<std::vector<fault::Rule>> load_fault_rules(const std::string& path, TimePoint start);

class ServeFaults final : public fault::ActionSink {
 public:
  ServeFaults(Scheduler& scheduler, Domain& domain, Choices& choices, cloud::Cloud& cloud, node::Fleet& fleet,
              std::function<void(const std::string&)> log)
      : scheduler_(scheduler),
        domain_(domain),
        choices_(choices),
        cloud_(cloud),
        fleet_(fleet),
        log_(std::move(log)) {}
  // Set before the first rule can fire.
  void set_engine(fault::Engine& engine) { engine_ = &engine; }

  void perform(const fault::Action& action) override;

 private:
  Result<void> act(const fault::Action& action, const std::string& id);

  Scheduler& scheduler_;
  Domain& domain_;
  Choices& choices_;
  cloud::Cloud& cloud_;
  node::Fleet& fleet_;
  std::function<void(const std::string&)> log_;
  fault::Engine* engine_ = nullptr;
};

}  // namespace drover::tools
