// Each invariant, broken behind everybody's back, is reported under its own name.
#include <nlohmann/json.hpp>

#include "tests/scenarios/oracle_text.hpp"

namespace drover::scenario {
namespace {

using testing::Contains;
using testing::IsEmpty;

// Tells an agent something as the manager would; the answer is nobody's.
void tell(SimWorld& world, const std::string& node, const AgentCommand& command) {
  const auto truth = world.fleet().truth(id_of(world, node));
  ASSERT_TRUE(truth.has_value());
  AgentCommand fenced = command;
  set_generation(fenced, 1);  // as the first manager would send it
  world.fleet().call(CallContext{"test", 10s}, Endpoint{truth->address, 60000}, fenced,
                     [](Result<AgentReply>) {});
}

// Creates a VM that the manager did not ask for.
void create_vm(SimWorld& world, const std::string& name, Tags tags) {
  InstanceSpec spec = world.configuration().instance;
  spec.name = name;
  spec.tags = std::move(tags);
  world.cloud().newInstance(CallContext{"test", 10s}, spec, name, [](Result<InstanceInfo>) {});
}
Tags tags_of(const SimWorld& world, const std::string& node) {
  return {{kServiceTag, world.configuration().service_id}, {kNodeTag, node}};
}

std::set<std::string> broken_by(Prepare prepare, const std::string& text = pair_text()) {
  return broken(run_text(text, std::move(prepare)));
}

std::string with_traffic() {
  std::string text = pair_text();
  return text.replace(text.find("steps:"), 0, "traffic: {writers: 1, rate: \"1/s\"}\n");
}

TEST(Invariants, AllHoldInAQuietRun) {
  EXPECT_THAT(broken_by([](SimWorld&) {}), IsEmpty());
  EXPECT_THAT(broken_by([](SimWorld&) {}, with_traffic()), IsEmpty());
}

TEST(Invariants, EachHasARowAndAName) {
  std::vector<std::string> names;
  for (const auto& row : invariants()) names.emplace_back(row.name);
  EXPECT_THAT(names, testing::ElementsAre("S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11",
                                          "S12", "L1", "L2", "L3", "L4", "L5", "L6", "L7", "W1", "W2"));
}

TEST(S1, AVmThatNobodyCanFindIsReported) {
  EXPECT_THAT(broken_by(at(kLater, [](SimWorld& world) { create_vm(world, "stray", {}); })), Contains("S1"));
}

TEST(S1, ASecondVmOfANodeIsReported) {
  EXPECT_THAT(
      broken_by(at(kLater, [](SimWorld& world) { create_vm(world, "twin", tags_of(world, "node-1.1")); })),
      Contains("S1"));
}

TEST(S2, TwoMastersThatTakeWritesAreReported) {
  EXPECT_THAT(broken_by(at(kLater,
                           [](SimWorld& world) {
                             SetUpPrimary primary;
                             primary.epoch = world.manager()->model().service.epoch;
                             primary.server_id = 2;
                             StopReplica stop;
                             stop.epoch = primary.epoch;
                             SetReadOnly writable;
                             writable.epoch = primary.epoch;
                             writable.read_only = false;
                             tell(world, "node-2", stop);
                             world.scheduler().call_after(
                                 world.domain(), 2s, [&world, primary] { tell(world, "node-2", primary); });
                             world.scheduler().call_after(
                                 world.domain(), 4s, [&world, writable] { tell(world, "node-2", writable); });
                           })),
              Contains("S2"));
}

TEST(S3, AnAcknowledgedWriteThatIsLostIsReported) {
  EXPECT_THAT(broken_by(at(kLater,
                           [](SimWorld& world) {
                             (void)world.cloud().reboot_instance(id_of(world, "node-1"), false);
                           }),
                        with_traffic()),
              Contains("S3"));
}

TEST(S4, APromotedReplicaThatLacksWhatAnotherHasIsReported) {
  const std::string text = R"(schema: 1
name: three
cloud: {boot: 20s}
traffic: {writers: 1, rate: "1/s"}
steps:
  - call: add_nodes
    with: {count: 3}
    as: job
  - await: {operation: $job.operation}
  - call: set_up_replica_master
    with: {id: "1"}
    as: master
  - await: {operation: $master.operation}
  - call: set_up_replica_slave
    with: {id: "2"}
  - call: set_up_replica_slave
    with: {id: "3"}
  - until: 12m
  - call: promote
    with: {id: "2"}
    as: promotion
  - await: {operation: $promotion.operation}
)";
  EXPECT_THAT(broken_by(at(12min - 500ms,
                           [](SimWorld& world) {
                             for (int i = 0; i < 5; ++i)
                               world.fleet().errant_transaction(id_of(world, "node-3"));
                           }),
                        text),
              Contains("S4"));
}

TEST(S5, AnIllegalTransitionIsReported) {
  EXPECT_THAT(
      broken_by(at(kLater, [](SimWorld& world) { core(world).change(model::ServiceEvent::adapted); })),
      Contains("S5"));
  EXPECT_THAT(broken_by(at(kLater,
                           [](SimWorld& world) {
                             core(world).change(*core(world).model.node(1), model::NodeEvent::ready);
                           })),
              Contains("S5"));
  EXPECT_THAT(broken_by(at(kLater,
                           [](SimWorld& world) {
                             core(world).change(*core(world).model.operation(1),
                                                model::OperationEvent::start);
                           })),
              Contains("S5"));
}

TEST(S6, AForeignVmThatIsDestroyedIsReported) {
  EXPECT_THAT(broken_by([](SimWorld& world) {
                at(kLater, [](SimWorld& w) { create_vm(w, "foreign", {}); })(world);
                at(kLater + 2min, [](SimWorld& w) {
                  const auto* vm = w.instance_of("foreign");
                  ASSERT_NE(vm, nullptr);
                  core(w).iaas.killInstance(CallContext{"test", 10s}, vm->id, [](Result<void>) {});
                })(world);
              }),
              Contains("S6"));
}

TEST(S6, TheLastCopyOfTheDataThatIsDestroyedIsReported) {
  const std::string text = R"(schema: 1
name: single
cloud: {boot: 20s}
traffic: {writers: 1, rate: "1/s"}
steps:
  - call: add_nodes
    with: {count: 1}
    as: job
  - await: {operation: $job.operation}
  - call: set_up_replica_master
    with: {id: "1"}
    as: master
  - await: {operation: $master.operation}
  - until: 15m
)";
  EXPECT_THAT(broken_by(at(kLater,
                           [](SimWorld& world) {
                             core(world).iaas.killInstance(CallContext{"test", 10s}, id_of(world, "node-1"),
                                                           [](Result<void>) {});
                           }),
                        text),
              Contains("S6"));
}

