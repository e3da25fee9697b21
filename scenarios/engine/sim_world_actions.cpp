// What the fault engine and `do:` steps can do to the simulated world: the manager and machines. What is done
// to agents and database servers is in sim_world_processes.cpp.
#include <algorithm>

#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {

namespace {

using cloud::BootOutcome;

}  // namespace

void SimWorld::later(const fault::Action& action, Duration after, std::function<void()> undo) {
  healers_.push_back(undo);
  // Overlapping faults of one kind on one target end with the last of them.
  TimePoint& until = lasting_[{action.name, action.target}];
  until = std::max(until, scheduler_.later(after));
  if (after == fault::kNeverHappens) return;
  scheduler_.call_after(domain_, after,
                        [this, key = std::pair(action.name, action.target), undo = std::move(undo)] {
                          if (scheduler_.now() >= lasting_[key]) undo();
                        });
}

// One of the service's living VMs, for faults that come from the clock and name nobody.
std::string SimWorld::draw_target(const std::string& rule) {
  std::vector<std::string> living;
  cloud_->for_each_instance([&](const cloud::Instance& vm) {
    if (vm.live() && !is_gone(vm.state)) living.push_back(vm.id);
  });
  if (living.empty()) return {};
  return living[choices_.below(living.size(), "fault:" + rule, "target")];
}

void SimWorld::perform(const fault::Action& action) {
  if (quiet_) return;
  fault::Action aimed = action;
  if (aimed.target.empty() && !aimed.name.starts_with("net.") && !aimed.name.starts_with("api.")) {
    aimed.target = draw_target(action.rule);
    engine_->aimed_at(action, aimed.target);
  }
  const auto done = act(aimed);
  if (done.has_value()) return;
  trace_.add(TraceKind::note, action.name, done.error().message);
  engine_->not_performed(action);
}

// The VMs that an action is done to; "" where it is done to nobody in particular.
std::vector<std::string> SimWorld::those_meant_by(const fault::Action& action) const {
  std::vector<std::string> meant;
  if (action.name == "vm.zone_loss") {
    const std::string zone = cloud_->config().zones.empty() ? "a" : cloud_->config().zones.front();
    cloud_->for_each_instance([&](const cloud::Instance& vm) {
      if (vm.zone == zone) meant.push_back(vm.id);
    });
    return meant;
  }
  const cloud::Instance* vm = instance_of(action.target);
  if (vm != nullptr && action.name == "vm.host_loss") {
    meant = those_on_host(action, *vm);
    if (!meant.empty()) return meant;
  }
  if (vm != nullptr && !action.name.starts_with("manager.") && !action.name.starts_with("store."))
    meant.push_back(vm->id);
  // Whoever had the address before does not have it alone any more.
  if (meant.empty() || action.name == "vm.duplicate_address" || action.name == "vm.reuse_address")
    meant.emplace_back();
  return meant;
}

Result<void> SimWorld::act(const fault::Action& action) {
  if (action.name == "api.call") return ask_as_client(action);  // no excuse for anything
  const auto meant = those_meant_by(action);
  const bool loses_disk = action.name == "vm.reboot" && !action.arguments.flag("keep_disk");
  for (const auto& id : meant) {
    evidence_->add(action.name, id, action.arguments);
    if (loses_disk) evidence_->add("vm.lose_disk", id, action.arguments);
  }
  auto done = carry_out(action);
  if (done.has_error()) evidence_->take_back(meant.size() * (loses_disk ? 2 : 1));
  return done;
}

