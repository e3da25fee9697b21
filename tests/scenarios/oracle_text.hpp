// What the tests of the single checkers share: runs that are hard and legal, and hands inside the manager.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "tests/scenarios/run_text.hpp"

namespace drover::scenario {

inline constexpr Duration kLater = 10min;

// The manager's own core: what a defect of the manager could reach.
inline ops::Core& core(SimWorld& world) { return const_cast<ops::Core&>(world.manager()->core()); }

inline std::set<std::string> fingerprints(const RunResult& run) {
  std::set<std::string> all;
  for (const auto& failure : run.failures) all.insert(failure.fingerprint);
  return all;
}

inline std::set<std::string> fingerprints_of(Prepare prepare, const std::string& text = pair_text()) {
  return fingerprints(run_text(text, std::move(prepare)));
}

// A command that the manager gives a node's agent without any reason.
inline Prepare command_at(Duration time, const std::string& node, AgentCommand command, unsigned times = 1) {
  return at(time, [node, command, times](SimWorld& world) {
    const auto truth = world.fleet().truth(id_of(world, node));
    ASSERT_TRUE(truth.has_value());
    for (unsigned i = 0; i < times; ++i)
      core(world).agent.call(CallContext{node, 10s}, Endpoint{truth->address, 60000}, command,
                             [](Result<AgentReply>) {});
  });
}

// Services that are grown, switched over and shrunk while things go wrong that must not matter.
inline std::vector<std::string> hard_legal_texts() {
  const std::string life = R"yaml(
cloud: {boot: 30s}
traffic: {writers: 1, rate: "1/s"}
steps:
  - {call: add_nodes, with: {count: 3, key: a}, client: {timeout: 60s, retries: 60}}
  - eventually: {nodes: 3, operations: 0}
    within: 60m
  - {call: set_up_replica_master, with: {id: "1", key: b}, client: {timeout: 60s, retries: 60}}
  - {call: set_up_replica_slave, with: {id: "2", key: c}, client: {timeout: 60s, retries: 60}}
  - {call: set_up_replica_slave, with: {id: "3", key: d}, client: {timeout: 60s, retries: 60}}
  - eventually: {operations: 0}
    within: 60m
  - {call: promote, with: {id: "2", key: e}, client: {timeout: 60s, retries: 60}}
  - eventually: {operations: 0}
    within: 60m
  - {call: remove_nodes, with: {count: 1, key: f}, client: {timeout: 60s, retries: 60}}
  - eventually: {operations: 0}
    within: 60m
faults:
)yaml";
  const auto scenario = [&](const std::string& name, const std::string& faults) {
    return "schema: 1\nname: " + name + life + faults;
  };
  return {
      scenario("journal-errors", R"yaml(  - {when: store.commit.before, probability: 0.2, do: refuse}
  - {when: store.commit.reply, probability: 0.2, do: error_after_effect}
)yaml"),
      scenario("lost-replies", R"yaml(  - {when: "iaas.*.reply", probability: 0.2, do: lose_reply}
  - {when: "agent.*.reply", probability: 0.1, do: lose_reply}
)yaml"),
      scenario("crashes", R"yaml(  - {every: "exp(60s)", until: 20m, do: manager.crash}
)yaml"),
  };
}

}  // namespace drover::scenario