TEST(S7, TwoOperationsOfOneKeyAreReported) {
  const auto scenario = scenario_of(pair_text());
  SimWorld world(scenario, 1);
  Checkers checkers(world);
  checkers.acknowledged(1, "key");
  checkers.acknowledged(1, "key");
  checkers.acknowledged(2, "");
  checkers.acknowledged(3, "");
  EXPECT_TRUE(world.violations().empty());
  checkers.acknowledged(2, "key");
  ASSERT_EQ(world.violations().size(), 1U);
  EXPECT_EQ(world.violations()[0].invariant, "S7");
}

// Crashes the manager and changes its journal while it is dead.
Prepare while_dead(std::function<void(SimWorld&)> act) {
  return [act](SimWorld& world) {
    at(kLater, [](SimWorld& w) {
      fault::Action crash;
      crash.name = "manager.crash";
      fault::Arguments::Value restart;
      restart.name = "restart";
      restart.duration = 10s;
      crash.arguments.add(restart);
      EXPECT_TRUE(w.act(crash).has_value());
    })(world);
    at(kLater + 5s, act)(world);
  };
}

void write_journal(SimWorld& world, Change change) {
  const auto generation = world.journal().take_generation(0, 0).value();
  world.journal().commit(generation, {std::move(change)},
                         [](Result<void> written) { EXPECT_TRUE(written.has_value()); });
}

TEST(S8, AnAcknowledgedOperationThatIsForgottenIsReported) {
  EXPECT_THAT(broken_by(while_dead([](SimWorld& world) {
                write_journal(world, {Table::operation, 1, true, {}});
              })),
              Contains("S8"));
}

TEST(S8, AnEpochThatGoesBackIsReported) {
  EXPECT_THAT(broken_by(while_dead([](SimWorld& world) {
                const auto stored = world.journal().load();
                for (const auto& document : stored.value()) {
                  if (document.table != Table::service) continue;
                  auto service = nlohmann::json::parse(document.document);
                  service["epoch"] = 0;
                  write_journal(world, {Table::service, document.id, false, service.dump()});
                }
              })),
              Contains("S8"));
}

TEST(S8, AJournalThatCannotBeReadIsReported) {
  EXPECT_THAT(broken_by(while_dead([](SimWorld& world) {
                write_journal(world, {Table::node, 1, false, "{"});
              })),
              Contains("S8"));
}

TEST(S9, AReplicaThatTakesWritesIsReported) {
  EXPECT_THAT(broken_by(at(kLater,
                           [](SimWorld& world) {
                             const auto id = id_of(world, "node-2");
                             world.fleet().lose_read_only(id);
                             world.fleet().crash_agent(id, 10min);
                           })),
              Contains("S9"));
}

