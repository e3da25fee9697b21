#include "scenarios/local/writers.hpp"

#include <algorithm>
#include <charconv>

#include "manager/base/check.hpp"
#include "manager/system/network_space.hpp"

namespace drover::scenario {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Duration kConnectTimeout = 2s;
constexpr Duration kAnswerTimeout = 30s;  // a client stops waiting: the outcome is unknown
constexpr unsigned kReadBackEvery = 8;
constexpr auto kPauseAfterFailure = std::chrono::milliseconds(100);
constexpr const char* kUser = "drover_writer";

// Refused before anything was done: the statement's own errors, and those of connecting.
bool is_lost_connection(int number) {
  switch (number) {
    case 2006:  // gone away
    case 2013:  // lost
    case 1927:  // killed
    case 1317:  // interrupted
    case 1053:  // shutting down
    case 1184:  // aborted
      return true;
    default:
      return false;
  }
}

}  // namespace

WriteOutcome outcome_of(const Error& error) {
  if (error.effect == Effect::possible || is_lost_connection(agent::database_number(error)))
    return WriteOutcome::unknown;
  return WriteOutcome::refused;
}

std::vector<std::string> writers_schema(const Secret& password) {
  // Without a name: no list of users shows it, and every named account goes before it.
  return {
      "CREATE DATABASE drover_writes",
      "CREATE TABLE drover_writes.written (writer INT NOT NULL, n BIGINT NOT NULL, PRIMARY KEY (writer, n)) "
      "ENGINE=InnoDB",
      "CREATE USER ''@'%' IDENTIFIED BY '" + password.value + "'",
      "GRANT SELECT, INSERT ON drover_writes.* TO ''@'%'"};
}

void WriteAccount::begin(unsigned writer, std::uint64_t n) {
  const std::scoped_lock lock(mutex_);
  auto& own = outcomes_.at(writer);
  if (own.size() <= n) own.resize(n + 1, WriteOutcome::none);
  own[n] = WriteOutcome::unknown;
}

void WriteAccount::add(unsigned writer, std::uint64_t n, WriteOutcome outcome, Time at) {
  const std::scoped_lock lock(mutex_);
  auto& own = outcomes_.at(writer);
  if (own.size() <= n) own.resize(n + 1, WriteOutcome::none);
  own[n] = outcome;
  decided_[writer] = n;
  switch (outcome) {
    case WriteOutcome::acknowledged:
      ++counts_.acknowledged;
      if (last_acknowledged_)
        counts_.longest_gap =
            std::max<std::chrono::nanoseconds>(counts_.longest_gap, at - *last_acknowledged_);
      last_acknowledged_ = at;
      break;
    case WriteOutcome::refused:
      ++counts_.refused;
      break;
    case WriteOutcome::unknown:
      ++counts_.unknown;
      break;
    case WriteOutcome::none:
      break;
  }
}

void WriteAccount::add_read(unsigned writer, std::uint64_t highest) {
  const std::scoped_lock lock(mutex_);
  const auto& own = outcomes_.at(writer);
  for (std::uint64_t n = own.size(); n-- > highest + 1;)
    if (own[n] == WriteOutcome::acknowledged) {
      ++counts_.stale_reads;
      return;
    }
}

WriterCounts WriteAccount::counts() const {
  const std::scoped_lock lock(mutex_);
  return counts_;
}

WriteOutcome WriteAccount::outcome(unsigned writer, std::uint64_t n) const {
  if (writer >= outcomes_.size() || n >= outcomes_[writer].size()) return WriteOutcome::none;
  return outcomes_[writer][n];
}

WriteAccount::Mark WriteAccount::mark() const {
  const std::scoped_lock lock(mutex_);
  return decided_;
}

