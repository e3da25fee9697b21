// S8, write-ahead: effects and promises that the journal does not announce are reported; hard legal runs are
// silent.
#include <nlohmann/json.hpp>

#include "scenarios/engine/check_write_ahead.hpp"
#include "tests/scenarios/oracle_text.hpp"

namespace drover::scenario {
namespace {

using testing::Contains;
using testing::IsEmpty;

void create(SimWorld& world, const std::string& subject, const std::string& token) {
  InstanceSpec spec = world.configuration().instance;
  spec.name = token;
  spec.tags = {{kServiceTag, world.configuration().service_id},
               {kNodeTag, token.substr(token.find(':') + 1)}};
  core(world).iaas.newInstance(CallContext{subject, 10s}, spec, token, [](Result<InstanceInfo>) {});
}

TEST(WriteAhead, AVmWithoutARecordIsReported) {
  EXPECT_THAT(fingerprints_of(at(kLater, [](SimWorld& w) { create(w, "node-9", "drover:node-9.1"); })),
              Contains("S8 newInstance before its record"));
}

TEST(WriteAhead, AVmOfAnAttemptThatIsNotRecordedIsReported) {
  EXPECT_THAT(fingerprints_of(at(10s, [](SimWorld& w) { create(w, "node-2", "drover:node-2.2"); })),
              Contains("S8 newInstance before its record"));
}

TEST(WriteAhead, AMemberThatIsDestroyedWithoutARecordIsReported) {
  EXPECT_THAT(
      fingerprints_of(
          at(kLater,
             [](SimWorld& w) {
               core(w).iaas.killInstance(CallContext{"node-2", 10s}, id_of(w, "node-2"), [](Result<void>) {});
             })),
      Contains("S8 killInstance before its record"));
}

TEST(WriteAhead, ASecondMasterThatTheJournalDoesNotNameIsReported) {
  SetReadOnly open;
  open.read_only = false;
  EXPECT_THAT(fingerprints_of(command_at(kLater, "node-2", open)),
              Contains("S8 set_read_only before its record"));
  EXPECT_THAT(fingerprints_of(command_at(kLater, "node-2", SetUpPrimary{})),
              Contains("S8 set_up_replica_master before its record"));
}

TEST(WriteAhead, AnEpochThatTheJournalDoesNotHaveIsReported) {
  SetReadOnly open;
  open.epoch = 99;
  open.read_only = false;
  EXPECT_THAT(fingerprints_of(command_at(kLater, "node-1", open)),
              Contains("S8 set_read_only before its record"));
}

TEST(WriteAhead, ACancellationThatIsAnsweredUnwrittenIsReported) {
  const auto answer = [](Duration when) {
    return at(when, [](SimWorld& w) {
      api::Response told;
      told.result = {{"operation", {{"id", "1"}}}, {"state", "ADAPTING"}};
      WriteAhead(w).answered("cancel_operation", told);
    });
  };
  constexpr const char* kSaid = "S8 cancellation acknowledged before its record";
  EXPECT_THAT(fingerprints_of(answer(1s)), Contains(kSaid)) << "the addition goes on";
  EXPECT_THAT(fingerprints_of(answer(kLater)), IsEmpty()) << "it has ended";
}

TEST(WriteAhead, ALineOfTheAuditTrailThatIsOverwrittenIsReported) {
  const auto write = [](std::int64_t number) {
    return at(kLater, [number](SimWorld& w) {
      w.durable().commit(core(w).journal.generation(), {{Table::history, number, false, R"({"event":"x"})"}},
                         [](Result<void>) {});
    });
  };
  EXPECT_THAT(fingerprints_of(write(1)), Contains("S8 audit trail overwritten"));
  EXPECT_THAT(fingerprints_of(write(9000)), IsEmpty());
}

TEST(WriteAhead, AReplicaThatTheJournalDoesNotNameIsReported) {
  EXPECT_THAT(fingerprints_of(command_at(kLater, "node-1", SetUpReplica{})),
              Contains("S8 set_up_replica_slave before its record"));
}

void store_service(SimWorld& world) {
  core(world).journal.service_changed();
  spawn(core(world).domain, core(world).journal.durable());
}

TEST(WriteAhead, WhatIsSaidInAnEpochThatIsOverIsReported) {
  const auto move_on = [](AgentCommand command, const std::string& node) {
    const auto give = command_at(kLater, node, std::move(command));
    return at(kLater - 1s, [give](SimWorld& world) {
      ++core(world).model.service.epoch;
      store_service(world);
      give(world);
    });
  };
  SetReadOnly open;
  open.epoch = 1;
  open.read_only = false;
  EXPECT_THAT(fingerprints_of(move_on(open, "node-1")), Contains("S8 set_read_only in an old epoch"));
  SetUpReplica replica;
  replica.epoch = 1;
  EXPECT_THAT(fingerprints_of(move_on(replica, "node-2")),
              Contains("S8 set_up_replica_slave in an old epoch"));
}

TEST(WriteAhead, ADoomedVmThatIsForgottenIsReported) {
  const auto doom = [](bool forget) {
    return at(kLater, [forget](SimWorld& world) {
      core(world).model.service.doomed.insert(id_of(world, "node-2"));
      core(world).model.erase_node(2);
      core(world).journal.node_changed(2);
      store_service(world);
      if (!forget) return;
      world.scheduler().call_after(world.domain(), 1s, [&world] {
        core(world).model.service.doomed.clear();
        store_service(world);
      });
    });
  };
  EXPECT_THAT(fingerprints_of(doom(true)), Contains("S1 doomed VM forgotten"));
  EXPECT_THAT(fingerprints_of(doom(false)), testing::Not(Contains("S1 doomed VM forgotten")));
}

TEST(WriteAhead, FencingNeedsNoRecord) {
  SetReadOnly close;
  close.epoch = 1;
  EXPECT_THAT(fingerprints_of(command_at(kLater, "node-2", close)), IsEmpty());
}

// Says that everything is stored, and stores it a little later.
class HastyStore final : public Store {
 public:
  HastyStore(Store& inner, SimWorld& world) : inner_(inner), world_(world) {}
  Result<std::uint64_t> take_generation(std::uint64_t own, std::uint64_t above) override {
    return inner_.take_generation(own, above);
  }
  void commit(std::uint64_t generation, std::vector<Change> changes, Handler<void> handler) override {
    world_.scheduler().call_after(world_.domain(), 100ms,
                                  [this, generation, changes = std::move(changes)]() mutable {
                                    inner_.commit(generation, std::move(changes), [](Result<void>) {});
                                  });
    handler(success());
  }
  Result<std::vector<StoredDocument>> load() override { return inner_.load(); }

