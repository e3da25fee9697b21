// Each verdict, by a run that earns it.
#include "tests/scenarios/run_text.hpp"

namespace drover::scenario {
namespace {

using testing::HasSubstr;

constexpr const char* kOne = R"(schema: 1
name: one
cloud: {boot: 20s
}
steps:
  - call: add_nodes
    with: {count: 1}
    as: job
  - await: {operation: $job.operation}
)";

TEST(Verdicts, ARunWithNothingAmissIsAPass) {
  const auto run = run_text(kOne);
  EXPECT_EQ(run.verdict, Verdict::pass) << told(run);
}

TEST(Verdicts, AStepThatFailsIsAFail) {
  const auto run = run_text(std::string(kOne) + "  - check: {nodes: 2}\n");
  EXPECT_EQ(run.verdict, Verdict::fail);
  EXPECT_THAT(told(run), HasSubstr("not == 2"));
}

TEST(Verdicts, ACallCanWaitForTheEndOfItsOperation) {
  const std::string head = "schema: 1\nname: one\ncloud: {boot: 20s}\nsteps:\n";
  const auto run =
      run_text(head + "  - {call: add_nodes, with: {count: 1}, ends: DONE}\n  - check: {nodes: 1}\n");
  EXPECT_EQ(run.verdict, Verdict::pass) << told(run);
  EXPECT_THAT(told(run_text(head + "  - {call: add_nodes, with: {count: 1}, ends: FAILED}\n")),
              HasSubstr("ended DONE instead of FAILED"));
  EXPECT_THAT(told(run_text(head + "  - {call: add_nodes, with: {count: 1}, ends: DONE, within: 5s}\n")),
              HasSubstr("was not DONE within 5s"));
  EXPECT_THAT(told(run_text(head + "  - {call: list_nodes, ends: DONE}\n")), HasSubstr("began no operation"));
}

TEST(Verdicts, AnExpectationThatIsBrokenIsAFail) {
  for (const char* expectation : {"always: \"nodes < 1\"", "never: \"nodes == 1\"", "finally: \"nodes == 0\"",
                                  "sometimes: \"nodes == 5\""}) {
    const auto run = run_text(std::string(kOne) + "expect:\n  - " + expectation + "\n");
    EXPECT_EQ(run.verdict, Verdict::fail) << expectation;
    EXPECT_EQ(broken(run), std::set<std::string>{"expect"}) << expectation;
  }
}

TEST(Verdicts, AFailedRunTellsItsTimelineWhenItIsExplained) {
  const auto scenario = scenario_of(std::string(kOne) + "  - check: {nodes: 2}\n");
  const auto explained = explain(scenario, run_scenario(scenario, 3));
  EXPECT_EQ(explained.verdict, Verdict::fail);
  EXPECT_FALSE(explained.timeline.empty());
}

TEST(Verdicts, AFaultThatNeverFiresIsVacuous) {
  const auto run =
      run_text(std::string(kOne) + "faults:\n  - {id: idle, when: iaas.createVolume.before, do: refuse}\n");
  EXPECT_EQ(run.verdict, Verdict::vacuous) << told(run);
  EXPECT_THAT(run.reason, HasSubstr("never fired: idle"));
}

TEST(Verdicts, AFaultThatHasNothingToActOnIsVacuous) {
  const auto run =
      run_text(std::string(kOne) + "faults:\n  - {id: idle, at: 5s, do: db.stop_sql, subject: node-7}\n");
  EXPECT_EQ(run.verdict, Verdict::vacuous) << told(run);
}

TEST(Verdicts, AFaultByChanceThatDoesNotFireIsNotVacuous) {
  const auto run = run_text(
      std::string(kOne) +
      "faults:\n  - {id: idle, when: iaas.newInstance.before, probability: 0.0000001, do: refuse}\n");
  EXPECT_EQ(run.verdict, Verdict::pass) << told(run);
}

TEST(Verdicts, APickThatNeverHadItsMomentIsVacuous) {
  const auto run =
      run_text(std::string(kOne) + "faults:\n  - {id: idle, when: node.lost, pick: [vm.crash, vm.reboot]}\n");
  EXPECT_EQ(run.verdict, Verdict::vacuous) << told(run);
  EXPECT_THAT(run.reason, HasSubstr("never fired: idle"));
}

TEST(Verdicts, APickWhoseActionCouldNotBeDoneIsVacuous) {
  const auto run =
      run_text(std::string(kOne) +
               "faults:\n  - {id: idle, at: 5s, subject: node-7, pick: [db.stop_io, db.stop_sql]}\n");
  EXPECT_EQ(run.verdict, Verdict::vacuous) << told(run);
}

TEST(Verdicts, AWindowInWhichNoCallCameIsVacuous) {
  const auto quiet = run_text(std::string(kOne) +
                              "  - wait: 5m\nfaults:\n"
                              "  - {id: idle, at: 3m, do: stuck, on: iaas.newInstance, for: 10s}\n");
  EXPECT_EQ(quiet.verdict, Verdict::vacuous) << told(quiet);
  const auto busy = run_text(std::string(kOne) +
                             "  - wait: 5m\nfaults:\n"
                             "  - {id: busy, at: 3m, do: stuck, on: agent.get_server_state, for: 10s}\n");
  EXPECT_EQ(busy.verdict, Verdict::pass) << told(busy);
}

TEST(Verdicts, ARuleThatWaitsForACallInVainIsVacuous) {
  const auto run = run_text(std::string(kOne) +
                            "faults:\n  - {id: idle, when: vm.running, do: refuse, on: iaas.createVolume}\n");
  EXPECT_EQ(run.verdict, Verdict::vacuous) << told(run);
}

TEST(Verdicts, ARuleAboutARuleThatNeverFiredIsVacuousToo) {
  const auto run = run_text(std::string(kOne) +
                            "faults:\n  - {id: first, when: node.lost, do: vm.crash}\n"
                            "  - {id: second, when: first, do: vm.reboot}\n");
  EXPECT_EQ(run.verdict, Verdict::vacuous) << told(run);
  EXPECT_THAT(run.reason, HasSubstr("first, second"));
}

TEST(Verdicts, ARunThatIsGivenUpIsUnknown) {
  RunOptions options;
  options.max_events = 20;
  const auto run = run_text(kOne, options);
  EXPECT_EQ(run.verdict, Verdict::unknown) << told(run);
  EXPECT_THAT(run.reason, HasSubstr("20 events"));
}

TEST(Verdicts, ARunThatTakesTooMuchTimeIsUnknown) {
  RunOptions options;
  options.max_time = 5s;
  const auto run = run_text(kOne, options);
  EXPECT_EQ(run.verdict, Verdict::unknown) << told(run);
  EXPECT_THAT(run.reason, HasSubstr("5s of virtual time"));
}

TEST(Verdicts, HaveTheDocumentedNames) {
  std::vector<std::string> names;
  for (int i = 0; i <= static_cast<int>(Verdict::nondeterministic); ++i) {
    names.emplace_back(to_text(static_cast<Verdict>(i)));
    EXPECT_EQ(parse_verdict(names.back()), static_cast<Verdict>(i));
  }
  EXPECT_THAT(names, testing::ElementsAre("PASS", "FAIL", "EXPECTED-LOSS", "VACUOUS", "UNKNOWN", "SKIPPED",
                                          "NONDETERMINISTIC"));
  EXPECT_FALSE(parse_verdict("pass"));
}

TEST(ReproLine, NamesFileSeedAndCase) {
  auto file =
      prepare_scenario("schema: 1\nname: two\nmatrix: {n: [1, 2]}\nsteps:\n  - wait: 1s\n", "two.yaml");
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ(repro_line(file.value().cases.back(), 9), "drover run two.yaml --seed 9 --case n=2");
}

}  // namespace
}  // namespace drover::scenario
