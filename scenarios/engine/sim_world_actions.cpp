// What the fault engine and `do:` steps can do to the simulated world: VMs, agents, servers, the manager.
#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {

namespace {

using cloud::BootOutcome;

// Numbers for actions that need a fresh one.
constexpr std::uint32_t kForeignServerId = 1;

}  // namespace

void SimWorld::later(Duration after, std::function<void()> undo) {
  healers_.push_back(undo);
  if (after == fault::kNeverHappens) return;
  scheduler_.call_after(domain_, after, std::move(undo));
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
  if (aimed.target.empty()) {
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
  if (vm != nullptr && !action.name.starts_with("manager.")) meant.push_back(vm->id);
  // Whoever had the address before does not have it alone any more.
  if (meant.empty() || action.name == "vm.duplicate_address" || action.name == "vm.reuse_address")
    meant.emplace_back();
  return meant;
}

Result<void> SimWorld::act(const fault::Action& action) {
  const auto meant = those_meant_by(action);
  for (const auto& id : meant) evidence_->add(action.name, id, action.arguments);
  auto done = carry_out(action);
  if (done.has_error()) evidence_->take_back(meant.size());
  return done;
}

Result<void> SimWorld::carry_out(const fault::Action& action) {
  const std::string& name = action.name;
  if (name == "manager.crash") {
    const Duration restart = action.arguments.duration("restart");
    crash_manager(restart == fault::kNeverHappens ? std::nullopt : std::optional<Duration>(restart));
    if (restart == fault::kNeverHappens) healers_.push_back([this] { start_manager(); });
    return success();
  }
  if (name == "manager.pause") {
    if (unsupported_.empty()) unsupported_.push_back(name);
    return success();
  }
  if (name == "order.shuffle") {
    const auto key = static_cast<std::uint64_t>(action.arguments.number("seed")) + 1;
    scheduler_.shuffle(mix(key, hash_text(name)), action.arguments.duration("spread"));
    healers_.push_back([this] { scheduler_.shuffle(0, Duration{0}); });
    return success();
  }
  if (name == "vm.reuse_address") {
    cloud_->reuse_address_next();
    return success();
  }
  if (name == "vm.zone_loss") {
    const std::string zone = cloud_->config().zones.empty() ? "a" : cloud_->config().zones.front();
    const Duration back = action.arguments.duration("for");
    later(back, [this, zone] {
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
    later(arguments.duration("for"), [this, id] { (void)cloud_->resume_instance(id); });
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
    if (vm.state == InstanceState::pending) return boot(BootOutcome::Kind::dies, arguments.duration("delay"));
    scheduler_.call_after(domain_, arguments.duration("delay"),
                          [this, id] { (void)cloud_->crash_instance(id); });
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
    later(arguments.duration("for"), [this, id] {
      (void)cloud_->set_terminate_outcome(id, cloud::TerminateOutcome::normal);
      const auto* stuck = cloud_->instance(id);
      if (stuck != nullptr && stuck->state == InstanceState::shutting_down)
        (void)cloud_->finish_termination(id);
    });
    return cloud_->set_terminate_outcome(id, cloud::TerminateOutcome::stuck);
  }
  if (name == "vm.forget_tags") return cloud_->forget_tags(id);
  if (name == "vm.detach_volume") {
    if (vm.volumes.empty()) return make_error(ErrorCode::not_found, "the VM has no volume");
    const auto found = cloud_->all_volumes().find(vm.volumes.front());
    return cloud_->detach_volume(found->second.id);
  }
  return make_error(ErrorCode::invalid, "the simulation does not know the action \"" + name + "\"");
}

Result<void> SimWorld::act_on_agent(const fault::Action& action, const std::string& id) {
  const std::string& name = action.name;
  const auto& arguments = action.arguments;
  const auto restart = [&]() -> std::optional<Duration> {
    const Duration after = arguments.duration("restart");
    if (after != fault::kNeverHappens) return after;
    healers_.push_back([this, id] { fleet_->restart_agent(id); });
    return std::nullopt;
  };
  bool known = true;
  if (name == "agent.crash") {
    known = fleet_->crash_agent(id, restart());
  } else if (name == "agent.crash_at_command") {
    known = fleet_->crash_agent_at(id, node::CrashPoint::middle, restart());
  } else if (name == "agent.restart_in_command") {
    known = fleet_->crash_agent_at(id, node::CrashPoint::end, restart());
  } else if (name == "agent.partial_configuration") {
    known = fleet_->crash_agent_at(id, node::CrashPoint::middle, 1s);
  } else if (name == "agent.hang") {
    known = fleet_->hang_agent(id, true);
    later(arguments.duration("for"), [this, id] { fleet_->hang_agent(id, false); });
  } else if (name == "agent.lie") {
    known = fleet_->pretend_commands(id, static_cast<unsigned>(arguments.number("commands")));
  } else if (name == "agent.stale_result") {
    known = fleet_->answer_stale(id, 1);
  } else if (name == "agent.wrong_version") {
    known = fleet_->wrong_version(id, "0.0.1");
    healers_.push_back([this, id] { fleet_->wrong_version(id, std::nullopt); });
  } else if (name == "agent.wrong_credentials") {
    known = fleet_->wrong_credentials(id, true);
    healers_.push_back([this, id] { fleet_->wrong_credentials(id, false); });
  } else if (name == "agent.wrong_identity") {
    known = fleet_->wrong_identity(id, "i-somebody-else");
    healers_.push_back([this, id] { fleet_->wrong_identity(id, std::nullopt); });
  } else if (name == "agent.disk_full") {
    known = fleet_->disk_full(id, true);
    later(arguments.duration("for"), [this, id] { fleet_->disk_full(id, false); });
  } else {
    return make_error(ErrorCode::invalid, "the simulation does not know the action \"" + name + "\"");
  }
  if (!known) return make_error(ErrorCode::not_found, "no agent has started on " + id);
  return success();
}

Result<void> SimWorld::act_on_database(const fault::Action& action, const std::string& id) {
  const std::string& name = action.name;
  const auto& arguments = action.arguments;
  bool known = true;
  if (name == "db.lag") {
    known = fleet_->lag(id, arguments.duration("by"));
    later(arguments.duration("for"), [this, id] { fleet_->lag(id, std::nullopt); });
  } else if (name == "db.stop_sql") {
    known = fleet_->fail_sql_thread(id, std::stoi(std::string(arguments.text("errno"))));
  } else if (name == "db.stop_io") {
    known = fleet_->disconnect_io(id);
  } else if (name == "db.purge_binlogs") {
    known = fleet_->purge_binlogs(id);
  } else if (name == "db.errant") {
    known = fleet_->errant_transaction(id);
  } else if (name == "db.duplicate_server_id") {
    known = fleet_->change_server_id(id, kForeignServerId);
  } else if (name == "db.diverge") {
    known = fleet_->diverge(id);
  } else if (name == "db.lose_read_only") {
    known = fleet_->lose_read_only(id);
  } else if (name == "db.semi_sync_off") {
    known = fleet_->drop_semi_sync(id);
  } else if (name == "db.lose_relay_log") {
    known = fleet_->lose_relay_log(id);
  } else if (name == "db.crash") {
    const Duration back = arguments.duration("restart");
    known =
        fleet_->crash_server(id, back == fault::kNeverHappens ? std::nullopt : std::optional<Duration>(back));
  } else if (name == "db.hang") {
    known = fleet_->hang_server(id, true);
    later(arguments.duration("for"), [this, id] { fleet_->hang_server(id, false); });
  } else if (name == "db.connections_exhausted") {
    known = fleet_->exhaust_connections(id, true);
    later(arguments.duration("for"), [this, id] { fleet_->exhaust_connections(id, false); });
  } else {
    return make_error(ErrorCode::invalid, "the simulation does not know the action \"" + name + "\"");
  }
  if (!known) return make_error(ErrorCode::not_found, "no server has started on " + id);
  return success();
}

}  // namespace drover::scenario