 private:
  Store& inner_;
  SimWorld& world_;
};

TEST(WriteAhead, AManagerThatDoesNotWaitForItsJournalIsReported) {
  SimWorld* world = nullptr;
  Sabotage hasty;
  hasty.name = "hasty";
  hasty.store = [&world](Store& inner) -> std::unique_ptr<Store> {
    struct Late final : Store {
      Late(Store& to, SimWorld*& of) : inner(to), world_of(of) {}
      Result<std::uint64_t> take_generation(std::uint64_t own, std::uint64_t above) override {
        return inner.take_generation(own, above);
      }
      void commit(std::uint64_t generation, std::vector<Change> changes, Handler<void> handler) override {
        if (!store) store = std::make_unique<HastyStore>(inner, *world_of);
        store->commit(generation, std::move(changes), std::move(handler));
      }
      Result<std::vector<StoredDocument>> load() override { return inner.load(); }
      Store& inner;
      SimWorld*& world_of;
      std::unique_ptr<HastyStore> store;
    };
    return std::make_unique<Late>(inner, world);
  };
  RunOptions options;
  options.sabotage = &hasty;
  options.prepare = [&world](SimWorld& w) { world = &w; };
  const auto found = fingerprints(run_text(pair_text(), options));
  EXPECT_THAT(found, Contains("S8 newInstance before its record"));
  EXPECT_THAT(found, Contains("S8 operation acknowledged before its record"));
  EXPECT_THAT(found, Contains("S8 set_up_replica_master before its record"));
}

TEST(WriteAhead, HardLegalRunsAreSilent) {
  for (const std::string& text : hard_legal_texts()) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      const auto run = run_text(text, RunOptions{}, seed);
      EXPECT_THAT(fingerprints(run), IsEmpty()) << text << told(run);
    }
  }
}

}  // namespace
}  // namespace drover::scenario
