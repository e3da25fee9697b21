// A fault rule as data: when, if, what, how often. Scenario files and the mock cloud's --faults file both
// become vectors of these; the Engine (engine.hpp) runs them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "manager/base/distribution.hpp"
#include "manager/base/result.hpp"

namespace drover::fault {

// When a rule fires: a small tree, parsed from text such as
//   "iaas.newInstance.reply#1"        the first reply of newInstance
//   "iaas.newInstance.reply#2+"       from the second on; without '#': every one
//   "lost; operation.retry"           after rule `lost` has fired, the next retry of an operation
//   "vm.running#1 & agent.*.before"   both have been seen; '|' either; '*' matches within a name part
// Precedence: '|' loosest, then ';', then '&'. Parentheses are allowed.
struct Trigger {
  enum class Kind : unsigned char { point, then, both, either };
  Kind kind = Kind::point;
  std::string point;              // observation point (may hold '*') or the id of another rule
  unsigned first = 1;             // fires at the first-th match …
  bool onward = true;             // … and all later ones ("#3" means only the third)
  std::vector<Trigger> children;  // of then, both, either: two or more
  friend bool operator==(const Trigger&, const Trigger&) = default;
};

// Syntax only; whether the points exist is check_trigger's question (points.hpp). "#1+" is the same as no
// '#'. Errors (ErrorCode::invalid) carry the offset (in characters, from 1) in front of the message: "7: …".
Result<Trigger> parse_trigger(std::string_view text);
// The canonical text: parse_trigger reads it back to an equal trigger.
std::string to_text(const Trigger& trigger);

struct Rule {
  std::string id;                      // "" when unnamed: reports call it "fault-N"
  std::optional<Trigger> when;         // exactly one of when, at, every
  std::optional<Duration> at;          // once, at this time
  std::optional<Distribution> every;   // again and again, the gaps drawn from here
  std::optional<Duration> until;       // no firing after this time
  std::optional<std::string> subject;  // only where the observation's subject matches ("node-2", "node-*")
  std::optional<double> probability;   // drawn anew at every match
  std::optional<unsigned> times;       // at most so many firings; "#n" triggers fire once anyway
  bool enabled = true;                 // `if:` already decided
  std::string action;                  // name from the catalogue; "" with pick
  std::vector<std::string> pick;       // draw one of these actions at each firing
  std::map<std::string, std::string>
      arguments;               // e.g. {"restart": "10s"}, {"delay": "2m"}; checked by the catalogue
  bool beyond_budget = false;  // budget: beyond — only safety is judged
};

// Everything that makes the rule what it is, in a fixed order and without its place among other rules. Two
// rules with the same text are the same rule; unnamed rules draw their random decisions by the hash of it.
std::string canonical_text(const Rule& rule);

}  // namespace drover::fault
