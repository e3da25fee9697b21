// The manager's processes in the simulated world: how they start, die, freeze, are replaced while they live,
// and are called by clients; and what happens to their journal.
#include <algorithm>

#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {
namespace {

constexpr Duration kStartAgain = 10s;    // a supervisor's, when a start failed or a manager was fenced off
constexpr Duration kUpgradeGrace = 10s;  // for calls under way, as drover serve has it

std::optional<Duration> restart_of(const fault::Arguments& arguments) {
  const Duration restart = arguments.duration("restart");
  return restart == fault::kNeverHappens ? std::nullopt : std::optional<Duration>(restart);
}

}  // namespace

// --- starting and ending ---

ops::Hooks SimWorld::hooks_of(unsigned incarnation) {
  ops::Hooks hooks;
  hooks.observe = [this, incarnation](std::string_view point, std::string_view subject) {
    engine_->observe(point, subject);
    // Checkers judge the present manager by its own records.
    if (!manager_ || manager_->number != incarnation) return;
    if (watch_) watch_(point, subject);
  };
  hooks.log = [this](const std::string& line) {
    if (log_watch_) log_watch_(line);
  };
  hooks.violation = [this](const std::string& what) { report("S5", what, "S5 illegal transition"); };
  hooks.fenced = [this, incarnation](const Error&) {
    ++fenced_managers_;
    scheduler_.call_soon(domain_, [this, incarnation] { end_fenced(incarnation); });
  };
  return hooks;
}

void SimWorld::start_manager() {
  if (manager_) return;
  const unsigned number = ++incarnations_;
  Iaas& iaas = broken_iaas_ ? *broken_iaas_ : *watched_iaas_;
  Agent& agent = broken_agent_ ? *broken_agent_ : *watched_agent_;
  Store& store = broken_store_ ? *broken_store_ : *faulty_store_;
  const ops::Ports ports{scheduler_, iaas, agent, store, trace_};
  manager_ = std::make_unique<Incarnation>(number, ports, configuration_, hooks_of(number));
  const auto started = manager_->manager.start();
  if (started.has_value()) return;
  manager_.reset();
  trace_.add(TraceKind::crash, "manager", "refused to start", started.error().message);
  if (!disk_->is_unusable())
    report("S8", "the manager cannot start from its journal: " + started.error().message,
           "S8 journal unreadable");
  restart_after(kStartAgain);
}

void SimWorld::restart_after(std::optional<Duration> time) {
  if (time) scheduler_.call_after(domain_, *time, [this] { start_manager(); });
}

void SimWorld::end_incarnation(std::unique_ptr<Incarnation> ended) {
  std::vector<std::function<void(ClientAnswer)>> unanswered;
  for (auto call = pending_.begin(); call != pending_.end();) {
    if (call->second.incarnation != ended->number) {
      ++call;
      continue;
    }
    unanswered.push_back(std::move(call->second.answer));
    pending_since_.erase(call->first);
    call = pending_.erase(call);
  }
  ended.reset();
  if (detour_ != nullptr && !manager_ && former_.empty()) detour_->manager_ended();
  for (auto& answer : unanswered)
    answer(make_error(ErrorCode::connection_lost, "the connection to the manager broke before it answered",
                      Effect::possible));
}

void SimWorld::crash_manager(std::optional<Duration> restart) {
  if (!manager_ || manager_->ending) return;
  manager_->ending = true;
  // Never from inside one of its own coroutines.
  scheduler_.call_soon(domain_, [this, restart, number = manager_->number] {
    if (!manager_ || manager_->number != number) return;
    trace_.add(TraceKind::crash, "manager", "crashed");
    if (disk_->is_losing()) end_former_managers();
    disk_->manager_crashed();
    auto dead = std::move(manager_);
    engine_->manager_crashed();
    end_incarnation(std::move(dead));
    restart_after(restart);
  });
}

SimWorld::Incarnation* SimWorld::find_incarnation(unsigned number) {
  if (manager_ && manager_->number == number) return manager_.get();
  for (auto& old : former_)
    if (old->number == number) return old.get();
  return nullptr;
}

// It has stood down, and its process ends.
void SimWorld::end_fenced(unsigned incarnation) {
  if (find_incarnation(incarnation) == nullptr) return;
  trace_.add(TraceKind::crash, "manager", "ended", "fenced off");
  if (manager_ && manager_->number == incarnation) {
    end_incarnation(std::move(manager_));
    restart_after(kStartAgain);
    return;
  }
  const auto old = std::find_if(former_.begin(), former_.end(),
                                [incarnation](const auto& one) { return one->number == incarnation; });
  auto ended = std::move(*old);
  former_.erase(old);
  end_incarnation(std::move(ended));
}

// What loses its journal's past is the machine that they share, or an operator who stops them first.
void SimWorld::end_former_managers() {
  for (auto& old : std::exchange(former_, {})) end_incarnation(std::move(old));
}

// --- freezing and replacing ---

void SimWorld::freeze_manager(Duration time) {
  trace_.add(TraceKind::crash, "manager", "frozen");
  manager_->manager.freeze();
  for (auto& [number, call] : pending_)
    if (call.incarnation == manager_->number) pending_since_.erase(number);
  auto thaw = [this, number = manager_->number] { thaw_manager(number); };
  healers_.push_back(thaw);
  if (time != fault::kNeverHappens) scheduler_.call_after(domain_, time, std::move(thaw));
}

