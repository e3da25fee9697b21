#include "scenarios/engine/journal_disk.hpp"

#include <algorithm>

namespace drover::scenario {
namespace {

Error disk_full() {
  return make_error(ErrorCode::storage,
                    "the journal could not be written: database or disk is full; free some space on its disk",
                    Effect::none, Retry::soon);
}

std::string name_of(Table table, std::int64_t id) {
  return std::string(to_text(table)) + "-" + std::to_string(id);
}

// Making the tables costs as much as a short run: each thread uses its stores again and again.
using Stores = std::vector<std::unique_ptr<SqliteStore>>;
Stores& spare_stores() {
  thread_local Stores spare;
  return spare;
}

std::unique_ptr<SqliteStore> empty_store() {
  Stores& spare = spare_stores();
  while (!spare.empty()) {
    auto store = std::move(spare.back());
    spare.pop_back();
    if (store->clear().has_value()) return store;
  }
  return SqliteStore::open(":memory:").value();
}

}  // namespace

JournalDisk::~JournalDisk() {
  if (store_) spare_stores().push_back(std::move(store_));
}

JournalDisk::JournalDisk(Scheduler& scheduler, Domain& domain, bool history)
    : scheduler_(scheduler), domain_(domain), keeps_history_(history), store_(empty_store()) {}

Result<std::uint64_t> JournalDisk::take_generation(std::uint64_t own, std::uint64_t above) {
  if (full_) return disk_full();
  auto taken = store_->take_generation(own, above);
  if (taken.has_value() && keeps_history_) history_.push_back({scheduler_.now(), taken.value(), true, {}});
  return taken;
}

void JournalDisk::commit(std::uint64_t generation, std::vector<Change> changes, Handler<void> handler) {
  if (auto die = std::exchange(tear_, nullptr)) return die();
  if (full_) return handler(disk_full());
  if (delay_ <= Duration{0} && queue_.empty())
    return write(generation, std::move(changes), std::move(handler));
  // In the order in which they were made, however long each takes.
  queue_.push_back({generation, std::move(changes), std::move(handler)});
  scheduler_.call_after(domain_, delay_, [this] {
    Waiting first = std::move(queue_.front());
    queue_.pop_front();
    write(first.generation, std::move(first.changes), std::move(first.handler));
  });
}

void JournalDisk::write(std::uint64_t generation, std::vector<Change> changes, Handler<void> handler) {
  Result<void> written = success();
  std::vector<Change> kept;
  if (keeps_history_) kept = changes;
  if (corrupt_ && std::any_of(changes.begin(), changes.end(), [this](const Change& change) {
        return change.table == corrupt_->first && change.id == corrupt_->second;
      }))
    mend();
  store_->commit(generation, std::move(changes),
                 [&written](Result<void> result) { written = std::move(result); });
  if (written.has_value() && keeps_history_)
    history_.push_back({scheduler_.now(), generation, false, std::move(kept)});
  handler(std::move(written));
}

Result<std::vector<StoredDocument>> JournalDisk::load() {
  auto documents = store_->load();
  if (documents.has_error() || !corrupt_) return documents;
  for (auto& stored : documents.value())
    if (stored.table == corrupt_->first && stored.id == corrupt_->second)
      stored.document.replace(stored.document.size() / 2, std::string::npos, "\x7f\x03\xff");
  return documents;
}

void JournalDisk::manager_crashed() {
  std::uint64_t left = std::exchange(losing_, 0);
  if (left == 0) return;
  std::size_t kept = history_.size();
  while (left > 0 && kept > 0)
    if (!history_[--kept].taken) --left;
  keep_first(kept);
}

void JournalDisk::roll_back(TimePoint to) {
  std::size_t kept = 0;
  while (kept < history_.size() && history_[kept].at <= to) ++kept;
  keep_first(kept);
}

void JournalDisk::keep_first(std::size_t entries) {
  DROVER_CHECK(keeps_history_, "this journal keeps no history to go back in");
  if (entries == history_.size()) return;
  ++losses_;
  lost_at_ = scheduler_.now();
  history_.resize(entries);
  spare_stores().push_back(std::move(store_));
  store_ = empty_store();
  for (const Entry& entry : history_) {
    if (entry.taken) {
      (void)store_->take_generation(0, entry.generation - 1);
    } else {
      store_->commit(entry.generation, entry.changes, [](Result<void> written) {
        DROVER_CHECK(written.has_value(), "a commit that was made before cannot be made again");
      });
    }
  }
}

bool JournalDisk::corrupt(const std::string& document) {
  const auto documents = store_->load();
  for (const auto& stored : documents.value()) {
    if (name_of(stored.table, stored.id) != document) continue;
    corrupt_ = {stored.table, stored.id};
    return true;
  }
  return false;
}

}  // namespace drover::scenario
