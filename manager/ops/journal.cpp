#include "manager/ops/journal.hpp"

#include "manager/model/codec.hpp"

namespace drover::ops {
namespace {

constexpr std::size_t kHistoryKept = 1000;

Error misplaced(const char* what, std::int64_t row, std::int64_t id) {
  return make_error(ErrorCode::storage, std::string("the journal holds ") + what + " " + std::to_string(id) +
                                            " in the place of " + what + " " + std::to_string(row));
}

}  // namespace

Result<void> Journal::load(model::Model& model) {
  // First of all: from here on nobody else changes what is read.
  DROVER_TRY(generation_, store_.take_generation(0, 0));
  DROVER_TRY(const std::vector<StoredDocument> documents, store_.load());
  for (const auto& stored : documents) {
    switch (stored.table) {
      case Table::service: {
        DROVER_TRY(model.service, model::decode_service(stored.document));
        break;
      }
      case Table::node: {
        DROVER_TRY(auto node, model::decode_node(stored.document));
        if (node.id != stored.id) return misplaced("node", stored.id, node.id);
        model.add(std::move(node));
        break;
      }
      case Table::operation: {
        DROVER_TRY(auto operation, model::decode_operation(stored.document));
        if (operation.id != stored.id) return misplaced("operation", stored.id, operation.id);
        model.add(std::move(operation));
        break;
      }
      case Table::history:
        history_[stored.id] = stored.document;
        next_history_ = stored.id + 1;
        break;
    }
  }
  return success();
}

void Journal::fenced(const Error& error) {
  if (auto tell = std::exchange(on_fenced_, nullptr)) tell(error);
}

Task<Result<void>> Journal::raise_generation(std::uint64_t above) {
  // A commit under way names the present one.
  while (writing_) (void)co_await ended_.wait(kForever);
  auto raised = store_.take_generation(generation_, above);
  if (raised.has_error()) {
    if (raised.error().code == ErrorCode::fenced) fenced(raised.error());
    co_return std::move(raised).error();
  }
  generation_ = raised.value();
  co_return success();
}

std::int64_t Journal::add_history(std::string document) {
  mark();
  const auto number = next_history_++;
  history_[number] = std::move(document);
  history_changes_.insert(number);
  while (history_.size() > kHistoryKept) {
    history_changes_.insert(history_.begin()->first);
    history_.erase(history_.begin());
  }
  return number;
}

std::vector<Change> Journal::take_changes() {
  std::vector<Change> changes;
  changes.reserve(nodes_.size() + operations_.size() + history_changes_.size() + 1);
  if (service_) changes.push_back({Table::service, 1, false, model::encode(model_.service)});
  for (const auto id : nodes_) {
    const auto* node = model_.node(id);
    changes.push_back(
        {Table::node, id, node == nullptr, node == nullptr ? std::string() : model::encode(*node)});
  }
  for (const auto id : operations_) {
    const auto* operation = model_.operation(id);
    changes.push_back({Table::operation, id, operation == nullptr,
                       operation == nullptr ? std::string() : model::encode(*operation)});
  }
  for (const auto number : history_changes_) {
    const auto found = history_.find(number);
    const bool erased = found == history_.end();
    changes.push_back({Table::history, number, erased, erased ? std::string() : found->second});
  }
  return changes;
}

Task<void> Journal::write() {
  const std::uint64_t covered = changed_;
  std::vector<Change> changes = take_changes();
  const bool service = std::exchange(service_, false);
  auto nodes = std::exchange(nodes_, {});
  auto operations = std::exchange(operations_, {});
  auto history = std::exchange(history_changes_, {});
  bool written = false;
  for (unsigned attempt = 1; attempt <= 4 && !written; ++attempt) {
    const Result<void> result = co_await await_reply<void>(config_.store_timeout, [&](Handler<void> handler) {
      store_.commit(generation_, changes, std::move(handler));
    });
    if (result.has_value()) {
      written = true;
    } else if (result.error().code == ErrorCode::fenced) {
      fenced(result.error());
      co_await sleep_for(kForever);
    } else {
      last_error_ = result.error();
      co_await sleep_for(50ms * (1U << attempt));
    }
  }
  if (written) {
    written_ = covered;
    ++commits_;
  } else {
    service_ = service_ || service;
    nodes_.merge(nodes);
    operations_.merge(operations);
    history_changes_.merge(history);
  }
  tried_ = covered;
  writing_ = false;
  ended_.notify_all();
}

Task<Result<void>> Journal::flush() {
  const std::uint64_t target = changed_;
  const std::uint64_t tried_before = tried_;
  while (written_ < target) {
    if (!writing_) {
      writing_ = true;
      spawn(domain_, write());
    }
    (void)co_await ended_.wait(kForever);
    if (written_ < target && tried_ >= target && tried_ > tried_before) {
      Error error = last_error_;
      error.code = ErrorCode::storage;
      error.message = "the journal cannot be written: " + error.message;
      co_return error;
    }
  }
  co_return success();
}

Task<void> Journal::durable() {
  Duration pause = 1s;
  while (true) {
    const Result<void> written = co_await flush();
    if (written.has_value()) co_return;
    co_await sleep_for(pause);
    pause = std::min(pause * 2, Duration(30s));
  }
}

}  // namespace drover::ops
