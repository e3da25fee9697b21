// The fault engine: watches the observation points of a run, decides when each rule fires, and tells the
// decorators around the ports (faulty_iaas.hpp …) or the ActionSink what to do. One engine per world; it
// outlives every incarnation of the manager. Single-threaded, on the scheduler's thread.
//
// How a rule counts: an occurrence is an observation that matches the rule's `subject`. "#n" counts
// occurrences of the point since the rule began to wait for it: in "a; b#2" the second b after a. A sequence
// starts over after it has been completed, "a & b" forgets what it has seen; the numbers of a sequence's
// first part and those of '&' are never reset, so "vm.running#1; operation.retry" fires once. A trigger that
// a rule's firing has moved on does not count the observation that made it fire as well.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "manager/base/choices.hpp"
#include "manager/base/trace.hpp"
#include "manager/runtime/scheduler.hpp"
#include "mockcloud/fault/call_faults.hpp"
#include "mockcloud/fault/catalogue.hpp"
#include "mockcloud/fault/points.hpp"
#include "mockcloud/fault/rule.hpp"
#include "mockcloud/fault/trigger_state.hpp"

namespace drover::fault {

// One firing of an action that is performed outside the ports.
struct Action {
  std::string name;    // "vm.crash"
  std::string target;  // what to do it to: a node, an instance id; "" leaves the choice to the sink
  Arguments arguments;
  std::string rule;  // for reports
};

// The world's hands: crashes VMs, agents, servers and the manager. Called from inside an observation, which
// may be inside a call of the manager: whatever destroys the caller (manager.crash) must be deferred to the
// next event.
class ActionSink {
 public:
  virtual ~ActionSink() = default;
  virtual void perform(const Action& action) = 0;
};

// One firing, for whoever must know what was done to whom, and for how long.
struct Firing {
  std::string rule;    // as in RuleCount
  std::string action;  // "lose_reply"
  std::string target;  // the call's subject, or what the rule was aimed at
  TimePoint at{};
  TimePoint until{};  // when it is over by itself; `at` for what is done at once, kNever for what stays
  std::uint64_t request = 0;  // what was being answered then, by set_request(); 0: nothing
};

// When what begins now, with these arguments, is over: the longest of their durations.
TimePoint end_of(const Arguments& arguments, const Scheduler& scheduler);

struct RuleCount {
  std::string name;           // the id, or "fault-N" by position among the unnamed
  std::uint64_t matched = 0;  // its trigger was completed, or its time came
  std::uint64_t fired = 0;    // and it was done; 0 at the end of a run makes it VACUOUS
  bool enabled = true;
  bool beyond_budget = false;
};

class Engine {
 public:
  using Recorder = std::function<void(std::string_view point, std::string_view subject)>;

  // The rules must have passed check_rules. Timers run in `domain`, which must outlive the manager's
  // incarnations.
  Engine(Scheduler& scheduler, Domain& domain, Choices& choices, Trace& trace, std::vector<Rule> rules,
         ActionSink& sink);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Something happened: observe("vm.running", "node-3"). Costs nothing while nobody watches.
  void observe(std::string_view point, std::string_view subject) {
    if (watching_) observe_event(point, subject);
  }
  // A call has reached one of its moments. `call` is one of calls_of(port).
  CallFaults at_call(Port port, std::string_view call, Phase phase, std::string_view subject) {
    if (!watching_) return {};
    return observe_call(port, call, phase, subject);
  }
  // The manager is gone: answers to its calls are dropped from now on. Observes "manager.crashed".
  void manager_crashed() {
    ++incarnation_;
    observe("manager.crashed", "manager");
  }
  std::uint64_t incarnation() const { return incarnation_; }

  // A server says which request it is answering: firings carry its number. 0: none.
  void set_request(std::uint64_t number) { request_ = number; }
  std::uint64_t request() const { return request_; }

  // No rule fires any more, open windows end: the run has become quiet. Counts stay.
  void stop();

  // Every observation is offered to it as well; null to stop.
  void set_recorder(Recorder recorder);
  bool watching() const { return watching_; }
  // Whether a rule may do this: decorators remember earlier answers only when one may ask for them.
  bool may_do(CallAction action) const { return (call_actions_ >> static_cast<unsigned>(action) & 1U) != 0; }

  // Of this process, oldest first.
  const std::vector<Firing>& firings() const { return firings_; }
  // In the order of the rules.
  std::vector<RuleCount> counts() const;
  // The actions that rules have done, in the order of the catalogue: what a pick drew is seen here.
  std::vector<const ActionRow*> fired_actions() const;
  // What must survive a restart of the world's process: counts and half-completed triggers, by rule.
  nlohmann::json export_counts() const;
  // Takes over the counts of rules that are still there. Errors (ErrorCode::invalid) leave the engine
  // unchanged.
  Result<void> import_counts(const nlohmann::json& counts);

