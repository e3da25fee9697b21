// The Agent port with faults: wraps another implementation, asks the engine at each moment of each command,
// and traces every call and reply without secrets. Single-threaded; lifetimes as for FaultyIaas.
#pragma once

#include "manager/ports/agent.hpp"
#include "mockcloud/fault/engine.hpp"

namespace drover::fault {

class FaultyAgent final : public Agent {
 public:
  FaultyAgent(Agent& inner, Engine& engine) : inner_(inner), engine_(engine) {}

  void call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
            Handler<AgentReply> handler) override;

 private:
  Agent& inner_;
  Engine& engine_;
};

}  // namespace drover::fault
