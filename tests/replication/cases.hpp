// Replication as an administrator meets it, case by case, as lists of steps in the vocabulary of world.hpp.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/replication/world.hpp"

namespace drover::replication_test {

struct Step {
  std::string text;
  // Answers the error's number, which both worlds must give.
  std::function<unsigned(World&)> act;
  unsigned fails_with = 0;
  // What it comes to: "SERVER NAME=VALUE …" as an Observation tells it; error~TEXT: the error holds the text.
  std::vector<std::string> shows = {};
};

struct Case {
  std::string name;
  std::vector<Step> steps;
  unsigned servers = 2;
};

inline void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

const std::vector<Case>& cases();

}  // namespace drover::replication_test
