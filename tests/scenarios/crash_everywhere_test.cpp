// The manager dies at every commit, call to the cloud and command to an agent of a service's whole life, one
// run for each, and everything is as if it had not: every operation ends DONE, every invariant holds.
#include "tests/scenarios/run_text.hpp"

namespace drover::scenario {
namespace {

// Every kind of operation once. Each call is made by a client that tries again with the same key.
std::string whole_life(const std::string& death) {
  std::string text = R"(schema: 1
name: whole-life
cloud: {boot: 20s, call_latency: 50ms, terminate: 5s}
agents: {start: 2s, heartbeat: 0s}
manager: {poll_agents_timer: 2m, reconcile_interval: 1m}
steps:
)";
  const auto operation = [&](const std::string& method, const std::string& with, const std::string& name) {
    text += "  - call: " + method + "\n    with: {" + with + ", key: " + name + "}\n    as: " + name +
            "\n    client: {timeout: 30s, retries: 20, backoff: 1s}\n  - await: {operation: $" + name +
            ".operation}\n    within: 90m\n";
  };
  operation("add_nodes", "count: 3", "add");
  operation("set_up_replica_master", "id: '1'", "master");
  operation("set_up_replica_slave", "id: '2'", "slave");
  operation("create_replica", "master_id: '1'", "replica");
  operation("promote", "id: '2'", "promotion");
  operation("remove_nodes", "count: 1", "removal");
  text += "  - check: \"nodes == 3 and replicas == 2 and master == '2'\"\n";
  if (!death.empty())
    text += "faults:\n  - {id: death, when: \"" + death + "\", do: manager.crash, restart: 5s}\n";
  text += "expect:\n  - finally: \"instances == 3 and records == 3\"\n";
  return text;
}

TEST(WholeLife, PassesUndisturbed) {
  const auto run = run_text(whole_life(""));
  EXPECT_EQ(run.verdict, Verdict::pass) << told(run);
}

// The manager dies at occurrence 1, 2, 3 … of a point, until there are no more.
struct CrashEverywhere : testing::TestWithParam<const char*> {};

TEST_P(CrashEverywhere, IsAsIfItHadNotBeen) {
  constexpr int kMost = 2000;
  std::size_t failed = 0;
  int k = 1;
  for (; k <= kMost; ++k) {
    const std::string death = std::string(GetParam()) + "#" + std::to_string(k);
    const auto run = run_text(whole_life(death));
    if (run.verdict == Verdict::vacuous) break;
    if (run.verdict == Verdict::pass) continue;
    ADD_FAILURE() << death << ": " << told(run);
    if (++failed == 5) return;
  }
  EXPECT_GT(k, 1) << "the point is never passed";
  EXPECT_LT(k, kMost) << "the run has no end";
}

INSTANTIATE_TEST_SUITE_P(Manager, CrashEverywhere,
                         testing::Values("store.commit.before", "store.commit.reply",
                                         "iaas.newInstance.before", "iaas.newInstance.effect",
                                         "iaas.newInstance.reply", "iaas.killInstance.before",
                                         "iaas.killInstance.reply", "iaas.getVMInfo.before",
                                         "iaas.listVMs.reply", "agent.get_server_state.before",
                                         "agent.*.reply", "operation.*", "node.*", "service.*"),
                         [](const auto& tested) {
                           std::string name;
                           for (const char c : std::string(tested.param))
                             name += c == '.' ? '_' : c == '*' ? 'X' : c;
                           return name;
                         });

// And once more while it goes on from the first crash.
TEST(CrashEverywhere, TwiceInARowIsAsIfItHadNotBeen) {
  std::size_t failed = 0;
  for (int k = 1; k <= 60; k += 3) {
    std::string text = whole_life("store.commit.reply#" + std::to_string(k));
    text.replace(text.find("expect:\n  - finally"), 0,
                 "  - {id: again, when: \"death; store.commit.reply#2\", do: manager.crash, restart: 5s}\n");
    const auto run = run_text(text);
    if (run.verdict == Verdict::pass || run.verdict == Verdict::vacuous) continue;
    ADD_FAILURE() << k << ": " << told(run);
    if (++failed == 3) return;
  }
}

}  // namespace
}  // namespace drover::scenario