  // For the sink: whom it chose for what it was just asked to perform.
  void aimed_at(const Action& action, std::string_view target);
  // For the sink: what it was just asked to perform could not be done (there is no such VM). The rule counts
  // as one firing less, so that a run in which it did nothing is VACUOUS.
  void not_performed(const Action& action);

  // For decorators: performs a sink action that is part of a call's fault.
  void perform(std::string_view name, std::string_view target);
  Scheduler& scheduler() const { return scheduler_; }
  Domain& domain() const { return domain_; }
  Trace& trace() {
    trace_.set_time(scheduler_.now());
    return trace_;
  }

 private:
  struct RuleState {
    Rule rule;
    std::string name;
    std::string entity;  // stable key of its random decisions
    TriggerState trigger;
    std::string on_calls;   // `on` in every phase, for windows; "" every call of the port
    std::string on;         // the pattern of call points it waits for, with a phase ('*' when none was given)
    bool on_phase = false;  // `on` names a phase itself
    std::uint64_t matched = 0;
    std::uint64_t started = 0;  // firings, counting those that still wait for a call
    std::uint64_t fired = 0;
    std::uint64_t idle_windows = 0;   // of those fired: windows that have taken no call
    std::uint64_t waiting_calls = 0;  // calls still to be hit by firings with `on`
    std::string waiting_action;
    std::uint64_t last_observation = 0;  // completes at most once per observation
    std::uint64_t moved_on = 0;          // the observation at which the firing of another rule moved it on

    std::string_view argument(const char* argument) const;  // "" when the rule does not give it
    bool aims_at(std::string_view subject) const;
  };
  // Calls of one port slow, stuck or refused until a time.
  struct Window {
    std::size_t rule = 0;
    const ActionRow* row = nullptr;
    TimePoint until{};
    Arguments arguments;
    bool idle = true;  // has taken no call so far
  };
  struct Observation {
    std::string_view point;
    std::string_view subject;
    const CallPoint* call = nullptr;
    CallFaults* faults = nullptr;  // with a call: what its decorator will do
    std::uint64_t number = 0;
    std::vector<Action> due;  // performed when every rule has seen the observation
  };
  struct Interested {
    std::string canonical;
    std::vector<std::size_t> triggers;  // rules whose trigger names the point
    std::vector<std::size_t> calls;     // rules whose `on` names it
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return hash_text(text); }
  };

  void add_rule(Rule rule, std::size_t unnamed, std::uint64_t twins);
  void observe_event(std::string_view point, std::string_view subject);
  CallFaults observe_call(Port port, std::string_view call, Phase phase, std::string_view subject);
  void process(Observation& observation);
  void perform_due(Observation& observation);
  const Interested& interested(std::string_view point);
  void offer(std::size_t index, std::string_view point, Observation& observation);
  // The trigger is complete or the time has come: decides whether it fires.
  void complete(std::size_t index, Observation& observation);
  void fire(std::size_t index, Observation& observation);
  void fire_at_call(std::size_t index, const std::string& action, Observation& observation);
  void hit_waiting(std::size_t index, Observation& observation);
  void open_window(std::size_t index, const ActionRow& row, const Arguments& arguments,
                   Observation& observation);
  void apply_windows(Observation& observation);
  void idle_ended(const Window& window);
  bool takes(const Window& window, const Observation& observation) const;
  void apply_window(Window& window, Observation& observation);
  void mark_fired(std::size_t index, const ActionRow& row, std::string_view target,
                  const Arguments& arguments, Observation& observation);
  void arm_timer(std::size_t index, TimePoint at);
  void arm_next(std::size_t index);
  void timer_due(std::size_t index);

  Scheduler& scheduler_;
  Domain& domain_;
  Choices& choices_;
  Trace& trace_;
  ActionSink& sink_;
  std::vector<RuleState> rules_;
  std::vector<std::uint64_t> fired_rows_;  // by row of the catalogue
  std::vector<Window> windows_;
  std::vector<Firing> firings_;
  std::unordered_map<std::string, Interested, TextHash, std::equal_to<>>
      points_;  // looked up, never iterated
  Recorder recorder_;
  std::uint64_t observations_ = 0;
  std::uint64_t incarnation_ = 0;
  std::uint64_t request_ = 0;
  unsigned depth_ = 0;
  std::uint32_t call_actions_ = 0;  // bits of CallAction that a rule may do
  bool has_rules_ = false;
  bool watching_ = false;
};

}  // namespace drover::fault
