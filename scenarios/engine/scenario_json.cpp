// The canonical form. What stands here has its row in schema_fields.cpp and its reader in
// parse_scenario*.cpp.
#include <charconv>

#include "scenarios/engine/scenario.hpp"

namespace drover::scenario {
namespace {

using drover::to_text;
using Json = nlohmann::ordered_json;

std::string factor_text(double factor) {
  char digits[40];
  const auto end = std::to_chars(digits, digits + sizeof digits, factor).ptr;
  return std::string(digits, end) + "x";
}

Json to_json(const Checks& checks) {
  if (checks.expression) return checks.expression->text();
  auto out = Json::object();
  for (const auto& one : checks.conditions) {
    if (one.comparison == Comparison::equal) {
      out[one.name] = one.value;
    } else {
      const auto operand = one.value.is_string() ? one.value.get<std::string>() : one.value.dump();
      out[one.name] = std::string(to_text(one.comparison)) + " " + operand;
    }
  }
  return out;
}

Json to_json(const std::vector<Step>& steps);

Json to_json(const CallExpect& expect) {
  auto out = Json::object();
  if (expect.error)
    out["error"] = expect.error->is_regex ? "/" + expect.error->text + "/" : expect.error->text;
  if (expect.code) out["code"] = *expect.code;
  if (expect.result) out["result"] = *expect.result;
  if (expect.state) out["state"] = *expect.state;
  return out;
}

Json to_json(const Client& client) {
  const Client defaults;
  auto out = Json::object();
  if (client.timeout != defaults.timeout) out["timeout"] = to_text(client.timeout);
  if (client.retries != defaults.retries) out["retries"] = client.retries;
  if (client.backoff != defaults.backoff) out["backoff"] = to_text(client.backoff);
  return out;
}

// Adds the keys of a step's action.
struct ActionWriter {
  Json& out;

  void within(Duration time) const {
    if (time != kWithinDefault) out["within"] = to_text(time);
  }
  void operator()(const Call& call) const {
    out["call"] = call.method;
    if (!call.with.empty()) out["with"] = call.with;
    if (!call.as.empty()) out["as"] = call.as;
    if (call.expect != CallExpect{}) out["expect"] = to_json(call.expect);
    if (call.client) out["client"] = to_json(*call.client);
    if (call.background) out["background"] = true;
    if (!call.ends.empty()) out["ends"] = call.ends;
    within(call.within);
  }
  void operator()(const Eventually& one) const {
    out["eventually"] = to_json(one.checks);
    within(one.within);
  }
  void operator()(const Check& one) const { out["check"] = to_json(one.checks); }
  void operator()(const Wait& one) const { out["wait"] = to_text(one.time); }
  void operator()(const Until& one) const { out["until"] = to_text(one.time); }
  void operator()(const Await& one) const {
    out["await"]["operation"] = one.operation;
    if (one.state != Await{}.state) out["await"]["state"] = one.state;
    within(one.within);
  }
  void operator()(const Parallel& one) const { out["parallel"] = to_json(one.steps); }
  void operator()(const Repeat& one) const {
    out["repeat"]["times"] = one.times;
    out["repeat"]["steps"] = to_json(one.steps);
  }
  void operator()(const Do& one) const {
    out["do"] = one.action;
    if (!one.arguments.empty()) out["with"] = one.arguments;
    if (!one.subject.empty()) out["on"] = one.subject;
  }
  void operator()(const Workload& one) const {
    out["workload"] = one.name;
    if (!one.with.empty()) out["with"] = one.with;
  }
};

Json to_json(const std::vector<Step>& steps) {
  auto out = Json::array();
  for (const auto& step : steps) {
    auto one = Json::object();
    if (!step.name.empty()) one["name"] = step.name;
    std::visit(ActionWriter{one}, step.action);
    out.push_back(std::move(one));
  }
  return out;
}

Json to_json(const fault::Rule& rule) {
  auto out = Json::object();
  if (!rule.id.empty()) out["id"] = rule.id;
  if (rule.when) out["when"] = fault::to_text(*rule.when);
  if (rule.at) out["at"] = to_text(*rule.at);
  if (rule.every) out["every"] = rule.every->to_text();
  if (rule.until) out["until"] = to_text(*rule.until);
  if (rule.subject) out["subject"] = *rule.subject;
  if (rule.probability) out["probability"] = *rule.probability;
  if (rule.times) out["times"] = *rule.times;
  if (!rule.enabled) out["if"] = false;
  if (!rule.action.empty()) out["do"] = rule.action;
  if (!rule.pick.empty()) out["pick"] = rule.pick;
  if (rule.beyond_budget) out["budget"] = "beyond";
  for (const auto& [key, value] : rule.arguments) out[key] = value;
  return out;
}

Json to_json(const RealSettings& real) {
  const RealSettings defaults;
  auto out = Json::object();
  if (real.allow != defaults.allow) out["allow"] = real.allow;
  if (real.max_instances != defaults.max_instances) out["max_instances"] = real.max_instances;
  if (real.ttl != defaults.ttl) out["ttl"] = to_text(real.ttl);
  if (real.slack != defaults.slack) out["slack"] = factor_text(real.slack);
  if (!real.skip_unsupported) out["on_unsupported"] = "fail";
  return out;
}

Json to_json(const Quiesce& quiesce) {
  auto out = Json::object();
  if (quiesce.at) out["at"] = to_text(*quiesce.at);
  if (quiesce.core != Quiesce{}.core) out["core"] = quiesce.core;
  return out;
}

Json to_json(const Judge& judge) {
  auto out = Json::object();
  if (judge.tolerant) out["steps"] = "tolerant";
  if (judge.as_without_faults) out["end"] = "as_without_faults";
  return out;
}

Json to_json(const Case& values) {
  auto out = Json::object();
  for (const auto& [key, value] : values.values) out[key] = Json::array({Json(value)});
  return out;
}

Json to_json(const std::vector<Expectation>& expect) {
  auto out = Json::array();
  for (const auto& one : expect) out.push_back(Json::object({{to_text(one.kind), one.expression.text()}}));
  return out;
}

}  // namespace

nlohmann::ordered_json to_json(const Scenario& scenario) {
  auto out = Json::object();
  const auto add = [&](const char* key, Json value) {
    if (!value.empty()) out[key] = std::move(value);
  };
  out["schema"] = 1;
  out["name"] = scenario.name;
  if (!scenario.description.empty()) out["description"] = scenario.description;
  add("tags", scenario.tags);
  if (scenario.seeds != SeedRange{})
    out["seeds"] = std::to_string(scenario.seeds.first) + ".." + std::to_string(scenario.seeds.last);
  add("matrix", to_json(scenario.values));
  add("cloud", scenario.cloud.to_json());
  add("agents", scenario.agents.to_json());
  add("network", scenario.network.to_json());
  add("manager", scenario.manager.to_json());
  add("traffic", scenario.traffic.to_json());
  add("steps", to_json(scenario.steps));
  auto faults = Json::array();
  for (const auto& rule : scenario.faults) faults.push_back(to_json(rule));
  add("faults", std::move(faults));
  add("quiesce", to_json(scenario.quiesce));
  add("expect", to_json(scenario.expect));
  add("judge", to_json(scenario.judge));
  add("real", to_json(scenario.real));
  return out;
}

std::string to_canonical_text(const Scenario& scenario) { return to_json(scenario).dump(2) + "\n"; }

std::string to_canonical_text(const Scenario& scenario, std::uint64_t seed) {
  auto one = scenario;
  one.seeds = {seed, seed};
  return to_canonical_text(one);
}

}  // namespace drover::scenario
