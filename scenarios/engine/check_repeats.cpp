#include "scenarios/engine/check_repeats.hpp"

#include <algorithm>

#include "scenarios/engine/check_write_ahead.hpp"

namespace drover::scenario {
namespace {

constexpr std::uint64_t kLooksPerMinute = 150;  // S10: looks about one node beside the configured intervals

// Everything that makes two commands the same, secrets left out; "" for those that change nothing and those
// that a client asks for by name.
struct Described {
  std::string operator()(const StartServer& c) const { return std::to_string(c.server_id); }
  std::string operator()(const SetUpPrimary& c) const { return "epoch " + std::to_string(c.epoch); }
  std::string operator()(const SetUpReplica& c) const {
    return "epoch " + std::to_string(c.epoch) + " from " + c.source.address + (c.clone ? " clone " : " ") +
           c.log_file + ":" + std::to_string(c.log_position);
  }
  std::string operator()(const StopReplica& c) const { return "epoch " + std::to_string(c.epoch); }
  std::string operator()(const SetReadOnly& c) const {
    return "epoch " + std::to_string(c.epoch) + (c.read_only ? " closed" : " open");
  }
  // To drain takes long; to see whether the data is there does not.
  std::string operator()(const WaitForGtid& c) const {
    return "epoch " + std::to_string(c.epoch) + " " + c.gtid + " within " + drover::to_text(c.limit);
  }
  std::string operator()(const ConfigureUser& c) const { return c.username; }
  std::string operator()(const DeleteUser& c) const { return c.username; }
  std::string operator()(const SetPassword& c) const { return c.username; }
  std::string operator()(const LoadDump& c) const { return c.path; }
  template <class Other>
  std::string operator()(const Other&) const {
    return {};
  }
};

bool is_for_a_client(const AgentCommand& command) {
  return std::holds_alternative<ConfigureUser>(command) || std::holds_alternative<DeleteUser>(command) ||
         std::holds_alternative<SetPassword>(command) || std::holds_alternative<LoadDump>(command);
}

// Whether a server in this state has what the command would give it.
struct Satisfied {
  const ServerState& state;

