// What every operation works with: the ports, the model, the journal, and the few ways to change state. One
// per manager; all of it on the scheduler's thread, in the manager's domain or in an operation's.
#pragma once

#include <deque>
#include <memory>
#include <set>
#include <string>

#include "manager/base/trace.hpp"
#include "manager/model/records.hpp"
#include "manager/ops/config.hpp"
#include "manager/ops/departed.hpp"
#include "manager/ops/journal.hpp"
#include "manager/ports/agent.hpp"
#include "manager/ports/iaas.hpp"
#include "manager/ports/store.hpp"

namespace drover::ops {

struct Ports {
  Scheduler& scheduler;
  Iaas& iaas;
  Agent& agent;
  Store& store;
  Trace& trace;
};

class Core {
 public:
  Core(const Ports& ports, Configuration configuration, Hooks hooks_)
      : scheduler(ports.scheduler),
        process(ports.scheduler),
        domain(ports.scheduler, process),
        iaas(ports.iaas),
        agent(ports.agent),
        trace(ports.trace),
        config(std::move(configuration)),
        hooks(std::move(hooks_)),
        journal(domain, ports.store, model, config) {
    journal.set_on_fenced([this](const Error& why) { stand_down(why); });
  }

  Scheduler& scheduler;
  Process process;  // of all domains of this manager
  Domain domain;    // destroyed after everything declared below it
  Iaas& iaas;
  Agent& agent;
  Trace& trace;
  const Configuration config;
  const Hooks hooks;
  model::Model model;
  Journal journal;
  Signal operations_changed;         // an operation ended or was accepted
  std::set<std::string> destroying;  // doomed VMs that a coroutine is destroying now
  Departed departed;                 // VMs that are known to be destroyed
  // The target of a promotion that was taken up again: a journal that lost its end cannot tell whether it is
  // the master, and it has not said so. Until it is heard, or known to be off, the recorded one
  // is not opened; 0: none.
  model::NodeId perhaps_promoted = 0;
  model::OperationId inherited_below = 0;  // operations with a smaller number are those of an earlier manager
  std::uint64_t highest_epoch = 0;         // that an agent of ours told
  bool stood_down = false;                 // another manager has taken over

  bool awaits_word_of_another_than(model::NodeId id) const {
    const model::Node* node = perhaps_promoted == id ? nullptr : model.node(perhaps_promoted);
    return node != nullptr && model::is_listed(node->state);
  }

  // Calls that create a VM and are not answered, also those whose caller has been ended: their VMs may still
  // come into being. Of this process only.
  long creations_under_way() const { return creations_.use_count() - 1; }
  Handler<InstanceInfo> counted(Handler<InstanceInfo> handler) const {
    return [under_way = creations_, handler = std::move(handler)](Result<InstanceInfo> created) mutable {
      handler(std::move(created));
    };
  }

  TimePoint now() const { return scheduler.now(); }

  // State changes: checked against the declared tables, traced, observed, and marked for the journal.
  void change(model::ServiceEvent event);
  void change(model::Node& node, model::NodeEvent event);
  void change(model::Operation& operation, model::OperationEvent event);
  // RUNNING or ADAPTING, according to whether operations are under way.
  void settle_service_state();
  // Forgets a node whose VM is gone.
  void forget(model::Node& node, model::NodeEvent event);

  // Announces an observation point such as "operation.retry".
  void observe(std::string_view point, std::string_view subject) const {
    if (hooks.observe) hooks.observe(point, subject);
  }
  // One line in the log (getLog) and in the audit trail (get_service_history).
  void note(std::string_view subject, std::string text);
  const std::deque<std::string>& log_lines() const { return log_; }

  // The tag value by which the VM of a node's present attempt is found: "node-3.2".
  static std::string node_tag(const model::Node& node) {
    return model::node_name(node.id) + "." + std::to_string(node.attempt);
  }
  std::string token(const model::Node& node) const { return config.service_id + ":" + node_tag(node); }
  Endpoint endpoint(const model::Node& node) const { return Endpoint{node.address, config.agent_port}; }

  // Port calls with the configured deadlines. `subject` names the node or operation for traces and fault
  // rules.
  Task<Result<AgentReply>> ask(const model::NodeId node, AgentCommand command, Duration timeout);
  Task<Result<AgentReply>> ask(const model::NodeId node, AgentCommand command);
  // The same, again and again until success, a final error or the configured number of attempts.
  Task<Result<AgentReply>> ask_persistently(const model::NodeId node, AgentCommand command);
  Task<Result<std::vector<InstanceInfo>>> list_vms(std::string subject, std::string key, std::string value);
  Task<Result<InstanceInfo>> get_vm_info(std::string subject, std::string vm);

 private:
  void illegal(std::string what);
  // Nothing of this manager runs any more: no call to any port, no answer to anybody.
  void stand_down(const Error& why);
  // What an agent has heard that this manager does not know of.
  void notice(const ServerState& state);
  Task<void> outlive(std::uint64_t generation);

  std::deque<std::string> log_;
  bool proving_ = false;                                        // outlive() is under way
  std::shared_ptr<char> creations_ = std::make_shared<char>();  // held by each call that creates
};

// Whether trying again can help.
bool is_worth_retrying(const Error& error);

}  // namespace drover::ops