Result<void> SimWorld::carry_out(const fault::Action& action) {
  const std::string& name = action.name;
  if (name == "vm.detach_volume") {
    // The manager buys no volumes: there is nothing to detach.
    if (unsupported_.empty()) unsupported_.push_back(name);
    return success();
  }
  if (name.starts_with("manager.")) return act_on_manager(action);
  if (name.starts_with("store.")) return act_on_journal(action);
  if (name == "order.shuffle") {
    const auto key = static_cast<std::uint64_t>(action.arguments.number("seed")) + 1;
    scheduler_.shuffle(mix(key, hash_text(name)), action.arguments.duration("spread"));
    healers_.push_back([this] { scheduler_.shuffle(0, Duration{0}); });
    return success();
  }
  if (name.starts_with("net.")) return network_->act(action);
  if (name == "vm.reuse_address") {
    cloud_->reuse_address_next();
    return success();
  }
  if (name == "vm.zone_loss") {
    const std::string zone = cloud_->config().zones.empty() ? "a" : cloud_->config().zones.front();
    const Duration back = action.arguments.duration("for");
    later(action, back, [this, zone] {
      (void)cloud_->restore_zone(zone);
      std::vector<std::string> stopped;
      cloud_->for_each_instance([&](const cloud::Instance& vm) {
        if (vm.zone == zone && vm.state == InstanceState::stopped) stopped.push_back(vm.id);
      });
      for (const auto& id : stopped) (void)cloud_->start_instance(id);
    });
    return cloud_->lose_zone(zone);
  }
  const cloud::Instance* vm = instance_of(action.target);
  if (vm == nullptr) return make_error(ErrorCode::not_found, "there is no VM of \"" + action.target + "\"");
  if (name.starts_with("vm.")) return act_on_vm(action, *vm);
  if (name.starts_with("agent.")) return act_on_agent(action, vm->id);
  if (name.starts_with("db.")) return act_on_database(action, vm->id);
  return make_error(ErrorCode::invalid, "the simulation does not know the action \"" + name + "\"");
}

Result<void> SimWorld::act_on_vm(const fault::Action& action, const cloud::Instance& vm) {
  const std::string& name = action.name;
  const auto& arguments = action.arguments;
  const std::string id = vm.id;
  const auto boot = [&](BootOutcome::Kind kind, Duration extra = Duration{0}, std::string text = {}) {
    BootOutcome outcome;
    outcome.kind = kind;
    outcome.extra = extra;
    outcome.text = std::move(text);
    return cloud_->set_boot_outcome(id, outcome);
  };
  if (name == "vm.crash") return cloud_->crash_instance(id);
  if (name == "vm.reboot") return cloud_->reboot_instance(id, arguments.flag("keep_disk"));
  if (name == "vm.pause") {
    later(action, arguments.duration("for"), [this, id] { (void)cloud_->resume_instance(id); });
    return cloud_->pause_instance(id);
  }
  if (name == "vm.never_boot") return boot(BootOutcome::Kind::never);
  if (name == "vm.slow_boot") return boot(BootOutcome::Kind::normal, arguments.duration("by"));
  if (name == "vm.boot_error") {
    if (vm.state != InstanceState::pending) return cloud_->fail_instance(id, "no valid host was found");
    return boot(BootOutcome::Kind::error, Duration{0}, "no valid host was found");
  }
  if (name == "vm.boot_stopped") return boot(BootOutcome::Kind::stopped);
  if (name == "vm.dies_after") {
    if (vm.state == InstanceState::pending)
      dying_[id] = arguments.duration("delay");  // counted from its boot: instance_changed()
    else
      die_after(id, arguments.duration("delay"));
    return success();
  }
  if (name == "vm.wrong_image") return boot(BootOutcome::Kind::wrong_image, Duration{0}, "ubuntu-14.04");
  if (name == "vm.change_address") return cloud_->change_address(id);
  if (name == "vm.late_address") return cloud_->delay_address(id, arguments.duration("by"));
  if (name == "vm.duplicate_address") {
    const cloud::Instance* other = nullptr;
    cloud_->for_each_instance([&](const cloud::Instance& one) {
      if (one.id != id && one.powered && !one.address.empty()) other = &one;
    });
    if (other == nullptr)
      return make_error(ErrorCode::not_found, "there is no other VM whose address could be taken");
    return cloud_->duplicate_address(id, other->id);
  }
  if (name == "vm.zombie") return cloud_->set_terminate_outcome(id, cloud::TerminateOutcome::zombie);
  if (name == "vm.stuck_deletion") {
    later(action, arguments.duration("for"), [this, id] {
      (void)cloud_->set_terminate_outcome(id, cloud::TerminateOutcome::normal);
      const auto* stuck = cloud_->instance(id);
      if (stuck != nullptr && stuck->state == InstanceState::shutting_down)
        (void)cloud_->finish_termination(id);
    });
    return cloud_->set_terminate_outcome(id, cloud::TerminateOutcome::stuck);
  }
  if (name == "vm.forget_tags") return cloud_->forget_tags(id);
  if (name == "vm.forget_name") return cloud_->forget_name(id);
  if (name == "vm.host_loss") return lose_host(action, vm);
  return act_on_pace(action, id);
}

