#include "mockcloud/node/server.hpp"

#include <algorithm>

namespace drover::node {

const char* to_text(WriteOutcome outcome) {
  switch (outcome) {
    case WriteOutcome::acknowledged:
      return "acknowledged";
    case WriteOutcome::read_only:
      return "read_only";
    case WriteOutcome::too_many_connections:
      return "too_many_connections";
    case WriteOutcome::refused:
      return "refused";
    case WriteOutcome::disk_full:
      return "disk_full";
    case WriteOutcome::unknown:
      return "unknown";
  }
  return "?";
}

std::uint64_t hash_password(const std::string& password) { return hash_text(password, 0x6d61726961ULL); }

SimServer::SimServer(Scheduler& scheduler, Domain& domain, Choices& choices, Trace& trace, Ledger& ledger,
                     ServerHost& host, std::string name, ServerConfig config)
    : scheduler_(scheduler),
      domain_(domain),
      choices_(choices),
      trace_(trace),
      ledger_(ledger),
      host_(host),
      name_(std::move(name)),
      config_(std::move(config)),
      origin_(ledger.add_origin()) {}

void SimServer::changed(std::string_view what, std::string_view detail) {
  trace_.add(TraceKind::database, name_, what, detail);
  host_.server_changed(*this);
  review_phase();
}

// The process.

void SimServer::start() {
  if (running_) return;
  running_ = true;
  hung_ = false;
  ++process_;
  queries_ = errors_ = 0;
  busy_ = Duration{0};
  read_only_ = config_.read_only_in_file;  // what keeps SET GLOBAL from working keeps no file from being read
  semi_sync_on_ = semi_sync_primary_;
  if (unacknowledged_from_ && config_.init_rpl_role_slave) truncate_unacknowledged();
  unacknowledged_from_.reset();
  acknowledged_ = 0;
  binlog_.rotate();
  changed("started");
  if (configured_ && !config_.skip_slave_start) static_cast<void>(start_slave());
}

void SimServer::stop() { end_process(true, true); }
void SimServer::crash() { end_process(true, false); }
void SimServer::power_off() { end_process(false, false); }

void SimServer::end_process(bool tell_peers, bool clean) {
  if (!running_) return;
  running_ = false;
  if (!clean && !waiting_.empty()) unacknowledged_from_ = waiting_.front().ordinal;
  if (config_.semi_sync_point == SemiSyncPoint::after_sync)
    for (const Waiting& w : waiting_) apply_to_tables(w.stamp);
  const auto waiting = std::exchange(waiting_, {});
  io_stopped();
  sql_ = false;
  io_pos_.clear();
  last_source_id_ = 0;
  discard_relay("process ended");
  close_replica_connections(tell_peers);
  const auto gtid_waiters = std::exchange(gtid_waiters_, {});
  const auto slow_writes = std::exchange(slow_writes_, {});
  changed(clean ? "stopped" : "crashed");
  if (tell_peers)
    for (const Waiting& w : waiting)
      if (w.listener != nullptr) w.listener->write_done(w.token, WriteOutcome::unknown, w.stamp);
  if (tell_peers)
    for (const SlowWrite& w : slow_writes)
      if (w.listener != nullptr) w.listener->write_done(w.token, WriteOutcome::unknown, kNoStamp);
  for (const GtidWaiter& w : gtid_waiters) w.done(false);
}

void SimServer::wipe() {
  DROVER_CHECK(!running_, "the data directory of a running server was wiped");
  ++data_generation_;
  binlog_ = Binlog{};
  slave_pos_.clear();
  io_pos_.clear();
  data_.clear();
  counters_.clear();
  users_.clear();
  configured_ = false;
  semi_sync_primary_ = semi_sync_replica_ = false;
  read_only_ = true;
  corrupt_at_.reset();
  relay_corrupt_ = false;
  io_errno_ = sql_errno_ = poison_ = 0;
  io_error_.clear();
  sql_error_.clear();
  trace_.add(TraceKind::database, name_, "wiped");
}

void SimServer::restore_from(const SimServer& source) {
  DROVER_CHECK(!running_, "a backup was restored over a running server");
  ++data_generation_;
  data_ = source.data_;
  counters_ = source.counters_;
  users_ = source.users_;
  // A backup is complete once the commits under way are: those that wait for a replica are in it as well.
  if (source.config_.semi_sync_point == SemiSyncPoint::after_sync)
    for (const Waiting& w : source.waiting_) apply_to_tables(w.stamp);
  slave_pos_ = source.slave_pos_;
  slave_pos_.merge(source.binlog_.position());
  binlog_.reset(source.binlog_);
  corrupt_at_.reset();
  poison_ = 0;
  trace_.add(TraceKind::database, name_, "restored from", source.name_, slave_pos_.to_text());
}

void SimServer::set_hung(bool hung) {
  if (!running_ || hung_ == hung) return;
  hung_ = hung;
  changed(hung ? "hung" : "goes on");
  standstill_changed();
}

void SimServer::set_frozen(bool frozen) {
  if (frozen_ == frozen) return;
  frozen_ = frozen;
  if (!running_) return;
  host_.server_changed(*this);
  standstill_changed();
}

void SimServer::standstill_changed() {
  const auto replicas = replicas_;
  for (SimServer* replica : replicas) replica->recheck_connection();
  if (!responsive()) return;
  if (io_ == ThreadState::preparing || io_ == ThreadState::connecting)
    try_connect_after(Duration{0});
  else
    recheck_connection();
  acknowledge(acknowledged_);
  arm_semi_sync_timer();
  schedule_apply();
}

// Variables.

void SimServer::set_server_id(std::uint32_t id) {
  if (id == server_id_) return;
  server_id_ = id;
  changed("server_id", std::to_string(id));
  if (source_ != nullptr) {
    if (source_->server_id_ == id)
      io_lost(0);
    else
      source_->review_twins();
  }
}

void SimServer::set_read_only(bool on) {
  if (!read_only_stuck_) force_read_only(on);
}

void SimServer::lose_read_only() {
  const bool was_closed = read_only_ || opened_by_accident_;
  force_read_only(false);
  opened_by_accident_ = was_closed;
}

void SimServer::force_read_only(bool on) {
  opened_by_accident_ = false;
  if (read_only_ == on) return;
  read_only_ = on;
  changed("read_only", on ? "1" : "0");
}

void SimServer::set_semi_sync_primary(bool on) {
  if (semi_sync_primary_ == on) return;
  semi_sync_primary_ = on;
  semi_sync_on_ = on;
  changed("semi_sync", on ? "ON" : "OFF");
  if (!on) release_waiting(binlog_.end(), WriteOutcome::acknowledged);
}

void SimServer::set_semi_sync_replica(bool on) { semi_sync_replica_ = on; }

GtidPosition SimServer::gtid_current_pos() const {
  GtidPosition position = slave_pos_;
  for (const Gtid& gtid : binlog_.position().gtids()) {
    if (gtid.server != server_id_) continue;
    const Gtid* applied = position.find(gtid.domain);
    if (applied == nullptr || applied->sequence < gtid.sequence) position.set(gtid);
  }
  return position;
}

// Client statements.

Run SimServer::next_local(Stamp stamp) const {
  std::uint64_t last = 0;
  if (const Gtid* logged = binlog_.position().find(config_.domain)) last = logged->sequence;
  if (const Gtid* applied = slave_pos_.find(config_.domain)) last = std::max(last, applied->sequence);
  return Run{config_.domain, server_id_, last + 1, 1, stamp};
}

void SimServer::log_local(const Run& run) {
  binlog_.append(run);
  data_.add(run.stamp);
  wake_replicas();
}

void SimServer::write(Ledger::Item counter, WriteListener* listener, std::uint64_t token) {
  WriteOutcome refusal = WriteOutcome::acknowledged;
  if (!running_)
    refusal = WriteOutcome::refused;
  else if (exhausted_)
    refusal = WriteOutcome::too_many_connections;
  else if (read_only_)
    refusal = WriteOutcome::read_only;
  else if (disk_full_)
    refusal = WriteOutcome::disk_full;
  if (refusal != WriteOutcome::acknowledged) {
    ++queries_;
    ++errors_;
    listener->write_done(token, refusal, kNoStamp);
    return;
  }
  const TimePoint now = scheduler_.now();
  if (pace_.commit <= Duration{0}) return commit(counter, listener, token, now);
  slow_writes_.push_back(SlowWrite{++last_slow_write_, now, counter, listener, token});
  scheduler_.call_after(domain_, pace_.commit, [this, number = last_slow_write_] { commit_slowly(number); });
}

// As MariaDB's statistics: when it has been answered.
void SimServer::count_query(TimePoint begun) {
  ++queries_;
  busy_ += scheduler_.now() - begun;
}

void SimServer::commit_slowly(std::uint64_t number) {
  const auto own = [number](const SlowWrite& w) { return w.number == number; };
  const auto at = std::find_if(slow_writes_.begin(), slow_writes_.end(), own);
  if (at == slow_writes_.end()) return;
  if (!responsive()) {
    scheduler_.call_after(domain_, 1s, [this, number] { commit_slowly(number); });
    return;
  }
  const SlowWrite w = *at;
  slow_writes_.erase(at);
  if (!read_only_) return commit(w.counter, w.listener, w.token, w.begun);
  ++queries_;
  ++errors_;
  if (w.listener != nullptr) w.listener->write_done(w.token, WriteOutcome::read_only, kNoStamp);
}

void SimServer::commit(Ledger::Item counter, WriteListener* listener, std::uint64_t token, TimePoint begun) {
  const Stamp stamp = ledger_.append(origin_, counter);
  const std::uint64_t ordinal = binlog_.end();
  log_local(next_local(stamp));
  if (!semi_sync_active()) {
    apply_to_tables(stamp);
    count_query(begun);
    if (listener != nullptr) finish_write(listener, token, WriteOutcome::acknowledged, stamp);
    return;
  }
  if (config_.semi_sync_point == SemiSyncPoint::after_commit) apply_to_tables(stamp);
  const TimePoint deadline = scheduler_.later(pace_.timeout(config_.semi_sync_timeout, scheduler_.now()));
  waiting_.push_back(Waiting{ordinal, begun, deadline, listener, token, stamp});
  arm_semi_sync_timer();
  if (listener != nullptr) listener->write_waits(token, stamp);
}

void SimServer::change(Change change, bool logged) {
  const Stamp stamp = ledger_.append(origin_, std::move(change));
  if (logged)
    log_local(next_local(stamp));
  else
    data_.add(stamp);
  apply_to_tables(stamp);
}

void SimServer::apply_to_tables(Stamp stamp) {
  const Ledger::Item item = ledger_.item(stamp);
  if (item == Ledger::kChange) {
    apply_change(ledger_.change(stamp));
  } else if (item != Ledger::kNothing) {
    if (item >= counters_.size()) counters_.resize(item + 1U);
    ++counters_[item];
  }
}

void SimServer::undo_in_tables(Stamp stamp) {
  const Ledger::Item item = ledger_.item(stamp);
  if (item < counters_.size() && counters_[item] > 0) --counters_[item];
}

void SimServer::apply_change(const Change& change) {
  for (const auto& [name, account] : change.users) {
    if (account)
      users_[name] = *account;
    else
      users_.erase(name);
  }
  for (const auto& [name, value] : change.counters) {
    const Ledger::Item item = ledger_.counter(name);
    if (item >= counters_.size()) counters_.resize(item + 1U);
    counters_[item] = value;
  }
}

std::map<std::string, std::uint64_t> SimServer::named_counters() const {
  std::map<std::string, std::uint64_t> named;
  for (std::size_t i = 0; i < counters_.size(); ++i)
    if (counters_[i] != 0) named.emplace(ledger_.counter_name(static_cast<Ledger::Item>(i)), counters_[i]);
  return named;
}

// Semi-sync.

void SimServer::release_waiting(std::uint64_t up_to_ordinal, WriteOutcome outcome) {
  while (!waiting_.empty() && waiting_.front().ordinal < up_to_ordinal) {
    const Waiting w = waiting_.front();
    waiting_.pop_front();
    count_query(w.begun);
    if (config_.semi_sync_point == SemiSyncPoint::after_sync) apply_to_tables(w.stamp);
    if (w.listener != nullptr) finish_write(w.listener, w.token, outcome, w.stamp);
  }
}

void SimServer::finish_write(WriteListener* listener, std::uint64_t token, WriteOutcome outcome,
                             Stamp stamp) {
  if (outcome == WriteOutcome::acknowledged) host_.write_acknowledged(*this, stamp);
  listener->write_done(token, outcome, stamp);
}

void SimServer::forget(const WriteListener* listener) {
  for (Waiting& w : waiting_)
    if (w.listener == listener) w.listener = nullptr;
  for (SlowWrite& w : slow_writes_)
    if (w.listener == listener) w.listener = nullptr;
}

void SimServer::arm_semi_sync_timer() {
  if (semi_sync_timer_ || waiting_.empty()) return;
  semi_sync_timer_ = true;
  scheduler_.call_at(domain_, waiting_.front().deadline, [this] { on_semi_sync_timeout(); });
}

void SimServer::on_semi_sync_timeout() {
  semi_sync_timer_ = false;
  if (!responsive() || waiting_.empty()) return;
  if (waiting_.front().deadline > scheduler_.now())
    arm_semi_sync_timer();
  else
    drop_semi_sync();
}

void SimServer::drop_semi_sync() {
  if (!semi_sync_active()) return;
  semi_sync_on_ = false;
  changed("semi_sync", "OFF after time-out");
  release_waiting(binlog_.end(), WriteOutcome::acknowledged);
}

void SimServer::acknowledge(std::uint64_t ordinal) {
  acknowledged_ = std::max(acknowledged_, ordinal);
  if (!responsive()) return;
  release_waiting(acknowledged_, WriteOutcome::acknowledged);
}

// A replica has acknowledged an event: once it has them all, commits wait again.
void SimServer::switch_semi_sync_on() {
  if (!responsive() || !semi_sync_primary_ || semi_sync_on_) return;
  if (replicas_.empty() || acknowledged_ < binlog_.end()) return;
  semi_sync_on_ = true;
  changed("semi_sync", "ON again");
}

void SimServer::truncate_unacknowledged() {
  std::vector<Run> runs;
  binlog_.read(*unacknowledged_from_, binlog_.end(), runs);
  for (const Run& run : runs) {
    data_.remove(run.stamp, run.count);
    for (std::uint64_t i = 0; i < run.count; ++i) undo_in_tables(run.stamp + i);
  }
  binlog_.truncate(*unacknowledged_from_);
  trace_.add(TraceKind::database, name_, "truncated unacknowledged transactions");
}

// Controls.

std::uint64_t SimServer::purge_binlogs() {
  binlog_.rotate();
  std::uint64_t in_use = binlog_.end();
  for (const SimServer* replica : replicas_) in_use = std::min(in_use, replica->cursor_);
  const std::uint64_t purged = binlog_.purge(in_use);
  trace_.add(TraceKind::database, name_, "purged", purged);
  return purged;
}

void SimServer::corrupt_binlog() {
  corrupt_at_ = binlog_.end();
  trace_.add(TraceKind::database, name_, "the next binlog event is corrupt");
}

void SimServer::calm() {
  if (corrupt_at_ && *corrupt_at_ >= binlog_.end()) corrupt_at_.reset();
}

void SimServer::fill_disk(bool full) {
  if (disk_full_ == full) return;
  disk_full_ = full;
  changed("disk", full ? "full" : "has room");
  if (full || !responsive()) return;
  recheck_connection();
  schedule_apply();
}

// What waits until a time of day is due earlier or later.
void SimServer::jump_clock(Duration by) {
  pace_.ahead += by;
  trace_.add(TraceKind::database, name_, "clock jumps", by.count());
  for (Waiting& w : waiting_) w.deadline = std::max(scheduler_.now(), w.deadline - by);
  if (!waiting_.empty())
    scheduler_.call_at(domain_, waiting_.front().deadline, [this] { on_semi_sync_timeout(); });
}

void SimServer::add_errant_transaction() {
  if (!running_) return;
  const Run run = next_local(ledger_.append(origin_, Ledger::kNothing));
  trace_.add(TraceKind::database, name_, "errant transaction", to_text(run.last()));
  log_local(run);
}

void SimServer::diverge() {
  data_.add(ledger_.append(origin_, Ledger::kNothing));
  trace_.add(TraceKind::database, name_, "data diverges");
}

void SimServer::exhaust_connections(bool on) {
  exhausted_ = on;
  changed("connections", on ? "exhausted" : "available");
}

}  // namespace drover::node
