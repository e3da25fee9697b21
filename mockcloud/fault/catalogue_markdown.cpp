#include <string>

#include "mockcloud/fault/catalogue.hpp"

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

std::string worlds_text(unsigned worlds) {
  std::string text;
  const auto add = [&](World world, const char* name) {
    if ((worlds & world) == 0) return;
    if (!text.empty()) text += ' ';
    text += name;
  };
  add(kSim, "sim");
  add(kMock, "mock");
  add(kLocal, "local");
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
            worlds_text(row.worlds) + " |\n";
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

A rule that never fired makes the run VACUOUS. The budget says whether every invariant must hold in spite of the
fault (tolerable) or safety alone (beyond).

## Actions

Arguments that many actions share:

)";

}  // namespace

std::string catalogue_markdown() {
  std::string text = kHead;
  for (const auto& argument : common_arguments()) text += "- " + argument_text(argument) + ".\n";
  for (const auto target : {Target::iaas_call, Target::agent_call, Target::store_commit, Target::vm,
                            Target::agent, Target::database, Target::manager, Target::journal, Target::net})
    append_actions(text, target);
  append_points(text);
  return text;
}

}  // namespace drover::fault
