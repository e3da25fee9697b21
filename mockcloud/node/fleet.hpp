// All simulated nodes: for each instance of the cloud its agent and its MariaDB server. Takes the manager's
// agent calls (Agent), the cloud's lifecycle (InstanceListener), the clients' statements, and the fault
// engine's controls; and tells checkers the truth. Scheduler's thread only; deterministic: nodes are kept and
// walked in the order in which they first booted.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "mockcloud/cloud/instance_listener.hpp"
#include "mockcloud/node/agent.hpp"
#include "mockcloud/node/links.hpp"

namespace drover::node {

struct Heartbeat {
  std::string id;
  std::string name;
  std::string state;  // "RUNNING" or "STOPPED": the database server
  std::string ip;
  std::uint16_t port = 60000;
  std::uint16_t mysqld_port = 3306;
};

struct FleetConfig {
  Distribution agent_start = Distribution::uniform(1s, 3s);  // from the booted system to a listening agent
  AgentTimes agent;
  ServerConfig server;
  Duration heartbeat_interval{30s};  // 0: no heartbeats
  Duration refused_after{1ms};       // a connection to a host where nothing listens
  std::uint16_t agent_port = 60000;
  std::string image;             // machines of other images have neither agent nor server; "": all have
  unsigned data_megabytes = 50;  // of each server; the time of a clone follows it
  std::function<void(const Heartbeat&)> on_heartbeat;
  std::function<void(const SimServer&, Stamp)> on_acknowledged;  // a client's write, when it is told so
  // A replica's replication has entered another phase; called in the middle of what the server does.
  std::function<void(const std::string& id, ReplicationPhase phase)> on_replication;
  std::function<Result<std::string>(const std::string& path)> read_dump;  // LoadDump's file
};

// What is true of one node now, whatever its agent says.
struct NodeTruth {
  std::string id;
  std::string name;
  std::string address;
  bool up = false;  // powered and not paused
  bool agent_running = false;
  TimePoint agent_at_work_since = kNever;  // the changing command that it is at; kNever: none
  bool server_running = false;
  bool responsive = false;  // the server answers: running, neither hung nor paused
  bool read_only = true;
  bool client_can_write = false;  // responsive, not read_only, reachable by clients
  Role role = Role::none;
  std::uint64_t epoch = 0;
  std::uint32_t server_id = 0;
  GtidPosition gtid_binlog_pos;
  GtidPosition gtid_slave_pos;
  GtidPosition gtid_current_pos;
  std::uint64_t transactions = 0;   // in its data
  std::uint64_t relay_pending = 0;  // received, not applied
  ReplicationState replication;
};

class Fleet final : public Agent, public cloud::InstanceListener, private ServerHost, private AgentHost {
 public:
  Fleet(Scheduler& scheduler, Choices& choices, Trace& trace, FleetConfig config, Links* links = nullptr);
  ~Fleet() override;

  FleetConfig& config() { return config_; }  // changes count for instances that boot afterwards
  // Reachability has changed: broken and healed connections are noticed.
  void links_changed();

  // Agent.
  void call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
            Handler<AgentReply> handler) override;

  // InstanceListener.
  void instance_booted(const InstanceInfo& info, const std::string& user_data) override;
  void instance_rebooted(const std::string& id, bool keep_disk) override;
  void instance_address_changed(const std::string& id, const std::string& address) override;
  void instance_paused(const std::string& id, bool paused) override;
  void instance_stopped(const std::string& id) override;
  void instance_terminated(const std::string& id) override;

  // Clients. What is on its way belongs to the client's domain. The listener is called when and where the
  // server answers; client_way_back() tells how long the answer takes from there, nothing when it is lost. A
  // silent host calls nothing: the client's own time-out decides.
  void client_write(Domain& client, const std::string& address, Ledger::Item counter, WriteListener* listener,
                    std::uint64_t token);
  std::optional<Duration> client_way_back(const std::string& address);
  // The counter's value, through `done` after the way there and back; nothing when refused. Silence: not
  // called.
  void client_read(Domain& client, const std::string& address, Ledger::Item counter,
                   std::function<void(std::optional<std::uint64_t>)> done);
  // The listener is going away: no server calls it any more.
  void forget(const WriteListener* listener);
  Ledger& ledger() { return ledger_; }

  // Truth. Ids of instances that were never booted or are terminated give nothing.
  std::vector<std::string> ids() const;
  std::optional<NodeTruth> truth(const std::string& id) const;
  // nullptr when unknown; a terminated instance's server is down and empty.
  SimServer* server(const std::string& id);
  SimAgent* agent(const std::string& id);
  std::string id_at(const std::string& address) const;  // "" when nobody has it
  // Nodes with role primary whose server clients can write to. Maintained, costs nothing to ask.
  unsigned writable_primaries() const { return writable_primaries_; }
  // As above whatever the role: S2 for those that trust no role.
  unsigned writable_servers() const { return writable_servers_; }
  // Ids whose truth changed since the last call (more data alone is no change), in the order of first change.
  std::vector<std::string> take_changed();
  // The names along a replication cycle ("a -> b -> a"), or "" when there is none.
  std::string replication_cycle() const;
  // Whether both hold exactly the same transactions.
  bool same_data(const std::string& a, const std::string& b) const;

