// What a listing shows, without copies: instances as they were when it was made. Before one of them changes,
// the cloud puts a copy of it into the snapshots that somebody still holds. A handle; copies of it are the
// same snapshot. Single-threaded; reads instances of the cloud, and must not be read when that is gone.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "mockcloud/cloud/instance.hpp"

namespace drover::cloud {

// What callers are told of an instance as it is now. `into` is overwritten: its texts' memory is used again.
void tell(const Instance& vm, InstanceInfo& into);

class Snapshot {
 public:
  Snapshot() = default;
  // Of an Iaas that gives copies.
  explicit Snapshot(std::vector<InstanceInfo> infos);

  std::size_t size() const { return body_ == nullptr ? 0 : body_->rows.size(); }
  const std::string& id(std::size_t row) const;
  void tell(std::size_t row, InstanceInfo& into) const;
  std::vector<InstanceInfo> infos() const;
  // Takes rows out. Every handle of this snapshot sees it.
  void erase(std::size_t from, std::size_t count);

 private:
  friend class Snapshots;
  struct Row {
    const Instance* vm = nullptr;              // null: `told` is there
    std::unique_ptr<const InstanceInfo> told;  // null: the instance is as it was then
  };
  struct Body {
    std::vector<Row> rows;
  };
  std::shared_ptr<Body> body_;
};

// The snapshots of one cloud that somebody holds.
class Snapshots {
 public:
  // A snapshot that add() fills, in the order of the instances' numbers. `expected`: how many rows.
  Snapshot begin(std::size_t expected);
  // With `told` where a lagging listing shows something else than what is.
  static void add(Snapshot& snapshot, const Instance& vm, std::unique_ptr<const InstanceInfo> told = nullptr);
  // Before every change of an instance.
  void before_change(const Instance& vm) {
    if (!held_.empty()) preserve(vm);
  }

 private:
  void preserve(const Instance& vm);
  std::vector<std::weak_ptr<Snapshot::Body>> held_;
};

// A cloud, or a decorator of one, that lists without copies.
class Lister {
 public:
  // As Iaas::listVMs.
  virtual void list_snapshot(const CallContext& context, const std::string& key, const std::string& value,
                             Handler<Snapshot> handler) = 0;

 protected:
  ~Lister() = default;
};

// listVMs of `iaas`, without copies where it is a Lister.
void list_snapshot(Iaas& iaas, const CallContext& context, const std::string& key, const std::string& value,
                   Handler<Snapshot> handler);

}  // namespace drover::cloud
