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
ActionRow mocked(ActionRow row) {
  row.worlds = kMocked;
  return row;
}
ArgumentRow for_a_while(std::string_view summary) { return {"for", kDuration, "0s", summary}; }
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
          window(call(
              "delay", t, A::delay, kBefore | kReply, "",
              {required("by", kDuration, "how much longer the call (before) or its answer (reply) takes"),
               for_a_while("how long every call is slow (those that `on` names); 0s: this call only")},
              "the call is slow")),
          window(
              call("stuck", t, A::stuck, kBefore, "",
                   {for_a_while("how long every call is stuck (those that `on` names); 0s: this call only")},
                   "the call is never answered and has no effect")),
          call("duplicate_delivery", t, A::duplicate_delivery, kBefore, "",
               {duration("after", "0s", "when the second copy arrives, counted from the first")},
               "the call reaches the cloud twice; the second answer is dropped"),
          call("ignore_token", t, A::ignore_token, kBefore, "newInstance", {},
               "the cloud does not recognise the idempotency token: a repeated creation creates again"),
          call(
              "expire_token", t, A::expire_token, kBefore, creations, {},
              "the cloud forgets the idempotency token once the call took effect: a later copy or repetition "
              "creates again"),
          call("throttle", t, A::throttle, kBefore, "", {retry_after}, "refused: too many calls"),
          call("quota", t, A::quota, kBefore, creations, {}, "refused: the account's limit is reached"),
          call("capacity", t, A::capacity, kBefore, creations, {}, "refused: the cloud has no room"),
          call("stale_list", t, A::stale_list, kReply, lists,
               {{"empty", kBoolean, "no", "answer an empty listing even when there was an earlier one"}},
               "answers the earlier listing once more, or an empty one when there was none"),
          call("torn_list", t, A::torn_list, kReply, lists,
               {{"keep", kNumber, "0.5", "the share of the listing that is answered, 0 to 1"},
                choice("lose", "end", "end|start|middle", "the page that is missing")},
               "answers a part of the listing"),
          call("not_found", t, A::not_found, kBefore | kReply, "getVMInfo killInstance", {},
               "says not_found although the instance is there; killInstance at `before` kills nothing"),
          call("backwards", t, A::backwards, kReply, "getVMInfo", {},
               "answers what was true before the latest answer; `pending` without address when there was "
               "nothing (listings go backwards with stale_list)"),
          window(call("expired_credentials", t, A::expired_credentials, kBefore, "",
                      {duration("for", "0s", "how long every call is refused; 0s: this call only")},
                      "refused: the credentials have expired")),
          window(call("brown_out", t, A::brown_out, kBefore, "",
                      {required("for", kDuration, "how long it lasts"),
                       duration("slow", "uniform(500ms, 5s)", "how much longer each call takes"),
                       {"failing", kNumber, "0.3", "the share of calls refused as unavailable, 0 to 1"}},
                      "all calls are slow and a share of them fails, for a while")),
          mocked(call("drop_tags", t, A::drop_tags, kBefore, "newInstance", {},
                      "the instance is created without its tags (vm.forget_tags is done to it)")),
          mocked(call("drop_name", t, A::drop_name, kBefore, "newInstance", {},
                      "the instance is created without its name (vm.forget_name is done to it)")),
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
          window(call(
              "delay", t, A::delay, kBefore | kReply, "",
              {required("by", kDuration, "how much longer the command (before) or its answer (reply) takes"),
               for_a_while("how long every command that `on` names is slow; 0s: this command only")},
              "the command is slow")),
          window(call("stuck", t, A::stuck, kBefore, "",
                      {for_a_while("how long every command that `on` names is stuck; 0s: this command only")},
                      "the command is never answered and has no effect")),
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
          done("vm.crash", t, kTolerable, kProcesses, {}, "the machine powers off; its disk stays"),
          done("vm.reboot", t, kTolerable, kProcesses,
               {{"keep_disk", kBoolean, "yes", "no: the data is gone after the reboot"}},
               "the machine reboots"),
          done("vm.pause", t, kTolerable, kProcesses, {duration_or_never("for", "30s", "until it goes on")},
               "the machine freezes and goes on with what it believed before"),
          done("vm.never_boot", t, kTolerable, kProcesses, {}, "the machine stays `pending` for ever"),
          done("vm.slow_boot", t, kTolerable, kProcesses,
               {required("by", kDuration, "how much longer the boot takes")}, "the machine boots slowly"),
          done("vm.boot_error", t, kTolerable, kProcesses, {},
               "the machine ends in `error` instead of running"),
          done("vm.boot_stopped", t, kTolerable, kProcesses, {},
               "the machine ends in `stopped` instead of running"),
          done("vm.dies_after", t, kTolerable, kProcesses,
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
          done("vm.forget_name", t, kTolerable, kMocked, {}, "the machine loses its name"),
          done("vm.wrong_image", t, kTolerable, kMocked, {},
               "the machine boots another image: no agent answers"),
          done("vm.zone_loss", t, kBeyond, kMocked,
               {duration_or_never("for", "never", "until they power on again")},
               "every machine of one zone powers off at once"),
          done("vm.host_loss", t, kBeyond, kMocked,
               {{"machines", kNumber, "2", "how many machines the host has: this one and the next ones"},
                duration_or_never("for", "never", "until they power on again")},
               "the machine and its neighbours on the same host power off at once"),
          done("vm.clock_jump", t, kTolerable, kMocked,
               {required("by", kDuration, "how far"), {"back", kBoolean, "no", "yes: to an earlier time"}},
               "the machine's clock jumps: what it waits for until a time of day ends at once (forward), and "
               "it "
               "reports another lag"),
          done("vm.clock_drift", t, kTolerable, kMocked,
               {{"rate", kNumber, "2", "how fast its clock goes: 2 is twice as fast, 0.5 half"},
                duration_or_never("for", "10m", "until it goes right again")},
               "the machine's clock goes wrong: its time-outs are shorter or longer"),
          done("vm.clock_freeze", t, kTolerable, kMocked, {required("for", kDuration, "until it goes on")},
               "the machine's clock stands still: no time-out of its agent and its server ends"),
          done("vm.slow_cpu", t, kTolerable, kMocked,
               {{"factor", kNumber, "10", "how many times as long everything takes"},
                duration_or_never("for", "5m", "until it is as fast as before")},
               "commands, starts and copies take longer"),
          done("vm.slow_disk", t, kTolerable, kMocked,
               {required("by", kDuration, "how much longer each commit takes"),
                duration_or_never("for", "5m", "until it is as fast as before")},
               "commits take longer, those of the replication too"),
          done("vm.detach_volume", t, kBeyond, kMocked, {},
               "a data volume of the machine is detached (the manager buys none: only what a test attached)"),
      });
}

