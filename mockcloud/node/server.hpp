// One simulated mariadbd: binlog and GTIDs, replication threads, semi-sync, read_only, users, counters; what
// a MariaDB 10.11 was observed to do (docs: the numbered facts in tests/node/facts_test.cpp). It knows its
// peers only through ServerHost. Event-driven: an idle server and an idle replication cost no events; states
// that only time changes (heartbeats, lag) are computed when asked for. Scheduler's thread only.
//
// Sources: server.cpp (process, variables, clients, semi-sync), server_replication.cpp (statements, the
// primary's side), server_io.cpp (I/O thread), server_apply.cpp (SQL thread). Members are grouped as an
// administrator knows them: the process, variables, replication statements, client statements, status; and at
// the end the controls that the fault engine uses.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "manager/base/choices.hpp"
#include "manager/base/distribution.hpp"
#include "manager/base/result.hpp"
#include "manager/base/trace.hpp"
#include "manager/ports/agent.hpp"
#include "manager/runtime/scheduler.hpp"
#include "mockcloud/node/history.hpp"
#include "mockcloud/node/pace.hpp"

namespace drover::node {

class SimServer;

// Where a replica's replication is, for observers; `none` when it is no replica.
enum class ReplicationPhase : unsigned char {
  none,
  connecting,
  running,    // both threads, still behind
  caught_up,  // has had all that its source had
  lagging,    // applies a second late, or more
  io_stopped,
  sql_stopped,
  stopped,
};
const char* to_text(ReplicationPhase phase);

// What a server sees of the world around it; implemented by the Fleet.
class ServerHost {
 public:
  virtual ~ServerHost() = default;
  // The server whose host presently has this address, running or not; nullptr when nothing has it.
  virtual SimServer* server_at(const std::string& address, std::uint16_t port) = 0;
  virtual bool connected(const SimServer& from, const SimServer& to) const = 0;  // both directions
  virtual Duration delay(const SimServer& from, const SimServer& to) = 0;
  // Running, read_only, replication or reachability of `server` changed (not: it merely has more data).
  virtual void server_changed(SimServer& server) = 0;
  // A client is told now that its write is safe.
  virtual void write_acknowledged(const SimServer& server, Stamp stamp) {
    static_cast<void>(server), static_cast<void>(stamp);
  }
  virtual void replication_entered(SimServer&, ReplicationPhase) {}
};

enum class SemiSyncPoint : unsigned char { after_commit, after_sync };

// As the agent configures a real one (manager/agent/rules.cpp); the rest are MariaDB's defaults.
struct ServerConfig {
  std::uint16_t port = 3306;
  std::string version = "10.11.6-MariaDB";
  std::uint32_t domain = 0;  // gtid_domain_id
  bool gtid_strict_mode = true;
  bool log_slave_updates = true;
  bool init_rpl_role_slave =
      false;                      // started with --init-rpl-role=SLAVE: truncates unacknowledged transactions
  bool read_only_in_file = true;  // what read_only is after a start
  bool skip_slave_start = false;  // a start leaves the replication threads stopped
  SemiSyncPoint semi_sync_point = SemiSyncPoint::after_sync;
  Duration semi_sync_timeout{10s};
  Duration slave_net_timeout{10s};                             // of a silent connection, and of connecting
  Duration connect_retry{1s};                                  // MASTER_CONNECT_RETRY
  Distribution replication_lag = Distribution::constant(1ms);  // receiving to applying
};

// How a client's write ended, as the client sees it.
enum class WriteOutcome : unsigned char {
  acknowledged,
  read_only,             // 1290
  too_many_connections,  // 1040
  refused,               // 2002/2003: nothing listens there
  disk_full,             // 1021
  unknown,               // 2013: the connection broke or timed out while waiting
};
const char* to_text(WriteOutcome outcome);

// Who waits for a write. `stamp` names the transaction, also where the outcome is unknown; kNoStamp: none was
// made.
inline constexpr Stamp kNoStamp = UINT64_MAX;
class WriteListener {
 public:
  virtual ~WriteListener() = default;
  // The transaction exists and waits for a semi-sync acknowledgement; write_done follows unless the host goes
  // silent.
  virtual void write_waits(std::uint64_t token, Stamp stamp) = 0;
  // The server answers now; the way back to the client is the listener's.
  virtual void write_done(std::uint64_t token, WriteOutcome outcome, Stamp stamp) = 0;
};

struct ChangeMaster {
  std::string host;
  std::uint16_t port = 3306;
  std::string user;
  std::uint64_t password_hash = 0;
  std::string log_file;  // "" means GTID (slave_pos)
  std::uint64_t log_position = 0;
  bool demote_to_slave = false;  // MASTER_DEMOTE_TO_SLAVE=1: the own binlog counts as replicated
};

std::uint64_t hash_password(const std::string& password);

class SimServer {
 public:
  // `name` names it in traces and choices and must be stable over runs. Nothing runs until start().
  SimServer(Scheduler& scheduler, Domain& domain, Choices& choices, Trace& trace, Ledger& ledger,
            ServerHost& host, std::string name, ServerConfig config);
  SimServer(const SimServer&) = delete;
  SimServer& operator=(const SimServer&) = delete;

