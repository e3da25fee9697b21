// Which faults can be tried at an observation point: the catalogue's actions and their variants, as rules.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "scenarios/explore/recording.hpp"

namespace drover::explore {

// A variant of an action in one of the ways in which it can be made; one of a table that is made once.
struct Choice;

// One that is applicable at a point, before it is written out: an exploration looks at millions.
struct Option {
  const Choice* choice = nullptr;
  std::uint64_t action = 0, kind = 0;  // of Candidate's texts
  // What makes two the same: a fault of the world at two points between which nothing has changed.
  std::uint64_t identity = 0;
  bool beyond_budget = false;
};

struct Candidate {
  fault::Rule rule;
  bool masked = false;
  bool transient = true;
  std::string action;  // "refuse{error=timeout}", "vm.crash on the master": for cells
  std::string kind;    // "refuse", "refuse for 4m", "vm.crash on the master": without its arguments
};

// Everything applicable at this point, transient and persistent, without manager.crash. Those of a kind are
// together.
std::vector<Option> options_at(const ObservedPoint& point);

// The manager dies there. Calls and commits only: elsewhere nothing lies between two of these.
std::vector<Option> crashes_at(const ObservedPoint& point);

// Both, written out.
std::vector<Candidate> candidates_at(const ObservedPoint& point);

Candidate candidate_of(const ObservedPoint& point, const Option& option);

// "iaas.newInstance.reply#2" with its subject: fires exactly at this observation.
fault::Rule rule_at(const ObservedPoint& point, bool onward = false);

}  // namespace drover::explore
