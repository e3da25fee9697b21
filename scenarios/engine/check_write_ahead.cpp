#include "scenarios/engine/check_write_ahead.hpp"

#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

namespace drover::scenario {

using model::NodeState;

namespace {

std::uint64_t number_at(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::set<std::string> doomed_in(const std::string& document) {
  const auto service = nlohmann::json::parse(document, nullptr, false);
  const auto found = service.is_object() ? service.find("doomed") : service.end();
  if (!service.is_object() || found == service.end()) return {};
  return found->get<std::set<std::string>>();
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
  if (const auto* replica = std::get_if<SetUpReplica>(&command)) check_replica(subject, replica->epoch);
}

void WriteAhead::check_opening(const std::string& subject, const char* method, std::uint64_t epoch) {
  const auto* service = world_.durable().service();
  const std::string what = subject + " was told " + method + " in epoch " + std::to_string(epoch);
  const std::string fingerprint = std::string(method) + " before its record";
  if (service == nullptr) return report(what, "there is no service", fingerprint);
  if (service->epoch < epoch)
    return report(what, "the epoch is " + std::to_string(service->epoch), fingerprint);
  if (service->maybe_writable != node_number(subject))
    return report(what,
                  service->maybe_writable == 0
                      ? std::string("nobody may be writable")
                      : model::node_name(service->maybe_writable) + " may be writable",
                  fingerprint);
  if (service->epoch > epoch)
    report(what, "the epoch is " + std::to_string(service->epoch), std::string(method) + " in an old epoch");
}

void WriteAhead::check_replica(const std::string& subject, std::uint64_t epoch) {
  const auto* node = world_.durable().node(node_number(subject));
  if (node == nullptr || node->role != Role::replica)
    return report(subject + " was made a replica",
                  node == nullptr ? std::string("there is no such node")
                                  : "its role is " + std::string(to_text(node->role)),
                  "set_up_replica_slave before its record");
  const auto* service = world_.durable().service();
  if (service != nullptr && service->epoch > epoch)
    report(subject + " was made a replica in epoch " + std::to_string(epoch),
           "the epoch is " + std::to_string(service->epoch), "set_up_replica_slave in an old epoch");
}

// S1: the list of what is to be destroyed is all that the manager knows of a VM without a record.
void WriteAhead::stored(const Change& change, const std::string& before) {
  if (change.table == Table::history && !change.erase && !before.empty() && change.document != before)
    world_.report("S8", "line " + std::to_string(change.id) + " of the audit trail was overwritten",
                  "S8 audit trail overwritten");
  if (change.table != Table::service || before.find("\"doomed\"") == std::string::npos) return;
  const auto was = doomed_in(before), is = doomed_in(change.document);
  for (const std::string& vm : was)
    if (!is.contains(vm)) check_struck_off(vm);
}

void WriteAhead::check_struck_off(const std::string& id) {
  const auto* vm = world_.cloud().instance(id);
  if (vm == nullptr || is_gone(vm->state) || world_.durable().node_of_vm(id) != 0) return;
  // The cloud may have said that it is gone.
  if (world_.evidence().any_to(*vm, {"not_found", "backwards", "vm.zombie"})) return;
  world_.report("S1", "VM " + id + " was to be destroyed, lives, and is no longer in the journal",
                "S1 doomed VM forgotten");
}

// Who is told that an operation is being cancelled finds it so after any crash.
void WriteAhead::check_cancelled(const api::Response& response) {
  const auto told = response.result.find("operation");
  if (told == response.result.end() || !told->is_object() || !told->contains("id")) return;
  const std::string text = told->at("id").get<std::string>();
  const auto* stored = world_.durable().operation(static_cast<model::OperationId>(number_at(text)));
  if (stored == nullptr)
    return report("operation " + text + " was told as cancelled", "there is none of that number",
                  "cancellation acknowledged before its record");
  if (stored->cancelling || model::is_ended(stored->state) ||
      stored->state == model::OperationState::compensating)
    return;
  report("operation " + text + " was told as cancelled",
         std::string("it is ") + model::to_text(stored->state),
         "cancellation acknowledged before its record");
}

void WriteAhead::answered(const std::string& method, const api::Response& response) {
  if (response.failed || !response.result.is_object()) return;
  if (method == "cancel_operation") return check_cancelled(response);
  const auto found = response.result.find("operation");
  if (found == response.result.end() || !found->is_string()) return;
  const auto& text = found->get_ref<const std::string&>();
  const auto id = static_cast<model::OperationId>(number_at(text));
  if (!world_.durable().documents(Table::operation).contains(id))
    report("operation " + text + " was acknowledged", "there is none of that number",
           "operation acknowledged before its record");
}

}  // namespace drover::scenario
