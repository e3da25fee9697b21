#include "scenarios/explore/drawn_calls.hpp"

#include <algorithm>

#include "manager/api/service.hpp"
#include "mockcloud/fault/catalogue.hpp"
#include "scenarios/explore/candidates.hpp"
#include "scenarios/explore/drawer.hpp"

namespace drover::explore {
namespace {

using scenario::Call;
using scenario::Step;

constexpr std::uint64_t kMostMembers = 4;        // that a call names: "$nodes[3]"
constexpr std::uint64_t kMoreCancellations = 3;  // they come first in the catalogue's row
constexpr std::uint64_t kMostKeys = 2;           // few, so that some are used twice
// What comes at once, within the set-up of a server, and once all has settled.
constexpr Duration kGaps[] = {0s, 0s, 200ms, 2s, 10s, 30s, 90s, 4min};

// What callers ask for, each as often as its share of the table.
enum class Wish : unsigned char {
  more,
  replica,
  fewer,
  leave,
  switch_over,
  take_over,
  copy_again,
  master,
  user,
  no_user,
  password,
  dump,
  cancel,
  stop,
  look
};
constexpr Wish kWishes[] = {
    Wish::more,      Wish::more,       Wish::more,        Wish::replica,     Wish::fewer,
    Wish::fewer,     Wish::leave,      Wish::leave,       Wish::leave,       Wish::cancel,
    Wish::cancel,    Wish::cancel,     Wish::switch_over, Wish::switch_over, Wish::take_over,
    Wish::take_over, Wish::copy_again, Wish::copy_again,  Wish::master,      Wish::user,
    Wish::no_user,   Wish::password,   Wish::dump,        Wish::stop,        Wish::look,
};

// Operations take a key, but for a shutdown, of which there is one at a time.
bool takes_a_key(const std::string& method) {
  return std::ranges::any_of(api::exposed_functions(), [&](const api::Method& row) {
    return method == row.name && std::ranges::any_of(row.parameters, [](const api::Parameter& parameter) {
             return std::string_view(parameter.name) == "key";
           });
  });
}

bool begins_operation(const std::string& method) { return method == "shutdown" || takes_a_key(method); }

class Caller {
 public:
  Caller(const std::vector<Step>& written, Drawer& draw) : draw_(draw) { count_operations(written); }

  // The call, and those that belong to it.
  std::vector<Step> steps() {
    Call call;
    const Wish wish = draw_.one_of(kWishes, "wish");
    ask(wish, call);
    call.background = true;
    if (takes_a_key(call.method) && draw_.chance(0.25, "key"))
      call.with["key"] = "drawn-" + std::to_string(1 + draw_.below(kMostKeys, "which key"));
    std::vector<Step> all{step_of(call)};
    if (wish == Wish::stop && draw_.chance(0.7, "start again")) {
      all.push_back(wait(draw_.one_of(kGaps, "stopped for")));
      Call again;
      again.method = "startup";
      again.background = true;
      all.push_back(step_of(again));
    }
    if (begins_operation(call.method)) ++operations_;
    return all;
  }

  static Step wait(Duration time) {
    Step step;
    step.action = scenario::Wait{time};
    return step;
  }
  static Step step_of(Call call) {
    Step step;
    step.action = std::move(call);
    return step;
  }

 private:
  void ask(Wish wish, Call& call) {
    switch (wish) {
      case Wish::more:
        call.method = "add_nodes";
        call.with["count"] = 1 + draw_.below(2, "count");
        if (draw_.chance(0.25, "partial")) call.with["partial"] = "keep";
        return;
      case Wish::replica:
        call.method = "create_replica";
        call.with["master_id"] = "$master";
        return;
      case Wish::fewer:
        call.method = "remove_nodes";
        call.with["count"] = 1 + draw_.below(2, "count");
        if (draw_.chance(0.2, "force")) call.with["force"] = true;
        return;
      case Wish::leave:
        call.method = "remove_nodes";
        call.with["serviceNodeId"] = member();
        if (draw_.chance(0.3, "force")) call.with["force"] = true;
        return;
      case Wish::switch_over:
        call.method = "promote";
        call.with["id"] = member();
        return;
      case Wish::take_over:
        call.method = "fail_over";
        if (draw_.chance(0.6, "force")) call.with["force"] = true;
        return;
      case Wish::copy_again:
        call.method = "set_up_replica_slave";
        call.with["id"] = member();
        return;
      case Wish::master:
        call.method = "set_up_replica_master";
        call.with["id"] = member();
        return;
      case Wish::user:
        call.method = "configure_user";
        call.with = {{"serviceNodeId", member()}, {"username", user()}, {"password", "drawn-secret"}};
        return;
      case Wish::no_user:
        call.method = "delete_user";
        call.with = {{"serviceNodeId", member()}, {"username", user()}};
        return;
      case Wish::password:
        call.method = "set_password";
        call.with = {{"user", user()}, {"password", "another-secret"}};
        return;
      case Wish::dump:
        call.method = "load_dump";
        call.with["mysqldump_file"] = "REPLACE INTO drawn VALUES ('x', 1);\n";
        return;
      case Wish::cancel:
        call.method = "cancel_operation";
        call.with["id"] = std::to_string(1 + draw_.below(operations_ + 1, "operation"));
        return;
      case Wish::stop:
        call.method = "shutdown";
        return;
      case Wish::look: {
        static constexpr const char* kReads[] = {"list_nodes", "get_topology", "list_operations",
                                                 "get_users",  "sqldump",      "get_service_history"};
        call.method = draw_.one_of(kReads, "read");
        return;
      }
    }
  }

