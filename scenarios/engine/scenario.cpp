#include "scenarios/engine/scenario.hpp"

namespace drover::scenario {

const char* to_text(Comparison comparison) {
  constexpr const char* kTexts[] = {"==", "!=", "<", "<=", ">", ">="};
  return kTexts[static_cast<std::size_t>(comparison)];
}

const char* to_text(Expectation::Kind kind) {
  constexpr const char* kTexts[] = {"always", "finally", "sometimes", "never"};
  return kTexts[static_cast<std::size_t>(kind)];
}

bool operator==(const Step& a, const Step& b) { return a.name == b.name && a.action == b.action; }
bool operator==(const Parallel& a, const Parallel& b) { return a.steps == b.steps; }
bool operator==(const Repeat& a, const Repeat& b) { return a.times == b.times && a.steps == b.steps; }

std::string describe(const Step& step) {
  struct Describe {
    static std::string checks(const Checks& checks) {
      if (checks.expression) return checks.expression->text();
      std::string out;
      for (const auto& one : checks.conditions)
        out += (out.empty() ? "" : ", ") + one.name + " " + to_text(one.comparison) + " " + one.value.dump();
      return out;
    }
    std::string operator()(const Call& call) const { return "call " + call.method; }
    std::string operator()(const Eventually& one) const { return "eventually " + checks(one.checks); }
    std::string operator()(const Check& one) const { return "check " + checks(one.checks); }
    std::string operator()(const Wait& one) const { return "wait " + drover::to_text(one.time); }
    std::string operator()(const Until& one) const { return "until " + drover::to_text(one.time); }
    std::string operator()(const Await& one) const { return "await " + one.operation + " " + one.state; }
    std::string operator()(const Parallel& one) const {
      return "parallel " + std::to_string(one.steps.size()) + " steps";
    }
    std::string operator()(const Repeat& one) const {
      return "repeat " + std::to_string(one.times) + " times";
    }
    std::string operator()(const Do& one) const {
      return "do " + one.action + (one.subject.empty() ? "" : " on " + one.subject);
    }
    std::string operator()(const Workload& one) const { return "workload " + one.name; }
  };
  return (step.name.empty() ? "" : step.name + ": ") + std::visit(Describe{}, step.action);
}

Scenario::Scenario()
    : cloud(cloud_fields()),
      agents(agents_fields()),
      network(network_fields()),
      manager(manager_fields()),
      traffic(traffic_fields()) {}

bool same_rule(const fault::Rule& a, const fault::Rule& b) {
  const auto trigger = [](const fault::Rule& rule) {
    return rule.when ? fault::to_text(*rule.when) : std::string();
  };
  return a.id == b.id && trigger(a) == trigger(b) && a.at == b.at && a.every == b.every &&
         a.until == b.until && a.subject == b.subject && a.probability == b.probability &&
         a.times == b.times && a.enabled == b.enabled && a.action == b.action && a.pick == b.pick &&
         a.arguments == b.arguments && a.beyond_budget == b.beyond_budget;
}

bool operator==(const Scenario& a, const Scenario& b) {
  return a.name == b.name && a.description == b.description && a.tags == b.tags && a.seeds == b.seeds &&
         a.values == b.values && a.cloud == b.cloud && a.agents == b.agents && a.network == b.network &&
         a.manager == b.manager && a.traffic == b.traffic && a.steps == b.steps &&
         std::ranges::equal(a.faults, b.faults, same_rule) && a.quiesce == b.quiesce &&
         a.expect == b.expect && a.judge == b.judge && a.real == b.real;
}

}  // namespace drover::scenario
