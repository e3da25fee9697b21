#include "mockcloud/fault/engine.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "manager/base/check.hpp"

namespace drover::fault {
namespace {

constexpr unsigned kDeepest = 32;       // observations that actions of rules cause while they are performed
constexpr Duration kShortestGap = 1ms;  // of `every`: time must go on

std::string hex(std::uint64_t number) {
  char digits[16];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), number, 16).ptr;
  return {std::begin(digits), end};
}

std::size_t row_index(const ActionRow& row) { return static_cast<std::size_t>(&row - catalogue().data()); }

// "iaas.newInstance.before", without an allocation.
class PointName {
 public:
  PointName(Port port, std::string_view call, Phase phase) {
    append(to_text(port));
    append(".");
    append(call);
    append(".");
    append(to_text(phase));
  }
  std::string_view text() const { return {text_, size_}; }

 private:
  void append(std::string_view part) {
    DROVER_CHECK(size_ + part.size() <= sizeof text_, "the name of an observation point is too long");
    std::copy(part.begin(), part.end(), text_ + size_);
    size_ += part.size();
  }
  char text_[64];
  std::size_t size_ = 0;
};

}  // namespace

std::string_view Engine::RuleState::argument(const char* argument) const {
  const auto given = rule.arguments.find(argument);
  return given == rule.arguments.end() ? std::string_view() : std::string_view(given->second);
}

TimePoint end_of(const Arguments& arguments, const Scheduler& scheduler) {
  Duration longest{0};
  for (const auto& value : arguments.values()) longest = std::max(longest, value.duration);
  return scheduler.later(longest);
}

Engine::Engine(Scheduler& scheduler, Domain& domain, Choices& choices, Trace& trace, std::vector<Rule> rules,
               ActionSink& sink)
    : scheduler_(scheduler), domain_(domain), choices_(choices), trace_(trace), sink_(sink) {
  fired_rows_.resize(catalogue().size());
  std::size_t unnamed = 0;
  std::vector<std::string> texts;
  rules_.reserve(rules.size());
  for (auto& rule : rules) {
    texts.push_back(canonical_text(rule));
    const auto twins = std::count(texts.begin(), texts.end() - 1, texts.back());
    if (rule.id.empty()) ++unnamed;
    add_rule(std::move(rule), unnamed, static_cast<std::uint64_t>(twins));
  }
  watching_ = has_rules_;
  for (std::size_t index = 0; index < rules_.size(); ++index) {
    const Rule& rule = rules_[index].rule;
    if (!rule.enabled) continue;
    if (rule.at) arm_timer(index, kEpoch + *rule.at);
    if (rule.every) arm_next(index);
  }
}

void Engine::add_rule(Rule rule, std::size_t unnamed, std::uint64_t twins) {
  RuleState state;
  if (rule.id.empty()) {
    state.name = "fault-" + std::to_string(unnamed);
    state.entity = "fault/" + hex(hash_text(canonical_text(rule), twins));
  } else {
    state.name = rule.id;
    state.entity = "fault:" + rule.id;
  }
  if (rule.when) state.trigger = TriggerState(*rule.when);
  if (rule.enabled) {
    has_rules_ = true;
    std::vector<std::string> actions = rule.pick;
    actions.push_back(rule.action);
    for (const auto& action : actions)
      for (const ActionRow* row : find_actions(action))
        call_actions_ |= 1U << static_cast<unsigned>(row->call_action);
  }
  state.rule = std::move(rule);
  if (const auto on = state.argument("on"); !on.empty()) {
    state.on_phase = std::count(on.begin(), on.end(), '.') == 2;
    state.on = std::string(on) + (state.on_phase ? "" : ".*");
    state.on_calls = std::string(on.substr(0, on.find('.', on.find('.') + 1))) + ".*";
  }
  rules_.push_back(std::move(state));
}

void Engine::stop() {
  has_rules_ = false;
  for (const Window& window : windows_)
    if (window.idle) idle_ended(window);
  windows_.clear();
  watching_ = recorder_ != nullptr;
}

void Engine::set_recorder(Recorder recorder) {
  recorder_ = std::move(recorder);
  watching_ = has_rules_ || recorder_ != nullptr;
}

void Engine::observe_event(std::string_view point, std::string_view subject) {
  Observation observation;
  observation.point = point;
  observation.subject = subject;
  process(observation);
}

CallFaults Engine::observe_call(Port port, std::string_view call, Phase phase, std::string_view subject) {
  CallFaults faults;
  const PointName name(port, call, phase);
  const CallPoint where{port, call, phase};
  Observation observation;
  observation.point = name.text();
  observation.subject = subject;
  observation.call = &where;
  observation.faults = &faults;
  process(observation);
  return faults;
}

