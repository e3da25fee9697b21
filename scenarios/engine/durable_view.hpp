// The journal as it would be found after a crash now: a Store that passes everything on to the one below and
// remembers what has been stored, in the form of its documents. Sits below the faults, so that only what
// really was written counts. Checkers read it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "manager/model/records.hpp"
#include "manager/ports/store.hpp"

namespace drover::scenario {

class DurableView final : public Store {
 public:
  explicit DurableView(Store& inner) : inner_(inner) {}

  Result<std::uint64_t> take_generation(std::uint64_t own, std::uint64_t above) override {
    return inner_.take_generation(own, above);
  }
  void commit(std::uint64_t generation, std::vector<Change> changes, Handler<void> handler) override;
  // What a starting manager finds is what is stored, whatever was done to the file meanwhile.
  Result<std::vector<StoredDocument>> load() override;

  // Called for every document that has been stored, with the one before it; "" where there is, or was, none.
  using Watch = std::function<void(const Change& change, const std::string& before)>;
  void set_watch(Watch watch) { watch_ = std::move(watch); }

  // The stored records, null where there is none (or none that can be read). Valid until the next commit.
  const model::Service* service();
  const model::Node* node(model::NodeId id);
  const model::Operation* operation(model::OperationId id);
  // The node whose record names this VM; 0: none does.
  model::NodeId node_of_vm(const std::string& vm) const;
  const std::map<std::int64_t, std::string>& documents(Table table) const {
    return tables_[static_cast<std::size_t>(table)];
  }

 private:
  template <class Record>
  struct Decoded {
    std::string document;
    std::optional<Record> record;
  };

  void apply(const Change& change);

  Store& inner_;
  Watch watch_;
  std::map<std::int64_t, std::string> tables_[4];
  std::unordered_map<std::string, model::NodeId> by_vm_;  // looked up only
  Decoded<model::Service> service_;
  std::unordered_map<std::int64_t, Decoded<model::Node>> nodes_;  // looked up only
  Decoded<model::Operation> operation_;
};

// A text or a number of a document as the codec writes it, without reading all of it; "" and 0 when it has
// none.
std::string_view text_in(std::string_view document, std::string_view key);
std::uint64_t number_in(std::string_view document, std::string_view key);

}  // namespace drover::scenario
