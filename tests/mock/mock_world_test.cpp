// The library in the world "mock": the same files, with the manager's drivers of real clouds over the wires
// of the mock cloud. What must differ is listed here, with the reason.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "paths.hpp"
#include "scenarios/engine/load_library.hpp"
#include "scenarios/engine/runner.hpp"
#include "scenarios/engine/sim_world.hpp"
#include "scenarios/mock/mock_detour.hpp"

namespace drover::scenario {
namespace {

const std::string kRoot = DROVER_SOURCE_DIR "/scenarios/";

struct Difference {
  std::string_view file;
  std::string_view one_case;  // "" for all
  std::string_view why;
};

// Nova accepts a request that no host has room for, and the server then ends in ERROR: to the manager that is
// a VM that did not boot, not a refusal to be repeated.
constexpr std::string_view kNoRefusal = "OpenStack has no refusal for want of room";
constexpr std::string_view kOtherMoment =
    "its faults wait for a moment that the extra request of this driver moves";
constexpr Difference kOpenStack[] = {
    {"library/cloud/no-room-for-a-while.yaml", "", kNoRefusal},
    {"library/cloud/the-account-is-full.yaml", "limit=capacity,count=1", kNoRefusal},
    {"library/cloud/the-account-is-full.yaml", "limit=capacity,count=2", kNoRefusal},
    {"regressions/a-replaced-manager-outlives-its-successor.yaml", "", kOtherMoment},
    {"regressions/two-who-destroy-one-vm.yaml", "", kOtherMoment},
    {"regressions/a-late-vm-of-a-stopped-service-goes-too.yaml", "", kOtherMoment},
    {"regressions/a-promotion-that-had-succeeded-is-not-undone.yaml", "", kOtherMoment},
    {"regressions/a-shutdown-beside-a-destroyer-that-was-not-answered.yaml", "", kOtherMoment},
    {"regressions/a-slave-that-was-refused-what-it-lacks-takes-over-from-nobody.yaml", "", kOtherMoment},
    {"regressions/a-vm-that-nobody-remembers-comes-late.yaml", "", kOtherMoment},
};
constexpr Difference kOpenNebula[] = {
    {"regressions/a-fail-over-takes-as-long-as-its-tries.yaml", "", kOtherMoment},
    {"regressions/a-master-that-has-just-come-back.yaml", "", kOtherMoment},
    {"regressions/a-replaced-manager-outlives-its-successor.yaml", "", kOtherMoment},
    {"regressions/a-resumed-fail-over-looks-first.yaml", "", kOtherMoment},
    {"regressions/no-repair-of-what-was-seen-before-a-fail-over.yaml", "", kOtherMoment},
    {"regressions/a-late-vm-of-a-stopped-service-goes-too.yaml", "", kOtherMoment},
    {"regressions/a-promotion-that-had-succeeded-is-not-undone.yaml", "", kOtherMoment},
    {"regressions/a-slave-that-was-refused-what-it-lacks-takes-over-from-nobody.yaml", "", kOtherMoment},
    {"regressions/a-vm-that-nobody-remembers-comes-late.yaml", "", kOtherMoment},
};

std::span<const Difference> differences(Protocol protocol) {
  if (protocol == Protocol::openstack) return kOpenStack;
  if (protocol == Protocol::opennebula) return kOpenNebula;
  return {};
}

bool differs(Protocol protocol, const std::string& file, const Scenario& one) {
  for (const Difference& each : differences(protocol))
    if (file.ends_with(each.file) && (each.one_case.empty() || to_text(one.values) == each.one_case))
      return true;
  return false;
}

RunOptions over(Protocol protocol) {
  RunOptions options;
  options.detour = [protocol] { return std::make_unique<MockDetour>(protocol); };
  return options;
}

struct Part {
  Protocol protocol;
  std::string folder;
};

void PrintTo(const Part& part, std::ostream* out) { *out << to_text(part.protocol) << " " << part.folder; }

std::vector<Part> parts() {
  std::vector<Part> all;
  for (const Protocol protocol : {Protocol::ec2, Protocol::openstack, Protocol::opennebula}) {
    for (const auto& entry : std::filesystem::directory_iterator(kRoot + "library"))
      all.push_back({protocol, "library/" + entry.path().filename().string()});
    all.push_back({protocol, "regressions"});
  }
  std::sort(all.begin(), all.end(), [](const Part& a, const Part& b) {
    return std::tie(a.protocol, a.folder) < std::tie(b.protocol, b.folder);
  });
  return all;
}

class MockWorld : public testing::TestWithParam<Part> {};

TEST_P(MockWorld, GivesTheVerdictsOfTheSimulation) {
  const auto files = find_scenarios({kRoot + GetParam().folder});
  ASSERT_TRUE(files.has_value()) << files.error().message;
  std::size_t runs = 0;
  for (const std::string& path : files.value()) {
    const auto file = load_scenario(path);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    for (const Scenario& one : file.value().cases) {
      if (differs(GetParam().protocol, path, one)) continue;
      const RunResult result = run_scenario(one, file.value().seeds.first, over(GetParam().protocol));
      ++runs;
      const bool fine = result.verdict == Verdict::pass || result.verdict == Verdict::expected_loss;
      EXPECT_TRUE(fine) << result.repro << " --api " << to_text(GetParam().protocol) << ": "
                        << to_text(result.verdict) << " " << result.reason
                        << (result.failures.empty() ? "" : result.failures.front().message);
    }
  }
  EXPECT_GT(runs, 0U);
}

std::string part_name(const testing::TestParamInfo<Part>& part) {
  std::string name = std::string(to_text(part.param.protocol)) + "_" + part.param.folder;
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  return name;
}

std::string protocol_name(const testing::TestParamInfo<Protocol>& protocol) {
  return to_text(protocol.param);
}

INSTANTIATE_TEST_SUITE_P(Library, MockWorld, testing::ValuesIn(parts()), part_name);

class OneLife : public testing::TestWithParam<Protocol> {
 protected:
  static ScenarioFile file() {
    return load_scenario(kRoot + "library/cloud/a-whole-life-on-a-bad-cloud.yaml").value();
  }
};

TEST_P(OneLife, IsDecidedByItsSeedAlone) {
  const auto scenario = file();
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const auto first = run_scenario(scenario.cases.front(), seed, over(GetParam()));
    const auto second = run_scenario(scenario.cases.front(), seed, over(GetParam()));
    EXPECT_EQ(first.digest, second.digest) << "seed " << seed;
    EXPECT_EQ(first.world, "mock");
  }
}

TEST_P(OneLife, GoesOverTheWire) {
  const auto scenario = file();
  const auto wired = run_scenario(scenario.cases.front(), 1, over(GetParam()));
  const auto direct = run_scenario(scenario.cases.front(), 1);
  EXPECT_NE(wired.digest, direct.digest);
}

// Asked of the cloud's own database, not of what any part of drover says of it.
TEST_P(OneLife, LeavesNoVmInTheCloudsDatabase) {
  const auto scenario = file();
  const std::string path =
      std::filesystem::temp_directory_path() / ("drover-mock-" + std::to_string(::getpid()) + ".db");
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    std::filesystem::remove(path);
    RunOptions options = over(GetParam());
    options.finish = [&](SimWorld& world) { ASSERT_TRUE(world.cloud().save_copy(path).has_value()); };
    const auto result = run_scenario(scenario.cases.front(), seed, options);
    EXPECT_EQ(result.verdict, Verdict::pass) << "seed " << seed;
    std::map<std::string, int> states;
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
    const auto row = [](void* to, int, char** values, char**) {
      (*static_cast<std::map<std::string, int>*>(to))[values[0]] = std::stoi(values[1]);
      return 0;
    };
    EXPECT_EQ(
        sqlite3_exec(database, "SELECT state, count(*) FROM instances GROUP BY state", row, &states, nullptr),
        SQLITE_OK);
    sqlite3_close(database);
    EXPECT_EQ(states.size(), 1U) << "seed " << seed;
    EXPECT_GE(states["terminated"], 4) << "seed " << seed;
  }
  std::filesystem::remove(path);
}

INSTANTIATE_TEST_SUITE_P(Protocols, OneLife,
                         testing::Values(Protocol::ec2, Protocol::openstack, Protocol::opennebula),
                         protocol_name);

}  // namespace
}  // namespace drover::scenario