  const std::string& name() const { return name_; }
  // A number of the host's own.
  std::size_t host_index() const { return host_index_; }
  void set_host_index(std::size_t index) { host_index_ = index; }
  const ServerConfig& config() const { return config_; }
  ServerConfig& config() { return config_; }
  Pace& pace() { return pace_; }

  // The process. start() is immediate (the agent waits first); a configured replica starts its threads again.
  void start();
  void stop();       // clean: clients are disconnected, replicas see the connection close
  void crash();      // kill -9: committed transactions survive, relay log and SET GLOBAL do not
  void power_off();  // as crash, but nobody is told: peers notice by silence
  void wipe();       // an empty data directory; the server must be down
  bool running() const { return running_; }
  void set_hung(bool hung);      // SIGSTOP of the process
  void set_frozen(bool frozen);  // the whole machine is paused
  bool hung() const { return hung_; }
  bool responsive() const { return running_ && !hung_ && !frozen_; }
  // Grows with every start: tells a restarted process from the one before.
  std::uint64_t process() const { return process_; }

  // Variables. Those in the file survive a restart; SET GLOBAL does not.
  void set_server_id(std::uint32_t id);  // in the file and at once
  std::uint32_t server_id() const { return server_id_; }
  void set_read_only(bool on);  // SET GLOBAL; ignored while stick_read_only() holds
  bool read_only() const { return read_only_; }
  // Whether it takes writes only because lose_read_only() opened it, and nobody has set read_only since.
  bool is_open_by_accident() const { return opened_by_accident_; }
  void set_semi_sync_primary(bool on);  // file and at once
  void set_semi_sync_replica(bool on);  // file and at once; counts from the next start of the I/O thread
  bool semi_sync_active() const { return semi_sync_primary_ && semi_sync_on_; }

  // Replication statements. Errors: ErrorCode::database with MariaDB's number in the message.
  Result<void> change_master(const ChangeMaster& to);         // 1198 while a thread runs
  Result<void> start_slave(bool io = true, bool sql = true);  // 1200 when not configured
  void stop_slave(bool io = true, bool sql = true);
  Result<void> reset_slave();      // 1198 while a thread runs; the source is still known
  Result<void> reset_slave_all();  // 1198 while a thread runs
  Result<void> set_gtid_slave_pos(const GtidPosition& position);  // 1198; strict: 1947, 1948
  Result<void> skip_transactions(std::uint64_t count);            // sql_slave_skip_counter
  void reset_master();
  // MASTER_GTID_WAIT: true when gtid_slave_pos has reached it, false at the limit and when the process ends
  // before.
  void wait_for_gtid(const GtidPosition& position, Duration limit, std::function<void(bool)> done);

  // Client statements. The counter's increment is one transaction; answers at once or when semi-sync lets it.
  void write(Ledger::Item counter, WriteListener* listener, std::uint64_t token);
  void forget(const WriteListener* listener);  // commits of it go on, answered to nobody
  std::uint64_t read_counter(Ledger::Item counter) const {
    return counter < counters_.size() ? counters_[counter] : 0;
  }
  // A privileged change (users, a dump); not stopped by read_only. `logged`: false is sql_log_bin=0.
  void change(Change change, bool logged);
  const std::map<std::string, UserAccount>& users() const { return users_; }
  std::map<std::string, std::uint64_t> named_counters() const;

  // Makes this stopped server a copy of `source` with an empty binlog, as a restored physical backup.
  void restore_from(const SimServer& source);

