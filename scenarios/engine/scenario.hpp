// The typed model of a scenario: one case of one file, with every matrix value written in. Made by
// parse_scenario.hpp, carried out by the runner, changed by the shrinker, written by to_json(). Plain data.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "manager/base/time.hpp"
#include "mockcloud/fault/rule.hpp"
#include "scenarios/engine/document.hpp"
#include "scenarios/engine/expression.hpp"
#include "scenarios/engine/matrix.hpp"
#include "scenarios/engine/scenario_settings.hpp"

namespace drover::scenario {

inline constexpr Duration kWithinDefault = 15min;

struct SeedRange {
  std::uint64_t first = 1;
  std::uint64_t last = 5;
  friend bool operator==(const SeedRange&, const SeedRange&) = default;
};

enum class Comparison : unsigned char { equal, not_equal, less, less_equal, greater, greater_equal };
const char* to_text(Comparison comparison);  // "==", "!=", "<", …

// "nodes: 3", "lag_max: '< 2'". The value may hold references.
struct Condition {
  std::string name;
  Comparison comparison = Comparison::equal;
  nlohmann::json value;
  Place place;
  friend bool operator==(const Condition&, const Condition&) = default;
};

// Either an expression or conditions that must all hold.
struct Checks {
  std::optional<Expression> expression;
  std::vector<Condition> conditions;
  friend bool operator==(const Checks&, const Checks&) = default;
};

// A text that must be contained, or a regular expression (ECMAScript, known to compile) that must be found.
struct Match {
  std::string text;
  bool is_regex = false;
  friend bool operator==(const Match&, const Match&) = default;
};

struct CallExpect {
  std::optional<Match> error;            // the call must fail with it
  std::optional<int> code;               // and with this code
  std::optional<nlohmann::json> result;  // a subset of the answer; may hold references
  std::optional<std::string> state;      // the answer's `state`
  friend bool operator==(const CallExpect&, const CallExpect&) = default;
};

struct Client {
  Duration timeout = 30s;
  unsigned retries = 0;
  Duration backoff = 1s;
  friend bool operator==(const Client&, const Client&) = default;
};

struct Call {
  std::string method;
  nlohmann::json with = nlohmann::json::object();  // may hold references
  std::string as;  // captures {operation, result, error, code} under this name
  CallExpect expect;
  std::optional<Client> client;
  bool background = false;  // do not wait for the answer
  std::string ends;         // waits for the end of its operation, which must be this state; "": does not wait
  Duration within = kWithinDefault;
  friend bool operator==(const Call&, const Call&) = default;
};
struct Eventually {
  Checks checks;
  Duration within = kWithinDefault;
  friend bool operator==(const Eventually&, const Eventually&) = default;
};
struct Check {
  Checks checks;
  friend bool operator==(const Check&, const Check&) = default;
};
struct Wait {
  Duration time{0};
  friend bool operator==(const Wait&, const Wait&) = default;
};
struct Until {
  Duration time{0};  // since the world began
  friend bool operator==(const Until&, const Until&) = default;
};
struct Await {
  std::string operation;  // may hold references
  std::string state = "DONE";
  Duration within = kWithinDefault;
  friend bool operator==(const Await&, const Await&) = default;
};
struct Step;
struct Parallel {
  std::vector<Step> steps;
};
struct Repeat {
  unsigned times = 1;
  std::vector<Step> steps;
};
// A fault that the scenario itself makes at this moment.
struct Do {
  std::string action;
  std::map<std::string, std::string> arguments;  // texts may hold references
  std::string subject;                           // likewise; "" when the action needs none
  friend bool operator==(const Do&, const Do&) = default;
};
// A C++ workload by its name.
struct Workload {
  std::string name;
  nlohmann::json with = nlohmann::json::object();  // may hold references
  friend bool operator==(const Workload&, const Workload&) = default;
};

using Action = std::variant<Call, Eventually, Check, Wait, Until, Await, Parallel, Repeat, Do, Workload>;

struct Step {
  std::string name;  // "" when unnamed
  Action action;
  Place place;
};
bool operator==(const Parallel& a, const Parallel& b);
bool operator==(const Repeat& a, const Repeat& b);
bool operator==(const Step& a, const Step& b);
// "call add_nodes", "wait 10s": for traces and reports.
std::string describe(const Step& step);

struct Expectation {
  enum class Kind : unsigned char { always, finally, sometimes, never };
  Kind kind = Kind::always;
  Expression expression;  // not yet bound
  Place place;
  friend bool operator==(const Expectation&, const Expectation&) = default;
};
const char* to_text(Expectation::Kind kind);

// When faults stop, and who is healed for good: `all`, or `random_majority` (faults stay for ever outside
// it).
struct Quiesce {
  std::optional<Duration> at;  // nothing: after the last step
  std::string core = "all";
  friend bool operator==(const Quiesce&, const Quiesce&) = default;
};

// How strictly a run is judged beside the invariants: what exploration writes into the files it finds.
struct Judge {
  // A step that does not end as it should is no failure: the run goes on, and calls are repeated under a key
  // until they are answered. Expectations are not looked at.
  bool tolerant = false;
  // Operations must end, and the service must look at the end, as in a run without any faults.
  bool as_without_faults = false;
  friend bool operator==(const Judge&, const Judge&) = default;
};

struct RealSettings {
  bool allow = false;
  unsigned max_instances = 6;
  Duration ttl = 2h;
  double slack = 1;  // every time limit is multiplied by it
  bool skip_unsupported = true;
  friend bool operator==(const RealSettings&, const RealSettings&) = default;
};

struct Scenario {
  Scenario();

  std::string file;
  std::string name;
  std::string description;
  std::vector<std::string> tags;
  SeedRange seeds;
  Case values;  // the case of the matrix this is; already written in everywhere below
  Settings cloud;
  Settings agents;
  Settings network;
  Settings manager;
  Settings traffic;
  std::vector<Step> steps;          // those whose `if` said no are gone
  std::vector<fault::Rule> faults;  // those whose `if` said no are there with enabled = false
  std::vector<Place> fault_places;  // of each rule in the file
  Quiesce quiesce;
  std::vector<Expectation> expect;
  Judge judge;
  RealSettings real;

  // Whether to_json() of both is the same: everything but places and the file's name.
  friend bool operator==(const Scenario& a, const Scenario& b);
};

// Whether two rules are written the same.
bool same_rule(const fault::Rule& a, const fault::Rule& b);

// The canonical form: keys in documented order, defaults left out, times in their shortest form. Parsing it
// gives an equal scenario.
nlohmann::ordered_json to_json(const Scenario& scenario);
// The same as text, two spaces deep, with a newline at the end; `seed` becomes the only seed.
std::string to_canonical_text(const Scenario& scenario);
std::string to_canonical_text(const Scenario& scenario, std::uint64_t seed);

}  // namespace drover::scenario
