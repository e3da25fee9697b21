// The simulated agent of one instance: carries out the commands of manager/ports/agent.hpp on its SimServer,
// one changing command after the other, reading ones at once. Epoch, role and the manager's generation are on
// its disk and survive reboots. Misbehaviour is data in AgentControls, set from outside. Scheduler's thread
// only.
//
// What the port's header leaves open, decided here:
// - SetUpPrimary and SetUpReplica start a server that is down; server_id and semi-sync go to its file.
// - read_only is 1 in the file: after every start the server is read-only until SetReadOnly{false}.
// - SetUpPrimary does not change read_only; SetUpReplica sets it.
//   SetReadOnly{true} succeeds on a stopped server.
// - SetUpReplica with clone goes on from the clone's GTID position: log_file and log_position are ignored.
// - SetUpReplica without clone changes nothing where replication from that source runs already.
// - StopReplica, and SetUpPrimary on a replica, discard an unapplied relay log, as RESET SLAVE ALL does.
// - Changes of users and LoadDump fail with wrong_state on a replica, and on a primary that is read-only.
// - A starting agent starts a server that was meant to run; it does not supervise it afterwards.
// - Other commands on a stopped server: wrong_state; on a hung one: database (2013), after server_timeout.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mockcloud/node/server.hpp"

namespace drover::node {

struct AgentTimes {
  Distribution command = Distribution::uniform(5ms, 20ms);
  Distribution server_start = Distribution::uniform(84ms, 228ms);
  Distribution server_stop = Distribution::uniform(1s, 1900ms);
  Distribution clone_50_mb = Distribution::uniform(930ms, 1390ms);  // scaled with the data's size
  Duration server_timeout{2s};  // how long the agent waits for a server that does not answer
  Duration connect_wait{1s};    // how long SetUpReplica waits for the I/O thread to connect
};

// Where a planned crash strikes: before the command's first effect; in the middle, after some of its effects
// (a command with fewer: after the last, before the reply); at its end.
enum class CrashPoint : unsigned char { start, middle, end };

struct AgentControls {
  bool hung = false;  // accepts, never answers
  bool wrong_credentials = false;
  bool disk_full = false;
  bool interrupt_clone = false;         // the next one breaks half-way
  std::optional<std::string> version;   // reported instead of the true one
  std::optional<std::string> identity;  // reported instead of the instance id
  unsigned pretend = 0;                 // so many next changing commands: says ok, does nothing
  unsigned stale = 0;                   // so many next answers show the state of an earlier answer
  Duration stale_age{0};                // which is that old at least, where there is one
  unsigned duplicate = 0;               // so many next commands are delivered twice
  Duration duplicate_delay{50ms};
  struct Crash {
    CrashPoint point = CrashPoint::start;
    std::optional<Duration> restart;
    unsigned step = 1;  // of `middle`: after how many effects
  };
  std::optional<Crash> crash;  // at the next changing command
};

// What the agent needs from its world; implemented by the Fleet.
class AgentHost {
 public:
  virtual ~AgentHost() = default;
  virtual void agent_reply(std::uint64_t call, Result<AgentReply> result) = 0;
  // The process of this agent ends now: `restart` later it comes back.
  virtual void agent_crashes(const std::string& id, std::optional<Duration> restart) = 0;
  virtual SimServer* server_at(const std::string& address, std::uint16_t port) = 0;
  virtual bool connected(const SimServer& from, const SimServer& to) const = 0;
  virtual Result<std::string> read_dump(const std::string& path) = 0;
  virtual void agent_changed(const std::string& id) = 0;  // role or epoch
};

class SimAgent {
 public:
  SimAgent(Scheduler& scheduler, Choices& choices, Trace& trace, AgentHost& host, SimServer& server,
           const AgentTimes& times, unsigned data_megabytes, std::string id);

  // The process. start() after a reboot also starts the server if it was meant to run.
  void start();
  void crash();
  bool running() const { return domain_ != nullptr; }
  void set_frozen(bool frozen);
  void set_hung(bool hung);
  void wipe();  // the disk is gone; the process must be down

