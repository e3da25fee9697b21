#include "scenarios/engine/check_write_ahead.hpp"

#include <charconv>

namespace drover::scenario {

using model::NodeState;

namespace {

std::uint64_t number_at(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

model::NodeId node_number(std::string_view name) {
  if (!name.starts_with("node-")) return 0;
  return static_cast<model::NodeId>(number_at(name.substr(5)));
}

model::OperationId operation_number(std::string_view name) {
  if (!name.starts_with("op-")) return 0;
  return static_cast<model::OperationId>(number_at(name.substr(3)));
}

std::uint64_t attempt_of_token(std::string_view token) {
  const auto node = token.find(":node-");
  const auto dot = node == std::string_view::npos ? node : token.find('.', node);
  return dot == std::string_view::npos ? 0 : number_at(token.substr(dot + 1));
}

void WriteAhead::report(const std::string& what, const std::string& why, const std::string& fingerprint) {
  world_.report("S8", what + ", but in the journal " + why, "S8 " + fingerprint);
}

void WriteAhead::asked(const IaasCall& call) {
  if (call.kind == IaasCall::Kind::create) check_create(call);
  if (call.kind == IaasCall::Kind::kill) check_kill(call);
}

void WriteAhead::check_create(const IaasCall& call) {
  const std::string name = node_of_token(call.object);
  const auto* node = world_.durable().node(node_number(name));
  const std::string what = "a VM was asked for by " + call.object;
  const std::string fingerprint = "newInstance before its record";
  if (node == nullptr) return report(what, "there is no such node", fingerprint);
  if (node->state != NodeState::creating)
    return report(what, name + " is " + model::to_text(node->state), fingerprint);
  if (node->attempt != attempt_of_token(call.object))
    report(what, name + " is at attempt " + std::to_string(node->attempt), fingerprint);
}

void WriteAhead::check_kill(const IaasCall& call) {
  const std::string what = "VM " + call.object + " was destroyed";
  auto& durable = world_.durable();
  if (const auto id = durable.node_of_vm(call.object); id != 0) {
    const auto* node = durable.node(id);
    if (node != nullptr && model::is_listed(node->state))
      report(what, model::node_name(id) + " runs on it and is " + model::to_text(node->state),
             "killInstance before its record");
    return;
  }
  const auto* vm = world_.cloud().instance(call.object);
  if (vm == nullptr) return;
  const auto* node = durable.node(node_number(node_of_token(vm->asked_token())));
  if (node != nullptr && node->state == NodeState::creating && node->vm.empty() &&
      node->attempt == attempt_of_token(vm->asked_token()))
    report(what, model::node_name(node->id) + " still waits for it", "killInstance of a VM that is wanted");
}

void WriteAhead::asked(const std::string& subject, const AgentCommand& command) {
  if (const auto* primary = std::get_if<SetUpPrimary>(&command))
    check_opening(subject, agent_method(command), primary->epoch);
  if (const auto* set = std::get_if<SetReadOnly>(&command); set != nullptr && !set->read_only)
    check_opening(subject, agent_method(command), set->epoch);
  if (std::holds_alternative<SetUpReplica>(command)) check_replica(subject);
}

void WriteAhead::check_opening(const std::string& subject, const char* method, std::uint64_t epoch) {
  const auto* service = world_.durable().service();
  const std::string what = subject + " was told " + method + " in epoch " + std::to_string(epoch);
  const std::string fingerprint = std::string(method) + " before its record";
  if (service == nullptr) return report(what, "there is no service", fingerprint);
  if (service->epoch < epoch)
    return report(what, "the epoch is " + std::to_string(service->epoch), fingerprint);
  if (service->maybe_writable != node_number(subject))
    report(what,
           service->maybe_writable == 0 ? std::string("nobody may be writable")
                                        : model::node_name(service->maybe_writable) + " may be writable",
           fingerprint);
}

void WriteAhead::check_replica(const std::string& subject) {
  const auto* node = world_.durable().node(node_number(subject));
  if (node != nullptr && node->role == Role::replica) return;
  report(subject + " was made a replica",
         node == nullptr ? std::string("there is no such node")
                         : "its role is " + std::string(to_text(node->role)),
         "set_up_replica_slave before its record");
}

void WriteAhead::answered(const api::Response& response) {
  if (response.failed || !response.result.is_object()) return;
  const auto found = response.result.find("operation");
  if (found == response.result.end() || !found->is_string()) return;
  const auto& text = found->get_ref<const std::string&>();
  const auto id = static_cast<model::OperationId>(number_at(text));
  if (!world_.durable().documents(Table::operation).contains(id))
    report("operation " + text + " was acknowledged", "there is none of that number",
           "operation acknowledged before its record");
}

}  // namespace drover::scenario
