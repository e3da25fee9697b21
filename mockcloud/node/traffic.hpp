// Clients of the service: writers that increment their own counter at the master's address and read it back,
// and the account of what they were promised. Closed loop: a writer has one statement under way. At most 3
// events a write. Destroy it before the fleet. Scheduler's thread only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mockcloud/node/fleet.hpp"

namespace drover::node {

struct TrafficConfig {
  unsigned writers = 1;
  double rate_per_second = 10;       // of each writer, as long as answers come faster; above 0
  std::string kind = "counter";      // the only one so far
  std::string name = "writer";       // writers are called "writer-1", …, and so are their counters
  Duration timeout{30s};             // a client stops waiting: the outcome is unknown
  unsigned read_back_every = 8;      // each so many statements is a read; 0: never
  std::function<void()> on_failure;  // a statement was refused or got no answer: is this still the master?
};

struct TrafficStats {
  std::uint64_t attempted = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t failed = 0;     // a clear refusal: nothing was written
  std::uint64_t unknown = 0;    // broken or timed out while waiting: may have been written
  std::uint64_t no_master = 0;  // nobody to write to
  std::uint64_t reads = 0;
  std::uint64_t stale_reads = 0;  // the counter was below what had been acknowledged
  TimePoint last_acknowledged_at{};
  // Writes that were wanted after it, or after await_answers(): the first and the last one.
  TimePoint wanted_since = kNever, wanted_last{};
  Duration longest_gap{0};  // between acknowledgements
};

class Traffic final : private WriteListener {
 public:
  // `master` tells the address clients write to, or nothing while there is none.
  Traffic(Scheduler& scheduler, Choices& choices, Trace& trace, Fleet& fleet,
          std::function<std::optional<std::string>()> master, TrafficConfig config);
  ~Traffic() override;

  void start();
  void stop();  // writers finish nothing more: statements under way become unknown
  bool running() const { return running_; }
  void await_answers() { stats_.wanted_since = kNever; }
  const TrafficStats& stats() const { return stats_; }

  // Transactions acknowledged to a client / of unknown outcome that were executed somewhere. What was
  // acknowledged by a server that is_open_by_accident() counts as unknown: nobody promised it.
  const StampSet& acknowledged() const { return acknowledged_; }
  const StampSet& unknown() const { return unknown_; }
  // Acknowledged writes that the server's data does not hold.
  std::uint64_t lost(const SimServer& server) const;
  // Of these, the ones that semi-sync answers for: acknowledged because a replica had them.
  std::uint64_t lost_protected(const SimServer& server) const;
  // Who confirmed them is taken away at the user's own wish: what was acknowledged until now is on the master
  // alone.
  void forget_protection() { protected_ = {}; }
  // Writes of these clients in the server's data that were neither acknowledged nor of unknown outcome.
  std::uint64_t phantoms(const SimServer& server) const;
  // Where the latest stale read was made.
  const std::string& stale_address() const { return stale_address_; }
  // Digest over every outcome so far; goes into the trace every 1,024 writes and at stop().
  std::uint64_t digest() const { return digest_; }

 private:
  struct Writer {
    std::string name;
    Ledger::Item counter = 0;
    std::uint64_t gap_key = 0;
    std::uint64_t token = 0;  // of the statement under way; 0: none
    bool reading = false;
    bool timer_armed = false;
    unsigned statements = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t forgiven = 0;  // losses already reported: not counted at each read again
    TimePoint sent_at{};
    TimePoint next_at{};
    std::string address;  // the statement under way went there
    Stamp stamp = kNoStamp;
    bool is_protected = false;                          // its answer came from under semi-sync
    bool by_accident = false;                           // from a server that a fault had opened: no promise
    WriteOutcome outcome = WriteOutcome::acknowledged;  // the server's answer, on its way
    WriteOutcome last = WriteOutcome::acknowledged;     // of the statement before: changes are traced
    bool had_master = true;
  };

  void write_waits(std::uint64_t token, Stamp stamp) override;
  void write_done(std::uint64_t token, WriteOutcome outcome, Stamp stamp) override;
  void plan(Writer& writer);
  void send(Writer& writer);
  void note_wanted();
  void read_done(std::uint64_t token, std::optional<std::uint64_t> value);
  void arm_timeout(Writer& writer);
  void on_timeout(Writer& writer);
  void finish(Writer& writer, WriteOutcome outcome);
  void count(Writer& writer, WriteOutcome outcome);
  Writer* under_way(std::uint64_t token);

  Scheduler& scheduler_;
  Choices& choices_;
  Trace& trace_;
  Fleet& fleet_;
  std::function<std::optional<std::string>()> master_;
  TrafficConfig config_;
  std::unique_ptr<Domain> domain_;
  std::vector<Writer> writers_;
  bool running_ = false;
  std::uint64_t statements_ = 0;
  std::uint64_t digest_ = 0;
  TrafficStats stats_;
  std::string stale_address_;
  StampSet acknowledged_;
  StampSet protected_;  // acknowledged under semi-sync
  StampSet unknown_;
};

}  // namespace drover::node
