// The decisions of a fail-over, apart from asking and doing: is the master dead, who is to succeed it, and
// who may come back. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "manager/base/gtid.hpp"
#include "manager/model/records.hpp"

namespace drover::model {

// What one member's agent said when it was asked.
struct View {
  NodeId node = 0;
  NodeState state = NodeState::running;
  bool busy = false;         // an operation is making it a replica just now
  bool answered = false;     // its agent did
  bool left_behind = false;  // by a fail-over: it has not followed the present master yet
  bool hung = false;         // it did, and says that its server runs and does not answer
  ServerState server;        // when answered and not hung
};

enum class Health : unsigned char {
  well,           // its server answers
  away,           // its agent is silent or its VM said to be gone, and a replica still hears it
  hung,           // its agent says that the server runs and does not answer
  dead,           // its server does not run or cannot be asked, and every replica has lost it
  unclear,        // too few replicas answer, or they contradict its agent
  irreplaceable,  // there is no replica
};
const char* to_text(Health health);

// Its server receives from the one at `source`: within slave_net_timeout, that one is alive.
bool hears(const View& view, const std::string& source);

struct Judgement {
  Health health = Health::unclear;
  std::string reason;  // for people
};

// `master` is null when it is gone for good: its VM no longer exists, says the cloud. Nobody can be fenced
// then, so every replica must have lost it. `source` is its address. Replicas that
// are LOST are not asked for their opinion: they may be as dead as the master. Of the others more than half
// have to answer, so that a manager that is cut off with a few nodes changes nothing.
Judgement judge_master(const View* master, const std::vector<View>& replicas, const std::string& source);

// Everything that the server holds, and everything that it has received but perhaps not applied.
GtidPosition applied_position(const ServerState& state);
GtidPosition received_position(const ServerState& state);

struct Succession {
  NodeId node = 0;  // 0: nobody can
  GtidPosition received;
  bool complete = true;            // every replica answered and has all it ever had: nobody can know more
  std::vector<std::string> notes;  // who was passed over, and why
  std::uint64_t passed_over = 0;   // transactions that somebody who was passed over has beyond `received`
};

// The replica that has received the most, of those that can apply it: a running SQL thread without an error,
// and the data of the master at `source`. Of equals the one with fewer transactions left to apply, then the
// lowest id. `server_id` is the master's, 0 when nobody knows it: one that has not been connected to it yet
// may lack what the master had before.
Succession choose_successor(const std::vector<View>& replicas, const std::string& source,
                            std::uint32_t server_id = 0);

// Whether it has been told in this epoch to replicate from that address.
bool was_told_to_follow(const ServerState& state, const std::string& source, std::uint64_t epoch);

// What a member that comes back holds beyond the position at which it was left ("" when nothing is known of
// it: then nothing is judged). Such transactions are errant: no other member has them.
std::vector<Excess> errant_transactions(const ServerState& state, const std::string& left_at);

}  // namespace drover::model