// Not once the faults are over.
void SimWorld::die_after(const std::string& id, Duration delay) {
  scheduler_.call_after(domain_, delay, [this, id] {
    if (!quiet_) (void)cloud_->crash_instance(id);
  });
}

// The machine and those created after it (then the first ones) that have power.
std::vector<std::string> SimWorld::those_on_host(const fault::Action& action,
                                                 const cloud::Instance& vm) const {
  const auto machines = static_cast<std::size_t>(action.arguments.number("machines"));
  std::vector<std::string> lost, before;
  cloud_->for_each_instance([&](const cloud::Instance& one) {
    if (one.powered) (one.number >= vm.number ? lost : before).push_back(one.id);
  });
  lost.insert(lost.end(), before.begin(), before.end());
  if (lost.size() > machines) lost.resize(machines);
  return lost;
}

// They lose it together.
Result<void> SimWorld::lose_host(const fault::Action& action, const cloud::Instance& vm) {
  const std::vector<std::string> lost = those_on_host(action, vm);
  if (lost.empty()) return make_error(ErrorCode::wrong_state, vm.id + " has no power");
  for (const auto& id : lost) {
    DROVER_TRY(cloud_->crash_instance(id));
  }
  later(action, action.arguments.duration("for"), [this, lost] {
    for (const auto& id : lost) (void)cloud_->start_instance(id);
  });
  return success();
}

// How fast a machine works and how its clock goes.
Result<void> SimWorld::act_on_pace(const fault::Action& action, const std::string& id) {
  const std::string& name = action.name;
  const auto& arguments = action.arguments;
  bool known = true;
  if (name == "vm.clock_jump") {
    const Duration by = arguments.duration("by");
    known = fleet_->jump_clock(id, arguments.flag("back") ? -by : by);
  } else if (name == "vm.clock_drift") {
    const double rate = arguments.number("rate");
    if (rate <= 0)
      return make_error(ErrorCode::invalid, "a clock's rate is above 0; vm.clock_freeze stops one");
    known = fleet_->set_clock(id, rate);
    later(action, arguments.duration("for"), [this, id] { fleet_->set_clock(id, 1); });
  } else if (name == "vm.clock_freeze") {
    known = fleet_->freeze_clock(id, arguments.duration("for"));
    healers_.push_back([this, id] { fleet_->freeze_clock(id, Duration{0}); });
  } else if (name == "vm.slow_cpu") {
    known = fleet_->slow_cpu(id, std::max(1.0, arguments.number("factor")));
    later(action, arguments.duration("for"), [this, id] { fleet_->slow_cpu(id, 1); });
  } else if (name == "vm.slow_disk") {
    known = fleet_->slow_disk(id, arguments.duration("by"));
    later(action, arguments.duration("for"), [this, id] { fleet_->slow_disk(id, Duration{0}); });
  } else {
    return make_error(ErrorCode::invalid, "the simulation does not know the action \"" + name + "\"");
  }
  if (!known) return make_error(ErrorCode::not_found, "no system has started on " + id);
  return success();
}

}  // namespace drover::scenario
