// What was done to a world: every fault that fired and every deed of a step, to whom, from when until when.
// Checkers excuse only what this explains. Single-threaded; one per world.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "manager/base/time.hpp"
#include "mockcloud/cloud/instance.hpp"
#include "mockcloud/fault/engine.hpp"

namespace drover::scenario {

// Something done outside the ports: by a rule, a step, or somebody at the provider's console.
struct Deed {
  std::string action;  // "vm.crash"
  std::string vm;      // whom it was done to; "": nobody in particular
  TimePoint at{};
  TimePoint until{};   // when it was over by itself; `at` for what is done at once, kNever for what stays
  bool armed = false;  // waits for something that may come after everything has become quiet
};

class Evidence {
 public:
  using Actions = std::initializer_list<std::string_view>;

  Evidence(const Scheduler& scheduler, const fault::Engine& engine)
      : scheduler_(scheduler), engine_(engine) {}

  void add(std::string action, std::string vm, const fault::Arguments& arguments);
  // The latest `count` deeds could not be done after all.
  void take_back(std::size_t count) { deeds_.resize(deeds_.size() - std::min(count, deeds_.size())); }
  // All faults are over from now on.
  void quiesce() { quiet_at_ = scheduler_.now(); }

  bool is_quiet() const { return quiet_at_ != kNever; }
  TimePoint quiet_at() const { return quiet_at_; }  // kNever: not yet

  // Whether any of these was done since then (or still lasted), to whomever.
  bool any(Actions actions, TimePoint since = kEpoch) const;
  // The same, to this VM or to calls about its node.
  bool any_to(const cloud::Instance& vm, Actions actions, TimePoint since = kEpoch) const;
  // Whether anything was done to this VM, what runs on it, or calls about its node, that lasted into the time
  // from `since` on. What is done to nobody in particular is done to all.
  bool touched(const cloud::Instance& vm, TimePoint since = kEpoch) const;
  // The same, of anything but its server.
  bool machine_touched(const cloud::Instance& vm, TimePoint since) const;
  // The same, of what can keep its server from being seen: not what befell its agent alone, and no call.
  // `but`: and was none of these.
  bool server_touched(const cloud::Instance& vm, TimePoint since, Actions but = {}) const;

 private:
  template <class Counts>
  bool touched_by(const cloud::Instance& vm, TimePoint since, Counts counts) const;  // which actions count
  TimePoint end_of(TimePoint until) const { return std::min(until, quiet_at_); }
  TimePoint end_of(const Deed& deed) const { return deed.armed ? kNever : end_of(deed.until); }

  const Scheduler& scheduler_;
  const fault::Engine& engine_;
  std::vector<Deed> deeds_;
  TimePoint quiet_at_ = kNever;
};

// What makes orders go to another than they were meant for.
inline const Evidence::Actions kAstray = {"vm.duplicate_address", "vm.reuse_address"};

// "node-3" of the token "drover:node-3.2" by which a VM was created: unlike its tags it never changes. "" for
// a VM that no manager asked for.
std::string node_of_token(std::string_view token);

}  // namespace drover::scenario