std::uint64_t WriteAccount::lost(const std::vector<WrittenRow>& rows, const Mark& mark) const {
  const std::scoped_lock lock(mutex_);
  std::uint64_t lost = 0;
  for (unsigned writer = 0; writer < mark.size() && writer < outcomes_.size(); ++writer)
    for (std::uint64_t n = 0; n <= mark[writer] && n < outcomes_[writer].size(); ++n)
      lost += outcomes_[writer][n] == WriteOutcome::acknowledged ? 1 : 0;
  for (const WrittenRow& row : rows) {
    const bool counted = row.writer < mark.size() && row.n <= mark[row.writer];
    if (counted && outcome(row.writer, row.n) == WriteOutcome::acknowledged) --lost;
  }
  return lost;
}

std::uint64_t WriteAccount::phantoms(const std::vector<WrittenRow>& rows) const {
  const std::scoped_lock lock(mutex_);
  return static_cast<std::uint64_t>(std::count_if(rows.begin(), rows.end(), [this](const WrittenRow& row) {
    const WriteOutcome known = outcome(row.writer, row.n);
    return known == WriteOutcome::none || known == WriteOutcome::refused;
  }));
}

Writers::Writers(Config config) : config_(std::move(config)), account_(config_.writers) {}

Writers::~Writers() {
  stop();
  for (auto& thread : threads_) thread.join();
}

void Writers::start() {
  for (unsigned writer = 1; writer <= config_.writers; ++writer)
    threads_.emplace_back([this, writer] { write(writer); });
}

void Writers::stop() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
}

void Writers::set_master(std::optional<std::string> address) {
  const std::scoped_lock lock(mutex_);
  master_ = std::move(address);
}

std::optional<std::string> Writers::master() {
  const std::scoped_lock lock(mutex_);
  return master_;
}

bool Writers::wait(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [this] { return ending_; });
  return !ending_;
}

// One client. A closed loop: one statement under way.
void Writers::write(unsigned writer) {
  if (config_.network >= 0)
    DROVER_CHECK(system::move_to_network(config_.network).has_value(), "a client cannot enter its network");
  const auto gap = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(1.0 / std::max(config_.rate_per_second, 0.001)));
  agent::Connection::Place place;
  place.user = kUser;
  place.password = config_.password;
  place.port = config_.port;
  std::unique_ptr<agent::Connection> connection;
  std::uint64_t n = 0;
  for (auto next = Clock::now() + gap * writer / config_.writers; wait(next);
       next = std::max(next + gap, Clock::now())) {
    const auto address = master();
    if (!address) {
      config_.on_failure();  // who does not know where to write asks
      continue;
    }
    if (*address != place.address || (connection && connection->lost())) connection.reset();
    place.address = *address;
    if (!connection) {
      auto opened = agent::Connection::open(place, kConnectTimeout, kAnswerTimeout);
      if (opened.has_error()) {
        account_.add(writer, ++n, WriteOutcome::refused, Clock::now());
        config_.on_failure();
        if (!wait(Clock::now() + kPauseAfterFailure)) return;
        continue;
      }
      connection = std::move(opened).value();
    }
    account_.begin(writer, ++n);
    const auto done = connection->run("INSERT INTO drover_writes.written VALUES (" + std::to_string(writer) +
                                      ", " + std::to_string(n) + ")");
    account_.add(writer, n, done.has_value() ? WriteOutcome::acknowledged : outcome_of(done.error()),
                 Clock::now());
    if (done.has_error()) {
      config_.on_failure();
      if (outcome_of(done.error()) == WriteOutcome::unknown) connection.reset();
      if (!wait(Clock::now() + kPauseAfterFailure)) return;
      continue;
    }
    if (n % kReadBackEvery != 0) continue;
    const auto read =
        connection->ask("SELECT COALESCE(MAX(n), 0) AS n FROM drover_writes.written WHERE writer = " +
                        std::to_string(writer));
    if (read.has_error() || read.value().empty()) continue;
    const std::string& text = read.value().front().at("n");
    std::uint64_t highest = 0;
    std::from_chars(text.data(), text.data() + text.size(), highest);
    account_.add_read(writer, highest);
  }
}

}  // namespace drover::scenario
