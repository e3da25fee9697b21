#include "mockcloud/cloud/lifecycle.hpp"

#include <array>

namespace drover::cloud {
namespace {

using S = InstanceState;
using E = Event;

constexpr Transition kTransitions[] = {
    {S::pending, E::boot_done, S::running},
    {S::pending, E::boot_failed, S::error},
    {S::pending, E::boot_stopped, S::stopped},
    {S::pending, E::crash, S::stopped},
    {S::pending, E::fail, S::error},
    {S::pending, E::vanish, S::terminated},
    {S::pending, E::terminate, S::shutting_down},

    {S::running, E::stop, S::stopping},
    {S::running, E::reboot, S::rebooting},
    {S::running, E::crash, S::stopped},
    {S::running, E::fail, S::error},
    {S::running, E::vanish, S::terminated},
    {S::running, E::terminate, S::shutting_down},

    {S::rebooting, E::reboot_done, S::running},
    {S::rebooting, E::stop, S::stopping},
    {S::rebooting, E::crash, S::stopped},
    {S::rebooting, E::fail, S::error},
    {S::rebooting, E::vanish, S::terminated},
    {S::rebooting, E::terminate, S::shutting_down},

    {S::stopping, E::stop_done, S::stopped},
    {S::stopping, E::crash, S::stopped},
    {S::stopping, E::fail, S::error},
    {S::stopping, E::vanish, S::terminated},
    {S::stopping, E::terminate, S::shutting_down},

    {S::stopped, E::start, S::pending},
    {S::stopped, E::fail, S::error},
    {S::stopped, E::vanish, S::terminated},
    {S::stopped, E::terminate, S::shutting_down},

    {S::error, E::vanish, S::terminated},
    {S::error, E::terminate, S::shutting_down},

    {S::shutting_down, E::terminate_done, S::terminated},
    {S::shutting_down, E::vanish, S::terminated},
};

constexpr unsigned char kIllegal = 0xff;
using Matrix = std::array<std::array<unsigned char, kEvents>, kInstanceStates>;

constexpr Matrix make_matrix() {
  Matrix matrix{};
  for (auto& row : matrix) row.fill(kIllegal);
  for (const Transition& t : kTransitions)
    matrix[static_cast<std::size_t>(t.from)][static_cast<std::size_t>(t.event)] =
        static_cast<unsigned char>(t.to);
  return matrix;
}
constexpr Matrix kMatrix = make_matrix();

}  // namespace

const char* to_text(Event event) {
  switch (event) {
    case Event::boot_done:
      return "boot_done";
    case Event::boot_failed:
      return "boot_failed";
    case Event::boot_stopped:
      return "boot_stopped";
    case Event::start:
      return "start";
    case Event::stop:
      return "stop";
    case Event::stop_done:
      return "stop_done";
    case Event::reboot:
      return "reboot";
    case Event::reboot_done:
      return "reboot_done";
    case Event::crash:
      return "crash";
    case Event::fail:
      return "fail";
    case Event::vanish:
      return "vanish";
    case Event::terminate:
      return "terminate";
    case Event::terminate_done:
      return "terminate_done";
  }
  return "?";
}

std::span<const Transition> transitions() { return kTransitions; }

std::optional<InstanceState> next_state(InstanceState from, Event event) {
  const unsigned char to = kMatrix[static_cast<std::size_t>(from)][static_cast<std::size_t>(event)];
  if (to == kIllegal) return std::nullopt;
  return static_cast<InstanceState>(to);
}

std::optional<InstanceState> parse_state(std::string_view text) {
  for (int i = 0; i < kInstanceStates; ++i)
    if (text == drover::to_text(static_cast<InstanceState>(i))) return static_cast<InstanceState>(i);
  return std::nullopt;
}

}  // namespace drover::cloud