const Engine::Interested& Engine::interested(std::string_view point) {
  if (const auto known = points_.find(point); known != points_.end()) return known->second;
  Interested entry;
  entry.canonical = canonical_point(point);
  for (std::size_t index = 0; index < rules_.size(); ++index) {
    const RuleState& state = rules_[index];
    if (!state.rule.enabled) continue;
    if (state.rule.when && state.trigger.names(entry.canonical)) entry.triggers.push_back(index);
    if (!state.on.empty() && matches_point(state.on, entry.canonical)) entry.calls.push_back(index);
  }
  return points_.emplace(std::string(point), std::move(entry)).first->second;
}

void Engine::process(Observation& observation) {
  if (recorder_) recorder_(observation.point, observation.subject);
  if (!has_rules_) return;
  if (depth_ == kDeepest) {
    trace().add(TraceKind::note, observation.subject,
                "not offered to fault rules: nested too deep:", observation.point);
    return;
  }
  ++depth_;
  observation.number = ++observations_;
  const Interested& entry = interested(observation.point);  // stays put: the map's nodes do not move
  if (observation.call != nullptr) {
    if (!windows_.empty()) apply_windows(observation);
    for (const std::size_t index : entry.calls) hit_waiting(index, observation);
  }
  for (const std::size_t index : entry.triggers) offer(index, entry.canonical, observation);
  perform_due(observation);
  --depth_;
}

void Engine::perform_due(Observation& observation) {
  for (const Action& action : observation.due) sink_.perform(action);
}

void Engine::offer(std::size_t index, std::string_view point, Observation& observation) {
  RuleState& state = rules_[index];
  const Rule& rule = state.rule;
  if (rule.until && scheduler_.now() > kEpoch + *rule.until) return;
  const bool is_rule_id = point.find('.') == std::string_view::npos;
  if (is_rule_id)
    state.moved_on = observation.number;
  else if (state.moved_on == observation.number)
    return;
  if (!is_rule_id && rule.subject && !matches_subject(*rule.subject, observation.subject)) return;
  if (state.trigger.offer(point)) complete(index, observation);
}

void Engine::complete(std::size_t index, Observation& observation) {
  RuleState& state = rules_[index];
  if (state.last_observation == observation.number) return;
  state.last_observation = observation.number;
  ++state.matched;
  if (state.rule.times && state.started >= *state.rule.times) return;
  if (state.rule.probability) {
    const std::string site = "probability " + std::string(observation.subject);
    if (!choices_.chance(*state.rule.probability, state.entity, site)) return;
  }
  ++state.started;
  fire(index, observation);
}

void Engine::fire(std::size_t index, Observation& observation) {
  RuleState& state = rules_[index];
  const Rule& rule = state.rule;
  std::string action = rule.action;
  if (!rule.pick.empty()) action = rule.pick[choices_.below(rule.pick.size(), state.entity, "pick")];
  const ActionRow* row = find_action(action);
  DROVER_CHECK(row != nullptr, "a fault rule with an unknown action was not checked");
  if (row->is_call()) {
    fire_at_call(index, action, observation);
    return;
  }
  std::string target(state.argument("target"));
  if (target.empty()) target = rule.when ? std::string(observation.subject) : rule.subject.value_or("");
  if (row->name == "manager.crash" && observation.faults != nullptr) {
    observation.faults->any = true;
    observation.faults->swallow = true;
  }
  const Arguments arguments = resolve_arguments(*row, rule, choices_, state.entity);
  observation.due.push_back({action, target, arguments, state.name});
  mark_fired(index, *row, target, arguments, observation);
}

void Engine::mark_fired(std::size_t index, const ActionRow& row, std::string_view target,
                        const Arguments& arguments, Observation& observation) {
  RuleState& state = rules_[index];
  ++state.fired;
  ++fired_rows_[row_index(row)];
  firings_.push_back({state.name, std::string(row.name), std::string(target), scheduler_.now(),
                      end_of(arguments, scheduler_), request_});
  trace().add(TraceKind::fault, target, state.name, row.name, observation.point);
  if (state.rule.id.empty()) return;
  const Interested& entry = interested(state.rule.id);
  for (const std::size_t other : entry.triggers) offer(other, entry.canonical, observation);
}

void Engine::perform(std::string_view name, std::string_view target) {
  sink_.perform({std::string(name), std::string(target), {}, {}});
}

void Engine::aimed_at(const Action& action, std::string_view target) {
  const auto last = std::find_if(firings_.rbegin(), firings_.rend(), [&](const Firing& firing) {
    return firing.rule == action.rule && firing.action == action.name;
  });
  if (last != firings_.rend()) last->target = target;
}

