// The disk under the simulated manager's journal: a SQLite store in memory, and everything that can happen to
// a disk. Whatever the faults do, what it tells is what a journal on SQLite would tell after it: commits are
// whole or not there. Outlives every incarnation of the manager. Single-threaded.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "manager/adapters/sqlite_store.hpp"

namespace drover::scenario {

class JournalDisk final : public Store {
 public:
  // With `history` it can go back to earlier states; that costs a copy of every commit.
  JournalDisk(Scheduler& scheduler, Domain& domain, bool history);
  ~JournalDisk() override;

  Result<std::uint64_t> take_generation(std::uint64_t own, std::uint64_t above) override;
  void commit(std::uint64_t generation, std::vector<Change> changes, Handler<void> handler) override;
  Result<std::vector<StoredDocument>> load() override;

  // The next commit is cut off half-way by the death of the manager: `die` is called, nothing is stored,
  // nobody answers.
  void tear_next(std::function<void()> die) { tear_ = std::move(die); }
  // When the manager dies next, its last so many commits are not there, acknowledged or not.
  void lose_tail_at_crash(std::uint64_t commits) { losing_ = commits; }
  void manager_crashed();
  // Puts back the backup made at a time.
  void roll_back(TimePoint to);
  // Makes one document unreadable until it is mended or written anew; false when there is none of this name
  // ("node-2", "service-1").
  bool corrupt(const std::string& document);
  void mend() { corrupt_.reset(); }
  void set_full(bool full) { full_ = full; }
  void set_delay(Duration delay) { delay_ = delay; }

  // Whether a manager has reason not to start from it now.
  bool is_unusable() const { return full_ || corrupt_.has_value(); }
  bool is_losing() const { return losing_ > 0; }  // at the next crash
  // How often something that was acknowledged has been lost.
  unsigned losses() const { return losses_; }
  TimePoint lost_at() const { return lost_at_; }  // the latest loss; kNever: nothing was ever lost

 private:
  struct Entry {
    TimePoint at{};
    std::uint64_t generation = 0;
    bool taken = false;  // the generation was taken; else it made these changes
    std::vector<Change> changes;
  };

  struct Waiting {
    std::uint64_t generation = 0;
    std::vector<Change> changes;
    Handler<void> handler;
  };

  void write(std::uint64_t generation, std::vector<Change> changes, Handler<void> handler);
  void keep_first(std::size_t entries);

  Scheduler& scheduler_;
  Domain& domain_;
  bool keeps_history_;
  std::unique_ptr<SqliteStore> store_;
  std::vector<Entry> history_;
  std::deque<Waiting> queue_;  // on a slow disk
  std::function<void()> tear_;
  std::uint64_t losing_ = 0;
  std::optional<std::pair<Table, std::int64_t>> corrupt_;
  bool full_ = false;
  unsigned losses_ = 0;
  TimePoint lost_at_ = kNever;
  Duration delay_{0};
};

}  // namespace drover::scenario
