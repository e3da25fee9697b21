#include "scenarios/local/real_world.hpp"

#include "manager/ports/forwarding_iaas.hpp"

namespace drover::scenario {
namespace {

constexpr Duration kUpgradeGrace = 10s;

std::optional<Duration> unless_never(Duration time) {
  return time == fault::kNeverHappens ? std::nullopt : std::optional<Duration>(time);
}

}  // namespace

// --- counting ports, below the faults: what really went out ---

class RealWorld::CountingIaas final : public ForwardingIaas {
 public:
  CountingIaas(Iaas& inner, std::uint64_t& calls, std::function<void()> created)
      : inner_(inner), calls_(calls), created_(std::move(created)) {}
  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override {
    target().newInstance(context, spec, token,
                         [this, done = std::move(handler)](Result<InstanceInfo> answer) mutable {
                           created_();
                           done(std::move(answer));
                         });
  }

 private:
  // Once for each call.
  Iaas& target() override {
    ++calls_;
    return inner_;
  }

  Iaas& inner_;
  std::uint64_t& calls_;
  std::function<void()> created_;
};

class RealWorld::CountingAgent final : public Agent {
 public:
  CountingAgent(Agent& inner, std::uint64_t& calls) : inner_(inner), calls_(calls) {}
  void call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
            Handler<AgentReply> handler) override {
    ++calls_;
    inner_.call(context, endpoint, command, std::move(handler));
  }

 private:
  Agent& inner_;
  std::uint64_t& calls_;
};

RealWorld::RealWorld(const Scenario& scenario, std::uint64_t seed, asio::io_context& io)
    : World(scenario, seed), io_(io), pump_(io, scheduler_) {}

RealWorld::~RealWorld() = default;

void RealWorld::make_ports(Iaas& cloud, Agent& agent, Store& store, std::function<void()> created) {
  engine_ = std::make_unique<fault::Engine>(scheduler_, domain_, choices_, trace_, scenario_.faults,
                                            static_cast<fault::ActionSink&>(*this));
  counting_iaas_ = std::make_unique<CountingIaas>(cloud, iaas_calls_, std::move(created));
  counting_agent_ = std::make_unique<CountingAgent>(agent, agent_calls_);
  iaas_ = std::make_unique<fault::FaultyIaas>(*counting_iaas_, *engine_);
  agent_ = std::make_unique<fault::FaultyAgent>(*counting_agent_, *engine_);
  faulty_store_ = std::make_unique<fault::FaultyStore>(store, *engine_);
}

std::string RealWorld::master_vm() const {
  if (!manager_) return {};
  const auto& model = manager_->manager.model();
  const auto* primary = model.node(model.service.primary);
  return primary == nullptr ? std::string() : primary->vm;
}

// --- managers ---

ops::Hooks RealWorld::hooks() {
  ops::Hooks hooks;
  hooks.observe = [this](std::string_view point, std::string_view subject) {
    engine_->observe(point, subject);
  };
  hooks.log = [this](const std::string& line) {
    trace_.add(TraceKind::note, "manager", line);
    if (watch_) watch_(line, "the log");
  };
  hooks.violation = [this](const std::string& what) { report("S5", what, "S5 illegal transition"); };
  hooks.fenced = [this](const Error& why) { report("S8", "fenced off: " + why.message, "S8 fenced"); };
  return hooks;
}

void RealWorld::start_manager() {
  if (manager_) return;
  ++incarnations_;
  const ops::Ports ports{scheduler_, *iaas_, *agent_, *faulty_store_, trace_};
  manager_ = std::make_unique<Incarnation>(ports, configuration_, hooks());
  const auto started = manager_->manager.start();
  if (started.has_value()) return;
  manager_.reset();
  report("S8", "the manager cannot start from its journal: " + started.error().message,
         "S8 journal unreadable");
}

// As a process that is killed: everything of it is gone, its journal is a file.
void RealWorld::crash_manager(std::optional<Duration> restart) {
  if (!manager_ || manager_->ending) return;
  manager_->ending = true;
  // Never from inside one of its own coroutines.
  scheduler_.call_soon(domain_, [this, restart] {
    trace_.add(TraceKind::crash, "manager", "crashed");
    manager_.reset();
    engine_->manager_crashed();
    for (auto& [number, call] : std::exchange(pending_, {}))
      call.answer(make_error(ErrorCode::connection_lost,
                             "the connection to the manager broke before it answered", Effect::possible));
    if (restart) scheduler_.call_after(domain_, *restart, [this] { start_manager(); });
  });
}

