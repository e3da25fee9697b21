// The agent's process: how commands come in, wait, are disturbed, and are answered.
#include "mockcloud/node/agent.hpp"

namespace drover::node {

namespace {

constexpr std::size_t kRemembered = 8;  // answers that a later one may show again

}  // namespace

SimAgent::SimAgent(Scheduler& scheduler, Choices& choices, Trace& trace, AgentHost& host, SimServer& server,
                   const AgentTimes& times, unsigned data_megabytes, std::string id)
    : scheduler_(scheduler),
      choices_(choices),
      trace_(trace),
      host_(host),
      server_(server),
      times_(times),
      data_megabytes_(data_megabytes),
      id_(std::move(id)) {}

void SimAgent::start() {
  if (running()) return;
  domain_ = std::make_unique<Domain>(scheduler_);
  trace_.add(TraceKind::agent, server_.name(), "started");
  if (disk_.server_wanted && !server_.running())
    begin(Job{0, StartServer{0, disk_.generation}, std::nullopt, 0});
}

void SimAgent::crash() {
  if (!running()) return;
  domain_.reset();
  queue_.clear();
  at_work_since_ = kNever;
  thawed_ = Signal{};
  trace_.add(TraceKind::agent, server_.name(), "ended");
}

void SimAgent::set_frozen(bool frozen) {
  frozen_ = frozen;
  if (!frozen_ && !controls_.hung) thawed_.notify_all();
}

void SimAgent::set_hung(bool hung) {
  controls_.hung = hung;
  if (!frozen_ && !hung) thawed_.notify_all();
}

void SimAgent::wipe() {
  DROVER_CHECK(!running(), "the disk of a running agent was wiped");
  disk_ = Disk{};
}

void SimAgent::receive(std::uint64_t call, const AgentCommand& command) {
  if (!running()) return;
  if (controls_.wrong_credentials && !controls_.hung && !frozen_) {
    host_.agent_reply(call,
                      make_error(ErrorCode::unauthenticated,
                                 "The agent of " + server_.name() +
                                     " refused the manager's credentials; check the keys on the node."));
    return;
  }
  if (controls_.duplicate > 0) {
    --controls_.duplicate;
    scheduler_.call_after(*domain_, controls_.duplicate_delay, [this, command] {
      begin(Job{0, command, std::nullopt, 0});
    });
  }
  begin(Job{call, command, std::nullopt, 0});
}

// Asked right before a command begins: a newer manager may have spoken while it waited.
SimAgent::Outcome SimAgent::fence_off(const AgentCommand& command) {
  const std::uint64_t generation = generation_of(command);
  if (generation >= disk_.generation) {
    disk_.generation = generation;
    return success();
  }
  if (is_reading(command)) return success();
  return make_error(ErrorCode::fenced,
                    "The agent of " + server_.name() + " has heard from manager generation " +
                        std::to_string(disk_.generation) + " and refuses a command of generation " +
                        std::to_string(generation) + ".");
}

void SimAgent::begin(Job job) {
  if (std::holds_alternative<GetServerState>(job.command)) {
    begin_state(std::move(job));
  } else if (is_reading(job.command)) {
    spawn(*domain_, work_beside(std::move(job)));
  } else {
    queue_.push_back(std::move(job));
    if (at_work_since_ != kNever) return;
    at_work_since_ = scheduler_.now();
    spawn(*domain_, work());
  }
}

// The command asked most: one event as long as nothing stands still.
void SimAgent::begin_state(Job job) {
  scheduler_.call_after(*domain_, command_time(), [this, job = std::move(job)]() mutable {
    const bool stands_still = frozen_ || controls_.hung || (server_.running() && !server_.responsive());
    if (stands_still)
      spawn(*domain_, work_beside(std::move(job)));
    else
      answer(job, fence_off(job.command), AgentReply{});
  });
}

Task<void> SimAgent::work_beside(Job job) {
  co_await pause(command_time());
  AgentReply reply;
  static_cast<void>(fence_off(job.command));
  const Outcome outcome = co_await carry_out(job, reply);
  answer(job, outcome, std::move(reply));
}

Task<void> SimAgent::work() {
  while (!queue_.empty()) {
    Job job = std::move(queue_.front());
    queue_.pop_front();
    at_work_since_ = scheduler_.now();
    co_await pause(command_time());
    const char* method = agent_method(job.command);
    AgentReply reply;
    if (const Outcome fenced = fence_off(job.command); !fenced) {
      trace_.add(TraceKind::agent, server_.name(), method, "fenced off");
      answer(job, fenced, std::move(reply));
      continue;
    }
    if (controls_.pretend > 0) {
      --controls_.pretend;
      trace_.add(TraceKind::agent, server_.name(), "pretends", method);
      answer(job, success(), std::move(reply));
      continue;
    }
    job.crash = std::exchange(controls_.crash, std::nullopt);
    trace_.add(TraceKind::agent, server_.name(), method, "begins");
    if (job.crash && job.crash->point == CrashPoint::start) co_await crash_here(job.crash->restart);
    const Outcome outcome = co_await carry_out(job, reply);
    if (job.crash) co_await crash_here(job.crash->restart);
    trace_.add(TraceKind::agent, server_.name(), method, outcome ? "done" : "failed");
    answer(job, outcome, std::move(reply));
  }
  at_work_since_ = kNever;
}

Task<void> SimAgent::pause(Duration time) {
  co_await sleep_for(time);
  while (frozen_ || controls_.hung) {
    const Outcome woken = co_await thawed_.wait(kForever);
    static_cast<void>(woken);
  }
}

Task<void> SimAgent::crash_here(std::optional<Duration> restart) {
  host_.agent_crashes(id_, restart);
  co_await sleep_for(kForever);
}

Task<void> SimAgent::middle(Job& job) {
  ++job.steps;
  if (job.crash && job.crash->point == CrashPoint::middle && job.steps >= job.crash->step)
    co_await crash_here(job.crash->restart);
}

Duration SimAgent::work_time(const Distribution& time, const char* site) {
  return server_.pace().work(time.sample(choices_, server_.name(), site));
}

Duration SimAgent::timeout(Duration time) const { return server_.pace().timeout(time, scheduler_.now()); }

Duration SimAgent::command_time() { return work_time(times_.command, "agent_command"); }

Duration SimAgent::clone_time() {
  const Duration of_50 = work_time(times_.clone_50_mb, "clone");
  return of_50 / 2 + of_50 / 2 * data_megabytes_ / 50;
}

ServerState SimAgent::state() {
  ServerState state;
  state.instance_id = controls_.identity ? *controls_.identity : id_;
  state.running = server_.running();
  state.version = controls_.version ? *controls_.version : server_.config().version;
  state.epoch = disk_.epoch;
  state.generation = disk_.generation;
  state.role = disk_.role;
  state.mysqld_port = server_.config().port;
  if (!state.running) return state;
  state.server_id = server_.server_id();
  state.read_only = server_.read_only();
  state.gtid_binlog_pos = server_.gtid_binlog_pos().to_text();
  state.gtid_slave_pos = server_.gtid_slave_pos().to_text();
  state.gtid_current_pos = server_.gtid_current_pos().to_text();
  state.semi_sync_active = server_.semi_sync_active();
  state.binlog_file = server_.binlog().file_name();
  state.binlog_position = server_.binlog().file_position();
  state.replication = server_.replication();
  state.queries = server_.queries();
  state.errors = server_.errors();
  state.busy = server_.busy();
  const Duration since = scheduler_.now() - load_at_;
  if (since > Duration{0} && state.queries >= load_queries_)
    state.load = static_cast<double>(state.queries - load_queries_) / to_seconds(since) / 1000.0;
  load_at_ = scheduler_.now();
  load_queries_ = state.queries;
  return state;
}

// The latest that is old enough, or the oldest.
const ServerState& SimAgent::told_before(Duration age) const {
  const std::size_t count = told_.size();
  for (std::size_t back = 1; back < count; ++back) {
    const Told& told = told_[(next_told_ + count - back) % count];
    if (scheduler_.now() - told.at >= age) return told.state;
  }
  return told_[next_told_ % count].state;
}

void SimAgent::answer(const Job& job, const Outcome& outcome, AgentReply reply) {
  if (job.call == 0) return;
  if (!outcome) {
    host_.agent_reply(job.call, outcome.error());
    return;
  }
  if (controls_.stale > 0 && !told_.empty()) {
    --controls_.stale;
    reply.state = told_before(controls_.stale_age);
  } else {
    reply.state = state();
    if (told_.size() < kRemembered) told_.emplace_back();
    told_[next_told_].at = scheduler_.now();
    told_[next_told_].state = reply.state;  // copied into what the place has already
    next_told_ = (next_told_ + 1) % kRemembered;
  }
  host_.agent_reply(job.call, std::move(reply));
}

}  // namespace drover::node
