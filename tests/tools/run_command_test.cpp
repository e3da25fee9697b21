// `drover run` as scripts use it: exit codes, reports, selection of runs, replay, interruption. Runs the
// binary itself, in a folder of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>
#include "paths.hpp"

namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

namespace fs = std::filesystem;

const std::string kOne = R"(
steps:
  - call: add_nodes
    with: {count: 1}
    as: job
  - await: {operation: $job.operation}
)";
const std::string kFails = kOne + "  - check: {nodes: 2}\n";
const std::string kVacuous = kOne + "faults:\n  - {id: idle, when: iaas.createVolume.before, do: refuse}\n";
const std::string kSkipped = "\nsteps:\n  - do: vm.detach_volume\n";
const std::string kMatrix = "\nmatrix: {n: [1, 2], crash: [no, yes]}" + kOne;
// Days of traffic: long enough to be interrupted.
const std::string kLong = "\nseeds: 1..400\ntraffic: {writers: 1, rate: \"5/s\"}" + kOne +
                          "  - call: set_up_replica_master\n    with: {id: '1'}\n  - wait: 5h\n";

struct Outcome {
  int code = -1;
  std::string out;
};

struct RunCommand : testing::Test {
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "drover-run-XXXXXX").string();
    folder = mkdtemp(pattern.data());
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  void write(const std::string& name, const std::string& body, const std::string& tags = "pr") {
    fs::create_directories(folder / "lib");
    std::ofstream(folder / "lib" / (name + ".yaml"))
        << "schema: 1\nname: " << name << "\ndescription: A test.\ntags: [" << tags << "]" << body;
  }
  std::string read(const std::string& name) const {
    std::ifstream in(folder / name);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  // Runs `drover run lib ARGUMENTS`; output and errors together.
  Outcome run(const std::string& arguments, const std::string& before = {}) const {
    return shell(before + " '" DROVER_BINARY "' run lib " + arguments);
  }
  Outcome shell(const std::string& command) const {
    Outcome outcome;
    FILE* pipe = popen(("cd '" + folder.string() + "' && env -u GTEST_SHARD_INDEX -u GTEST_TOTAL_SHARDS " +
                        command + " 2>&1")
                           .c_str(),
                       "r");
    char buffer[4096];
    for (std::size_t got; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;) outcome.out.append(buffer, got);
    const int status = pclose(pipe);
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return outcome;
  }
  json results(const std::string& arguments) const {
    const auto outcome = run("--json r.json " + arguments);
    return json::parse(read("r.json"), nullptr, false);
  }
  // "one 3" for each run.
  std::vector<std::string> names(const json& report) const {
    std::vector<std::string> all;
    for (const auto& one : report.at("runs"))
      all.push_back(one.at("scenario").get<std::string>() + " " + std::to_string(one.at("seed").get<int>()));
    return all;
  }
  std::vector<std::string> digests(const json& report) const {
    std::vector<std::string> all;
    for (const auto& one : report.at("runs")) all.push_back(one.at("digest"));
    return all;
  }
  fs::path folder;
};

// --- exit codes ---

TEST_F(RunCommand, EndsWithZeroWhenAllPassed) {
  write("one", kOne);
  const auto outcome = run("");
  EXPECT_EQ(outcome.code, 0) << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr("1 scenarios, 5 seeds, 5 runs: 5 passed, 0 failed"));
}

TEST_F(RunCommand, EndsWithOneWhenARunFailedAndSaysHowToRunItAgain) {
  write("bad", kFails);
  write("one", kOne);
  const auto outcome = run("");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("not == 2"));
  EXPECT_THAT(outcome.out, HasSubstr("again: drover run lib/bad.yaml --seed 1"));
}

TEST_F(RunCommand, EndsWithOneWhenARunWasVacuous) {
  write("idle", kVacuous);
  EXPECT_EQ(run("").code, 1);
}