void RealWorld::crash_again(std::uint64_t times, Duration up, Duration down) {
  crash_manager(down);
  if (times > 1)
    scheduler_.call_after(domain_, down + up, [this, times, up, down] {
      if (!quiet_) crash_again(times - 1, up, down);
    });
}

void RealWorld::freeze_manager(Duration time) {
  trace_.add(TraceKind::crash, "manager", "frozen");
  manager_->manager.freeze();
  later(time, [this] { thaw_manager(); });
}

void RealWorld::thaw_manager() {
  if (!manager_ || !manager_->manager.frozen() || manager_->manager.stood_down()) return;
  trace_.add(TraceKind::crash, "manager", "goes on");
  manager_->manager.thaw();
  for (auto& request : std::exchange(manager_->waiting, {}))
    scheduler_.call_soon(domain_, std::move(request));
}

void RealWorld::request(api::Request request, std::function<void(ClientAnswer)> answer, Patience) {
  if (!manager_ || manager_->ending)
    return answer(make_error(ErrorCode::unavailable, "connection refused: the manager does not run"));
  const std::uint64_t number = ++last_request_;
  pending_[number] = OpenCall{std::move(answer), scheduler_.now()};
  if (manager_->manager.frozen()) {
    manager_->waiting.push_back([this, number, request = std::move(request)] { deliver(number, request); });
    return;
  }
  deliver(number, std::move(request));
}

void RealWorld::deliver(std::uint64_t number, api::Request request) {
  if (!manager_) return;
  manager_->service.handle(std::move(request), [this, number](api::Response response) {
    auto found = pending_.extract(number);
    if (found.empty()) return;
    if (watch_) watch_(response.error + response.result.dump(), "an answer");
    found.mapped().answer(std::move(response));
  });
}

TimePoint RealWorld::pending_since() const {
  return pending_.empty() ? kNever : pending_.begin()->second.since;
}

void RealWorld::quiesce() {
  if (quiet_) return;
  quiet_ = true;
  trace_.add(TraceKind::step, "quiesce");
  engine_->stop();
  for (auto& heal : std::exchange(healers_, {})) heal();
  if (!manager_) start_manager();
}

void RealWorld::later(Duration after, std::function<void()> undo) {
  healers_.push_back(undo);
  if (after != fault::kNeverHappens) scheduler_.call_after(domain_, after, std::move(undo));
}

void RealWorld::perform(const fault::Action& action) {
  if (quiet_) return;
  fault::Action aimed = action;
  const bool aims_itself = aimed.name.starts_with("manager.") || aimed.name.starts_with("net.");
  if (aimed.target.empty() && !aims_itself) {
    const std::vector<std::string> living = living_vms();
    if (!living.empty())
      aimed.target = living[choices_.below(living.size(), "fault:" + action.rule, "target")];
    engine_->aimed_at(action, aimed.target);
  }
  const auto done = act(aimed);
  if (done.has_value()) return;
  trace_.add(TraceKind::note, action.name, done.error().message);
  engine_->not_performed(action);
}

Result<void> RealWorld::act_on_manager(const fault::Action& action) {
  const auto& arguments = action.arguments;
  if (!manager_ || manager_->ending) {
    if (action.name == "manager.crash") return success();
    return make_error(ErrorCode::not_found, "the manager does not run");
  }
  if (action.name == "manager.crash") {
    const auto restart = unless_never(arguments.duration("restart"));
    crash_manager(restart);
    if (!restart) healers_.push_back([this] { start_manager(); });
    return success();
  }
  if (action.name == "manager.crash_loop") {
    crash_again(static_cast<std::uint64_t>(arguments.number("crashes")), arguments.duration("up"),
                arguments.duration("down"));
    return success();
  }
  if (action.name == "manager.upgrade") {
    trace_.add(TraceKind::crash, "manager", "stops");
    manager_->ending = true;
    finish_upgrade(arguments.duration("down"), scheduler_.later(kUpgradeGrace));
    return success();
  }
  if (action.name != "manager.pause")
    return make_error(ErrorCode::invalid, "this world does not know the action \"" + action.name + "\"");
  if (manager_->manager.frozen()) return make_error(ErrorCode::not_found, "the manager is frozen already");
  freeze_manager(arguments.duration("for"));
  return success();
}

// No new calls, a while for those under way, then the end, as drover serve has it.
void RealWorld::finish_upgrade(Duration down, TimePoint deadline) {
  scheduler_.call_after(domain_, 100ms, [this, down, deadline] {
    if (!manager_) return;
    if (!pending_.empty() && scheduler_.now() < deadline) return finish_upgrade(down, deadline);
    manager_->ending = false;
    crash_manager(down);
  });
}

}  // namespace drover::scenario
