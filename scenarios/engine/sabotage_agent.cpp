// Broken agents and journals, as the manager sees them.
#include <map>
#include <set>

#include "scenarios/engine/sabotage_ports.hpp"

namespace drover::scenario {
namespace {

class Forwarding : public Agent {
 public:
  explicit Forwarding(Agent& inner) : inner_(inner) {}

 protected:
  Agent& inner_;
};

template <class Broken>
AgentBreaker breaker() {
  return [](Agent& inner) -> std::unique_ptr<Agent> { return std::make_unique<Broken>(inner); };
}

class ChangesCommands final : public Forwarding {
 public:
  ChangesCommands(Agent& inner, std::function<void(AgentCommand&)> change)
      : Forwarding(inner), change_(std::move(change)) {}
  void call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
            Handler<AgentReply> handler) override {
    AgentCommand changed = command;
    change_(changed);
    inner_.call(context, endpoint, changed, std::move(handler));
  }

 private:
  std::function<void(AgentCommand&)> change_;
};

class BelievesAgents final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
            Handler<AgentReply> handler) override {
    auto& ordered = ordered_[endpoint.address];
    if (std::holds_alternative<StartServer>(command)) ordered.running = true;
    if (const auto* primary = std::get_if<SetUpPrimary>(&command)) {
      ordered.role = Role::primary;
      ordered.epoch = primary->epoch;
    }
    if (const auto* replica = std::get_if<SetUpReplica>(&command)) {
      ordered.role = Role::replica;
      ordered.epoch = replica->epoch;
      ordered.source = replica->source.address;
    }
    inner_.call(context, endpoint, command,
                [ordered, handler = std::move(handler)](Result<AgentReply> reply) mutable {
                  if (reply.has_value()) pretend(ordered, reply.value().state);
                  handler(std::move(reply));
                });
  }

 private:
  struct Ordered {
    bool running = false;
    Role role = Role::none;
    std::uint64_t epoch = 0;
    std::string source;
  };
  static void pretend(const Ordered& ordered, ServerState& state) {
    state.running = state.running || ordered.running;
    if (ordered.role == Role::none) return;
    state.role = ordered.role;
    state.epoch = ordered.epoch;
    state.read_only = ordered.role == Role::replica;
    if (ordered.role == Role::replica) {
      state.replication.configured = true;
      state.replication.source_address = ordered.source;
      state.replication.io = ThreadState::yes;
      state.replication.sql_running = true;
      state.replication.seconds_behind = 0;
      state.replication.io_errno = state.replication.sql_errno = 0;
    }
  }
  std::map<std::string, Ordered> ordered_;
};

class IgnoresIdentity final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
            Handler<AgentReply> handler) override {
    inner_.call(context, endpoint, command, [handler = std::move(handler)](Result<AgentReply> reply) mutable {
      if (reply.has_value()) reply.value().state.instance_id.clear();
      handler(std::move(reply));
    });
  }
};

class Deafens final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
            Handler<AgentReply> handler) override {
    inner_.call(context, endpoint, command, [handler = std::move(handler)](Result<AgentReply> reply) mutable {
      if (reply.has_value() && reply.value().state.replication.io == ThreadState::yes)
        reply.value().state.replication.io = ThreadState::connecting;
      handler(std::move(reply));
    });
  }
};

class HidesEpochs final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
            Handler<AgentReply> handler) override {
    // What its own commands said is told: hidden is what managers before it did.
    if (generation_of(command) > generation_) {
      generation_ = generation_of(command);
      known_.clear();
    }
    std::uint64_t& known = known_[endpoint.address];
    std::visit(
        [&known](const auto& one) {
          if constexpr (requires { one.epoch; }) known = std::max(known, one.epoch);
        },
        command);
    inner_.call(context, endpoint, command,
                [known, handler = std::move(handler)](Result<AgentReply> reply) mutable {
                  if (reply.has_value())
                    reply.value().state.epoch = std::min(known, reply.value().state.epoch);
                  handler(std::move(reply));
                });
  }

 private:
  std::map<std::string, std::uint64_t> known_;
  std::uint64_t generation_ = 0;
};

class HearsTheSilent final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
            Handler<AgentReply> handler) override {
    const auto heard = heard_.find(endpoint.address);
    if (std::holds_alternative<GetServerState>(command) && heard != heard_.end() &&
        heard->second.state.running)
      return handler(heard->second);
    inner_.call(
        context, endpoint, command,
        [this, to = endpoint.address, handler = std::move(handler)](Result<AgentReply> reply) mutable {
          if (reply.has_value()) heard_[to] = reply.value();
          handler(std::move(reply));
        });
  }

 private:
  std::map<std::string, AgentReply> heard_;
};

