// The Agent port over HTTP: every call is a connection of its own to the agent of a node (manager/agent). All
// of it on the thread of the io_context; answers come back through the pump.
//
// Errors of its own, beside those that the agent answers: unavailable with Effect::none (nothing listens, the
// token is missing), timeout with Effect::none while connecting; timeout and connection_lost with
// Effect::possible once the command has been sent; protocol.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "manager/adapters/real_time.hpp"
#include "manager/ports/agent.hpp"

namespace drover {

class HttpAgent : public Agent {
 public:
  // `token` is what the agents were started with. Both references must outlive this and its calls.
  HttpAgent(asio::io_context& io, RealTimePump& pump, Secret token);
  ~HttpAgent() override;
  void call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
            Handler<AgentReply> handler) override;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace drover
