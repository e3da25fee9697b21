// The one scheduler: an Asio execution context that runs coroutines and callbacks ordered by (time,
// sequence). In the simulation its clock jumps to the next event (mockcloud/sim); in production a steady
// timer pumps it (manager/adapters/real_time.hpp). The manager is compiled once and cannot tell the
// difference.
//
// Everything pending belongs to a Domain (one incarnation of the manager, one operation, the cloud). Killing
// a domain destroys its suspended coroutines and drops its pending callbacks without running them: this is
// how a crash of the manager and the cancellation of an operation are made. Domains of one Process can be
// frozen together: this is how a SIGSTOP of the manager is made.
//
// Single-threaded: every member is called on the thread that runs the scheduler.
#pragma once

#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "manager/base/check.hpp"
#include "manager/base/hash.hpp"
#include "manager/base/time.hpp"

namespace drover {

namespace asio = boost::asio;

class Scheduler;
class Domain;
class Process;

// A pending piece of work, linked into its domain. `act` runs it, or destroys it without running.
struct Op {
  enum class Act : unsigned char { run, destroy };
  using Function = void (*)(Op*, Act);

  explicit Op(Function function) : act(function) {}
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;

  Function act;
  Op* next_ready = nullptr;
  Op* next = nullptr;  // the domain's list
  Op* previous = nullptr;
  Domain* domain = nullptr;
  std::uint64_t sequence = 0;
};

// What can be frozen as a whole: while it is, nothing of its domains runs. What comes due waits, and runs in
// that order when it goes on. Must outlive its domains.
class Process {
 public:
  explicit Process(Scheduler& scheduler) : scheduler_(scheduler) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  // May be called from one of its own coroutines, which goes on to its next wait.
  void freeze() { frozen_ = true; }
  void thaw();
  bool frozen() const { return frozen_; }

 private:
  friend class Scheduler;
  friend class Domain;
  void park(Op* op);
  void forget(const Domain* domain);

  Scheduler& scheduler_;
  // Came due while frozen. Linked into their domains, or into none when their timer was abandoned since.
  Op* parked_head_ = nullptr;
  Op* parked_tail_ = nullptr;
  bool frozen_ = false;
};

// A group of pending work with one lifetime. Must outlive the coroutines spawned in it; ~Domain kills.
class Domain {
 public:
  explicit Domain(Scheduler& scheduler) : scheduler_(scheduler) {}
  Domain(Scheduler& scheduler, Process& process) : scheduler_(scheduler), process_(&process) {}
  Domain(const Domain&) = delete;
  Domain& operator=(const Domain&) = delete;
  ~Domain() { kill(); }

  Scheduler& scheduler() const { return scheduler_; }
  // Destroys everything pending; nothing of this domain runs afterwards. Never call it from a coroutine of
  // the domain itself: post the kill from another domain.
  void kill();
  bool killed() const { return killed_; }
  bool idle() const { return head_ == nullptr; }

 private:
  friend class Scheduler;
  friend class Executor;
  bool frozen() const { return process_ != nullptr && process_->frozen(); }
  void link(Op* op) {
    op->domain = this;
    op->next = head_;
    op->previous = nullptr;
    if (head_ != nullptr) head_->previous = op;
    head_ = op;
  }
  void unlink(Op* op) {
    if (op->previous != nullptr)
      op->previous->next = op->next;
    else
      head_ = op->next;
    if (op->next != nullptr) op->next->previous = op->previous;
    op->domain = nullptr;
  }

  Scheduler& scheduler_;
  Op* head_ = nullptr;
  Process* process_ = nullptr;
  bool killed_ = false;
};

// The concrete executor type of every coroutine: a scheduler and the domain that owns the work.
class Executor {
 public:
  Executor(Scheduler& scheduler, Domain& domain) noexcept : scheduler_(&scheduler), domain_(&domain) {}
  explicit Executor(Domain& domain) noexcept : scheduler_(&domain.scheduler()), domain_(&domain) {}

  Scheduler& scheduler() const noexcept { return *scheduler_; }
  Domain& domain() const noexcept { return *domain_; }

  asio::execution_context& query(asio::execution::context_t) const noexcept;
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.never;
  }
  Executor require(asio::execution::blocking_t::never_t) const noexcept { return *this; }

  template <class F>
  void execute(F&& function) const;

  friend bool operator==(const Executor&, const Executor&) noexcept = default;

 private:
  Scheduler* scheduler_;
  Domain* domain_;
};

class Scheduler : public asio::execution_context {
 public:
  Scheduler() { heap_.reserve(1024); }
  ~Scheduler();

  TimePoint now() const { return now_; }
  // Where now() is kept, for a Trace to follow.
  const TimePoint* now_address() const { return &now_; }

  // Queues `op` to run at the present time, after everything already queued. The op must not be queued
  // already.
  void post(Domain& domain, Op* op) {
    domain.link(op);
    push_ready(op);
  }
  // Queues an op that is already linked into its domain (it was waiting for something else).
  void push_ready(Op* op) {
    op->sequence = ++sequence_;
    op->next_ready = nullptr;
    if (ready_tail_ != nullptr)
      ready_tail_->next_ready = op;
    else
      ready_head_ = op;
    ready_tail_ = op;
  }

  // Queues `op` for a time (now at the earliest). Ops at the same time run in the order they were queued.
  void post_at(Domain& domain, TimePoint at, Op* op) {
    domain.link(op);
    push_heap(at, op);
  }
  // Cancels a queued timer: its shell stays in the heap and is destroyed when its time comes.
  void abandon_timer(Op* op) { op->domain->unlink(op); }