void SimWorld::thaw_manager(unsigned number) {
  Incarnation* incarnation = find_incarnation(number);
  if (incarnation == nullptr || !incarnation->manager.frozen() || incarnation->manager.stood_down()) return;
  trace_.add(TraceKind::crash, "manager", "goes on");
  for (auto& [call, open] : pending_)
    if (open.incarnation == number) pending_since_.emplace(call, Pending{scheduler_.now(), open.method});
  incarnation->manager.thaw();
  for (auto& request : std::exchange(incarnation->waiting, {}))
    scheduler_.call_soon(domain_, std::move(request));
}

// A supervisor believes the manager dead and starts another one on the same journal.
void SimWorld::take_over(Duration old_goes_on_after) {
  if (old_goes_on_after > Duration{0} && !manager_->manager.frozen()) freeze_manager(old_goes_on_after);
  trace_.add(TraceKind::crash, "manager", "believed dead");
  former_.push_back(std::move(manager_));
  // Never from inside one of the old one's coroutines.
  scheduler_.call_soon(domain_, [this] { start_manager(); });
}

// A clean stop, as drover serve makes it: no new calls, a while for those under way, then the end.
void SimWorld::upgrade_manager(Duration down) {
  trace_.add(TraceKind::crash, "manager", "stops");
  manager_->ending = true;
  finish_upgrade(manager_->number, down, scheduler_.later(kUpgradeGrace));
}

void SimWorld::finish_upgrade(unsigned incarnation, Duration down, TimePoint deadline) {
  scheduler_.call_after(domain_, 100ms, [this, incarnation, down, deadline] {
    if (!manager_ || manager_->number != incarnation) return;
    if (!pending_.empty() && scheduler_.now() < deadline) return finish_upgrade(incarnation, down, deadline);
    manager_->ending = false;
    crash_manager(down);
  });
}

void SimWorld::crash_again(std::uint64_t times, Duration up, Duration down) {
  crash_manager(down);
  if (times > 1)
    scheduler_.call_after(domain_, down + up, [this, times, up, down] {
      if (!quiet_) crash_again(times - 1, up, down);
    });
}

Result<void> SimWorld::act_on_manager(const fault::Action& action) {
  const std::string& name = action.name;
  const auto& arguments = action.arguments;
  if (name == "manager.clock_step") {
    // The wall clock of its machine. No decision may rest on it, so that there is nothing to do here.
    trace_.add(TraceKind::note, "manager", arguments.flag("back") ? "clock back" : "clock forth",
               drover::to_text(arguments.duration("by")));
    return success();
  }
  if (!manager_ || manager_->ending)
    return name == "manager.crash"
               ? success()
               : Result<void>(make_error(ErrorCode::not_found, "the manager does not run"));
  if (name == "manager.crash") {
    const auto restart = restart_of(arguments);
    crash_manager(restart);
    if (!restart) healers_.push_back([this] { start_manager(); });
    return success();
  }
  if (name == "manager.crash_loop") {
    crash_again(static_cast<std::uint64_t>(arguments.number("crashes")), arguments.duration("up"),
                arguments.duration("down"));
    return success();
  }
  if (name == "manager.upgrade") {
    upgrade_manager(arguments.duration("down"));
    return success();
  }
  if (name == "manager.pause") {
    if (manager_->manager.frozen()) return make_error(ErrorCode::not_found, "the manager is frozen already");
    freeze_manager(arguments.duration("for"));
    return success();
  }
  if (name == "manager.takeover") {
    take_over(arguments.duration("for"));
    return success();
  }
  return make_error(ErrorCode::invalid, "the simulation does not know the action \"" + name + "\"");
}

// --- its journal ---

Result<void> SimWorld::act_on_journal(const fault::Action& action) {
  const std::string& name = action.name;
  const auto& arguments = action.arguments;
  if (name == "store.lose_tail") {
    disk_->lose_tail_at_crash(static_cast<std::uint64_t>(arguments.number("commits")));
  } else if (name == "store.roll_back") {
    const TimePoint to = kEpoch + arguments.duration("to");
    crash_manager(restart_of(arguments));
    scheduler_.call_soon(domain_, [this, to] {
      end_former_managers();
      disk_->roll_back(to);
    });
  } else if (name == "store.torn") {
    disk_->tear_next([this, restart = restart_of(arguments)] { crash_manager(restart); });
  } else if (name == "store.corrupt") {
    const std::string document(arguments.text("document"));
    if (!disk_->corrupt(document))
      return make_error(ErrorCode::not_found, "the journal holds no " + document);
    later(action, arguments.duration("for"), [this] { disk_->mend(); });
  } else if (name == "store.full") {
    disk_->set_full(true);
    later(action, arguments.duration("for"), [this] { disk_->set_full(false); });
  } else if (name == "store.slow") {
    disk_->set_delay(arguments.duration("by"));
    later(action, arguments.duration("for"), [this] { disk_->set_delay(Duration{0}); });
  } else {
    return make_error(ErrorCode::invalid, "the simulation does not know the action \"" + name + "\"");
  }
  return success();
}

// --- clients ---

void SimWorld::heartbeat(const node::Heartbeat& beat) {
  if (!manager_ || manager_->manager.frozen()) return;  // nobody answers: it is not sent again
  api::Request request;
  request.verb = api::Verb::post;
  request.method = "register_node";
  auto& state = request.params["state"];
  state["id"] = beat.id;
  state["name"] = beat.name;
  state["state"] = beat.state;
  state["ip"] = beat.ip;
  state["port"] = std::to_string(beat.port);
  state["mysqld_port"] = std::to_string(beat.mysqld_port);
  ++counts_.api;
  manager_->service.handle(std::move(request), [](api::Response) {});
}

}  // namespace drover::scenario
