// The Store port with faults: wraps another implementation, asks the engine before a commit and before its
// answer, and traces both. The subject of a commit is its first document: "node-3", "operation-7".
// Single-threaded; lifetimes as for FaultyIaas.
#pragma once

#include "manager/ports/store.hpp"
#include "mockcloud/fault/engine.hpp"

namespace drover::fault {

class FaultyStore final : public Store {
 public:
  FaultyStore(Store& inner, Engine& engine) : inner_(inner), engine_(engine) {}

  Result<std::uint64_t> take_generation(std::uint64_t own, std::uint64_t above) override {
    return inner_.take_generation(own, above);
  }
  void commit(std::uint64_t generation, std::vector<Change> changes, Handler<void> handler) override;
  Result<std::vector<StoredDocument>> load() override { return inner_.load(); }

 private:
  Store& inner_;
  Engine& engine_;
};

}  // namespace drover::fault
