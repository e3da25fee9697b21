#include "mockcloud/fault/catalogue_network.hpp"

namespace drover::fault {
namespace {

constexpr auto kDuration = ArgumentType::duration;

// All are tolerable: nobody dies, and what was promised must hold whoever cannot hear whom.
ActionRow net(std::string_view name, std::vector<ArgumentRow> arguments, std::string_view summary,
              unsigned worlds = kSim | kLocal) {
  return {name, Target::net, CallAction::none, 0, "", false, false, worlds, std::move(arguments), summary};
}

ArgumentRow lasts(std::string_view fallback) {
  return {"for", kDuration, fallback, "until the network is as before", "", false, true};
}
ArgumentRow peers() {
  return {"peers", ArgumentType::text, "all",
          "on the way to and from whom; agents and servers: the other nodes",
          "all|manager|agents|servers|clients"};
}
ArgumentRow share() { return {"share", ArgumentType::number, "0.3", "of the segments or messages, 0 to 1"}; }
ArgumentRow side(std::string_view name, std::string_view fallback, std::string_view summary) {
  return {name, ArgumentType::text, fallback, summary};
}

void add_partitions(std::vector<ActionRow>& rows) {
  const std::string_view from =
      "who is on this side: node-2, master, manager, clients or servers, with commas between; absent: the "
      "target";
  rows.insert(
      rows.end(),
      {
          net("net.partition",
              {side("from", "", from), side("to", "all", "who is on the other; all: everyone else"),
               lasts("30s")},
              "two sides do not reach each other; who is on neither reaches both"),
          net("net.one_way",
              {side("from", "", from), side("to", "all", "whom it does not reach; all: everyone else"),
               lasts("30s")},
              "what one side sends does not arrive at the other; the way back works"),
          net("net.isolate", {peers(), lasts("30s")}, "the target and its peers do not reach each other"),
          net("net.isolate_master", {peers(), lasts("30s")},
              "the present master and its peers do not reach each other"),
          net("net.isolate_minority", {lasts("30s")},
              "fewer than half of the nodes, drawn, reach only each other"),
          net("net.halves", {lasts("30s")},
              "manager, clients and nodes are split in two, drawn; each half reaches only itself"),
          net("net.ring", {lasts("30s")},
              "manager and nodes stand in a ring, and each reaches only its two neighbours"),
          net("net.swizzle", {lasts("1m")},
              "some nodes are cut off one by one, then let in again one by one in another order"),
          net("net.flap",
              {{"down", kDuration, "uniform(1s, 10s)", "how long the links are down, each time"},
               {"up", kDuration, "uniform(1s, 10s)", "how long they are up"},
               peers(),
               lasts("1m")},
              "the target's links go down and up again and again"),
      });
}

void add_weather(std::vector<ActionRow>& rows) {
  rows.insert(
      rows.end(),
      {
          net("net.delay",
              {{"by", kDuration, "uniform(100ms, 1s)", "drawn for each message"}, peers(), lasts("1m")},
              "what the target sends or gets is late"),
          net("net.loss", {share(), peers(), lasts("1m")},
              "segments are lost: sent again after 200ms, 400ms and so on, given up after 12.6s"),
          net("net.duplicate",
              {share(),
               {"by", kDuration, "uniform(0s, 2s)", "how long after the first copy the second arrives"},
               peers(),
               lasts("1m")},
              "agent commands, heartbeats, and API requests that may be repeated arrive twice", kSim),
          net("net.reorder",
              {{"by", kDuration, "uniform(0s, 5s)", "drawn for each message"}, peers(), lasts("1m")},
              "messages of different connections overtake each other"),
          net("net.hold", {peers(), lasts("20s")},
              "what the target sends or gets is kept back, and then delivered together"),
          net("net.half_open",
              {{"for", kDuration, "never", "until the other side says that they are gone", "", false, true}},
              "the target's connections are gone and neither side knows; new ones work"),
      });
}

}  // namespace

void add_network_actions(std::vector<ActionRow>& rows) {
  add_partitions(rows);
  add_weather(rows);
}

}  // namespace drover::fault
