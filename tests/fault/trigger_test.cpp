#include "tests/fault/support.hpp"

namespace drover::fault {
namespace {

std::string error_of(std::string_view text) {
  const auto parsed = parse_trigger(text);
  return parsed ? "parsed as " + to_text(parsed.value()) : parsed.error().message;
}
std::string round_trip(std::string_view text) { return to_text(parse_trigger(text).value()); }

TEST(Trigger, WithoutNumberMeansEveryOccurrence) {
  const Trigger trigger = parse_trigger("vm.running").value();
  EXPECT_EQ(trigger.first, 1U);
  EXPECT_TRUE(trigger.onward);
}

TEST(Trigger, NumberMeansThatOccurrenceOnly) {
  const Trigger trigger = parse_trigger("vm.running#3").value();
  EXPECT_EQ(trigger.first, 3U);
  EXPECT_FALSE(trigger.onward);
}

TEST(Trigger, EitherBindsLooserThanThenLooserThanBoth) {
  const Trigger trigger = parse_trigger("a | b ; c & d").value();
  ASSERT_EQ(trigger.kind, Trigger::Kind::either);
  ASSERT_EQ(trigger.children.at(1).kind, Trigger::Kind::then);
  EXPECT_EQ(trigger.children.at(1).children.at(1).kind, Trigger::Kind::both);
}

TEST(Trigger, CanonicalTextIsNormalised) {
  EXPECT_EQ(round_trip("  a#1+;b#2+|c"), "a; b#2+ | c");
  EXPECT_EQ(round_trip("((a))&(b)"), "a & b");
}

TEST(Trigger, ParenthesesThatMatterAreKept) { EXPECT_EQ(round_trip("(a|b);(c;d)&e"), "(a | b); (c; d) & e"); }

TEST(Trigger, SaysWhereAPointIsMissing) {
  EXPECT_EQ(error_of("a; ; b"), "4: expected an observation point, the id of a rule or '(', found ';'");
  EXPECT_EQ(error_of(""), "1: expected an observation point, the id of a rule or '(', found the end");
}

TEST(Trigger, SaysWhichParenthesisIsNeverClosed) {
  EXPECT_EQ(error_of("a; (b | c"), "4: '(' is never closed");
}

TEST(Trigger, SaysThatAParenthesisWasNeverOpened) { EXPECT_EQ(error_of("a)"), "2: ')' without its '('"); }

TEST(Trigger, RefusesOccurrenceZero) {
  EXPECT_EQ(error_of("vm.running#0"), "12: occurrences are counted from 1");
}

TEST(Trigger, RefusesANumberSignWithoutNumber) {
  EXPECT_EQ(error_of("vm.running#+"), "11: '#' needs a number from 1 on, such as \"#1\" or \"#2+\"");
}

TEST(Trigger, RefusesANumberThatIsTooHigh) {
  EXPECT_EQ(error_of("a#99999999999999999999"), "3: the number after '#' is above 1000000000");
}

TEST(Trigger, RefusesAnEmptyNamePart) {
  EXPECT_EQ(error_of("iaas..before"), "6: a part of the name \"iaas..before\" is empty");
}

TEST(Trigger, RefusesNamesSideBySide) {
  EXPECT_EQ(error_of("a b"), "3: expected '|', ';', '&' or the end, found 'b'");
}

TEST(Trigger, NamesNoUnprintableCharacter) {
  EXPECT_EQ(error_of("a\x01"),
            "2: expected '|', ';', '&' or the end, found a character that is not printable ASCII");
}

TEST(Trigger, RefusesDeepNestingInsteadOfOverflowing) {
  std::string deep(60, '(');
  deep += 'a';
  EXPECT_EQ(error_of(deep), "51: parentheses are nested more than 50 deep");
}

TEST(Trigger, RefusesEndlessText) {
  EXPECT_EQ(error_of(std::string(100'000, 'a')), "2001: a trigger has at most 2000 characters");
}

Trigger random_trigger(Choices& choices, unsigned depth) {
  Trigger trigger;
  const auto kind = depth == 0 ? 0 : choices.below(4, "trigger", "kind");
  if (kind == 0) {
    static const char* const names[] = {"lost", "vm.running", "iaas.*.before", "agent.set_up_*.reply",
                                        "fault_7-x"};
    trigger.point = names[choices.below(std::size(names), "trigger", "name")];
    trigger.first = 1 + static_cast<unsigned>(choices.below(3, "trigger", "first"));
    trigger.onward = choices.chance(0.5, "trigger", "onward");
    return trigger;
  }
  trigger.kind = static_cast<Trigger::Kind>(kind);
  const auto children = 2 + choices.below(2, "trigger", "children");
  for (std::uint64_t i = 0; i < children; ++i) trigger.children.push_back(random_trigger(choices, depth - 1));
  return trigger;
}

TEST(Trigger, TextReadsBackToAnEqualTrigger) {
  Choices choices(7);
  for (int i = 0; i < 2000; ++i) {
    const Trigger trigger = random_trigger(choices, 4);
    const std::string text = to_text(trigger);
    if (text.size() > 2000) continue;
    const auto parsed = parse_trigger(text);
    ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
    ASSERT_EQ(parsed.value(), trigger) << text;
  }
}

TEST(Trigger, AnyBytesAreParsedOrRefused) {
  Choices choices(8);
  const std::string_view alphabet = "ab.*#+19;&|() \t\xff";
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    const auto size = choices.below(20, "text", "size");
    while (text.size() < size) text += alphabet[choices.below(alphabet.size(), "text", "byte")];
    const auto parsed = parse_trigger(text);
    if (!parsed) continue;
    ASSERT_EQ(parse_trigger(to_text(parsed.value())).value(), parsed.value()) << text;
  }
}

// What a trigger makes of a row of observations: '1' where it completes.
std::string completions(std::string_view trigger, const std::vector<std::string>& observations) {
  TriggerState state(parse_trigger(trigger).value());
  std::string text;
  for (const auto& observation : observations) text += state.offer(observation) ? '1' : '.';
  return text;
}

TEST(TriggerState, PlainPointCompletesAtEveryOccurrence) {
  EXPECT_EQ(completions("a", {"a", "b", "a"}), "1.1");
}

TEST(TriggerState, NumberCompletesOnce) { EXPECT_EQ(completions("a#2", {"a", "a", "a"}), ".1."); }

TEST(TriggerState, NumberAndPlusCompleteFromThereOn) {
  EXPECT_EQ(completions("a#2+", {"a", "a", "a"}), ".11");
}

TEST(TriggerState, ThenNeedsTheOrder) { EXPECT_EQ(completions("a; b", {"b", "a", "c", "b", "b"}), "...1."); }

TEST(TriggerState, ThenStartsOver) { EXPECT_EQ(completions("a; b", {"a", "b", "b", "a", "b"}), ".1..1"); }

TEST(TriggerState, ThenWithANumberedStartHappensOnce) {
  EXPECT_EQ(completions("a#1; b", {"a", "b", "a", "b"}), ".1..");
}

TEST(TriggerState, OneObservationIsOneStepOfThen) { EXPECT_EQ(completions("a; a", {"a", "a"}), ".1"); }

TEST(TriggerState, LaterPartsOfThenCountFromTheirTurn) {
  EXPECT_EQ(completions("a; b#2", {"b", "a", "b", "b"}), "...1");
}

TEST(TriggerState, LaterPartsOfThenCountAnewInEachRound) {
  EXPECT_EQ(completions("a; b#2", {"a", "b", "b", "a", "b", "b"}), "..1..1");
}

TEST(TriggerState, BothTakesAnyOrder) {
  EXPECT_EQ(completions("a & b", {"b", "b", "a"}), "..1");
  EXPECT_EQ(completions("a & b", {"a", "b"}), ".1");
}

TEST(TriggerState, BothStartsOver) { EXPECT_EQ(completions("a & b", {"a", "b", "a", "b"}), ".1.1"); }

TEST(TriggerState, EitherCompletesAtEach) { EXPECT_EQ(completions("a#1 | b", {"a", "a", "b"}), "1.1"); }

TEST(TriggerState, StarMatchesWithinAPartOnly) {
  EXPECT_EQ(
      completions("iaas.*.reply", {"iaas.newInstance.reply", "iaas.newInstance.before", "agent.x.reply"}),
      "1..");
  EXPECT_EQ(completions("vm.*", {"vm.running", "vm.a.b"}), "1.");
}

TEST(TriggerState, ProgressIsRestored) {
  const Trigger trigger = parse_trigger("a#2; b & c").value();
  TriggerState before(trigger), after(trigger);
  for (const char* point : {"a", "a", "b"}) before.offer(point);
  ASSERT_TRUE(after.restore(before.progress()));
  EXPECT_TRUE(after.offer("c"));
}

TEST(TriggerState, ProgressOfAnotherTriggerIsRefused) {
  TriggerState state(parse_trigger("a; b").value());
  EXPECT_FALSE(state.restore({1, 0}));
  EXPECT_FALSE(state.restore({0, 0, 0, 0, 2, 0}));
}

TEST(RuleText, TellsTwoRulesApart) {
  const Rule one = rule("vm.running", "vm.crash");
  Rule two = one;
  EXPECT_EQ(canonical_text(one), canonical_text(two));
  two.probability = 0.5;
  EXPECT_NE(canonical_text(one), canonical_text(two));
}

TEST(RuleText, NoValuePassesForAnotherField) {
  Rule one = rule("vm.running", "vm.crash", {{"target", "x times=1:2 "}});
  Rule two = rule("vm.running", "vm.crash", {{"target", "x"}});
  two.times = 2;
  EXPECT_NE(canonical_text(one), canonical_text(two));
}

}  // namespace
}  // namespace drover::fault
