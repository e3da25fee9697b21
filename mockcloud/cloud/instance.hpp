// What the mock cloud knows of an instance and of a volume: the truth, where InstanceInfo is what callers are
// told.
#pragma once

#include <cstdint>
#include <string>

#include "manager/ports/iaas.hpp"
#include "mockcloud/cloud/rare_vector.hpp"
#include "mockcloud/cloud/text.hpp"

namespace drover::cloud {

// How the next boot of an instance ends. Set through Cloud::set_boot_outcome.
struct BootOutcome {
  enum class Kind : unsigned char {
    normal,       // runs, `extra` later than drawn
    never,        // stays pending
    error,        // ends in ERROR with `text` as the fault
    stopped,      // ends Stopped
    dies,         // runs, and loses power `extra` after that
    wrong_image,  // runs image `text` instead of the one asked for
  };
  Kind kind = Kind::normal;
  Duration extra{0};
  std::string text;
  Duration address_delay{0};  // the address comes so much later
};
inline constexpr int kBootOutcomes = 6;
const char* to_text(BootOutcome::Kind kind);

// What killInstance does to an instance.
enum class TerminateOutcome : unsigned char {
  normal,
  zombie,   // reported terminated in due course, but the VM goes on running
  stuck,    // stays in shutting-down
  ignored,  // answers success and does nothing
};
inline constexpr int kTerminateOutcomes = 4;
const char* to_text(TerminateOutcome outcome);

struct Instance {
  // An InstanceSpec in less memory: there may be 100,000 of them, with few images, sizes and zones.
  struct Spec {
    std::string name;
    Text image;
    Text size;
    Text network;
    Text user_data;
    Tags tags;
    Text zone;
    std::string extras;
    operator InstanceSpec() const { return {name, image, size, network, user_data, tags, zone, extras}; }
  };

  std::uint32_t number = 0;  // 1, 2, …: the key in every table
  std::string id;            // "i-00000001"
  Spec spec;                 // as it is now: image and tags may have been changed by controls
  Text zone;
  std::string token;
  std::string address;  // the VM's own, also while callers are told ""
  Text fault;
  TimePoint created_at{};
  TimePoint state_since{};
  InstanceState state = InstanceState::pending;
  bool powered = false;  // an operating system runs on it
  bool paused = false;
  bool counts_to_quota = true;
  bool reported_changed = false;  // already in the list of take_changed()
  TerminateOutcome terminate_outcome = TerminateOutcome::normal;
  Text told_token;  // of a driver whose protocol has no tokens: the tag "drover-token" at creation
  std::uint64_t transition_timer = 0;  // the pending lifecycle timer; 0: none
  TimePoint transition_due{};
  RareVector<std::uint32_t> volumes;

  // The token by which the caller asked for it, whether the cloud honours it or not.
  const std::string& asked_token() const { return told_token.empty() ? token : told_token.str(); }
  // Reported gone, but running.
  bool zombie() const { return is_gone(state) && powered; }
  // Holds resources: what a leak checker counts.
  bool live() const { return !is_gone(state) || powered; }

  // Past appearances, oldest first, as far back as a lagging listing may still show; empty without lag.
  struct Appearance {
    TimePoint at{};
    InstanceState state = InstanceState::pending;
    std::string address;
  };
  RareVector<Appearance> past;
};

struct Volume {
  std::uint32_t number = 0;
  std::string id;  // "vol-00000001"
  std::string name;
  unsigned gigabytes = 0;
  std::uint32_t attached_to = 0;  // an instance's number; 0: detached
};

}  // namespace drover::cloud
