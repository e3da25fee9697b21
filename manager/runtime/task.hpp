// Coroutines of the manager: Task<T>, and the three ways they wait: sleep_for / sleep_until, await_reply (a
// port call with a deadline), and Signal. All other waiting is built from these, so killing a Domain ends
// every wait. Traps of g++ 12 (docs in ARCHITECTURE.md): no class-type ?:, braced aggregate or capturing
// lambda inside an expression that holds co_await; no reference parameters in spawned tasks unless the owner
// outlives the domain.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "manager/base/result.hpp"
#include "manager/runtime/scheduler.hpp"

namespace drover {

template <class T = void>
using Task = asio::awaitable<T, Executor>;

// How a port answers: called at most once, from the scheduler's loop or from inside the call itself.
// Dropping it unanswered is how a lost reply is made.
template <class T>
using Handler = std::move_only_function<void(Result<T>)>;

namespace detail {

template <class H>
struct TimerOp : Op {
  TimerOp(H&& h, Scheduler& s) : Op(&TimerOp::perform), handler(std::move(h)), scheduler(s) {}
  static void perform(Op* op, Act act) {
    auto* self = static_cast<TimerOp*>(op);
    Scheduler& scheduler = self->scheduler;
    H handler(std::move(self->handler));
    self->~TimerOp();
    scheduler.deallocate(self, sizeof(TimerOp));
    if (act == Act::run) std::move(handler)();
  }
  H handler;
  Scheduler& scheduler;
};

struct InitiateSleep {
  template <class H>
  void operator()(H&& handler, TimePoint at, Duration delay) const {
    using Op_ = TimerOp<std::decay_t<H>>;
    const Executor executor = asio::get_associated_executor(handler);
    Scheduler& scheduler = executor.scheduler();
    auto* op = new (scheduler.allocate(sizeof(Op_))) Op_(std::forward<H>(handler), scheduler);
    scheduler.post_at(executor.domain(), at == kNever ? scheduler.later(delay) : at, op);
  }
};

// The state of one awaited reply. Two ops: `deadline` in the timer heap, `delivery` for the reply; and the
// reply handler given to the port. The last of the three frees the state.
template <class T, class H>
class ReplyState {
 public:
  ReplyState(H&& handler, Scheduler& scheduler)
      : deadline_(this, &ReplyState::on_deadline),
        delivery_(this, &ReplyState::on_delivery),
        handler_(std::move(handler)),
        scheduler_(scheduler) {}

  // The handler for the port; keeps the state's memory alive, not the coroutine.
  class Reply {
   public:
    explicit Reply(ReplyState* state) : state_(state) { ++state_->references_; }
    Reply(Reply&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    Reply(const Reply&) = delete;
    Reply& operator=(const Reply&) = delete;
    Reply& operator=(Reply&&) = delete;
    ~Reply() {
      if (state_ != nullptr) state_->release();
    }
    void operator()(Result<T> result) { state_->answer(std::move(result)); }

   private:
    ReplyState* state_;
  };

  template <class Start>
  void begin(Domain& domain, Duration timeout, Start&& start) {
    references_ = 2;
    scheduler_.post_at(domain, scheduler_.later(timeout), &deadline_);
    domain_ = &domain;
    waiting_ = true;
    std::forward<Start>(start)(Handler<T>(Reply(this)));
  }

 private:
  struct Link : Op {
    Link(ReplyState* s, Function f) : Op(f), state(s) {}
    ReplyState* state;
  };

  void answer(Result<T> result) {
    if (!waiting_) return;  // too late, or the waiting coroutine is gone
    waiting_ = false;
    result_.emplace(std::move(result));
    scheduler_.abandon_timer(&deadline_);
    scheduler_.post(*domain_, &delivery_);
  }