TEST_F(RunCommand, EndsWithZeroWhenARunWasSkippedAndSaysWhy) {
  write("impossible", kSkipped);
  const auto outcome = run("");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("vm.detach_volume"));
}

TEST_F(RunCommand, EndsWithTwoForAnInvalidFileAndNamesThePlace) {
  write("broken", "\nsteps:\n  - cal: add_nodes\n");
  const auto outcome = run("");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.out, HasSubstr("lib/broken.yaml:6:5: "));
}

TEST_F(RunCommand, EndsWithTwoForWrongUsage) {
  write("one", kOne);
  for (const char* arguments : {"--no-such-option", "--seed x", "--seeds 5..1", "--seeds 1..", "--shard 3/2",
                                "--shard x", "--seed 1 --seeds 1..2", "no-such-folder", "--filter nothing",
                                "--tag nothing", "--replay no-such-file", "--jobs -1"})
    EXPECT_EQ(run(arguments).code, 2) << arguments;
}

TEST_F(RunCommand, EndsWithTwoWhenAReportCannotBeWritten) {
  write("one", kOne);
  EXPECT_EQ(run("--json no/such/folder/r.json").code, 2);
}

TEST_F(RunCommand, EndsWithTwoWhenTwoFilesHaveOneName) {
  write("one", kOne);
  fs::copy(folder / "lib/one.yaml", folder / "lib/two.yaml");
  const auto outcome = run("");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.out, HasSubstr("\"one\""));
}

TEST_F(RunCommand, EndsWithFourForAWorldThatIsNotAvailable) {
  write("one", kOne);
  const auto outcome = run("--world moon");
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.out, HasSubstr("--world sim"));
}

TEST_F(RunCommand, EndsWithTwoForARealCloudWithoutItsConfiguration) {
  write("one", kOne);
  const auto outcome = run("--world cloud");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.out, HasSubstr("--config FILE"));
}

// --- replay ---

TEST_F(RunCommand, AReplayOfAFreshRecordingPasses) {
  write("one", kMatrix);
  ASSERT_EQ(run("--json r.json").code, 0);
  const auto outcome = shell("'" DROVER_BINARY "' run --replay r.json --json again.json");
  EXPECT_EQ(outcome.code, 0) << outcome.out;
  EXPECT_EQ(digests(json::parse(read("again.json"))), digests(json::parse(read("r.json"))));
}

TEST_F(RunCommand, AReplayWithAnotherDigestEndsWithThree) {
  write("one", kOne);
  auto recorded = results("");
  recorded["runs"][2]["digest"] = "0123456789abcdef";
  std::ofstream(folder / "r.json") << recorded.dump();
  const auto outcome = shell("'" DROVER_BINARY "' run --replay r.json");
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.out, HasSubstr("NONDETERMINISTIC"));
  EXPECT_THAT(outcome.out, HasSubstr("recorded 0123456789abcdef"));
}

TEST_F(RunCommand, AReplayOfSomethingElseIsWrongUsage) {
  write("one", kOne);
  for (const char* text : {"", "[]", "{", "{\"runs\": 3}", "{\"runs\": [3]}", "{\"runs\": [{\"file\": 3}]}",
                           "{\"runs\": [{\"file\": \"lib/one.yaml\", \"seed\": \"x\"}]}", "{\"runs\": []}"}) {
    std::ofstream(folder / "r.json") << text;
    EXPECT_EQ(shell("'" DROVER_BINARY "' run --replay r.json").code, 2) << text;
  }
}

TEST_F(RunCommand, AReplayOfACaseThatIsGoneIsWrongUsage) {
  write("one", kOne);
  auto recorded = results("");
  recorded["runs"][0]["case"] = {{"n", 3}};
  std::ofstream(folder / "r.json") << recorded.dump();
  EXPECT_EQ(shell("'" DROVER_BINARY "' run --replay r.json").code, 2);
}

// --- determinism ---

