#include "tests/replication/cases.hpp"

namespace drover::replication_test {
namespace {

using By = Source::By;
using Act = std::function<unsigned(World&)>;

// Steps, as they are said.

Act done(std::function<void(World&)> act) {
  return [act = std::move(act)](World& w) {
    act(w);
    return 0U;
  };
}

Step writes(unsigned server, unsigned count = 1, std::vector<std::string> shows = {}) {
  return {"writes on " + std::to_string(server),
          [=](World& w) {
            unsigned failed = 0;
            for (unsigned i = 0; i < count && failed == 0; ++i) failed = w.write(server);
            return failed;
          },
          0, std::move(shows)};
}

Step opens(unsigned server) {
  return {"clients may write", [=](World& w) { return w.set_read_only(server, false); }};
}

Step change_master(unsigned server, Source source, unsigned fails_with = 0) {
  return {"CHANGE MASTER", [=](World& w) { return w.change_master(server, source); }, fails_with};
}

Step start_slave(unsigned server, std::vector<std::string> shows, unsigned fails_with = 0) {
  return {"START SLAVE", [=](World& w) { return w.start_slave(server); }, fails_with, std::move(shows)};
}

Step start_sql(unsigned server, std::vector<std::string> shows) {
  return {"START SLAVE SQL_THREAD", [=](World& w) { return w.start_slave(server, false, true); }, 0,
          std::move(shows)};
}

Step start_io(unsigned server, std::vector<std::string> shows) {
  return {"START SLAVE IO_THREAD", [=](World& w) { return w.start_slave(server, true, false); }, 0,
          std::move(shows)};
}

Step stop_slave(unsigned server, std::vector<std::string> shows = {}) {
  return {"STOP SLAVE", [=](World& w) { return w.stop_slave(server); }, 0, std::move(shows)};
}

Step stop_sql(unsigned server, std::vector<std::string> shows = {}) {
  return {"STOP SLAVE SQL_THREAD", [=](World& w) { return w.stop_slave(server, false, true); }, 0,
          std::move(shows)};
}

Step stop_io(unsigned server, std::vector<std::string> shows = {}) {
  return {"STOP SLAVE IO_THREAD", [=](World& w) { return w.stop_slave(server, true, false); }, 0,
          std::move(shows)};
}

Step kills(unsigned server, std::vector<std::string> shows = {}) {
  return {"a kill -9 of " + std::to_string(server), done([=](World& w) { w.kill_server(server); }), 0,
          std::move(shows)};
}

Step stops(unsigned server, std::vector<std::string> shows = {}) {
  return {"a stop of " + std::to_string(server), done([=](World& w) { w.stop_server(server); }), 0,
          std::move(shows)};
}

Step starts(unsigned server, std::vector<std::string> shows = {}, bool skip_slave_start = false) {
  return {skip_slave_start ? "a start with skip_slave_start" : "a start",
          done([=](World& w) { w.start_server(server, skip_slave_start); }), 0, std::move(shows)};
}

// 1 takes writes and has two; the others replicate them.
std::vector<Step> pair(std::vector<Step> then, unsigned replicas = 1) {
  std::vector<Step> steps{opens(1), writes(1, 2)};
  for (unsigned n = 2; n <= 1 + replicas; ++n) {
    const std::string replica = std::to_string(n);
    steps.push_back(change_master(n, {1}));
    steps.push_back(start_slave(n, {replica + " io=Yes sql=Yes slave_pos=0-1-2 behind=number"}));
  }
  for (Step& step : then) steps.push_back(std::move(step));
  return steps;
}

std::vector<Case> following() {
  return {
      {"AReplicaFollows", pair({writes(1, 3, {"2 slave_pos=0-1-5"})})},
      {"NothingIsConfigured",
       {start_slave(2, {}, 1200),
        stop_slave(2),
        {"RESET SLAVE ALL", [](World& w) { return w.reset_slave(2, true); }}}},
      {"ItIsConfiguredAndNotStarted", {opens(1), writes(1), change_master(2, {1})}},
      {"AReplicaIsBehind",
       pair({{"the SQL thread cannot go on", done([](World& w) { w.hold_back(2, true); })},
             writes(1, 3, {"2 io_pos=0-1-5 slave_pos=0-1-2 sql=Yes behind=number"}),
             {"it can again", done([](World& w) { w.hold_back(2, false); }), 0, {"2 slave_pos=0-1-5"}}})},
      {"TheIoThreadIsStoppedAndStarted", pair({stop_io(2, {"2 io=No sql=Yes behind=NULL"}), writes(1),
                                               start_io(2, {"2 io=Yes slave_pos=0-1-3"})})},
      {"TheSqlThreadIsStoppedAndStarted",
       pair({stop_sql(2, {"2 io=Yes sql=No behind=NULL"}), writes(1, 2, {"2 io_pos=0-1-4 slave_pos=0-1-2"}),
             start_sql(2, {"2 slave_pos=0-1-4"})})},
      {"BothAreStopped", pair({stop_sql(2), writes(1, 2, {"2 io_pos=0-1-4"}),
                               stop_slave(2, {"2 io=No sql=No io_pos=0-1-4 slave_pos=0-1-2"}),
                               start_slave(2, {"2 io_pos=0-1-4 slave_pos=0-1-4"})})},
      {"AFilePosition",
       {opens(1), writes(1, 2), change_master(2, {1, kPassword, By::file}), writes(1, 2),
        start_slave(2, {"2 io=Yes using_gtid=No slave_pos=0-1-4"})}},
      {"TheConnectionBreaks",
       pair({{"a break", done([](World& w) { w.cut_connection(2); }), 0, {"2 io=Yes io_errno=0"}},
             writes(1, 1, {"2 slave_pos=0-1-3"})})},
      {"CommandsThatAreRefusedWhileItRuns",
       pair({change_master(2, {1}, 1198),
             {"SET gtid_slave_pos", [](World& w) { return w.set_slave_position(2, "0-1-1"); }, 1198},
             {"RESET SLAVE ALL", [](World& w) { return w.reset_slave(2, true); }, 1198}})},
      {"OneThreadRunsIsRunning", pair({stop_sql(2), change_master(2, {1}, 1198)})},
  };
}

std::vector<Case> sql_errors() {
  return {
      {"ADuplicateRow", pair({{"a row of its own", done([](World& w) { w.plant_conflict(2, 1062); })},
                              writes(1, 2, {"2 io=Yes sql=No sql_errno=1062 slave_pos=0-1-2 io_pos=0-1-4"}),
                              start_sql(2, {"2 sql_errno=1062 sql=No"}),
                              stop_slave(2, {"2 sql_errno=1062"}),
                              start_slave(2, {"2 sql_errno=1062 sql=No io=Yes"}),
                              {"it is to be skipped", [](World& w) { return w.skip_transaction(2); }},
                              start_sql(2, {"2 sql=Yes sql_errno=0 slave_pos=0-1-4"})})},
      {"AMissingRow",
       pair(
           {{"its row is gone", done([](World& w) { w.plant_conflict(2, 1032); })},
            {"the row changes", [](World& w) { return w.rewrite(1); }, 0, {"2 io=Yes sql=No sql_errno=1032"}},
            stop_slave(2, {"2 sql_errno=1032"}),
            {"a position behind it", [](World& w) { return w.set_slave_position(2, "0-1-3"); }},
            start_slave(2, {"2 io=Yes sql=Yes sql_errno=0"}),
            writes(1, 1, {"2 slave_pos=0-1-4"})})},
      {"AnErrantTransactionInStrictMode",
       pair({{"an errant transaction",
              [](World& w) { return w.write(2, Account::admin); },
              0,
              {"2 binlog_pos=0-2-3 slave_pos=0-1-2 current_pos=0-2-3 sql=Yes"}},
             writes(1, 1, {"2 io=Yes sql=No sql_errno=1950"}),
             start_sql(2, {"2 sql_errno=1950 sql=No"})})},
      {"AnErrantTransactionNoticedAtTheNextConnection",
       pair({{"an errant transaction", [](World& w) { return w.write(2, Account::admin); }},
             stop_slave(2),
             change_master(2, {1, kPassword, By::gtid_and_own_binlog}),
             start_slave(2, {"2 io=No sql=Yes io_errno=1236 error~which#is#not#in#the#master's#binlog"})})},
      {"ADivergedReplica",
       pair({stop_slave(2),
             {"an errant transaction", [](World& w) { return w.write(2, Account::admin); }},
             writes(1, 2),
             change_master(2, {1, kPassword, By::gtid_and_own_binlog}),
             start_slave(2, {"2 io=No sql=Yes io_errno=1236 error~extra#erroneous#transactions"})})},
      {"AReplicaAheadOfItsMaster",
       pair({stop_slave(2),
             {"SET gtid_slave_pos", [](World& w) { return w.set_slave_position(2, "0-1-9"); }},
             start_slave(2, {"2 io=No sql=Yes io_errno=1236"})})},
      {"ThePositionMustCoverTheOwnBinlog",
       pair({stop_slave(2),
             {"an empty position", [](World& w) { return w.set_slave_position(2, ""); }},
             {"an errant transaction", [](World& w) { return w.write(2, Account::admin); }},
             {"an empty position", [](World& w) { return w.set_slave_position(2, ""); }, 1948},
             {"an earlier position", [](World& w) { return w.set_slave_position(2, "0-1-1"); }, 1947}})},
  };
}

std::vector<Case> io_errors() {
  return {
      {"AWrongPassword", pair({stop_slave(2), change_master(2, {1, "s3cret-wrong"}),
                               start_slave(2, {"2 io=Connecting sql=Yes io_errno=1045 behind=NULL"}),
                               stop_slave(2, {"2 io_errno=1045"}), change_master(2, {1}),
                               start_slave(2, {"2 io=Yes io_errno=0"})})},
      {"TheAccountIsGoneAndComesBack",
       pair({stop_io(2),
             {"DROP USER", done([](World& w) { w.admit_replicas(1, false); })},
             start_io(2, {"2 io=Connecting io_errno=1045"}),
             {"GRANT", done([](World& w) { w.admit_replicas(1, true); }), 0, {"2 io=Yes io_errno=0"}}})},
      {"TheMasterIsKilledAndComesBack",
       pair({kills(1, {"2 io=Connecting sql=Yes io_errno=2003 behind=NULL"}),
             starts(1, {"2 io=Yes io_errno=0"}), opens(1), writes(1, 1, {"2 slave_pos=0-1-3"})})},
      {"TheMasterIsStoppedAndComesBack",
       pair({stops(1, {"2 io=Connecting sql=Yes io_errno=2003"}), starts(1, {"2 io=Yes io_errno=0"})})},
      {"TheMasterIsDownWhenTheReplicaStarts",
       pair({stop_slave(2), stops(1), start_slave(2, {"2 io=Connecting io_errno=2003"}),
             stop_slave(2, {"2 io=No io_errno=2003"})})},
      {"TheMasterHangsAndGoesOn",
       pair({{"SIGSTOP", done([](World& w) { w.hang_server(1, true); })},
             {"after slave_net_timeout", done([](World& w) { w.pass(5s); }), 0, {"2 io=Connecting"}},
             {"SIGCONT", done([](World& w) { w.hang_server(1, false); }), 0, {"2 io=Yes io_errno=0"}},
             writes(1, 1, {"2 slave_pos=0-1-3"})})},
      {"TheMasterTakesNoConnections",
       pair({stop_io(2),
             {"a crowd", done([](World& w) { w.exhaust_connections(1, true); })},
             start_io(2, {"2 io=Connecting io_errno=1040"}),
             {"it goes",
              done([](World& w) { w.exhaust_connections(1, false); }),
              0,
              {"2 io=Yes io_errno=0"}}})},
      {"TheMastersServerId", pair({stop_slave(2),
                                   {"server_id", [](World& w) { return w.set_server_id(2, 1); }},
                                   start_slave(2, {"2 io=No sql=Yes io_errno=1593"})})},
      {"PurgedBinlogs", pair({stop_slave(2),
                              writes(1, 3),
                              {"PURGE", [](World& w) { return w.purge_binlogs(1); }},
                              start_slave(2, {"2 io=No sql=Yes io_errno=1236 behind=NULL error~purged"}),
                              stop_slave(2, {"2 io_errno=1236"})})},
      {"AnEmptyReplicaOfAMasterThatPurged",
       {opens(1),
        writes(1, 3),
        {"PURGE", [](World& w) { return w.purge_binlogs(1); }},
        writes(1),
        change_master(2, {1}),
        start_slave(2, {"2 io=No sql=Yes io_errno=1236"})}},
      {"AMasterThatWasReset", pair({stop_slave(2),
                                    {"RESET MASTER", [](World& w) { return w.reset_master(1); }},
                                    start_slave(2, {"2 io=Yes"}),
                                    writes(1)})},
  };
}

std::vector<Case> restarts() {
  return {
      {"ARestartStartsReplication",
       pair({stops(2), writes(1), starts(2, {"2 io=Yes sql=Yes read_only=1 slave_pos=0-1-3"})})},
      {"ARestartStartsReplicationThatWasStopped",
       pair({stop_slave(2), stops(2), starts(2, {"2 replica=1"})})},
      {"SkipSlaveStart",
       pair({stops(2), writes(1), starts(2, {"2 replica=1 io=No sql=No slave_pos=0-1-2"}, true),
             start_slave(2, {"2 io=Yes slave_pos=0-1-3"})})},
      {"AKilledReplicaComesBack",
       pair({kills(2), writes(1), starts(2, {"2 io=Yes sql=Yes slave_pos=0-1-3"})})},
      {"AKilledReplicaLosesItsRelayLog",
       pair({stop_sql(2), writes(1, 2, {"2 io_pos=0-1-4"}), kills(1), kills(2),
             starts(2, {"2 io=Connecting slave_pos=0-1-2 io_errno=2003"})})},
      {"StoppingBothThreadsLosesTheRelayLog",
       pair({stop_sql(2), writes(1, 2, {"2 io_pos=0-1-4"}), kills(1, {"2 io=Connecting"}), stop_slave(2),
             start_sql(2, {"2 sql=Yes slave_pos=0-1-2"})})},
      {"DrainingWhileItConnects",
       pair({stop_sql(2), writes(1, 2, {"2 io_pos=0-1-4"}), kills(1, {"2 io=Connecting io_errno=2003"}),
             start_sql(2, {"2 sql=Yes slave_pos=0-1-4"})})},
      {"ResetSlave",
       pair({stop_sql(2),
             writes(1, 2, {"2 io_pos=0-1-4"}),
             stop_slave(2),
             {"RESET SLAVE", [](World& w) { return w.reset_slave(2, false); }, 0, {"2 replica=1"}},
             start_slave(2, {"2 io=Yes slave_pos=0-1-4"})})},
      {"ResetSlaveAll",
       pair({stop_slave(2),
             {"RESET SLAVE ALL", [](World& w) { return w.reset_slave(2, true); }, 0, {"2 replica=0"}},
             start_slave(2, {}, 1200)})},
      {"ARestartMakesTheMasterReadOnly",
       pair(
           {stops(1), starts(1, {"1 read_only=1"}), {"a write", [](World& w) { return w.write(1); }, 1290}})},
  };
}

std::vector<Case> roles() {
  return {
      {"WhoMayWriteToAReadOnlyServer",
       pair({{"an application", [](World& w) { return w.write(2); }, 1290},
             {"SUPER", [](World& w) { return w.write(2, Account::super); }, 1290},
             {"READ ONLY ADMIN",
              [](World& w) { return w.write(2, Account::admin); },
              0,
              {"2 binlog_pos=0-2-3"}}})},
      {"AReplicaOfAReplica",
       pair({stop_slave(3), change_master(3, {2}), start_slave(3, {"3 source=2 io=Yes"}),
             writes(1, 2, {"2 slave_pos=0-1-4", "3 slave_pos=0-1-4"})},
            2),
       3},
      {"ASiblingThatIsBehind",
       pair({stop_slave(2), writes(1, 2, {"3 slave_pos=0-1-4"}), stop_slave(3), change_master(3, {2}),
             start_slave(3, {"3 io=No io_errno=1236"})},
            2),
       3},
      {"RolesAreSwapped", pair({{"read_only", [](World& w) { return w.set_read_only(1, true); }},
                                stop_slave(2),
                                {"RESET SLAVE ALL", [](World& w) { return w.reset_slave(2, true); }},
                                opens(2),
                                writes(2, 2, {"2 binlog_pos=0-2-4 slave_pos=0-1-2 current_pos=0-2-4"}),
                                change_master(1, {2, kPassword, By::gtid_and_own_binlog}),
                                start_slave(1, {"1 io=Yes slave_pos=0-2-4 binlog_pos=0-2-4"})})},
      {"AFormerMasterWithoutItsOwnBinlog",
       pair({{"read_only", [](World& w) { return w.set_read_only(1, true); }},
             stop_slave(2),
             {"RESET SLAVE ALL", [](World& w) { return w.reset_slave(2, true); }},
             opens(2),
             writes(2, 2),
             change_master(1, {2}),
             start_slave(1, {"1 io=Yes"})})},
      {"AFormerMasterWithAWriteOfItsOwn",
       pair({stop_slave(2),
             writes(1),
             {"RESET SLAVE ALL", [](World& w) { return w.reset_slave(2, true); }},
             opens(2),
             writes(2, 2),
             change_master(1, {2, kPassword, By::gtid_and_own_binlog}),
             start_slave(1, {"1 io=No io_errno=1236"})})},
  };
}

std::vector<Case> semi_sync() {
  const auto set = [](unsigned server, bool primary, bool replica) {
    return Step{"semi-sync", [=](World& w) { return w.set_semi_sync(server, primary, replica); }};
  };
  return {
      {"SemiSyncIsOnWithAReplica",
       {opens(1), set(1, true, false), set(2, false, true), change_master(2, {1}),
        start_slave(2, {"1 semi_sync=ON", "2 io=Yes"}),
        writes(1, 2, {"1 semi_sync=ON", "2 slave_pos=0-1-2"})}},
      {"SemiSyncWithoutAReplicaGivesUp",
       {opens(1), set(1, true, false), writes(1, 1, {"1 semi_sync=OFF"}), writes(1, 1, {"1 semi_sync=OFF"})}},
      {"SemiSyncComesBack",
       {opens(1), set(1, true, false), set(2, false, true), change_master(2, {1}),
        start_slave(2, {"2 io=Yes"}), stop_io(2), writes(1, 1, {"1 semi_sync=OFF"}),
        start_io(2, {"1 semi_sync=ON", "2 slave_pos=0-1-1"})}},
      {"TheReplicasSideCountsFromItsNextConnection",
       pair({set(1, true, false), set(2, false, true), writes(1, 1, {"1 semi_sync=OFF"}), stop_io(2),
             start_io(2, {"2 io=Yes"}), writes(1, 1, {"1 semi_sync=ON"})})},
      {"SemiSyncIsSwitchedOff",
       {opens(1), set(1, true, false), set(1, false, false), writes(1, 1, {"1 semi_sync=OFF"})}},
  };
}

}  // namespace

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> list;
    for (auto group : {following(), sql_errors(), io_errors(), restarts(), roles(), semi_sync()})
      list.insert(list.end(), group.begin(), group.end());
    return list;
  }();
  return all;
}

}  // namespace drover::replication_test
