#include <string>

#include "mockcloud/fault/local_need.hpp"

namespace drover::fault {
namespace {

std::string code(std::string_view text) { return "`" + std::string(text) + "`"; }

std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string argument_text(const ArgumentRow& argument) {
  std::string text = code(argument.name) + " (";
  text += argument.choices.empty() ? std::string(to_text(argument.type)) : code(argument.choices);
  if (argument.or_never) text += " or `never`";
  if (argument.required)
    text += ", required";
  else if (!argument.fallback.empty())
    text += ", default " + code(argument.fallback);
  return text + "): " + std::string(argument.summary);
}

std::string arguments_text(const ActionRow& row) {
  std::string text;
  for (const auto& argument : row.arguments) {
    if (!text.empty()) text += "<br>";
    text += argument_text(argument);
  }
  return text;
}

std::string where_text(const ActionRow& row) {
  std::string text;
  for (const auto phase : {Phase::before, Phase::effect, Phase::reply}) {
    if (!row.in_phase(phase)) continue;
    if (!text.empty()) text += ", ";
    text += to_text(phase);
  }
  if (!row.calls.empty()) text += " of " + std::string(row.calls);
  if (row.window) text += "; with `for`, at any time or point";
  return text;
}

std::string worlds_text(const ActionRow& row) {
  const unsigned worlds = row.worlds;
  std::string text;
  const auto add = [&](World world, const char* name) {
    if ((worlds & world) == 0) return;
    if (!text.empty()) text += ' ';
    text += name;
  };
  add(kSim, "sim");
  add(kMock, "mock");
  add(kLocal, local_need_of(row) == LocalNeed::none ? "local" : "local(root)");
  add(kCloud, "cloud");
  return text;
}

void append_actions(std::string& text, Target target) {
  bool first = true;
  for (const auto& row : catalogue()) {
    if (row.target != target) continue;
    if (first) {
      text += "\n### Target: " + std::string(to_text(target)) + "\n\n";
      text +=
          row.is_call()
              ? "| action | what happens | where | arguments | budget | worlds |\n|---|---|---|---|---|---|\n"
              : "| action | what happens | arguments | budget | worlds |\n|---|---|---|---|---|\n";
      first = false;
    }
    text += "| " + code(row.name) + " | " + cell(row.summary) + " | ";
    if (row.is_call()) text += cell(where_text(row)) + " | ";
    text += cell(arguments_text(row)) + " | " + (row.beyond_budget ? "beyond" : "tolerable") + " | " +
            worlds_text(row) + " |\n";
  }
}

// Where a call action of this row can strike on its port: "before, reply of getVMInfo".
std::string port_cell(const ActionRow& row, Port port) {
  if (!row.is_call()) return "any";
  if (port_of(row.target) != port) return "";
  std::string text;
  for (const auto phase : {Phase::before, Phase::effect, Phase::reply}) {
    if (!row.in_phase(phase)) continue;
    if (!text.empty()) text += ", ";
    text += to_text(phase);
  }
  return text;
}

std::string elsewhere_cell(const ActionRow& row) {
  if (!row.is_call()) return "any";
  return row.window ? "with `on`, `for`" : "with `on`";
}

std::string variant_text(const Variant& variant) {
  std::string text;
  for (const auto& [name, value] : variant.arguments) {
    if (!text.empty()) text += ", ";
    text += std::string(name) + ": " + std::string(value);
  }
  text = text.empty() ? "as it is" : code(text);
  return variant.masked ? text + " (masked)" : text;
}

void append_places(std::string& text) {
  text +=
      "\n## Fault by point and world\n\nWhere each action can be done: at calls in these phases, at any "
      "other "
      "point (`vm.*`, `repl.*`, `operation.*`, `step.*`, `node.*`, `service.*`, `manager.*`, a rule's id) or "
      "time; and in which worlds. `local(root)`: on real servers where drover may make networks and small "
      "disks of its own, as root or the root of a user namespace; elsewhere the scenario is SKIPPED. The "
      "last column is what `drover explore` tries; a single firing of what is "
      "*masked* must not be seen from outside: no operation fails because of it, and the end is the same as "
      "without it.\n\n"
      "| target | action | `iaas.*` | `agent.*` | `store.*` | elsewhere | worlds | budget | variants |\n"
      "|---|---|---|---|---|---|---|---|---|\n";
  for (const auto& row : catalogue()) {
    std::string variants;
    for (const auto& variant : row.variants) {
      if (!variants.empty()) variants += "<br>";
      variants += variant_text(variant);
    }
    text += "| " + std::string(to_text(row.target)) + " | " + code(row.name) + " | ";
    for (const auto port : {Port::iaas, Port::agent, Port::store}) text += port_cell(row, port) + " | ";
    text += elsewhere_cell(row) + " | " + worlds_text(row) + " | " +
            (row.beyond_budget ? "beyond" : "tolerable") + " | " + cell(variants) + " |\n";
  }
}

void append_points(std::string& text) {
  text += "\n## Observation points\n\n| point | what it tells |\n|---|---|\n";
  for (const auto& family : point_families()) {
    std::string names;
    if (family.open) names = code(std::string(family.prefix) + ".<name>");
    // Calls: one name each, with the phases in braces.
    std::string call;
    for (const auto& name : family.names) {
      const auto dot = name.find('.');
      const std::string whole = name.substr(0, dot);
      if (whole == call) continue;
      call = whole;
      if (!names.empty()) names += ", ";
      const std::string point = std::string(family.prefix) + "." + whole;
      if (dot == std::string::npos)
        names += code(point);
      else
        names += code(point + (family.prefix == "store" ? ".{before,reply}" : ".{before,effect,reply}"));
    }
    text += "| " + names + " | " + cell(family.summary) + " |\n";
  }
  text += "| the id of a rule | it fired |\n";
}

constexpr const char* kHead = R"(# Fault rules

This page is generated from the fault catalogue (`mockcloud/fault/catalogue_rows.cpp`); a test compares them, and
`DROVER_UPDATE_DOCS=1` makes that test write it anew.

## When a rule fires

A rule has exactly one of `when` (a trigger), `at` (once, at a time) and `every` (again and again, with gaps drawn
from a distribution), and may have `until`, `subject`, `probability` and `times`.

A trigger names observation points: `iaas.newInstance.reply#1` is the first of them, `#2+` every one from the second
on, and without `#` it is every one. `*` matches within a part of a name. `a; b` is b after a, `a & b` fires when
both have been seen, `a | b` at either. `|` binds loosest, then `;`, then `&`; parentheses are allowed. Numbers in
the later parts of a sequence count from the moment the rule waits for that part. A completed `a; b` or `a & b`
starts over; the numbers of the first part of a sequence, and those of `&`, go on counting.

An occurrence counts when the observation's subject (the node, the operation) matches the rule's `subject`. With a
rule that fires at a time, `subject` says what the action is done to. The random decisions of a rule are keyed by
its id, or by its own text when it has none: adding or deleting another rule does not move them.

## Once, for a while, for ever

- Once: `iaas.newInstance.reply#2` is the second one alone; `times: 3` ends a rule after three firings.
- From then on: `#2+`, or no `#` at all. `until: 10m` ends it at a time, `times` after so many.
- Of a share of the calls: `probability: 0.3`.
- For a while after a moment: `brown_out`, `expired_credentials`, `delay` and `stuck` take `for: 2m`, and hit every
  call of the port, or with `on: iaas.listVMs` those alone. Every other call action is armed for so many calls:
  `{when: vm.running#1, do: lose_reply, on: iaas.getVMInfo, calls: 5}`.
- What is done to machines, agents and servers lasts as long as its `for` or `restart` says; `never` is until the
  end of all faults.
- Flapping: `every: 20s` with `for: 10s`. Overlapping: several rules, or one whose `every` is shorter than its `for`.
  Correlated: two rules with one trigger, `vm.zone_loss`, `vm.host_loss`. During a repair: a rule whose trigger
  names the id of another, or what the repair does: `{when: "broken; agent.set_up_replica_slave.before", …}`.

A rule that never fired makes the run VACUOUS: also one whose action could not be performed (there is no such VM),
a window in which no call came, and a rule armed with `on` that no call met. The budget says whether every invariant must hold in spite of the
fault (tolerable) or safety alone (beyond).

## Actions

Arguments that many actions share:

)";

}  // namespace

std::string catalogue_markdown() {
  std::string text = kHead;
  for (const auto& argument : common_arguments()) text += "- " + argument_text(argument) + ".\n";
  for (const auto target :
       {Target::iaas_call, Target::agent_call, Target::store_commit, Target::vm, Target::agent,
        Target::database, Target::manager, Target::journal, Target::net, Target::client})
    append_actions(text, target);
  append_places(text);
  append_points(text);
  return text;
}

}  // namespace drover::fault
