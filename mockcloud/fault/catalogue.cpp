#include "mockcloud/fault/catalogue.hpp"

#include <algorithm>
#include <charconv>

#include "manager/base/check.hpp"

namespace drover::fault {
namespace {

std::optional<Duration> duration_value(std::string_view text, bool or_never, Choices& choices,
                                       std::string_view entity, std::string_view site) {
  if (or_never && text == "never") return kNeverHappens;
  const auto distribution = Distribution::parse(text);
  if (!distribution) return std::nullopt;
  return distribution.value().sample(choices, entity, site);
}

bool holds_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const auto space = list.find(' ');
    if (list.substr(0, space) == word) return true;
    if (space == std::string_view::npos) return false;
    list.remove_prefix(space + 1);
  }
  return false;
}

}  // namespace

const char* to_text(Target target) {
  switch (target) {
    case Target::iaas_call:
      return "IaaS call";
    case Target::agent_call:
      return "agent call";
    case Target::store_commit:
      return "store commit";
    case Target::vm:
      return "VM";
    case Target::agent:
      return "agent process";
    case Target::database:
      return "database server";
    case Target::manager:
      return "manager";
    case Target::journal:
      return "journal";
    case Target::net:
      return "network";
    case Target::client:
      return "client";
    case Target::scheduler:
      return "scheduler";
  }
  return "?";
}

std::optional<Port> port_of(Target target) {
  switch (target) {
    case Target::iaas_call:
      return Port::iaas;
    case Target::agent_call:
      return Port::agent;
    case Target::store_commit:
      return Port::store;
    default:
      return std::nullopt;
  }
}

const char* to_text(ArgumentType type) {
  switch (type) {
    case ArgumentType::duration:
      return "duration or distribution";
    case ArgumentType::number:
      return "number";
    case ArgumentType::text:
      return "text";
    case ArgumentType::boolean:
      return "yes or no";
  }
  return "?";
}

bool ActionRow::applies_to(std::string_view name_of_call) const {
  return calls.empty() || holds_word(calls, name_of_call);
}

const ActionRow* find_action(std::string_view name, std::optional<Target> target) {
  for (const auto& row : catalogue())
    if (row.name == name && (!target || row.target == *target)) return &row;
  return nullptr;
}

std::vector<const ActionRow*> find_actions(std::string_view name) {
  std::vector<const ActionRow*> found;
  for (const auto& row : catalogue())
    if (row.name == name) found.push_back(&row);
  return found;
}

const Arguments::Value* Arguments::find(std::string_view name) const {
  for (const auto& value : values_)
    if (value.name == name) return &value;
  return nullptr;
}
Duration Arguments::duration(std::string_view name) const {
  const Value* value = find(name);
  return value == nullptr ? Duration{0} : value->duration;
}
double Arguments::number(std::string_view name) const {
  const Value* value = find(name);
  return value == nullptr ? 0 : value->number;
}
std::string_view Arguments::text(std::string_view name) const {
  const Value* value = find(name);
  return value == nullptr ? std::string_view() : std::string_view(value->text);
}
bool Arguments::flag(std::string_view name) const {
  const Value* value = find(name);
  return value != nullptr && value->flag;
}

Arguments resolve_arguments(const ActionRow& row, const Rule& rule, Choices& choices,
                            std::string_view entity) {
  Arguments resolved;
  for (const auto& argument : row.arguments) {
    const auto given = rule.arguments.find(std::string(argument.name));
    const std::string text(given == rule.arguments.end() ? argument.fallback
                                                         : std::string_view(given->second));
    if (text.empty()) continue;
    Arguments::Value value;
    value.name = argument.name;
    value.text = text;
    switch (argument.type) {
      case ArgumentType::duration: {
        const std::string site = std::string(row.name) + "." + value.name;
        const auto drawn = duration_value(text, argument.or_never, choices, entity, site);
        DROVER_CHECK(drawn.has_value(), "a fault rule's duration was not checked");
        value.duration = *drawn;
        break;
      }
      case ArgumentType::number:
        std::from_chars(text.data(), text.data() + text.size(), value.number);
        break;
      case ArgumentType::boolean:
        value.flag = text == "yes" || text == "true";
        break;
      case ArgumentType::text:
        break;
    }
    resolved.add(std::move(value));
  }
  return resolved;
}

}  // namespace drover::fault
