// The declared observation points: where a fault rule can wait for something to happen, and where an
// exploration can put a fault. Pure tables; no state.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "manager/base/result.hpp"
#include "mockcloud/fault/rule.hpp"

namespace drover::fault {

enum class Port : unsigned char { iaas, agent, store };
inline constexpr int kPorts = 3;
const char* to_text(Port port);

// The moments of a call: before it reaches the other side, when its effect exists, when its answer is on its
// way.
enum class Phase : unsigned char { before, effect, reply };
inline constexpr int kPhases = 3;
const char* to_text(Phase phase);

// The calls of a port by their documented names: newInstance …, get_server_state …, commit.
std::span<const std::string_view> calls_of(Port port);
// commit is atomic, so a store has no moment between its effect and its reply.
bool has_phase(Port port, Phase phase);

// A family of points, e.g. "vm." with the states of an instance. `names` of an open family are not declared
// here.
struct PointFamily {
  std::string_view prefix;  // "vm"
  std::string_view summary;
  std::vector<std::string> names;
  bool open = false;  // any name of letters, digits, '_' and '-' (step.<name>)
};
const std::vector<PointFamily>& point_families();

// Every declared point, "agent.configure_user.before" …, in the order of the families.
const std::vector<std::string>& declared_points();

// The canonical spelling: "store.commit" is "store.commit.before"; states of node and service are lower case.
std::string canonical_point(std::string_view point);

// Whether a pattern ('*' stands for any characters within one part) names this point. Both canonical.
bool matches_point(std::string_view pattern, std::string_view point);
// The same rule for subjects: "node-*" matches "node-12".
bool matches_subject(std::string_view pattern, std::string_view subject);

// The declared points a pattern names, in declared order; of an open family, the pattern itself.
std::vector<std::string> expand_point(std::string_view pattern);

struct CallPoint {
  Port port{};
  std::string_view call;
  Phase phase{};
};
// The parts of a call's point ("iaas.newInstance.reply"), nothing for other points.
std::optional<CallPoint> as_call_point(std::string_view point);

// Whether every point the trigger names exists. A name without a dot is the id of a rule and must be one of
// `rule_ids` (null: not known here, every id is accepted). Errors (ErrorCode::invalid) name the nearest valid
// name.
Result<void> check_trigger(const Trigger& trigger, const std::vector<std::string>* rule_ids = nullptr);

// The points at which the trigger can be completed: of a sequence those of its last part. Expanded; ids of
// rules appear as they are.
std::vector<std::string> completing_points(const Trigger& trigger);

}  // namespace drover::fault
