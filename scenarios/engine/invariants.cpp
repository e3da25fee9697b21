// The table of invariants, and when each is looked at; the checks themselves are in invariants_*.cpp by
// subject.
#include "scenarios/engine/invariants.hpp"

namespace drover::scenario {

namespace {

constexpr Duration kAnswerBound = 15min;  // L7: a dump may take that long; everything else is far below
constexpr std::uint64_t kEventsPerInstant = 2'000'000;  // L6

constexpr Invariant kInvariants[] = {
    {"S1", "every VM belongs to a live record or carries a findable tag; never two for one node"},
    {"S2", "at most one writable, client-reachable master"},
    {"S3", "no acknowledged write is lost where the durability mode promises it"},
    {"S4", "a promoted replica has everything that any reachable candidate has"},
    {"S5", "only legal state transitions of service, nodes and operations"},
    {"S6", "no VM is deleted that is not ours or holds the last copy of the data"},
    {"S7", "one operation per idempotency key"},
    {"S8", "an acknowledged operation survives a crash; epochs never go back"},
    {"S9", "unique server-ids; replicas are read-only; no replication cycle"},
    {"S10", "bounds on retries, call rate and VMs created"},
    {"S11", "no secret in logs, journal or traces"},
    {"S12", "no state is reported before it is true"},
    {"L1", "every operation ends"},
    {"L2", "the wanted state is reached and stays"},
    {"L3", "no VM, volume or address is leaked"},
    {"L4", "every replica runs, has caught up and holds the master's data"},
    {"L5", "nothing gets worse again without a new fault"},
    {"L6", "no livelock"},
    {"L7", "every API call is answered within its bound"},
};

}  // namespace

std::span<const Invariant> invariants() { return kInvariants; }

Checkers::Checkers(SimWorld& world) : world_(world) {
  world_.set_watch([this](std::string_view point, std::string_view subject) { at_point(point, subject); });
}

std::uint64_t Checkers::fired() const {
  std::uint64_t total = 0;
  for (const auto& count : world_.faults().counts()) total += count.fired;
  return total;
}

void Checkers::at_point(std::string_view point, std::string_view subject) {
  if (point == "vm.gone") check_killed(std::string(subject));
  if (point == "node.running") check_running(std::string(subject));
  if (point == "service.stopped") check_stopped();
  if (point == "operation.done") check_operation_done(std::string(subject));
  if (point == "node.lost" && fired() == 0 && !world_.disturbed())
    world_.report("L5", std::string(subject) + " was lost although nothing was done to it",
                  "L5 lost without a fault");
}

void Checkers::after_event() {
  if (world_.scheduler().now() != instant_) {
    instant_ = world_.scheduler().now();
    events_at_instant_ = 0;
  } else if (++events_at_instant_ == kEventsPerInstant) {
    world_.report(
        "L6", "time stands still: " + std::to_string(kEventsPerInstant) + " events at the same moment", "L6");
  }
  const auto& pending = world_.pending_requests();
  if (!pending.empty() && instant_ - pending.begin()->second.since > kAnswerBound)
    world_.report(
        "L7", pending.begin()->second.method + " was not answered within " + drover::to_text(kAnswerBound),
        "L7 " + pending.begin()->second.method);
}

void Checkers::after_change() {
  check_masters();
  check_instances();
  check_nodes();
  check_reads();
}

}  // namespace drover::scenario