TEST_F(RunCommand, GivesTheSameDigestsWhateverSurroundsIt) {
  write("one", kMatrix);
  write("two", kOne);
  const auto digest = digests(results("--jobs 1"));
  EXPECT_EQ(digest.size(), 25U);
  EXPECT_EQ(digests(results("--jobs 4")), digest);
  ASSERT_EQ(
      run("--json r.json", "env -i LC_ALL=C.utf8 TZ=Asia/Tokyo MALLOC_PERTURB_=165 MALLOC_ARENA_MAX=1").code,
      0);
  EXPECT_EQ(digests(json::parse(read("r.json"))), digest);
}

TEST_F(RunCommand, TwiceComparesEveryRunWithItself) {
  write("one", kOne);
  EXPECT_EQ(run("--twice").code, 0);
}

// --- selection ---

TEST_F(RunCommand, RunsTheSeedsOfTheFileUnlessToldOtherwise) {
  write("one", "\nseeds: 3..4" + kOne);
  EXPECT_THAT(names(results("")), ElementsAre("one 3", "one 4"));
  EXPECT_THAT(names(results("--seed 9")), ElementsAre("one 9"));
  EXPECT_THAT(names(results("--seeds 7..9")), ElementsAre("one 7", "one 8", "one 9"));
  EXPECT_THAT(names(results("--seeds 7")), ElementsAre("one 7"));
  EXPECT_THAT(names(results("--quick")), ElementsAre("one 3"));
}

TEST_F(RunCommand, RunsOnlyWhatTheFilterOrTheTagNames) {
  write("one", kOne, "pr, slow");
  write("other", kOne);
  EXPECT_THAT(names(results("--quick --filter 'o?h*'")), ElementsAre("other 1"));
  EXPECT_THAT(names(results("--quick --tag slow")), ElementsAre("one 1"));
}

TEST_F(RunCommand, RunsOneCaseOfTheMatrix) {
  write("one", kMatrix);
  const auto report = results("--quick --case n=2,crash=true");
  ASSERT_EQ(report.at("runs").size(), 1U);
  EXPECT_EQ(report.at("runs")[0].at("case"), (json{{"n", 2}, {"crash", true}}));
}

TEST_F(RunCommand, TheReproLineRunsThatRunAgain) {
  write("one", kMatrix);
  const auto report = results("");
  const auto& wanted = report.at("runs")[7];
  const std::string line = wanted.at("repro");
  const auto outcome = shell("'" DROVER_BINARY "'" + line.substr(6) + " --json again.json");
  EXPECT_EQ(outcome.code, 0) << outcome.out;
  const auto again = json::parse(read("again.json"));
  ASSERT_EQ(again.at("runs").size(), 1U);
  EXPECT_EQ(again.at("runs")[0].at("digest"), wanted.at("digest"));
}

TEST_F(RunCommand, ShardsHaveEveryRunOnceAmongThem) {
  write("one", kMatrix);
  const auto whole = digests(results(""));
  std::multiset<std::string> together;
  for (const char* shard : {"--shard 0/3", "--shard 1/3", "--shard 2/3"})
    for (const auto& digest : digests(results(shard))) together.insert(digest);
  EXPECT_EQ(together, std::multiset<std::string>(whole.begin(), whole.end()));
}

TEST_F(RunCommand, TakesItsShardFromTheSurroundings) {
  write("one", kOne);
  const auto outcome = run("--json r.json", "env SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_COUNT=5");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(names(json::parse(read("r.json"))), ElementsAre("one 2"));
}

TEST_F(RunCommand, CheckRunsNothing) {
  write("one", kFails);
  EXPECT_EQ(run("--check").code, 0);
  write("broken", "\nstep: []\n");
  EXPECT_EQ(run("--check").code, 2);
}

// --- reports ---

