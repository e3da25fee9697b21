// The lifecycle of an instance as one table: state x event -> state. Nothing else in the mock cloud decides
// which transition is legal. Pure.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "manager/ports/iaas.hpp"

namespace drover::cloud {

enum class Event : unsigned char {
  boot_done,
  boot_failed,   // ends in ERROR
  boot_stopped,  // ends Stopped instead
  start,
  stop,
  stop_done,
  reboot,
  reboot_done,
  crash,   // abrupt power-off
  fail,    // the provider loses it: ERROR
  vanish,  // gone without a request
  terminate,
  terminate_done,
};
inline constexpr int kEvents = 13;
const char* to_text(Event event);

struct Transition {
  InstanceState from;
  Event event;
  InstanceState to;
};
std::span<const Transition> transitions();

// The state after `event`, or nothing where the event is illegal.
std::optional<InstanceState> next_state(InstanceState from, Event event);

// The state called `text` in tables and traces ("shutting-down").
std::optional<InstanceState> parse_state(std::string_view text);

}  // namespace drover::cloud
