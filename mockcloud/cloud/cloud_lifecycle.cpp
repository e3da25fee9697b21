// Transitions of instances, what entering a state brings with it, and the timers that drive them.
#include <algorithm>
#include <utility>

#include "manager/base/check.hpp"
#include "mockcloud/cloud/cloud_internal.hpp"

namespace drover::cloud {
namespace {

// What a timer does to the lifecycle; the rest are handled in fire().
std::optional<Event> event_of(TimerKind kind) {
  switch (kind) {
    case TimerKind::boot:
      return Event::boot_done;
    case TimerKind::boot_failed:
      return Event::boot_failed;
    case TimerKind::boot_stopped:
      return Event::boot_stopped;
    case TimerKind::stop:
      return Event::stop_done;
    case TimerKind::reboot:
      return Event::reboot_done;
    case TimerKind::terminate:
      return Event::terminate_done;
    case TimerKind::crash:
      return Event::crash;
    case TimerKind::address:
    case TimerKind::release_quota:
      break;
  }
  return std::nullopt;
}

// Whether an operating system runs after `event` has led to `to`.
bool has_power(const Instance& vm, Event event, InstanceState to) {
  if (to == InstanceState::running) return true;
  const bool asked = event == Event::terminate || event == Event::terminate_done;
  return asked && vm.terminate_outcome == TerminateOutcome::zombie && vm.powered;
}

TimePoint later_than(TimePoint at, Duration delay) { return delay > kNever - at ? kNever : at + delay; }

}  // namespace

bool Cloud::apply(Instance& vm, Event event, const std::string& argument) {
  const auto to = next_state(vm.state, event);
  if (!to) return false;
  const InstanceState from = vm.state;
  const bool had_power = vm.powered;
  disarm(vm);
  update(vm, [&] {
    vm.powered = has_power(vm, event, *to);
    vm.paused = vm.paused && vm.powered;
    vm.state = *to;
    vm.state_since = scheduler_.now();
    if (*to == InstanceState::error) vm.fault = argument;
    if (is_gone(*to) && config_.quota_keeps_terminated <= Duration{0}) vm.counts_to_quota = false;
  });
  if (had_power && !vm.powered && listener_ != nullptr) listener_->instance_stopped(vm.id);
  enter(vm, event, argument);
  announce(vm, from, to_text(event));
  return true;
}

void Cloud::enter(Instance& vm, Event event, const std::string& argument) {
  const auto arm_after = [&](TimerKind kind, const Distribution& delay, const char* site,
                             std::string text = {}) {
    arm(vm, kind, scheduler_.later(delay.sample(choices_, vm.spec.name, site)), std::move(text));
  };
  switch (vm.state) {
    case InstanceState::pending:
      boot(vm, {});
      break;
    case InstanceState::running:
      if (event == Event::reboot_done) {
        if (listener_ != nullptr) listener_->instance_rebooted(vm.id, argument != "lose_disk");
      } else {
        if (listener_ != nullptr) listener_->instance_booted(info(vm), vm.spec.user_data);
        if (const auto dies_after = parse_duration(argument))
          arm(vm, TimerKind::crash, scheduler_.later(*dies_after));
      }
      break;
    case InstanceState::rebooting:
      arm_after(TimerKind::reboot, config_.reboot, "cloud.reboot", argument);
      break;
    case InstanceState::stopping:
      arm_after(TimerKind::stop, config_.stop, "cloud.stop");
      break;
    case InstanceState::shutting_down:
      if (vm.terminate_outcome != TerminateOutcome::stuck)
        arm_after(TimerKind::terminate, config_.terminate, "cloud.terminate");
      break;
    case InstanceState::terminated:
      enter_terminated(vm);
      break;
    case InstanceState::stopped:
    case InstanceState::error:
      break;
  }
}

void Cloud::enter_terminated(Instance& vm) {
  if (vm.counts_to_quota) arm(vm, TimerKind::release_quota, scheduler_.later(config_.quota_keeps_terminated));
  if (!vm.powered) let_go(vm);
}

// The machine is really gone: gives back what it held.
void Cloud::let_go(Instance& vm) {
  release_address(vm.address);
  for (const std::uint32_t number : std::vector(vm.volumes.begin(), vm.volumes.end()))
    set_attachment(volumes_.at(number), 0);
  if (listener_ != nullptr) listener_->instance_terminated(vm.id);
}

void Cloud::announce(const Instance& vm, InstanceState from, std::string_view event) {
  trace_.set_time(scheduler_.now());
  trace_.add(TraceKind::instance, vm.spec.name, vm.id, event, std::string_view(drover::to_text(vm.state)));
  if (observer_) observer_(vm, from);
}

void Cloud::boot(Instance& vm, const BootOutcome& outcome) {
  const Duration delay = config_.boot.sample(choices_, vm.spec.name, "cloud.boot");
  arm_boot(vm, outcome, scheduler_.later(delay));
}

void Cloud::arm_boot(Instance& vm, const BootOutcome& outcome, TimePoint due) {
  switch (outcome.kind) {
    case BootOutcome::Kind::normal:
    case BootOutcome::Kind::wrong_image:
      arm(vm, TimerKind::boot, later_than(due, outcome.extra));
      break;
    case BootOutcome::Kind::never:
      break;
    case BootOutcome::Kind::error:
      arm(vm, TimerKind::boot_failed, due, outcome.text.empty() ? "no valid host was found" : outcome.text);
      break;
    case BootOutcome::Kind::stopped:
      arm(vm, TimerKind::boot_stopped, due);
      break;
    case BootOutcome::Kind::dies:
      arm(vm, TimerKind::boot, due, drover::to_text(outcome.extra));
      break;
  }
}

void Cloud::set_address(Instance& vm, const std::string& address) {
  update(vm, [&] { vm.address = address; });
  trace_.set_time(scheduler_.now());
  trace_.add(TraceKind::instance, vm.spec.name, vm.id, std::string_view("address"), address);
  // Before the boot nobody listens there: the boot tells the address.
  if (vm.state != InstanceState::pending && listener_ != nullptr)
    listener_->instance_address_changed(vm.id, address);
}

void Cloud::release_address(const std::string& address) {
  if (address.empty()) return;
  addresses_.drop_user(address);
  released_address_ = address;
}

std::string Cloud::next_address() {
  const bool reuse = std::exchange(reuse_address_, false);
  // Once: from then on it is in use.
  if (reuse && !released_address_.empty() && !addresses_.is_used(released_address_)) {
    addresses_.add_user(released_address_);
    return std::exchange(released_address_, {});
  }
  auto address = addresses_.take();
  DROVER_CHECK(address.has_value(), "addresses ran out without check_room noticing");
  return *std::move(address);
}

BootOutcome Cloud::take_boot_outcome(const std::string& name) {
  if (boot_outcomes_.empty()) return {};
  auto found = boot_outcomes_.find(name);
  if (found == boot_outcomes_.end()) found = boot_outcomes_.find("");
  if (found == boot_outcomes_.end()) return {};
  BootOutcome outcome = std::move(found->second);
  tables_->erase_boot_outcome(found->first);
  boot_outcomes_.erase(found);
  return outcome;
}

const std::string* Cloud::zone_for(const InstanceSpec& spec) const {
  if (!spec.zone.empty()) {
    const auto wanted = zones_up_.find(spec.zone);
    return wanted != zones_up_.end() && wanted->second ? &wanted->first : nullptr;
  }
  const auto& zones = config_.zones;
  const std::size_t first = hash_text(spec.name) % zones.size();
  for (std::size_t i = 0; i < zones.size(); ++i) {
    const std::string& zone = zones[(first + i) % zones.size()];
    if (zones_up_.at(zone)) return &zone;
  }
  return nullptr;
}

void Cloud::arm(Instance& vm, TimerKind kind, TimePoint due, std::string argument) {
  TimerRow timer{next_timer_++, due, kind, vm.number, Text(std::move(argument))};
  if (is_transition(kind)) {
    disarm(vm);
    vm.transition_timer = timer.id;
    vm.transition_due = due;
  }
  tables_->insert_timer(timer);
  schedule(std::move(timer));
}

void Cloud::disarm(Instance& vm) {
  if (vm.transition_timer == 0) return;
  tables_->erase_timer(vm.transition_timer);
  vm.transition_timer = 0;
}

void Cloud::schedule(TimerRow timer) {
  scheduler_.call_at(domain_, timer.due,
                     [this, id = timer.id, kind = timer.kind, instance = timer.instance,
                      argument = std::move(timer.argument)] { fire(id, kind, instance, argument); });
}

void Cloud::fire(std::uint64_t id, TimerKind kind, std::uint32_t instance, const Text& argument) {
  Instance& vm = instances_[instance - 1];
  if (is_transition(kind) && vm.transition_timer != id) return;  // disarmed
  Change change(*this);
  tables_->erase_timer(id);
  if (is_transition(kind)) vm.transition_timer = 0;
  if (const auto event = event_of(kind)) {
    apply(vm, *event, argument);
  } else if (kind == TimerKind::release_quota) {
    update(vm, [&] { vm.counts_to_quota = false; });
  } else if (!vm.live() || !vm.address.empty()) {
    // Gone, or given another address meanwhile.
    addresses_.drop_user(argument);
  } else {
    set_address(vm, argument);
  }
}

}  // namespace drover::cloud
