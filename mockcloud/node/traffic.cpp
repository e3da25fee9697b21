#include "mockcloud/node/traffic.hpp"

#include <algorithm>

namespace drover::node {
namespace {

constexpr unsigned kWriterBits = 16;
constexpr std::uint64_t kDigestEvery = 1024;

}  // namespace

Traffic::Traffic(Scheduler& scheduler, Choices& choices, Trace& trace, Fleet& fleet,
                 std::function<std::optional<std::string>()> master, TrafficConfig config)
    : scheduler_(scheduler),
      choices_(choices),
      trace_(trace),
      fleet_(fleet),
      master_(std::move(master)),
      config_(std::move(config)) {
  DROVER_CHECK(config_.rate_per_second > 0, "traffic needs a rate above 0");
  DROVER_CHECK(config_.writers < (1U << kWriterBits), "too many writers");
  writers_.resize(config_.writers);
  for (unsigned i = 0; i < config_.writers; ++i) {
    Writer& writer = writers_[i];
    writer.name = config_.name + "-" + std::to_string(i + 1);
    writer.counter = fleet_.ledger().counter(writer.name);
    writer.gap_key = mix(hash_text(writer.name), hash_text("write_gap"));
  }
}

Traffic::~Traffic() {
  domain_.reset();
  fleet_.forget(this);
}

void Traffic::start() {
  if (running_) return;
  running_ = true;
  domain_ = std::make_unique<Domain>(scheduler_);
  stats_.last_acknowledged_at = scheduler_.now();
  trace_.add(TraceKind::client, config_.name, "started", config_.writers);
  for (Writer& writer : writers_) {
    writer.next_at = scheduler_.now();
    writer.timer_armed = false;
    plan(writer);
  }
}

void Traffic::stop() {
  if (!running_) return;
  running_ = false;
  for (Writer& writer : writers_) {
    if (writer.token != 0 && !writer.reading) count(writer, WriteOutcome::unknown);
    writer.token = 0;
  }
  domain_.reset();
  trace_.add(TraceKind::client, config_.name, "stopped", stats_.acknowledged, digest_);
}

Traffic::Writer* Traffic::under_way(std::uint64_t token) {
  Writer& writer = writers_[token & ((1U << kWriterBits) - 1)];
  return writer.token == token ? &writer : nullptr;
}

void Traffic::plan(Writer& writer) {
  const Duration mean = from_seconds(1.0 / config_.rate_per_second);
  const double unit = Choices::to_unit(choices_.draw_key(writer.gap_key));
  const Duration gap = Distribution::exponential(mean).sample(unit);
  writer.next_at = std::max(scheduler_.now(), writer.next_at + gap);
  scheduler_.call_at(*domain_, writer.next_at, [this, &writer] { send(writer); });
}

void Traffic::note_wanted() {
  stats_.wanted_last = scheduler_.now();
  stats_.wanted_since = std::min(stats_.wanted_since, stats_.wanted_last);
}

void Traffic::send(Writer& writer) {
  auto master = master_();
  if (writer.had_master != master.has_value()) {
    writer.had_master = master.has_value();
    trace_.add(TraceKind::client, writer.name, master ? "has a master" : "has no master");
  }
  if (!master) {
    note_wanted();
    ++stats_.no_master;
    return plan(writer);
  }
  writer.address = std::move(*master);
  writer.token = (++statements_ << kWriterBits) | static_cast<std::uint64_t>(&writer - writers_.data());
  writer.sent_at = scheduler_.now();
  writer.stamp = kNoStamp;
  ++writer.statements;
  writer.reading = config_.read_back_every != 0 && writer.statements % config_.read_back_every == 0;
  arm_timeout(writer);
  if (!writer.reading) {
    ++stats_.attempted;
    note_wanted();
    fleet_.client_write(*domain_, writer.address, writer.counter, this, writer.token);
    return;
  }
  ++stats_.reads;
  const auto done = [this, token = writer.token](auto value) { read_done(token, value); };
  fleet_.client_read(*domain_, writer.address, writer.counter, done);
}

// One timer a writer, moved on lazily: it costs an event per time-out, not per statement.
void Traffic::arm_timeout(Writer& writer) {
  if (writer.timer_armed) return;
  writer.timer_armed = true;
  const Duration left = writer.sent_at + config_.timeout - scheduler_.now();
  scheduler_.call_after(*domain_, left, [this, &writer] { on_timeout(writer); });
}

void Traffic::on_timeout(Writer& writer) {
  writer.timer_armed = false;
  if (writer.token == 0) return;
  if (writer.sent_at + config_.timeout > scheduler_.now())
    arm_timeout(writer);
  else
    finish(writer, WriteOutcome::unknown);
}

void Traffic::write_waits(std::uint64_t token, Stamp stamp) {
  if (Writer* writer = under_way(token))
    writer->stamp = stamp;
  else
    unknown_.add(stamp);
}

void Traffic::write_done(std::uint64_t token, WriteOutcome outcome, Stamp stamp) {
  Writer* writer = under_way(token);
  if (writer == nullptr) {
    if (stamp != kNoStamp) unknown_.add(stamp);
    return;
  }
  writer->stamp = stamp;
  writer->outcome = outcome;
  const SimServer* server = fleet_.server(fleet_.id_at(writer->address));
  writer->is_protected = server != nullptr && server->semi_sync_active();
  writer->by_accident = server != nullptr && server->is_open_by_accident();
  const auto way = fleet_.client_way_back(writer->address);
  if (!way) return;
  scheduler_.call_after(*domain_, *way, [this, token] {
    if (Writer* w = under_way(token)) finish(*w, w->outcome);
  });
}

void Traffic::finish(Writer& writer, WriteOutcome outcome) {
  if (!writer.reading) count(writer, outcome);
  if (outcome != WriteOutcome::acknowledged && config_.on_failure) config_.on_failure();
  writer.token = 0;
  plan(writer);
}

void Traffic::count(Writer& writer, WriteOutcome outcome) {
  digest_ = mix(digest_ ^ writer.token, mix(static_cast<std::uint64_t>(outcome), writer.stamp));
  switch (outcome) {
    case WriteOutcome::acknowledged: {
      ++stats_.acknowledged;
      if (writer.by_accident) {
        unknown_.add(writer.stamp);
      } else {
        ++writer.acknowledged;
        acknowledged_.add(writer.stamp);
        if (writer.is_protected) protected_.add(writer.stamp);
      }
      const TimePoint now = scheduler_.now();
      // Before the first there was no master yet.
      if (stats_.acknowledged > 1)
        stats_.longest_gap = std::max(stats_.longest_gap, now - stats_.last_acknowledged_at);
      stats_.last_acknowledged_at = now;
      stats_.wanted_since = kNever;
      if (stats_.acknowledged % kDigestEvery == 0)
        trace_.add(TraceKind::client, config_.name, "writes", stats_.acknowledged, digest_);
      break;
    }
    case WriteOutcome::unknown:
      ++stats_.unknown;
      if (writer.stamp != kNoStamp) unknown_.add(writer.stamp);
      break;
    default:
      ++stats_.failed;
  }
  if (outcome != writer.last) trace_.add(TraceKind::client, writer.name, "write", to_text(outcome));
  writer.last = outcome;
}

void Traffic::read_done(std::uint64_t token, std::optional<std::uint64_t> value) {
  Writer* writer = under_way(token);
  if (writer == nullptr) return;
  if (value && *value + writer->forgiven < writer->acknowledged) {
    ++stats_.stale_reads;
    stale_address_ = writer->address;
    trace_.add(TraceKind::client, writer->name, "stale read", *value, writer->acknowledged);
    writer->forgiven = writer->acknowledged - *value;
  }
  if (!value && config_.on_failure) config_.on_failure();
  writer->token = 0;
  plan(*writer);
}

std::uint64_t Traffic::lost(const SimServer& server) const {
  return acknowledged_.minus(server.data()).size();
}

std::uint64_t Traffic::lost_protected(const SimServer& server) const {
  return protected_.minus(server.data()).size();
}

std::uint64_t Traffic::phantoms(const SimServer& server) const {
  StampSet explained = acknowledged_;
  explained.unite(unknown_);
  for (const Writer& writer : writers_)
    if (writer.token != 0 && writer.stamp != kNoStamp) explained.add(writer.stamp);
  const auto ours = [this](Ledger::Item item) {
    return std::any_of(writers_.begin(), writers_.end(),
                       [item](const Writer& w) { return w.counter == item; });
  };
  std::uint64_t count = 0;
  const StampSet unexplained = server.data().minus(explained);
  for (const auto& interval : unexplained.intervals())
    for (Stamp stamp = interval.first; stamp <= interval.last; ++stamp)
      if (ours(fleet_.ledger().item(stamp))) ++count;
  return count;
}

}  // namespace drover::node
