// What of a scenario the local world says that it cannot show.
#include "scenarios/local/supported.hpp"

#include <gmock/gmock.h>

#include "scenarios/engine/load_library.hpp"
#include "scenarios/engine/parse_scenario.hpp"

namespace drover::scenario {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

std::string why(const std::string& rest, const LocalLacks& lacks = {}) {
  const auto parsed = parse_scenario("schema: 1\nname: x\ndescription: y\n" + rest, "x.yaml");
  if (parsed.has_error()) return "invalid: " + parsed.error().message;
  return why_not_local(parsed.value().cases.front(), lacks);
}

const std::string kStep = "steps:\n  - {call: list_nodes}\n";

TEST(Local, RunsPlainCalls) { EXPECT_THAT(why(kStep), IsEmpty()); }

TEST(Local, RunsFaultsOfCallsAndOfProcesses) {
  EXPECT_THAT(why(kStep + "faults:\n  - {when: iaas.newInstance.reply, do: lose_reply}\n"), IsEmpty());
  EXPECT_THAT(why("steps:\n  - {do: db.crash, on: node-1}\n"), IsEmpty());
}

TEST(Local, NamesTheFaultThatItCannotMakeWhereverItIs) {
  EXPECT_THAT(why("steps:\n  - {do: db.corrupt_binlog, on: node-1}\n"), HasSubstr("db.corrupt_binlog"));
  EXPECT_THAT(why("steps:\n  - repeat: {times: 2, steps: [{do: vm.zombie, on: node-1}]}\n"),
              HasSubstr("vm.zombie"));
  EXPECT_THAT(why("steps:\n  - parallel: [{do: vm.zombie, on: node-1}]\n"), HasSubstr("vm.zombie"));
  EXPECT_THAT(why(kStep + "faults:\n  - {when: step.look, do: vm.wrong_image}\n"),
              HasSubstr("vm.wrong_image"));
  EXPECT_THAT(why(kStep + "faults:\n  - {every: exp(9s), until: 1m, pick: [db.crash, vm.zombie]}\n"),
              HasSubstr("vm.zombie"));
}

const std::string kCut = "steps:\n  - {do: net.partition, with: {from: node-1, to: node-2}}\n";
const std::string kFull = "steps:\n  - {do: db.disk_full, on: node-1}\n";

TEST(Local, CutsTheNetworkWhereItCanMakeNetworksAndSaysWhyItCannot) {
  EXPECT_THAT(why(kCut), IsEmpty());
  EXPECT_THAT(why(kCut, {.networks = "no root", .disks = ""}), HasSubstr("net.partition needs a network"));
  EXPECT_THAT(why(kCut, {.networks = "no root", .disks = ""}), HasSubstr("no root"));
  EXPECT_THAT(why(kFull, {.networks = "no root", .disks = ""}), IsEmpty());
}

TEST(Local, FillsDisksWhereItCanMakeDisksAndSaysWhyItCannot) {
  EXPECT_THAT(why(kFull), IsEmpty());
  EXPECT_THAT(why(kFull, {.networks = "", .disks = "no root"}), HasSubstr("db.disk_full needs a small disk"));
}

TEST(Local, DuplicatesNothingOfAStream) {
  EXPECT_THAT(why("steps:\n  - {do: net.duplicate, on: manager}\n"), HasSubstr("net.duplicate"));
}

TEST(Local, NeedsNoGroundWhereNoFaultAsksForOne) {
  const auto wanted = [](const std::string& rest) {
    const auto parsed = parse_scenario("schema: 1\nname: x\ndescription: y\n" + rest, "x.yaml");
    return ground_wanted(parsed.value().cases.front());
  };
  EXPECT_FALSE(wanted("steps:\n  - {do: db.crash, on: node-1}\n").any());
  EXPECT_TRUE(wanted(kCut).networks);
  EXPECT_FALSE(wanted(kCut).disks);
  EXPECT_TRUE(wanted(kFull).disks);
  EXPECT_TRUE(wanted(kStep + "faults:\n  - {when: step.look, do: net.isolate}\n").networks);
}

TEST(Local, MinesNoFaultThatItsCaseLeavesOut) {
  EXPECT_THAT(
      why("matrix: {on: [no]}\n" + kStep + "faults:\n  - {if: $on, when: step.look, do: vm.zombie}\n"),
      IsEmpty());
}

TEST(Local, NamesTheSettingThatItCannotSet) {
  EXPECT_THAT(why("cloud: {list_lag: const(20s)}\n" + kStep), HasSubstr("cloud.list_lag"));
  EXPECT_THAT(why("network: {loss: 0.2}\n" + kStep), HasSubstr("network.loss"));
  EXPECT_THAT(why("cloud: {quota: {instances: 3}}\n" + kStep), IsEmpty());
}

TEST(Local, HasRoomForSoManyVmsAndDoesNotCountWhatIsRefused) {
  EXPECT_THAT(why("steps:\n  - {call: add_nodes, with: {count: 33}}\n"), HasSubstr("32"));
  EXPECT_THAT(why("steps:\n  - {call: add_nodes, with: {count: 33}, expect: {code: E_ARGS_INVALID}}\n"),
              IsEmpty());
}

}  // namespace
}  // namespace drover::scenario
