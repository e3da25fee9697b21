// The SQL thread of SimServer: relay log to tables, in order, each batch not before its lag has passed.
#include <algorithm>
#include <utility>

#include "mockcloud/node/server.hpp"

namespace drover::node {
namespace {

constexpr const char* kUnreadable =
    "Relay log read failure: Could not parse relay log event entry; the relay log is corrupted";

// The servers have one table as far as messages go.
std::string row_error(int number, const std::string& master_log) {
  const bool duplicate = number != 1032;
  std::string text = "Could not execute ";
  text += duplicate ? "Write_rows_v1" : "Update_rows_v1";
  text += " event on table drover.counters; ";
  text += duplicate ? "Duplicate entry '1' for key 'PRIMARY'" : "Can't find record in 'counters'";
  text.append(", Error_code: ").append(std::to_string(number)).append("; handler error ");
  text += duplicate ? "HA_ERR_FOUND_DUPP_KEY" : "HA_ERR_KEY_NOT_FOUND";
  text.append("; the event's master log ").append(master_log).append(", end_log_pos 0");
  return text;
}

}  // namespace

void SimServer::schedule_apply() {
  if (!sql_ || relay_.empty() || disk_full_ || !responsive()) return;
  const TimePoint ready = relay_.front().ready_at;
  if (ready <= scheduler_.now()) return apply_due();
  if (apply_at_ == ready) return;
  apply_at_ = ready;
  scheduler_.call_at(domain_, ready, [this, number = ++apply_timer_] {
    if (number != apply_timer_) return;
    apply_at_ = kNever;
    if (sql_ && !disk_full_ && responsive()) apply_due();
  });
}

void SimServer::apply_due() {
  bool applied = false;
  while (sql_ && !relay_.empty() && relay_.front().ready_at <= scheduler_.now()) {
    if (!apply_front()) break;
    applied = true;
  }
  if (applied) {
    if (config_.log_slave_updates) wake_replicas();
    if (!gtid_waiters_.empty()) wake_gtid_waiters();
    if (relay_.empty()) {
      lagging_ = false;
      if (phase_ != ReplicationPhase::caught_up) review_phase();
    }
  }
  if (sql_ && !relay_.empty()) schedule_apply();
}

// Advances past transactions of `run` without executing them.
void SimServer::skip(Run& run, std::uint64_t count) {
  slave_pos_.set(Gtid{run.domain, run.server, run.sequence + count - 1});
  run.sequence += count;
  run.count -= count;
  if (run.stamp != kNoStamp) run.stamp += count;
  if (!use_gtid_) file_ordinal_ += count;
}

// False when the SQL thread stopped; what was not applied stays in the relay log.
bool SimServer::apply_front() {
  if (relay_corrupt_) {
    sql_error(1594, kUnreadable);
    return false;
  }
  Run& run = relay_.front().run;
  if (skip_ > 0) {
    const std::uint64_t count = std::min(skip_, run.count);
    skip_ -= count;
    poison_ = 0;
    skip(run, count);
  }
  if (run.count > 0 && poison_ != 0) {
    sql_error(poison_, row_error(poison_, master_log()));
    return false;
  }
  if (run.count > 0 && run.stamp == kNoStamp) skip(run, run.count);
  if (run.count > 0 && !apply_data(run)) return false;
  if (run.count == 0) relay_.pop_front();
  return true;
}

bool SimServer::apply_data(Run& run) {
  const Gtid* logged = binlog_.position().find(run.domain);
  if (config_.gtid_strict_mode && config_.log_slave_updates && logged != nullptr &&
      logged->sequence >= run.sequence) {
    sql_error(1950, "An attempt was made to binlog GTID " +
                        node::to_text(Gtid{run.domain, run.server, run.sequence}) +
                        " which would create an out-of-order sequence number with existing GTID " +
                        node::to_text(*logged) + ", and gtid strict mode is enabled");
    return false;
  }
  Run fresh = run;
  if (data_.intersects(run.stamp, run.count)) {
    fresh.count = 0;
    while (!data_.contains(run.stamp + fresh.count)) ++fresh.count;
  }
  if (fresh.count > 0) {
    data_.add(fresh.stamp, fresh.count);
    for (std::uint64_t i = 0; i < fresh.count; ++i) apply_to_tables(fresh.stamp + i);
    if (config_.log_slave_updates) binlog_.append(fresh);
    skip(run, fresh.count);
  }
  if (run.count == 0) return true;
  sql_error(1062, row_error(1062, master_log()));
  return false;
}

std::string SimServer::master_log() const {
  return source_ == nullptr ? std::string("binlog.000001") : source_->binlog_.file_name();
}

void SimServer::sql_error(int number, std::string_view text) {
  sql_ = false;
  sql_errno_ = number;
  sql_error_ = text;
  changed("sql stopped", text);
}

void SimServer::discard_relay(std::string_view why) {
  ++apply_timer_;
  apply_at_ = kNever;
  relay_corrupt_ = lagging_ = false;
  if (relay_.empty()) return;
  trace_.add(TraceKind::database, name_, "relay log discarded:", why, relay_pending());
  relay_.clear();
}

// Controls.

void SimServer::set_lag(std::optional<Duration> lag) {
  lag_ = lag;
  TimePoint earliest = kEpoch;
  for (RelayBatch& batch : relay_) {
    const Duration wait = lag ? *lag : config_.replication_lag.median();
    const TimePoint ready = wait > kNever - batch.received_at ? kNever : batch.received_at + wait;
    batch.ready_at = earliest = std::max(earliest, ready);
  }
  schedule_apply();
}

// What waits is worked on at the new pace from now on.
void SimServer::set_cpu(double factor) {
  const double change = factor / std::exchange(pace_.cpu, factor);
  if (change == 1) return;
  const TimePoint now = scheduler_.now();
  for (RelayBatch& batch : relay_)
    if (batch.ready_at > now && batch.ready_at != kNever)
      batch.ready_at = now + Pace::scaled(batch.ready_at - now, change);
  schedule_apply();
}

void SimServer::fail_sql_thread(int number) {
  if (!configured_ || !running_) return;
  poison_ = number;
  sql_error(number, row_error(number, master_log()));
}

void SimServer::corrupt_relay_log() {
  if (!configured_ || !running_) return;
  relay_corrupt_ = true;
  sql_error(1594, kUnreadable);
}

void SimServer::lose_relay_log() {
  if (!configured_) return;
  discard_relay("lost");
  io_pos_ = slave_pos_;
  io_lost(0);
}

}  // namespace drover::node
