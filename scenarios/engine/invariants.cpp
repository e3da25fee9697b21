// The table of invariants, and when each is looked at; the checks themselves are in invariants_*.cpp by
// subject.
#include "scenarios/engine/invariants.hpp"

namespace drover::scenario {

namespace {

constexpr Duration kAnswerBound = 15min;  // L7: a dump may take that long; everything else is far below
// Commands of several managers are numbered apart from what the other checkers number.
constexpr std::uint64_t kApart = 1ULL << 63U;
// L6: more events than this at one moment, and than so many for each VM there ever was, are too many.
constexpr std::uint64_t kEventsPerInstant = 100'000;
constexpr std::uint64_t kEventsPerInstantAndVm = 200;

constexpr Invariant kInvariants[] = {
    {"S1", "every VM belongs to a live record or carries a findable tag; never two for one node"},
    {"S2", "at most one server takes writes from clients, and only the one that the journal names"},
    {"S3", "no acknowledged write is lost where the durability mode promises it"},
    {"S4", "a promoted replica has everything that any reachable candidate has"},
    {"S5", "only legal state transitions of service, nodes and operations"},
    {"S6", "no VM is deleted that is not ours or holds the last copy of the data"},
    {"S7", "one operation per idempotency key, and it keeps it"},
    {"S8", "what is done or promised is in the journal before, and survives a crash; numbers never go back"},
    {"S9", "unique server-ids; replicas are read-only; no replication cycle"},
    {"S10", "no repetition without a cause; bounds on retries, call rate and VMs created"},
    {"S11", "no secret in logs, journal, traces or answers"},
    {"S12", "no state is reported before it is true, and answers say what is so"},
    {"L1", "every operation ends"},
    {"L2", "the wanted state is reached and stays"},
    {"L3", "no VM, volume or address is leaked"},
    {"L4", "every replica runs, has caught up and holds the master's data"},
    {"L5", "nothing gets worse again without a new fault"},
    {"L6", "no livelock"},
    {"L7", "every API call is answered within its bound"},
    {"W1", "the simulated cloud keeps the rules of a cloud"},
    {"W2", "simulated servers keep the rules of MariaDB"},
};

}  // namespace

std::span<const Invariant> invariants() { return kInvariants; }

std::vector<std::string> Checkers::judged() const {
  std::vector<std::string> names;
  for (const Invariant& invariant : kInvariants) names.emplace_back(invariant.name);
  return names;
}

Checkers::Checkers(SimWorld& world)
    : world_(world),
      write_ahead_(world),
      repeats_(world),
      states_(world),
      servers_(world),
      deaths_(world),
      masters_(world),
      endings_(world),
      cloud_(world),
      obedience_(world),
      answers_(world) {
  world_.set_watch([this](std::string_view point, std::string_view subject) { at_point(point, subject); });
  world_.set_port_watch(this);
  world_.set_cloud_watch(&cloud_);
  world_.set_client_watch({[this](const api::Request& request) { requested(request); },
                           [this](const std::string& method, const api::Response& response) {
                             write_ahead_.answered(method, response);
                             answers_.answered(method, response);
                             check_secret(response.error, "an answer");
                             check_secret(response.result.dump(), "an answer");
                           }});
  world_.set_log_watch([this](const std::string& line) { check_secret(line, "the log"); });
  world_.set_write_watch(
      [this](const node::SimServer& server, node::Stamp stamp) { servers_.acknowledged(server, stamp); });
  world_.durable().set_watch(
      [this](const Change& change, const std::string& before) { stored(change, before); });
  watch_secrets();
}

Checkers::~Checkers() {
  world_.set_port_watch(nullptr);
  world_.set_cloud_watch(nullptr);
  world_.set_client_watch({});
  world_.set_log_watch(nullptr);
  world_.set_write_watch(nullptr);
  world_.durable().set_watch(nullptr);
  world_.set_watch(nullptr);
  world_.trace().watch_texts(SIZE_MAX, nullptr);
}

// --- what they are told ---

std::uint64_t Checkers::asked(const IaasCall& call, const InstanceSpec*) {
  // One of several managers may not know yet that it was replaced, and calls are not told apart.
  if (world_.has_former_managers()) {
    if (call.kind == IaasCall::Kind::kill) doomed_.insert(call.object);
    return 0;
  }
  write_ahead_.asked(call);
  if (call.kind == IaasCall::Kind::kill) {
    check_foreign(call.object);
    check_discarded(call.object);
    doomed_.insert(call.object);
  }
  const auto number = repeats_.asked(call);
  endings_.asked(number, call);
  return number;
}

void Checkers::answered(std::uint64_t number, const IaasCall& call, const IaasAnswer& answer) {
  if (call.kind == IaasCall::Kind::kill && answer.error == nullptr) granted_.insert(call.object);
  repeats_.answered(number, call, answer);
  endings_.answered(number);
}

std::uint64_t Checkers::asked(const std::string& subject, const AgentCommand& command, Duration timeout) {
  if (world_.has_former_managers()) {
    const std::uint64_t number = kApart | ++by_several_;
    obedience_.asked(number, subject, command);
    endings_.asked(subject, command);  // whoever closes a server has closed it
    return number;
  }
  write_ahead_.asked(subject, command);
  endings_.asked(subject, command);
  if (std::holds_alternative<SetUpReplica>(command)) {
    count_repairs(subject);
    const auto* manager = world_.manager();
    const auto* node = manager == nullptr ? nullptr : manager->model().node(node_number(subject));
    if (node != nullptr) servers_.told_to_replicate(node->vm);
  }
  const auto number = repeats_.asked(subject, command, timeout);
  obedience_.asked(number, subject, command);
  deaths_.asked(number, subject, command, timeout);
  answers_.asked(number, command);
  return number;
}

void Checkers::answered(std::uint64_t number, const std::string& subject, const AgentCommand& command,
                        const Result<AgentReply>& reply) {
  obedience_.answered(number, subject, reply);
  repeats_.answered(number, subject, command, reply);
  deaths_.answered(number, subject, command, reply);
  answers_.answered(number, reply);
}

void Checkers::requested(const api::Request& request) {
  watch_secrets();
  repeats_.requested();
  answers_.requested(request.method);
  if (request.method == "startup") states_.startup_requested();
  if (request.method == "fail_over") deaths_.requested();
  if (request.verb != api::Verb::get) repeats_.begin();
}

void Checkers::stored(const Change& change, const std::string& before) {
  check_secret(change.document, "the journal");
  if (change.table == Table::service) {
    epoch_ = std::max(epoch_, number_in(change.document, "epoch"));
    nodes_ever_ = std::max(nodes_ever_, number_in(change.document, "next_node") - 1);
  }
  if (!world_.has_former_managers()) write_ahead_.stored(change, before);
  states_.stored(change, before);
  answers_.stored(change);
}

void Checkers::at_point(std::string_view point, std::string_view subject) {
  if (point == "vm.gone") return check_gone(std::string(subject));
  obedience_.at_point(point, subject);
  states_.at_point(point, subject);
  deaths_.at_point(point, subject);
  endings_.at_point(point, subject);
  // A fail-over keeps what a replica has received; what only the dead master had is counted as lost. Of
  // writes in semi-sync mode none is.
  if (point == "step.choose") promised_ = false;
  if (point == "step.fence") check_death(std::string(subject));
  if (point == "manager.started") {
    managers_ = std::max(managers_, static_cast<double>(world_.managers()));
    repeats_.begin();
    check_restart();
  }
  if (point == "operation.started" || point == "operation.step") repeats_.begin();
  if (point == "service.epilogue") shutdown_at_ = world_.scheduler().now();
  if (point == "node.removing") removing_.emplace(subject);
  if (point == "node.running") {
    const bool kept = removing_.erase(std::string(subject)) > 0;
    const bool found = lost_.erase(std::string(subject)) > 0;
    check_running(std::string(subject), kept, found);
  }
  if (point == "node.lost") lost_.emplace(subject);
  if (point == "node.removed" && removing_.contains(std::string(subject)))
    check_removed(std::string(subject));
  if (point == "node.lost") check_lost(std::string(subject));
  if (point == "service.stopped") check_stopped();
  if (point == "operation.done") check_operation_done(std::string(subject));
}

void Checkers::after_event() {
  if (world_.scheduler().now() != instant_) {
    instant_ = world_.scheduler().now();
    events_at_instant_ = 0;
  } else if (++events_at_instant_ >= kEventsPerInstant &&
             events_at_instant_ - kEventsPerInstant ==
                 kEventsPerInstantAndVm * world_.cloud().total_created()) {
    world_.report("L6",
                  "time stands still: " + std::to_string(events_at_instant_) + " events at the same moment",
                  "L6");
  }
  const auto& pending = world_.pending_requests();
  if (!pending.empty() && instant_ - pending.begin()->second.since > kAnswerBound)
    world_.report(
        "L7", pending.begin()->second.method + " was not answered within " + drover::to_text(kAnswerBound),
        "L7 " + pending.begin()->second.method);
}

void Checkers::after_change() {
  servers_.after_change();
  check_instances();
  states_.after_change();
  deaths_.after_change();
  masters_.after_change();
  check_reads();
}

}  // namespace drover::scenario