void add_agent_actions(std::vector<ActionRow>& rows) {
  const auto t = Target::agent;
  const auto restart = duration_or_never("restart", "5s", "until the agent's process is back");
  rows.insert(
      rows.end(),
      {
          done("agent.crash", t, kTolerable, kProcesses, {restart},
               "the agent's process dies; the server goes on"),
          done(
              "agent.crash_at_command", t, kTolerable, kMocked,
              {{"step", kNumber, "1",
                "after how many of the command's effects; 0: before the first; more than it has: at its end"},
               restart},
              "the agent dies in the middle of its next command, which has a part of its effects"),
          done("agent.duplicate_command", t, kTolerable, kMocked,
               {{"commands", kNumber, "1", "how many commands"},
                duration("after", "50ms", "when the second copy arrives, counted from the first")},
               "its next command arrives twice; the second answer is dropped"),
          done("agent.hang", t, kTolerable, kProcesses,
               {duration_or_never("for", "30s", "until it answers again")},
               "accepts connections, answers nothing"),
          done("agent.lie", t, kBeyond, kMocked, {{"commands", kNumber, "1", "how many commands"}},
               "says ok and did nothing"),
          done("agent.stale_result", t, kTolerable, kMocked,
               {{"answers", kNumber, "1", "how many answers"},
                duration("age", "0s",
                         "how old the state is at least that they show; 0s: that of the answer before")},
               "answers the next command with the state that an earlier answer showed"),
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
          done("db.reset_server_id", t, kBeyond, kProcesses, {},
               "the server's server_id is the default again, 1, as after a lost configuration"),
          done("db.corrupt_relay_log", t, kTolerable, kMocked, {},
               "the replica's SQL thread stops at a relay log that it cannot read (1594)"),
          done("db.corrupt_binlog", t, kTolerable, kMocked, {},
               "the primary's next binlog event cannot be read: replicas that need it stop (1236)"),
          done("db.interrupt_clone", t, kTolerable, kMocked, {},
               "the next copy of data onto this server breaks in the middle; the server holds none then"),
          done("db.stick_read_only", t, kTolerable, kMocked,
               {duration_or_never("for", "30s", "until it can be changed again")},
               "setting read_only has no effect, and no error"),
          done("db.disk_full", t, kTolerable, kProcesses,
               {duration_or_never("for", "never", "until there is room again")},
               "commits fail, and the replication stands still"),
          done("db.diverge", t, kBeyond, kProcesses, {}, "the replica's data differs, silently"),
          done("db.lose_read_only", t, kBeyond, kProcesses, {}, "the replica becomes writable"),
          done("db.semi_sync_off", t, kBeyond, kProcesses, {},
               "the primary falls back to asynchronous replication"),
          done("db.lose_relay_log", t, kTolerable, kMocked, {}, "the replica's unapplied relay log is gone"),
          done("db.crash", t, kTolerable, kProcesses,
               {duration_or_never("restart", "5s", "until the server is back")},
               "the database server dies; the agent goes on"),
          done("db.hang", t, kTolerable, kProcesses, {duration_or_never("for", "30s", "until it goes on")},
               "the database server accepts connections and answers nothing"),
          done("db.connections_exhausted", t, kTolerable, kMocked,
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
               "the manager freezes and goes on with what it believed before; calls wait meanwhile"),
          done("manager.takeover", t, kTolerable, kSim,
               {duration_or_never("for", "30s", "until the old one goes on; 0s: it never stops")},
               "the manager freezes and is believed dead: another one is started on its journal, and the old "
               "one goes on later beside it"),
          done("manager.crash_loop", t, kTolerable, kSim | kLocal,
               {{"crashes", kNumber, "5", "how often it dies"},
                duration("up", "5s", "how long it runs each time"),
                duration("down", "5s", "how long it is away each time")},
               "the manager dies again and again"),
          done("manager.upgrade", t, kTolerable, kSim | kLocal,
               {duration("down", "5s", "until the next one starts")},
               "the manager is stopped cleanly, calls under way get 10s, and another one is started"),
          done("manager.clock_step", t, kTolerable, kSim,
               {duration("by", "1h", "how far"), {"back", kBoolean, "no", "yes: to an earlier time"}},
               "the wall clock of the manager's machine jumps; nothing it decides rests on that clock"),
      });
}

