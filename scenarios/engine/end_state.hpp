// How a run ended, without what may differ between two runs that went equally well: the differential oracle
// compares it with the end of a run of the same file and seed without faults. Plain data and pure functions.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace drover::scenario {

class SimWorld;

struct EndState {
  // Operations by "kind state": "add_nodes DONE" → 2.
  std::map<std::string, std::uint64_t> operations;
  // Steps that did not end as the file says, by their text.
  std::vector<std::string> shortfalls;
  // "service" → "RUNNING", "members" → "3", "masters", "slaves", "healthy slaves", "living VMs", "records", …
  std::map<std::string, std::string> values;
  std::uint64_t created = 0;  // VMs ever

  friend bool operator==(const EndState&, const EndState&) = default;
};

EndState end_state(SimWorld& world, std::vector<std::string> shortfalls);

struct Difference {
  std::string what;     // stable: "operation add_nodes FAILED", "end slaves"
  std::string message;  // for people
};

// What is worse in `end` than in `reference`. Operations that failed although they did not in the reference
// come first; only when all operations and steps ended alike are the ends comparable at all.
std::vector<Difference> compare_ends(const EndState& reference, const EndState& end);

}  // namespace drover::scenario
