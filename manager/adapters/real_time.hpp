// Drives a Scheduler from an io_context in real time: due events run in turns between the sockets'
// completions, and one steady_timer waits for the next. Scheduler time = elapsed steady time x time_scale (60
// makes a minute of the manager pass in a second; for rehearsals, production runs at 1).
//
// Single-threaded: every member is called on the thread that runs the io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>

#include "manager/runtime/scheduler.hpp"

namespace drover {

class RealTimePump {
 public:
  // Both must outlive the pump. time_scale > 0.
  RealTimePump(asio::io_context& io, Scheduler& scheduler, double time_scale = 1.0);
  // Stops; what is queued in the scheduler stays there.
  ~RealTimePump();
  RealTimePump(const RealTimePump&) = delete;
  RealTimePump& operator=(const RealTimePump&) = delete;

  // From now on scheduler time passes, starting at the scheduler's present time.
  void start();
  // No event runs any more until start().
  void stop();

  // The way for outside input (a request, a socket's completion) into the scheduler: brings the clock up to
  // date, calls `input`, and has what it queued run soon. Also correct from inside a scheduler event.
  template <class F>
  void submit(F&& input) {
    catch_up();
    std::forward<F>(input)();
    wake();
  }

  // Runs what is due (at most one turn's worth) and sets the clock to the present. Without it a sleep begun
  // by outside input would count from the last event, not from now. Does nothing inside a scheduler event.
  void catch_up();
  // Has newly queued work run in the next turn of the io_context. Cheap when already awake.
  void wake();

  // From now on; 0 lets it stand still (what is due at its present time still runs).
  void set_time_scale(double time_scale);
  double time_scale() const { return time_scale_; }
  // The clock goes on by so much at once.
  void jump(Duration by);

  // Where the scheduler's clock should be now.
  TimePoint present() const;

  // Events run in one turn before the sockets get theirs.
  static constexpr std::uint64_t kEventsPerTurn = 256;

 private:
  struct Lifetime;  // lets posted turns see that the pump is gone

  void turn();
  void arm();

  asio::io_context& io_;
  Scheduler& scheduler_;
  double time_scale_;
  asio::steady_timer timer_;
  std::shared_ptr<Lifetime> lifetime_;
  std::chrono::steady_clock::time_point started_at_{};
  TimePoint base_{};
  TimePoint armed_for_ = kNever;
  bool started_ = false;
  bool posted_ = false;
  bool running_ = false;
};

}  // namespace drover
