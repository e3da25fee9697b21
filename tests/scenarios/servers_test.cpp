// Servers as they are: S2 by truth, and W2, the rules that simulated servers keep.
#include "scenarios/engine/check_servers.hpp"

#include "tests/scenarios/oracle_text.hpp"

namespace drover::scenario {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::Not;

// Opens a server behind everybody's back, in the manager's present epoch.
Prepare opened(const std::string& node) {
  return at(kLater, [node](SimWorld& world) {
    SetReadOnly open;
    open.epoch = world.manager()->model().service.epoch;
    open.read_only = false;
    open.generation = 1;  // as the first manager would send it
    const auto truth = world.fleet().truth(id_of(world, node));
    ASSERT_TRUE(truth.has_value());
    world.fleet().call(CallContext{"test", 10s}, Endpoint{truth->address, 60000}, open,
                       [](Result<AgentReply>) {});
  });
}

Prepare done_at(Duration time, const std::string& name, const std::string& target) {
  return at(time, [name, target](SimWorld& world) {
    fault::Action action;
    action.name = name;
    action.target = target;
    EXPECT_TRUE(world.act(action).has_value());
  });
}

TEST(Servers, ASlaveThatTakesWritesIsReportedAtOnce) {
  const auto found = fingerprints_of(opened("node-2"));
  EXPECT_THAT(found, Contains("S2 writable without leave"));
  EXPECT_THAT(found, Contains("S2 two masters"));
}

TEST(Servers, ANodeWithoutARoleThatTakesWritesIsReported) {
  const std::string text = R"(schema: 1
name: plain
cloud: {boot: 20s}
steps:
  - call: add_nodes
    with: {count: 1}
    as: job
  - await: {operation: $job.operation}
  - until: 15m
)";
  EXPECT_THAT(fingerprints_of(opened("node-1"), text), Contains("S2 writable without leave"));
}

TEST(Servers, AFaultThatOpensASlaveExplainsIt) {
  EXPECT_THAT(fingerprints_of(done_at(kLater, "db.lose_read_only", "node-2")), IsEmpty());
}

TEST(Servers, AFaultOnAnotherServerExplainsNothing) {
  EXPECT_THAT(fingerprints_of([](SimWorld& world) {
                done_at(kLater - 1min, "db.stop_io", "node-2")(world);
                opened("node-2")(world);
              }),
              Contains("S2 writable without leave"));
}

// The manager's orders to close a server never arrive, and it is told that they did.
TEST(Servers, AFormerMasterThatStaysWritableIsReported) {
  struct Deaf final : Agent {
    explicit Deaf(Agent& to) : inner(to) {}
    void call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
              Handler<AgentReply> handler) override {
      const auto* set = std::get_if<SetReadOnly>(&command);
      if (set != nullptr && set->read_only) epoch = set->epoch;
      AgentCommand sent = command;
      if (set != nullptr && set->read_only) sent = GetServerState{};
      inner.call(context, endpoint, sent,
                 [this, done = std::move(handler)](Result<AgentReply> reply) mutable {
                   if (reply.has_value() && reply.value().state.epoch < epoch) {
                     reply.value().state.read_only = true;
                     reply.value().state.epoch = epoch;
                   }
                   done(std::move(reply));
                 });
    }
    Agent& inner;
    std::uint64_t epoch = 0;
  };
  Sabotage deaf;
  deaf.agent = [](Agent& inner) { return std::make_unique<Deaf>(inner); };
  RunOptions options;
  options.sabotage = &deaf;
  const auto run = run_text(pair_text(R"(  - call: promote
    with: {id: "2"}
  - wait: 5m
)"),
                            options);
  EXPECT_THAT(fingerprints(run), Contains("S2 two masters"));
}