class NeverRepeats final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
            Handler<AgentReply> handler) override {
    const auto key = endpoint.address + agent_method(command);
    if (const auto failed = failed_.find(key); failed != failed_.end()) return handler(failed->second);
    inner_.call(context, endpoint, command,
                [this, key, handler = std::move(handler)](Result<AgentReply> reply) mutable {
                  if (reply.has_error()) failed_[key] = reply.error();
                  handler(std::move(reply));
                });
  }

 private:
  std::map<std::string, Error> failed_;
};

class SetsUpReplicasOnce final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
            Handler<AgentReply> handler) override {
    AgentCommand sent = command;
    if (std::holds_alternative<SetUpReplica>(command) && !done_.insert(endpoint.address).second)
      sent = GetServerState{};
    inner_.call(context, endpoint, sent, std::move(handler));
  }

 private:
  std::set<std::string> done_;
};

class ForgetsCommits final : public Store {
 public:
  ForgetsCommits(Store& inner, bool but_service) : inner_(inner), but_service_(but_service) {}
  Result<std::uint64_t> take_generation(std::uint64_t own, std::uint64_t above) override {
    return inner_.take_generation(own, above);
  }
  void commit(std::uint64_t generation, std::vector<Change> changes, Handler<void> handler) override {
    if (!but_service_) return handler(success());
    std::erase_if(changes, [](const Change& change) { return change.table != Table::service; });
    inner_.commit(generation, std::move(changes), std::move(handler));
  }
  Result<std::vector<StoredDocument>> load() override { return inner_.load(); }

 private:
  Store& inner_;
  bool but_service_;
};

// What every manager writes is written as if the newest had.
class ObeysEveryone final : public Store {
 public:
  explicit ObeysEveryone(Store& inner) : inner_(inner) {}
  Result<std::uint64_t> take_generation(std::uint64_t, std::uint64_t above) override {
    auto taken = inner_.take_generation(0, above);
    if (taken.has_value()) newest_ = taken.value();
    return taken;
  }
  void commit(std::uint64_t, std::vector<Change> changes, Handler<void> handler) override {
    inner_.commit(newest_, std::move(changes), std::move(handler));
  }
  Result<std::vector<StoredDocument>> load() override { return inner_.load(); }

 private:
  Store& inner_;
  std::uint64_t newest_ = 0;
};

class IgnoresStorageErrors final : public Store {
 public:
  explicit IgnoresStorageErrors(Store& inner) : inner_(inner) {}
  Result<std::uint64_t> take_generation(std::uint64_t own, std::uint64_t above) override {
    return inner_.take_generation(own, above);
  }
  void commit(std::uint64_t generation, std::vector<Change> changes, Handler<void> handler) override {
    inner_.commit(generation, std::move(changes),
                  [handler = std::move(handler)](Result<void>) mutable { handler(success()); });
  }
  Result<std::vector<StoredDocument>> load() override { return inner_.load(); }

 private:
  Store& inner_;
};

}  // namespace

AgentBreaker drops_commands(CommandFilter dropped) {
  return changes_commands([dropped = std::move(dropped)](AgentCommand& command) {
    if (dropped(command)) command = GetServerState{};
  });
}
AgentBreaker changes_commands(std::function<void(AgentCommand&)> change) {
  return [change = std::move(change)](Agent& inner) -> std::unique_ptr<Agent> {
    return std::make_unique<ChangesCommands>(inner, change);
  };
}
AgentBreaker believes_agents() { return breaker<BelievesAgents>(); }
AgentBreaker ignores_identity() { return breaker<IgnoresIdentity>(); }
AgentBreaker deafens_replicas() { return breaker<Deafens>(); }
AgentBreaker hides_epochs() { return breaker<HidesEpochs>(); }
AgentBreaker hears_silent_agents() { return breaker<HearsTheSilent>(); }
AgentBreaker never_repeats_commands() { return breaker<NeverRepeats>(); }
AgentBreaker sets_up_replicas_once() { return breaker<SetsUpReplicasOnce>(); }

StoreBreaker forgets_commits(bool but_service) {
  return [but_service](Store& inner) -> std::unique_ptr<Store> {
    return std::make_unique<ForgetsCommits>(inner, but_service);
  };
}
StoreBreaker obeys_everyone() {
  return [](Store& inner) -> std::unique_ptr<Store> { return std::make_unique<ObeysEveryone>(inner); };
}
StoreBreaker ignores_storage_errors() {
  return [](Store& inner) -> std::unique_ptr<Store> { return std::make_unique<IgnoresStorageErrors>(inner); };
}

}  // namespace drover::scenario
