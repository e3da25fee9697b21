// Clients of a run on real servers: each is a thread that inserts rows of its own, numbered from 1, where the
// manager says the master is, reads back now and then, and keeps account of what it was promised. The account
// and the table's text are pure and tested without a server.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "manager/agent/database.hpp"

namespace drover::scenario {

struct WrittenRow {
  unsigned writer = 0;
  std::uint64_t n = 0;
};
inline constexpr const char* kWrittenRows = "SELECT writer, n FROM drover_writes.written ORDER BY writer, n";

enum class WriteOutcome : unsigned char { none, acknowledged, refused, unknown };
// What a failed statement says about its write.
WriteOutcome outcome_of(const Error& error);

struct WriterCounts {
  std::uint64_t acknowledged = 0, refused = 0, unknown = 0, stale_reads = 0;
  std::chrono::nanoseconds longest_gap{0};  // between two acknowledgements, whosever
};

// What the writers know of their writes. Any thread.
class WriteAccount {
 public:
  using Time = std::chrono::steady_clock::time_point;
  explicit WriteAccount(unsigned writers) : outcomes_(writers + 1), decided_(writers + 1) {}
  // From now on the write may have been made; its outcome follows.
  void begin(unsigned writer, std::uint64_t n);
  void add(unsigned writer, std::uint64_t n, WriteOutcome outcome, Time at);
  void add_read(unsigned writer, std::uint64_t highest);
  WriterCounts counts() const;
  // How far each writer's writes are decided, by writer.
  using Mark = std::vector<std::uint64_t>;
  Mark mark() const;
  // Acknowledged up to `mark`, which was taken before the rows were read, and not among them.
  std::uint64_t lost(const std::vector<WrittenRow>& rows, const Mark& mark) const;
  // Among the rows, and never sent or clearly refused.
  std::uint64_t phantoms(const std::vector<WrittenRow>& rows) const;

 private:
  WriteOutcome outcome(unsigned writer, std::uint64_t n) const;

  mutable std::mutex mutex_;
  std::vector<std::vector<WriteOutcome>> outcomes_;  // by writer and n
  Mark decided_;
  WriterCounts counts_;
  std::optional<Time> last_acknowledged_;
};

// The statements that make the writers' table and account in a template of a data directory.
std::vector<std::string> writers_schema(const Secret& password);

class Writers {
 public:
  struct Config {
    unsigned writers = 1;
    double rate_per_second = 10;  // of each
    Secret password;
    std::uint16_t port = 3306;
    int network = -1;                  // where they are (system::NetworkSpace); -1: where they are started
    std::function<void()> on_failure;  // any thread
  };
  explicit Writers(Config config);
  // stop() and wait: of a server that hangs until its answer's time is up.
  ~Writers();
  Writers(const Writers&) = delete;
  Writers& operator=(const Writers&) = delete;

  void start();
  // Nothing is begun any more; joins with the end.
  void stop();
  void set_master(std::optional<std::string> address);
  const WriteAccount& account() const { return account_; }

 private:
  void write(unsigned writer);
  // False when the writers end.
  bool wait(std::chrono::steady_clock::time_point until);
  std::optional<std::string> master();

  const Config config_;
  WriteAccount account_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::string> master_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace drover::scenario
