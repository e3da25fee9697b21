#include "scenarios/engine/evidence.hpp"

#include <algorithm>

namespace drover::scenario {
namespace {

bool is_one_of(std::string_view action, Evidence::Actions actions) {
  return std::find(actions.begin(), actions.end(), action) != actions.end();
}

// Done to the next command of an agent, or to the next boot, whenever that is.
const Evidence::Actions kArmed = {"agent.crash_at_command", "agent.restart_in_command",
                                  "agent.partial_configuration", "agent.lie", "agent.stale_result"};

// Call faults that last for a time are windows: they meet every call.
bool meets(const fault::Firing& firing, std::string_view node) {
  return firing.target == node || firing.until > firing.at;
}

// The manager's own troubles are done to no VM.
bool is_about_manager(std::string_view action) { return action.starts_with("manager."); }

}  // namespace

void Evidence::add(std::string action, std::string vm, const fault::Arguments& arguments) {
  const TimePoint now = scheduler_.now();
  const bool armed = is_one_of(action, kArmed);
  TimePoint until = fault::end_of(arguments, scheduler_);
  // What an agent is made to be without a time it is until all is quiet.
  if (until == now && action.starts_with("agent.")) until = kNever;
  deeds_.push_back({std::move(action), std::move(vm), now, until, armed});
}

bool Evidence::any(Actions actions, TimePoint since) const {
  const auto deed = [&](const Deed& d) { return is_one_of(d.action, actions) && end_of(d) >= since; };
  const auto call = [&](const fault::Firing& f) {
    return is_one_of(f.action, actions) && end_of(f.until) >= since;
  };
  return std::any_of(deeds_.begin(), deeds_.end(), deed) ||
         std::any_of(engine_.firings().begin(), engine_.firings().end(), call);
}

bool Evidence::any_to(const cloud::Instance& vm, Actions actions, TimePoint since) const {
  const std::string node = node_of_token(vm.asked_token());
  const auto deed = [&](const Deed& d) {
    return is_one_of(d.action, actions) && (d.vm.empty() || d.vm == vm.id) && end_of(d) >= since;
  };
  const auto call = [&](const fault::Firing& f) {
    return is_one_of(f.action, actions) && meets(f, node) && end_of(f.until) >= since;
  };
  return std::any_of(deeds_.begin(), deeds_.end(), deed) ||
         std::any_of(engine_.firings().begin(), engine_.firings().end(), call);
}

template <class Counts>
bool Evidence::touched_by(const cloud::Instance& vm, TimePoint since, Counts counts) const {
  const std::string node = node_of_token(vm.asked_token());
  const auto deed = [&](const Deed& d) {
    return (d.vm == vm.id || (d.vm.empty() && !is_about_manager(d.action))) && counts(d.action) &&
           end_of(d) >= since;
  };
  const auto call = [&](const fault::Firing& f) { return meets(f, node) && end_of(f.until) >= since; };
  return std::any_of(deeds_.begin(), deeds_.end(), deed) ||
         std::any_of(engine_.firings().begin(), engine_.firings().end(), call);
}

bool Evidence::touched(const cloud::Instance& vm, TimePoint since) const {
  return touched_by(vm, since, [](std::string_view) { return true; });
}

bool Evidence::machine_touched(const cloud::Instance& vm, TimePoint since) const {
  return touched_by(vm, since, [](std::string_view action) { return !action.starts_with("db."); });
}

bool Evidence::server_touched(const cloud::Instance& vm, TimePoint since, Actions but) const {
  return std::any_of(deeds_.begin(), deeds_.end(), [&](const Deed& d) {
    const bool agent_alone = d.action.starts_with("agent.") && d.action != "agent.lie";
    return (d.vm == vm.id || d.vm.empty()) && !is_about_manager(d.action) && !agent_alone &&
           end_of(d) >= since && !is_one_of(d.action, but);
  });
}

std::string node_of_token(std::string_view token) {
  const auto begin = token.find(":node-");
  if (begin == std::string_view::npos) return {};
  return std::string(token.substr(begin + 1, token.find('.', begin) - begin - 1));
}

}  // namespace drover::scenario
