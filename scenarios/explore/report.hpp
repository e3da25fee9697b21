// What an exploration found, for machines (docs/command-line.md) and for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "scenarios/explore/search.hpp"

namespace drover::explore {

// One kind of failure, made small.
struct Found {
  std::string fingerprint;
  std::string message;
  std::string name;  // of the file, without ending
  std::string file;
  std::string text;  // the file
  Mode mode = Mode::single;
  std::string origin;  // the file it was found in
  std::uint64_t seed = 1;
  std::uint64_t count = 0;
  std::size_t faults = 0, steps = 0;
  std::uint64_t shrunk_from_events = 0;
  std::uint64_t first_run = 0;
  std::uint64_t shrink_runs = 0;
  double first_wall_s = 0;
  double shrink_wall_s = 0;
  bool reproduced = true;  // the written file fails by itself
};

struct Report {
  std::size_t files = 0, cases = 0;
  std::uint64_t runs = 0, events = 0;
  std::uint64_t digest = 0;  // of all runs
  double simulated_s = 0;
  double prepare_wall_s = 0, search_wall_s = 0, wall_s = 0;
  bool exhausted = false;  // nothing was left to try
  bool by_clock = false;   // the clock ended it before the budget's events were used up
  std::map<Mode, ModeCounts> modes;
  std::size_t cells = 0, transitions = 0;
  // Kinds of faults at observation points, told apart by what was under way: all that apply there, those of
  // which one was tried (in whatever file), and those that took effect.
  struct Cover {
    std::uint64_t all = 0, tried = 0, took_effect = 0;
  };
  Cover cover;
  struct Folder {
    std::size_t files = 0;
    std::uint64_t points = 0, plans = 0, runs = 0;
    Cover cover;
  };
  std::map<std::string, Folder> folders;
  std::vector<Found> found;
  std::vector<std::string> nondeterministic;  // runs that went another way when made again
};

// Makes a finding small (or takes it as it is) and writes its file's text.
Found found_of(const Base& base, const Finding& finding, bool shrinks);

void summarize(const Search& search, Report& report);
nlohmann::ordered_json to_json(const Report& report);
std::string to_text(const Report& report);

}  // namespace drover::explore
