// one.vm.* and one.vmpool.*
#include <algorithm>

#include "mockcloud/wire/opennebula/allocation.hpp"

namespace drover::wire::opennebula {
namespace {

constexpr std::int64_t kStateMax = 11;
constexpr std::size_t kNameMax = 128;
constexpr std::size_t kActionMax = 64;

std::string missing(std::int64_t id) { return "Error getting virtual machine [" + std::to_string(id) + "]."; }

// The instance that a client means by an id, or null.
const cloud::Instance* instance_of(const Backend& backend, std::int64_t id) {
  const std::string text = instance_id(id);
  return text.empty() ? nullptr : backend.cloud().instance(text);
}

std::string subject_of(const Backend& backend, const Exchange& exchange, const cloud::Instance* vm) {
  return backend.subject(exchange.http, vm, "opennebula");
}

void vm_allocate(Backend& backend, Exchange exchange) {
  const auto from = one::parse_template(exchange.text(0));
  if (!from) return fail(exchange, kInternal, from.error().message);
  const bool hold = exchange.truth(1);
  allocate(backend, std::move(exchange), from.value(), hold, -1);
}

void vm_info(Backend& backend, Exchange exchange) {
  const std::int64_t id = exchange.number(0);
  const cloud::Instance* vm = instance_of(backend, id);
  const std::string subject = subject_of(backend, exchange, vm);
  CallContext context;
  context.subject = subject;
  auto shared = std::make_shared<Exchange>(std::move(exchange));
  backend.calls().getVMInfo(context, vm == nullptr ? "none" : vm->id,
                            [&backend, shared, id](const Result<InstanceInfo>& result) {
                              if (result) return succeed(*shared, vm_element(backend, result.value(), true));
                              if (result.error().code == ErrorCode::not_found)
                                return fail(*shared, kNoExists, missing(id), id);
                              fail(*shared, result.error());
                            });
}

struct Range {
  std::int64_t filter = -2, start = -1, end = -1, state = -1;
};

std::string pool(const Backend& backend, const cloud::Snapshot& all, const Range& range, bool whole) {
  std::vector<std::size_t> shown;
  InstanceInfo info;
  // Newest first, as oned's API_LIST_ORDER has it by default.
  for (std::size_t row = all.size(); row-- > 0;) {
    if (range.filter > 0) continue;  // of another user
    const std::int64_t id = vm_id(all.id(row));
    if (range.end >= -1 && range.start != -1 && (id < range.start || (range.end != -1 && id > range.end)))
      continue;
    all.tell(row, info);
    // The notes matter to these alone, and reading those of every VM would take long.
    const bool noted = info.state == InstanceState::pending || info.state == InstanceState::stopped;
    std::optional<VmNotes> notes;
    if (noted) notes = notes_of(backend, info.id);
    const int state = vm_state(info, notes).state;
    if (range.state == -1 && state == 6) continue;
    if (range.state >= 0 && state != range.state) continue;
    shown.push_back(row);
  }
  std::size_t first = 0, last = shown.size();
  if (range.end < -1) {  // a page: an offset and a size
    first = std::min(last, static_cast<std::size_t>(std::max<std::int64_t>(0, range.start)));
    last = std::min(last, first + static_cast<std::size_t>(-range.end));
  }
  std::string text;
  for (std::size_t i = first; i < last; ++i) {
    all.tell(shown[i], info);
    text += vm_element(backend, info, whole);
  }
  return element("VM_POOL", text);
}

void list(Backend& backend, Exchange exchange, bool whole) {
  const Range range{exchange.number(0), exchange.number(1), exchange.number(2), exchange.number(3)};
  if (range.filter < -4) return fail(exchange, kApi, "Incorrect filter_flag");
  if (range.state < -2 || range.state > kStateMax)
    return fail(exchange, kApi, "Incorrect filter_flag, state");
  if (!exchange.text(4).empty())
    return fail(exchange, kInternal, "JSON query search is not supported by the SQL backend");
  const std::string subject = subject_of(backend, exchange, nullptr);
  CallContext context;
  context.subject = subject;
  auto shared = std::make_shared<Exchange>(std::move(exchange));
  backend.list(context, {}, {}, [&backend, shared, range, whole](const Result<cloud::Snapshot>& result) {
    if (!result) return fail(*shared, result.error());
    succeed(*shared, pool(backend, result.value(), range, whole));
  });
}
void vmpool_info(Backend& backend, Exchange exchange) { list(backend, std::move(exchange), false); }
void vmpool_infoextended(Backend& backend, Exchange exchange) { list(backend, std::move(exchange), true); }

// What an action does to the cloud, by the state that the client sees.
Outcome act(Backend& backend, const std::string& action, const cloud::Instance& vm) {
  cloud::Cloud& cloud = backend.cloud();
  VmNotes notes = notes_or_default(backend, vm);
  const VmState state = vm_state(cloud.info(vm), notes);
  const auto illegal = [&] {
    return refused(kAction, "Error performing action \"" + action +
                                "\": This action is not available for state " + state_name(state));
  };
  const auto answer = [&](const Result<void>& result) {
    if (!result && result.error().code == ErrorCode::wrong_state) return illegal();
    return result ? done(vm_id(vm.id)) : refused(result.error());
  };
  const bool running = state.state == 3 && state.lcm == 3;
  if (action == "poweroff" || action == "poweroff-hard" || action == "suspend" || action == "stop" ||
      action == "undeploy" || action == "undeploy-hard") {
    if (!running) return illegal();
    const auto result = cloud.stop_instance(vm.id);
    notes.parked = action == "suspend" ? 5 : action == "stop" ? 4 : action.starts_with("undeploy") ? 9 : 8;
    if (result) keep_notes(backend, vm.id, notes);
    return answer(result);
  }
  if (action == "reboot" || action == "reboot-hard") {
    if (!running) return illegal();
    return answer(cloud.reboot_instance(vm.id));
  }
  if (action == "resume") {
    if (running) return done(vm_id(vm.id));
    return answer(cloud.start_instance(vm.id));
  }
  if (action == "release" || action == "hold") {
    if (vm.state != InstanceState::pending || notes.held == (action == "hold")) return illegal();
    cloud::BootOutcome outcome;
    outcome.kind = action == "hold" ? cloud::BootOutcome::Kind::never : cloud::BootOutcome::Kind::normal;
    const auto result = cloud.set_boot_outcome(vm.id, outcome);
    notes.held = action == "hold";
    if (result) keep_notes(backend, vm.id, notes);
    return answer(result);
  }
  if (action == "resched" || action == "unresched") return running ? done(vm_id(vm.id)) : illegal();
  return refused(kAction, "Action \"" + action.substr(0, kActionMax) + "\" is not supported");
}

void vm_action(Backend& backend, Exchange exchange) {
  const std::string action = exchange.text(0);
  const std::int64_t id = exchange.number(1);
  const cloud::Instance* vm = instance_of(backend, id);
  const std::string subject = subject_of(backend, exchange, vm);
  // "finalize" and "delete" are what OpenNebula 3 and 4 called it.
  const bool terminate = action == "terminate" || action == "terminate-hard" || action == "finalize" ||
                         action == "delete" || action == "shutdown-hard" || action == "cancel";
  if (!terminate || vm == nullptr) {
    perform(backend, std::move(exchange), subject, [&backend, action, id](const Exchange&) {
      const cloud::Instance* found = instance_of(backend, id);
      if (found == nullptr) return refused(kNoExists, missing(id), id);
      return act(backend, action, *found);
    });
    return;
  }
  CallContext context;
  context.subject = subject;
  auto shared = std::make_shared<Exchange>(std::move(exchange));
  backend.calls().killInstance(context, vm->id, [shared, id](const Result<void>& result) {
    if (result) return succeed(*shared, id);
    if (result.error().code == ErrorCode::not_found) return fail(*shared, kNoExists, missing(id), id);
    fail(*shared, result.error());
  });
}

// The rest are changes of one VM: found when the request takes effect.
template <class F>
void change(Backend& backend, Exchange exchange, std::int64_t id, F effect) {
  const std::string subject = subject_of(backend, exchange, instance_of(backend, id));
  perform(backend, std::move(exchange), subject,
          [&backend, id, effect = std::move(effect)](const Exchange& asked) {
            const cloud::Instance* vm = instance_of(backend, id);
            if (vm == nullptr) return refused(kNoExists, missing(id), id);
            return effect(asked, *vm);
          });
}

void vm_rename(Backend& backend, Exchange exchange) {
  const std::int64_t id = exchange.number(0);
  change(backend, std::move(exchange), id, [&backend](const Exchange& asked, const cloud::Instance& vm) {
    const std::string name = asked.text(1);
    if (name.empty()) return refused(kInternal, "Invalid NAME, it cannot be empty");
    if (name.size() > kNameMax)
      return refused(kInternal,
                     "Invalid NAME, its length exceeds " + std::to_string(kNameMax) + " characters.");
    const auto result = backend.cloud().rename(vm.id, name);
    return result ? done(vm_id(vm.id)) : refused(result.error());
  });
}

void vm_update(Backend& backend, Exchange exchange) {
  const std::int64_t id = exchange.number(0);
  change(backend, std::move(exchange), id, [&backend](const Exchange& asked, const cloud::Instance& vm) {
    const auto parsed = one::parse_template(asked.text(1));
    if (!parsed) return refused(kInternal, "Cannot update template. " + parsed.error().message);
    const bool append = asked.number(2, 0) == 1;
    VmNotes notes = notes_or_default(backend, vm);
    one::Template all;
    if (append) {
      for (const auto& [key, value] : vm.spec.tags)
        all.push_back(one::single(one::tag_attribute(key), value));
      all.insert(all.end(), notes.user.begin(), notes.user.end());
    }
    for (const one::Attribute& each : parsed.value()) one::drop(all, each.name);
    all.insert(all.end(), parsed.value().begin(), parsed.value().end());
    UserAttributes user = user_attributes(all);
    const auto result = backend.cloud().set_tags(vm.id, std::move(user.tags));
    if (!result) return refused(result.error());
    notes.user = std::move(user.others);
    keep_notes(backend, vm.id, notes);
    return done(vm_id(vm.id));
  });
}

void vm_monitoring(Backend& backend, Exchange exchange) {
  const std::int64_t id = exchange.number(0);
  change(backend, std::move(exchange), id, [](const Exchange&, const cloud::Instance&) {
    return done(std::string("<MONITORING_DATA></MONITORING_DATA>"));
  });
}

constexpr Method kMethods[] = {
    {"one.vm.allocate", "s|b", vm_allocate},    {"one.vm.info", "i|b", vm_info},
    {"one.vm.action", "si", vm_action},         {"one.vm.rename", "is", vm_rename},
    {"one.vm.update", "is|i", vm_update},       {"one.vm.monitoring", "i", vm_monitoring},
    {"one.vmpool.info", "iiii|s", vmpool_info}, {"one.vmpool.infoextended", "iiii|s", vmpool_infoextended},
};

}  // namespace

std::span<const Method> vm_methods() { return kMethods; }

}  // namespace drover::wire::opennebula
