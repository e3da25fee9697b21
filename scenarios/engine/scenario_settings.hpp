// The settings of one section of a scenario (cloud, agents, manager, traffic): typed values against the
// section's table of fields, defaults filled in. Keys of nested sections are dotted: "quota.instances". Plain
// value type.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "manager/base/distribution.hpp"
#include "scenarios/engine/schema_fields.hpp"

namespace drover::scenario {

// monostate: not given and without a default. Rates and factors are doubles; lists and maps are JSON.
using SettingValue = std::variant<std::monostate, bool, std::int64_t, double, std::string, Duration,
                                  Distribution, nlohmann::json>;

class Settings {
 public:
  explicit Settings(std::span<const Field> table);

  // Takes over the values of a checked section (check_map must have passed).
  void assign(const Node& section);

  // Whether there is a value (given or default). Asking for a key that the table lacks is a broken invariant,
  // as is asking for a value of another type or one that is missing.
  bool has(std::string_view key) const;
  bool boolean(std::string_view key) const;
  std::int64_t integer(std::string_view key) const;
  double number(std::string_view key) const;  // also rates (per second) and factors
  const std::string& text(std::string_view key) const;
  Duration duration(std::string_view key) const;
  const Distribution& distribution(std::string_view key) const;
  const nlohmann::json& json(std::string_view key) const;  // lists and maps

  // For tools that change one value, e.g. the shrinker: the key must exist and the type fit.
  void set(std::string_view key, SettingValue value);
  bool is_default(std::string_view key) const;
  void reset(std::string_view key);          // to its default
  std::vector<std::string> changed() const;  // the keys that differ from their defaults

  // The values that differ from their defaults, nested again; an empty object when none does.
  nlohmann::ordered_json to_json() const;
  friend bool operator==(const Settings& a, const Settings& b);

 private:
  struct Entry {
    std::string key;
    const Field* field;
    SettingValue value;
  };
  const Entry& entry(std::string_view key) const;
  Entry& entry(std::string_view key);
  template <class T>
  const T& get(std::string_view key) const;

  std::span<const Field> table_;
  std::vector<Entry> entries_;
};

// A checked scalar, list or map as the field's type.
SettingValue to_setting(const Node& value, const Field& field);

}  // namespace drover::scenario