TEST(Servers, TheSamePositionWithOtherDataIsReported) {
  EXPECT_THAT(fingerprints_of(at(kLater,
                                 [](SimWorld& world) {
                                   world.fleet().server(id_of(world, "node-2"))->diverge();
                                   world.fleet().server(id_of(world, "node-2"))->disconnect_io();
                                 })),
              Contains("W2 data without source"));
  EXPECT_THAT(fingerprints_of(at(kLater,
                                 [](SimWorld& world) {
                                   world.fleet().server(id_of(world, "node-1"))->diverge();
                                   world.fleet().server(id_of(world, "node-2"))->disconnect_io();
                                 })),
              Contains("W2 same position other data"));
}

TEST(Servers, AFaultThatMadeThemDifferExplainsIt) {
  EXPECT_THAT(fingerprints_of([](SimWorld& world) {
                done_at(kLater, "db.diverge", "node-2")(world);
                done_at(kLater + 1s, "db.stop_io", "node-2")(world);
              }),
              Not(Contains("W2 data without source")));
}

TEST(Servers, APositionThatGoesBackIsReported) {
  const std::string text = pair_text();
  EXPECT_THAT(fingerprints_of(at(kLater,
                                 [](SimWorld& world) {
                                   auto* server = world.fleet().server(id_of(world, "node-2"));
                                   server->stop_slave();
                                   EXPECT_TRUE(server->reset_slave_all().has_value());
                                   server->reset_master();
                                   EXPECT_TRUE(server->set_gtid_slave_pos({}).has_value());
                                   server->lose_read_only();
                                 }),
                              text),
              Contains("W2 gtid_slave_pos went back"));
}

class ServersTest : public testing::Test {
 protected:
  // Runs a pair, and gives its world and checkers of our own at ten minutes.
  std::set<std::string> found(std::function<void(SimWorld&, Servers&)> act, const std::string& settings) {
    std::string text = pair_text();
    text.replace(text.find("steps:"), 0, settings);
    return fingerprints_of(at(kLater,
                              [act](SimWorld& world) {
                                Servers servers(world);
                                act(world, servers);
                              }),
                           text);
  }
};

TEST_F(ServersTest, AWriteThatAReadOnlyServerTookIsReported) {
  EXPECT_THAT(
      found([](SimWorld& world,
               Servers& servers) { servers.acknowledged(*world.fleet().server(id_of(world, "node-2")), 1); },
            ""),
      Contains("W2 write on read-only"));
}

TEST_F(ServersTest, ASemiSynchronousWriteThatNoReplicaHasIsReported) {
  EXPECT_THAT(found(
                  [](SimWorld& world, Servers& servers) {
                    auto& master = *world.fleet().server(id_of(world, "node-1"));
                    ASSERT_TRUE(master.semi_sync_active());
                    servers.acknowledged(master, node::kNoStamp - 1);
                  },
                  "manager: {durability: semi_sync}\n"),
              Contains("W2 semi-sync acknowledged alone"));
}

TEST_F(ServersTest, ASemiSynchronousWriteThatAReplicaHasIsNot) {
  EXPECT_THAT(found(
                  [](SimWorld& world, Servers& servers) {
                    auto& master = *world.fleet().server(id_of(world, "node-1"));
                    const auto& data = world.fleet().server(id_of(world, "node-2"))->data();
                    ASSERT_FALSE(data.intervals().empty());
                    servers.acknowledged(master, data.intervals().front().first);
                  },
                  "manager: {durability: semi_sync}\n"),
              IsEmpty());
}

TEST(Servers, CountersAreComparedWithTheData) {
  node::Ledger ledger;
  const auto origin = ledger.add_origin();
  const auto counter = ledger.counter("writer");
  node::StampSet data;
  data.add(ledger.append(origin, counter));
  data.add(ledger.append(origin, counter));
  data.add(ledger.append(origin, node::Ledger::kNothing));
  EXPECT_EQ(counted_in(data, ledger), std::vector<std::uint64_t>{2});
  node::Change set;
  set.counters["writer"] = 7;
  data.add(ledger.append(origin, set));
  EXPECT_EQ(counted_in(data, ledger), std::nullopt);  // set, not counted
}

}  // namespace
}  // namespace drover::scenario