TEST(S9, AServerIdThatIsGivenTwiceIsReported) {
  EXPECT_THAT(broken_by(at(kLater,
                           [](SimWorld& world) {
                             core(world).model.node(2)->server_id = 1;
                             world.fleet().crash_server(id_of(world, "node-1"), 1s);
                             world.fleet().crash_server(id_of(world, "node-2"), 1s);
                           })),
              Contains("S9"));
}

TEST(S9, AReplicationCycleIsReported) {
  EXPECT_THAT(broken_by(at(kLater,
                           [](SimWorld& world) {
                             SetUpReplica replica;
                             replica.epoch = world.manager()->model().service.epoch;
                             replica.server_id = 1;
                             replica.source = {world.fleet().truth(id_of(world, "node-2"))->address, 60000};
                             replica.clone = false;
                             replica.replication_user = world.configuration().replication_user;
                             replica.replication_password = world.configuration().replication_password;
                             tell(world, "node-1", replica);
                           })),
              Contains("S9"));
}

TEST(S10, VmsWithoutEndAreReported) {
  EXPECT_THAT(broken_by(at(kLater,
                           [](SimWorld& world) {
                             for (int i = 0; i < 20; ++i)
                               create_vm(world, "more-" + std::to_string(i),
                                         tags_of(world, "node-1." + std::to_string(i + 2)));
                           })),
              Contains("S10"));
}

TEST(S10, CallsWithoutEndAreReported) {
  EXPECT_THAT(broken_by([](SimWorld& world) {
                at(kLater, [](SimWorld& w) {
                  for (int i = 0; i < 2'000'000; ++i) w.count_call(true);
                })(world);
              }),
              Contains("S10"));
}

TEST(S11, ASecretInTheLogIsReported) {
  EXPECT_THAT(broken_by(at(kLater,
                           [](SimWorld& world) {
                             core(world).note("test", "the password is " +
                                                          world.configuration().replication_password.value);
                           })),
              Contains("S11"));
}

TEST(S11, ASecretInTheJournalIsReported) {
  EXPECT_THAT(
      broken_by(at(kLater,
                   [](SimWorld& world) {
                     core(world).journal.add_history(world.configuration().replication_password.value);
                     spawn(core(world).domain, core(world).journal.durable());
                   })),
      Contains("S11"));
}

TEST(S11, ASecretInTheTraceIsReportedWhetherItIsKeptOrNot) {
  EXPECT_THAT(broken_by(at(kLater,
                           [](SimWorld& world) {
                             world.trace().add(TraceKind::note, "test",
                                               "it is " + world.configuration().replication_password.value);
                           })),
              Contains("S11"));
}

TEST(S11, ASecretInAnAnswerIsReported) {
  Sabotage leak;
  leak.response = [](const std::string&, api::Response& response) {
    response.result["hint"] = "the password is hunter22";
  };
  RunOptions options;
  options.sabotage = &leak;
  options.prepare = [](SimWorld& world) { world.add_secret("hunter22"); };
  EXPECT_THAT(broken(run_text(pair_text(), options)), Contains("S11"));
}

TEST(S12, ANodeThatIsCalledRunningTooEarlyIsReported) {
  EXPECT_THAT(broken_by(at(10s,
                           [](SimWorld& world) {
                             auto& node = *core(world).model.node(1);
                             ASSERT_EQ(node.state, model::NodeState::booting);
                             core(world).change(node, model::NodeEvent::vm_running);
                             core(world).change(node, model::NodeEvent::ready);
                           })),
              Contains("S12"));
}

TEST(S12, ANodeThatIsRemovedBeforeItsVmIsReported) {
  EXPECT_THAT(broken_by(at(kLater,
                           [](SimWorld& world) {
                             auto& node = *core(world).model.node(2);
                             core(world).change(node, model::NodeEvent::remove);
                             core(world).forget(node, model::NodeEvent::removed);
                           })),
              Contains("S12"));
}

TEST(S12, AServiceThatIsCalledStoppedTooEarlyIsReported) {
  const std::string text = R"(schema: 1
name: stop
cloud: {boot: 20s}
steps:
  - call: add_nodes
    with: {count: 1}
    as: job
  - await: {operation: $job.operation}
  - until: 10m
)";
  EXPECT_THAT(broken_by(at(5min,
                           [](SimWorld& world) {
                             core(world).change(model::ServiceEvent::shut_down);
                             core(world).change(model::ServiceEvent::stopped);
                           }),
                        text),
              Contains("S12"));
}

// A VM that never boots, and a manager that would wait a day for it.
std::string endless() {
  return R"(schema: 1
name: endless
manager: {boot_timeout: 24h}
steps:
  - call: add_nodes
    with: {count: 1}
  - wait: 1m
)";
}

