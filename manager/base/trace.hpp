// The trace of a run: typed entries in the order they happened, and a digest over all of them. The digest
// always runs; the entries themselves are kept only when asked for (a failing run is simply run again with
// keep()). Nothing secret and no address of memory may be added. Single-threaded.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "manager/base/hash.hpp"
#include "manager/base/time.hpp"

namespace drover {

// What an entry tells of; the name in text renderings is to_text(kind).
enum class TraceKind : std::uint16_t {
  step,           // the scenario's own steps
  request,        // API request accepted by the manager
  response,       // and its answer
  service_state,  // service: from -> to
  node_state,     // node: from -> to
  operation,      // operation: event
  journal,        // commit
  iaas_call,      // manager -> cloud
  iaas_reply,
  agent_call,  // manager -> agent
  agent_reply,
  instance,  // the cloud's truth: lifecycle
  agent,     // the simulated agent's truth
  database,  // the simulated server's truth
  client,    // traffic
  fault,     // a fault fired
  crash,     // manager crash or restart
  check,     // an invariant or expectation was violated
  note,
};
const char* to_text(TraceKind kind);

struct TraceEntry {
  TimePoint at{};
  TraceKind kind{};
  std::string subject;  // "node-1", "op-3", "i-0002"
  std::string detail;
};

class Trace {
 public:
  Trace() = default;
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  // From now on entries are stored, not only digested.
  void keep() { keep_ = true; }
  bool keeping() const { return keep_; }
  void set_time(TimePoint now) { now_ = now; }
  // `watch` is shown every text of at least `shortest` bytes that is added from now on: what must not be here
  // is found without rendering anything.
  void watch_texts(std::size_t shortest, std::function<void(std::string_view)> watch) {
    watched_from_ = shortest;
    watch_ = std::move(watch);
  }
  // Entries are stamped with what `clock` says then; it must outlive the trace's use.
  void follow(const TimePoint* clock) { clock_ = clock; }

  // Adds one entry at the present time. Parts are integers, booleans and texts; rendered with spaces between.
  template <class... Parts>
  void add(TraceKind kind, std::string_view subject, const Parts&... parts) {
    std::uint64_t state = mix(digest_, static_cast<std::uint64_t>(clock_->time_since_epoch().count()));
    state = mix(state, static_cast<std::uint64_t>(kind) + 1);
    state = mix_part(state, subject);
    ((state = mix_part(state, parts)), ...);
    digest_ = state;
    ++count_;
    if (keep_) {
      TraceEntry entry{*clock_, kind, std::string(subject), {}};
      ((append_part(entry.detail, parts)), ...);
      entries_.push_back(std::move(entry));
    }
  }

  std::uint64_t digest() const { return digest_; }
  std::uint64_t count() const { return count_; }
  const std::vector<TraceEntry>& entries() const { return entries_; }

 private:
  std::uint64_t mix_part(std::uint64_t state, std::string_view part) const {
    if (part.size() >= watched_from_) [[unlikely]]
      watch_(part);
    return hash_text(part, state);
  }
  static std::uint64_t mix_part(std::uint64_t state, std::integral auto part) {
    return mix(state, static_cast<std::uint64_t>(part));
  }
  static void append_part(std::string& text, std::string_view part) {
    if (!text.empty()) text += ' ';
    text += part;
  }
  static void append_part(std::string& text, std::integral auto part) {
    append_part(text, std::to_string(part));
  }

  std::uint64_t digest_ = 0;
  std::uint64_t count_ = 0;
  TimePoint now_{};
  const TimePoint* clock_ = &now_;
  std::size_t watched_from_ = SIZE_MAX;
  std::function<void(std::string_view)> watch_;
  bool keep_ = false;
  std::vector<TraceEntry> entries_;
};

// One line: "[   12.345s] iaas_call    node-1  newInstance token=..".
std::string to_text(const TraceEntry& entry);

}  // namespace drover
