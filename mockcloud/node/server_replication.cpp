// Replication statements and status of SimServer, and the primary's side of a connection.
#include <algorithm>

#include "mockcloud/node/server.hpp"

namespace drover::node {
namespace {

Error database_error(int number, const std::string& text) {
  return make_error(ErrorCode::database, std::to_string(number) + ": " + text);
}

constexpr const char* k1198 =
    "This operation cannot be performed while the replication threads run; run STOP SLAVE first";

}  // namespace

// Statements.

Result<void> SimServer::change_master(const ChangeMaster& to) {
  if (io_ != ThreadState::no || sql_) return database_error(1198, k1198);
  discard_relay("change master");
  if (to.demote_to_slave) slave_pos_.merge(binlog_.position());
  configured_ = true;
  master_ = to;
  use_gtid_ = to.log_file.empty();
  file_located_ = false;
  sql_errno_ = 0;
  sql_error_.clear();
  changed("change master", to.host);
  return success();
}

Result<void> SimServer::start_slave(bool io, bool sql) {
  if (!configured_)
    return database_error(1200, "The server is not configured as a replica; run CHANGE MASTER first");
  if (io_ == ThreadState::no && !sql_) {
    discard_relay("threads started anew");
    io_pos_ = slave_pos_;
  }
  if (sql && !sql_) {
    sql_ = true;
    sql_errno_ = 0;
    sql_error_.clear();
  }
  if (io && io_ == ThreadState::no) {
    if (relay_.empty()) io_pos_ = slave_pos_;
    io_ = ThreadState::preparing;
    io_errno_ = 0;
    io_error_.clear();
    try_connect_after(Duration{0});
  }
  changed("start slave");
  schedule_apply();
  return success();
}

void SimServer::stop_slave(bool io, bool sql) {
  if (io) io_stopped();
  if (sql) sql_ = false;
  changed("stop slave");
}

Result<void> SimServer::reset_slave() {
  if (io_ != ThreadState::no || sql_) return database_error(1198, k1198);
  discard_relay("reset slave");
  io_pos_.clear();
  io_errno_ = sql_errno_ = 0;
  io_error_.clear();
  sql_error_.clear();
  changed("reset slave");
  return success();
}

Result<void> SimServer::reset_slave_all() {
  if (io_ != ThreadState::no || sql_) return database_error(1198, k1198);
  configured_ = false;
  last_source_id_ = 0;
  return reset_slave();
}

Result<void> SimServer::set_gtid_slave_pos(const GtidPosition& position) {
  if (io_ != ThreadState::no || sql_) return database_error(1198, k1198);
  if (auto conflict = conflict_with_binlog(position); conflict.has_error()) return conflict;
  slave_pos_ = position;
  poison_ = 0;
  return success();
}

// What the server wrote itself last must not be forgotten; what it applied may be.
Result<void> SimServer::conflict_with_binlog(const GtidPosition& position) const {
  if (!config_.gtid_strict_mode) return success();
  for (const Gtid& logged : binlog_.position().gtids()) {
    if (logged.server != server_id_) continue;
    const Gtid* given = position.find(logged.domain);
    if (given == nullptr)
      return database_error(1948,
                            "Specified value for @@gtid_slave_pos contains no value for replication "
                            "domain " +
                                std::to_string(logged.domain) + ", which the binary log contains");
    if (given->sequence < logged.sequence)
      return database_error(1947, "Specified GTID " + node::to_text(*given) +
                                      " conflicts with the binary log which contains a more recent GTID " +
                                      node::to_text(logged));
  }
  return success();
}

Result<void> SimServer::skip_transactions(std::uint64_t count) {
  if (sql_) return database_error(1198, k1198);
  skip_ = count;
  return success();
}

void SimServer::reset_master() {
  binlog_ = Binlog{};
  corrupt_at_.reset();
}

void SimServer::wait_for_gtid(const GtidPosition& position, Duration limit, std::function<void(bool)> done) {
  const std::uint64_t number = ++gtid_waiter_number_;
  gtid_waiters_.push_back(GtidWaiter{number, position, std::move(done)});
  wake_gtid_waiters();
  if (gtid_waiters_.empty() || gtid_waiters_.back().number != number) return;
  scheduler_.call_after(domain_, pace_.timeout(limit, scheduler_.now()), [this, number] {
    const auto own = [number](const GtidWaiter& w) { return w.number == number; };
    const auto at = std::find_if(gtid_waiters_.begin(), gtid_waiters_.end(), own);
    if (at == gtid_waiters_.end()) return;
    const auto late = std::move(at->done);
    gtid_waiters_.erase(at);
    late(false);
  });
}

void SimServer::wake_gtid_waiters() {
  std::vector<GtidWaiter> woken;
  for (auto at = gtid_waiters_.begin(); at != gtid_waiters_.end();) {
    if (!slave_pos_.reaches(at->position)) {
      ++at;
      continue;
    }
    woken.push_back(std::move(*at));
    at = gtid_waiters_.erase(at);
  }
  for (const GtidWaiter& w : woken) w.done(true);
}

// Status.

ReplicationState SimServer::replication() const {
  ReplicationState state;
  state.configured = configured_;
  if (!configured_) return state;
  state.source_address = master_.host;
  state.source_port = master_.port;
  state.io = io_ == ThreadState::yes && twin_ && twin_skips_ ? ThreadState::connecting : io_;
  state.sql_running = sql_;
  state.io_errno = io_errno_;
  state.sql_errno = sql_errno_;
  state.last_error = sql_errno_ != 0 ? sql_error_ : io_error_;
  if (use_gtid_) state.gtid_io_pos = io_pos_.to_text();
  if (state.io == ThreadState::yes && sql_) {
    Duration behind{0};
    if (!relay_.empty()) {
      behind = scheduler_.now() - relay_.front().written_at;
      if (source_ != nullptr) behind += pace_.ahead - source_->pace_.ahead - clock_difference_;
      behind = std::max(behind, Duration{0});
    }
    state.seconds_behind = std::chrono::duration_cast<std::chrono::seconds>(behind).count();
  }
  state.source_server_id = last_source_id_;
  return state;
}

std::uint64_t SimServer::relay_pending() const {
  std::uint64_t count = 0;
  for (const RelayBatch& batch : relay_) count += batch.run.count;
  return count;
}

bool SimServer::has_received(Stamp stamp) const {
  if (data_.contains(stamp)) return true;
  return std::any_of(relay_.begin(), relay_.end(), [stamp](const RelayBatch& batch) {
    return batch.run.stamp != kNoStamp && batch.run.stamp <= stamp &&
           stamp < batch.run.stamp + batch.run.count;
  });
}

ReplicationPhase SimServer::phase_now() const {
  if (!configured_) return ReplicationPhase::none;
  if (!sql_ && sql_errno_ != 0) return ReplicationPhase::sql_stopped;
  if (io_ == ThreadState::no && io_errno_ != 0 && sql_) return ReplicationPhase::io_stopped;
  if (!sql_ || io_ == ThreadState::no) return ReplicationPhase::stopped;
  if (io_ != ThreadState::yes) return ReplicationPhase::connecting;
  if (lagging_) return ReplicationPhase::lagging;
  if (phase_ == ReplicationPhase::caught_up) return phase_;
  const bool all = relay_.empty() && source_ != nullptr && cursor_ >= source_->binlog_.end();
  return all ? ReplicationPhase::caught_up : ReplicationPhase::running;
}

// Tells observers of a replica's way; nothing while it stays where it is.
void SimServer::review_phase() {
  const ReplicationPhase now = phase_now();
  if (now == phase_) return;
  const bool was_running = phase_ == ReplicationPhase::running || phase_ == ReplicationPhase::lagging;
  phase_ = now;
  if (now == ReplicationPhase::caught_up && !was_running)
    host_.replication_entered(*this, ReplicationPhase::running);
  if (now != ReplicationPhase::none) host_.replication_entered(*this, now);
}

const char* to_text(ReplicationPhase phase) {
  static constexpr const char* kNames[] = {"none",    "connecting", "running",     "caught_up",
                                           "lagging", "io_stopped", "sql_stopped", "stopped"};
  return kNames[static_cast<int>(phase)];
}

// The primary's side.

void SimServer::wake_replicas() {
  for (SimServer* replica : replicas_) replica->request_delivery();
}

void SimServer::attach(SimServer& replica) {
  replicas_.push_back(&replica);
  review_twins();
}

void SimServer::detach(SimServer& replica) {
  std::erase(replicas_, &replica);
  review_twins();
}

// Of replicas with one server_id the primary serves the last that connected; it cuts the others off, which
// come back and are cut off again. They miss part of what is sent meanwhile.
void SimServer::review_twins() {
  for (auto at = replicas_.begin(); at != replicas_.end(); ++at) {
    const std::uint32_t id = (*at)->server_id_;
    (*at)->twin_ =
        std::any_of(at + 1, replicas_.end(), [id](const SimServer* r) { return r->server_id_ == id; });
  }
}

void SimServer::close_replica_connections(bool tell_peers) {
  const auto replicas = std::exchange(replicas_, {});
  for (SimServer* replica : replicas) {
    if (tell_peers && replica->responsive() && host_.connected(*this, *replica))
      replica->io_lost(2013);
    else
      replica->note_silence();
  }
}

}  // namespace drover::node
