// What has been written, kept as runs of consecutive transactions so that 100,000 writes cost a few words,
// while loss and divergence stay exactly computable. Ledger: every transaction ever executed in this world,
// by stamp. StampSet: which of them a server's data holds. Binlog: in which order, under which GTIDs, a
// server logged them. Single-threaded.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mockcloud/node/gtid.hpp"

namespace drover::node {

// Names one execution of a transaction in the whole world, even where servers reuse a GTID: the origin's
// number in the upper bits, a running number of that origin in the lower 40.
using Stamp = std::uint64_t;
inline constexpr unsigned kStampIndexBits = 40;

struct UserAccount {
  std::string location = "%";
  std::uint64_t password_hash = 0;  // the password itself is never kept
  friend bool operator==(const UserAccount&, const UserAccount&) = default;
};

// A transaction that is more than "add one to a counter".
struct Change {
  std::map<std::string, std::optional<UserAccount>> users;  // nothing: dropped
  std::map<std::string, std::uint64_t> counters;            // set to this value
};

class Ledger {
 public:
  using Item = std::uint16_t;
  static constexpr Item kNothing = 0xFFFF;  // touches no modelled table (an errant or diverging transaction)
  static constexpr Item kChange = 0xFFFE;   // see change()

  // A new source of stamps.
  std::uint32_t add_origin();
  // The number of a counter, made at its first use. At most 65,000 counters.
  Item counter(std::string_view name);
  std::size_t counters() const { return names_.size(); }
  const std::string& counter_name(Item item) const { return names_[item]; }

  Stamp append(std::uint32_t origin, Item item) {
    auto& items = items_[origin];
    items.push_back(item);
    return (static_cast<Stamp>(origin) << kStampIndexBits) | (items.size() - 1);
  }
  Stamp append(std::uint32_t origin, Change change);
  Item item(Stamp stamp) const {
    return items_[stamp >> kStampIndexBits][stamp & ((1ULL << kStampIndexBits) - 1)];
  }
  const Change& change(Stamp stamp) const { return changes_.at(stamp); }

 private:
  std::vector<std::vector<Item>> items_;  // by origin, then index
  std::vector<std::string> names_;
  std::map<std::string, Item, std::less<>> numbers_;
  std::map<Stamp, Change> changes_;
};

// A set of stamps as sorted, disjoint, non-adjacent intervals.
class StampSet {
 public:
  struct Interval {
    Stamp first = 0;
    Stamp last = 0;
    friend bool operator==(const Interval&, const Interval&) = default;
  };

  void add(Stamp first, std::uint64_t count = 1);
  void remove(Stamp first, std::uint64_t count = 1);
  bool contains(Stamp stamp) const;
  bool intersects(Stamp first, std::uint64_t count) const;
  std::uint64_t size() const { return size_; }
  const std::vector<Interval>& intervals() const { return intervals_; }
  // What is here and not in `other`.
  StampSet minus(const StampSet& other) const;
  void unite(const StampSet& other);
  void clear();
  friend bool operator==(const StampSet& a, const StampSet& b) { return a.intervals_ == b.intervals_; }

 private:
  std::size_t first_ending_at_or_after(Stamp stamp) const;

  std::vector<Interval> intervals_;
  std::size_t hint_ = 0;  // the interval last grown
  std::uint64_t size_ = 0;
};

// Consecutive transactions of one domain and server.
struct Run {
  std::uint32_t domain = 0;
  std::uint32_t server = 0;
  std::uint64_t sequence = 0;  // of the first
  std::uint64_t count = 0;
  Stamp stamp = 0;  // of the first

  Gtid last() const { return Gtid{domain, server, sequence + count - 1}; }
};

// The binary log of one server. An ordinal numbers the transactions of this log from 0; purging drops the
// oldest files but changes no ordinal.
class Binlog {
 public:
  struct File {
    std::uint32_t number = 1;
    std::uint64_t first = 0;  // ordinal of its first transaction
    std::vector<Gtid> state;  // highest sequence of each (domain, server) before it, sorted
  };
  static constexpr std::uint64_t kHeaderBytes = 330;
  static constexpr std::uint64_t kTransactionBytes = 180;

  Binlog() { files_.push_back(File{}); }

  void append(const Run& run);
  // RESET MASTER and SET GLOBAL gtid_binlog_state: an empty log that continues from `state`.
  void reset(const Binlog& state);
  // Drops everything from this ordinal on (only crash recovery does).
  void truncate(std::uint64_t ordinal);
  std::uint64_t end() const { return end_; }
  std::uint64_t oldest() const { return files_.front().first; }
  bool empty() const { return state_.empty(); }  // nothing was ever logged
  // The last transaction logged in each domain: gtid_binlog_pos.
  const GtidPosition& position() const { return position_; }

  // Highest sequence logged under (domain, server), ever.
  const Gtid* highest(std::uint32_t domain, std::uint32_t server) const;
  // Where a replica that has applied this id goes on. `exact`: the id itself is in the log (or ends what was
  // purged), not merely a later one of its stream. Nothing when what follows it has been purged.
  struct Place {
    std::uint64_t ordinal = 0;
    bool exact = false;
  };
  std::optional<Place> after(const Gtid& gtid) const;
  // Copies [from, to) as runs.
  void read(std::uint64_t from, std::uint64_t to, std::vector<Run>& runs) const;

  void rotate();  // starts a new file
  // Drops whole files that lie before `in_use` (an ordinal), never the active one. Returns transactions
  // dropped.
  std::uint64_t purge(std::uint64_t in_use);
  std::string file_name() const;
  std::uint64_t file_position() const {
    return kHeaderBytes + (end_ - files_.back().first) * kTransactionBytes;
  }
  // The ordinal that SHOW MASTER STATUS showed as (file, position).
  std::optional<std::uint64_t> locate(std::string_view file, std::uint64_t position) const;
  const File& oldest_file() const { return files_.front(); }

 private:
  struct Entry {
    std::uint64_t ordinal = 0;
    Run run;
  };
  std::size_t entry_of(std::uint64_t ordinal) const;

  std::vector<Entry> entries_;
  std::vector<File> files_;
  std::vector<Gtid> state_;
  GtidPosition position_;
  std::uint64_t end_ = 0;
};

}  // namespace drover::node