  // Controls of agents, for faults. Unknown ids are ignored; true when the instance is known and not
  // terminated.
  bool crash_agent(const std::string& id, std::optional<Duration> restart_after);
  // `step`: of the middle, after how many of the command's effects.
  bool crash_agent_at(const std::string& id, CrashPoint point, std::optional<Duration> restart_after,
                      unsigned step = 1);
  bool restart_agent(const std::string& id);  // now: what runs is interrupted
  bool hang_agent(const std::string& id, bool hung);
  bool duplicate_commands(const std::string& id, unsigned count, Duration after = 50ms);
  bool pretend_commands(const std::string& id, unsigned count);
  bool answer_stale(const std::string& id, unsigned count, Duration age = {});
  bool wrong_credentials(const std::string& id, bool on);
  bool wrong_version(const std::string& id, std::optional<std::string> version);
  bool wrong_identity(const std::string& id, std::optional<std::string> identity);
  bool disk_full(const std::string& id, bool on);  // agent and server

  // Every connection that the machine has now breaks without either side being told; new ones work. Until the
  // reset, who waits for an answer or for a replication event waits in vain.
  bool half_open(const std::string& id);
  bool reset_half_open(const std::string& id);

  // Controls of servers.
  bool lag(const std::string& id, std::optional<Duration> lag);
  bool fail_sql_thread(const std::string& id, int number);  // 1062, 1032
  bool disconnect_io(const std::string& id);
  bool purge_binlogs(const std::string& id);
  bool errant_transaction(const std::string& id);
  bool diverge(const std::string& id);
  bool change_server_id(const std::string& id, std::uint32_t server_id);
  bool lose_read_only(const std::string& id);
  bool stick_read_only(const std::string& id, bool stuck);
  bool drop_semi_sync(const std::string& id);
  bool lose_relay_log(const std::string& id);
  bool crash_server(const std::string& id, std::optional<Duration> restart_after = std::nullopt);
  bool hang_server(const std::string& id, bool hung);
  bool exhaust_connections(const std::string& id, bool on);
  bool corrupt_relay_log(const std::string& id);
  bool corrupt_binlog(const std::string& id);
  bool interrupt_clone(const std::string& id);       // the next one onto it
  bool fill_disk(const std::string& id, bool full);  // of the server alone

  // What was armed and has not struck yet never will: the crash in a command, lies, copies, what a log or a
  // clone would have met next.
  bool calm(const std::string& id);

  // Controls of machines: agent and server alike.
  bool jump_clock(const std::string& id, Duration by);  // negative: back
  bool set_clock(const std::string& id, double rate);
  bool freeze_clock(const std::string& id, Duration time);
  bool slow_cpu(const std::string& id, double factor);
  bool slow_disk(const std::string& id, Duration commit);

 private:
  struct Node {
    std::string id;
    std::string name;
    std::string address;
    bool installed = true;  // its image has agent and server
    bool powered = false;
    bool paused = false;
    bool terminated = false;
    std::uint64_t boot = 0;  // grows with every boot and power loss: old boot timers find themselves outdated
    std::uint64_t heartbeat = 0;  // number of the latest heartbeat timer
    bool counted_primary = false;
    bool counted_writable = false;
    bool listed_changed = false;
    std::unique_ptr<SimServer> server;
    std::unique_ptr<SimAgent> agent;
  };
  struct Call {
    Handler<AgentReply> handler;
    Node* node = nullptr;  // once it has arrived
  };

  // ServerHost and AgentHost.
  SimServer* server_at(const std::string& address, std::uint16_t port) override;
  bool connected(const SimServer& from, const SimServer& to) const override;
  Duration delay(const SimServer& from, const SimServer& to) override;
  void server_changed(SimServer& server) override;
  void write_acknowledged(const SimServer& server, Stamp stamp) override;
  void replication_entered(SimServer& server, ReplicationPhase phase) override;
  void agent_reply(std::uint64_t call, Result<AgentReply> result) override;
  void agent_crashes(const std::string& id, std::optional<Duration> restart) override;
  Result<std::string> read_dump(const std::string& path) override;
  void agent_changed(const std::string& id) override;

  template <class Act>
  bool with_agent(const std::string& id, Act&& act) {
    Node* node = live(id);
    if (node != nullptr) act(*node->agent);
    return node != nullptr;
  }
  template <class Act>
  bool with_server(const std::string& id, Act&& act) {
    Node* node = live(id);
    if (node != nullptr) act(*node->server);
    return node != nullptr;
  }
  Node* find(const std::string& id) const;
  Node& node_of(const SimServer& server) const { return *nodes_[server.host_index()]; }
  Node* live(const std::string& id) const;  // known, not terminated
  Node* at(const std::string& address) const;
  Node& make(const InstanceInfo& info);
  void begin_boot(Node& node);
  void power_off(Node& node);
  void set_address(Node& node, const std::string& address);
  void refresh(Node& node);
  bool client_reaches(const Node& node) const;
  std::optional<Duration> client_way_to(const std::string& address);
  void arrive(std::uint64_t call, const Endpoint& endpoint, const AgentCommand& command);
  void deliver_reply(std::uint64_t call, Result<AgentReply> result);
  void break_calls(Node& node, bool told);
  void start_heartbeats(Node& node);
  void heartbeat(Node& node, std::uint64_t number);

  Scheduler& scheduler_;
  Choices& choices_;
  Trace& trace_;
  FleetConfig config_;
  OpenLinks open_links_;
  Links& links_;
  Ledger ledger_;
  Domain domain_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::unordered_map<std::string, Node*> by_id_;
  std::unordered_map<std::string, std::vector<Node*>> by_address_;  // the latest holder last
  std::map<std::uint64_t, Call> calls_;
  std::uint64_t last_call_ = 0;
  unsigned writable_primaries_ = 0;
  unsigned writable_servers_ = 0;
  std::vector<Node*> changed_;
};

}  // namespace drover::node
