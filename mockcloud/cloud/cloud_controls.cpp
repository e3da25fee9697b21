// The controls that the fault engine uses: changes at once, without the latency of a call.
#include <algorithm>

#include "mockcloud/cloud/cloud_internal.hpp"

namespace drover::cloud {
namespace {

Error wrong_state(const Instance& vm, const std::string& what) {
  return make_error(ErrorCode::wrong_state, "instance " + vm.id + " (" + vm.spec.name + ") is " +
                                                drover::to_text(vm.state) + ": " + what);
}

}  // namespace

Result<void> Cloud::request(const std::string& id, Event event, const std::string& argument) {
  Change change(*this);
  DROVER_TRY(Instance * vm, require(id));
  if (!apply(*vm, event, argument))
    return wrong_state(*vm, std::string("the lifecycle has no ") + to_text(event) + " from there");
  return success();
}

Result<void> Cloud::crash_instance(const std::string& id, bool gone) {
  return request(id, gone ? Event::vanish : Event::crash);
}

Result<void> Cloud::fail_instance(const std::string& id, const std::string& fault) {
  return request(id, Event::fail, fault);
}

Result<void> Cloud::stop_instance(const std::string& id) { return request(id, Event::stop); }

Result<void> Cloud::start_instance(const std::string& id) { return request(id, Event::start); }

Result<void> Cloud::reboot_instance(const std::string& id, bool keep_disk) {
  return request(id, Event::reboot, keep_disk ? "keep_disk" : "lose_disk");
}

Result<void> Cloud::set_boot_outcome(const std::string& name, BootOutcome outcome) {
  if (outcome.extra < Duration{0} || outcome.address_delay < Duration{0})
    return make_error(ErrorCode::invalid, "set_boot_outcome: a delay is negative");
  if (outcome.kind == BootOutcome::Kind::wrong_image && outcome.text.empty())
    return make_error(ErrorCode::invalid, "set_boot_outcome: wrong_image needs the name of the image");
  Change change(*this);
  Instance* vm = find(name);
  if (vm != nullptr && vm->state != InstanceState::pending) return wrong_state(*vm, "it is not booting");
  if (const auto named = latest_by_name_.find(TextKey(name)); vm == nullptr && named != latest_by_name_.end())
    vm = &instances_[named->second - 1];
  if (vm == nullptr || vm->state != InstanceState::pending) {
    tables_->save_boot_outcome(name, outcome);
    boot_outcomes_[name] = std::move(outcome);
    return success();
  }
  const bool armed = vm->transition_timer != 0;
  const TimePoint due = vm->transition_due;
  disarm(*vm);
  if (outcome.kind == BootOutcome::Kind::wrong_image) update(*vm, [&] { vm->spec.image = outcome.text; });
  if (outcome.address_delay > Duration{0} && !vm->address.empty()) {
    const auto delayed = delay_address(vm->id, outcome.address_delay);
    if (!delayed) return delayed;
  }
  if (armed)
    arm_boot(*vm, outcome, due);
  else
    boot(*vm, outcome);
  return success();
}

Result<void> Cloud::pause_instance(const std::string& id) {
  Change change(*this);
  DROVER_TRY(Instance * vm, require(id));
  if (!vm->powered) return wrong_state(*vm, "only an instance that is powered on can be paused");
  if (vm->paused) return success();
  update(*vm, [&] { vm->paused = true; });
  if (listener_ != nullptr) listener_->instance_paused(vm->id, true);
  announce(*vm, vm->state, "pause");
  return success();
}

Result<void> Cloud::resume_instance(const std::string& id) {
  Change change(*this);
  DROVER_TRY(Instance * vm, require(id));
  if (!vm->paused) return success();
  update(*vm, [&] { vm->paused = false; });
  if (listener_ != nullptr) listener_->instance_paused(vm->id, false);
  announce(*vm, vm->state, "resume");
  return success();
}

Result<void> Cloud::change_address(const std::string& id, const std::string& address) {
  Change change(*this);
  DROVER_TRY(Instance * vm, require(id));
  if (!vm->live()) return wrong_state(*vm, "an address can only be changed while the instance lives");
  if (address.empty() && addresses_.full())
    return make_error(ErrorCode::capacity, "change_address: no address is free");
  const std::string fresh = address.empty() ? *addresses_.take() : address;
  if (!address.empty()) addresses_.add_user(address);
  release_address(vm->address);
  set_address(*vm, fresh);
  return success();
}

Result<void> Cloud::duplicate_address(const std::string& id, const std::string& other) {
  DROVER_TRY(Instance * source, require(other));
  if (source->address.empty()) return wrong_state(*source, "it has no address to duplicate");
  return change_address(id, std::string(source->address));
}

Result<void> Cloud::delay_address(const std::string& id, Duration delay) {
  if (delay < Duration{0}) return make_error(ErrorCode::invalid, "delay_address: the delay is negative");
  Change change(*this);
  DROVER_TRY(Instance * vm, require(id));
  if (!vm->live() || vm->address.empty()) return wrong_state(*vm, "it has no address to take away");
  const std::string address = vm->address;
  arm(*vm, TimerKind::address, scheduler_.later(delay), address);
  set_address(*vm, {});
  return success();
}

void Cloud::reuse_address_next() {
  Change change(*this);
  reuse_address_ = true;
  tables_->touch();
}

Result<void> Cloud::set_terminate_outcome(const std::string& id, TerminateOutcome outcome) {
  Change change(*this);
  DROVER_TRY(Instance * vm, require(id));
  if (is_gone(vm->state)) return wrong_state(*vm, "its termination has already begun");
  update(*vm, [&] { vm->terminate_outcome = outcome; });
  return success();
}

Result<void> Cloud::finish_termination(const std::string& id) {
  Change change(*this);
  DROVER_TRY(Instance * vm, require(id));
  if (!is_gone(vm->state)) return wrong_state(*vm, "nobody has asked for its termination");
  const bool was_zombie = vm->zombie();
  update(*vm, [&] {
    vm->terminate_outcome = TerminateOutcome::normal;
    vm->powered = vm->paused = false;
  });
  if (was_zombie && listener_ != nullptr) listener_->instance_stopped(vm->id);
  if (vm->state == InstanceState::shutting_down)
    apply(*vm, Event::terminate_done);
  else if (was_zombie)
    let_go(*vm);
  return success();
}

Result<void> Cloud::forget_tags(const std::string& id) {
  Change change(*this);
  DROVER_TRY(Instance * vm, require(id));
  update(*vm, [&] { vm->spec.tags.clear(); });
  tables_->erase_tags(*vm);
  return success();
}

Result<void> Cloud::forget_name(const std::string& id) {
  Change change(*this);
  DROVER_TRY(Instance * vm, require(id));
  update(*vm, [&] { vm->spec.name.clear(); });
  tables_->save_name(*vm);
  return success();
}

void Cloud::forget_token(const std::string& token) {
  Change change(*this);
  for (const std::string& key : {"instance:" + token, "volume:" + token})
    if (tokens_.erase(TextKey(key)) > 0) tables_->erase_token(key);
}

Result<void> Cloud::lose_zone(const std::string& zone, bool gone) {
  Change change(*this);
  const auto found = zones_up_.find(zone);
  if (found == zones_up_.end()) return make_error(ErrorCode::not_found, "lose_zone: no zone " + zone);
  found->second = false;
  tables_->save_zone(zone, false);
  for (Instance& vm : instances_) {
    if (vm.zone != zone || !vm.live()) continue;
    if (vm.zombie()) {
      const auto finished = finish_termination(vm.id);
      if (!finished) return finished;
    } else {
      apply(vm, gone ? Event::vanish : Event::crash);
    }
  }
  return success();
}

Result<void> Cloud::restore_zone(const std::string& zone) {
  Change change(*this);
  const auto found = zones_up_.find(zone);
  if (found == zones_up_.end()) return make_error(ErrorCode::not_found, "restore_zone: no zone " + zone);
  found->second = true;
  tables_->save_zone(zone, true);
  return success();
}

Result<void> Cloud::reconfigure(const CloudConfig& config) {
  DROVER_TRY(check_config(config));
  const bool lags = config.list_lag != Distribution();
  if (config.images != config_.images || config.sizes != config_.sizes ||
      config.networks != config_.networks || config.zones != config_.zones ||
      config.address_prefix != config_.address_prefix || lags != lagging())
    return make_error(
        ErrorCode::invalid,
        "reconfigure: catalogue, zones, address_prefix and whether listings lag are fixed when the "
        "cloud is made");
  config_ = config;
  return success();
}

}  // namespace drover::cloud
