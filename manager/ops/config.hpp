// What a manager is configured with, in the manager's own terms; read from files and scenario settings
// elsewhere.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "manager/model/admission.hpp"
#include "manager/ports/iaas.hpp"

namespace drover::ops {

struct RetryPolicy {
  Duration first{1s};
  Duration limit{60s};    // the longest pause between two attempts
  unsigned attempts = 8;  // calls in all, the first included

  // The pause after attempt number `attempt` (1, 2, …), doubled each time; never shorter than what the other
  // side asked.
  Duration pause_after(unsigned attempt, Duration asked) const {
    Duration pause = first;
    for (unsigned i = 1; i < attempt && pause < limit; ++i) pause *= 2;
    return std::max(std::min(pause, limit), asked);
  }
};

// When and how a dead master is replaced; all of it concerns automatic fail-over, the times also one that is
// asked for.
struct FailoverPolicy {
  bool automatic = false;
  Duration watch{250ms};        // how often the master is looked at
  Duration patience{500ms};     // of an agent, for its server's answer: then it counts as none
  Duration hung_after{1500ms};  // how long a server that runs may give no answer
  Duration pause{60s};          // after a fail-over, until the next one may be made
  Duration drain_timeout{60s};  // until the successor has applied what it has received
  bool loss_when_late = false;  // then: go on without the rest, count and say it; else fail and try again
  bool kill_vm = true;          // a master whose agent is silent is fenced by destroying its VM
  bool replace = false;         // a replica more when a VM was lost
  bool clone_errant = false;  // a former master with errant transactions gets a new copy; else it is refused
};

// The documented `config`, which holds the Configuration once the manager is initialised.
struct Configuration {
  std::string service_id = "drover";
  InstanceSpec instance{"", "debian-12-drover", "small", "default", "",
                        {}};         // image, size, network of every VM
  Duration poll_interval{10s};       // wait_for_nodes and the wait for agents
  Duration poll_agents_timer{10s};   // how often running nodes are looked at
  Duration reconcile_interval{60s};  // how often the cloud is searched for what is not ours any more
  Duration iaas_timeout{30s};
  Duration agent_timeout{10s};
  Duration store_timeout{10s};
  Duration clone_timeout{10min};     // set_up_replica_slave with a copy of the data
  Duration boot_timeout{10min};      // until a VM runs and has an address
  Duration agent_wait{5min};         // from then until its agent answers and its server runs
  Duration kill_timeout{10min};      // until a destroyed VM is confirmed gone
  Duration catch_up_timeout{10min};  // until a new replica has caught up
  Duration not_found_grace{2min};    // how long a cloud may not know a VM that it has just created
  unsigned boot_attempts = 3;        // VMs asked for, for one node
  unsigned lost_after = 3;           // polls without an answer until a node is LOST
  unsigned parallelism = 64;         // calls at once of one operation or poll
  bool semi_sync = false;            // durability: semi_sync
  FailoverPolicy failover;
  bool automatic_startup = true;  // INIT goes on to STARTING and RUNNING by itself
  model::PartialPolicy partial = model::PartialPolicy::rollback;  // what add_nodes does unless told
  RetryPolicy retry;
  model::AdmissionLimits limits;
  std::uint16_t agent_port = 60000;
  std::string replication_user = "drover_replication";
  Secret replication_password;  // never journaled, logged or traced
};

// What a hook is told of a fail-over.
struct FailoverNotice {
  bool begins = false;  // else it has ended
  std::string operation, former, former_address, successor, successor_address;
  std::string error;  // of one that has ended; "" when it succeeded
};

// What the surroundings of a manager may listen to. All may be empty.
struct Hooks {
  // An observation point of the scenario language ("operation.retry", "node.RUNNING") and whom it is about.
  std::function<void(std::string_view point, std::string_view subject)> observe;
  // The manager found itself doing what it must never do. Unset: the process ends.
  std::function<void(const std::string& what)> violation;
  // Another manager has taken over the journal: this one has frozen for good and is to be destroyed, but not
  // from inside this call.
  std::function<void(const Error& why)> fenced;
  // Before and after a fail-over: something of the surroundings is to be told and may refuse the first.
  // Answered when it has ended. Unset: nothing is told.
  std::function<void(const FailoverNotice& notice, Handler<void> handler)> fail_over;
  // One line for people.
  std::function<void(const std::string& line)> log;
};

}  // namespace drover::ops