TEST_F(RunCommand, JsonHasTheDocumentedShape) {
  write("bad", kFails);
  write("idle", kVacuous);
  const auto report = results("--quick");
  EXPECT_EQ(report.at("command"), "run");
  EXPECT_TRUE(report.at("drover").is_string());
  EXPECT_TRUE(report.at("found").is_array());
  for (const char* key :
       {"runs", "passed", "failed", "skipped", "vacuous", "unknown", "wall_s", "simulated_s", "events"})
    EXPECT_TRUE(report.at("summary").at(key).is_number()) << key;
  EXPECT_EQ(report.at("summary").at("failed"), 1);
  EXPECT_EQ(report.at("summary").at("vacuous"), 1);
  const auto& bad = report.at("runs").at(0);
  for (const char* key : {"scenario", "file", "world", "verdict", "digest", "repro"})
    EXPECT_TRUE(bad.at(key).is_string()) << key;
  for (const char* key : {"seed", "simulated_s", "wall_s", "events"})
    EXPECT_TRUE(bad.at(key).is_number()) << key;
  EXPECT_TRUE(bad.at("case").is_object());
  EXPECT_EQ(bad.at("verdict"), "FAIL");
  EXPECT_EQ(bad.at("digest").get<std::string>().size(), 16U);
  const auto& failure = bad.at("failures").at(0);
  EXPECT_EQ(failure.at("invariant"), "step");
  for (const char* key : {"message", "fingerprint"}) EXPECT_TRUE(failure.at(key).is_string()) << key;
  EXPECT_TRUE(failure.at("at_s").is_number());
  EXPECT_EQ(report.at("runs").at(1).at("faults"), (json::array({json{{"id", "idle"}, {"fired", 0}}})));
}

TEST_F(RunCommand, JsonOnStdoutIsAllThereIsOnStdout) {
  write("bad", kFails);
  const auto outcome = shell("sh -c \"exec '" DROVER_BINARY "' run lib --json - 2>/dev/null\"");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(json::parse(outcome.out, nullptr, false).at("summary").at("failed"), 5);
}

TEST_F(RunCommand, JunitIsWellFormedWhateverTheNamesHold) {
  write("bad", "\nmatrix: {text: [\"<&>'\\\"]]>\"]}" + kFails);
  write("idle", kVacuous);
  write("impossible", kSkipped);
  write("one", kOne);
  EXPECT_EQ(run("--quick --junit j.xml").code, 1);
  const auto outcome = shell(
      "python3 -c \"import xml.etree.ElementTree as e; r=e.parse('j.xml').getroot(); "
      "c=r.findall('.//testcase'); "
      "print(r.tag, r.get('tests'), r.get('failures'), r.get('skipped'), len(c), "
      "len(r.findall('.//failure')), len(r.findall('.//skipped')), sorted(x.get('classname') for x in c))\"");
  EXPECT_EQ(outcome.out, "testsuites 4 2 1 4 2 1 ['bad', 'idle', 'impossible', 'one']\n");
}

TEST_F(RunCommand, TheTraceOfEveryRunIsWrittenWhenAskedFor) {
  write("one", kOne);
  EXPECT_EQ(run("--quick --trace t.txt").code, 0);
  EXPECT_THAT(read("t.txt"), HasSubstr("# drover run lib/one.yaml --seed 1"));
  EXPECT_THAT(read("t.txt"), HasSubstr("iaas_call"));
}

TEST_F(RunCommand, QuietPrintsTheSummaryAlone) {
  write("one", kOne);
  const auto outcome = run("--quiet");
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 1) << outcome.out;
}

// --- interruption ---

TEST_F(RunCommand, CtrlCGivesTheSummaryOfWhatRanAndEndsWith130) {
  write("long", kLong);
  const auto outcome =
      shell("timeout --preserve-status -s INT 1.5 '" DROVER_BINARY "' run lib --jobs 1 --json r.json");
  EXPECT_EQ(outcome.code, 130) << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr("interrupted: "));
  const auto report = json::parse(read("r.json"), nullptr, false);
  EXPECT_LT(report.at("runs").size(), 400U);
}

}  // namespace
