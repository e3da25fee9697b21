// The I/O thread of SimServer: connecting, losing the connection, fetching from the source into the relay
// log.
#include <algorithm>

#include "mockcloud/node/server.hpp"

namespace drover::node {
namespace {

constexpr Duration kLagging = 1s;  // from then on a replica counts as lagging

std::string fatal_error(const std::string& of_master) {
  return std::string("Got fatal error 1236 from master when reading data from binary log: '")
      .append(of_master)
      .append("'");
}

std::string not_in_binlog(const Gtid& gtid) {
  return "Error: connecting slave requested to start from GTID " + node::to_text(gtid) +
         ", which is not in the master's binlog";
}

}  // namespace

void SimServer::try_connect_after(Duration delay) {
  const std::uint64_t connection = ++connection_;
  const SimServer* target = host_.server_at(master_.host, master_.port);
  if (target != nullptr) delay += host_.delay(*this, *target);
  scheduler_.call_after(domain_, delay, [this, connection] {
    if (connection == connection_) try_connect();
  });
}

void SimServer::try_connect() {
  if (!running_ || !responsive()) return;  // standstill_changed() tries again
  io_ = ThreadState::connecting;
  SimServer* primary = host_.server_at(master_.host, master_.port);
  if (primary == nullptr) return io_retry(2003, cannot_connect("113 \"No route to host\""));
  const bool reached = host_.connected(*this, *primary) && !primary->frozen_;
  if (!reached || (primary->running_ && primary->hung_)) return await_answer(reached);
  if (!primary->running_) return io_retry(2003, cannot_connect("111 \"Connection refused\""));
  if (primary->exhausted_) return io_retry(1040, "Too many connections");
  const auto user = primary->users_.find(master_.user);
  if (user == primary->users_.end() || user->second.password_hash != master_.password_hash)
    return io_retry(1045,
                    "Access denied for user '" + master_.user + "'@'" + name_ + "' (using password: YES)");
  last_source_id_ = primary->server_id_;  // whatever becomes of the connection
  if (primary->server_id_ == server_id_)
    return io_fatal(
        1593,
        "Fatal error: The slave I/O thread stops because master and slave have equal MariaDB server ids; "
        "these "
        "ids must be different for replication to work (or the --replicate-same-server-id option must be "
        "used "
        "on slave but this does not always make sense; please check the manual before using it).");
  const auto refusal = use_gtid_ ? find_gtid_start(*primary) : find_file_start(*primary);
  if (refusal) return io_fatal(1236, fatal_error(*refusal));
  connected_to(*primary);
}

// Nobody answers the attempt: neither a host that is out of reach nor, once it has taken the connection, a
// process that stands still.
void SimServer::await_answer(bool reached) {
  const std::uint64_t connection = ++connection_;
  const Duration limit = pace_.timeout(config_.slave_net_timeout, scheduler_.now());
  scheduler_.call_after(domain_, limit, [this, connection, reached] {
    if (connection != connection_) return;
    if (reached)
      io_retry(2013,
               "Lost connection to server at 'waiting for initial communication packet', system error: 110 "
               "\"Connection timed out\"");
    else
      io_retry(2003, cannot_connect("110 \"Connection timed out\""));
  });
}

std::string SimServer::cannot_connect(std::string_view why) const {
  return "Can't connect to server on '" + master_.host + "' (" + std::string(why) + ")";
}

void SimServer::connected_to(SimServer& primary) {
  ++connection_;
  io_ = ThreadState::yes;
  was_connected_ = true;
  io_errno_ = 0;
  io_error_.clear();
  source_ = &primary;
  source_process_ = primary.process_;
  clock_difference_ = pace_.ahead - primary.pace_.ahead;
  silent_ = false;
  delivery_pending_ = false;
  twin_skips_ = false;
  semi_sync_link_ = semi_sync_replica_;
  last_event_at_ = scheduler_.now();
  primary.attach(*this);
  changed("io connected", primary.name_);
  if (cursor_ < primary.binlog_.end())
    request_delivery();
  else if (semi_sync_link_)
    primary.acknowledge(cursor_);
}

void SimServer::io_retry(int number, std::string_view text) {
  const bool is_new = io_errno_ != number;
  io_errno_ = number;
  io_error_ = std::string("error ") + (was_connected_ ? "reconnecting" : "connecting") + " to master '" +
              master_.user + "@" + master_.host + ":" + std::to_string(master_.port) +
              "' - retry-time: " + std::to_string(config_.connect_retry / 1s) +
              "  maximum-retries: 100000  message: ";
  io_error_ += text;
  if (is_new) changed("io error", std::to_string(number));
  try_connect_after(pace_.timeout(config_.connect_retry, scheduler_.now()));
}

void SimServer::io_fatal(int number, std::string_view text) {
  io_stopped();
  io_errno_ = number;
  io_error_ = text;
  changed("io stopped", text);
}

void SimServer::io_stopped() {
  ++connection_;
  io_ = ThreadState::no;
  delivery_pending_ = false;
  silent_ = false;
  half_open_ = false;
  twin_ = false;
  was_connected_ = false;
  if (SimServer* source = std::exchange(source_, nullptr)) source->detach(*this);
}

// The connection broke; the thread tries again at once, then every connect_retry.
void SimServer::io_lost(int number) {
  if (io_ != ThreadState::yes) return;
  io_stopped();
  io_ = ThreadState::connecting;
  was_connected_ = true;
  io_errno_ = number;
  io_error_ = number == 0 ? "" : "Lost connection to server during query";
  changed("io lost", std::to_string(number));
  try_connect_after(Duration{0});
}

void SimServer::disconnect_io() { io_lost(2013); }

void SimServer::lose_connection_unnoticed() {
  if (source_ == nullptr) return;
  half_open_ = true;
  note_silence();
}

void SimServer::reset_half_open() {
  if (half_open_ && responsive()) io_lost(2013);
}

std::optional<std::string> SimServer::find_gtid_start(const SimServer& primary) {
  const Binlog& log = primary.binlog_;
  const std::string purged =
      "Could not find GTID state requested by slave in any binlog files. Probably the slave state is too old "
      "and "
      "required binlog files have been purged.";
  domain_starts_.clear();
  awaited_.clear();
  for (const Gtid& gtid : io_pos_.gtids()) {
    const Gtid* highest = log.highest(gtid.domain, gtid.server);
    const Gtid* logged = log.position().find(gtid.domain);
    const Gtid* applied = primary.slave_pos_.find(gtid.domain);
    if (highest != nullptr && highest->sequence >= gtid.sequence) {
      const auto place = log.after(gtid);
      if (!place) return purged;
      if (!place->exact && config_.gtid_strict_mode)
        return "The binlog on the master is missing the GTID " + node::to_text(gtid) +
               " requested by the slave (even though a subsequent sequence number does exist), and GTID "
               "strict mode "
               "is enabled";
      domain_starts_.emplace_back(gtid.domain, place->ordinal);
    } else if (applied != nullptr && *applied == gtid) {
      domain_starts_.emplace_back(gtid.domain, log.end());
    } else if (logged != nullptr || applied != nullptr) {
      std::string text = not_in_binlog(gtid);
      if (logged != nullptr && logged->sequence > gtid.sequence)
        text +=
            ". Since the master's binlog contains GTIDs with higher sequence numbers, it probably means that "
            "the "
            "slave has diverged due to executing extra erroneous transactions";
      return text;
    } else {
      awaited_.push_back(gtid);
    }
  }
  for (const Gtid& before : log.oldest_file().state)
    if (io_pos_.find(before.domain) == nullptr) return purged;
  bool whole = false;
  for (const Gtid& gtid : log.position().gtids()) whole = whole || io_pos_.find(gtid.domain) == nullptr;
  cursor_ = whole ? log.oldest() : log.end();
  for (const auto& [domain, ordinal] : domain_starts_) cursor_ = std::min(cursor_, ordinal);
  return std::nullopt;
}

std::optional<std::string> SimServer::find_file_start(const SimServer& primary) {
  domain_starts_.clear();
  awaited_.clear();
  if (!file_located_) {
    const auto ordinal = primary.binlog_.locate(master_.log_file, master_.log_position);
    if (!ordinal) return "Could not find first log file name in binary log index file";
    file_ordinal_ = *ordinal;
    file_located_ = true;
  }
  cursor_ = file_ordinal_ + relay_pending();
  if (cursor_ < primary.binlog_.oldest())
    return "Could not find first log file name in binary log index file";
  return std::nullopt;
}

// Whether what the source sends now arrives here.
bool SimServer::connection_alive() const {
  return source_ != nullptr && !half_open_ && source_->responsive() && source_->process_ == source_process_ &&
         responsive() && host_.server_at(master_.host, master_.port) == source_ &&
         host_.connected(*this, *source_);
}

void SimServer::recheck_connection() {
  if (!responsive()) return;
  if (source_ == nullptr) return;
  const bool same_host = host_.server_at(master_.host, master_.port) == source_;
  const bool same_process = source_->running_ && source_->process_ == source_process_;
  if (same_host && !same_process && host_.connected(*this, *source_)) return io_lost(2013);
  if (!connection_alive()) return note_silence();
  silent_ = false;
  if (cursor_ < source_->binlog_.end()) request_delivery();
}

// The last event or heartbeat was at most half of slave_net_timeout ago; from then the timeout runs.
Duration SimServer::silence_deadline() const {
  const Duration half = config_.slave_net_timeout / 2;
  if (half <= Duration{0}) return Duration{0};
  return config_.slave_net_timeout - (scheduler_.now() - last_event_at_) % half;
}

void SimServer::note_silence() {
  if (silent_ || source_ == nullptr) return;
  silent_ = true;
  const std::uint64_t connection = ++connection_;
  delivery_pending_ = false;
  const Duration limit = pace_.timeout(silence_deadline(), scheduler_.now());
  await_silence(limit, connection);
}

void SimServer::await_silence(Duration limit, std::uint64_t connection) {
  scheduler_.call_after(domain_, limit, [this, connection] {
    if (connection == connection_ && silent_) on_silence_timeout();
  });
}

void SimServer::on_silence_timeout() {
  if (responsive()) return io_lost(0);
  await_silence(1s, connection_);  // it hangs itself: noticed as soon as it goes on
}

void SimServer::request_delivery() {
  if (delivery_pending_ || silent_ || disk_full_ || source_ == nullptr) return;
  delivery_pending_ = true;
  const auto arrive = [this, connection = connection_, up_to = source_->binlog_.end(),
                       written_at = scheduler_.now()] {
    if (connection == connection_) deliver(up_to, written_at);
  };
  scheduler_.call_after(domain_, host_.delay(*source_, *this), arrive);
}

void SimServer::deliver(std::uint64_t up_to, TimePoint written_at) {
  delivery_pending_ = false;
  if (!connection_alive()) return recheck_connection();
  if (disk_full_) return;  // fill_disk() goes on
  const auto corrupt = source_->corrupt_at_;
  const bool unreadable = corrupt && *corrupt >= cursor_ && *corrupt < up_to;
  if (unreadable) up_to = *corrupt;
  last_event_at_ = scheduler_.now();
  twin_skips_ = twin_ && !twin_skips_;
  runs_.clear();
  source_->binlog_.read(cursor_, up_to, runs_);
  // The domain was empty when it connected: its first event is none that comes after the one requested.
  for (const Run& run : runs_)
    for (const Gtid& gtid : awaited_)
      if (gtid.domain == run.domain) return io_fatal(1236, fatal_error(not_in_binlog(gtid)));
  std::uint64_t ordinal = cursor_;
  for (Run run : runs_) {
    const std::uint64_t end = ordinal + run.count;
    std::uint64_t begin = ordinal;
    for (const auto& [domain, start] : domain_starts_)
      if (domain == run.domain) begin = std::clamp(start, ordinal, end);
    run.sequence += begin - ordinal;
    run.stamp += begin - ordinal;
    run.count = end - begin;
    ordinal = end;
    if (run.count > 0) receive(run, written_at);
  }
  cursor_ = std::max(cursor_, up_to);
  if (semi_sync_link_) {
    SimServer* primary = source_;
    const auto acknowledged = [primary, process = source_process_, ordinal = cursor_] {
      if (primary->process_ != process || !primary->running_) return;
      primary->acknowledge(ordinal);
      primary->switch_semi_sync_on();
    };
    scheduler_.call_after(domain_, host_.delay(*this, *primary), acknowledged);
  }
  if (unreadable)
    io_fatal(1236,
             fatal_error("binlog truncated in the middle of event; consider out of disk space on master"));
  else if (cursor_ < source_->binlog_.end())
    request_delivery();
  schedule_apply();
}

void SimServer::receive(const Run& run, TimePoint written_at) {
  const TimePoint now = scheduler_.now();
  RelayBatch batch{run, now, now, written_at};
  const Duration lag = lag_ ? *lag_ : config_.replication_lag.sample(choices_, name_, "replication_lag");
  batch.ready_at = scheduler_.later(pace_.work(lag) + pace_.commit);
  if (!relay_.empty()) batch.ready_at = std::max(batch.ready_at, relay_.back().ready_at);
  // Not for this server: its own transactions (replicate_same_server_id=0), and what a twin took.
  if (run.server == server_id_ || twin_skips_) batch.run.stamp = kNoStamp;
  io_pos_.set(run.last());
  relay_.push_back(batch);
  lagging_ = lagging_ || batch.ready_at - now >= kLagging;
  if (lagging_) review_phase();
}

}  // namespace drover::node
