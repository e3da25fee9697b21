#include "scenarios/engine/durable_view.hpp"

#include <charconv>

#include "manager/model/codec.hpp"

namespace drover::scenario {
namespace {

// What follows "key": in a document; "" when the key is not there.
std::string_view value_in(std::string_view document, std::string_view key) {
  for (std::size_t at = document.find(key); at != std::string_view::npos; at = document.find(key, at + 1)) {
    const std::size_t end = at + key.size();
    if (at == 0 || document[at - 1] != '"' || end + 1 >= document.size()) continue;
    if (document[end] == '"' && document[end + 1] == ':') return document.substr(end + 2);
  }
  return {};
}

}  // namespace

std::string_view text_in(std::string_view document, std::string_view key) {
  const std::string_view value = value_in(document, key);
  if (value.size() < 2 || value[0] != '"') return {};
  return value.substr(1, value.find('"', 1) - 1);
}

std::uint64_t number_in(std::string_view document, std::string_view key) {
  const std::string_view value = value_in(document, key);
  std::uint64_t number = 0;
  std::from_chars(value.data(), value.data() + value.size(), number);
  return number;
}

void DurableView::commit(std::uint64_t generation, std::vector<Change> changes, Handler<void> handler) {
  auto copy = changes;
  inner_.commit(
      generation, std::move(copy),
      [this, changes = std::move(changes), done = std::move(handler)](Result<void> written) mutable {
        if (written.has_value())
          for (const Change& change : changes) apply(change);
        done(std::move(written));
      });
}

void DurableView::apply(const Change& change) {
  auto& table = tables_[static_cast<std::size_t>(change.table)];
  const auto known = table.find(change.id);
  const std::string before = known == table.end() ? std::string() : std::move(known->second);
  if (change.table == Table::node) {
    if (const auto vm = text_in(before, "vm"); !vm.empty()) {
      const auto at = by_vm_.find(std::string(vm));
      if (at != by_vm_.end() && at->second == change.id) by_vm_.erase(at);
    }
    if (const auto vm = text_in(change.document, "vm"); !change.erase && !vm.empty())
      by_vm_[std::string(vm)] = change.id;
  }
  if (change.erase) {
    if (known != table.end()) table.erase(known);
    if (change.table == Table::node) nodes_.erase(change.id);
  } else if (known != table.end()) {
    known->second = change.document;
  } else {
    table.emplace(change.id, change.document);
  }
  if (watch_) watch_(change, before);
}

Result<std::vector<StoredDocument>> DurableView::load() {
  auto loaded = inner_.load();
  if (loaded.has_error()) return loaded;
  for (auto& table : tables_) table.clear();
  by_vm_.clear();
  nodes_.clear();
  for (const StoredDocument& stored : loaded.value()) {
    tables_[static_cast<std::size_t>(stored.table)][stored.id] = stored.document;
    if (stored.table != Table::node) continue;
    if (const auto vm = text_in(stored.document, "vm"); !vm.empty()) by_vm_[std::string(vm)] = stored.id;
  }
  return loaded;
}

namespace {

template <class Slot, class Decode>
auto* decoded(Slot& slot, const std::string& document, Decode decode) {
  if (!slot.record || slot.document != document) {
    slot.document = document;
    auto record = decode(document);
    slot.record.reset();
    if (record.has_value()) slot.record = std::move(record).value();
  }
  return slot.record ? &*slot.record : nullptr;
}

}  // namespace

const model::Service* DurableView::service() {
  const auto& table = documents(Table::service);
  if (table.empty()) return nullptr;
  return decoded(service_, table.begin()->second, &model::decode_service);
}

const model::Node* DurableView::node(model::NodeId id) {
  const auto found = documents(Table::node).find(id);
  if (found == documents(Table::node).end()) return nullptr;
  return decoded(nodes_[id], found->second, &model::decode_node);
}

const model::Operation* DurableView::operation(model::OperationId id) {
  const auto found = documents(Table::operation).find(id);
  if (found == documents(Table::operation).end()) return nullptr;
  return decoded(operation_, found->second, &model::decode_operation);
}

model::NodeId DurableView::node_of_vm(const std::string& vm) const {
  const auto found = by_vm_.find(vm);
  return found == by_vm_.end() ? 0 : found->second;
}

}  // namespace drover::scenario