void add_journal_actions(std::vector<ActionRow>& rows) {
  const auto t = Target::journal;
  const auto restart = duration_or_never("restart", "10s", "until the manager starts again");
  rows.insert(
      rows.end(),
      {
          done("store.torn", t, kTolerable, kSim, {restart},
               "the manager dies in the middle of its next commit, which is not there afterwards"),
          done("store.lose_tail", t, kBeyond, kSim, {{"commits", kNumber, "1", "how many"}},
               "when the manager dies next, its last commits are gone although they were acknowledged"),
          done("store.roll_back", t, kBeyond, kSim,
               {required("to", kDuration, "the time of the backup, counted from the beginning"), restart},
               "every manager is ended, and an old backup of the journal is put back"),
          done("store.corrupt", t, kTolerable, kSim,
               {{"document", kText, "service-1", "which: \"node-2\", \"operation-1\""},
                duration_or_never("for", "1m", "until it is mended")},
               "a document of the journal cannot be read; a running manager does not notice"),
          done("store.full", t, kTolerable, kSim,
               {duration_or_never("for", "1m", "until there is room again")}, "the journal's disk is full"),
          done("store.slow", t, kTolerable, kSim,
               {required("by", kDuration, "how much longer each commit takes"),
                duration_or_never("for", "1m", "until it is fast again")},
               "the journal's disk is slow"),
      });
}

void add_client_actions(std::vector<ActionRow>& rows) {
  ArgumentRow method = choice("method", "",
                              "add_nodes|remove_nodes|create_replica|set_up_replica_slave|"
                              "set_up_replica_master|promote|fail_over|cancel_operation|shutdown|startup",
                              "what is asked for");
  method.required = true;
  rows.push_back(
      done("api.call", Target::client, kTolerable, kMocked,
           {method,
            {"count", kNumber, "1", "of add_nodes"},
            {"force", kBoolean, "no", "of remove_nodes and fail_over"}},
           "a client asks for this at that moment and does not wait: about the node that is the target, "
           "else the master; cancel_operation is about the operation that is observed, else the latest "
           "under way"));
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
    add_journal_actions(all);
    add_client_actions(all);
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
