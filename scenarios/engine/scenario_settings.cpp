#include "scenarios/engine/scenario_settings.hpp"

#include <charconv>

#include "manager/base/check.hpp"

namespace drover::scenario {
namespace {

double factor_of(std::string_view text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

SettingValue fallback_of(const Field& field) {
  if (field.fallback.empty()) return std::monostate{};
  return to_setting(plain_scalar(std::string(field.fallback)), field);
}

nlohmann::ordered_json written(const SettingValue& value, const Field& field) {
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* duration = std::get_if<Duration>(&value)) return to_text(*duration);
  if (const auto* distribution = std::get_if<Distribution>(&value)) return distribution->to_text();
  if (const auto* json = std::get_if<nlohmann::json>(&value)) return *json;
  if (const auto* number = std::get_if<double>(&value)) {
    if (field.type == FieldType::rate) return rate_text(*number);
    return *number;
  }
  return nullptr;
}

}  // namespace

SettingValue to_setting(const Node& value, const Field& field) {
  switch (field.type) {
    case FieldType::boolean:
      return value.boolean;
    case FieldType::integer:
      return static_cast<std::int64_t>(value.number);
    case FieldType::number:
      return value.number;
    case FieldType::duration:
      return *parse_duration(value.text);
    case FieldType::distribution:
      return Distribution::parse(value.text).value();
    case FieldType::rate:
      return *parse_rate(value.text);
    case FieldType::factor:
      return factor_of(value.text);
    case FieldType::texts:
    case FieldType::list:
    case FieldType::map:
      return to_json(value);
    default:
      return value.text;
  }
}

Settings::Settings(std::span<const Field> table) : table_(table) {
  for (const auto& field : table) {
    if (field.type != FieldType::section) {
      entries_.push_back({std::string(field.name), &field, fallback_of(field)});
      continue;
    }
    for (const auto& inner : field.fields)
      entries_.push_back(
          {std::string(field.name) + "." + std::string(inner.name), &inner, fallback_of(inner)});
  }
}

void Settings::assign(const Node& section) {
  for (const auto& member : section.members) {
    const auto* field = find_field(table_, member.key);
    DROVER_CHECK(field != nullptr, "a section was not checked before it was used");
    if (field->type != FieldType::section) {
      entry(member.key).value = to_setting(member.value, *field);
      continue;
    }
    for (const auto& inner : member.value.members) {
      auto& one = entry(member.key + "." + inner.key);
      one.value = to_setting(inner.value, *one.field);
    }
  }
}

const Settings::Entry& Settings::entry(std::string_view key) const {
  const auto found = std::ranges::find(entries_, key, &Entry::key);
  DROVER_CHECK(found != entries_.end(), "no such setting in the table of this section");
  return *found;
}
Settings::Entry& Settings::entry(std::string_view key) {
  return const_cast<Entry&>(std::as_const(*this).entry(key));
}

template <class T>
const T& Settings::get(std::string_view key) const {
  const auto* value = std::get_if<T>(&entry(key).value);
  DROVER_CHECK(value != nullptr, "a setting was read as a type it does not have, or has no value");
  return *value;
}

bool Settings::has(std::string_view key) const { return entry(key).value.index() != 0; }
bool Settings::boolean(std::string_view key) const { return get<bool>(key); }
std::int64_t Settings::integer(std::string_view key) const { return get<std::int64_t>(key); }
double Settings::number(std::string_view key) const { return get<double>(key); }
const std::string& Settings::text(std::string_view key) const { return get<std::string>(key); }
Duration Settings::duration(std::string_view key) const { return get<Duration>(key); }
const Distribution& Settings::distribution(std::string_view key) const { return get<Distribution>(key); }
const nlohmann::json& Settings::json(std::string_view key) const { return get<nlohmann::json>(key); }

void Settings::set(std::string_view key, SettingValue value) {
  auto& one = entry(key);
  const bool fits = value.index() == 0 || one.value.index() == 0 || value.index() == one.value.index();
  DROVER_CHECK(fits, "a setting was given a value of another type");
  one.value = std::move(value);
}

bool Settings::is_default(std::string_view key) const {
  const auto& one = entry(key);
  return one.value == fallback_of(*one.field);
}

void Settings::reset(std::string_view key) {
  auto& one = entry(key);
  one.value = fallback_of(*one.field);
}

std::vector<std::string> Settings::changed() const {
  std::vector<std::string> keys;
  for (const auto& one : entries_)
    if (one.value.index() != 0 && one.value != fallback_of(*one.field)) keys.push_back(one.key);
  return keys;
}

nlohmann::ordered_json Settings::to_json() const {
  auto out = nlohmann::ordered_json::object();
  for (const auto& one : entries_) {
    if (one.value.index() == 0 || one.value == fallback_of(*one.field)) continue;
    const auto dot = one.key.find('.');
    if (dot == std::string::npos) {
      out[one.key] = written(one.value, *one.field);
    } else {
      out[one.key.substr(0, dot)][one.key.substr(dot + 1)] = written(one.value, *one.field);
    }
  }
  return out;
}

bool operator==(const Settings& a, const Settings& b) {
  const auto same = [](const Settings::Entry& x, const Settings::Entry& y) {
    return x.key == y.key && x.value == y.value;
  };
  return std::ranges::equal(a.entries_, b.entries_, same);
}

}  // namespace drover::scenario
