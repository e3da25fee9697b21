// The Store port: what must survive a crash of the manager, committed before every external effect.
// Documents by (table, id). Adapters: SQLite (file or memory).
//
// Contract (tests/contract/store_contract.hpp): a commit is atomic and durable when its handler gets success;
// after an error it may or may not have happened (Effect says which); commits happen in the order they were
// made; load() gives the documents of every successful commit, ordered by table and id.
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
  virtual void commit(std::vector<Change> changes, Handler<void> handler) = 0;
  // Everything stored. Called once, before anything else, when a manager starts.
  virtual Result<std::vector<StoredDocument>> load() = 0;
};

}  // namespace drover
