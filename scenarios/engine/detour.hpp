// What may lie between the manager and the faults of its cloud. In the simulation that is nothing; in the
// world "mock" real drivers and a real wire (scenarios/mock). Everything on the scheduler's thread.
#pragma once

#include <functional>

#include "manager/ports/iaas.hpp"
#include "mockcloud/cloud/cloud.hpp"

namespace drover::scenario {

class Detour {
 public:
  virtual ~Detour() = default;
  virtual const char* world() const = 0;       // "mock", as --world has it
  virtual const char* for_people() const = 0;  // "the mock cloud's wire"

  // Whether newInstance with a used token makes no second VM whatever the cloud shows. Where it may, a
  // surplus VM is no failure while it is found and destroyed in the end.
  virtual bool honours_tokens() const = 0;

  // What the manager calls instead of `calls`. All of these outlive detach().
  virtual Iaas& attach(Scheduler& scheduler, cloud::Cloud& cloud, Iaas& calls) = 0;
  // The only process of the manager has ended, and its connections with it.
  virtual void manager_ended() = 0;
  // Nobody is called any more, and nothing of the world is used.
  virtual void detach() = 0;
  // Runs the scheduler event by event until `limit`, or until `go_on`, asked behind each, says false.
  virtual void drive(Scheduler& scheduler, TimePoint limit, const std::function<bool()>& go_on) = 0;
};

}  // namespace drover::scenario
