#include "tools/drover/failover_hooks.hpp"

#include <signal.h>

#include "manager/system/child_process.hpp"

namespace drover::tools {
namespace {

constexpr Duration kLook = 5ms;

}  // namespace

void FailoverHooks::run(const ops::FailoverNotice& notice, Handler<void> handler) {
  const std::string& program = notice.begins ? settings_.before : settings_.after;
  if (program.empty()) return handler(success());
  auto started = system::start_program(
      {.arguments = {program, notice.begins ? "begin" : "end", notice.operation, notice.former,
                     notice.former_address, notice.successor, notice.successor_address, notice.error},
       .own_session = true});
  if (started.has_error()) return handler(std::move(started).error());
  look_again(started.value(), scheduler_.later(settings_.timeout), program, std::move(handler));
}

void FailoverHooks::look_again(int pid, TimePoint deadline, std::string program, Handler<void> handler) {
  const bool lives = system::process_lives(pid);
  const bool late = lives && scheduler_.now() >= deadline;
  if (lives && !late) {
    scheduler_.call_after(
        domain_, kLook,
        [this, pid, deadline, program = std::move(program), handler = std::move(handler)]() mutable {
          look_again(pid, deadline, std::move(program), std::move(handler));
        });
    return;
  }
  if (late) ::kill(-pid, SIGKILL);  // its whole session
  const int code = system::wait_for_program(pid);
  if (late)
    return handler(make_error(ErrorCode::timeout, program + " did not end within " +
                                                      to_text(settings_.timeout) + " and was killed"));
  if (code != 0)
    return handler(
        make_error(ErrorCode::cancelled, program + " ended with exit code " + std::to_string(code)));
  handler(success());
}

}  // namespace drover::tools