TEST(L1, AnOperationThatDoesNotEndIsReported) {
  EXPECT_THAT(broken_by(
                  [](SimWorld& world) {
                    (void)world.cloud().set_boot_outcome("", {cloud::BootOutcome::Kind::never, {}, {}});
                  },
                  endless()),
              Contains("L1"));
}

TEST(L2, AServiceThatDoesNotComeToRestIsReported) {
  EXPECT_THAT(broken_by(
                  [](SimWorld& world) {
                    (void)world.cloud().set_boot_outcome("", {cloud::BootOutcome::Kind::never, {}, {}});
                  },
                  endless()),
              Contains("L2"));
}

TEST(L3, AVmThatNobodyAccountsForIsReported) {
  EXPECT_THAT(broken_by(at(kLater, [](SimWorld& world) { create_vm(world, "stray", {}); })), Contains("L3"));
}

TEST(L3, AVolumeThatNobodyAccountsForIsReported) {
  EXPECT_THAT(broken_by(at(kLater,
                           [](SimWorld& world) {
                             world.cloud().createVolume(CallContext{"test", 10s}, "stray", 10, "token",
                                                        [](Result<VolumeInfo>) {});
                           })),
              Contains("L3"));
}

TEST(L4, AReplicaThatDiffersIsReported) {
  EXPECT_THAT(broken_by(at(29min, [](SimWorld& world) { world.fleet().diverge(id_of(world, "node-2")); })),
              Contains("L4"));
}

TEST(L4, AReplicaThatDoesNotReplicateIsReported) {
  EXPECT_THAT(broken_by([](SimWorld& world) {
                struct Again {
                  static void stop(SimWorld& w) {
                    w.fleet().fail_sql_thread(id_of(w, "node-2"), 1062);
                    w.scheduler().call_after(w.domain(), 1s, [&w] { stop(w); });
                  }
                };
                at(kLater, [](SimWorld& w) { Again::stop(w); })(world);
              }),
              Contains("L4"));
}

TEST(L5, ANodeThatIsLostWithoutAFaultIsReported) {
  EXPECT_THAT(
      broken_by(at(kLater, [](SimWorld& world) { world.fleet().hang_agent(id_of(world, "node-2"), true); })),
      Contains("L5"));
}

TEST(L5, AFaultOnAnotherNodeExplainsNothing) {
  EXPECT_THAT(broken_by(at(kLater,
                           [](SimWorld& world) {
                             fault::Action reboot;
                             reboot.name = "db.stop_io";
                             reboot.target = "node-2";
                             EXPECT_TRUE(world.act(reboot).has_value());
                             world.fleet().hang_agent(id_of(world, "node-1"), true);
                           })),
              Contains("L5"));
}

TEST(L2, AMemberThatIsAtAnotherAddressIsReported) {
  std::string text = pair_text();
  text.replace(text.find("steps:"), 0, "manager: {poll_agents_timer: 10h}\n");
  EXPECT_THAT(
      broken_by(at(29min, [](SimWorld& world) { core(world).model.node(2)->address = "10.9.9.9"; }), text),
      Contains("L2"));
}

TEST(L2, TwoMembersOnOneVmAreReported) {
  EXPECT_THAT(
      broken_by(
          at(29min, [](SimWorld& world) { core(world).model.node(2)->vm = core(world).model.node(1)->vm; })),
      Contains("L2"));
}

TEST(L6, TimeThatStandsStillIsReported) {
  struct Busy {
    static void again(SimWorld& w) {
      w.scheduler().call_soon(w.domain(), [&w] { again(w); });
    }
  };
  RunOptions options;
  options.max_events = 2'200'000;
  options.prepare = at(kLater, [](SimWorld& world) { Busy::again(world); });
  EXPECT_THAT(broken(run_text(pair_text(), options)), Contains("L6"));
}

TEST(L7, ACallThatIsNotAnsweredIsReported) {
  std::string text = pair_text(R"(  - call: get_users
    background: yes
  - wait: 25m
)");
  text.replace(text.find("steps:"), 0, "manager: {agent_timeout: 40m, poll_agents_timer: 10h}\n");
  EXPECT_THAT(
      broken_by(at(29min, [](SimWorld& world) { world.fleet().hang_agent(id_of(world, "node-1"), true); }),
                text),
      Contains("L7"));
}

TEST(Invariants, AreReportedOnceEach) {
  const auto run = run_text(pair_text(), at(kLater, [](SimWorld& world) {
                              for (int i = 0; i < 3; ++i) create_vm(world, "stray-" + std::to_string(i), {});
                            }));
  std::multiset<std::string> names;
  for (const auto& failure : run.failures) names.insert(failure.fingerprint);
  EXPECT_EQ(names.count("S1 untagged"), 1U);
}

}  // namespace
}  // namespace drover::scenario
