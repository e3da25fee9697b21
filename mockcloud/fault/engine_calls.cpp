// What rules do to calls: at once, to the next ones that `on` names, or to all of a port's for a while.
#include <charconv>

#include "manager/base/check.hpp"
#include "mockcloud/fault/engine.hpp"

namespace drover::fault {
namespace {

const ActionRow* row_for(const std::string& action, Port port) {
  for (const ActionRow* row : find_actions(action))
    if (port_of(row->target) == port) return row;
  return nullptr;
}

// Where an action is done to a call when `on` names no phase.
Phase first_phase(const ActionRow& row) {
  for (const auto phase : {Phase::before, Phase::effect})
    if (row.in_phase(phase)) return phase;
  return Phase::reply;
}

}  // namespace

// Of rules with `on` and of windows: whose calls they hit.
bool Engine::RuleState::aims_at(std::string_view subject) const {
  std::string_view subjects = argument("target");
  if (subjects.empty() && !rule.when && rule.subject) subjects = *rule.subject;
  return subjects.empty() || matches_subject(subjects, subject);
}

void Engine::fire_at_call(std::size_t index, const std::string& action, Observation& observation) {
  RuleState& state = rules_[index];
  if (!state.on.empty()) {
    const auto calls = state.argument("calls");
    std::uint64_t number = 1;
    std::from_chars(calls.data(), calls.data() + calls.size(), number);
    state.waiting_calls += number;
    state.waiting_action = action;
    return;
  }
  const ActionRow* row =
      observation.call == nullptr ? find_action(action) : row_for(action, observation.call->port);
  if (row == nullptr) row = find_action(action);
  const Arguments arguments = resolve_arguments(*row, state.rule, choices_, state.entity);
  if (row->window && arguments.duration("for") > Duration{0}) {
    open_window(index, *row, arguments, observation);
  } else if (observation.faults != nullptr) {
    add_fault(*observation.faults, *row, arguments, *observation.call, observation.subject);
    mark_fired(index, *row, observation.subject, arguments, observation);
  }
}

void Engine::hit_waiting(std::size_t index, Observation& observation) {
  RuleState& state = rules_[index];
  if (state.waiting_calls == 0) return;
  if (state.rule.until && scheduler_.now() > kEpoch + *state.rule.until) return;
  const ActionRow* row = row_for(state.waiting_action, observation.call->port);
  if (row == nullptr || !row->in_phase(observation.call->phase)) return;
  if (!state.on_phase && observation.call->phase != first_phase(*row)) return;
  if (!state.aims_at(observation.subject)) return;
  --state.waiting_calls;
  const Arguments arguments = resolve_arguments(*row, state.rule, choices_, state.entity);
  if (row->window && arguments.duration("for") > Duration{0}) {
    open_window(index, *row, arguments, observation);
    return;
  }
  add_fault(*observation.faults, *row, arguments, *observation.call, observation.subject);
  mark_fired(index, *row, observation.subject, arguments, observation);
}

void Engine::open_window(std::size_t index, const ActionRow& row, const Arguments& arguments,
                         Observation& observation) {
  windows_.push_back({index, &row, scheduler_.later(arguments.duration("for")), arguments});
  ++rules_[index].idle_windows;
  // A window that a call opens takes that call as well.
  if (observation.call != nullptr && port_of(row.target) == observation.call->port &&
      row.in_phase(observation.call->phase))
    apply_window(windows_.back(), observation);
  mark_fired(index, row, observation.subject, arguments, observation);
}

void Engine::apply_windows(Observation& observation) {
  if (observation.call->phase != Phase::before) return;
  std::erase_if(windows_, [this, now = scheduler_.now()](const Window& window) {
    if (window.until > now) return false;
    if (window.idle) idle_ended(window);
    return true;
  });
  for (Window& window : windows_)
    if (takes(window, observation)) apply_window(window, observation);
}

// It did nothing at all: as if its rule had not fired.
void Engine::idle_ended(const Window& window) {
  RuleState& state = rules_[window.rule];
  --state.idle_windows;
  --state.fired;
  --fired_rows_[static_cast<std::size_t>(window.row - catalogue().data())];
}

bool Engine::takes(const Window& window, const Observation& observation) const {
  if (port_of(window.row->target) != observation.call->port) return false;
  const RuleState& state = rules_[window.rule];
  if (!state.on_calls.empty() && !matches_point(state.on_calls, observation.point)) return false;
  return state.aims_at(observation.subject);
}

void Engine::apply_window(Window& window, Observation& observation) {
  if (window.idle) --rules_[window.rule].idle_windows;
  window.idle = false;
  CallFaults& faults = *observation.faults;
  if (window.row->call_action != CallAction::brown_out) {
    add_fault(faults, *window.row, window.arguments, *observation.call, observation.subject);
    return;
  }
  const std::string& entity = rules_[window.rule].entity;
  const std::string site = std::string(observation.point) + " " + std::string(observation.subject);
  const auto slow = Distribution::parse(window.arguments.text("slow"));
  DROVER_CHECK(slow.has_value(), "a brown_out's distribution was not checked");
  faults.any = true;
  faults.delay += slow.value().sample(choices_, entity, "slow " + site);
  if (!faults.error && choices_.chance(window.arguments.number("failing"), entity, "failing " + site))
    faults.error = call_error("unavailable", *observation.call, observation.subject);
}

}  // namespace drover::fault
