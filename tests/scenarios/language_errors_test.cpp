// Every way to get a scenario file wrong, with the exact message: what people read is part of the interface.
#include <gmock/gmock.h>

#include "scenarios/engine/parse_scenario.hpp"

namespace drover::scenario {
namespace {

const std::string kHead = "schema: 1\nname: x\n";

std::string repeated(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

struct BadInput {
  const char* name;
  const char* file;
  std::string text;
  std::string message;  // behind "file:"
};

void PrintTo(const BadInput& input, std::ostream* out) { *out << input.name; }

std::vector<BadInput> bad_inputs() {
  // clang-format off
  return {
    {"EmptyFile", "x.yaml", "",
     R"~(1:1: the file is empty; a scenario starts with "schema: 1", "name: …" and "steps:")~"},
    {"OnlyComments", "x.yaml", "# only\n# comments\n",
     R"~(1:1: the file is empty; a scenario starts with "schema: 1", "name: …" and "steps:")~"},
    {"OnlyADocumentMark", "x.yaml", "---\n",
     R"~(1:1: the file is empty; a scenario starts with "schema: 1", "name: …" and "steps:")~"},
    {"OneWord", "x.yaml", "hello",
     R"~(1:1: expected a map of keys, found the text "hello")~"},
    {"AListOfWords", "x.yaml", "- a\n- b\n",
     R"~(1:1: expected a map of keys, found a list)~"},
    {"NameMissing", "x.yaml", "schema: 1\n",
     R"~(1:1: the key "name" is missing; every scenario has one)~"},
    {"SchemaMissing", "x.yaml", "name: x\n",
     R"~(1:1: the key "schema" is missing; write "schema: 1" first)~"},
    {"OtherSchema", "x.yaml", "schema: 2\nname: x\n",
     R"~(1:9: schema takes the number 1, found the number 2)~"},
    {"UnknownSectionNearSteps", "x.yaml", kHead + "stepz: []\n",
     R"~(3:1: unknown key "stepz" in a scenario; did you mean "steps"?)~"},
    {"UnknownSectionNearCloud", "x.yaml", kHead + "cluod: {}\n",
     R"~(3:1: unknown key "cluod" in a scenario; did you mean "cloud"?)~"},
    {"UnknownSectionNearNothing", "x.yaml", kHead + "xyzzyqwert: 1\n",
     R"~(3:1: unknown key "xyzzyqwert" in a scenario; known are schema, name, description, tags, seeds, matrix, cloud, agents, network, manager, traffic, steps, faults, quiesce, expect, judge, real)~"},
    {"DistributionWithoutUnit", "x.yaml", kHead + "cloud: {boot: 40}\n",
     R"~(3:15: boot takes a duration such as "35s" or a distribution such as "uniform(0s, 20s)", found the number 40: the unit is missing)~"},
    {"DistributionWithBadUnit", "x.yaml", kHead + "cloud: {boot: 40 parsecs}\n",
     R"~(3:15: boot: bad distribution "40 parsecs": expected a duration with its unit such as "35s", or const(..), uniform(..), exp(..), lognormal(..))~"},
    {"DistributionLacksAParameter", "x.yaml", kHead + "cloud: {boot: \"uniform(5s)\"}\n",
     R"~(3:15: boot: bad distribution "uniform(5s)": uniform takes two durations, low and high)~"},
    {"DistributionUpsideDown", "x.yaml", kHead + "cloud: {boot: \"uniform(9s, 5s)\"}\n",
     R"~(3:15: boot: bad distribution "uniform(9s, 5s)": the low end is above the high end)~"},
    {"UnknownDistribution", "x.yaml", kHead + "cloud: {boot: \"gauss(9s, 5s)\"}\n",
     R"~(3:15: boot: bad distribution "gauss(9s, 5s)": unknown shape "gauss"; known: const, uniform, exp, lognormal)~"},
    {"DurationWithoutUnit", "x.yaml", kHead + "manager: {boot_timeout: 10}\n",
     R"~(3:25: boot_timeout takes a duration with its unit such as "35s", found the number 10: the unit is missing)~"},
    {"DurationWithBadUnit", "x.yaml", kHead + "manager: {boot_timeout: 10 minutes}\n",
     R"~(3:25: boot_timeout takes a duration with its unit such as "35s", found the text "10 minutes"; units are ns, us, ms, s, m, h, d)~"},
    {"UnknownKeyInSection", "x.yaml", kHead + "manager: {boot_timeuot: 10m}\n",
     R"~(3:11: unknown key "boot_timeuot" in manager; did you mean "boot_timeout"?)~"},
    {"UnknownChoice", "x.yaml", kHead + "manager: {durability: semisync}\n",
     R"~(3:23: durability takes one of async, semi_sync, found the text "semisync"; did you mean "semi_sync"?)~"},
    {"NumberBelowRange", "x.yaml", kHead + "manager: {parallelism: 0}\n",
     R"~(3:24: parallelism takes a whole number from 1 to 1000, found the number 0)~"},
    {"TextForNumber", "x.yaml", kHead + "manager: {parallelism: many}\n",
     R"~(3:24: parallelism takes a whole number from 1 to 1000, found the text "many")~"},
    {"ListForSection", "x.yaml", kHead + "manager: [a]\n",
     R"~(3:10: manager takes a map of keys, found a list)~"},
    {"UnknownKeyInInnerSection", "x.yaml", kHead + "manager: {retry: {frist: 1s}}\n",
     R"~(3:19: unknown key "frist" in retry; did you mean "first"?)~"},
    {"RateWithoutUnit", "x.yaml", kHead + "traffic: {rate: 50}\n",
     R"~(3:17: rate takes a rate such as "50/s", "10/m" or "6/h", found the number 50)~"},
    {"RateWithBadUnit", "x.yaml", kHead + "traffic: {rate: \"50/d\"}\n",
     R"~(3:17: rate takes a rate such as "50/s", "10/m" or "6/h", found the text "50/d")~"},
    {"TriggerWithEmptyPart", "x.yaml", kHead + "faults: [{when: \"a..b\", do: vm.crash}]\n",
     R"~(3:20: bad trigger: a part of the name "a..b" is empty)~"},
    {"DuplicateTopLevelKey", "x.yaml", kHead + "name: y\n",
     R"~(3:1: the key "name" stands here twice)~"},
    {"DuplicateInnerKey", "x.yaml", kHead + "cloud:\n  boot: 1s\n  boot: 2s\n",
     R"~(5:3: the key "boot" stands here twice)~"},
    {"NumberForSteps", "x.yaml", kHead + "steps: 5\n",
     R"~(3:8: steps takes a list of steps, found the number 5)~"},
    {"NumberForAStep", "x.yaml", kHead + "steps:\n  - 5\n",
     R"~(4:5: a step takes a map of keys, found the number 5)~"},
    {"StepDoesTwoThings", "x.yaml", kHead + "steps:\n  - call: f\n    wait: 10s\n",
     R"~(4:5: a step does one thing, this one has both "call" and "wait"; make two steps of it)~"},
    {"StepDoesNothing", "x.yaml", kHead + "steps:\n  - name: f\n",
     R"~(4:5: a step has exactly one of call, eventually, check, wait, until, await, parallel, repeat, do, workload)~"},
    {"KeyOfAnotherKindOfStep", "x.yaml", kHead + "steps:\n  - wait: 10s\n    as: job\n",
     R"~(5:5: the key "as" does not belong to a step with "wait")~"},
    {"WithinOfACallThatDoesNotWait", "x.yaml", kHead + "steps:\n  - {call: f, within: 1m}\n",
     R"~(4:23: a call waits only with `ends`, such as {ends: DONE, within: 30m})~"},
    {"EndOfACallInTheBackground", "x.yaml", kHead + "steps:\n  - {call: f, background: yes, ends: DONE}\n",
     R"~(4:38: a call that is not waited for, or fails, has no operation whose end could come)~"},
    {"WaitWithoutUnit", "x.yaml", kHead + "steps:\n  - wait: 10\n",
     R"~(4:11: wait takes a duration with its unit such as "35s", found the number 10: the unit is missing)~"},
    {"UnknownKeyOfAStep", "x.yaml", kHead + "steps:\n  - wiat: 10s\n",
     R"~(4:5: unknown key "wiat" in a step; did you mean "wait"?)~"},
    {"ReferenceBeforeItsName", "x.yaml", kHead + "steps:\n  - {call: f, with: {a: $jbo.operation}, as: job}\n",
     R"~(4:25: unknown reference "$jbo"; known are nodes, master)~"},
    {"UnknownReference", "x.yaml", kHead + "steps:\n  - {call: f, as: job}\n  - await: {operation: $jbo.operation}\n",
     R"~(5:24: unknown reference "$jbo"; did you mean "job"?)~"},
    {"UnknownPartOfAnAnswer", "x.yaml", kHead + "steps:\n  - {call: f, as: job}\n  - await: {operation: \"see $job.opration\"}\n",
     R"~(5:29: "$job.opration" does not exist: a call's answer has no "opration"; did you mean "operation"?)~"},
    {"IndexIntoAnAnswer", "x.yaml", kHead + "steps:\n  - {call: f, as: job}\n  - await: {operation: \"$job[0]\"}\n",
     R"~(5:25: "$job[0]" does not exist: a call's answer has .operation, .result, .error, .code)~"},
    {"IndexThatIsNoNumber", "x.yaml", kHead + "steps:\n  - {call: f, with: {id: \"$nodes[x]\"}}\n",
     R"~(4:33: bad reference: an index is a whole number from 0 to 999999, such as [0])~"},
    {"ReferenceWithoutItsBrace", "x.yaml", kHead + "steps:\n  - {call: f, with: {id: \"${nodes\"}}\n",
     R"~(4:27: bad reference: this reference has no closing '}')~"},
    {"ReferenceToNoKeyOfTheMatrix", "x.yaml", kHead + "matrix: {n: [1]}\nsteps:\n  - {call: f, with: {id: $m}}\n",
     R"~(5:26: unknown reference "$m"; known are nodes, master, n)~"},
    {"PathIntoAMatrixValue", "x.yaml", kHead + "matrix: {n: [1]}\nsteps:\n  - {call: f, with: {id: $n.x}}\n",
     R"~(5:26: $n is a value of the matrix; "$n.x" names something inside it)~"},
    {"MatrixWithoutAList", "x.yaml", kHead + "matrix: {n: 3}\n",
     R"~(3:13: the matrix takes a list of values for "n", found the number 3)~"},
    {"MatrixWithAnEmptyList", "x.yaml", kHead + "matrix: {n: []}\n",
     R"~(3:13: the matrix takes a list of values for "n", found an empty list)~"},
    {"MatrixWithANestedList", "x.yaml", kHead + "matrix: {n: [[1]]}\n",
     R"~(3:14: values of the matrix are booleans, numbers and texts, found a list)~"},
    {"MatrixTakesABuiltInName", "x.yaml", kHead + "matrix: {nodes: [1]}\n",
     R"~(3:10: $nodes has a meaning already; give this key of the matrix another name)~"},
    {"MatrixTooLarge", "x.yaml", kHead + "matrix: {a: [" + repeated("1, ", 50) + "], b: [" + repeated("1, ", 50) + "]}\n",
     R"~(3:9: the matrix has more than 1000 combinations)~"},
    {"MatrixValueOfTheWrongType", "x.yaml", kHead + "matrix: {t: [10s, 5]}\nsteps:\n  - wait: $t\n",
     R"~(5:11: wait takes a duration with its unit such as "35s", found the number 5: the unit is missing)~"},
    {"ReferenceWhereNoMatrixIs", "x.yaml", kHead + "steps:\n  - wait: $t\n",
     R"~(4:11: wait takes a duration with its unit such as "35s" or a key of the matrix; "$t" is no key of it)~"},
    {"ConditionWithUnknownName", "x.yaml", kHead + "matrix: {n: [1]}\nsteps:\n  - {if: m > 1, wait: 1s}\n",
     R"~(5:10: bad condition: unknown name "m"; known are n)~"},
    {"ConditionThatIsANumber", "x.yaml", kHead + "matrix: {n: [1]}\nsteps:\n  - {if: n + 1, wait: 1s}\n",
     R"~(5:10: bad condition: expected true or false, the expression is a number)~"},
    {"ConditionCutShort", "x.yaml", kHead + "matrix: {n: [1]}\nsteps:\n  - {if: n >, wait: 1s}\n",
     R"~(5:13: bad condition: a value is missing at the end)~"},
    {"ExpressionWithSingleEquals", "x.yaml", kHead + "steps:\n  - check: \"nodes = 3\"\n",
     R"~(4:19: bad expression: a single '=' compares nothing; write '==')~"},
    {"ExpressionWithTwoValues", "x.yaml", kHead + "steps:\n  - check: \"nodes == 3 4\"\n",
     R"~(4:24: bad expression: expected an operator or the end, found "4")~"},
    {"CheckOfNothing", "x.yaml", kHead + "steps:\n  - check: {}\n",
     R"~(4:12: check takes an expression, or a map of conditions such as {state: RUNNING, nodes: 3}, found a map)~"},
    {"ComparisonWithText", "x.yaml", kHead + "steps:\n  - check: {nodes: \">= many\"}\n",
     R"~(4:20: the comparison ">= many" needs a number behind ">=")~"},
    {"ConditionWithAList", "x.yaml", kHead + "steps:\n  - check: {nodes: [1]}\n",
     R"~(4:20: the condition "nodes" takes a value or a comparison such as ">= 2", found a list)~"},
    {"BadRegularExpression", "x.yaml", kHead + "steps:\n  - {call: f, expect: {error: /a(/}}\n",
     R"~(4:31: bad regular expression "/a(/": Mismatched '(' and ')' in regular expression)~"},
    {"UnknownErrorCode", "x.yaml", kHead + "steps:\n  - {call: f, expect: {code: E_ARGS_INVALD}}\n",
     R"~(4:30: unknown error code "E_ARGS_INVALD"; did you mean "E_ARGS_INVALID"?)~"},
    {"CaptureTakesABuiltInName", "x.yaml", kHead + "steps:\n  - {call: f, as: nodes}\n",
     R"~(4:19: $nodes has a meaning already; choose another name)~"},
    {"RepeatWithoutSteps", "x.yaml", kHead + "steps:\n  - repeat: {times: 3}\n",
     R"~(4:13: repeat needs times and steps)~"},
    {"RepeatNever", "x.yaml", kHead + "steps:\n  - repeat: {times: 0, steps: []}\n",
     R"~(4:21: times takes a whole number from 1 to 10000, found the number 0)~"},
    {"ReferenceToASiblingInParallel", "x.yaml", kHead + "steps:\n  - parallel:\n      - {call: f, as: a}\n      - await: {operation: $a.operation}\n",
     R"~(6:28: unknown reference "$a"; known are nodes, master)~"},
    {"FaultWithoutATrigger", "x.yaml", kHead + "faults:\n  - {do: lose_reply}\n",
     R"~(4:5: a fault has exactly one of when, at, every: what makes it fire)~"},
    {"FaultWithTwoTriggers", "x.yaml", kHead + "faults:\n  - {at: 1s, every: 2s, do: x}\n",
     R"~(4:5: a fault has exactly one of when, at, every: what makes it fire)~"},
    {"FaultWithoutAnAction", "x.yaml", kHead + "faults:\n  - {at: 1s}\n",
     R"~(4:5: a fault has exactly one of do, pick: what happens)~"},
    {"FaultWithDoAndPick", "x.yaml", kHead + "faults:\n  - {at: 1s, do: x, pick: [y]}\n",
     R"~(4:5: a fault has exactly one of do, pick: what happens)~"},
    {"FaultPicksFromNothing", "x.yaml", kHead + "faults:\n  - {at: 1s, pick: []}\n",
     R"~(4:20: pick needs at least one action)~"},
    {"TwoFaultsWithOneId", "x.yaml", kHead + "faults:\n  - {id: a, at: 1s, do: x}\n  - {id: a, at: 2s, do: x}\n",
     R"~(5:10: two faults have the id "a")~"},
    {"TriggerNamesUnknownFault", "x.yaml", kHead + "faults:\n  - {id: lost, at: 1s, do: x}\n  - {when: \"vm.running; lots\", do: x}\n",
     R"~(5:25: unknown fault "lots" in a trigger; did you mean "lost"?)~"},
    {"TriggerCountsFromZero", "x.yaml", kHead + "faults:\n  - {when: \"iaas.x#0\", do: x}\n",
     R"~(4:20: bad trigger: occurrences are counted from 1)~"},
    {"ListAsArgument", "x.yaml", kHead + "faults:\n  - {when: \"a.b\", do: x, more: [1]}\n",
     R"~(4:32: the argument "more" of a fault takes a value, found a list)~"},
    {"ProbabilityAboveOne", "x.yaml", kHead + "faults:\n  - {at: 1s, do: x, probability: 2}\n",
     R"~(4:34: probability takes a number from 0 to 1, found the number 2)~"},
    {"UnknownExpectation", "x.yaml", kHead + "expect:\n  - allways: \"a\"\n",
     R"~(4:5: unknown key "allways" in an expectation; did you mean "always"?)~"},
    {"ExpectationsInOneItem", "x.yaml", kHead + "expect:\n  - {always: a, never: b}\n",
     R"~(4:5: an expectation has exactly one of always, finally, sometimes, never)~"},
    {"ParenthesisLeftOpen", "x.yaml", kHead + "expect:\n  - always: \"(a\"\n",
     R"~(4:16: bad expression: expected ')', found the end)~"},
    {"ExpectationNamesUnknownFault", "x.yaml", kHead + "faults:\n  - {id: lost, at: 1s, do: x}\nexpect:\n  - sometimes: \"a and lots.fired\"\n",
     R"~(6:23: unknown name "lots.fired" in an expression; did you mean "lost.fired"?)~"},
    {"ExpectationNamesAFaultButThereIsNone", "x.yaml", kHead + "expect:\n  - sometimes: \"lots.fired\"\n",
     R"~(4:17: unknown name "lots.fired" in an expression; the scenario has no faults)~"},
    {"UnknownFunction", "x.yaml", kHead + "expect:\n  - always: \"mxa(a, 2) < 1\"\n",
     R"~(4:14: bad expression: unknown function "mxa"; did you mean "max"?)~"},
    {"SeedsUpsideDown", "x.yaml", kHead + "seeds: 5..1\n",
     R"~(3:8: seeds takes seeds such as "1..200", or one seed, found the text "5..1")~"},
    {"SeedsInWords", "x.yaml", kHead + "seeds: some\n",
     R"~(3:8: seeds takes seeds such as "1..200", or one seed, found the text "some")~"},
    {"FactorWithoutX", "x.yaml", kHead + "real: {slack: 3}\n",
     R"~(3:15: slack takes a factor above 0 and up to 1000 such as "3x", found the number 3)~"},
    {"UnknownCore", "x.yaml", kHead + "quiesce: {core: majority}\n",
     R"~(3:17: core takes one of all, random_majority, found the text "majority")~"},
    {"NumberForATag", "x.yaml", kHead + "tags: [1]\n",
     R"~(3:8: tags takes texts, found the number 1)~"},
    {"TextForTags", "x.yaml", kHead + "tags: pr\n",
     R"~(3:7: tags takes a list of texts, found the text "pr")~"},
    {"Anchor", "x.yaml", kHead + "a: &x 1\nb: *x\n",
     R"~(3:4: anchors (&name) are refused; write the value again where it is needed)~"},
    {"AliasToNothing", "x.yaml", kHead + "b: *x\n",
     R"~(3:4: not valid YAML: the referenced anchor is not defined)~"},
    {"MergeKey", "x.yaml", kHead + "<<: {a: 1}\n",
     R"~(3:1: merge keys (<<) are refused; write the keys out)~"},
    {"Tag", "x.yaml", kHead + "cloud: !!map {}\n",
     R"~(3:8: tags ("tag:yaml.org,2002:map") are refused; quotes make a text)~"},
    {"SecondDocument", "x.yaml", kHead + "---\nschema: 1\n",
     R"~(4:1: a second document starts here; a file holds one scenario)~"},
    {"BraceLeftOpen", "x.yaml", kHead + "cloud: {boot: 1s\n",
     R"~(4:1: not valid YAML: end of map flow not found)~"},
    {"TabInIndentation", "x.yaml", kHead + "cloud:\n\tboot: 1s\n",
     R"~(4:1: a tab in the indentation; YAML takes spaces only)~"},
    {"ListAsKey", "x.yaml", kHead + "? [a]\n: b\n",
     R"~(3:3: a list or a map cannot be a key)~"},
    {"BrokenIndentation", "x.yaml", kHead + "cloud:\n  boot: 1s\n bad: 2\n",
     R"~(5:2: not valid YAML: end of map not found)~"},
    {"TooDeep", "x.yaml", kHead + "tags: " + std::string(71, '[') + std::string(71, ']') + "\n",
     R"~(3:71: nesting deeper than 64 levels; no scenario needs that)~"},
    {"ValueInsideAValue", "x.yaml", kHead + "description: \xc3""\xbc"": \n",
     R"~(3:15: not valid YAML: illegal map value)~"},
    {"ColumnsCountCharacters", "x.yaml", kHead + "tags: [\xc3""\xbc"", &a b]\n",
     R"~(3:11: anchors (&name) are refused; write the value again where it is needed)~"},
    {"SectionWithoutAValue", "x.yaml", kHead + "cloud:\n",
     R"~(3:1: cloud takes a map of keys, found nothing)~"},
    {"BinaryGarbage", "x.yaml", "\xff""\xfe""",
     R"~(1:1: not a text file: invalid UTF-8)~"},
    {"ZeroBytes", "x.yaml", std::string("\0\1\2", 3),
     R"~(1:1: not a text file: control character 0)~"},
    {"ControlCharacter", "x.yaml", kHead + "name: \x07""\n",
     R"~(3:7: not a text file: control character 7)~"},
    {"ByteOrderMarkAndCrLf", "x.yaml", "\xef""\xbb""\xbf""schema: 1\r\nname: x\r\nfoo: 1\r\n",
     R"~(3:1: unknown key "foo" in a scenario; known are schema, name, description, tags, seeds, matrix, cloud, agents, network, manager, traffic, steps, faults, quiesce, expect, judge, real)~"},
    {"JsonCutShort", "x.json", "{",
     R"~(1:2: expected a key in double quotes, found the end of the file)~"},
    {"JsonList", "x.json", "[]",
     R"~(1:1: expected a map of keys, found a list)~"},
    {"JsonTrailingComma", "x.json", "{\"schema\": 1, \"name\": \"x\",}",
     R"~(1:27: expected a key in double quotes, found '}')~"},
    {"JsonMissingComma", "x.json", "{\"schema\": 1 \"name\"}",
     R"~(1:14: expected ',' or '}' in a map, found '"')~"},
    {"JsonBareWord", "x.json", "{\"schema\": 1, \"name\": x}",
     R"~(1:23: expected a JSON value, found "x"; texts stand in double quotes)~"},
    {"JsonDuplicateKey", "x.json", "{\"a\": 1, \"a\": 2}",
     R"~(1:10: the key "a" stands here twice)~"},
    {"JsonTextOverTwoLines", "x.json", "{\"a\": \"b\n\"}",
     R"~(1:7: this text has no closing double quote)~"},
    {"JsonUnknownEscape", "x.json", "{\"a\": \"\\x\"}",
     R"~(1:8: unknown escape in a JSON text)~"},
    {"JsonHalfASurrogatePair", "x.json", "{\"a\": \"\\ud800\"}",
     R"~(1:8: half of a surrogate pair)~"},
    {"JsonLeadingZero", "x.json", "{\"a\": 01}",
     R"~(1:7: expected a JSON value, found "01", which is no JSON number)~"},
    {"JsonHugeNumber", "x.json", "{\"a\": 1e999}",
     R"~(1:7: expected a JSON value, found "1e999", which is no JSON number)~"},
    {"JsonYes", "x.json", "{\"a\": yes}",
     R"~(1:7: expected a JSON value, found "yes"; texts stand in double quotes)~"},
    {"JsonTwoValues", "x.json", "{} {}",
     R"~(1:4: something follows the end of the JSON text; a file holds one value)~"},
    {"JsonHundredThousandLists", "x.json", std::string(100'000, '['),
     R"~(1:66: nesting deeper than 64 levels; no scenario needs that)~"},
    {"JsonHundredThousandMaps", "x.json", repeated("{\"a\":", 100'000),
     R"~(1:326: nesting deeper than 64 levels; no scenario needs that)~"},
    {"JsonUnknownSection", "x.json", "{\"schema\": 1, \"name\": \"x\",\n \"stepz\": []}",
     R"~(2:2: unknown key "stepz" in a scenario; did you mean "steps"?)~"},
    {"JsonMissingUnit", "x.json", "{\"schema\": 1, \"name\": \"x\", \"manager\": {\"boot_timeout\": 10}}",
     R"~(1:56: boot_timeout takes a duration with its unit such as "35s", found the number 10: the unit is missing)~"},
    {"JsonOnlySpaces", "x.json", "   ",
     R"~(1:1: the file is empty; a scenario starts with "schema: 1", "name: …" and "steps:")~"},
    {"JsonShortEscape", "x.json", "{\"a\": \"\\u12\"}",
     R"~(1:10: \u needs four hexadecimal digits)~"},
    {"JsonMissingColon", "x.json", "{\"a\" 1}",
     R"~(1:6: expected ':' after the key "a", found '1')~"},
    {"JsonSingleQuotes", "x.json", "{'a': 1}",
     R"~(1:2: expected a key in double quotes, found ''')~"},
    {"JsonCutWord", "x.json", "{\"a\": tru}",
     R"~(1:7: expected a JSON value, found "tru"; texts stand in double quotes)~"},
    {"JsonTabInText", "x.json", "{\"a\": \"b\tc\"}",
     R"~(1:9: a tab inside a JSON text; write \t)~"},
  };
  // clang-format on
}

class LanguageErrors : public testing::TestWithParam<BadInput> {};

TEST_P(LanguageErrors, SayPlaceAndRemedy) {
  const auto& input = GetParam();
  const auto parsed = parse_scenario(input.text, input.file);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message, std::string(input.file) + ":" + input.message);
}

INSTANTIATE_TEST_SUITE_P(Each, LanguageErrors, testing::ValuesIn(bad_inputs()),
                         [](const auto& test) { return std::string(test.param.name); });

std::string message_of(std::string_view text, const std::string& file = "x.yaml",
                       const Vocabulary& known = {}) {
  const auto parsed = parse_scenario(text, file, known);
  return parsed ? "no error" : parsed.error().message;
}

TEST(LanguageErrorList, HoldsEveryProblemInFileOrder) {
  EXPECT_EQ(message_of(kHead + "cloud: {bot: 1s}\nsteps:\n  - wait: 5\nsedes: 3\n"),
            "x.yaml:3:9: unknown key \"bot\" in cloud; did you mean \"boot\"?\n"
            "x.yaml:5:11: wait takes a duration with its unit such as \"35s\", found the number 5: the unit "
            "is missing\n"
            "x.yaml:6:1: unknown key \"sedes\" in a scenario; did you mean \"seeds\"?");
}

TEST(LanguageErrorList, EndsAfterTwentyProblems) {
  const auto message = message_of(kHead + "steps:\n" + repeated("  - wait: 5\n", 100));
  EXPECT_EQ(std::ranges::count(message, '\n'), 19);
}

TEST(LanguageLimits, RefuseMoreThanFourMebibytes) {
  EXPECT_EQ(message_of(std::string(4 * 1024 * 1024 + 1, '#')),
            "x.yaml:1:1: the file has 4194305 bytes; more than 4 MiB are refused");
}

TEST(LanguageLimits, RefuseMoreThanAHundredThousandValues) {
  EXPECT_THAT(message_of(kHead + "tags: [" + repeated("a,", 100'001) + "]\n"),
              testing::HasSubstr("more than 100,000 values"));
}

TEST(LanguageLimits, RefuseMoreThanAHundredThousandJsonValues) {
  EXPECT_THAT(message_of("[1" + repeated(",1", 100'001) + "]", "x.json"),
              testing::HasSubstr("more than 100,000 values"));
}

TEST(LanguageLimits, RefuseAMatrixThatMultipliesALargeFile) {
  const auto matrix = "matrix: {a: [" + repeated("1,", 900) + "1]}\n";
  EXPECT_EQ(message_of(kHead + matrix + "tags: [" + repeated("a,", 5'000) + "]\n"),
            "x.yaml:3:9: the matrix has 901 combinations, too many for a file of this size; make several "
            "files of it");
}

TEST(LanguageLimits, RefuseNestedRepeatsThatMultiply) {
  EXPECT_EQ(
      message_of(kHead + "steps:\n  - repeat: {times: 1000, steps: [{repeat: {times: 1000, steps: []}}]}\n"),
      "x.yaml:4:52: nested repeats carry out these steps more than 100000 times");
}

TEST(LanguageLimits, RefuseTenThousandOpenYamlBrackets) {
  EXPECT_EQ(message_of(std::string(10'000, '[')),
            "x.yaml:1:1001: nesting deeper than 64 levels; no scenario needs that");
}

TEST(LanguageLimits, RefuseDeepYamlBlocks) {
  EXPECT_EQ(message_of(repeated("- ", 100'000)),
            "x.yaml:1:131: nesting deeper than 64 levels; no scenario needs that");
}

TEST(LanguageLimits, NestedAliasesNeverExpand) {
  EXPECT_EQ(message_of("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"),
            "x.yaml:1:4: anchors (&name) are refused; write the value again where it is needed");
}

const Vocabulary kKnown{
    {"add_nodes", "remove_nodes"}, {"nodes", "state"}, {"lose_reply", "vm.crash"}, {"bank"}};

TEST(LanguageVocabulary, NamesTheNearestMethod) {
  EXPECT_EQ(message_of(kHead + "steps:\n  - call: ad_nodes\n", "x.yaml", kKnown),
            "x.yaml:4:11: unknown method \"ad_nodes\"; did you mean \"add_nodes\"?");
}
TEST(LanguageVocabulary, NamesTheNearestMetricOfAnExpression) {
  EXPECT_EQ(message_of(kHead + "expect:\n  - always: \"1 < ndoes\"\n", "x.yaml", kKnown),
            "x.yaml:4:18: unknown name \"ndoes\" in an expression; did you mean \"nodes\"?");
}
TEST(LanguageVocabulary, NamesTheNearestMetricOfACondition) {
  EXPECT_EQ(message_of(kHead + "steps:\n  - check: {stat: RUNNING}\n", "x.yaml", kKnown),
            "x.yaml:4:13: unknown condition \"stat\"; did you mean \"state\"?");
}
TEST(LanguageVocabulary, NamesTheNearestActionOfAStep) {
  EXPECT_EQ(message_of(kHead + "steps:\n  - do: vm.crsh\n", "x.yaml", kKnown),
            "x.yaml:4:9: unknown action \"vm.crsh\"; did you mean \"vm.crash\"?");
}
TEST(LanguageVocabulary, ChecksTheArgumentsOfAFaultThatAStepMakes) {
  const auto step = [](const std::string& with) {
    return message_of(kHead + "steps:\n  - {do: db.lag, on: node-1" + with + "}\n");
  };
  EXPECT_THAT(step(", with: {lag: 30s}"), testing::HasSubstr("db.lag takes no argument \"lag\""));
  EXPECT_THAT(step(", with: {for: 1m}"), testing::HasSubstr("db.lag needs the argument \"by\""));
  EXPECT_THAT(step(""), testing::HasSubstr("db.lag needs the argument \"by\""));
  EXPECT_THAT(step(", with: {by: much}"), testing::HasSubstr("by"));
  EXPECT_EQ(step(", with: {by: 30s, for: 1m}"), "no error");
}
TEST(LanguageVocabulary, NamesTheNearestActionOfAPick) {
  EXPECT_EQ(message_of(kHead + "faults:\n  - {at: 1s, pick: [lose_repyl]}\n", "x.yaml", kKnown),
            "x.yaml:4:21: unknown action \"lose_repyl\"; did you mean \"lose_reply\"?");
}
TEST(LanguageVocabulary, NamesTheNearestWorkload) {
  EXPECT_EQ(message_of(kHead + "steps:\n  - workload: bnk\n", "x.yaml", kKnown),
            "x.yaml:4:15: unknown workload \"bnk\"; did you mean \"bank\"?");
}
TEST(LanguageVocabulary, FiredFaultsAreKnownBesideTheMetrics) {
  EXPECT_EQ(message_of(kHead + "faults:\n  - {at: 1s, do: vm.crash}\nexpect:\n  - sometimes: fault-1.fired\n",
                       "x.yaml", kKnown),
            "no error");
}

}  // namespace
}  // namespace drover::scenario
