// MySQLServerManager: the manager of one service. Accepts operations, journals them, runs them as coroutines,
// resumes or compensates them after a restart, and keeps an eye on nodes and cloud. Knows no JSON and no HTTP
// (api/ does).
//
// Operations run each in a Domain of their own. Cancelling one destroys its coroutines wherever they wait,
// exactly as a crash would, and then compensates from the journal: one way back, tested by every crash.
// Single-threaded, on its scheduler. Destroying a Manager is a crash: nothing is tidied up.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "manager/ops/core.hpp"
#include "manager/ops/failover.hpp"
#include "manager/ops/performance.hpp"

namespace drover::ops {

// The answer to an accepted operation.
struct Accepted {
  model::OperationId operation = 0;
  std::vector<model::NodeId> nodes;
};

// What an agent tells of itself every 30 s (register_node).
struct Heartbeat {
  std::string instance_id;
  std::string address;
  std::uint16_t port = 60000;
  std::uint16_t mysqld_port = 3306;
  bool server_running = true;
};

struct UserRow {
  model::NodeId node = 0;
  Result<std::vector<DatabaseUser>> users;
};

class MySQLServerManager {
 public:
  MySQLServerManager(const Ports& ports, Configuration config, Hooks hooks);
  ~MySQLServerManager();
  MySQLServerManager(const MySQLServerManager&) = delete;
  MySQLServerManager& operator=(const MySQLServerManager&) = delete;

  // Takes the journal over, reads it and goes on where it says. Errors: ErrorCode::storage; nothing was done
  // in the world, and the manager must not be used.
  Result<void> start();

  // As a process is stopped and goes on: nothing runs in between, and what comes due meanwhile runs in order
  // afterwards. While it is frozen nothing else may be asked of it than what is const. One that has stood
  // down stays frozen.
  void freeze() { core_.process.freeze(); }
  void thaw();
  bool frozen() const { return core_.process.frozen(); }
  // Another manager has taken over the journal (Hooks::fenced): this one does nothing any more.
  bool stood_down() const { return core_.stood_down; }

  // dstate: the documented state of the service.
  model::ServiceState dstate() const { return core_.model.service.state; }
  const model::Model& model() const { return core_.model; }
  // Whether the journal has all that this manager thinks it has told it.
  bool journal_is_settled() const { return core_.journal.is_settled(); }
  const Configuration& config() const { return core_.config; }
  const Core& core() const { return core_; }

  // Asks for an operation. The handler gets the answer once the operation is journaled. Errors as
  // model::admit, or ErrorCode::storage when the journal cannot be written (nothing is accepted then).
  void submit(model::OperationRequest request, Handler<Accepted> handler);
  // Stops an operation and takes back what it did; answered once that is journaled. Errors: not_found,
  // wrong_state, or ErrorCode::storage when the journal cannot be written (it is stopped none the less,
  // unless the manager dies before).
  void cancel(model::OperationId id, Handler<void> handler);
  // S_STOPPED, S_INIT or S_ERROR to S_RUNNING; answered once that is journaled. Errors: wrong_state, or
  // ErrorCode::storage as with cancel.
  void startup(Handler<void> handler);

  // The documented list_nodes: asks the cloud; members that it no longer has are removed from the list.
  void list_nodes(Handler<std::vector<model::NodeId>> handler);
  // What a fail-over would find and do now. Nothing is changed.
  void analyse_failover(Handler<Analysis> handler);
  // An agent's heartbeat. Errors: not_found for an instance that is none of ours.
  Result<void> register_node(const Heartbeat& heartbeat);

  // The same command to each of these members, all at once; the results in their order.
  using Answers = std::vector<std::pair<model::NodeId, Result<AgentReply>>>;
  void ask_nodes(std::vector<model::NodeId> nodes, AgentCommand command, Duration timeout,
                 Handler<Answers> handler);
  const ServerPerformance& performance() const { return performance_; }
  // Members in order of their ids.
  std::vector<model::NodeId> listed_nodes() const;

 private:
  struct Running {
    explicit Running(Core& core) : domain(core.scheduler, core.process) {}
    Domain domain;
    // Of the bring-up that it makes: nodes whose own coroutine has not ended, and whether one has failed.
    std::size_t coming_up = 0;
    bool failed = false;
  };

  void resume();
  void dispatch();
  void begin(model::Operation& operation);
  // Ends what a running operation does and starts taking it back (posted: never from inside its own
  // coroutines).
  void compensate_soon(model::OperationId id, bool cancelling);
  void begin_shutdown(model::Operation& operation);
  void retire(model::OperationId id);
  void finish(model::OperationId id, const Result<void>& outcome);
  void replace_lost(model::OperationId id);

