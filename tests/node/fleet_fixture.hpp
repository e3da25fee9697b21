// A fleet without a cloud: boots instances by hand, runs agent commands to their end in virtual time.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mockcloud/node/fleet.hpp"
#include "mockcloud/node/traffic.hpp"

namespace drover::node {

// Links that a test can cut: between two names, one direction at a time.
class CutLinks final : public Links {
 public:
  bool can_reach(std::string_view from, std::string_view to) const override {
    for (const auto& [a, b] : cut_)
      if ((a == from || a == "*") && (b == to || b == "*")) return false;
    return true;
  }
  Duration delay(std::string_view, std::string_view) override { return 500us; }
  Arrivals send(std::string_view, std::string_view, Message) override {
    Arrivals arrivals;
    for (unsigned i = 0; i < copies; ++i) arrivals.add(500us + i * 2s);
    return arrivals;
  }
  unsigned copies = 1;  // of each message
  void cut(const std::string& from, const std::string& to) { cut_.emplace_back(from, to); }
  void isolate(const std::string& name) {
    cut(name, "*");
    cut("*", name);
  }
  void heal() { cut_.clear(); }

 private:
  std::vector<std::pair<std::string, std::string>> cut_;
};

inline FleetConfig quiet_config() {
  FleetConfig config;
  config.heartbeat_interval = Duration{0};
  return config;
}

class Cluster {
 public:
  explicit Cluster(FleetConfig config = quiet_config(), std::uint64_t seed = 1)
      : choices(seed), fleet(scheduler, choices, trace, std::move(config), &links) {}

  static std::string id(unsigned n) { return "i-" + std::to_string(n); }
  static std::string name(unsigned n) { return "node-" + std::to_string(n); }
  static std::string address(unsigned n) { return "10.0.0." + std::to_string(n); }
  static Endpoint endpoint(unsigned n) { return Endpoint{address(n), 60000}; }

  void run(Duration time) {
    const TimePoint end = scheduler.later(time);
    while (true) {
      trace.set_time(scheduler.now());
      const TimePoint next = scheduler.next_event();
      if (next > end) break;
      trace.set_time(next);
      scheduler.run_one(end);
    }
    scheduler.run_until(end);
  }

  void boot(unsigned n) {
    InstanceInfo info;
    info.id = id(n);
    info.name = name(n);
    info.address = address(n);
    info.state = InstanceState::running;
    fleet.instance_booted(info, "");
  }

  // The answer, or ErrorCode::timeout when none came within `patience`.
  Result<AgentReply> call(unsigned n, const AgentCommand& command, Duration patience = 60s) {
    // Shared: an answer may still come after the patience has ended.
    auto answer = std::make_shared<std::optional<Result<AgentReply>>>();
    fleet.call(CallContext{}, endpoint(n), command,
               [answer](Result<AgentReply> result) { answer->emplace(std::move(result)); });
    const TimePoint limit = scheduler.later(patience);
    while (!*answer && scheduler.next_event() <= limit) {
      trace.set_time(scheduler.next_event());
      scheduler.run_one(limit);
    }
    if (*answer) return std::move(**answer);
    scheduler.run_until(limit);
    return make_error(ErrorCode::timeout, "no answer");
  }
  void ask(unsigned n, const AgentCommand& command, std::optional<Result<AgentReply>>& answer) {
    fleet.call(CallContext{}, endpoint(n), command,
               [&answer](Result<AgentReply> result) { answer.emplace(std::move(result)); });
  }

  SetUpPrimary primary_command(unsigned n) const {
    SetUpPrimary command;
    command.epoch = epoch;
    command.server_id = n;
    command.semi_sync = semi_sync;
    command.replication_user = "repl";
    command.replication_password.value = "secret";
    return command;
  }
  SetUpReplica replica_command(unsigned n, unsigned source, bool clone = true) const {
    SetUpReplica command;
    command.epoch = epoch;
    command.server_id = n;
    command.source = endpoint(source);
    command.clone = clone;
    command.semi_sync = semi_sync;
    command.replication_user = "repl";
    command.replication_password.value = "secret";
    return command;
  }
  SetReadOnly read_only_command(bool on) const { return SetReadOnly{epoch, on}; }

  // Node 1 becomes a writable primary, nodes 2..count its replicas.
  void bring_up(unsigned count) {
    for (unsigned n = 1; n <= count; ++n) boot(n);
    run(5s);
    must(call(1, primary_command(1)));
    must(call(1, read_only_command(false)));
    for (unsigned n = 2; n <= count; ++n) must(call(n, replica_command(n, 1)));
  }
  static void must(const Result<AgentReply>& reply) {
    ASSERT_TRUE(reply.has_value()) << reply.error().message;
  }

  struct Recorder final : WriteListener {
    void write_waits(std::uint64_t, Stamp) override { ++waiting; }
    void write_done(std::uint64_t, WriteOutcome outcome, Stamp) override {
      ++done;
      last = outcome;
    }
    unsigned waiting = 0;
    unsigned done = 0;
    WriteOutcome last = WriteOutcome::acknowledged;
  };
  // Writes directly at the server, without a network.
  void write(unsigned n, unsigned count = 1) {
    for (unsigned i = 0; i < count; ++i) server(n).write(fleet.ledger().counter("c"), &recorder, 1);
  }
  std::uint64_t count(unsigned n) { return server(n).read_counter(fleet.ledger().counter("c")); }

  SimServer& server(unsigned n) { return *fleet.server(id(n)); }
  SimAgent& agent(unsigned n) { return *fleet.agent(id(n)); }
  ReplicationState replication(unsigned n) { return server(n).replication(); }
  NodeTruth truth(unsigned n) { return *fleet.truth(id(n)); }

  Scheduler scheduler;
  Choices choices;
  Trace trace;
  CutLinks links;
  Recorder recorder;
  Fleet fleet;
  std::uint64_t epoch = 1;
  bool semi_sync = false;
};

}  // namespace drover::node
