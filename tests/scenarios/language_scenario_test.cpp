#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "paths.hpp"
#include "scenarios/engine/parse_scenario.hpp"

namespace drover::scenario {
namespace {

std::string sample(const std::string& name) {
  std::ifstream file(std::string(DROVER_SOURCE_DIR) + "/tests/data/scenarios/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

ScenarioFile load(const std::string& text, const std::string& file = "x.yaml") {
  auto parsed = parse_scenario(text, file);
  if (parsed) return std::move(parsed).value();
  ADD_FAILURE() << parsed.error().message;
  ScenarioFile empty;
  empty.cases.resize(1);
  return empty;
}
Scenario load_one(const std::string& below_head) {
  return load("schema: 1\nname: x\n" + below_head).cases.at(0);
}

template <class T>
const T& action(const Scenario& scenario, std::size_t step) {
  return std::get<T>(scenario.steps.at(step).action);
}

class PublishedExample : public testing::Test {
 protected:
  ScenarioFile file_ = load(sample("lost-create-reply.yaml"), "lost-create-reply.yaml");
};

TEST_F(PublishedExample, HasItsHeader) {
  EXPECT_EQ(file_.name, "lost-create-reply");
  EXPECT_EQ(file_.description, "A creation whose reply is lost must not leak a VM.");
  EXPECT_THAT(file_.tags, testing::ElementsAre("pr", "iaas", "leak"));
  EXPECT_EQ(file_.seeds, (SeedRange{1, 200}));
}
TEST_F(PublishedExample, HasSixCases) {
  ASSERT_EQ(file_.cases.size(), 6U);
  EXPECT_EQ(to_text(file_.cases[5].values), "n=5,crash=true");
}
TEST_F(PublishedExample, HasItsSettings) {
  const auto& one = file_.cases[0];
  EXPECT_EQ(one.cloud.distribution("boot"), Distribution::lognormal(40s, 5min));
  EXPECT_EQ(one.cloud.distribution("list_lag"), Distribution::uniform(0s, 20s));
  EXPECT_EQ(one.cloud.integer("quota.instances"), 20);
  EXPECT_EQ(one.manager.text("durability"), "semi_sync");
  EXPECT_EQ(one.traffic.number("rate"), 50);
}
TEST_F(PublishedExample, WritesTheMatrixIntoTheSteps) {
  const auto& one = file_.cases[2];
  EXPECT_EQ(action<Call>(one, 0).with, nlohmann::json::parse(R"({"count": 3, "key": "k1"})"));
  EXPECT_EQ(action<Call>(one, 0).as, "job");
  const auto& eventually = action<Eventually>(one, 1);
  EXPECT_EQ(eventually.within, 15min);
  EXPECT_EQ(eventually.checks.conditions.at(1), (Condition{"nodes", Comparison::equal, 3, {}}));
  EXPECT_EQ(action<Call>(one, 2).with, nlohmann::json::parse(R"({"id": "$nodes[0]"})"));
  EXPECT_EQ(action<Call>(one, 3).expect.error, (Match{"Invalid argument", true}));
}
TEST_F(PublishedExample, DecidesFaultsByCase) {
  EXPECT_FALSE(file_.cases[0].faults.at(1).enabled);
  EXPECT_TRUE(file_.cases[1].faults.at(1).enabled);
}
TEST_F(PublishedExample, HasItsFaults) {
  const auto& faults = file_.cases[1].faults;
  ASSERT_EQ(faults.size(), 3U);
  EXPECT_EQ(fault::to_text(*faults[0].when), "iaas.newInstance.reply#1");
  EXPECT_EQ(faults[1].arguments, (std::map<std::string, std::string>{{"restart", "10s"}}));
  EXPECT_EQ(faults[2].every, Distribution::exponential(90s));
  EXPECT_EQ(faults[2].until, 10min);
  EXPECT_THAT(faults[2].pick, testing::ElementsAre("net.swizzle", "vm.reboot"));
}
TEST_F(PublishedExample, HasItsEnd) {
  const auto& one = file_.cases[0];
  EXPECT_EQ(one.quiesce, (Quiesce{12min, "random_majority"}));
  ASSERT_EQ(one.expect.size(), 3U);
  EXPECT_EQ(one.expect[1].kind, Expectation::Kind::finally);
  EXPECT_EQ(one.expect[1].expression.text(), "leaked_instances == 0");
  EXPECT_EQ(one.real, (RealSettings{true, 6, 2h, 3, true}));
}

class EveryKey : public testing::Test {
 protected:
  ScenarioFile file_ = load(sample("every-key.yaml"), "every-key.yaml");
  const Scenario& last_ = file_.cases.back();
};

TEST_F(EveryKey, IsUsedInTheSample) {
  const auto text = sample("every-key.yaml");
  const auto expect_all = [&](std::span<const Field> fields) {
    for (const auto& field : fields)
      EXPECT_NE(text.find(std::string(field.name) + ":"), std::string::npos) << field.name << " is missing";
  };
  for (const auto fields : {scenario_fields(), cloud_fields(), agents_fields(), network_fields(),
                            manager_fields(), traffic_fields(), step_fields(), call_expect_fields(),
                            client_fields(), repeat_fields(), await_fields(), fault_fields(),
                            quiesce_fields(), expectation_fields(), judge_fields(), real_fields()})
    expect_all(fields);
}
TEST_F(EveryKey, GivesOneCasePerCombination) { EXPECT_EQ(file_.cases.size(), 16U); }
TEST_F(EveryKey, LeavesOutStepsWhoseConditionIsFalse) {
  // `if: $crash` and `if: not crash and n > 2`: one of them in half of the cases.
  EXPECT_EQ(file_.cases[0].steps.size(), last_.steps.size() - 1);
}
TEST_F(EveryKey, WritesMatrixValuesIntoSettings) {
  EXPECT_EQ(last_.manager.duration("agent_timeout"), 90s);
  EXPECT_EQ(last_.manager.text("durability"), "semi_sync");
  EXPECT_EQ(last_.cloud.integer("quota.instances"), 3);
}
TEST_F(EveryKey, WritesMatrixValuesIntoExpressions) {
  EXPECT_EQ(last_.expect.at(1).expression.text(), "leaked_instances == 0 && (nodes + 1) * 2 >= 3");
}
TEST_F(EveryKey, ReadsComparisons) {
  const auto& conditions = action<Eventually>(last_, 3).checks.conditions;
  EXPECT_EQ(conditions.at(3), (Condition{"replicas", Comparison::greater_equal, 1, {}}));
  EXPECT_EQ(conditions.at(4), (Condition{"operations", Comparison::not_equal, 3, {}}));
  EXPECT_EQ(conditions.at(5), (Condition{"lag_s", Comparison::less, 2.5, {}}));
}
TEST_F(EveryKey, ReadsTheScenariosOwnFaults) {
  const auto& own = action<Do>(last_, 9);
  EXPECT_EQ(own.action, "vm.clock_jump");
  EXPECT_EQ(own.subject, "$nodes[1]");
  EXPECT_EQ(own.arguments.at("back"), "true");
  EXPECT_EQ(own.arguments.at("by"), "1m30s");
}
TEST_F(EveryKey, ReadsErrorCodesByName) {
  EXPECT_EQ(std::get<Call>(action<Repeat>(last_, 12).steps.at(0).action).expect.code, 5);
}

class Samples : public testing::TestWithParam<const char*> {};

TEST_P(Samples, CanonicalFormIsReadBackEqual) {
  for (const auto& one : load(sample(GetParam()), GetParam()).cases) {
    const auto text = to_canonical_text(one);
    const auto again = load(text, "x.json");
    ASSERT_EQ(again.cases.size(), 1U);
    EXPECT_EQ(again.cases[0], one) << text;
    EXPECT_EQ(to_canonical_text(again.cases[0]), text);
  }
}
TEST_P(Samples, CanonicalFormIsAlsoYaml) {
  const auto one = load(sample(GetParam()), GetParam()).cases.back();
  EXPECT_EQ(load(to_canonical_text(one), "x.yaml").cases.at(0), one);
}
TEST_P(Samples, AnyBytesGoneNeverCrashTheParser) {
  const auto text = sample(GetParam());
  for (std::size_t at = 0; at < text.size(); at += 7) {
    auto cut = text;
    cut.erase(at, 1 + at % 5);
    (void)parse_scenario(cut, "x.yaml");
    (void)parse_scenario(text.substr(0, at), "x.yaml");
  }
}
INSTANTIATE_TEST_SUITE_P(All, Samples, testing::Values("lost-create-reply.yaml", "every-key.yaml"));

TEST(CanonicalForm, LeavesDefaultsOut) {
  const auto one =
      load_one("manager: {poll_interval: 10s}\nseeds: 1..5\ntraffic: {writers: 0}\nquiesce: {core: all}\n");
  EXPECT_EQ(to_json(one).dump(), R"({"schema":1,"name":"x"})");
}
TEST(CanonicalForm, TakesOneSeed) {
  EXPECT_EQ(load(to_canonical_text(load_one(""), 42), "x.json").seeds, (SeedRange{42, 42}));
}
TEST(CanonicalForm, CutJsonNeverCrashesTheParser) {
  const auto text = to_canonical_text(load(sample("every-key.yaml")).cases.back());
  for (std::size_t at = 0; at + 2 < text.size(); at += 3)
    EXPECT_FALSE(parse_scenario(text.substr(0, at), "x.json"));
}
TEST(CanonicalForm, WritesRatesExactly) {
  for (const char* rate : {"50/s", "10/m", "7/h", "0.3/s", "0/s", "0.00007/m", "1/m"}) {
    const auto value = *parse_rate(rate);
    EXPECT_EQ(parse_rate(rate_text(value)), value) << rate;
  }
}

TEST(ScenarioDefaults, ComeFromTheTables) {
  const auto one = load_one("");
  EXPECT_EQ(one.seeds, (SeedRange{1, 5}));
  EXPECT_EQ(one.manager.duration("poll_agents_timer"), 10s);
  EXPECT_EQ(one.manager.duration("agent_timeout"), 10s);
  EXPECT_EQ(one.manager.text("durability"), "async");
  EXPECT_FALSE(one.cloud.has("quota.instances"));
  EXPECT_EQ(one.quiesce, Quiesce{});
  EXPECT_EQ(one.real, RealSettings{});
}
TEST(ScenarioDefaults, FitTheirOwnTypes) {
  const auto check = [](std::span<const Field> fields, auto&& self) -> void {
    for (const auto& field : fields) {
      self(field.fields, self);
      if (field.fallback.empty()) continue;
      Problems problems("table");
      EXPECT_TRUE(check_value(plain_scalar(std::string(field.fallback)), field, problems))
          << problems.to_error().message;
    }
  };
  for (const auto fields : {scenario_fields(), step_fields(), fault_fields()}) check(fields, check);
}

TEST(ScenarioRates, CanBePerMinute) {
  EXPECT_EQ(load_one("traffic: {rate: \"90/m\"}\n").traffic.number("rate"), 1.5);
}
TEST(ScenarioSeeds, CanBeOneNumber) { EXPECT_EQ(load_one("seeds: 7\n").seeds, (SeedRange{7, 7})); }
TEST(ScenarioWords, OnAndOffStayText) {
  EXPECT_EQ(action<Call>(load_one("steps: [{call: f, with: {a: on, b: off}}]\n"), 0).with["a"], "on");
}
TEST(ScenarioCaptures, OfParallelStepsAreKnownAfterwards) {
  EXPECT_EQ(load_one("steps:\n  - parallel: [{call: f, as: a}]\n  - await: {operation: $a.operation}\n")
                .steps.size(),
            2U);
}
TEST(ScenarioNames, MayHoldTheMatrix) {
  const auto file =
      load("schema: 1\nname: x\nmatrix: {n: [1, 2]}\nsteps: [{call: f, with: {k: 'a-${n}b'}}]\n");
  EXPECT_EQ(action<Call>(file.cases[1], 0).with["k"], "a-2b");
}
TEST(ScenarioSteps, DescribeThemselves) {
  const auto one = load_one(
      "steps: [{name: go, call: f}, {wait: 90s}, {do: vm.crash, on: n-1}, {check: {nodes: '>= 2', state: "
      "UP}}]\n");
  EXPECT_EQ(describe(one.steps[0]), "go: call f");
  EXPECT_EQ(describe(one.steps[1]), "wait 1m30s");
  EXPECT_EQ(describe(one.steps[2]), "do vm.crash on n-1");
  EXPECT_EQ(describe(one.steps[3]), "check nodes >= 2, state == \"UP\"");
}
TEST(ScenarioEquality, SeesAChangedStep) {
  EXPECT_NE(load_one("steps: [{wait: 1s}]\n").steps, load_one("steps: [{wait: 2s}]\n").steps);
}
TEST(ScenarioEquality, IgnoresPlaces) {
  EXPECT_EQ(load_one("steps: [{wait: 1s}]\n"), load_one("# moved\n\nsteps:\n  - wait: 1000ms\n"));
}

}  // namespace
}  // namespace drover::scenario
