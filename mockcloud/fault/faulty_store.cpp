#include "mockcloud/fault/faulty_store.hpp"

#include "mockcloud/fault/faulty_call.hpp"

namespace drover::fault {
namespace {

constexpr CallSite kCommit{Port::store, "commit", TraceKind::journal};

std::string subject_of(const std::vector<Change>& changes) {
  if (changes.empty()) return "journal";
  return std::string(to_text(changes.front().table)) + "-" + std::to_string(changes.front().id);
}

}  // namespace

void FaultyStore::commit(std::uint64_t generation, std::vector<Change> changes, Handler<void> handler) {
  const std::string subject = subject_of(changes);
  std::size_t bytes = 0;
  for (const auto& change : changes) bytes += change.document.size();
  engine_.trace().add(TraceKind::journal, subject, kCommit.call, changes.size(), bytes);
  CallContext context;
  context.subject = subject;
  CallFaults faults = engine_.at_call(Port::store, kCommit.call, Phase::before, subject);
  ReplyPath<void, NoAdjustment> reply(engine_, kCommit, context, std::move(handler), {});
  if (!faults.any) {
    inner_.commit(generation, std::move(changes), std::move(reply));
    return;
  }
  call_with_faults(engine_, context, std::move(faults), std::move(reply),
                   [this, generation, changes](const CallContext&, Handler<void> done) {
                     inner_.commit(generation, changes, std::move(done));
                   });
}

}  // namespace drover::fault