  void take_back(model::OperationId id);
  Task<void> accept(model::OperationRequest request, Handler<Accepted> handler);
  Result<void> begin_cancelling(model::OperationId id);
  // Answers when everything changed until now is in the journal.
  Task<void> answer_when_journaled(Handler<void> handler);
  Task<void> run(model::OperationId id);
  Task<void> compensate(model::OperationId id);
  Task<Result<void>> run_add_nodes(model::OperationId id);
  Task<Result<void>> run_create_replica(model::OperationId id);
  Task<Result<void>> run_remove_nodes(model::OperationId id);
  Task<Result<void>> run_shutdown(model::OperationId id);
  Task<Result<void>> leave_nothing();
  Task<Result<Answers>> hear(std::vector<model::NodeId> nodes);
  Task<Answers> hear_when_unsure();
  Task<Result<void>> knows_the_master(model::NodeId target);
  bool is_in_use(const model::Node& node, model::OperationId operation) const;
  Task<void> bring_up_one(model::NodeId node, model::OperationId id);
  Task<Result<void>> remove_all(std::vector<model::NodeId> nodes);
  Task<void> start_up();

  // members.cpp
  Task<void> list(Handler<std::vector<model::NodeId>> handler);
  Task<void> confirm_vanished(std::vector<model::NodeId> missing);
  Task<void> ask_all(std::vector<model::NodeId> nodes, AgentCommand command, Duration timeout,
                     Handler<Answers> handler);

  // watch.cpp
  Task<void> watch_primary();
  Task<bool> watch_once();
  void begin_failover(const Analysis& analysis);
  bool may_fail_over() const;
  // When the next automatic fail-over may be made.
  TimePoint next_failover() const;
  // Whether a dead primary is to be replaced and not started again.
  bool leaves_to_failover(model::NodeId id) const;
  void calm_down();
  Task<void> answer_analysis(Handler<Analysis> handler);

  // monitor.cpp and reconcile.cpp
  Task<void> poll_agents();
  Task<void> clear_rest_of_copy(model::NodeId id);
  Task<void> poll_agent(model::NodeId id);
  Task<void> keep_open(model::NodeId id, ServerState state);
  Task<void> look_for_lost(model::NodeId id);
  Task<void> reconcile_loop();
  Task<Result<void>> reconcile();
  Task<Result<void>> sweep();
  Task<std::vector<std::string>> find_orphans(std::vector<InstanceInfo> listed);
  Task<bool> is_newer_than_journal(InstanceInfo info);
  bool takes_members() const;
  bool is_to_leave_nothing() const;
  void adopt(const InstanceInfo& info, model::NodeId id);
  Task<void> learn_role(model::NodeId id);
  void record_what_it_is(model::Node& node, const ServerState& state);
  // Whether the agents know of a master that the journal has forgotten.
  bool lacks_an_epoch() const { return core_.highest_epoch > core_.model.service.epoch; }
  bool is_behind() const { return contradicted_ || claimed_ || lacks_an_epoch(); }
  Task<void> catch_up();
  Task<void> close(model::NodeId id, std::uint64_t epoch);
  void follow(model::NodeId master, std::uint64_t epoch, bool open);
  Task<void> sweep_doomed();
  Task<void> repair(model::NodeId id);
  Task<Result<void>> take_back_or_repair(model::NodeId id);
  Task<void> settle_writable();
  bool is_being_closed() const;
  bool is_being_replaced(model::NodeId id) const;
  bool is_open_replica(const model::Node& node, const ServerState& state) const;
  void plan_repairs(const std::vector<model::NodeId>& nodes);
  void saw(model::Node& node, const ServerState& state);
  void missed(model::Node& node);

  Core core_;
  ServerPerformance performance_;
  Signal settled_;  // an operation's coroutines came to an end
  Signal swept_;    // a sweep of the reconciler came to an end
  bool sweeping_ = false;
  std::map<model::OperationId, std::unique_ptr<Running>> running_;
  std::set<model::OperationId> accepting_;  // not yet in the journal: must not begin
  std::size_t repairs_ = 0;
  bool surveyed_ = false;  // every member was asked once since the start
  struct RepairPlan {
    unsigned attempts = 0;
    TimePoint next{};
  };
  std::map<model::NodeId, RepairPlan> repair_plans_;
  struct Watch {  // of a primary that does not answer as it should
    TimePoint since{};
    bool suspected = false;
    unsigned dead_rounds = 0;
    model::Health told = model::Health::well;  // last noted
    bool waits = false;                        // noted that it is too early for another fail-over
  };
  Watch watch_;
  bool opening_ = false;            // keep_open() is under way
  bool contradicted_ = false;       // in this epoch the journal's master says that it is a replica
  bool claimed_ = false;            // … and a replica that it is the master
  std::uint64_t judged_epoch_ = 0;  // of which that was looked into, and the journal was right
};

}  // namespace drover::ops
