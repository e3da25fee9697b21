// What the tests of the manager share: a manager on a scheduler, before a store, a cloud and agents that a
// test can look into. The cloud boots in no time; the agents answer as simple servers do.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "manager/adapters/sqlite_store.hpp"
#include "manager/ops/manager.hpp"

namespace drover::ops {

// Everything that went through a port, in order: "commit", "newInstance node-1", "set_read_only node-2" …
struct Record {
  std::string what;
  std::string subject;
  TimePoint at{};
  std::uint64_t epoch = 0;  // of commands that carry one and make a server writable
  std::string vm;           // killInstance
};

class FakeStore final : public Store {
 public:
  explicit FakeStore(std::vector<Record>& records, Scheduler& scheduler, Domain& domain)
      : records_(records), scheduler_(scheduler), domain_(domain) {}
  // Commits are slow, so that an effect that does not wait for its commit is seen before it.
  Result<std::uint64_t> take_generation(std::uint64_t own, std::uint64_t above) override {
    if (own != 0 && own != generation) return make_error(ErrorCode::fenced, "another manager has taken over");
    return generation = std::max(generation, above) + 1;
  }
  void commit(std::uint64_t writer, std::vector<Change> changes, Handler<void> handler) override {
    ++commits;
    if (writer != generation)
      return answer(std::move(handler), make_error(ErrorCode::fenced, "another manager has taken over"));
    if (refusals > 0) {
      --refusals;
      return answer(std::move(handler),
                    make_error(ErrorCode::storage, "disk full", Effect::none, Retry::soon));
    }
    scheduler_.call_after(domain_, 30ms,
                          [this, changes = std::move(changes), handler = std::move(handler)]() mutable {
                            for (auto& change : changes) {
                              const auto key = std::make_pair(change.table, change.id);
                              if (change.erase)
                                documents.erase(key);
                              else
                                documents[key] = std::move(change.document);
                            }
                            records_.push_back({"commit", "", scheduler_.now(), 0, ""});
                            handler(success());
                          });
  }
  Result<std::vector<StoredDocument>> load() override {
    std::vector<StoredDocument> all;
    for (const auto& [key, document] : documents) all.push_back({key.first, key.second, document});
    return all;
  }
  // Whether a document of this table and id contains the text.
  bool holds(Table table, std::int64_t id, const std::string& text) const {
    const auto found = documents.find({table, id});
    return found != documents.end() && found->second.find(text) != std::string::npos;
  }

  std::map<std::pair<Table, std::int64_t>, std::string> documents;
  std::uint64_t generation = 0;  // of the newest writer
  unsigned refusals = 0;         // the next so many commits fail
  unsigned commits = 0;          // tried

 private:
  void answer(Handler<void> handler, Result<void> result) {
    scheduler_.call_soon(domain_, [handler = std::move(handler), result]() mutable { handler(result); });
  }
  std::vector<Record>& records_;
  Scheduler& scheduler_;
  Domain& domain_;
};

class FakeIaas final : public Iaas {
 public:
  FakeIaas(std::vector<Record>& records, Scheduler& scheduler) : records_(records), scheduler_(scheduler) {}
  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override {
    note("newInstance", context);
    if (before_create) before_create(std::string(context.subject));
    if (!errors.empty()) {
      const Error error = errors.front();
      errors.erase(errors.begin());
      return handler(error);
    }
    for (const auto& [id, vm] : vms)
      if (tokens[id] == token) return handler(vm);
    InstanceInfo made;
    made.id = "i-" + std::to_string(vms.size() + 1);
    made.name = spec.name;
    made.tags = spec.tags;
    made.state = InstanceState::running;
    made.address = "10.0.0." + std::to_string(vms.size() + 1);
    vms[made.id] = made;
    tokens[made.id] = token;
    handler(made);
  }
  void killInstance(const CallContext& context, const std::string& id, Handler<void> handler) override {
    note("killInstance", context);
    records_.back().vm = id;
    if (before_kill) before_kill(id);
    if (vms.contains(id)) vms[id].state = InstanceState::terminated;
    handler(success());
  }
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override {
    note("getVMInfo", context);
    if (!vms.contains(id)) return handler(make_error(ErrorCode::not_found, "no such VM"));
    handler(vms[id]);
  }
  void listVMs(const CallContext& context, const std::string& key, const std::string& value,
               Handler<std::vector<InstanceInfo>> handler) override {
    note("listVMs", context);
    std::vector<InstanceInfo> listed;
    for (const auto& [id, vm] : vms)
      if (vm.tag(key) == value) listed.push_back(vm);
    handler(listed);
  }
  void createVolume(const CallContext&, const std::string&, unsigned, const std::string&,
                    Handler<VolumeInfo>) override {}
  void attachVolume(const CallContext&, const std::string&, const std::string&, Handler<void>) override {}
  void deleteVolume(const CallContext&, const std::string&, Handler<void>) override {}
  void listVolumes(const CallContext&, Handler<std::vector<VolumeInfo>>) override {}

