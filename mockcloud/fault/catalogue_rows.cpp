// The catalogue's rows. A new fault is a new row here, and what carries it out: call_faults.cpp for calls,
// the world's ActionSink for everything else. What explorations try of it is in catalogue_variants.cpp.
#include "mockcloud/fault/catalogue.hpp"
#include "mockcloud/fault/catalogue_network.hpp"

namespace drover::fault {
namespace {

constexpr unsigned kBefore = phase_bit(Phase::before);
constexpr unsigned kEffect = phase_bit(Phase::effect);
constexpr unsigned kReply = phase_bit(Phase::reply);
constexpr unsigned kAfterEffect = kEffect | kReply;

constexpr unsigned kCalls = kSim | kMock | kLocal | kCloud;  // decorators wrap any implementation
constexpr unsigned kMocked = kSim | kMock;
constexpr unsigned kProcesses = kSim | kMock | kLocal;  // where signals reach what it is done to
constexpr unsigned kEverywhere = kSim | kMock | kLocal | kCloud;

constexpr bool kBeyond = true;
constexpr bool kTolerable = false;

constexpr auto kDuration = ArgumentType::duration;
constexpr auto kNumber = ArgumentType::number;
constexpr auto kText = ArgumentType::text;
constexpr auto kBoolean = ArgumentType::boolean;

ArgumentRow required(std::string_view name, ArgumentType type, std::string_view summary) {
  return {name, type, "", summary, "", true};
}
ArgumentRow duration(std::string_view name, std::string_view fallback, std::string_view summary) {
  return {name, kDuration, fallback, summary};
}
ArgumentRow duration_or_never(std::string_view name, std::string_view fallback, std::string_view summary) {
  return {name, kDuration, fallback, summary, "", false, true};
}
ArgumentRow choice(std::string_view name, std::string_view fallback, std::string_view choices,
                   std::string_view summary) {
  return {name, kText, fallback, summary, choices};
}

ActionRow call(std::string_view name, Target target, CallAction action, unsigned phases,
               std::string_view calls, std::vector<ArgumentRow> arguments, std::string_view summary) {
  return {name, target, action, phases, calls, false, kTolerable, kCalls, std::move(arguments), summary};
}
ActionRow window(ActionRow row) {
  row.window = true;
  return row;
}
ActionRow done(std::string_view name, Target target, bool beyond, unsigned worlds,
               std::vector<ArgumentRow> arguments, std::string_view summary) {
  return {name, target, CallAction::none, 0, "", false, beyond, worlds, std::move(arguments), summary};
}

void add_iaas_calls(std::vector<ActionRow>& rows) {
  using A = CallAction;
  const auto t = Target::iaas_call;
  const std::string_view creations = "newInstance createVolume";
  const std::string_view lists = "listVMs listVolumes";
  const auto retry_after =
      duration("retry_after", "", "how long the cloud says to wait; absent: it does not say");
  rows.insert(
      rows.end(),
      {
          call("refuse", t, A::refuse, kBefore, "",
               {choice("error", "unavailable",
                       "unavailable|throttled|unauthenticated|permission|quota|capacity|invalid|not_found",
                       "what the cloud answers"),
                retry_after},
               "the call is refused and has no effect"),
          call("error_after_effect", t, A::error_after_effect, kAfterEffect, "",
               {choice("error", "unavailable", "unavailable|timeout|connection_lost|internal",
                       "what the caller is told")},
               "the call has its effect, the caller gets an error"),
          call("lose_reply", t, A::lose_reply, kAfterEffect, "", {},
               "the call has its effect, the caller gets no answer"),
          call("late_effect", t, A::late_effect, kBefore, "",
               {required("delay", kDuration, "when the effect happens, counted from the call")},
               "the caller gets no answer; the effect happens later"),
          call("delay", t, A::delay, kBefore | kReply, "",
               {required("by", kDuration, "how much longer the call (before) or its answer (reply) takes")},
               "the call is slow"),
          call("stuck", t, A::stuck, kBefore, "", {}, "the call is never answered and has no effect"),
          call("duplicate_delivery", t, A::duplicate_delivery, kBefore, "",
               {duration("after", "0s", "when the second copy arrives, counted from the first")},
               "the call reaches the cloud twice; the second answer is dropped"),
          call("ignore_token", t, A::ignore_token, kBefore, "newInstance", {},
               "the cloud does not recognise the idempotency token: a repeated creation creates again"),
          call("throttle", t, A::throttle, kBefore, "", {retry_after}, "refused: too many calls"),
          call("quota", t, A::quota, kBefore, creations, {}, "refused: the account's limit is reached"),
          call("capacity", t, A::capacity, kBefore, creations, {}, "refused: the cloud has no room"),
          call("stale_list", t, A::stale_list, kReply, lists,
               {{"empty", kBoolean, "no", "answer an empty listing even when there was an earlier one"}},
               "answers the earlier listing once more, or an empty one when there was none"),
          call(
              "torn_list", t, A::torn_list, kReply, lists,
              {{"keep", kNumber, "0.5", "the share of the listing that is answered, from its start, 0 to 1"}},
              "answers the first part of the listing"),
          call("not_found", t, A::not_found, kBefore | kReply, "getVMInfo killInstance", {},
               "says not_found although the instance is there; killInstance at `before` kills nothing"),
          call("backwards", t, A::backwards, kReply, "getVMInfo", {},
               "answers what was true before the latest answer; `pending` without address when there was "
               "nothing"),
          window(call("expired_credentials", t, A::expired_credentials, kBefore, "",
                      {duration("for", "0s", "how long every call is refused; 0s: this call only")},
                      "refused: the credentials have expired")),
          window(call("brown_out", t, A::brown_out, kBefore, "",
                      {required("for", kDuration, "how long it lasts"),
                       duration("slow", "uniform(500ms, 5s)", "how much longer each call takes"),
                       {"failing", kNumber, "0.3", "the share of calls refused as unavailable, 0 to 1"}},
                      "all calls are slow and a share of them fails, for a while")),
          call("drop_tags", t, A::drop_tags, kBefore, "newInstance", {},
               "the instance is created without its tags (vm.forget_tags is done to it)"),
      });
}

void add_other_calls(std::vector<ActionRow>& rows) {
  using A = CallAction;
  const auto t = Target::agent_call;
  rows.insert(
      rows.end(),
      {
          call("refuse", t, A::refuse, kBefore, "",
               {choice("error", "unavailable",
                       "unavailable|unauthenticated|permission|invalid|wrong_state|database|connection_lost",
                       "what the manager is told")},
               "the command is refused and has no effect"),
          call("error_after_effect", t, A::error_after_effect, kAfterEffect, "",
               {choice("error", "connection_lost", "connection_lost|timeout|unavailable|database|internal",
                       "what the manager is told")},
               "the command has its effect, the manager gets an error"),
          call("lose_reply", t, A::lose_reply, kAfterEffect, "", {},
               "the command has its effect, the manager gets no answer"),
          call(
              "delay", t, A::delay, kBefore | kReply, "",
              {required("by", kDuration, "how much longer the command (before) or its answer (reply) takes")},
              "the command is slow"),
          call("stuck", t, A::stuck, kBefore, "", {}, "the command is never answered and has no effect"),
          call("duplicate_delivery", t, A::duplicate_delivery, kBefore, "",
               {duration("after", "0s", "when the second copy arrives, counted from the first")},
               "the command reaches the agent twice; the second answer is dropped"),
          call("refuse", Target::store_commit, A::refuse, kBefore, "", {},
               "the journal cannot be written; nothing is stored"),
          call("error_after_effect", Target::store_commit, A::error_after_effect, kReply, "", {},
               "the commit is stored, the manager gets an error"),
      });
}

void add_vm_actions(std::vector<ActionRow>& rows) {
  const auto t = Target::vm;
  rows.insert(
      rows.end(),
      {
          done("vm.crash", t, kTolerable, kEverywhere, {}, "the machine powers off; its disk stays"),
          done("vm.reboot", t, kTolerable, kEverywhere,
               {{"keep_disk", kBoolean, "yes", "no: the data is gone after the reboot"}},
               "the machine reboots"),
          done("vm.pause", t, kTolerable, kProcesses, {duration_or_never("for", "30s", "until it goes on")},
               "the machine freezes and goes on with what it believed before"),
          done("vm.never_boot", t, kTolerable, kMocked, {}, "the machine stays `pending` for ever"),
          done("vm.slow_boot", t, kTolerable, kMocked,
               {required("by", kDuration, "how much longer the boot takes")}, "the machine boots slowly"),
          done("vm.boot_error", t, kTolerable, kMocked, {}, "the machine ends in `error` instead of running"),
          done("vm.boot_stopped", t, kTolerable, kMocked, {},
               "the machine ends in `stopped` instead of running"),
          done("vm.dies_after", t, kTolerable, kMocked,
               {required("delay", kDuration, "counted from its boot, or from now when it runs")},
               "the machine runs, then powers off"),
          done("vm.change_address", t, kTolerable, kMocked, {}, "the machine gets another address"),
          done("vm.duplicate_address", t, kBeyond, kMocked, {},
               "the machine gets the address of another that runs"),
          done("vm.late_address", t, kTolerable, kMocked,
               {required("by", kDuration, "how long it runs without one")},
               "the machine runs before it has an address"),
          done("vm.reuse_address", t, kTolerable, kMocked, {},
               "the next machine gets the address this one had"),
          done("vm.zombie", t, kTolerable, kMocked, {}, "listed as terminated, but it goes on running"),
          done("vm.stuck_deletion", t, kTolerable, kMocked,
               {duration_or_never("for", "10m", "until the deletion goes on")},
               "a deletion stays `shutting-down`"),
          done("vm.forget_tags", t, kTolerable, kMocked, {}, "the machine loses its tags"),
          done("vm.wrong_image", t, kTolerable, kMocked, {},
               "the machine boots another image: no agent answers"),
          done("vm.zone_loss", t, kBeyond, kMocked,
               {duration_or_never("for", "never", "until they power on again")},
               "every machine of one zone powers off at once"),
          done("vm.detach_volume", t, kBeyond, kMocked, {}, "a data volume of the machine is detached"),
      });
}

void add_agent_actions(std::vector<ActionRow>& rows) {
  const auto t = Target::agent;
  const auto restart = duration_or_never("restart", "5s", "until the agent's process is back");
  rows.insert(
      rows.end(),
      {
          done("agent.crash", t, kTolerable, kEverywhere, {restart},
               "the agent's process dies; the server goes on"),
          done("agent.crash_at_command", t, kTolerable, kMocked, {restart},
               "the agent dies in the middle of its next command, which has half of its effect"),
          done("agent.hang", t, kTolerable, kEverywhere,
               {duration_or_never("for", "30s", "until it answers again")},
               "accepts connections, answers nothing"),
          done("agent.lie", t, kBeyond, kMocked, {{"commands", kNumber, "1", "how many commands"}},
               "says ok and did nothing"),
          done("agent.stale_result", t, kTolerable, kMocked, {},
               "answers the next command with the answer of the one before"),
          done("agent.wrong_version", t, kTolerable, kMocked, {}, "speaks another version of the protocol"),
          done("agent.wrong_credentials", t, kTolerable, kMocked, {}, "refuses the manager's credentials"),
          done("agent.wrong_identity", t, kTolerable, kMocked, {}, "says that it is another instance"),
          done("agent.disk_full", t, kTolerable, kProcesses,
               {duration_or_never("for", "never", "until there is room again")}, "commands that write fail"),
          done("agent.restart_in_command", t, kTolerable, kMocked, {restart},
               "the agent restarts after its next command took effect and before it answers"),
          done("agent.partial_configuration", t, kTolerable, kMocked, {},
               "the next command that configures does half of it and reports an error"),
      });
}

void add_database_actions(std::vector<ActionRow>& rows) {
  const auto t = Target::database;
  rows.insert(
      rows.end(),
      {
          done("db.lag", t, kTolerable, kProcesses,
               {required("by", kDuration, "how far the replica stays behind"),
                duration_or_never("for", "never", "until it catches up")},
               "the replica applies late"),
          done("db.stop_sql", t, kTolerable, kProcesses,
               {choice("errno", "1062", "1062|1032|1950", "the error it stops with")},
               "the replica's SQL thread stops"),
          done("db.stop_io", t, kTolerable, kProcesses, {}, "the replica's I/O thread is disconnected"),
          done("db.purge_binlogs", t, kTolerable, kProcesses, {},
               "the primary's older binary logs are gone (1236 for who needs them)"),
          done("db.errant", t, kBeyond, kProcesses, {}, "the replica gets a transaction of its own"),
          done("db.duplicate_server_id", t, kBeyond, kProcesses, {},
               "the server takes the server_id of another"),
          done("db.diverge", t, kBeyond, kProcesses, {}, "the replica's data differs, silently"),
          done("db.lose_read_only", t, kBeyond, kProcesses, {}, "the replica becomes writable"),
          done("db.semi_sync_off", t, kBeyond, kProcesses, {},
               "the primary falls back to asynchronous replication"),
          done("db.lose_relay_log", t, kTolerable, kProcesses, {},
               "the replica's unapplied relay log is gone"),
          done("db.crash", t, kTolerable, kProcesses,
               {duration_or_never("restart", "5s", "until the server is back")},
               "the database server dies; the agent goes on"),
          done("db.hang", t, kTolerable, kProcesses, {duration_or_never("for", "30s", "until it goes on")},
               "the database server accepts connections and answers nothing"),
          done("db.connections_exhausted", t, kTolerable, kProcesses,
               {duration_or_never("for", "1m", "until there are free ones")},
               "new connections get error 1040, replication goes on"),
      });
}

void add_manager_actions(std::vector<ActionRow>& rows) {
  const auto t = Target::manager;
  rows.insert(
      rows.end(),
      {
          done("manager.crash", t, kTolerable, kEverywhere,
               {duration_or_never("restart", "10s", "until it starts again")},
               "the manager dies; at a call's `before` the call is not made, later its answer is lost"),
          done("manager.pause", t, kTolerable, kEverywhere,
               {duration_or_never("for", "30s", "until it goes on")},
               "the manager freezes and goes on with what it believed before"),
      });
}

void add_scheduler_actions(std::vector<ActionRow>& rows) {
  rows.push_back(done("order.shuffle", Target::scheduler, kTolerable, kSim,
                      {{"seed", kNumber, "1", "draws the order"},
                       duration("spread", "0s", "timers come up to so much late as well")},
                      "events of the same moment happen in another order from now on"));
}

}  // namespace

const std::vector<ActionRow>& catalogue() {
  static const std::vector<ActionRow> rows = [] {
    std::vector<ActionRow> all;
    add_iaas_calls(all);
    add_other_calls(all);
    add_vm_actions(all);
    add_agent_actions(all);
    add_database_actions(all);
    add_manager_actions(all);
    add_scheduler_actions(all);
    add_network_actions(all);
    for (auto& row : all) row.variants = variants_of(row.name, row.target);
    return all;
  }();
  return rows;
}

const std::vector<ArgumentRow>& common_arguments() {
  static const std::vector<ArgumentRow> rows{
      {"on", kText, "",
       "of actions on calls: the rule's trigger or time only arms it, and it is done to the next calls that "
       "match "
       "this pattern (\"iaas.newInstance\", \"agent.*.reply\"); without a phase, the action's first one. "
       "Required "
       "when the rule does not fire at a call"},
      {"calls", kNumber, "1", "with `on`: how many calls each firing hits, 1 to 1000000"},
      {"target", kText, "",
       "what it is done to (\"node-2\"), instead of the subject of the observation; with `on`: the pattern "
       "of the "
       "calls' subjects"},
  };
  return rows;
}

}  // namespace drover::fault
