#include "mockcloud/sim/network.hpp"

#include <algorithm>

#include "manager/base/hash.hpp"

namespace drover::sim {
namespace {

using node::Arrivals;
using node::Message;

constexpr Duration kFirstResend = 200ms;  // TCP's first retransmission; each next waits twice as long
constexpr int kResends = 6;               // after 12.6s a message counts as lost
constexpr double kLossMost = 0.95;        // of a connection that exists: what is sent arrives some time
constexpr std::uint64_t kSegmentSite = 99;

// What a proxy may send again. Statements have a connection of their own, and answers are never repeated.
bool may_repeat(Message message) {
  return message == Message::agent_call || message == Message::heartbeat || message == Message::api_request;
}

std::uint64_t site_of(std::string_view from, std::string_view to, std::uint64_t kind) {
  return mix(mix(hash_text(from), hash_text(to)), kind);
}

}  // namespace

bool covers(const LinkRule& rule, std::string_view from, std::string_view to) {
  if (rule.from.holds(from) && rule.to.holds(to)) return true;
  return rule.both_ways && rule.from.holds(to) && rule.to.holds(from);
}

bool cuts(const LinkRule& rule) {
  return rule.effect == Effect::cut || (rule.effect == Effect::hold && rule.until == kNever);
}

bool Parties::holds(std::string_view name) const {
  return (std::ranges::find(names, name) != names.end()) != except;
}

std::string to_text(const Parties& parties) {
  if (parties.names.empty()) return parties.except ? "all" : "nobody";
  std::string text = parties.except ? "all but " : "";
  for (const auto& name : parties.names) text += (&name == &parties.names.front() ? "" : ", ") + name;
  return text;
}

const char* to_text(Effect effect) {
  switch (effect) {
    case Effect::cut:
      return "cut";
    case Effect::delay:
      return "delay";
    case Effect::loss:
      return "loss";
    case Effect::duplicate:
      return "duplicate";
    case Effect::reorder:
      return "reorder";
    case Effect::hold:
      return "hold";
  }
  return "?";
}

Network::Network(Scheduler& scheduler, Choices& choices, Trace& trace, NetworkConfig config)
    : scheduler_(scheduler), choices_(choices), trace_(trace), config_(std::move(config)) {
  plain_ = config_.delay.kind() == Distribution::Kind::constant && !config_.manager_delay &&
           !config_.client_delay && config_.loss <= 0;
}

bool Network::can_reach(std::string_view from, std::string_view to) const {
  if (cuts_ == 0) return true;
  return std::ranges::none_of(
      rules_, [&](const auto& entry) { return cuts(entry.second) && covers(entry.second, from, to); });
}

Duration Network::usual(const Segment& segment) {
  const auto is = [&](std::string_view party) { return segment.from == party || segment.to == party; };
  const Distribution* delay = &config_.delay;
  if (config_.manager_delay && is(node::kManager))
    delay = &*config_.manager_delay;
  else if (config_.client_delay && is(node::kClients))
    delay = &*config_.client_delay;
  if (delay->kind() == Distribution::Kind::constant) return delay->median();
  return delay->sample(Choices::to_unit(choices_.draw_key(mix(segment.site, hash_text("network_delay")))));
}

double Network::unit(const LinkRule& rule, const Segment& segment, std::string_view what) {
  return Choices::to_unit(choices_.draw_key(mix(mix(hash_text(rule.key), segment.site), hash_text(what))));
}

// How much later a segment arrives of which a share is lost each time it is sent; nothing when the sender
// gives up.
std::optional<Duration> Network::resent_after(std::uint64_t key, double share, bool gives_up) {
  if (!gives_up) share = std::min(share, kLossMost);
  Duration late{0};
  Duration wait = kFirstResend;
  for (int sent = 0; Choices::to_unit(choices_.draw_key(key)) < share; ++sent) {
    if (sent == kResends && gives_up) return std::nullopt;
    late += wait;
    if (sent < kResends) wait *= 2;
  }
  return late;
}

// What the rule adds to the way of a segment; nothing: it is lost.
std::optional<Duration> Network::late_by(const LinkRule& rule, const Segment& segment, bool is_message) {
  switch (rule.effect) {
    case Effect::cut:
      return std::nullopt;
    case Effect::delay:
      return rule.by.sample(unit(rule, segment, "delay"));
    case Effect::reorder:
      return is_message ? rule.by.sample(unit(rule, segment, "reorder")) : Duration{0};
    case Effect::loss:
      return resent_after(mix(mix(hash_text(rule.key), segment.site), hash_text("loss")), rule.share,
                          is_message);
    case Effect::hold:
      if (cuts(rule)) return std::nullopt;
      return std::max(Duration{0}, rule.until - scheduler_.now());
    case Effect::duplicate:
      break;
  }
  return Duration{0};
}

Duration Network::delay(std::string_view from, std::string_view to) {
  if (is_plain()) return config_.delay.median();
  const Segment segment{from, to, site_of(from, to, kSegmentSite)};
  Duration way = usual(segment);
  if (config_.loss > 0)
    way += resent_after(mix(segment.site, hash_text("network_loss")), config_.loss, false).value();
  for (const auto& [number, rule] : rules_) {
    if (covers(rule, from, to)) way += late_by(rule, segment, false).value_or(Duration{0});
  }
  return way;
}

Arrivals Network::send(std::string_view from, std::string_view to, Message message) {
  if (is_plain()) return Arrivals(config_.delay.median());
  const Segment segment{from, to, site_of(from, to, static_cast<std::uint64_t>(message))};
  Duration way = usual(segment);
  if (config_.loss > 0) {
    const auto late = resent_after(mix(segment.site, hash_text("network_loss")), config_.loss, true);
    if (!late) return {};
    way += *late;
  }
  std::optional<Duration> second;
  for (const auto& [number, rule] : rules_) {
    if (!covers(rule, from, to)) continue;
    const auto late = late_by(rule, segment, true);
    if (!late) return {};
    way += *late;
    if (rule.effect == Effect::duplicate && may_repeat(message) &&
        unit(rule, segment, "duplicate") < rule.share)
      second = rule.by.sample(unit(rule, segment, "second"));
  }
  Arrivals arrivals(way);
  if (second) arrivals.add(way + *second);
  return arrivals;
}

std::uint64_t Network::add(LinkRule rule) {
  const std::uint64_t number = ++last_rule_;
  const LinkRule& added = rules_.emplace(number, std::move(rule)).first->second;
  if (cuts(added)) ++cuts_;
  changed(to_text(added.effect), added);
  return number;
}

void Network::remove(std::uint64_t number) {
  const auto removed = rules_.extract(number);
  if (removed.empty()) return;
  if (cuts(removed.mapped())) --cuts_;
  changed("ends:", removed.mapped());
}

void Network::heal() {
  while (!rules_.empty()) remove(rules_.begin()->first);
}

void Network::changed(const char* what, const LinkRule& rule) {
  const char* arrow = rule.both_ways ? " <-> " : " -> ";
  trace_.add(TraceKind::note, "network", what, to_text(rule.from) + arrow + to_text(rule.to));
  if (cuts(rule) && changed_) changed_();
}

}  // namespace drover::sim