  bool operator()(const StartServer&) const { return state.running; }
  bool operator()(const SetUpPrimary& c) const {
    return state.running && state.role == Role::primary && state.epoch >= c.epoch && !state.read_only;
  }
  bool operator()(const SetUpReplica& c) const {
    const auto& r = state.replication;
    return state.running && state.role == Role::replica && r.configured &&
           r.source_address == c.source.address && r.sql_running && r.io != ThreadState::no &&
           r.io_errno != 1045 && r.io_errno != 1236;
  }
  bool operator()(const StopReplica&) const { return state.running && !state.replication.configured; }
  bool operator()(const SetReadOnly& c) const {
    return state.running && state.read_only == c.read_only && state.epoch >= c.epoch;
  }
  template <class Other>
  bool operator()(const Other&) const {
    return true;
  }
};

constexpr std::ptrdiff_t kRemembered = 128;  // calls about one subject

const char* name_of(IaasCall::Kind kind) {
  switch (kind) {
    case IaasCall::Kind::create:
      return "newInstance";
    case IaasCall::Kind::kill:
      return "killInstance";
    case IaasCall::Kind::look:
      return "getVMInfo";
    case IaasCall::Kind::list:
      return "listVMs";
    case IaasCall::Kind::volume:
      return "volume call";
  }
  return "?";
}

}  // namespace

std::uint64_t Repeats::repeat(const std::string& subject, const std::string& name, std::string what,
                              Duration timeout, const AgentCommand* command) {
  const TimePoint now = world_.scheduler().now();
  Done call;
  call.number = ++last_;
  call.what = std::move(what);
  call.asked = now;
  call.timeout = timeout;
  if (command != nullptr) call.command = *command;
  auto& done = subjects_[subject];
  // Of a node that is asked for ever something new, the latest is enough.
  if (std::ssize(done) >= kRemembered) done.erase(done.begin(), done.begin() + kRemembered / 2);
  const auto earlier =
      std::find_if(done.begin(), done.end(), [&](const Done& d) { return d.what == call.what; });
  if (earlier == done.end()) {
    done.push_back(std::move(call));
    return last_;
  }
  if (command != nullptr)
    if (const auto* copy = std::get_if<SetUpReplica>(command); copy != nullptr && copy->clone)
      check_copy(subject, *copy);
  const TimePoint before = earlier->asked;
  const std::string which = call.what + " (" + subject + ")";
  // Whoever sweeps may find the same VM that another is destroying; and the monitor closes a slave that takes
  // writes whoever else, perhaps unheard, is trying to.
  const auto* closing = command == nullptr ? nullptr : std::get_if<SetReadOnly>(command);
  const bool shared = name == "killInstance" || (closing != nullptr && closing->read_only);
  // Whom a switchover that failed has closed, with nobody to hand back to, the monitor closes once more.
  const auto* service = world_.durable().service();
  const bool unsettled = closing != nullptr && closing->read_only && earlier->times == 1 &&
                         service != nullptr && service->maybe_writable == node_number(subject) &&
                         service->maybe_writable != service->primary;
  // The monitor starts a server that is down also while an operation is about to.
  const auto* manager = world_.manager();
  const bool beside =
      name == "start_server" && manager != nullptr && manager->model().active_operations() > 0;
  // Two clients ask for the same at the same moment: their requests had been held up together.
  const bool of_two_clients = command != nullptr && is_for_a_client(*command) && earlier->asked == now;
  call.failed = earlier->failed || (earlier->pending && now - earlier->asked >= earlier->timeout) ||
                (!earlier->pending && !earlier->ok);
  if (!shared && !beside && !of_two_clients && earlier->pending && now - earlier->asked < earlier->timeout)
    world_.report("S10", which + " was called again while the first call was under way",
                  "S10 repeated " + name);
  else if (!earlier->pending && earlier->ok && !earlier->needed && !unsettled && !(shared && call.failed) &&
           !looked_in_vain(subject,
                           shared && earlier->times > 1 ? earlier->answered_before : earlier->answered))
    world_.report("S10", which + " was called again although it had succeeded", "S10 repeated " + name);
  call.times = earlier->times + 1;
  call.answered_before = earlier->pending ? earlier->asked : earlier->answered;
  if (name == "newInstance") {
    const auto& retry = world_.configuration().retry;
    if (!earlier->pending && now - earlier->answered < retry.first)
      world_.report("S10", which + " was called again without a pause", "S10 retry without a pause");
    if (call.times > retry.attempts)
      world_.report("S10", which + " was called " + std::to_string(call.times) + " times",
                    "S10 newInstance without end");
  }
  *earlier = std::move(call);
  // What is done again takes back what was done after it.
  for (Done& other : done)
    if (&other != &*earlier && other.asked >= before) other.needed = true;
  return last_;
}

void Repeats::begin() {
  // Whoever destroys a VM, and has not heard what became of it, goes on beside whoever begins.
  for (auto subject = subjects_.begin(); subject != subjects_.end();) {
    const auto looks = looks_.find(subject->first);
    const auto is_over = [&](const Done& done) {
      const bool in_vain = looks != looks_.end() && std::ranges::any_of(looks->second, [&](const Look& one) {
                             return one.asked >= done.answered;
                           });
      return !done.what.starts_with("killInstance ") || !(done.pending || in_vain);
    };
    std::erase_if(subject->second, is_over);
    for (Done& done : subject->second) done.needed = done.failed = true;
    subject = subject->second.empty() ? subjects_.erase(subject) : std::next(subject);
  }
  std::erase_if(looks_, [this](const auto& one) { return !subjects_.contains(one.first); });
}

void Repeats::check_copy(const std::string& subject, const SetUpReplica& command) {
  // One that was frozen has looked before that.
  if (world_.evidence().any({"manager.pause", "manager.takeover"})) return;
  const auto* vm = world_.instance_of(subject);
  const auto truth = vm == nullptr ? std::nullopt : world_.fleet().truth(vm->id);
  if (!truth || truth->role != Role::replica || truth->epoch != command.epoch || !truth->responsive ||
      truth->agent_at_work_since != kNever)
    return;
  const auto& replication = truth->replication;
  if (replication.source_address != command.source.address || replication.io != ThreadState::yes ||
      !replication.sql_running || world_.evidence().any(kAstray) ||
      world_.evidence().touched(*vm))  // it may have been seen in another state
    return;
  world_.report("S10",
                subject + " replicates from " + command.source.address + ", and is to be copied once more",
                "S10 copied once more");
}

std::uint64_t Repeats::look(const std::string& subject, Duration timeout) {
  if (subjects_.contains(subject))
    looks_[subject].push_back({++last_, world_.scheduler().now(), timeout});
  else
    ++last_;
  return last_;
}

bool Repeats::end_look(std::uint64_t number, const std::string& subject) {
  const auto found = looks_.find(subject);
  if (found == looks_.end()) return true;
  const auto at = std::find_if(found->second.begin(), found->second.end(),
                               [number](const Look& look) { return look.number == number; });
  if (at == found->second.end()) return true;
  const bool in_time = world_.scheduler().now() - at->asked < at->timeout;
  if (in_time) found->second.erase(at);
  return in_time;
}

bool Repeats::looked_in_vain(const std::string& subject, TimePoint since) const {
  const auto found = looks_.find(subject);
  if (found == looks_.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(), [&](const Look& look) {
    return look.asked >= since && world_.scheduler().now() - look.asked >= look.timeout;
  });
}

void Repeats::end(std::uint64_t number, const std::string& subject, bool ok) {
  const auto found = subjects_.find(subject);
  if (found == subjects_.end()) return;
  for (Done& done : found->second) {
    // An answer after its time is none.
    if (done.number != number || world_.scheduler().now() - done.asked >= done.timeout) continue;
    done.ok = ok;
    done.answered = world_.scheduler().now();
    done.pending = false;
  }
}

void Repeats::count(const std::string& subject, const char* name) {
  Window& window = windows_[subject + " " + name];
  const std::int64_t minute = world_.scheduler().now().time_since_epoch() / 1min;
  if (window.minute != minute) window = Window{minute, 0, requests_};
  const auto& config = world_.configuration();
  const auto often = [](Duration interval) {
    return static_cast<std::uint64_t>(60.0 / std::max(0.1, to_seconds(interval))) + 1;
  };
  const std::uint64_t watching = config.failover.automatic ? often(config.failover.watch) : 0;
  const auto bound = 3 * (watching + often(config.poll_agents_timer) + often(config.poll_interval) +
                          often(config.reconcile_interval)) +
                     2 * (requests_ - window.requests) + kLooksPerMinute;
  if (++window.calls == bound)
    world_.report("S10", std::to_string(bound) + " calls of " + name + " about " + subject + " in one minute",
                  std::string("S10 rate of ") + name);
}

std::uint64_t Repeats::asked(const IaasCall& call) {
  if (call.kind == IaasCall::Kind::create)
    return repeat(call.subject, "newInstance", "newInstance " + call.object, call.timeout, nullptr);
  if (call.kind == IaasCall::Kind::kill)
    return repeat(call.object, "killInstance", "killInstance " + call.object, call.timeout, nullptr);
  // One look at a VM may have many subjects: of an operation that removes several.
  const bool is_look = call.kind == IaasCall::Kind::look;
  count(is_look ? call.object : call.subject, name_of(call.kind));
  return is_look ? look(call.object, call.timeout) : ++last_;
}

void Repeats::answered(std::uint64_t number, const IaasCall& call, const IaasAnswer& answer) {
  using Kind = IaasCall::Kind;
  if (call.kind == Kind::create) {
    end(number, call.subject, answer.error == nullptr);
    // Asked to come again: only time ends that.
    if (answer.error != nullptr && answer.error->code == ErrorCode::throttled)
      for (Done& done : subjects_[call.subject])
        if (done.number == number) --done.times;
  }
  if (call.kind == Kind::kill) end(number, call.object, answer.error == nullptr);
  const auto still_there = [this](const std::string& vm) {
    const auto found = subjects_.find(vm);
    if (found == subjects_.end()) return;
    for (Done& done : found->second) done.needed = true;
  };
  if (call.kind == Kind::look) {
    const bool gone = answer.error != nullptr ? answer.error->code == ErrorCode::not_found
                                              : answer.info != nullptr && is_gone(answer.info->state);
    const bool in_time = end_look(number, call.object);
    if (in_time && !gone) still_there(call.object);
  }
  if (call.kind == Kind::list && answer.infos != nullptr && !subjects_.empty())
    for (const auto& info : *answer.infos)
      if (!is_gone(info.state)) still_there(info.id);
}

std::uint64_t Repeats::asked(const std::string& subject, const AgentCommand& command, Duration timeout) {
  const std::string described = std::visit(Described{}, command);
  const char* name = agent_method(command);
  if (described.empty()) {
    count(subject, name);
    return look(subject, timeout);
  }
  // A node that goes away is fenced before each attempt to destroy its VM.
  const auto* node = world_.durable().node(node_number(subject));
  const auto* set = std::get_if<SetReadOnly>(&command);
  if (set != nullptr && set->read_only && (node == nullptr || node->state == model::NodeState::removing))
    return ++last_;
  const std::string vm = node == nullptr ? std::string() : " on " + node->vm;
  return repeat(subject, name, std::string(name) + vm + " " + described, timeout, &command);
}

void Repeats::answered(std::uint64_t number, const std::string& subject, const AgentCommand& command,
                       const Result<AgentReply>& reply) {
  (void)command;
  if (!end_look(number, subject)) return;  // as if it had not come
  const auto found = subjects_.find(subject);
  if (found == subjects_.end()) return;
  const auto* node = world_.durable().node(node_number(subject));
  // Whoever answered, it was not the node.
  const bool stranger = reply.has_value() && node != nullptr && !reply.value().state.instance_id.empty() &&
                        reply.value().state.instance_id != node->vm;
  end(number, subject, reply.has_value() && !stranger);
  for (Done& done : found->second) {
    if (done.pending) continue;
    // Its own answer counts where it shows at once whether it took effect: an agent may answer with an old
    // state.
    if (done.number == number && !std::holds_alternative<SetReadOnly>(done.command)) continue;
    done.needed = done.needed || reply.has_error() || stranger ||
                  !std::visit(Satisfied{reply.value().state}, done.command);
  }
}

}  // namespace drover::scenario
