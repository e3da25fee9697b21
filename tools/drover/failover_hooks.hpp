// Programs that are run before and after a fail-over: PROGRAM begin|end OPERATION FORMER FORMER_ADDRESS
// SUCCESSOR SUCCESSOR_ADDRESS ERROR, without a shell; what is not known is "". Exit code 0: it agrees. Looked
// after on the scheduler, so that nothing blocks.
#pragma once

#include <string>

#include "manager/ops/config.hpp"
#include "manager/runtime/scheduler.hpp"

namespace drover::tools {

struct HookSettings {
  std::string before, after;  // paths; "" for none
  Duration timeout{10s};      // then it is killed, and counts as failed
};

class FailoverHooks {
 public:
  FailoverHooks(Scheduler& scheduler, HookSettings settings)
      : scheduler_(scheduler), domain_(scheduler), settings_(std::move(settings)) {}
  FailoverHooks(const FailoverHooks&) = delete;
  FailoverHooks& operator=(const FailoverHooks&) = delete;

  // For ops::Hooks::fail_over.
  void run(const ops::FailoverNotice& notice, Handler<void> handler);

 private:
  void look_again(int pid, TimePoint deadline, std::string program, Handler<void> handler);

  Scheduler& scheduler_;
  Domain domain_;
  const HookSettings settings_;
};

}  // namespace drover::tools
