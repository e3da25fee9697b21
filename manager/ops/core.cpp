#include "manager/ops/core.hpp"

#include <nlohmann/json.hpp>

namespace drover::ops {
namespace {

constexpr std::size_t kLogKept = 1000;

// "node." and "RUNNING" give the observation point "node.running".
std::string point_of(const char* family, const char* state) {
  std::string point = family;
  for (const char* c = state; *c != 0; ++c) point += *c >= 'A' && *c <= 'Z' ? static_cast<char>(*c + 32) : *c;
  return point;
}

}  // namespace

using model::NodeEvent;
using model::OperationEvent;
using model::ServiceEvent;
using model::ServiceState;

void Core::illegal(std::string what) {
  trace.add(TraceKind::check, "manager", what);
  if (hooks.violation) {
    hooks.violation(what);
    return;
  }
  DROVER_CHECK(false, what.c_str());
}

void Core::stand_down(const Error& why) {
  if (stood_down) return;
  stood_down = true;
  process.freeze();
  trace.add(TraceKind::crash, "manager", "stood down", why.message);
  observe("manager.fenced", "manager");
  if (hooks.fenced) hooks.fenced(why);
}

void Core::notice(const ServerState& state) {
  highest_epoch = std::max(highest_epoch, state.epoch);
  if (state.generation <= journal.generation() || proving_) return;
  proving_ = true;
  spawn(domain, outlive(state.generation));
}

// An agent has heard from a generation above ours: we were replaced, or the journal went back to an earlier
// state. The journal itself decides.
Task<void> Core::outlive(std::uint64_t generation) {
  const auto raised = co_await journal.raise_generation(generation);
  if (raised.has_value()) {
    note("journal", "is behind: agents have heard from manager generation " + std::to_string(generation) +
                        "; going on as generation " + std::to_string(journal.generation()));
    co_await journal.durable();
  }
  proving_ = false;
}

void Core::change(ServiceEvent event) {
  const auto from = model.service.state;
  const auto to = model::next_state(from, event);
  if (!to) {
    illegal(std::string("S5: illegal event ") + std::to_string(static_cast<int>(event)) +
            " for the service in " + model::to_text(from));
    return;
  }
  model.service.state = *to;
  trace.add(TraceKind::service_state, "service", model::to_text(from), "->", model::to_text(*to));
  journal.service_changed();
  if (hooks.observe) hooks.observe(point_of("service.", model::to_text(*to)), "service");
}

void Core::change(model::Node& node, NodeEvent event) {
  const auto from = node.state;
  const auto to = model::next_state(from, event);
  if (!to) {
    illegal(std::string("S5: illegal event ") + std::to_string(static_cast<int>(event)) + " for " +
            model::node_name(node.id) + " in " + model::to_text(from));
    return;
  }
  model.set_state(node, *to);
  const std::string name = model::node_name(node.id);
  trace.add(TraceKind::node_state, name, model::to_text(from), "->", model::to_text(*to));
  journal.node_changed(node.id);
  if (hooks.observe) hooks.observe(point_of("node.", model::to_text(*to)), name);
}

void Core::change(model::Operation& operation, OperationEvent event) {
  const auto from = operation.state;
  const auto to = model::next_state(from, event);
  if (!to) {
    illegal(std::string("S5: illegal event ") + std::to_string(static_cast<int>(event)) + " for " +
            model::operation_name(operation.id) + " in " + model::to_text(from));
    return;
  }
  model.set_state(operation, *to);
  if (model::is_ended(*to)) operation.ended_at_ns = now().time_since_epoch().count();
  const std::string name = model::operation_name(operation.id);
  trace.add(TraceKind::operation, name, model::to_text(operation.request.kind), model::to_text(from), "->",
            model::to_text(*to));
  journal.operation_changed(operation.id);
  static constexpr const char* kPoints[] = {"operation.accepted", "operation.started", "operation.step",
                                            "operation.done",     "operation.failed",  "operation.cancelled"};
  observe(kPoints[static_cast<int>(*to)], name);
  settle_service_state();
  operations_changed.notify_all();
}

void Core::settle_service_state() {
  if (model.service.state == ServiceState::S_RUNNING && model.active_operations() > 0)
    change(ServiceEvent::adapt);
  if (model.service.state == ServiceState::S_ADAPTING && model.active_operations() == 0)
    change(ServiceEvent::adapted);
}

void Core::forget(model::Node& node, NodeEvent event) {
  const model::NodeId id = node.id;
  change(node, event);
  if (model.service.primary == id || model.service.maybe_writable == id) {
    if (model.service.primary == id) {
      if (event == NodeEvent::vanished) model.service.bereft_of = node.address;
      model.service.primary = 0;
    }
    if (model.service.maybe_writable == id) model.service.maybe_writable = 0;
    journal.service_changed();
  }
  model.erase_node(id);
}

void Core::note(std::string_view subject, std::string text) {
  const std::int64_t at = now().time_since_epoch().count();
  char stamp[32];
  std::snprintf(stamp, sizeof stamp, "%lld.%03lld", static_cast<long long>(at / 1'000'000'000),
                static_cast<long long>(at / 1'000'000 % 1000));
  std::string line = std::string(stamp) + " " + std::string(subject) + ": " + text;
  if (hooks.log) hooks.log(line);
  log_.push_back(std::move(line));
  if (log_.size() > kLogKept) log_.pop_front();
  nlohmann::json entry{{"at_s", to_seconds(now())}, {"subject", subject}, {"event", text}};
  journal.add_history(entry.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

bool is_worth_retrying(const Error& error) {
  switch (error.code) {
    case ErrorCode::invalid:
    case ErrorCode::already_exists:
    case ErrorCode::wrong_state:
    case ErrorCode::quota:
    case ErrorCode::permission:
    case ErrorCode::cancelled:
      return false;
    default:
      return true;
  }
}

Task<Result<AgentReply>> Core::ask(const model::NodeId id, AgentCommand command, Duration timeout) {
  const model::Node* node = model.node(id);
  if (node == nullptr || node->address.empty())
    co_return make_error(ErrorCode::unavailable, model::node_name(id) + " has no address");
  const std::string subject = model::node_name(id);
  const Endpoint to = endpoint(*node);
  set_generation(command, journal.generation());
  Result<AgentReply> reply = co_await await_reply<AgentReply>(timeout, [&](Handler<AgentReply> handler) {
    agent.call(CallContext{subject, timeout}, to, command, std::move(handler));
  });
  // A reused address: whoever answered, it was not our node.
  if (reply.has_value() && !reply.value().state.instance_id.empty()) {
    node = model.node(id);
    if (node != nullptr && !node->vm.empty() && reply.value().state.instance_id != node->vm)
      co_return make_error(ErrorCode::unavailable,
                           "the agent at " + to.address + " is that of " + reply.value().state.instance_id +
                               ", not of " + subject + " (" + node->vm + ")",
                           Effect::none, Retry::later);
    if (node != nullptr && !node->vm.empty()) notice(reply.value().state);
  }
  co_return reply;
}

Task<Result<AgentReply>> Core::ask(const model::NodeId id, AgentCommand command) {
  return ask(id, std::move(command), config.agent_timeout);
}

Task<Result<AgentReply>> Core::ask_persistently(const model::NodeId id, AgentCommand command) {
  for (unsigned attempt = 1;; ++attempt) {
    Result<AgentReply> reply = co_await ask(id, command);
    if (reply.has_value() || !is_worth_retrying(reply.error()) || attempt >= config.retry.attempts)
      co_return reply;
    observe("operation.retry", model::node_name(id));
    co_await sleep_for(config.retry.pause_after(attempt, reply.error().retry_after));
  }
}

Task<Result<std::vector<InstanceInfo>>> Core::list_vms(std::string subject, std::string key,
                                                       std::string value) {
  using Infos = std::vector<InstanceInfo>;
  Result<Infos> listed = co_await await_reply<Infos>(config.iaas_timeout, [&](Handler<Infos> handler) {
    iaas.listVMs(CallContext{subject, config.iaas_timeout}, key, value, std::move(handler));
  });
  co_return listed;
}

Task<Result<InstanceInfo>> Core::get_vm_info(std::string subject, std::string vm) {
  Result<InstanceInfo> info =
      co_await await_reply<InstanceInfo>(config.iaas_timeout, [&](Handler<InstanceInfo> handler) {
        iaas.getVMInfo(CallContext{subject, config.iaas_timeout}, vm, std::move(handler));
      });
  co_return info;
}

}  // namespace drover::ops
