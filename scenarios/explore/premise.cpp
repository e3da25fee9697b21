#include "scenarios/explore/premise.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "scenarios/engine/comparison.hpp"

namespace drover::explore {
namespace {

using scenario::Checks;
using scenario::Comparison;
using scenario::Scenario;
using scenario::Step;
using scenario::Value;

constexpr Duration kLongEnough = 5min;  // for any operation, where nothing disturbs it

// The number of the line in "line 42, …"; 0 when there is none.
unsigned line_of(const std::string& message) {
  constexpr std::string_view kLine = "line ";
  if (!message.starts_with(kLine)) return 0;
  unsigned line = 0;
  std::from_chars(message.data() + kLine.size(), message.data() + message.size(), line);
  return line;
}

// The step at the top that failed or holds the one that did; all of them for an expectation.
std::size_t failing_step(const Scenario& one, const scenario::Violation& failure) {
  if (failure.invariant != "step") return one.steps.size();
  const unsigned line = line_of(failure.message);
  std::size_t found = one.steps.empty() ? 0 : one.steps.size() - 1;
  for (std::size_t i = 0; i < one.steps.size(); ++i)
    if (one.steps[i].place.line <= line) found = i;
  return found;
}

// How the step is written, without what does not matter: its name, and how often something is repeated.
std::string text_of(nlohmann::ordered_json step) {
  step.erase("name");
  if (step.contains("repeat")) step["repeat"].erase("times");
  return step.dump();
}

std::vector<std::string> metrics_of(const Checks& checks) {
  std::vector<std::string> names;
  if (checks.expression)
    for (const auto& name : checks.expression->names()) names.push_back(name.name);
  for (const auto& condition : checks.conditions) names.push_back(condition.name);
  return names;
}

bool compares(const Value& left, Comparison comparison, const nlohmann::json& right) {
  int order = 0;
  if (const auto* number = std::get_if<double>(&left); number != nullptr && right.is_number())
    order = *number < right.get<double>() ? -1 : *number > right.get<double>() ? 1 : 0;
  else if (const auto* text = std::get_if<std::string>(&left);
           text != nullptr && right.is_string() && !right.get<std::string>().starts_with('$'))
    order = text->compare(right.get<std::string>());
  else
    return false;
  return scenario::holds(order, comparison);
}

// Nothing is set that makes a service without a fault another one.
bool has_a_plain_manager(const nlohmann::ordered_json& written) {
  constexpr std::string_view kHarmless[] = {"durability", "failover", "reconcile_interval"};
  if (!written.contains("manager")) return true;
  return std::ranges::all_of(written["manager"].items(), [&](const auto& entry) {
    return std::ranges::find(kHarmless, entry.key()) != std::end(kHarmless);
  });
}

// The account's limit on VMs; nothing when it has none.
std::optional<std::size_t> quota_of(const Scenario& one) {
  if (!one.cloud.has("quota.instances")) return std::nullopt;
  const auto quota = one.cloud.integer("quota.instances");
  return quota > 0 ? std::optional<std::size_t>(static_cast<std::size_t>(quota)) : std::nullopt;
}

// Nothing is set of cloud, machines and network but that limit, which is foreseen.
bool has_plain_surroundings(const Scenario& one) {
  return one.agents.changed().empty() && one.network.changed().empty() &&
         std::ranges::all_of(one.cloud.changed(),
                             [](const auto& key) { return std::string_view(key) == "quota.instances"; });
}

// Everybody is there who answers for a key: nothing was done to the manager, its journal, or the way there.
bool keep_what_a_key_was_for(const std::multiset<std::string>& disturbances) {
  constexpr std::string_view kOthers[] = {"\"store.", "\"manager.", "\"net.", "\"api."};
  return std::ranges::none_of(disturbances, [&](const auto& one) {
    return std::ranges::any_of(kOthers, [&](auto other) { return one.find(other) != std::string::npos; });
  });
}

}  // namespace

Premise::Premise(const Scenario& one, const scenario::Violation& failure) : service_(quota_of(one)) {
  const auto written = scenario::to_json(one);
  const std::size_t failing = failing_step(one, failure);
  for (std::size_t i = 0; i < std::min(failing, one.steps.size()); ++i)
    take(one.steps[i], written["steps"][i]);
  for (std::size_t i = 0; i < one.faults.size(); ++i)
    if (one.faults[i].enabled) disturbances_.insert(written["faults"][i].dump());
  for (const char* section : {"manager", "traffic", "quiesce"})
    if (written.contains(section)) settings_[section] = written[section].dump();
  for (const char* section : {"cloud", "agents", "network"})
    if (written.contains(section)) surroundings_[section] = written[section].dump();
  if (failing < one.steps.size()) {
    failing_ = text_of(written["steps"][failing]);
    judge_step(one.steps[failing]);
  } else {
    failing_ = failure.fingerprint;
    judge_expectation(one, failure.fingerprint);
  }
  would_be_met_ = would_be_met_ && service_.known();
  is_only_hindered_ = is_only_hindered_ || would_be_met_;
  would_be_met_ =
      would_be_met_ && disturbances_.empty() && has_plain_surroundings(one) && has_a_plain_manager(written);
  would_be_met_ = would_be_met_ || (rests_on_a_key_ && keep_what_a_key_was_for(disturbances_));
}

void Premise::take(const Step& step, nlohmann::ordered_json written) {
  if (std::holds_alternative<scenario::Check>(step.action)) return;
  if (std::holds_alternative<scenario::Do>(step.action)) {
    disturbances_.insert(text_of(std::move(written)));
    return;
  }
  const bool waits = std::holds_alternative<scenario::Wait>(step.action) ||
                     std::holds_alternative<scenario::Until>(step.action) ||
                     std::holds_alternative<scenario::Eventually>(step.action);
  if (waits) {
    (void)service_.take(step);  // which changes nothing but what is settled
    return waits_.push_back(text_of(std::move(written)));
  }
  if (const auto* call = std::get_if<scenario::Call>(&step.action); call != nullptr && only_reads(*call))
    return;
  const IdealService before = service_;
  if (service_.take(step)) return;
  if (before.known()) service_text_ = before.to_text();  // all that will ever be known
  add_effect(step, std::move(written));
}

// The same for a call that waits for the end of its operation as for one with a step behind it that does.
void Premise::add_effect(const Step& step, nlohmann::ordered_json written) {
  const auto wait_for = [this](const std::string& begun, const std::string& state) {
    effects_.push_back("until " + state + " " + begun);
  };
  if (const auto* await = std::get_if<scenario::Await>(&step.action)) {
    const std::string as = await->operation.substr(std::min<std::size_t>(1, await->operation.size()),
                                                   await->operation.find('.') - 1);
    return wait_for(begun_[as], await->state);
  }
  const auto* call = std::get_if<scenario::Call>(&step.action);
  if (call == nullptr) return effects_.push_back(text_of(std::move(written)));
  for (const char* key : {"as", "ends", "within"}) written.erase(key);
  const std::string text = text_of(std::move(written));
  effects_.push_back(text);
  if (!call->as.empty()) begun_[call->as] = text;
  if (!call->ends.empty()) wait_for(text, call->ends);
}

bool Premise::holds(const Checks& checks) const {
  for (const auto& condition : checks.conditions) {
    const auto value = service_.value(condition.name);
    if (!value || !compares(*value, condition.comparison, condition.value)) return false;
  }
  if (!checks.expression) return true;
  const auto value = checks.expression->evaluate(
      scenario::Lookup([this](std::string_view name) { return service_.value(name); }));
  const auto* truth = value.has_value() ? std::get_if<bool>(&value.value()) : nullptr;
  return truth != nullptr && *truth;
}

void Premise::judge_step(const Step& failed) {
  if (const auto* check = std::get_if<scenario::Check>(&failed.action)) {
    would_be_met_ = service_.is_settled() && holds(check->checks);
    return project(metrics_of(check->checks));
  }
  if (const auto* eventually = std::get_if<scenario::Eventually>(&failed.action)) {
    waits_itself_ = eventually->within >= kLongEnough;
    would_be_met_ = is_settled() && holds(eventually->checks);
    return project(metrics_of(eventually->checks));
  }
  if (const auto* await = std::get_if<scenario::Await>(&failed.action)) {
    is_only_hindered_ = await->state == "DONE";
    would_be_met_ = service_.carries_through(*await) && await->within >= kLongEnough;
  } else if (const auto* call = std::get_if<scenario::Call>(&failed.action)) {
    is_only_hindered_ =
        call->expect == scenario::CallExpect{} && (call->ends.empty() || call->ends == "DONE");
    would_be_met_ = service_.accepts(*call) && (call->ends.empty() || call->within >= kLongEnough);
    rests_on_a_key_ = service_.knows_the_key_of(*call);
    if (rests_on_a_key_) failing_ += " of a key";
  }
  project({});
}

void Premise::judge_expectation(const Scenario& one, const std::string& text) {
  for (const auto& expectation : one.expect) {
    if (text != "expect " + expectation.expression.text()) continue;
    Checks checks;
    checks.expression = expectation.expression;
    // Operations are waited for before the end.
    would_be_met_ = expectation.kind == scenario::Expectation::Kind::finally && holds(checks);
    return project(metrics_of(checks));
  }
}

// Of a service that is known, only what is asked for.
void Premise::project(const std::vector<std::string>& metrics) {
  bool all = !metrics.empty() && service_.known();
  std::string text;
  for (const std::string& metric : metrics) {
    const auto value = service_.value(metric);
    all = all && value.has_value();
    if (all) text += metric + " " + scenario::to_text(*value) + ", ";
  }
  // Writers change nothing of what is foreseen, but for what is told of their writes.
  const bool of_writes = std::any_of(metrics.begin(), metrics.end(), [](const std::string& metric) {
    return metric.ends_with("_writes") || metric.ends_with("_reads") || metric == "longest_outage_s";
  });
  if (!of_writes) settings_.erase("traffic");
  if (service_.known()) service_text_ = service_.to_text();
  looked_at_ = all ? text : service_text_;
}

bool Premise::rests_on(const Premise& original) const {
  if (failing_ != original.failing_ || looked_at_ != original.looked_at_ || effects_ != original.effects_ ||
      settings_ != original.settings_ || is_settled() != original.is_settled())
    return false;
  // What disturbs may do so to whatever there is.
  if (!disturbances_.empty() && service_text_ != original.service_text_) return false;
  const bool as_disturbed =
      disturbances_ == original.disturbances_ && surroundings_ == original.surroundings_;
  if (!as_disturbed &&
      !(original.is_only_hindered_ && std::ranges::includes(original.disturbances_, disturbances_)))
    return false;
  return waits_ == original.waits_ || (disturbances_.empty() && is_settled());
}

}  // namespace drover::explore
