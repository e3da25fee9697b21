// Operations that are cancelled, and services that are shut down, right after every event of their way.
#include "tests/scenarios/run_text.hpp"

namespace drover::scenario {
namespace {

struct Way {
  const char* name;
  const char* steps;  // the last call is the one that is cancelled; it is operation `operation`
  const char* operation;
};

void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

constexpr const char* kHead = R"(schema: 1
name: way
cloud: {boot: 20s,
                     call_latency : 200ms, terminate : 5s
}
agents: {start: 2s, heartbeat: 0s}
steps:
)";
constexpr const char* kMaster = R"(
  - call: add_nodes
    with: {count: 2}
    as: job
  - await: {operation: $job.operation}
  - call: set_up_replica_master
    with: {id: '1'}
    as: master
  - await: {operation: $master.operation}
)";
constexpr const char* kTail = R"(
  - name: way
    wait: 3m
  - eventually: {operations: 0}
    within: 60m
expect:
  - finally: "leaked_instances == 0 and writable_masters <= 1"
)";

const Way kWays[] = {
    {"AddNodes", "  - call: add_nodes\n    with: {count: 2}\n", "1"},
    {"CreateReplica", "  - call: create_replica\n    with: {master_id: '1'}\n", "3"},
    {"SetUpReplicaSlave", "  - call: set_up_replica_slave\n    with: {id: '2'}\n", "3"},
};

std::string text_of(const Way& way) {
  return std::string(kHead) + (way.operation[0] == '1' ? "" : kMaster) + way.steps + kTail;
}

// The times of all events from the acceptance of the operation until it has ended.
std::vector<TimePoint> events_of(const std::string& text, model::OperationId id) {
  std::vector<TimePoint> times;
  RunOptions options;
  options.prepare = [&](SimWorld& world) {
    // Looked at every 50 ms: finer than any wait in these scenarios but for the latency of agents.
    struct Look {
      static void again(SimWorld& sim, model::OperationId operation, std::vector<TimePoint>& to) {
        const auto* record = sim.manager()->model().operation(operation);
        if (record != nullptr && !model::is_ended(record->state)) to.push_back(sim.scheduler().now());
        if (record != nullptr && model::is_ended(record->state)) return;
        sim.scheduler().call_after(sim.domain(), 50ms, [&sim, operation, &to] { again(sim, operation, to); });
      }
    };
    world.scheduler().call_after(world.domain(), 50ms,
                                 [&world, id, &times] { Look::again(world, id, times); });
  };
  EXPECT_EQ(run_text(text, options).verdict, Verdict::pass);
  return times;
}

api::Request request_of(const std::string& method, nlohmann::json params) {
  api::Request request;
  request.verb = api::Verb::post;
  request.method = method;
  request.params = std::move(params);
  return request;
}

// Runs the text once for each time, making the request then.
void at_every_time(const std::string& text, const std::vector<TimePoint>& times, const std::string& method,
                   const nlohmann::json& params) {
  ASSERT_GT(times.size(), 5U);
  std::size_t failed = 0;
  for (const TimePoint time : times) {
    const auto run = run_text(text, at(time.time_since_epoch() + 1ns, [&](SimWorld& world) {
                                world.request(request_of(method, params), [](ClientAnswer) {});
                              }));
    if (run.verdict == Verdict::pass) continue;
    ADD_FAILURE() << method << " at " << drover::to_text(time.time_since_epoch()) << ": " << told(run);
    if (++failed == 3) return;
  }
}

struct Everywhere : testing::TestWithParam<Way> {};

TEST_P(Everywhere, AnOperationCanBeCancelled) {
  const std::string text = text_of(GetParam());
  at_every_time(text, events_of(text, std::stoll(GetParam().operation)), "cancel_operation",
                nlohmann::json{{"id", GetParam().operation}});
}

TEST_P(Everywhere, AServiceCanBeShutDown) {
  const std::string text = text_of(GetParam());
  at_every_time(text, events_of(text, std::stoll(GetParam().operation)), "shutdown",
                nlohmann::json::object());
}

