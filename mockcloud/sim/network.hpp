// The simulated network between manager, nodes and clients: what is usual (delays, loss), and rules that
// disturb some of the links for a while. Whole connections are not modelled; a message is lost or late as TCP
// would show it. Random decisions are keyed by the rule's key, the link and the kind of message: taking a
// rule away moves nothing else. Without rules and with a constant delay nothing is drawn and nothing looked
// up. Scheduler's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "manager/base/choices.hpp"
#include "manager/base/distribution.hpp"
#include "manager/base/trace.hpp"
#include "manager/runtime/scheduler.hpp"
#include "mockcloud/node/links.hpp"

namespace drover::sim {

struct NetworkConfig {
  Distribution delay = Distribution::constant(500us);  // one way
  std::optional<Distribution> manager_delay;           // to and from the manager, instead of `delay`
  std::optional<Distribution> client_delay;            // between clients and nodes, instead of `delay`
  double loss = 0;                                     // share of segments lost, on every link
};

// A set of parties: these, or with `except` all but these, those that do not exist yet included.
struct Parties {
  std::vector<std::string> names;
  bool except = false;
  bool holds(std::string_view name) const;
  static Parties everybody() { return {{}, true}; }
};
std::string to_text(const Parties& parties);  // "node-1, node-2", "all but node-1", "all"

enum class Effect : unsigned char {
  cut,    // nothing arrives
  delay,  // arrives later, by `by`
  loss,   // a `share` of the segments is lost and sent again after 200ms, 400ms, …: 7 in a row are silence
  duplicate,  // a `share` of the messages that may be repeated arrives twice, the second later, by `by`
  reorder,    // each connection by itself is later, by `by`; what one connection carries keeps its order
  hold,       // kept until `until`, then delivered together
};
const char* to_text(Effect effect);

struct LinkRule {
  std::string key;  // of its random decisions: the same for the same fault, whatever other faults there are
  Parties from;
  Parties to = Parties::everybody();
  bool both_ways = true;
  Effect effect = Effect::cut;
  Distribution by;
  double share = 1;
  TimePoint until = kNever;  // of `hold`; kNever: what is held is lost, as if cut
};

// Whether what `from` sends to `to` is a matter of the rule.
bool covers(const LinkRule& rule, std::string_view from, std::string_view to);
// Whether nothing of it ever arrives: what is held for ever does not.
bool cuts(const LinkRule& rule);

class Network final : public node::Links {
 public:
  Network(Scheduler& scheduler, Choices& choices, Trace& trace, NetworkConfig config);

  bool can_reach(std::string_view from, std::string_view to) const override;
  Duration delay(std::string_view from, std::string_view to) override;
  node::Arrivals send(std::string_view from, std::string_view to, node::Message message) override;

  // Disturbs links from now on; the number is for remove(). Rules add up.
  std::uint64_t add(LinkRule rule);
  void remove(std::uint64_t number);  // unknown numbers are ignored
  void heal();                        // removes every rule
  std::size_t rules() const { return rules_.size(); }
  // Called whenever the answer of can_reach() may have changed.
  void on_change(std::function<void()> changed) { changed_ = std::move(changed); }

 private:
  struct Segment {  // one message on its way
    std::string_view from, to;
    std::uint64_t site;  // of its random decisions
  };
  bool is_plain() const { return rules_.empty() && plain_; }
  Duration usual(const Segment& segment);
  double unit(const LinkRule& rule, const Segment& segment, std::string_view what);
  std::optional<Duration> resent_after(std::uint64_t key, double share, bool gives_up);
  std::optional<Duration> late_by(const LinkRule& rule, const Segment& segment, bool is_message);
  void changed(const char* what, const LinkRule& rule);

  Scheduler& scheduler_;
  Choices& choices_;
  Trace& trace_;
  NetworkConfig config_;
  bool plain_;
  std::map<std::uint64_t, LinkRule> rules_;  // in the order they came
  std::uint64_t last_rule_ = 0;
  std::size_t cuts_ = 0;
  std::function<void()> changed_;
};

}  // namespace drover::sim
