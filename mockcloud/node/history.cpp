#include "mockcloud/node/history.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "manager/base/check.hpp"

namespace drover::node {

std::uint32_t Ledger::add_origin() {
  items_.emplace_back();
  return static_cast<std::uint32_t>(items_.size() - 1);
}

Ledger::Item Ledger::counter(std::string_view name) {
  const auto found = numbers_.find(name);
  if (found != numbers_.end()) return found->second;
  DROVER_CHECK(names_.size() < 65000, "more counters than the ledger can number");
  const auto item = static_cast<Item>(names_.size());
  names_.emplace_back(name);
  numbers_.emplace(name, item);
  return item;
}

Stamp Ledger::append(std::uint32_t origin, Change change) {
  const Stamp stamp = append(origin, kChange);
  changes_.emplace(stamp, std::move(change));
  return stamp;
}

std::size_t StampSet::first_ending_at_or_after(Stamp stamp) const {
  const auto at = std::lower_bound(intervals_.begin(), intervals_.end(), stamp,
                                   [](const Interval& i, Stamp s) { return i.last < s; });
  return static_cast<std::size_t>(at - intervals_.begin());
}

void StampSet::add(Stamp first, std::uint64_t count) {
  if (count == 0) return;
  const Stamp last = first + count - 1;
  if (hint_ < intervals_.size() && intervals_[hint_].last + 1 == first &&
      (hint_ + 1 == intervals_.size() || intervals_[hint_ + 1].first > last + 1)) {
    intervals_[hint_].last = last;
    size_ += count;
    return;
  }
  // Everything that overlaps or touches [first, last] melts into one interval.
  const std::size_t begin = first_ending_at_or_after(first == 0 ? 0 : first - 1);
  std::size_t end = begin;
  Interval merged{first, last};
  while (end < intervals_.size() && intervals_[end].first <= last + 1) {
    merged.first = std::min(merged.first, intervals_[end].first);
    merged.last = std::max(merged.last, intervals_[end].last);
    size_ -= intervals_[end].last - intervals_[end].first + 1;
    ++end;
  }
  const auto at = [this](std::size_t i) { return intervals_.begin() + static_cast<std::ptrdiff_t>(i); };
  if (begin == end) {
    intervals_.insert(at(begin), merged);
  } else {
    intervals_[begin] = merged;
    intervals_.erase(at(begin + 1), at(end));
  }
  size_ += merged.last - merged.first + 1;
  hint_ = begin;
}

void StampSet::remove(Stamp first, std::uint64_t count) {
  StampSet gone;
  gone.add(first, count);
  *this = minus(gone);
}

bool StampSet::contains(Stamp stamp) const { return intersects(stamp, 1); }

bool StampSet::intersects(Stamp first, std::uint64_t count) const {
  if (count == 0 || intervals_.empty()) return false;
  if (hint_ < intervals_.size() && intervals_[hint_].last + 1 == first)
    return hint_ + 1 < intervals_.size() && intervals_[hint_ + 1].first <= first + count - 1;
  const std::size_t at = first_ending_at_or_after(first);
  return at < intervals_.size() && intervals_[at].first <= first + count - 1;
}

StampSet StampSet::minus(const StampSet& other) const {
  StampSet result;
  auto cut = other.intervals_.begin();
  for (const Interval& own : intervals_) {
    Stamp from = own.first;
    while (cut != other.intervals_.end() && cut->last < from) ++cut;
    auto hole = cut;
    bool rest = true;
    for (; hole != other.intervals_.end() && hole->first <= own.last; ++hole) {
      if (hole->first > from) result.add(from, hole->first - from);
      if (hole->last >= own.last) {
        rest = false;
        break;
      }
      from = hole->last + 1;
    }
    if (rest) result.add(from, own.last - from + 1);
  }
  return result;
}

void StampSet::unite(const StampSet& other) {
  for (const Interval& i : other.intervals_) add(i.first, i.last - i.first + 1);
}

void StampSet::clear() { *this = StampSet{}; }

namespace {

bool by_stream(const Gtid& a, const Gtid& b) {
  return a.domain != b.domain ? a.domain < b.domain : a.server < b.server;
}

const Gtid* find_stream(const std::vector<Gtid>& state, std::uint32_t domain, std::uint32_t server) {
  const auto at = std::lower_bound(state.begin(), state.end(), Gtid{domain, server, 0}, by_stream);
  return at != state.end() && at->domain == domain && at->server == server ? &*at : nullptr;
}

void raise_stream(std::vector<Gtid>& state, const Gtid& gtid) {
  const auto at = std::lower_bound(state.begin(), state.end(), gtid, by_stream);
  if (at == state.end() || at->domain != gtid.domain || at->server != gtid.server)
    state.insert(at, gtid);
  else
    at->sequence = std::max(at->sequence, gtid.sequence);
}

}  // namespace

void Binlog::append(const Run& run) {
  if (run.count == 0) return;
  const bool grows = !entries_.empty() && entries_.back().run.domain == run.domain &&
                     entries_.back().run.server == run.server &&
                     entries_.back().run.sequence + entries_.back().run.count == run.sequence &&
                     entries_.back().run.stamp + entries_.back().run.count == run.stamp;
  if (grows)
    entries_.back().run.count += run.count;
  else
    entries_.push_back(Entry{end_, run});
  end_ += run.count;
  raise_stream(state_, run.last());
  position_.set(run.last());
}

void Binlog::reset(const Binlog& state) {
  const std::vector<Gtid> streams = state.state_;
  const GtidPosition position = state.position_;
  *this = Binlog{};
  files_.front().state = streams;
  state_ = streams;
  position_ = position;
}

void Binlog::truncate(std::uint64_t ordinal) {
  while (!entries_.empty() && entries_.back().ordinal >= ordinal) entries_.pop_back();
  while (files_.size() > 1 && files_.back().first > ordinal) files_.pop_back();
  if (!entries_.empty()) {
    Entry& last = entries_.back();
    last.run.count = std::min(last.run.count, ordinal - last.ordinal);
  }
  end_ = std::min(end_, ordinal);
  state_ = files_.front().state;
  position_.clear();
  for (const Gtid& gtid : state_) {
    const Gtid* known = position_.find(gtid.domain);
    if (known == nullptr || known->sequence < gtid.sequence) position_.set(gtid);
  }
  for (const Entry& entry : entries_) {
    raise_stream(state_, entry.run.last());
    position_.set(entry.run.last());
  }
}

const Gtid* Binlog::highest(std::uint32_t domain, std::uint32_t server) const {
  return find_stream(state_, domain, server);
}

std::optional<Binlog::Place> Binlog::after(const Gtid& gtid) const {
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    const Run& run = entry->run;
    if (run.domain != gtid.domain || run.server != gtid.server || run.sequence > gtid.sequence) continue;
    const std::uint64_t index = gtid.sequence - run.sequence;
    return Place{entry->ordinal + std::min(index, run.count - 1) + 1, index < run.count};
  }
  const Gtid* dropped = find_stream(files_.front().state, gtid.domain, gtid.server);
  if (dropped == nullptr) return Place{oldest(), false};
  if (dropped->sequence > gtid.sequence) return std::nullopt;
  // The last one of its stream, but only the last one of the whole domain is followed by what is still here.
  for (const Gtid& other : files_.front().state)
    if (other.domain == gtid.domain && other.sequence > gtid.sequence) return std::nullopt;
  return Place{oldest(), dropped->sequence == gtid.sequence};
}

