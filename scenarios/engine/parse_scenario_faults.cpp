// From nodes to fault rules. Arguments of actions are only collected here: the catalogue knows them.
#include "scenarios/engine/parse_scenario_reader.hpp"
#include "scenarios/engine/reference.hpp"

namespace drover::scenario {

void ScenarioReader::collect_fault_ids(const Node& list) {
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    const auto* id = list.items[i].find("id");
    auto name = id != nullptr ? id->text : "fault-" + std::to_string(i + 1);
    if (std::ranges::find(fault_ids_, name) != fault_ids_.end())
      problems_.add(id != nullptr ? id->place : list.items[i].place,
                    "two faults have the id " + in_quotes(name));
    fired_.push_back(name + ".fired");
    fault_ids_.push_back(std::move(name));
  }
}

void ScenarioReader::read_faults(const Node& list, Scenario& out) {
  for (const auto& item : list.items) {
    if (auto rule = read_fault(item)) {
      out.faults.push_back(std::move(*rule));
      out.fault_places.push_back(item.place);
    }
  }
}

void ScenarioReader::check_fault_shape(const Node& node) {
  const auto count = [&](std::initializer_list<const char*> keys) {
    return std::ranges::count_if(keys, [&](const char* key) { return node.find(key) != nullptr; });
  };
  if (count({"when", "at", "every"}) != 1)
    problems_.add(node.place, "a fault has exactly one of when, at, every: what makes it fire");
  if (count({"do", "pick"}) != 1)
    problems_.add(node.place, "a fault has exactly one of do, pick: what happens");
  const auto* pick = node.find("pick");
  if (pick != nullptr && pick->items.empty()) problems_.add(pick->place, "pick needs at least one action");
}

std::optional<fault::Rule> ScenarioReader::read_fault(const Node& node) {
  if (node.kind != Node::Kind::map) {
    problems_.add(node.place, "a fault takes a map of keys, found " + describe(node));
    return std::nullopt;
  }
  bool fine = true;
  for (const auto& member : node.members)
    if (const auto* field = find_field(fault_fields(), member.key); field != nullptr)
      fine = check_value(member.value, *field, problems_) && fine;
  if (!fine) return std::nullopt;
  check_fault_shape(node);
  fault::Rule rule;
  if (const auto* id = node.find("id")) rule.id = id->text;
  if (const auto* when = node.find("when")) {
    rule.when = fault::parse_trigger(when->text).value();
    check_trigger_ids(*when, *rule.when);
  }
  if (const auto* at = node.find("at")) rule.at = parse_duration(at->text);
  if (const auto* every = node.find("every")) rule.every = Distribution::parse(every->text).value();
  if (const auto* until = node.find("until")) rule.until = parse_duration(until->text);
  if (const auto* subject = node.find("subject")) {
    check_reference_text(*subject, {});
    rule.subject = subject->text;
  }
  if (const auto* probability = node.find("probability")) rule.probability = probability->number;
  if (const auto* times = node.find("times")) rule.times = static_cast<unsigned>(times->number);
  if (const auto* condition = node.find("if")) rule.enabled = decide(*condition, values_, problems_);
  if (const auto* action = node.find("do")) {
    check_known(*action, "action", known_.actions);
    rule.action = action->text;
  }
  if (const auto* pick = node.find("pick")) {
    for (const auto& action : pick->items) {
      check_known(action, "action", known_.actions);
      rule.pick.push_back(action.text);
    }
  }
  if (const auto* budget = node.find("budget")) rule.beyond_budget = budget->text == "beyond";
  read_arguments(node, rule);
  return rule;
}

void ScenarioReader::read_arguments(const Node& node, fault::Rule& rule) {
  for (const auto& [key, place, value] : node.members) {
    if (find_field(fault_fields(), key) != nullptr) continue;
    if (!value.is_scalar() || value.kind == Node::Kind::null) {
      problems_.add(value.place,
                    "the argument " + in_quotes(key) + " of a fault takes a value, found " + describe(value));
      continue;
    }
    check_reference_text(value, {});
    rule.arguments[key] = value.kind == Node::Kind::boolean ? (value.boolean ? "true" : "false") : value.text;
  }
}

void ScenarioReader::check_trigger_ids(const Node& when, const fault::Trigger& trigger) {
  for (const auto& child : trigger.children) check_trigger_ids(when, child);
  const auto& point = trigger.point;
  const bool is_id =
      trigger.kind == fault::Trigger::Kind::point && point.find_first_of(".*") == std::string::npos;
  if (!is_id || std::ranges::find(fault_ids_, point) != fault_ids_.end()) return;
  problems_.add(when.place_at(when.text.find(point)),
                "unknown fault " + in_quotes(point) + " in a trigger" + suggestion(point, fault_ids_));
}

}  // namespace drover::scenario