INSTANTIATE_TEST_SUITE_P(Ways, Everywhere, testing::ValuesIn(kWays),
                         [](const auto& tested) { return tested.param.name; });

TEST(Cancelling, AnOperationThatWaitsLeavesNothingBehind) {
  const auto run = run_text(std::string(kHead) + kMaster + R"(
  - call: set_up_replica_slave
    with: {id: '2'}
    as: slave
  - call: create_replica
    with: {master_id: '1'}
    as: waiting
  - call: cancel_operation
    with: {id: $waiting.operation}
  - await: {operation: $waiting.operation, state: CANCELLED}
  - await: {operation: $slave.operation}
expect:
  - finally: "records == 2 and instances == 2"
)");
  EXPECT_EQ(run.verdict, Verdict::pass) << told(run);
}

TEST(Cancelling, ARunningRemovalIsRefused) {
  const auto run = run_text(std::string(kHead) + kMaster + R"(
  - call: remove_nodes
    with: {serviceNodeId: '2'}
    as: removal
  - wait: 1s
  - call: cancel_operation
    with: {id: $removal.operation}
    expect: {code: E_STATE_ERROR}
  - await: {operation: $removal.operation}
)");
  EXPECT_EQ(run.verdict, Verdict::pass) << told(run);
}

TEST(Cancelling, SurvivesACrashRightAfterItsAnswer) {
  const auto run = run_text(std::string(kHead) + kMaster + R"(
  - call: set_up_replica_slave
    with: {id: '2'}
    as: slave
  - call: create_replica
    with: {master_id: '1'}
    as: waiting
  - call: cancel_operation
    with: {id: $waiting.operation}
  - do: manager.crash
    with: {restart: 1s}
  - await: {operation: $waiting.operation, state: CANCELLED}
)");
  EXPECT_EQ(run.verdict, Verdict::pass) << told(run);
}

TEST(Queue, OperationsThatExcludeEachOtherRunInTheOrderOfTheirAcceptance) {
  const auto run = run_text(std::string(kHead) + R"(
  - call: add_nodes
    with: {count: 3}
    as: job
  - await: {operation: $job.operation}
  - call: set_up_replica_master
    with: {id: '1'}
  - call: set_up_replica_slave
    with: {id: '2'}
  - call: promote
    with: {id: '2'}
    expect: {code: E_STATE_ERROR}
  - call: remove_nodes
    with: {serviceNodeId: '3'}
    as: last
  - await: {operation: $last.operation}
  - check: "operations_done == 4 and master == '1' and replicas == 1 and nodes == 2"
)");
  EXPECT_EQ(run.verdict, Verdict::pass) << told(run);
}

TEST(Queue, AddNodesRunsBesideAnotherOperation) {
  const auto run = run_text(std::string(kHead) + kMaster + R"(
  - call: add_nodes
    with: {count: 1}
    as: grow
  - call: set_up_replica_slave
    with: {id: '2'}
    as: slave
  - await: {operation: $slave.operation}
  - check: "operations == 1 and nodes == 2"
  - await: {operation: $grow.operation}
)");
  EXPECT_EQ(run.verdict, Verdict::pass) << told(run);
}

TEST(Queue, AFullOneRefusesAndTakesMoreWhenOneHasEnded) {
  const auto run = run_text(R"(schema: 1
name: full
cloud: {boot: 20s}
manager: {max_queued: 2}
steps:
  - call: add_nodes
    with: {count: 1}
    as: first
  - call: add_nodes
    with: {count: 1}
  - call: add_nodes
    with: {count: 1}
    expect: {code: E_STATE_ERROR}
  - eventually: {operations: 0}
  - check: "records == 2"
  - call: add_nodes
    with: {count: 1}
  - eventually: {operations: 0}
)");
  EXPECT_EQ(run.verdict, Verdict::pass) << told(run);
}

}  // namespace
}  // namespace drover::scenario