  // A command has arrived. Answered through AgentHost::agent_reply with `call`, or never.
  void receive(std::uint64_t call, const AgentCommand& command);

  AgentControls& controls() { return controls_; }
  std::uint64_t epoch() const { return disk_.epoch; }
  Role role() const { return disk_.role; }
  // When it began the changing command that it is at; kNever: it is at none.
  TimePoint at_work_since() const { return at_work_since_; }
  // The state as GetServerState tells it now, true or not (see AgentControls).
  ServerState state();

 private:
  struct Disk {
    std::uint64_t epoch = 0;
    std::uint64_t generation = 0;
    Role role = Role::none;
    bool server_wanted = false;
    bool clone_unfinished = false;  // the data directory is worthless
  };
  struct Job {
    std::uint64_t call = 0;  // 0: nobody waits for the answer (a duplicate delivery)
    AgentCommand command;
    std::optional<AgentControls::Crash> crash;
    unsigned steps = 0;  // effects so far
  };
  using Outcome = Result<void>;

  void begin(Job job);
  void begin_state(Job job);
  Task<void> work();
  Task<void> work_beside(Job job);  // a reading command
  Task<void> pause(Duration time);  // and as long as the machine or the process stands still
  Task<void> crash_here(std::optional<Duration> restart);
  Task<void> middle(Job& job);  // where a planned crash leaves the command half done
  Task<Outcome> carry_out(Job& job, AgentReply& reply);
  Task<Outcome> start_server(std::uint32_t server_id);
  Task<Outcome> stop_server();
  Task<Outcome> set_up_primary(Job& job, const SetUpPrimary& c);
  Task<Outcome> set_up_replica(Job& job, const SetUpReplica& c);
  Task<Outcome> clone(Job& job, const SetUpReplica& c);
  Task<Outcome> await_connection(const SetUpReplica& c);
  Task<Outcome> stop_replica(Job& job);
  Task<Outcome> wait_for_gtid(const WaitForGtid& c);
  Task<Outcome> load_dump(const LoadDump& c);
  Task<Outcome> need_server() { return need_server(times_.server_timeout); }
  Task<Outcome> need_server(Duration patience);
  Task<Outcome> fence_by_force();
  Outcome takes_changes() const;
  bool replicates_from(const SetUpReplica& c) const;
  Outcome set_password(const std::string& name, const Secret& password, bool must_exist);
  Outcome delete_user(const std::string& name);
  void set_account(const std::string& name, std::optional<UserAccount> account);
  Outcome fence(std::uint64_t epoch);
  Outcome fence_off(const AgentCommand& command);
  void set_role(Role role);
  Duration command_time();
  Duration clone_time();
  Duration work_time(const Distribution& time, const char* site);
  Duration timeout(Duration time) const;
  void answer(const Job& job, const Outcome& outcome, AgentReply reply);

  Scheduler& scheduler_;
  Choices& choices_;
  Trace& trace_;
  AgentHost& host_;
  SimServer& server_;
  const AgentTimes& times_;
  unsigned data_megabytes_;
  std::string id_;

  std::unique_ptr<Domain> domain_;  // one incarnation of the process
  bool frozen_ = false;
  Signal thawed_;
  std::deque<Job> queue_;
  TimePoint at_work_since_ = kNever;
  AgentControls controls_;
  Disk disk_;
  struct Told {
    TimePoint at{};
    ServerState state;
  };
  const ServerState& told_before(Duration age) const;
  std::vector<Told> told_;     // the last true answers, a ring
  std::size_t next_told_ = 0;  // where the next one goes
  TimePoint load_at_{};
  std::uint64_t load_queries_ = 0;
};

// The text form of a dump: SQL-looking, one statement a line. Passwords only as their hash.
std::string make_dump(const std::map<std::string, UserAccount>& users,
                      const std::map<std::string, std::uint64_t>& counters);
// Reads what make_dump wrote; other statements are accepted and ignored. ErrorCode::invalid names the line of
// a statement of ours that cannot be read.
Result<Change> read_dump_text(std::string_view text);

}  // namespace drover::node
