#include "scenarios/engine/network_faults.hpp"

#include <algorithm>

namespace drover::scenario {
namespace {

using sim::Effect;
using sim::LinkRule;
using sim::Parties;

Error nobody(const std::string& why) { return make_error(ErrorCode::not_found, why); }

// The action, its target and its arguments: the same fault draws the same whatever else there is.
std::string key_of(const fault::Action& action) {
  std::string key = action.name + " " + action.target;
  for (const auto& value : action.arguments.values()) key += " " + value.name + "=" + value.text;
  return key;
}

Distribution distribution_of(const fault::Arguments& arguments, std::string_view name) {
  const auto parsed = Distribution::parse(arguments.text(name));
  DROVER_CHECK(parsed.has_value(), "a distribution of a network fault was not checked");
  return parsed.value();
}

LinkRule cut(std::vector<std::string> side) {
  LinkRule rule;
  rule.from = Parties{side, false};
  rule.to = Parties{std::move(side), true};
  return rule;
}

}  // namespace

void NetworkFaults::heal() {
  ++heals_;
  remove_all();
}

void NetworkFaults::disturb(LinkRule rule, Duration time) {
  rule.key = key_;
  const std::uint64_t number = add(std::move(rule));
  later(time, [this, number] { remove(number); });
}

// --- who ---

// "node-2, clients": the names of the parties.
Result<NetworkFaults::Names> NetworkFaults::named(std::string_view text) const {
  Names names;
  while (!text.empty()) {
    const auto comma = text.find(',');
    std::string one(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    std::erase(one, ' ');
    if (one == node::kManager || one == node::kClients) {
      names.push_back(one);
    } else if (one == "servers" || one == "agents") {
      for (auto& name : living()) names.push_back(std::move(name));
    } else {
      if (one == "master") one = master_vm();
      auto found = one.empty() ? Found() : find(one);
      if (!found.party) return nobody("there is no VM of \"" + one + "\"");
      names.push_back(*std::move(found.party));
    }
  }
  return names;
}

// The target's parties; one node, drawn, where the fault names none: "", or an observation about something
// else ("op-3").
Result<NetworkFaults::Names> NetworkFaults::target_of(const fault::Action& action) {
  const std::string& target = action.target;
  const bool is_named = target == node::kManager || target == node::kClients || target == "master" ||
                        target.find("node-") != std::string::npos || find(target).is_known;
  if (!target.empty() && is_named) return named(target);
  const Names all = living();
  if (all.empty()) return nobody("there is no VM");
  return Names{all[world_.choices().below(all.size(), key_, "target")]};
}

NetworkFaults::Names NetworkFaults::shuffled(Names names, std::string_view site) {
  for (std::size_t left = names.size(); left > 1; --left)
    std::swap(names[left - 1], names[world_.choices().below(left, key_, site)]);
  return names;
}

LinkRule NetworkFaults::between(Names from, const std::string& peers) const {
  LinkRule rule = cut(std::move(from));
  if (peers == node::kManager || peers == node::kClients) {
    rule.to = Parties{{peers}, false};
  } else if (peers != "all") {
    rule.to.names.emplace_back(node::kManager);
    rule.to.names.emplace_back(node::kClients);
  }
  return rule;
}

// --- what ---

Result<void> NetworkFaults::act(const fault::Action& action) {
  key_ = key_of(action);
  disturbed_ = true;
  const std::string& name = action.name;
  const Duration time = action.arguments.duration("for");
  if (name == "net.partition" || name == "net.one_way") return cut_sides(action);
  if (name == "net.isolate_minority") return cut_minority(time);
  if (name == "net.ring") return cut_ring(time);
  if (name == "net.swizzle") return swizzle(time);
  if (name == "net.half_open") {
    DROVER_TRY(const auto target, target_of(action));
    return break_connections(target, time);
  }
  if (name == "net.halves") {
    cut_halves(time);
    return success();
  }
  if (name != "net.isolate_master") return disturb_target(action);
  fault::Action aimed = action;
  aimed.target = "master";
  return disturb_target(aimed);
}

Result<void> NetworkFaults::disturb_target(const fault::Action& action) {
  const auto& arguments = action.arguments;
  const std::string& name = action.name;
  const Duration time = arguments.duration("for");
  DROVER_TRY(auto target, target_of(action));
  LinkRule rule = between(std::move(target), std::string(arguments.text("peers")));
  if (name == "net.flap") {
    flap(rule, arguments);
    return success();
  }
  if (name == "net.delay") {
    rule.effect = Effect::delay;
  } else if (name == "net.reorder") {
    rule.effect = Effect::reorder;
  } else if (name == "net.duplicate") {
    rule.effect = Effect::duplicate;
  } else if (name == "net.loss") {
    rule.effect = Effect::loss;
  } else if (name == "net.hold") {
    rule.effect = Effect::hold;
    if (time != fault::kNeverHappens) rule.until = world_.scheduler().later(time);
  } else if (!name.starts_with("net.isolate")) {
    return make_error(ErrorCode::invalid, "no network knows the action \"" + name + "\"");
  }
  if (arguments.has("by")) rule.by = distribution_of(arguments, "by");
  if (arguments.has("share")) rule.share = arguments.number("share");
  disturb(std::move(rule), time);
  return success();
}

Result<void> NetworkFaults::cut_sides(const fault::Action& action) {
  const auto& arguments = action.arguments;
  Names from;
  if (arguments.has("from")) {
    DROVER_TRY(from, named(arguments.text("from")));
  } else {
    DROVER_TRY(from, target_of(action));
  }
  LinkRule rule = cut(std::move(from));
  if (arguments.text("to") != "all") {
    DROVER_TRY(rule.to.names, named(arguments.text("to")));
    rule.to.except = false;
  }
  rule.both_ways = action.name == "net.partition";
  disturb(std::move(rule), arguments.duration("for"));
  return success();
}

Result<void> NetworkFaults::cut_minority(Duration time) {
  Names names = shuffled(living(), "minority");
  if (names.size() < 3) return nobody("fewer than three nodes have no minority");
  names.resize(1 + world_.choices().below((names.size() - 1) / 2, key_, "minority_size"));
  disturb(cut(std::move(names)), time);
  return success();
}

void NetworkFaults::cut_halves(Duration time) {
  Names names = living();
  names.emplace_back(node::kManager);
  names.emplace_back(node::kClients);
  names = shuffled(std::move(names), "halves");
  names.resize(names.size() / 2);
  disturb(cut(std::move(names)), time);
}

Result<void> NetworkFaults::cut_ring(Duration time) {
  Names ring = living();
  ring.insert(ring.begin(), std::string(node::kManager));
  if (ring.size() < 4) return nobody("in a ring of fewer than four everybody is a neighbour");
  for (std::size_t i = 0; i + 2 < ring.size(); ++i) {
    LinkRule rule;
    rule.from = Parties{{ring[i]}, false};
    const std::size_t end = i == 0 ? ring.size() - 1 : ring.size();
    rule.to = Parties{{}, false};
    for (std::size_t j = i + 2; j < end; ++j) rule.to.names.push_back(ring[j]);
    disturb(std::move(rule), time);
  }
  return success();
}

// Cut off one by one in the first half of the time, let in one by one in the second.
Result<void> NetworkFaults::swizzle(Duration time) {
  Names names = shuffled(living(), "swizzle_out");
  if (names.empty()) return nobody("there is no VM");
  names.resize(1 + world_.choices().below(names.size(), key_, "swizzle_size"));
  const Names back = shuffled(names, "swizzle_in");
  const bool ends = time != fault::kNeverHappens;
  const Duration half = ends ? time / 2 : Duration{30s};
  const Duration step = half / static_cast<Duration::rep>(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto place = std::ranges::find(back, names[i]) - back.begin();
    const Duration out = step * static_cast<Duration::rep>(i);
    const Duration in = ends ? half + step * static_cast<Duration::rep>(place + 1) - out : time;
    later(out, [this, rule = cut({names[i]}), in, key = key_] {
      key_ = key;
      disturb(rule, in);
    });
  }
  return success();
}

void NetworkFaults::flap(const LinkRule& rule, const fault::Arguments& arguments) {
  flap_down(rule, distribution_of(arguments, "down"), distribution_of(arguments, "up"),
            world_.scheduler().later(arguments.duration("for")));
}

void NetworkFaults::flap_down(const LinkRule& rule, const Distribution& down, const Distribution& up,
                              TimePoint end) {
  auto& scheduler = world_.scheduler();
  if (scheduler.now() >= end) return;
  constexpr Duration kShortest = 1ms;  // time must go on
  const Duration low = std::max(kShortest, down.sample(world_.choices(), key_, "flap_down"));
  const Duration high = std::max(kShortest, up.sample(world_.choices(), key_, "flap_up"));
  disturb(rule, std::min<Duration>(low, end - scheduler.now()));
  later(low + high, [this, rule, down, up, end, key = key_] {
    key_ = key;
    flap_down(rule, down, up, end);
  });
}

}  // namespace drover::scenario