  // By its place among the members, the master, or by a number that may be nobody's.
  std::string member() {
    const auto how = draw_.below(6, "whom");
    if (how == 0) return "$master";
    if (how == 1) return std::to_string(1 + draw_.below(kMostMembers + 1, "number"));
    return "$nodes[" + std::to_string(draw_.below(kMostMembers, "member")) + "]";
  }
  std::string user() { return draw_.chance(0.5, "user") ? "drawn" : "app"; }

  void count_operations(const std::vector<Step>& steps) {
    for (const Step& step : steps) {
      if (const auto* again = std::get_if<scenario::Repeat>(&step.action)) count_operations(again->steps);
      if (const auto* beside = std::get_if<scenario::Parallel>(&step.action)) count_operations(beside->steps);
      const auto* call = std::get_if<Call>(&step.action);
      if (call != nullptr && begins_operation(call->method)) ++operations_;
    }
  }

  Drawer& draw_;
  std::uint64_t operations_ = 0;  // that the scenario may have begun: their ids are its numbers
};

// A step that takes a while, as two between which something can happen.
std::vector<Step> cut(const Step& step, Duration after, const std::string& capture) {
  if (const auto* wait = std::get_if<scenario::Wait>(&step.action); wait != nullptr && wait->time > after) {
    Step rest = step;
    rest.name.clear();
    rest.action = scenario::Wait{wait->time - after};
    Step first = step;
    first.action = scenario::Wait{after};
    return {first, rest};
  }
  const auto* call = std::get_if<Call>(&step.action);
  if (call == nullptr || call->ends.empty() || call->background) return {step};
  Step first = step;
  auto& begun = std::get<Call>(first.action);
  if (begun.as.empty()) begun.as = capture;
  Step rest;
  rest.place = step.place;
  rest.action = scenario::Await{"$" + begun.as + ".operation", begun.ends, begun.within};
  begun.ends.clear();
  begun.within = scenario::kWithinDefault;
  return {first, rest};
}

bool is_beyond(std::string_view action) {
  const fault::ActionRow* row = fault::find_action(action);
  return row != nullptr && row->beyond_budget;
}

bool goes_beyond(const std::vector<Step>& steps) {
  return std::ranges::any_of(steps, [](const Step& step) {
    if (const auto* action = std::get_if<scenario::Do>(&step.action)) return is_beyond(action->action);
    if (const auto* again = std::get_if<scenario::Repeat>(&step.action)) return goes_beyond(again->steps);
    if (const auto* beside = std::get_if<scenario::Parallel>(&step.action)) return goes_beyond(beside->steps);
    return false;
  });
}

}  // namespace

bool may_take_calls(const scenario::Scenario& written) {
  return !goes_beyond(written.steps) && std::ranges::none_of(written.faults, [](const fault::Rule& rule) {
    return rule.enabled && (rule.beyond_budget || is_beyond(rule.action));
  });
}

std::vector<Step> with_drawn_calls(const std::vector<Step>& steps, std::uint64_t seed,
                                   const std::string& entity, std::uint64_t most) {
  Drawer draw(seed, entity + " calls");
  Caller caller(steps, draw);
  std::vector<Step> all = steps;
  const std::uint64_t calls = 1 + draw.below(most, "calls");
  for (std::uint64_t i = 0; i < calls; ++i) {
    std::size_t at = draw.below(all.size() + 1, "place");
    const Duration gap = draw.one_of(kGaps, "gap");
    bool waits_already = false;
    if (at < all.size()) {
      auto halves = cut(all[at], gap, "cut" + std::to_string(all.size()));
      if (halves.size() == 2) {
        waits_already = std::holds_alternative<scenario::Wait>(halves.front().action);
        all[at] = std::move(halves[0]);
        all.insert(all.begin() + static_cast<std::ptrdiff_t>(++at), std::move(halves[1]));
      }
    }
    auto drawn = caller.steps();
    if (gap > Duration{0} && !waits_already) drawn.insert(drawn.begin(), Caller::wait(gap));
    all.insert(all.begin() + static_cast<std::ptrdiff_t>(at), drawn.begin(), drawn.end());
  }
  return all;
}

std::optional<fault::Rule> drawn_call_at(const std::vector<ObservedPoint>& points, Choices& choices) {
  if (points.empty()) return std::nullopt;
  constexpr std::string_view kEntity = "call at a point";
  static const fault::ActionRow& row = *fault::find_action("api.call");
  const auto& point = points[choices.below(points.size(), kEntity, "point")];
  fault::Rule rule = rule_at(point);
  rule.action = row.name;
  const auto drawn = choices.below(row.variants.size() + kMoreCancellations, kEntity, "what");
  const auto& variant = row.variants[drawn < row.variants.size() ? drawn : 0];
  for (const auto& [name, value] : variant.arguments) rule.arguments[std::string(name)] = std::string(value);
  const auto whom = choices.below(5, kEntity, "whom");
  if (whom == 0)
    rule.arguments["target"] = "node-" + std::to_string(1 + choices.below(kMostMembers, kEntity, "node"));
  if (whom == 1 && !point.master.empty()) rule.arguments["target"] = point.master;
  if (rule.arguments["method"] == "cancel_operation") rule.arguments.erase("target");
  return rule;
}

}  // namespace drover::explore
