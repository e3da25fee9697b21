#include "manager/ops/bring_up.hpp"

#include "manager/ops/disposal.hpp"

namespace drover::ops {

using model::Node;
using model::node_name;
using model::NodeEvent;
using model::NodeId;
using model::NodeState;

namespace {

Error gone(NodeId id) { return make_error(ErrorCode::cancelled, node_name(id) + " is no longer wanted"); }

InstanceSpec spec_of(const Core& core, const Node& node) {
  InstanceSpec spec = core.config.instance;
  spec.name = core.config.service_id + "-" + node_name(node.id);
  if (node.attempt > 1) spec.name += "-" + std::to_string(node.attempt);
  spec.tags.emplace_back(kServiceTag, core.config.service_id);
  spec.tags.emplace_back(kNodeTag, Core::node_tag(node));
  return spec;
}

Task<void> record_vm(Core& core, NodeId id, std::string vm) {
  Node* node = core.model.node(id);
  core.model.set_vm(*node, vm);
  core.change(*node, NodeEvent::vm_created);
  co_await core.journal.durable();
}

// Why a VM that is not running any more, or came up wrong, must be replaced; "" when it is all right so far.
std::string trouble_of(const InstanceInfo& info) {
  switch (info.state) {
    case InstanceState::error:
      return info.id + " ended in ERROR: " + (info.fault.empty() ? "no reason given" : info.fault);
    case InstanceState::stopped:
    case InstanceState::stopping:
      return info.id + " stopped";
    case InstanceState::shutting_down:
    case InstanceState::terminated:
      return info.id + " was terminated";
    default:
      return {};
  }
}

// CONFIGURING to RUNNING: the agent answers as the right instance, and its server runs.
Task<Result<void>> configure(Core& core, NodeId id) {
  const TimePoint deadline = core.scheduler.later(core.config.agent_wait);
  std::string last = "no answer";
  // Once more after the deadline: this manager may have been frozen while it passed.
  for (bool late = false; !late;) {
    late = core.now() >= deadline;
    const Node* node = core.model.node(id);
    if (node == nullptr || node->state != NodeState::configuring) co_return gone(id);
    GetServerState look;
    AgentCommand command = look;
    auto state = co_await core.ask(id, command);
    if (state.has_value()) {
      StartServer start;
      start.server_id = node->server_id;
      command = start;
      core.observe("step.start_server", node_name(id));
      auto started = co_await core.ask(id, command);
      if (started.has_value()) {
        // An agent's word is not enough: look once more.
        command = look;
        started = co_await core.ask(id, command);
      }
      Node* changed = core.model.node(id);
      if (changed == nullptr || changed->state != NodeState::configuring) co_return gone(id);
      if (started.has_value() && started.value().state.running) {
        changed->last_seen = core.now();
        changed->server_running = true;
        changed->mysqld_port = started.value().state.mysqld_port;
        core.change(*changed, NodeEvent::ready);
        core.note(node_name(id), "registered at " + changed->address);
        co_await core.journal.durable();
        co_return success();
      }
      last = started.has_error() ? started.error().message : "the database server does not run";
    } else {
      last = state.error().message;
      auto info = co_await core.get_vm_info(node_name(id), node->vm);
      Node* changed = core.model.node(id);
      if (changed == nullptr || changed->state != NodeState::configuring) co_return gone(id);
      if (info.has_value()) {
        if (std::string trouble = trouble_of(info.value()); !trouble.empty())
          co_return make_error(ErrorCode::unavailable, std::move(trouble));
        if (!info.value().address.empty() && info.value().address != changed->address) {
          changed->address = info.value().address;
          core.journal.node_changed(id);
          co_await core.journal.durable();
          continue;
        }
      }
    }
    if (!late) co_await sleep_for(core.config.poll_interval);
  }
  co_return make_error(ErrorCode::timeout, "the agent of " + node_name(id) + " did not come up within " +
                                               to_text(core.config.agent_wait) + ": " + last);
}

void next_attempt(Core& core, NodeId id) {
  Node* node = core.model.node(id);
  core.model.set_vm(*node, "");
  node->address.clear();
  ++node->attempt;
  node->fresh = true;
  if (node->state != NodeState::creating) core.change(*node, NodeEvent::replace);
  core.journal.node_changed(id);
}

// Takes back the VM of a failed attempt and puts the node back to CREATING for the next one.
Task<Result<void>> replace_vm(Core& core, NodeId id, std::string why) {
  const Node* node = core.model.node(id);
  if (node == nullptr) co_return gone(id);
  core.note(node_name(id), "replacing its VM (attempt " + std::to_string(node->attempt) + "): " + why);
  core.observe("operation.retry", node_name(id));
  core.observe("step.replace_vm", node_name(id));
  std::string vm = node->vm;
  next_attempt(core, id);
  doom(core, vm);
  co_await core.journal.durable();
  auto destroyed = co_await destroy_doomed(core, node_name(id), vm);
  (void)destroyed;  // what could not be confirmed stays doomed, and the reconciler's
  node = core.model.node(id);
  if (node == nullptr || !model::is_coming_up(node->state)) co_return gone(id);
  co_return success();
}

// Those who were refused together must not come back together: up to twice the pause, by the node.
Duration spread(Duration pause, NodeId id) {
  constexpr NodeId kPlaces = 16, kStride = 7;
  return pause + pause / kPlaces * (id * kStride % kPlaces);
}

}  // namespace

Task<Result<void>> create_vm(Core& core, NodeId id) {
  // A record read from the journal: a call may have been under way when the manager died.
  const Node* record = core.model.node(id);
  bool may_exist = record != nullptr && !record->fresh;
  Error last;
  // A cloud that asks for patience has refused nothing: only time ends that.
  const TimePoint patience = core.scheduler.later(core.config.boot_timeout);
  unsigned throttled = 0;
  for (unsigned attempt = 1;; ++attempt) {
    Node* node = core.model.node(id);
    if (node == nullptr || node->state != NodeState::creating) co_return gone(id);
    node->fresh = false;
    if (may_exist) {
      auto found = co_await find_vm(core, id);
      node = core.model.node(id);
      if (node == nullptr || node->state != NodeState::creating) co_return gone(id);
      if (found.has_value() && !found.value().empty()) {
        std::string vm = found.value();
        co_await record_vm(core, id, std::move(vm));
        co_return success();
      }
    }
    core.observe("step.create_vm", node_name(id));
    const InstanceSpec spec = spec_of(core, *node);
    const std::string token = core.token(*node);
    const std::string subject = node_name(id);
    auto created =
        co_await await_reply<InstanceInfo>(core.config.iaas_timeout, [&](Handler<InstanceInfo> handler) {
          core.iaas.newInstance(CallContext{subject, core.config.iaas_timeout}, spec, token,
                                core.counted(std::move(handler)));
        });
    node = core.model.node(id);
    if (node == nullptr || node->state != NodeState::creating) co_return gone(id);
    if (created.has_value() && core.model.service.doomed.contains(created.value().id)) {
      // The answer to a call that was condemned since.
      next_attempt(core, id);
      co_await core.journal.durable();
      continue;
    }
    if (created.has_value()) {
      std::string vm = created.value().id;
      co_await record_vm(core, id, std::move(vm));
      co_return success();
    }
    last = created.error();
    may_exist = may_exist || last.effect == Effect::possible;
    const bool wait =
        last.code == ErrorCode::throttled && core.config.retry.attempts > 1 && core.now() < patience;
    if (wait) ++throttled;
    if (!is_worth_retrying(last) || (!wait && attempt - throttled >= core.config.retry.attempts)) {
      last.message = "no VM for " + subject + ": " + last.message;
      co_return last;
    }
    core.observe("operation.retry", subject);
    Duration pause = core.config.retry.pause_after(attempt, last.retry_after);
    if (wait) pause = spread(pause, id);
    co_await sleep_for(pause);
  }
}

Task<Result<void>> wait_for_nodes(Core& core, std::vector<NodeId> nodes, Duration poll_interval) {
  const TimePoint deadline = core.scheduler.later(core.config.boot_timeout);
  std::vector<TimePoint> missing_since(nodes.size(), kNever);
  Duration pause{0};
  while (true) {
    // Judged by looks from after the deadline: this manager may have been frozen since the one before.
    const bool late = core.now() >= deadline;
    std::size_t waiting = 0;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const NodeId id = nodes[i];
      const Node* node = core.model.node(id);
      if (node == nullptr || node->state == NodeState::removing) co_return gone(id);
      if (node->state != NodeState::booting) continue;
      ++waiting;
      auto info = co_await core.get_vm_info(node_name(id), node->vm);
      Node* changed = core.model.node(id);
      if (changed == nullptr || changed->state != NodeState::booting) co_return gone(id);
      if (info.has_value()) {
        missing_since[i] = kNever;
        if (std::string trouble = trouble_of(info.value()); !trouble.empty())
          co_return make_error(ErrorCode::unavailable, std::move(trouble));
        if (info.value().state == InstanceState::running && !info.value().address.empty()) {
          changed->address = info.value().address;
          core.change(*changed, NodeEvent::vm_running);
          co_await core.journal.durable();
          --waiting;
        }
      } else if (info.error().code == ErrorCode::not_found) {
        if (missing_since[i] == kNever) missing_since[i] = core.now();
        if (core.now() - missing_since[i] > core.config.not_found_grace)
          co_return make_error(ErrorCode::not_found, "the cloud does not know " + changed->vm);
      } else {
        pause = std::max(pause, info.error().retry_after);
      }
    }
    if (waiting == 0) co_return success();
    if (late) {
      co_return make_error(ErrorCode::timeout, "the VM of " + node_name(nodes.front()) +
                                                   " was not running with an address within " +
                                                   to_text(core.config.boot_timeout));
    }
    co_await sleep_for(std::max(poll_interval, pause));
    pause = Duration{0};
  }
}

