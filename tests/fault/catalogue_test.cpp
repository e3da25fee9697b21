#include "mockcloud/fault/catalogue.hpp"

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "paths.hpp"
#include "tests/fault/support.hpp"

namespace drover::fault {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string error_of(const Rule& checked_rule) {
  const auto checked = check_rule(checked_rule);
  return checked ? "fine" : checked.error().message;
}

std::string first_call(const ActionRow& row) {
  const std::string_view call =
      row.calls.empty() ? calls_of(*port_of(row.target)).front() : row.calls.substr(0, row.calls.find(' '));
  return std::string(to_text(*port_of(row.target))) + "." + std::string(call);
}

TEST(Catalogue, NameAndTargetAreUnique) {
  std::set<std::pair<std::string_view, Target>> seen;
  for (const auto& row : catalogue()) EXPECT_TRUE(seen.emplace(row.name, row.target).second) << row.name;
}

TEST(Catalogue, CallActionsNameAPhaseAndCallsThatExist) {
  for (const auto& row : catalogue()) {
    if (!row.is_call()) continue;
    EXPECT_NE(row.phases, 0U) << row.name;
    std::istringstream words{std::string(row.calls)};
    std::string word;
    while (words >> word)
      EXPECT_NE(
          std::count(calls_of(*port_of(row.target)).begin(), calls_of(*port_of(row.target)).end(), word), 0)
          << row.name;
  }
}

TEST(Catalogue, DefaultsPassTheirOwnChecks) {
  for (const auto& row : catalogue()) {
    Rule every = timed(1s, std::string(row.name));
    for (const auto& argument : row.arguments) {
      std::string value(argument.fallback);
      if (argument.required) value = "5s";
      if (argument.required && !argument.choices.empty())
        value = argument.choices.substr(0, argument.choices.find('|'));
      if (!value.empty()) every.arguments[std::string(argument.name)] = value;
    }
    if (row.is_call()) every.arguments["on"] = first_call(row);
    EXPECT_EQ(error_of(every), "fine") << row.name << " of " << to_text(row.target);
  }
}

TEST(Catalogue, EveryVariantIsARuleThatCanBeWritten) {
  for (const auto& row : catalogue()) {
    EXPECT_FALSE(row.variants.empty()) << row.name;
    for (const auto& variant : row.variants) {
      Rule tried = timed(1s, std::string(row.name));
      for (const auto& [name, value] : variant.arguments) tried.arguments[std::string(name)] = value;
      if (row.is_call()) tried.arguments["on"] = first_call(row);
      EXPECT_EQ(error_of(tried), "fine") << row.name << " of " << to_text(row.target);
    }
  }
}

TEST(Catalogue, WhatIsBeyondTheBudgetIsNeverMasked) {
  for (const auto& row : catalogue())
    for (const auto& variant : row.variants) EXPECT_FALSE(row.beyond_budget && variant.masked) << row.name;
}

TEST(Catalogue, DocumentationIsTheTable) {
  const std::string path = std::string(DROVER_SOURCE_DIR) + "/docs/faults.md";
  if (const char* update = std::getenv("DROVER_UPDATE_DOCS"); update != nullptr && std::string(update) == "1")
    std::ofstream(path) << catalogue_markdown();
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_TRUE(text.str() == catalogue_markdown())
      << "docs/faults.md is not what the catalogue says: run this test with DROVER_UPDATE_DOCS=1";
}

TEST(CheckRule, UnknownActionNamesTheNearest) {
  EXPECT_EQ(error_of(rule("vm.running", "vm.carsh")),
            "unknown fault action \"vm.carsh\"; did you mean \"vm.crash\"?");
}

TEST(CheckRule, UnknownArgumentNamesTheNearest) {
  EXPECT_EQ(error_of(rule("vm.running", "manager.crash", {{"restrat", "1s"}})),
            "manager.crash takes no argument \"restrat\"; did you mean \"restart\"?");
}

TEST(CheckRule, ArgumentFarFromAllListsWhatIsTaken) {
  EXPECT_EQ(error_of(rule("vm.running", "manager.crash", {{"qqqqqqqqqqqq", "1s"}})),
            "manager.crash takes no argument \"qqqqqqqqqqqq\"; it takes restart target");
}

TEST(CheckRule, MissingArgumentIsNamed) {
  EXPECT_THAT(error_of(rule("iaas.newInstance.before", "late_effect")),
              StartsWith("late_effect needs the argument \"delay\" (duration or distribution)"));
}

TEST(CheckRule, DurationNeedsItsUnit) {
  EXPECT_THAT(error_of(rule("vm.running", "vm.slow_boot", {{"by", "10"}})),
              StartsWith("argument \"by\" of vm.slow_boot: bad distribution \"10\""));
}

TEST(CheckRule, NeverIsADurationWhereItMakesSense) {
  EXPECT_EQ(error_of(rule("vm.running", "manager.crash", {{"restart", "never"}})), "fine");
  EXPECT_THAT(error_of(rule("vm.running", "vm.slow_boot", {{"by", "never"}})), HasSubstr("bad distribution"));
}

TEST(CheckRule, TextMustBeOneOfTheChoices) {
  EXPECT_THAT(error_of(rule("iaas.newInstance.before", "refuse", {{"error", "tired"}})),
              StartsWith("argument \"error\" of refuse: \"tired\" is none of unavailable|throttled|"));
}

TEST(CheckRule, ChoicesAreThoseOfThePort) {
  EXPECT_EQ(error_of(rule("agent.get_users.before", "refuse", {{"error", "database"}})), "fine");
  EXPECT_THAT(error_of(rule("iaas.newInstance.before", "refuse", {{"error", "database"}})),
              HasSubstr("is none of"));
}

TEST(CheckRule, ShareIsAtMostOne) {
  EXPECT_THAT(error_of(rule("iaas.listVMs.reply", "torn_list", {{"keep", "1.5"}})), HasSubstr("not a share"));
}

TEST(CheckRule, ActionMustApplyToTheCall) {
  EXPECT_EQ(error_of(rule("iaas.killInstance.before", "ignore_token")),
            "ignore_token cannot be done to killInstance, only to: newInstance");
}

TEST(CheckRule, ActionMustApplyToEveryCallOfAPattern) {
  EXPECT_THAT(error_of(rule("iaas.*.before", "quota")), HasSubstr("cannot be done to killInstance"));
}

TEST(CheckRule, ActionMustApplyAtThePhase) {
  EXPECT_EQ(error_of(rule("iaas.newInstance.before", "lose_reply")),
            "lose_reply cannot be done at \"iaas.newInstance.before\", only at effect or reply of that call");
}

TEST(CheckRule, ActionMustApplyToThePort) {
  EXPECT_EQ(error_of(rule("store.commit", "stuck")), "stuck cannot be done to calls of the port store");
}

TEST(CheckRule, CallActionAtAnEventNeedsOn) {
  EXPECT_THAT(error_of(rule("vm.running", "stuck")), HasSubstr("say with the argument \"on\""));
  EXPECT_EQ(error_of(rule("vm.running", "stuck", {{"on", "iaas.listVMs"}})), "fine");
}

TEST(CheckRule, CallActionAtATimeNeedsOn) {
  EXPECT_THAT(error_of(timed(5s, "stuck")), HasSubstr("fires at a time"));
  EXPECT_EQ(error_of(timed(5s, "stuck", {{"on", "agent.*"}, {"calls", "3"}})), "fine");
}

TEST(CheckRule, OnMustNameACallOfTheAction) {
  EXPECT_THAT(error_of(timed(5s, "stuck", {{"on", "iaas.listVM"}})),
              HasSubstr("did you mean \"iaas.listVMs\"?"));
  EXPECT_THAT(error_of(timed(5s, "ignore_token", {{"on", "iaas.listVMs"}})),
              HasSubstr("cannot be done to listVMs"));
  EXPECT_THAT(error_of(timed(5s, "stuck", {{"on", "iaas.listVMs.reply"}})), HasSubstr("only at before"));
}

TEST(CheckRule, CallsNeedsOnAndAWholeNumber) {
  EXPECT_THAT(error_of(rule("iaas.listVMs.before", "stuck", {{"calls", "2"}})),
              HasSubstr("only together with \"on\""));
  EXPECT_THAT(error_of(timed(5s, "stuck", {{"on", "iaas.*"}, {"calls", "1.5"}})),
              HasSubstr("not a whole number"));
}

TEST(CheckRule, WindowMayOpenAtAnyTime) {
  EXPECT_EQ(error_of(timed(5s, "brown_out", {{"for", "1m"}})), "fine");
  EXPECT_EQ(error_of(timed(5s, "expired_credentials", {{"for", "1m"}})), "fine");
  EXPECT_THAT(error_of(timed(5s, "expired_credentials")), HasSubstr("\"on\""));
}

TEST(CheckRule, ExactlyOneOfWhenAtEvery) {
  Rule none;
  none.action = "vm.crash";
  EXPECT_THAT(error_of(none), HasSubstr("this one has none"));
  Rule both = rule("vm.running", "vm.crash");
  both.at = 5s;
  EXPECT_THAT(error_of(both), HasSubstr("this one has several"));
}

TEST(CheckRule, ExactlyOneOfDoAndPick) {
  EXPECT_THAT(error_of(rule("vm.running", "")), HasSubstr("exactly one of do and pick"));
}

TEST(CheckRule, PickedActionsAreCheckedEach) {
  Rule picking = rule("vm.running", "");
  picking.pick = {"vm.crash", "vm.carsh"};
  EXPECT_THAT(error_of(picking), HasSubstr("unknown fault action \"vm.carsh\""));
  picking.pick = {"vm.crash", "vm.pause"};
  picking.arguments = {{"for", "10s"}};
  EXPECT_EQ(error_of(picking), "fine");
  picking.arguments = {{"frr", "10s"}};
  EXPECT_THAT(error_of(picking), HasSubstr("none of the picked actions"));
}

TEST(CheckRule, EveryNeedsAGap) {
  Rule endless;
  endless.every = Distribution::constant(0s);
  endless.action = "vm.crash";
  EXPECT_THAT(error_of(endless), HasSubstr("not above 0s"));
}

TEST(CheckRule, UntilBeforeAtCanNeverFire) {
  Rule late = timed(5s, "vm.crash");
  late.until = 4s;
  EXPECT_THAT(error_of(late), HasSubstr("can never fire"));
}

TEST(CheckRule, IdIsAPlainName) {
  EXPECT_THAT(error_of(named("vm.running", rule("vm.running", "vm.crash"))), HasSubstr("letters, digits"));
  EXPECT_THAT(error_of(named("fault-1", rule("vm.running", "vm.crash"))), HasSubstr("unnamed rules"));
}

TEST(CheckRules, IdsAreUnique) {
  const Rule one = named("a", rule("vm.running", "vm.crash"));
  EXPECT_EQ(check_rules({one, one}).error().message, "two fault rules have the id \"a\"");
}

TEST(CheckRules, ErrorSaysWhichRule) {
  const auto checked = check_rules({rule("vm.running", "vm.crash"), rule("lots", "vm.crash"),
                                    named("lost", rule("vm.running", "vm.crash"))});
  EXPECT_THAT(checked.error().message, StartsWith("fault fault-2: when: \"lots\" is neither"));
}

}  // namespace
}  // namespace drover::fault
