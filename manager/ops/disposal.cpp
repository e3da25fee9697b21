#include "manager/ops/disposal.hpp"

namespace drover::ops {

using model::Node;
using model::node_name;
using model::NodeEvent;
using model::NodeId;

namespace {

Error gone(NodeId id) { return make_error(ErrorCode::cancelled, node_name(id) + " is no longer wanted"); }

// Destroys a VM and waits until the cloud confirms it.
Task<Result<void>> kill_vm(Core& core, std::string subject, std::string vm) {
  if (vm.empty()) co_return success();
  const TimePoint deadline = core.scheduler.later(core.config.kill_timeout);
  std::string last;
  core.observe("step.kill_vm", subject);
  for (unsigned attempt = 1;; ++attempt) {
    auto killed = co_await await_reply<void>(core.config.iaas_timeout, [&](Handler<void> handler) {
      core.iaas.killInstance(CallContext{subject, core.config.iaas_timeout}, vm, std::move(handler));
    });
    Duration pause = core.config.poll_interval;
    if (killed.has_error()) {
      last = killed.error().message;
      if (killed.error().code == ErrorCode::permission || killed.error().code == ErrorCode::invalid)
        co_return std::move(killed).error();
      pause = core.config.retry.pause_after(attempt, killed.error().retry_after);
    }
    auto info = co_await core.get_vm_info(subject, vm);
    if (info.has_value() ? is_gone(info.value().state)
                         : info.error().code == ErrorCode::not_found && killed.has_value()) {
      core.departed.add(std::move(vm), core.now());
      co_return success();
    }
    if (info.has_value()) last = std::string("it is still ") + to_text(info.value().state);
    if (core.now() >= deadline) {
      co_return make_error(ErrorCode::timeout, "VM " + vm + " is not confirmed gone after " +
                                                   to_text(core.config.kill_timeout) + ": " + last +
                                                   "; drover keeps trying");
    }
    core.observe("operation.retry", subject);
    co_await sleep_for(pause);
    // Somebody else may have been at it meanwhile.
    if (core.model.node_of_vm(vm) == nullptr && !core.model.service.doomed.contains(vm)) co_return success();
  }
}

// Marks a VM as being destroyed by this very coroutine, also when its domain is killed.
class Destroying {
 public:
  Destroying(Core& core, std::string vm) : core_(core), vm_(std::move(vm)) { core_.destroying.insert(vm_); }
  Destroying(const Destroying&) = delete;
  Destroying& operator=(const Destroying&) = delete;
  ~Destroying() { core_.destroying.erase(vm_); }

 private:
  Core& core_;
  std::string vm_;
};

}  // namespace

Task<Result<std::string>> find_vm(Core& core, NodeId id) {
  const Node* node = core.model.node(id);
  if (node == nullptr) co_return gone(id);
  std::string tag = Core::node_tag(*node);
  auto listed = co_await core.list_vms(node_name(id), kNodeTag, tag);
  if (listed.has_error()) co_return std::move(listed).error();
  for (const auto& info : listed.value())
    if (info.tag(kServiceTag) == core.config.service_id && !is_gone(info.state) &&
        !core.model.service.doomed.contains(info.id))
      co_return info.id;
  co_return std::string();
}

void doom(Core& core, const std::string& vm) {
  if (vm.empty()) return;
  core.model.service.doomed.insert(vm);
  core.journal.service_changed();
}

Task<Result<void>> destroy_doomed(Core& core, std::string subject, std::string vm) {
  if (vm.empty() || !core.model.service.doomed.contains(vm) || core.destroying.contains(vm))
    co_return success();
  const Destroying guard(core, vm);
  auto killed = co_await kill_vm(core, std::move(subject), vm);
  if (killed.has_error()) co_return killed;
  core.model.service.doomed.erase(vm);
  core.journal.service_changed();
  co_return success();
}

Task<Result<void>> destroy_all_doomed(Core& core) {
  Result<void> outcome = success();
  const auto doomed = core.model.service.doomed;
  for (const std::string& vm : doomed) {
    std::string named = vm;
    auto destroyed = co_await destroy_doomed(core, "reconcile", std::move(named));
    if (destroyed.has_error() && outcome.has_value()) outcome = destroyed;
  }
  if (!doomed.empty()) co_await core.journal.durable();
  co_return outcome;
}

Task<Result<void>> remove_node(Core& core, NodeId id) {
  for (unsigned attempt = 1;; ++attempt) {
    const Node* node = core.model.node(id);
    if (node == nullptr) co_return success();
    if (!node->vm.empty()) break;
    auto found = co_await find_vm(core, id);
    Node* changed = core.model.node(id);
    if (changed == nullptr) co_return success();
    if (found.has_value()) {
      if (!found.value().empty()) {
        core.model.set_vm(*changed, found.value());
        core.journal.node_changed(id);
        co_await core.journal.durable();
      }
      break;
    }
    if (attempt >= core.config.retry.attempts) co_return std::move(found).error();
    core.observe("operation.retry", node_name(id));
    co_await sleep_for(core.config.retry.pause_after(attempt, found.error().retry_after));
  }
  const Node* node = core.model.node(id);
  if (node == nullptr) co_return success();
  std::string vm = node->vm;
  if (core.model.service.maybe_writable == id && !node->address.empty()) {
    // No write may be taken by a master that is going, should its VM outlive its deletion.
    SetReadOnly closing;
    closing.epoch = core.model.service.epoch;
    const AgentCommand named = closing;
    (void)co_await core.ask(id, named);
  }
  auto killed = co_await kill_vm(core, node_name(id), vm);
  if (killed.has_error()) co_return killed;
  Node* removed = core.model.node(id);
  if (removed != nullptr) {
    core.forget(*removed, NodeEvent::removed);
    core.note(node_name(id), "removed");
    co_await core.journal.durable();
  }
  co_return success();
}

}  // namespace drover::ops