Task<Result<void>> createServiceNodeThread(Core& core, NodeId id) {
  while (true) {
    const Node* node = core.model.node(id);
    if (node == nullptr) co_return gone(id);
    Result<void> step = success();
    switch (node->state) {
      case NodeState::creating: {
        step = co_await create_vm(core, id);
        if (step.has_error()) co_return step;
        continue;
      }
      case NodeState::booting: {
        std::vector<NodeId> alone{id};
        step = co_await wait_for_nodes(core, std::move(alone), core.config.poll_interval);
        break;
      }
      case NodeState::configuring:
        step = co_await configure(core, id);
        break;
      case NodeState::running:
      case NodeState::lost:
        co_return success();
      default:
        co_return gone(id);
    }
    if (step.has_value()) continue;
    if (step.error().code == ErrorCode::cancelled) co_return step;
    node = core.model.node(id);
    if (node == nullptr) co_return gone(id);
    if (node->attempt >= core.config.boot_attempts) {
      Error error = step.error();
      error.message = node_name(id) + " did not come up with " + std::to_string(node->attempt) +
                      " VM(s); the last: " + error.message;
      co_return error;
    }
    std::string why = step.error().message;
    auto replaced = co_await replace_vm(core, id, std::move(why));
    if (replaced.has_error()) co_return replaced;
  }
}

}  // namespace drover::ops
