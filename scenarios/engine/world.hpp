// Where a scenario and the world that it runs in meet. Steps, metrics, expectations, reports and verdicts are
// the same in every world; a world supplies how time passes, the cloud, the nodes and their truth, the
// clients that write, and its hands for faults. sim_world.hpp is the simulation, scenarios/local real
// servers. Single-threaded: everything on the scheduler's thread.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "manager/api/service.hpp"
#include "mockcloud/fault/engine.hpp"
#include "scenarios/engine/end_state.hpp"
#include "scenarios/engine/scenario.hpp"

namespace drover::scenario {

// Something that must never be, seen during a run.
struct Violation {
  std::string invariant;  // "S2", "L1", "step", "expect"
  std::string message;
  TimePoint at{};
  std::string fingerprint;  // equal for the same kind of failure in other runs
};

// What a client of the API gets when there is no answer: refused, connection lost, time-out; else the answer.
using ClientAnswer = Result<api::Response>;

// What becomes of a request or an answer that the network loses.
enum class Patience : unsigned char {
  once,      // it is gone: the caller's own time-out decides
  keeps_on,  // sent again until it arrives; it has its effect once
};

// What only the world itself can tell; the metrics of metrics.cpp by the same names say what each is.
enum class Truth : unsigned char {
  healthy_replicas,
  writable_masters,
  writable_servers,
  lag_max,
  instances,
  instances_created,
  instances_terminated,
  instances_high_water,
  leaked_instances,
  leaked_volumes,
  zombies,
  manager_starts,
  managers,
  fenced_managers,
  iaas_calls,
  agent_calls,
  acknowledged_writes,
  failed_writes,
  unknown_writes,
  stale_reads,
  lost_writes,
  phantom_writes,
  longest_outage_s,
};

// How long a run waits: where hours cost nothing longer than where they pass.
struct Pace {
  Duration await_look;                     // between two looks at an operation
  Duration settle_bound;                   // L-invariants: how long everything may take after the last fault
  Duration settle_look, settle_hold;       // and stay so
  Duration catch_up_bound, catch_up_look;  // replicas, once the clients have stopped
};

class World {
 public:
  World(const Scenario& scenario, std::uint64_t seed);
  virtual ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  virtual const char* name() const = 0;        // "sim", as --world has it
  virtual const char* for_people() const = 0;  // "the simulation"
  virtual Pace pace() const = 0;

  // Starts the manager and the clients; nothing has run before.
  virtual void start() = 0;
  // One call of the API as a client makes it. Errors: unavailable (refused: nothing happened),
  // connection_lost (the manager died before it answered: it may have happened). Never answers when the
  // manager drops the call, or the network does and the caller is not patient.
  virtual void request(api::Request request, std::function<void(ClientAnswer)> answer,
                       Patience patience = Patience::keeps_on) = 0;
  // Content of an upload made by a step; gives the path that LoadDump is told.
  virtual std::string add_upload(std::string content) = 0;
  // A fault made by a step or a rule. Errors: invalid for an unknown target.
  virtual Result<void> act(const fault::Action& action) = 0;
  // Somebody destroys a node's VM at the provider's console. Errors: not_found.
  virtual void destroy_foreign(const std::string& target, Handler<void> handler) = 0;
  // Stops all faults for good: what was frozen goes on, what hung answers again.
  virtual void quiesce() = 0;
  virtual bool has_traffic() const = 0;
  virtual void stop_traffic() = 0;

  // The manager, or null while it is dead. Of several, the one that was started last: clients call that one.
  virtual const ops::MySQLServerManager* manager() const = 0;
  virtual fault::Engine& faults() = 0;
  virtual double truth(Truth which) = 0;
  // Whether truth() tells the present by itself; where it does not, after look().
  virtual bool sees_at_once() const = 0;
  // Has truth() tell what is so now.
  virtual void look(Handler<void> handler) = 0;
  // Whether a replica has not applied all that it will get.
  virtual bool replicas_lag() = 0;
  // Whether requests of clients may still be under way for no fault of the manager.
  virtual bool is_disturbed() = 0;
  virtual EndState end(std::vector<std::string> shortfalls) = 0;

  Scheduler& scheduler() { return scheduler_; }
  Domain& domain() { return domain_; }
  Choices& choices() { return choices_; }
  Trace& trace() { return trace_; }
  const Scenario& scenario() const { return scenario_; }
  const ops::Configuration& configuration() const { return configuration_; }

  // Violations found by the world itself (the manager's own alarm). Checkers add theirs.
  void report(std::string invariant, std::string message, std::string fingerprint = {});
  const std::vector<Violation>& violations() const { return violations_; }
  // What steps (`do:`) have done, by name.
  const std::set<std::string>& done() const { return done_; }
  void note_done(const std::string& action) { done_.insert(action); }
  // Actions that this world cannot make, in the order of their first use.
  const std::vector<std::string>& unsupported() const { return unsupported_; }
  void add_secret(std::string secret) { secrets_.insert(std::move(secret)); }
  const std::set<std::string>& secrets() const { return secrets_; }

 protected:
  Scenario scenario_;
  ops::Configuration configuration_;
  Scheduler scheduler_;
  Domain domain_;  // the world's own timers
  Choices choices_;
  Trace trace_;
  std::vector<Violation> violations_;
  std::set<std::string> secrets_;
  std::vector<std::string> unsupported_;
  std::set<std::string> done_;
};

// Who judges a run beside what its file expects.
class Referee {
 public:
  virtual ~Referee() = default;
  // The invariants that are judged here, by name.
  virtual std::vector<std::string> judged() const = 0;
  // A client was told of an accepted operation: from now on it must survive (S8), and be the only one of its
  // key (S7).
  virtual void acknowledged(model::OperationId operation, const std::string& key) = 0;
  // After an event that changed something (the caller looks at the trace's count).
  virtual void after_change() = 0;
  // After every event, cheap: livelock and unanswered calls.
  virtual void after_event() = 0;
  // Whether nothing is under way any more and what is wanted is there: what settling waits for.
  virtual bool settled() = 0;
  // Acknowledged writes that the master does not have: a failure where they were promised, else counted.
  // Returns the number lost without having been promised.
  virtual std::uint64_t check_writes() = 0;
  // Liveness, once everything had its time. `judged`: false when a fault beyond the budget has fired.
  virtual void at_end(bool judged) = 0;
};

}  // namespace drover::scenario
