#include "mockcloud/fault/faulty_agent.hpp"

#include "mockcloud/fault/faulty_call.hpp"

namespace drover::fault {
namespace {

// What a command says for the trace: the epoch it carries and the server_id or source it sets; never a
// secret.
struct Details {
  std::uint64_t epoch = 0;
  std::uint64_t number = 0;
  std::string_view text;
};
struct DetailsOf {
  Details operator()(const StartServer& c) const { return {0, c.server_id, {}}; }
  Details operator()(const SetUpPrimary& c) const { return {c.epoch, c.server_id, {}}; }
  Details operator()(const SetUpReplica& c) const { return {c.epoch, c.server_id, c.source.address}; }
  Details operator()(const StopReplica& c) const { return {c.epoch, 0, {}}; }
  Details operator()(const SetReadOnly& c) const {
    return {c.epoch, 0, c.read_only ? "read_only" : "writable"};
  }
  Details operator()(const WaitForGtid& c) const { return {c.epoch, 0, c.gtid}; }
  Details operator()(const ConfigureUser& c) const { return {0, 0, c.username}; }
  Details operator()(const DeleteUser& c) const { return {0, 0, c.username}; }
  Details operator()(const SetPassword& c) const { return {0, 0, c.username}; }
  Details operator()(const LoadDump& c) const { return {0, 0, c.path}; }
  template <class Other>
  Details operator()(const Other&) const {
    return {};
  }
};

}  // namespace

void FaultyAgent::call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
                       Handler<AgentReply> handler) {
  const CallSite site{Port::agent, agent_method(command), TraceKind::agent_reply};
  const Details details = std::visit(DetailsOf{}, command);
  engine_.trace().add(TraceKind::agent_call, context.subject, site.call, endpoint.address, endpoint.port,
                      details.epoch, details.number, details.text);
  CallFaults faults = engine_.at_call(Port::agent, site.call, Phase::before, context.subject);
  ReplyPath<AgentReply, NoAdjustment> reply(engine_, site, context, std::move(handler), {});
  if (!faults.any) {
    inner_.call(context, endpoint, command, std::move(reply));
    return;
  }
  call_with_faults(engine_, context, std::move(faults), std::move(reply),
                   [this, endpoint, command](const CallContext& copy, Handler<AgentReply> done) {
                     inner_.call(copy, endpoint, command, std::move(done));
                   });
}

}  // namespace drover::fault