  // Status.
  const GtidPosition& gtid_binlog_pos() const { return binlog_.position(); }
  const GtidPosition& gtid_slave_pos() const { return slave_pos_; }
  GtidPosition gtid_current_pos() const;
  ReplicationState replication() const;
  const Binlog& binlog() const { return binlog_; }
  const StampSet& data() const { return data_; }
  // The transactions in the relay log that have not been applied.
  std::uint64_t relay_pending() const;
  // Whether it has the transaction, applied or not.
  bool has_received(Stamp stamp) const;
  // Grows whenever its data directory is emptied or replaced.
  std::uint64_t data_generation() const { return data_generation_; }
  bool replication_configured() const { return configured_; }
  bool uses_gtid() const { return use_gtid_; }
  const ChangeMaster& source() const { return master_; }
  std::uint64_t queries() const { return queries_; }
  std::uint64_t errors() const { return errors_; }
  // How long the statements took that were answered: a slow disk and semi-sync alone take time.
  Duration busy() const { return busy_; }
  const std::vector<SimServer*>& connected_replicas() const { return replicas_; }

  // Something about the way to the source changed (address, links, freezing): looks again.
  void recheck_connection();

  // Controls for faults.
  void set_cpu(double factor);                // how many times as long its work takes
  void set_lag(std::optional<Duration> lag);  // nothing: back to the configured distribution
  void jump_clock(Duration by);               // negative: back
  void fail_sql_thread(int number);           // 1062, 1032, …: SQL No until skipped or positioned anew
  void disconnect_io();                       // the connection breaks; the thread tries again by itself
  // Half open: the connection to the source is gone and neither side knows; noticed by silence.
  void lose_connection_unnoticed();
  void reset_half_open();         // the other side says so: the thread tries again at once
  std::uint64_t purge_binlogs();  // FLUSH, PURGE all that no connected replica reads
  void add_errant_transaction();  // a privileged local write
  void diverge();                 // data changes without any log entry
  void change_server_id(std::uint32_t id) { set_server_id(id); }
  void lose_read_only();
  void stick_read_only(bool stuck) { read_only_stuck_ = stuck; }
  void drop_semi_sync();  // status OFF now; waiting commits go on
  void lose_relay_log();
  void corrupt_relay_log();  // 1594 until it is discarded
  void corrupt_binlog();     // the next event: 1236 for who needs it
  void calm();               // an event that was not written yet will be good
  void exhaust_connections(bool on);
  bool connections_exhausted() const { return exhausted_; }
  void fill_disk(bool full);

 private:
  struct RelayBatch {
    Run run;
    TimePoint received_at{};
    TimePoint ready_at{};
    TimePoint written_at{};
  };
  struct Waiting {  // a commit that waits for a semi-sync acknowledgement
    std::uint64_t ordinal;
    TimePoint begun;
    TimePoint deadline;
    WriteListener* listener;
    std::uint64_t token;
    Stamp stamp;
  };
  struct SlowWrite {  // on a slow disk: not committed yet
    std::uint64_t number;
    TimePoint begun;
    Ledger::Item counter;
    WriteListener* listener;
    std::uint64_t token;
  };
  struct GtidWaiter {
    std::uint64_t number;
    GtidPosition position;
    std::function<void(bool)> done;
  };

  // server.cpp
  void end_process(bool tell_peers, bool clean);
  void changed(std::string_view what, std::string_view detail = {});
  void force_read_only(bool on);
  void standstill_changed();  // hung or frozen, or no longer
  Run next_local(Stamp stamp) const;
  void log_local(const Run& run);
  void apply_to_tables(Stamp stamp);
  void undo_in_tables(Stamp stamp);
  void apply_change(const Change& change);
  void finish_write(WriteListener* listener, std::uint64_t token, WriteOutcome outcome, Stamp stamp);
  void commit(Ledger::Item counter, WriteListener* listener, std::uint64_t token, TimePoint begun);
  void commit_slowly(std::uint64_t number);
  void count_query(TimePoint begun);
  void release_waiting(std::uint64_t up_to_ordinal, WriteOutcome outcome);
  void arm_semi_sync_timer();
  void on_semi_sync_timeout();
  void acknowledge(std::uint64_t ordinal);
  void switch_semi_sync_on();
  void truncate_unacknowledged();

  // server_replication.cpp: the primary's side
  void review_phase();
  ReplicationPhase phase_now() const;
  Result<void> conflict_with_binlog(const GtidPosition& position) const;
  void wake_replicas();
  void attach(SimServer& replica);
  void detach(SimServer& replica);
  void close_replica_connections(bool tell_peers);
  void review_twins();

  // server_io.cpp
  void try_connect();
  void try_connect_after(Duration delay);
  void await_answer(bool reached);
  std::string cannot_connect(std::string_view why) const;
  void io_retry(int number, std::string_view text);
  void io_fatal(int number, std::string_view text);
  void io_lost(int number);
  void io_stopped();
  bool connection_alive() const;
  void note_silence();
  Duration silence_deadline() const;
  void await_silence(Duration limit, std::uint64_t connection);
  void on_silence_timeout();
  void request_delivery();
  void deliver(std::uint64_t up_to, TimePoint written_at);
  void receive(const Run& run, TimePoint written_at);
  void connected_to(SimServer& primary);
  std::optional<std::string> find_gtid_start(const SimServer& primary);
  std::optional<std::string> find_file_start(const SimServer& primary);

