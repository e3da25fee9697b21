// The fault catalogue: the one declared table of everything that can go wrong on purpose. Checks of rules,
// the engine, the exploration and docs/faults.md all read it. Pure; no state.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "manager/base/choices.hpp"
#include "manager/base/distribution.hpp"
#include "manager/base/result.hpp"
#include "mockcloud/fault/points.hpp"
#include "mockcloud/fault/rule.hpp"

namespace drover::fault {

// What an action is done to. The first three are done by the decorators around the ports, the others through
// the ActionSink (engine.hpp).
enum class Target : unsigned char {
  iaas_call,
  agent_call,
  store_commit,
  vm,
  agent,
  database,
  manager,
  journal,
  net,
  client,
  scheduler
};
const char* to_text(Target target);
std::optional<Port> port_of(Target target);

// What a decorator does with a call; `none` for the actions of the sink.
enum class CallAction : unsigned char {
  none,
  refuse,
  error_after_effect,
  lose_reply,
  late_effect,
  delay,
  stuck,
  duplicate_delivery,
  ignore_token,
  throttle,
  quota,
  capacity,
  stale_list,
  torn_list,
  not_found,
  backwards,
  expired_credentials,
  brown_out,
  drop_tags,
  drop_name,
  expire_token,
};

enum class ArgumentType : unsigned char {
  duration,  // "35s", or a distribution such as "uniform(1s, 5s)", drawn at each firing
  number,
  text,
  boolean,  // yes, no, true, false
};
const char* to_text(ArgumentType type);

struct ArgumentRow {
  std::string_view name;
  ArgumentType type{};
  std::string_view fallback;  // used when the rule does not give it; "" and not required: absent
  std::string_view summary;
  std::string_view choices = {};  // of a text: the valid values, "unavailable|throttled"; "" any
  bool required = false;
  bool or_never = false;  // a duration that may also be "never"
};

// One set of arguments that is worth trying: what an exploration gives to an action.
struct Variant {
  std::vector<std::pair<std::string_view, std::string_view>> arguments;
  // A single firing must not be seen from outside: no operation fails because of it, and once all is quiet
  // the world is as it would have been without it.
  bool masked = false;
};

// Where a fault can be made; bits of ActionRow::worlds.
enum World : unsigned { kSim = 1, kMock = 2, kLocal = 4, kCloud = 8 };

// Bits of ActionRow::phases.
constexpr unsigned phase_bit(Phase phase) { return 1U << static_cast<unsigned>(phase); }

struct ActionRow {
  std::string_view name;
  Target target{};
  CallAction call_action = CallAction::none;
  unsigned phases = 0;     // of call actions: where it makes sense; otherwise 0, any point will do
  std::string_view calls;  // of call actions: "newInstance createVolume"; "" every call of the port
  bool window = false;     // can also be opened by a time or any other point, without `on`
  bool beyond_budget = false;
  unsigned worlds = kSim;
  std::vector<ArgumentRow> arguments;
  std::string_view summary;
  std::vector<Variant> variants = {};  // at least one (catalogue_variants.cpp); the first is the plainest

  bool is_call() const { return call_action != CallAction::none; }
  bool applies_to(std::string_view call) const;
  bool in_phase(Phase phase) const { return (phases & phase_bit(phase)) != 0; }
};

const std::vector<ActionRow>& catalogue();

// The variants of a row, kept in a table of their own; one without arguments, not masked, for a row that has
// none there.
std::vector<Variant> variants_of(std::string_view action, Target target);

// Arguments that belong to no single row: `on`, `calls` and `target`; see docs/faults.md.
const std::vector<ArgumentRow>& common_arguments();

// The row of an action. Several ports have a `refuse`: `target` chooses; without it the first row of that
// name.
const ActionRow* find_action(std::string_view name, std::optional<Target> target = std::nullopt);
std::vector<const ActionRow*> find_actions(std::string_view name);

// The arguments of one firing, defaults filled in and durations drawn.
class Arguments {
 public:
  struct Value {
    std::string name;
    std::string text;
    Duration duration{0};  // kNeverHappens for "never"
    double number = 0;
    bool flag = false;
  };

  void add(Value value) { values_.push_back(std::move(value)); }
  bool has(std::string_view name) const { return find(name) != nullptr; }
  // 0, 0, "" and false when the argument is absent.
  Duration duration(std::string_view name) const;
  double number(std::string_view name) const;
  std::string_view text(std::string_view name) const;
  bool flag(std::string_view name) const;
  const std::vector<Value>& values() const { return values_; }

 private:
  const Value* find(std::string_view name) const;

  std::vector<Value> values_;
};
// What "never" gives: later() of any time is kNever.
inline constexpr Duration kNeverHappens = Duration::max();

// The arguments a rule gives to an action of this row, durations drawn from `choices` by `entity`. The rule
// has passed check_rule; arguments that the row does not know are left out.
Arguments resolve_arguments(const ActionRow& row, const Rule& rule, Choices& choices,
                            std::string_view entity);

// Whether a rule makes sense by itself: exactly one of when, at, every; a known action; its arguments; and
// that the action can be done where the rule fires. Errors (ErrorCode::invalid) name the nearest valid name.
Result<void> check_rule(const Rule& rule);
// The same for all rules together: also unique ids, and triggers that name the ids of other rules.
Result<void> check_rules(const std::vector<Rule>& rules);

// The call points that an `on` argument names; without a phase, those of every phase.
std::vector<std::string> expand_on(std::string_view on);

// The whole table and the points as Markdown: the text of docs/faults.md.
std::string catalogue_markdown();

}  // namespace drover::fault