std::size_t Binlog::entry_of(std::uint64_t ordinal) const {
  const auto at = std::upper_bound(entries_.begin(), entries_.end(), ordinal,
                                   [](std::uint64_t o, const Entry& e) { return o < e.ordinal; });
  return at == entries_.begin() ? 0 : static_cast<std::size_t>(at - entries_.begin()) - 1;
}

void Binlog::read(std::uint64_t from, std::uint64_t to, std::vector<Run>& runs) const {
  for (std::size_t i = entry_of(from); i < entries_.size() && entries_[i].ordinal < to; ++i) {
    Run run = entries_[i].run;
    const std::uint64_t begin = std::max(from, entries_[i].ordinal);
    const std::uint64_t end = std::min(to, entries_[i].ordinal + run.count);
    if (begin >= end) continue;
    const std::uint64_t skip = begin - entries_[i].ordinal;
    run.sequence += skip;
    run.stamp += skip;
    run.count = end - begin;
    runs.push_back(run);
  }
}

void Binlog::rotate() { files_.push_back(File{files_.back().number + 1, end_, state_}); }

std::uint64_t Binlog::purge(std::uint64_t in_use) {
  const std::uint64_t before = oldest();
  while (files_.size() > 1 && files_[1].first <= in_use) files_.erase(files_.begin());
  const std::uint64_t start = oldest();
  while (!entries_.empty() && entries_.front().ordinal + entries_.front().run.count <= start)
    entries_.erase(entries_.begin());
  if (!entries_.empty() && entries_.front().ordinal < start) {
    Entry& first = entries_.front();
    const std::uint64_t skip = start - first.ordinal;
    first.run.sequence += skip;
    first.run.stamp += skip;
    first.run.count -= skip;
    first.ordinal = start;
  }
  return start - before;
}

std::string Binlog::file_name() const {
  std::string number = std::to_string(files_.back().number);
  number.insert(0, number.size() < 6 ? 6 - number.size() : 0, '0');
  return "binlog." + number;
}

std::optional<std::uint64_t> Binlog::locate(std::string_view file, std::uint64_t position) const {
  constexpr std::string_view kPrefix = "binlog.";
  if (!file.starts_with(kPrefix)) return std::nullopt;
  file.remove_prefix(kPrefix.size());
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(file.data(), file.data() + file.size(), number);
  if (error != std::errc{} || end != file.data() + file.size()) return std::nullopt;
  for (std::size_t i = 0; i < files_.size(); ++i) {
    if (files_[i].number != number) continue;
    const std::uint64_t bound = i + 1 < files_.size() ? files_[i + 1].first : end_;
    const std::uint64_t offset = position < kHeaderBytes ? 0 : (position - kHeaderBytes) / kTransactionBytes;
    if (files_[i].first + offset > bound) return std::nullopt;
    return files_[i].first + offset;
  }
  return std::nullopt;
}

}  // namespace drover::node
