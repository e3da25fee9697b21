// The Store port: what must survive a crash of the manager, committed before every external effect.
// Documents by (table, id). Adapters: SQLite (file or memory).
//
// Contract (tests/contract/store_contract.hpp): a commit is atomic and durable when its handler gets success;
// after an error it may or may not have happened (Effect says which); commits happen in the order they were
// made; load() gives the documents of every successful commit, ordered by table and id.
//
// A journal has one writer, the manager that took the newest generation. Every commit names its writer's, and
// one of an older writer fails for good with ErrorCode::fenced and without effect, even when it arrives late.
#pragma once

#include <string>
#include <vector>

#include "manager/runtime/task.hpp"

namespace drover {

enum class Table : unsigned char { service, node, operation, history };
const char* to_text(Table table);

struct Change {
  Table table{};
  std::int64_t id = 0;
  bool erase = false;
  std::string document;  // JSON; ignored when erase
};

struct StoredDocument {
  Table table{};
  std::int64_t id = 0;
  std::string document;
};

class Store {
 public:
  virtual ~Store() = default;
  // Makes the caller the journal's writer: durably takes a generation (1, 2, …) above every one before it and
  // above `above`. `own` is 0 for a manager that starts; a writer that needs a higher one gives its present
  // generation, and gets ErrorCode::fenced when that is no longer the newest.
  // Other errors (ErrorCode::storage) have no effect.
  virtual Result<std::uint64_t> take_generation(std::uint64_t own, std::uint64_t above) = 0;
  virtual void commit(std::uint64_t generation, std::vector<Change> changes, Handler<void> handler) = 0;
  // Everything stored. Called once, when a manager starts, after it has taken its generation.
  virtual Result<std::vector<StoredDocument>> load() = 0;
};

}  // namespace drover
