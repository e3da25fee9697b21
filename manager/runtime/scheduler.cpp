#include "manager/runtime/scheduler.hpp"

#include <algorithm>
#include <boost/asio/detail/thread_context.hpp>
#include <boost/asio/detail/thread_info_base.hpp>

namespace drover {
namespace {

constexpr std::size_t kArity = 4;

// Gives Asio's coroutine frames the recycling allocator that they have inside io_context::run().
class FrameRecycling {
 public:
  explicit FrameRecycling(asio::detail::thread_info_base& info) : context_(nullptr, info) {}

 private:
  struct Access : asio::detail::thread_context {
    using Stack = thread_call_stack;
  };
  Access::Stack::context context_;
};

asio::detail::thread_info_base& frame_cache() {
  thread_local asio::detail::thread_info_base info;
  return info;
}

}  // namespace

void Domain::kill() {
  killed_ = true;
  if (head_ == nullptr) return;
  FrameRecycling recycling(frame_cache());
  scheduler_.forget(this);
  if (process_ != nullptr) process_->forget(this);
  // Destroying one op may destroy coroutines that own others of this domain: always take the head.
  while (head_ != nullptr) {
    Op* op = head_;
    unlink(op);
    op->act(op, Op::Act::destroy);
  }
}

Process::~Process() {
  while (parked_head_ != nullptr) {
    Op* op = std::exchange(parked_head_, parked_head_->next_ready);
    DROVER_CHECK(op->domain == nullptr, "a process ended before its domains");
    op->act(op, Op::Act::destroy);
  }
}

void Process::park(Op* op) {
  op->next_ready = nullptr;
  if (parked_tail_ != nullptr)
    parked_tail_->next_ready = op;
  else
    parked_head_ = op;
  parked_tail_ = op;
}

void Process::thaw() {
  if (!frozen_) return;
  frozen_ = false;
  Op* op = std::exchange(parked_head_, nullptr);
  parked_tail_ = nullptr;
  while (op != nullptr) {
    Op* next = op->next_ready;
    if (op->domain != nullptr)
      scheduler_.push_ready(op);
    else
      op->act(op, Op::Act::destroy);
    op = next;
  }
}

void Process::forget(const Domain* domain) {
  Op** link = &parked_head_;
  parked_tail_ = nullptr;
  while (*link != nullptr) {
    if ((*link)->domain == domain) {
      *link = (*link)->next_ready;
    } else {
      parked_tail_ = *link;
      link = &(*link)->next_ready;
    }
  }
}

Scheduler::~Scheduler() {
  for (const Timer& timer : heap_)
    if (timer.op->domain == nullptr) timer.op->act(timer.op, Op::Act::destroy);
  for (Op* op = ready_head_; op != nullptr;) {
    Op* next = op->next_ready;
    if (op->domain == nullptr) op->act(op, Op::Act::destroy);
    op = next;
  }
  ready_head_ = nullptr;
  shutdown();
  destroy();
  for (void*& list : free_) {
    while (list != nullptr) {
      void* next = *static_cast<void**>(list);
      ::operator delete(list);
      list = next;
    }
  }
}

void* Scheduler::allocate(std::size_t size) {
  const std::size_t bin = (size - 1) / kBlockStep;
  if (bin >= kBlockMax / kBlockStep) return ::operator new(size);
  if (void* block = free_[bin]; block != nullptr) {
    free_[bin] = *static_cast<void**>(block);
    return block;
  }
  return ::operator new((bin + 1) * kBlockStep);
}

void Scheduler::deallocate(void* block, std::size_t size) {
  const std::size_t bin = (size - 1) / kBlockStep;
  if (bin >= kBlockMax / kBlockStep) {
    ::operator delete(block);
    return;
  }
  *static_cast<void**>(block) = free_[bin];
  free_[bin] = block;
}

// The low half keeps sequences unique.
void Scheduler::shuffle(TimePoint& at, std::uint64_t& sequence) const {
  constexpr std::uint64_t kLow = 0xffff'ffffU;
  const std::uint64_t drawn = mix(shuffle_key_, sequence);
  if (shuffle_spread_ > Duration{0} && at != kNever)
    at += Duration(static_cast<Duration::rep>(drawn % static_cast<std::uint64_t>(shuffle_spread_.count())));
  sequence = (drawn & ~kLow) | (sequence & kLow);
}

void Scheduler::push_heap(TimePoint at, Op* op) {
  at = std::max(at, now_);
  std::uint64_t sequence = ++sequence_;
  if (shuffle_key_ != 0) [[unlikely]]
    shuffle(at, sequence);
  const Timer timer{at, sequence, op};
  op->sequence = timer.sequence;
  std::size_t hole = heap_.size();
  heap_.push_back(timer);
  while (hole > 0) {
    const std::size_t parent = (hole - 1) / kArity;
    if (!earlier(timer, heap_[parent])) break;
    heap_[hole] = heap_[parent];
    hole = parent;
  }
  heap_[hole] = timer;
}

void Scheduler::pop_heap() {
  const Timer last = heap_.back();
  heap_.pop_back();
  const std::size_t size = heap_.size();
  if (size == 0) return;
  std::size_t hole = 0;
  while (true) {
    const std::size_t first = hole * kArity + 1;
    if (first >= size) break;
    const std::size_t end = std::min(first + kArity, size);
    std::size_t best = first;
    for (std::size_t child = first + 1; child < end; ++child)
      if (earlier(heap_[child], heap_[best])) best = child;
    if (!earlier(heap_[best], last)) break;
    heap_[hole] = heap_[best];
    hole = best;
  }
  heap_[hole] = last;
}

void Scheduler::forget(const Domain* domain) {
  Op** link = &ready_head_;
  ready_tail_ = nullptr;
  while (*link != nullptr) {
    if ((*link)->domain == domain) {
      *link = (*link)->next_ready;
    } else {
      ready_tail_ = *link;
      link = &(*link)->next_ready;
    }
  }
  const auto is_dead = [&](const Timer& timer) { return timer.op->domain == domain; };
  const auto end = std::remove_if(heap_.begin(), heap_.end(), is_dead);
  if (end == heap_.end()) return;
  heap_.erase(end, heap_.end());
  // A sorted array is a heap; the order of equal keys cannot matter, there are none.
  std::sort(heap_.begin(), heap_.end(), earlier);
}

void Scheduler::drop_abandoned() {
  // A timer that came due while its process was frozen, abandoned by what went on before it.
  while (ready_head_ != nullptr && ready_head_->domain == nullptr) {
    Op* op = take_ready();
    op->act(op, Op::Act::destroy);
  }
  while (!heap_.empty() && heap_.front().op->domain == nullptr) {
    Op* op = heap_.front().op;
    pop_heap();
    op->act(op, Op::Act::destroy);
  }
}

TimePoint Scheduler::next_event() {
  drop_abandoned();
  if (ready_head_ != nullptr) return now_;
  return heap_.empty() ? kNever : heap_.front().at;
}

bool Scheduler::run_one(TimePoint limit) {
  drop_abandoned();
  const bool timer_due = !heap_.empty() && heap_.front().at <= now_;
  if (ready_head_ != nullptr && (!timer_due || ready_head_->sequence < heap_.front().sequence)) {
    Op* op = take_ready();
    run_op(op, op->sequence);
    return true;
  }
  if (heap_.empty() || heap_.front().at > limit) return false;
  const Timer timer = heap_.front();
  pop_heap();
  now_ = std::max(now_, timer.at);
  run_op(timer.op, timer.sequence);
  return true;
}

std::uint64_t Scheduler::run_until(TimePoint limit, std::uint64_t max_events) {
  FrameRecycling recycling(frame_cache());
  stopped_ = false;
  std::uint64_t count = 0;
  while (count < max_events && run_one(limit)) {
    ++count;
    if (stopped_) return count;
  }
  if (count < max_events && limit != kNever) now_ = std::max(now_, limit);
  return count;
}

void Scheduler::run_with_recycling(void (*body)(void*, Scheduler&, TimePoint), void* context,
                                   TimePoint limit) {
  FrameRecycling recycling(frame_cache());
  body(context, *this, limit);
}

void Scheduler::advance_to(TimePoint now) { run_until(now); }

}  // namespace drover