  static void on_deadline(Op* op, Op::Act act) {
    ReplyState* self = static_cast<Link*>(op)->state;
    if (self->waiting_) {
      self->waiting_ = false;
      if (act == Op::Act::run) {
        self->result_.emplace(
            make_error(ErrorCode::timeout, "no answer within the deadline", Effect::possible, Retry::soon));
        self->finish();
      } else {
        self->drop();
        self->release();
      }
    }
    self->release();
  }
  static void on_delivery(Op* op, Op::Act act) {
    ReplyState* self = static_cast<Link*>(op)->state;
    if (act == Op::Act::run) {
      self->finish();
    } else {
      self->drop();
      self->release();
    }
  }
  void drop() {
    auto handler = std::move(handler_);
    handler_.reset();
  }
  // Releases the delivery's reference, then resumes the coroutine.
  void finish() {
    H handler(std::move(*handler_));
    handler_.reset();
    Result<T> result(std::move(*result_));
    release();
    std::move(handler)(std::move(result));
  }
  void release() {
    if (--references_ != 0) return;
    Scheduler& scheduler = scheduler_;
    this->~ReplyState();
    scheduler.deallocate(this, sizeof(ReplyState));
  }

  Link deadline_;
  Link delivery_;
  std::optional<H> handler_;
  std::optional<Result<T>> result_;
  Scheduler& scheduler_;
  Domain* domain_ = nullptr;
  unsigned references_ = 0;
  bool waiting_ = false;
};

template <class T>
struct InitiateReply {
  template <class H, class Start>
  void operator()(H&& handler, Duration timeout, Start&& start) const {
    using State = ReplyState<T, std::decay_t<H>>;
    const Executor executor = asio::get_associated_executor(handler);
    Scheduler& scheduler = executor.scheduler();
    auto* state = new (scheduler.allocate(sizeof(State))) State(std::forward<H>(handler), scheduler);
    state->begin(executor.domain(), timeout, std::forward<Start>(start));
  }
};

}  // namespace detail

// co_await sleep_for(10s). A killed domain destroys the sleeper.
inline auto sleep_for(Duration delay) {
  return asio::async_initiate<const asio::deferred_t&, void()>(detail::InitiateSleep{}, asio::deferred,
                                                               kNever, delay);
}
inline auto sleep_until(TimePoint at) {
  return asio::async_initiate<const asio::deferred_t&, void()>(detail::InitiateSleep{}, asio::deferred, at,
                                                               Duration{0});
}

// co_await await_reply<T>(timeout, start): calls start(Handler<T>) and waits for the answer as Result<T>.
// Without an answer in time: ErrorCode::timeout with Effect::possible; an answer that comes later is dropped.
// The coroutine always resumes from the scheduler's loop, never from inside the port.
template <class T, class Start>
auto await_reply(Duration timeout, Start start) {
  return asio::async_initiate<const asio::deferred_t&, void(Result<T>)>(
      detail::InitiateReply<T>{}, asio::deferred, timeout, std::move(start));
}

// Starts a task in a domain; it ends by itself or with the domain. An exception that leaves it is a broken
// invariant.
inline void spawn(Domain& domain, Task<void> task) {
  if (domain.killed()) return;
  asio::co_spawn(Executor(domain), std::move(task), [](const std::exception_ptr& error) {
    if (!error) return;
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      DROVER_CHECK(false, e.what());
    }
  });
}

// Something that coroutines wait for and others announce. Waiters resume in the order they came.
class Signal {
 public:
  // co_await signal.wait(timeout): success, or ErrorCode::timeout.
  auto wait(Duration timeout) {
    return await_reply<void>(timeout,
                             [this](Handler<void> handler) { waiters_.push_back(std::move(handler)); });
  }
  void notify_all() {
    auto waiters = std::exchange(waiters_, {});
    for (auto& waiter : waiters) waiter(success());
  }

 private:
  std::vector<Handler<void>> waiters_;
};

// Waiting without a practical bound: 100 years of virtual time.
inline constexpr Duration kForever = std::chrono::hours(24 * 36500);

}  // namespace drover
