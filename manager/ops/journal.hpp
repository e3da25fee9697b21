// The operation journal: what must survive, committed before every external effect. Changes made while a
// commit is under way are gathered into the next one, so a thousand nodes coming up at once cost few commits.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "manager/model/records.hpp"
#include "manager/ops/config.hpp"
#include "manager/ports/store.hpp"
#include "manager/runtime/task.hpp"

namespace drover::ops {

class Journal {
 public:
  Journal(Domain& domain, Store& store, const model::Model& model, const Configuration& config)
      : domain_(domain), store_(store), model_(model), config_(config) {}

  // Takes the journal over from whoever wrote it before, and reads everything into `model`. Called once,
  // before anything else.
  Result<void> load(model::Model& model);
  // This manager's generation; 0 before load().
  std::uint64_t generation() const { return generation_; }
  // Goes on under a generation above `above`. Errors: fenced when another manager has taken over; storage.
  Task<Result<void>> raise_generation(std::uint64_t above);
  // Called, once, when a commit shows that another manager has taken over. No flush returns after that.
  void set_on_fenced(std::function<void(const Error&)> on_fenced) { on_fenced_ = std::move(on_fenced); }

  void service_changed() { mark(), service_ = true; }
  void node_changed(model::NodeId id) { mark(), nodes_.insert(id); }  // also when erased
  void operation_changed(model::OperationId id) { mark(), operations_.insert(id); }
  // Adds one line to the audit trail; written with the next commit. Returns its number.
  std::int64_t add_history(std::string document);
  const std::map<std::int64_t, std::string>& history() const { return history_; }

  // Everything changed until now is durable on return. One try (with the configured retries); on an error the
  // caller must not go on with an effect, and the changes stay marked for the next commit.
  Task<Result<void>> flush();
  // The same, but does not give up: for work that cannot go on without it.
  Task<void> durable();

  std::uint64_t commits() const { return commits_; }
  // Whether all that was marked is durable, and no commit is under way.
  bool is_settled() const { return !writing_ && written_ == changed_; }

 private:
  void mark() { ++changed_; }
  void fenced(const Error& error);
  std::vector<Change> take_changes();
  Task<void> write();

  Domain& domain_;
  Store& store_;
  const model::Model& model_;
  const Configuration& config_;
  std::uint64_t changed_ = 0;  // number of the newest change
  std::uint64_t written_ = 0;  // durable through this change
  std::uint64_t tried_ = 0;    // commits that ended, well or not, cover this change
  std::uint64_t commits_ = 0;
  std::uint64_t generation_ = 0;
  std::function<void(const Error&)> on_fenced_;
  bool writing_ = false;
  bool service_ = false;
  std::set<model::NodeId> nodes_;
  std::set<model::OperationId> operations_;
  std::map<std::int64_t, std::string> history_;
  std::set<std::int64_t> history_changes_;
  std::int64_t next_history_ = 1;
  Error last_error_;
  Signal ended_;
};

}  // namespace drover::ops
