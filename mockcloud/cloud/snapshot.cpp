#include "mockcloud/cloud/snapshot.hpp"

#include <algorithm>

namespace drover::cloud {

void tell(const Instance& vm, InstanceInfo& into) {
  into.id = vm.id;
  into.name = vm.spec.name;
  into.state = vm.state;
  if (vm.state == InstanceState::terminated)
    into.address.clear();
  else
    into.address = vm.address;
  into.fault = vm.fault.str();
  into.image = vm.spec.image.str();
  into.size = vm.spec.size.str();
  into.tags = vm.spec.tags;
  into.created_at = vm.created_at;
}

Snapshot::Snapshot(std::vector<InstanceInfo> infos) : body_(std::make_shared<Body>()) {
  body_->rows.reserve(infos.size());
  for (InstanceInfo& info : infos)
    body_->rows.push_back({nullptr, std::make_unique<const InstanceInfo>(std::move(info))});
}

const std::string& Snapshot::id(std::size_t row) const {
  const Row& shown = body_->rows[row];
  return shown.told != nullptr ? shown.told->id : shown.vm->id;
}

void Snapshot::tell(std::size_t row, InstanceInfo& into) const {
  const Row& shown = body_->rows[row];
  if (shown.told != nullptr)
    into = *shown.told;
  else
    cloud::tell(*shown.vm, into);
}

std::vector<InstanceInfo> Snapshot::infos() const {
  std::vector<InstanceInfo> all(size());
  for (std::size_t row = 0; row < all.size(); ++row) tell(row, all[row]);
  return all;
}

void Snapshot::erase(std::size_t from, std::size_t count) {
  if (count == 0) return;
  const auto begin = body_->rows.begin() + static_cast<std::ptrdiff_t>(from);
  body_->rows.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
}

Snapshot Snapshots::begin(std::size_t expected) {
  std::erase_if(held_, [](const auto& held) { return held.expired(); });
  Snapshot snapshot;
  snapshot.body_ = std::make_shared<Snapshot::Body>();
  snapshot.body_->rows.reserve(expected);
  held_.push_back(snapshot.body_);
  return snapshot;
}

void Snapshots::add(Snapshot& snapshot, const Instance& vm, std::unique_ptr<const InstanceInfo> told) {
  snapshot.body_->rows.push_back({&vm, std::move(told)});
}

void Snapshots::preserve(const Instance& vm) {
  std::erase_if(held_, [](const auto& held) { return held.expired(); });
  for (const auto& held : held_) {
    std::vector<Snapshot::Row>& rows = held.lock()->rows;
    const auto row = std::lower_bound(
        rows.begin(), rows.end(), vm.number,
        [](const Snapshot::Row& each, std::uint32_t number) { return each.vm->number < number; });
    if (row == rows.end() || row->vm != &vm || row->told != nullptr) continue;
    auto told = std::make_unique<InstanceInfo>();
    tell(vm, *told);
    row->told = std::move(told);
  }
}

void list_snapshot(Iaas& iaas, const CallContext& context, const std::string& key, const std::string& value,
                   Handler<Snapshot> handler) {
  if (auto* lister = dynamic_cast<Lister*>(&iaas); lister != nullptr)
    return lister->list_snapshot(context, key, value, std::move(handler));
  iaas.listVMs(context, key, value,
               [done = std::move(handler)](Result<std::vector<InstanceInfo>> result) mutable {
                 if (!result) return done(std::move(result).error());
                 done(Snapshot(std::move(result).value()));
               });
}

}  // namespace drover::cloud
