#include "tools/drover/cloud_actions.hpp"

#include <algorithm>

#include "mockcloud/cloud/subject.hpp"

namespace drover::tools {
namespace {

using cloud::BootOutcome;
using cloud::TerminateOutcome;

void later(const CloudStage& stage, Duration after, std::function<void()> undo) {
  if (after != fault::kNeverHappens) stage.scheduler.call_after(stage.domain, after, std::move(undo));
}

Result<void> set_boot(const CloudStage& stage, const std::string& id, BootOutcome::Kind kind,
                      Duration extra = {}, const std::string& text = {}) {
  BootOutcome outcome;
  outcome.kind = kind;
  outcome.extra = extra;
  outcome.text = text;
  return stage.cloud.set_boot_outcome(id, outcome);
}

Result<void> boot_error(const CloudStage& stage, const std::string& id) {
  constexpr const char* kWhy = "no valid host was found";
  const cloud::Instance* vm = stage.cloud.instance(id);
  if (vm != nullptr && vm->state != InstanceState::pending) return stage.cloud.fail_instance(id, kWhy);
  return set_boot(stage, id, BootOutcome::Kind::error, {}, kWhy);
}

Result<void> duplicate_address(const CloudStage& stage, const std::string& id) {
  std::string other;
  stage.cloud.for_each_instance([&](const cloud::Instance& vm) {
    if (vm.id != id && vm.powered && !vm.address.empty()) other = vm.id;
  });
  if (other.empty())
    return make_error(ErrorCode::not_found, "there is no other VM whose address could be taken");
  return stage.cloud.duplicate_address(id, other);
}

Result<void> stick_deletion(const CloudStage& stage, const std::string& id, Duration time) {
  later(stage, time, [&cloud = stage.cloud, id] {
    (void)cloud.set_terminate_outcome(id, TerminateOutcome::normal);
    const cloud::Instance* vm = cloud.instance(id);
    if (vm != nullptr && vm->state == InstanceState::shutting_down) (void)cloud.finish_termination(id);
  });
  return stage.cloud.set_terminate_outcome(id, TerminateOutcome::stuck);
}

Result<void> dies_after(const CloudStage& stage, const std::string& id, Duration delay) {
  const cloud::Instance* vm = stage.cloud.instance(id);
  if (vm != nullptr && vm->state == InstanceState::pending)
    return set_boot(stage, id, BootOutcome::Kind::dies, delay);
  later(stage, delay, [&cloud = stage.cloud, id] { (void)cloud.crash_instance(id); });
  return success();
}

Result<void> lose_zone(const CloudStage& stage, const std::string& id, const fault::Arguments& arguments) {
  const cloud::Instance* vm = stage.cloud.instance(id);
  if (vm == nullptr) return make_error(ErrorCode::not_found, "there is no VM whose zone could be lost");
  const std::string zone = vm->zone;
  later(stage, arguments.duration("for"), [&cloud = stage.cloud, zone] { (void)cloud.restore_zone(zone); });
  return stage.cloud.lose_zone(zone);
}

struct Row {
  const char* name;
  Result<void> (*act)(const CloudStage&, const std::string& id, const fault::Arguments&);
};

using Stage = const CloudStage&;
using Id = const std::string&;
using With = const fault::Arguments&;

constexpr Row kRows[] = {
    {"vm.crash", [](Stage s, Id id, With) { return s.cloud.crash_instance(id); }},
    {"vm.reboot", [](Stage s, Id id, With a) { return s.cloud.reboot_instance(id, a.flag("keep_disk")); }},
    {"vm.pause",
     [](Stage s, Id id, With a) {
       later(s, a.duration("for"), [&cloud = s.cloud, id] { (void)cloud.resume_instance(id); });
       return s.cloud.pause_instance(id);
     }},
    {"vm.never_boot", [](Stage s, Id id, With) { return set_boot(s, id, BootOutcome::Kind::never); }},
    {"vm.slow_boot",
     [](Stage s, Id id, With a) { return set_boot(s, id, BootOutcome::Kind::normal, a.duration("by")); }},
    {"vm.boot_error", [](Stage s, Id id, With) { return boot_error(s, id); }},
    {"vm.boot_stopped", [](Stage s, Id id, With) { return set_boot(s, id, BootOutcome::Kind::stopped); }},
    {"vm.dies_after", [](Stage s, Id id, With a) { return dies_after(s, id, a.duration("delay")); }},
    {"vm.wrong_image",
     [](Stage s, Id id, With) {
       return set_boot(s, id, BootOutcome::Kind::wrong_image, {}, "ubuntu-14.04");
     }},
    {"vm.change_address", [](Stage s, Id id, With) { return s.cloud.change_address(id); }},
    {"vm.duplicate_address", [](Stage s, Id id, With) { return duplicate_address(s, id); }},
    {"vm.late_address", [](Stage s, Id id, With a) { return s.cloud.delay_address(id, a.duration("by")); }},
    {"vm.reuse_address",
     [](Stage s, Id, With) -> Result<void> {
       s.cloud.reuse_address_next();
       return success();
     }},
    {"vm.zombie",
     [](Stage s, Id id, With) { return s.cloud.set_terminate_outcome(id, TerminateOutcome::zombie); }},
    {"vm.stuck_deletion", [](Stage s, Id id, With a) { return stick_deletion(s, id, a.duration("for")); }},
    {"vm.forget_tags", [](Stage s, Id id, With) { return s.cloud.forget_tags(id); }},
    {"vm.forget_name", [](Stage s, Id id, With) { return s.cloud.forget_name(id); }},
    {"vm.zone_loss", lose_zone},
};

const Row* find_row(std::string_view name) {
  for (const Row& row : kRows)
    if (name == row.name) return &row;
  return nullptr;
}

}  // namespace

bool is_cloud_action(std::string_view name) { return find_row(name) != nullptr; }

Result<void> act_on_cloud(const CloudStage& stage, const fault::Action& action, const std::string& id) {
  const Row* row = find_row(action.name);
  if (row == nullptr)
    return make_error(ErrorCode::unavailable,
                      action.name + " is no action on machines; those are: " + cloud_action_names());
  if (id.empty() && action.name != "vm.reuse_address")
    return make_error(ErrorCode::not_found, "there is no VM \"" + action.target.substr(0, 100) + "\" that " +
                                                action.name + " could be done to");
  return row->act(stage, id, action.arguments);
}

std::string cloud_action_names() {
  std::string names;
  for (const Row& row : kRows) names += std::string(names.empty() ? "" : ", ") + row.name;
  return names;
}

std::string fault_subject(const cloud::Instance& vm) { return cloud::subject_of(vm.spec.name, vm.spec.tags); }

std::string find_target(cloud::Cloud& cloud, Choices& choices, const fault::Action& action) {
  std::vector<std::string> living;
  std::string found;
  const std::string& target = action.target;
  const bool number = !target.empty() && target.find_first_not_of("0123456789") == std::string::npos;
  const std::string node = number ? "node-" + target : target;
  cloud.for_each_instance([&](const cloud::Instance& vm) {
    if (!vm.live() || is_gone(vm.state)) return;
    living.push_back(vm.id);
    if (vm.id == target || fault_subject(vm) == node || vm.spec.name == target) found = vm.id;
  });
  if (!target.empty() || living.empty()) return found;
  return living[choices.below(living.size(), "fault:" + action.rule, "target")];
}

}  // namespace drover::tools
