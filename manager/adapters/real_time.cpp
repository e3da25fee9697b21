#include "manager/adapters/real_time.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

namespace drover {

struct RealTimePump::Lifetime {
  RealTimePump* pump;
};

RealTimePump::RealTimePump(asio::io_context& io, Scheduler& scheduler, double time_scale)
    : io_(io),
      scheduler_(scheduler),
      time_scale_(time_scale),
      timer_(io),
      lifetime_(std::make_shared<Lifetime>(Lifetime{this})) {
  DROVER_CHECK(time_scale > 0, "time_scale must be above 0");
}

RealTimePump::~RealTimePump() {
  lifetime_->pump = nullptr;
  stop();
}

void RealTimePump::start() {
  if (started_) return;
  started_ = true;
  started_at_ = std::chrono::steady_clock::now();
  base_ = scheduler_.now();
  wake();
}

void RealTimePump::stop() {
  if (started_) base_ = present();
  started_ = false;
  armed_for_ = kNever;
  timer_.cancel();
}

void RealTimePump::set_time_scale(double time_scale) {
  DROVER_CHECK(time_scale >= 0, "time_scale must not be negative");
  base_ = present();
  started_at_ = std::chrono::steady_clock::now();
  time_scale_ = time_scale;
  armed_for_ = kNever;
  wake();
}

void RealTimePump::jump(Duration by) {
  base_ = present() + by;
  started_at_ = std::chrono::steady_clock::now();
  armed_for_ = kNever;
  wake();
}

TimePoint RealTimePump::present() const {
  if (!started_) return scheduler_.now();
  const Duration elapsed = std::chrono::steady_clock::now() - started_at_;
  if (time_scale_ == 1.0) return base_ + elapsed;
  return base_ + Duration(static_cast<Duration::rep>(static_cast<double>(elapsed.count()) * time_scale_));
}

void RealTimePump::catch_up() {
  if (!started_ || running_) return;
  running_ = true;
  scheduler_.run_until(std::max(present(), scheduler_.now()), kEventsPerTurn);
  running_ = false;
}

void RealTimePump::wake() {
  if (!started_ || posted_) return;
  posted_ = true;
  asio::post(io_, [lifetime = lifetime_] {
    if (lifetime->pump != nullptr) lifetime->pump->turn();
  });
}

void RealTimePump::turn() {
  posted_ = false;
  if (!started_) return;
  catch_up();
  if (!started_) return;
  if (scheduler_.next_event() <= present())
    wake();
  else
    arm();
}

void RealTimePump::arm() {
  // A far event is waited for in steps: its distance may not fit the timer's clock.
  constexpr std::chrono::nanoseconds kStepMax = std::chrono::hours(1);
  const TimePoint next = scheduler_.next_event();
  if (next == armed_for_) return;
  armed_for_ = next;
  timer_.cancel();
  if (next == kNever || time_scale_ == 0) return;
  const double distance = static_cast<double>((next - present()).count()) / time_scale_;
  const auto wait = distance >= static_cast<double>(kStepMax.count())
                        ? kStepMax
                        : std::chrono::nanoseconds(static_cast<std::int64_t>(std::max(distance, 0.0)) + 1);
  timer_.expires_after(wait);
  timer_.async_wait([lifetime = lifetime_](const boost::system::error_code& error) {
    if (error || lifetime->pump == nullptr) return;
    lifetime->pump->armed_for_ = kNever;
    lifetime->pump->turn();
  });
}

}  // namespace drover