void Engine::not_performed(const Action& action) {
  for (auto& state : rules_) {
    if (state.name != action.rule || state.fired == 0) continue;
    --state.fired;
    if (const ActionRow* row = find_action(action.name); row != nullptr) --fired_rows_[row_index(*row)];
  }
  const auto last = std::find_if(firings_.rbegin(), firings_.rend(), [&](const Firing& firing) {
    return firing.rule == action.rule && firing.action == action.name;
  });
  if (last != firings_.rend()) firings_.erase(std::next(last).base());
}

void Engine::arm_timer(std::size_t index, TimePoint at) {
  scheduler_.call_at(domain_, at, [this, index] { timer_due(index); });
}

void Engine::arm_next(std::size_t index) {
  const RuleState& state = rules_[index];
  const Duration gap = std::max(kShortestGap, state.rule.every->sample(choices_, state.entity, "gap"));
  const TimePoint at = scheduler_.later(gap);
  if (state.rule.until && at > kEpoch + *state.rule.until) return;
  if (state.rule.times && state.started >= *state.rule.times) return;
  arm_timer(index, at);
}

void Engine::timer_due(std::size_t index) {
  if (!has_rules_) return;                                         // stopped
  if (rules_[index].rule.at && rules_[index].matched > 0) return;  // it was before a restart
  Observation observation;
  observation.number = ++observations_;
  observation.subject = rules_[index].rule.subject ? std::string_view(*rules_[index].rule.subject) : "";
  complete(index, observation);
  perform_due(observation);
  if (rules_[index].rule.every) arm_next(index);
}

std::vector<RuleCount> Engine::counts() const {
  std::vector<RuleCount> all;
  for (const auto& state : rules_)
    all.push_back({state.name, state.matched, state.fired - state.idle_windows, state.rule.enabled,
                   state.rule.beyond_budget});
  return all;
}

std::vector<const ActionRow*> Engine::fired_actions() const {
  std::vector<std::uint64_t> fired = fired_rows_;
  for (const Window& window : windows_)
    if (window.idle) --fired[row_index(*window.row)];
  std::vector<const ActionRow*> rows;
  for (std::size_t i = 0; i < fired.size(); ++i)
    if (fired[i] > 0) rows.push_back(&catalogue()[i]);
  return rows;
}

nlohmann::json Engine::export_counts() const {
  auto all = nlohmann::json::object();
  for (const auto& state : rules_) {
    all[state.entity] = {{"name", state.name},
                         {"matched", state.matched},
                         {"started", state.started},
                         {"fired", state.fired - state.idle_windows},
                         {"waiting_calls", state.waiting_calls},
                         {"waiting_action", state.waiting_action},
                         {"progress", state.trigger.progress()}};
  }
  return all;
}

Result<void> Engine::import_counts(const nlohmann::json& counts) {
  const auto bad = [](const std::string& entity, const char* why) {
    return make_error(ErrorCode::invalid,
                      "saved fault counts" + (entity.empty() ? "" : " of " + entity) + ": " + why);
  };
  if (!counts.is_object()) return bad("", "not an object");
  std::vector<RuleState> restored = rules_;
  for (auto& state : restored) {
    const auto found = counts.find(state.entity);
    if (found == counts.end()) continue;
    const auto number = [&saved = *found](const char* name, std::uint64_t& value) {
      const auto field = saved.find(name);
      if (field == saved.end() || !field->is_number_unsigned()) return false;
      value = field->get<std::uint64_t>();
      return true;
    };
    if (!found->is_object()) return bad(state.entity, "not an object");
    if (!number("matched", state.matched) || !number("started", state.started) ||
        !number("fired", state.fired) || !number("waiting_calls", state.waiting_calls))
      return bad(state.entity, "a count is missing or not a whole number");
    const auto action = found->find("waiting_action");
    if (action == found->end() || !action->is_string())
      return bad(state.entity, "waiting_action is not a text");
    state.waiting_action = action->get<std::string>();
    if (state.waiting_calls > 0 && find_action(state.waiting_action) == nullptr)
      return bad(state.entity, "waiting_action is not in the catalogue");
    std::vector<std::uint64_t> progress;
    const auto steps = found->find("progress");
    if (steps == found->end() || !steps->is_array()) return bad(state.entity, "progress is not a list");
    for (const auto& step : *steps) {
      if (!step.is_number_unsigned()) return bad(state.entity, "progress holds something else than numbers");
      progress.push_back(step.get<std::uint64_t>());
    }
    if (!state.trigger.restore(progress)) return bad(state.entity, "progress does not belong to its trigger");
  }
  rules_ = std::move(restored);
  return success();
}

}  // namespace drover::fault