  // Callbacks for code that does not use coroutines. The function is dropped unrun when the domain is killed.
  template <class F>
  void call_soon(Domain& domain, F&& function) {
    if (domain.killed_) return;
    post(domain, make_callback(std::forward<F>(function)));
  }
  template <class F>
  void call_at(Domain& domain, TimePoint at, F&& function) {
    if (domain.killed_) return;
    post_at(domain, at, make_callback(std::forward<F>(function)));
  }
  template <class F>
  void call_after(Domain& domain, Duration delay, F&& function) {
    call_at(domain, later(delay), std::forward<F>(function));
  }
  // now + delay, saturated at kNever.
  TimePoint later(Duration delay) const {
    if (delay <= Duration{0}) return now_;
    return delay > kNever - now_ ? kNever : now_ + delay;
  }

  // Runs the next event, jumping the clock to it; false when nothing is queued or the next is after `limit`.
  bool run_one(TimePoint limit = kNever);
  // Runs everything due until `limit`, at most `max_events`; the clock ends at `limit` unless stopped early.
  std::uint64_t run_until(TimePoint limit, std::uint64_t max_events = UINT64_MAX);
  // Runs event by event until `limit`, calling `after()` behind each; ends early when it returns false.
  template <class After>
  void run_each(TimePoint limit, After&& after) {
    run_with_recycling(
        [](void* context, Scheduler& self, TimePoint until) {
          auto& call = *static_cast<std::remove_reference_t<After>*>(context);
          while (self.run_one(until))
            if (!call()) return;
        },
        &after, limit);
  }
  // Runs everything that is due at `now` in real time, without jumping past it; for the real-time pump.
  void advance_to(TimePoint now);
  // The time of the next event, kNever when nothing is queued.
  TimePoint next_event();
  // For simulations: from now on timers of the same moment run in an order drawn from `key` instead of the
  // one they were queued in, and each comes up to `spread` late. 0 ends it.
  void shuffle(std::uint64_t key, Duration spread) {
    shuffle_key_ = key;
    shuffle_spread_ = spread;
  }
  // Makes run_until return after the present event.
  void stop() { stopped_ = true; }

  std::uint64_t events() const { return events_; }
  // Digest over the (time, sequence) of every event run so far.
  std::uint64_t digest() const { return digest_; }

  // Recycles blocks of at most kBlockMax bytes.
  void* allocate(std::size_t size);
  void deallocate(void* block, std::size_t size);

  template <class F>
  struct Callback : Op {
    Callback(Scheduler& s, F&& f) : Op(&Callback::perform), scheduler(s), function(std::move(f)) {}
    static void perform(Op* op, Act act) {
      auto* self = static_cast<Callback*>(op);
      Scheduler& scheduler = self->scheduler;
      F function(std::move(self->function));
      self->~Callback();
      scheduler.deallocate(self, sizeof(Callback));
      if (act == Act::run) function();
    }
    Scheduler& scheduler;
    F function;
  };

  template <class F>
  Op* make_callback(F&& function) {
    using Op_ = Callback<std::decay_t<F>>;
    return new (allocate(sizeof(Op_))) Op_(*this, std::decay_t<F>(std::forward<F>(function)));
  }

 private:
  friend class Domain;
  friend class Process;

  // `op->domain` is null when the timer was abandoned.
  struct Timer {
    TimePoint at;
    std::uint64_t sequence;
    Op* op;
  };

  void run_with_recycling(void (*body)(void*, Scheduler&, TimePoint), void* context, TimePoint limit);
  void push_heap(TimePoint at, Op* op);
  void shuffle(TimePoint& at, std::uint64_t& sequence) const;
  // Forgets what the ready queue and the heap hold of a domain that is being killed.
  void forget(const Domain* domain);
  // Takes abandoned timers away that would be next.
  void drop_abandoned();
  static bool earlier(const Timer& a, const Timer& b) {
    return a.at < b.at || (a.at == b.at && a.sequence < b.sequence);
  }
  void pop_heap();
  Op* take_ready() {
    Op* op = ready_head_;
    ready_head_ = op->next_ready;
    if (ready_head_ == nullptr) ready_tail_ = nullptr;
    return op;
  }
  void run_op(Op* op, std::uint64_t sequence) {
    digest_ = mix(digest_ ^ static_cast<std::uint64_t>(now_.time_since_epoch().count()), sequence);
    ++events_;
    if (op->domain->frozen()) {
      op->domain->process_->park(op);
      return;
    }
    op->domain->unlink(op);
    op->act(op, Op::Act::run);
  }

  static constexpr std::size_t kBlockStep = 64;
  static constexpr std::size_t kBlockMax = 1024;

  TimePoint now_{};
  std::uint64_t sequence_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t digest_ = 0;
  Op* ready_head_ = nullptr;
  Op* ready_tail_ = nullptr;
  std::vector<Timer> heap_;  // 4-ary
  bool stopped_ = false;
  std::uint64_t shuffle_key_ = 0;
  Duration shuffle_spread_{0};
  void* free_[kBlockMax / kBlockStep] = {};
};

inline asio::execution_context& Executor::query(asio::execution::context_t) const noexcept {
  return *scheduler_;
}

template <class F>
void Executor::execute(F&& function) const {
  if (domain_->killed_) {
    // Asio unwinds the coroutines of a destroyed handler through the executor: do it here and now.
    std::decay_t<F> last(std::forward<F>(function));
    std::move(last)();
    return;
  }
  scheduler_->post(*domain_, scheduler_->make_callback(std::forward<F>(function)));
}

}  // namespace drover
