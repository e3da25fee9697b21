// The steps that the operations on replication are made of. Each looks before it acts, so repeating one is
// harmless. All errors: as the ports, wrong_state when the node or its role is no longer what it was.
#pragma once

#include "manager/ops/core.hpp"

namespace drover::ops {

Error not_there(model::NodeId id);
// The operation's own topology epoch, taken once and journaled before it is used.
Task<void> take_epoch(Core& core, model::OperationId id);
// The epoch to fence in whom the operation failed to open: its next one, journaled before it is used, so that
// the node stays closed whatever copy of the earlier command still arrives. The same one where the node does
// not answer, or knows of a later epoch, which must not be taken a second time.
Task<std::uint64_t> epoch_after(Core& core, model::OperationId id, model::NodeId failed);
// A member that may be given a role now, or why not.
Result<void> check_member(const Core& core, model::NodeId id);

// Makes sure that a node that may be writable is not any more: read-only, or its VM known to be gone. Errors:
// it may still take writes.
Task<Result<void>> fence(Core& core, model::NodeId node, std::uint64_t epoch);
// Who may take writes beside the master, as a promotion that failed half-way leaves it, is closed before the
// master moves on.
Task<Result<void>> close_suspect(Core& core, std::uint64_t epoch);
// Tells the node's server to be the primary and checks that it is. It is not opened when it has lost what is
// in `position` ("": anything will do).
Task<Result<void>> make_primary(Core& core, model::NodeId id, std::uint64_t epoch, std::string position);
// A drained replica, which the journal says may be writable, leaves its source and becomes the primary.
Task<Result<void>> open_successor(Core& core, model::NodeId target, std::string position,
                                  std::uint64_t epoch);
// A promotion or a fail-over whose target is the recorded master: the others have yet to follow.
bool has_moved_the_writes(const model::Operation& operation, const model::Service& service);
// Only in the records; the caller commits.
void record_primary(Core& core, model::NodeId id);
// The writes have moved from one to the other, who replicates from now on. Only in the records.
void record_moved(Core& core, model::NodeId former, model::NodeId target);
// A fail-over came to nothing: what the primary holds is errant to nobody.
void stays_primary(Core& core);

// Before the writes move to `target`: who was left behind and follows it has the master's history. Once it is
// the master nobody can tell that from a former life of it. The caller commits.
Task<void> acquit_followers(Core& core, model::NodeId target);

SetUpReplica replica_command(const Core& core, const model::Node& node, const model::Node& source,
                             std::uint64_t epoch, bool clone);
// Gives the replica's agent the command until the replica runs, then waits until it has caught up, where
// asked for: under constant writes that may take long. A repair ends (cancelled) when an operation is at that
// node: two would copy it twice.
enum class Hurry : unsigned char {
  none,  // as many attempts as are configured, and time for a copy
  some,  // the same, but no more once the master is dead: a fail-over waits for the end of the operation
  much,  // two, within two time-outs of the agent: nobody is to wait for it, the monitor goes on
};
enum class Until : unsigned char { replicates, caught_up };
enum class By : unsigned char { operation, repair };
Task<Result<void>> make_replica(Core& core, model::NodeId id, SetUpReplica command, Until until,
                                Hurry hurry = Hurry::none, By by = By::operation);
// Makes a member with data of its own a replica of the primary. One that was left behind by a fail-over is
// looked at first: with errant transactions it is refused (wrong_state), or gets a new copy where the policy
// says so.
Task<Result<void>> follow_primary(Core& core, model::NodeId id, Hurry hurry = Hurry::none,
                                  By by = By::operation);
// Every other replica follows `primary`; why one does not yet, by node.
Task<std::map<model::NodeId, std::string>> repoint(Core& core, model::NodeId primary, Hurry hurry);
std::string joined(const std::map<model::NodeId, std::string>& troubles);
// What an operation could not do, and goes on without; "": nothing. The caller commits.
void warn(Core& core, model::OperationId id, const std::string& text);

// Whether the target still holds `position`: a copy of an old command may have emptied it since it was
// drained.
Task<Result<void>> still_holds(Core& core, model::NodeId target, std::string position, std::uint64_t epoch,
                               Duration limit);
// Undoes a switchover: the old primary takes writes again.
Task<void> hand_back(Core& core, model::NodeId former, std::uint64_t epoch);
// Taken up again, by its own epoch, with a journal that may have forgotten how far it was: the target itself
// says whether it is the primary already, and only it may be writable then; or those who follow it do, and it
// is recorded as the primary.
Task<void> learn_whether_promoted(Core& core, model::OperationId id, model::NodeId target);

}  // namespace drover::ops