  std::map<std::string, InstanceInfo> vms;
  std::map<std::string, std::string> tokens;
  std::vector<Error> errors;  // what the next creations answer
  std::function<void(const std::string& subject)> before_create;
  std::function<void(const std::string& vm)> before_kill;

 private:
  void note(const char* what, const CallContext& context) {
    records_.push_back({what, std::string(context.subject), scheduler_.now(), 0, ""});
  }
  std::vector<Record>& records_;
  Scheduler& scheduler_;
};

class FakeAgent final : public Agent {
 public:
  FakeAgent(std::vector<Record>& records, Scheduler& scheduler, FakeIaas& iaas)
      : records_(records), scheduler_(scheduler), iaas_(iaas) {}
  void call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
            Handler<AgentReply> handler) override {
    Record record{agent_method(command), std::string(context.subject), scheduler_.now(), 0, ""};
    auto& state = servers[endpoint.address];
    state.generation = std::max(state.generation, generation_of(command));
    for (const auto& [id, vm] : iaas_.vms)
      if (vm.address == endpoint.address) state.instance_id = id;
    if (const auto* start = std::get_if<StartServer>(&command)) {
      state.running = true;
      state.server_id = start->server_id;
    } else if (const auto* primary = std::get_if<SetUpPrimary>(&command)) {
      record.epoch = state.epoch = primary->epoch;
      state.role = Role::primary;
      state.replication = {};
    } else if (const auto* fence = std::get_if<SetReadOnly>(&command)) {
      if (!fence->read_only) record.epoch = fence->epoch;
      state.epoch = fence->epoch;
      state.read_only = fence->read_only;
    } else if (const auto* replica = std::get_if<SetUpReplica>(&command)) {
      state.role = Role::replica;
      state.read_only = true;
      state.epoch = replica->epoch;
      state.replication.configured = true;
      state.replication.source_address = replica->source.address;
      state.replication.source_port = replica->source_port;
      state.replication.io = ThreadState::yes;
      state.replication.sql_running = true;
      state.replication.seconds_behind = 0;
      state.replication.source_server_id = 1;
    } else if (std::holds_alternative<StopReplica>(command)) {
      state.replication = {};
    }
    if (record.epoch != 0 && before_writable) before_writable(record.epoch);
    records_.push_back(std::move(record));
    AgentReply reply;
    reply.state = state;
    handler(std::move(reply));
  }

  std::map<std::string, ServerState> servers;  // by address
  std::function<void(std::uint64_t epoch)> before_writable;

 private:
  std::vector<Record>& records_;
  Scheduler& scheduler_;
  FakeIaas& iaas_;
};

struct ManagerTest : testing::Test {
  ManagerTest() { config.reconcile_interval = 10h; }
  ~ManagerTest() override { manager.reset(); }

  void start() {
    Hooks hooks;
    hooks.violation = [this](const std::string& what) { violations.push_back(what); };
    hooks.observe = [this](std::string_view point, std::string_view) { points.emplace_back(point); };
    hooks.fenced = [this](const Error& why) { replaced.push_back(why.message); };
    manager =
        std::make_unique<MySQLServerManager>(Ports{scheduler, iaas, agent, store, trace}, config, hooks);
    ASSERT_TRUE(manager->start().has_value());
    run_for(1s);
  }
  void restart() {
    manager.reset();
    start();
  }
  void run_for(Duration time) { scheduler.run_until(scheduler.now() + time); }
  Result<Accepted> submit(model::OperationRequest request) {
    std::optional<Result<Accepted>> answer;
    manager->submit(std::move(request), [&](Result<Accepted> got) { answer = std::move(got); });
    for (int i = 0; i < 1000 && !answer; ++i) run_for(10ms);
    return answer ? *answer : Result<Accepted>(make_error(ErrorCode::timeout, "not answered"));
  }
  Result<Accepted> submit(model::OperationKind kind, std::int64_t count, model::NodeId node = 0) {
    model::OperationRequest request;
    request.kind = kind;
    request.count = count;
    request.node = node;
    return submit(request);
  }
  // Submits it and lets it end well.
  void complete(model::OperationKind kind, std::int64_t count, model::NodeId node = 0) {
    const auto accepted = submit(kind, count, node);
    ASSERT_TRUE(accepted.has_value()) << accepted.error().message;
    run_for(1min);
    const auto* operation = manager->model().operation(accepted.value().operation);
    ASSERT_NE(operation, nullptr);
    EXPECT_EQ(operation->state, model::OperationState::done) << operation->error;
  }
  std::vector<Record> calls(const std::string& what) const {
    std::vector<Record> found;
    for (const auto& record : records)
      if (record.what == what) found.push_back(record);
    return found;
  }

  Scheduler scheduler;
  Domain domain{scheduler};
  Trace trace;
  Configuration config;
  std::vector<Record> records;
  std::vector<std::string> violations;
  std::vector<std::string> points;
  std::vector<std::string> replaced;
  FakeStore store{records, scheduler, domain};
  FakeIaas iaas{records, scheduler};
  FakeAgent agent{records, scheduler, iaas};
  std::unique_ptr<MySQLServerManager> manager;
};

}  // namespace drover::ops