  // server_apply.cpp: the SQL thread
  void schedule_apply();
  void apply_due();
  bool apply_front();
  bool apply_data(Run& run);
  std::string master_log() const;
  void skip(Run& run, std::uint64_t count);
  void sql_error(int number, std::string_view text);
  void discard_relay(std::string_view why);
  void wake_gtid_waiters();

  Scheduler& scheduler_;
  Domain& domain_;
  Choices& choices_;
  Trace& trace_;
  Ledger& ledger_;
  ServerHost& host_;
  std::string name_;
  ServerConfig config_;
  std::uint32_t origin_;
  std::size_t host_index_ = 0;

  Pace pace_;
  bool running_ = false;
  bool hung_ = false;
  bool frozen_ = false;
  bool exhausted_ = false;
  bool disk_full_ = false;
  bool read_only_ = true;
  bool read_only_stuck_ = false;
  bool opened_by_accident_ = false;
  std::uint64_t process_ = 0;
  std::uint32_t server_id_ = 1;
  std::uint64_t queries_ = 0;
  std::uint64_t errors_ = 0;
  Duration busy_{0};

  // On disk.
  Binlog binlog_;
  GtidPosition slave_pos_;
  StampSet data_;
  std::uint64_t data_generation_ = 0;
  std::vector<std::uint64_t> counters_;
  std::map<std::string, UserAccount> users_;

  // Semi-sync.
  bool semi_sync_primary_ = false;
  bool semi_sync_replica_ = false;
  bool semi_sync_on_ = false;  // Rpl_semi_sync_master_status
  bool semi_sync_timer_ = false;
  std::uint64_t acknowledged_ = 0;                    // ordinal: everything before it is on a replica
  std::optional<std::uint64_t> unacknowledged_from_;  // at the last crash
  std::deque<Waiting> waiting_;
  std::vector<SlowWrite> slow_writes_;
  std::uint64_t last_slow_write_ = 0;

  // As a primary: the replicas that are connected, in the order they came.
  std::vector<SimServer*> replicas_;
  std::optional<std::uint64_t> corrupt_at_;  // ordinal of an event that nobody can read

  // As a replica.
  ReplicationPhase phase_ = ReplicationPhase::none;
  bool lagging_ = false;
  bool relay_corrupt_ = false;
  Duration clock_difference_{0};  // to the source's clock, when it connected
  bool configured_ = false;
  bool use_gtid_ = true;
  ChangeMaster master_;
  ThreadState io_ = ThreadState::no;
  bool sql_ = false;
  int io_errno_ = 0;
  int sql_errno_ = 0;
  std::string io_error_;
  std::string sql_error_;
  GtidPosition io_pos_;
  std::deque<RelayBatch> relay_;
  std::optional<Duration> lag_;
  std::uint64_t file_ordinal_ = 0;  // file/position mode: the source's ordinal after what has been applied
  bool file_located_ = false;
  std::uint64_t skip_ = 0;         // sql_slave_skip_counter
  int poison_ = 0;                 // the next transaction fails with this error
  std::uint64_t apply_timer_ = 0;  // number of the latest apply event
  TimePoint apply_at_ = kNever;

  SimServer* source_ = nullptr;  // connected to
  std::uint64_t source_process_ = 0;
  std::uint32_t last_source_id_ = 0;  // connected to since the start of the process
  std::uint64_t connection_ = 0;      // grows with each attempt, connection and end of one
  std::uint64_t cursor_ = 0;          // next ordinal to fetch
  std::vector<std::pair<std::uint32_t, std::uint64_t>> domain_starts_;  // skip a domain's ordinals below
  std::vector<Gtid> awaited_;  // requested in domains that the source's binlog lacks
  std::vector<Run> runs_;      // scratch
  bool delivery_pending_ = false;
  bool semi_sync_link_ = false;
  bool was_connected_ = false;  // since the I/O thread was started
  bool silent_ = false;
  bool half_open_ = false;
  bool twin_ = false;  // another replica with our server_id took the connection over
  bool twin_skips_ = false;
  TimePoint last_event_at_{};

  std::vector<GtidWaiter> gtid_waiters_;
  std::uint64_t gtid_waiter_number_ = 0;
};

}  // namespace drover::node
