// Which faults can be tried at an observation point: the catalogue's actions and their variants, as rules.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "scenarios/explore/recording.hpp"

namespace drover::explore {

struct Candidate {
  fault::Rule rule;
  bool masked = false;
  bool transient = true;
  std::string action;  // "refuse{error=timeout}", "vm.crash on the master": for cells
  std::string kind;    // "refuse", "refuse for 4m", "vm.crash on the master": without its arguments
  // What makes two candidates the same: a fault of the world at two points between which nothing has changed.
  std::uint64_t identity = 0;
};

// Everything applicable at this point, transient and persistent, without manager.crash.
std::vector<Candidate> candidates_at(const ObservedPoint& point);

// The manager dies there. Calls and commits only: elsewhere nothing lies between two of these.
std::vector<Candidate> crashes_at(const ObservedPoint& point);

// "iaas.newInstance.reply#2" with its subject: fires exactly at this observation.
fault::Rule rule_at(const ObservedPoint& point, bool onward = false);

}  // namespace drover::explore
