#include "scenarios/engine/port_watch.hpp"

namespace drover::scenario {
namespace {

using Kind = IaasCall::Kind;

IaasCall call_of(Kind kind, const CallContext& context, std::string object) {
  return {kind, std::string(context.subject), std::move(object), context.timeout};
}

template <class T>
IaasAnswer answer_of(const Result<T>& result) {
  IaasAnswer answer;
  if (result.has_error())
    answer.error = &result.error();
  else if constexpr (std::is_same_v<T, InstanceInfo>)
    answer.info = &result.value();
  else if constexpr (std::is_same_v<T, std::vector<InstanceInfo>>)
    answer.infos = &result.value();
  return answer;
}

}  // namespace

template <class T>
Handler<T> WatchedIaas::watched(IaasCall call, const InstanceSpec* spec, Handler<T> handler) {
  if (watch_ == nullptr) return handler;
  const std::uint64_t number = watch_->asked(call, spec);
  return [this, number, call = std::move(call), done = std::move(handler)](Result<T> result) mutable {
    if (watch_ != nullptr) watch_->answered(number, call, answer_of(result));
    done(std::move(result));
  };
}

void WatchedIaas::newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                              Handler<InstanceInfo> handler) {
  inner_.newInstance(context, spec, token,
                     watched(call_of(Kind::create, context, token), &spec, std::move(handler)));
}

void WatchedIaas::killInstance(const CallContext& context, const std::string& id, Handler<void> handler) {
  inner_.killInstance(context, id, watched(call_of(Kind::kill, context, id), nullptr, std::move(handler)));
}

void WatchedIaas::getVMInfo(const CallContext& context, const std::string& id,
                            Handler<InstanceInfo> handler) {
  inner_.getVMInfo(context, id, watched(call_of(Kind::look, context, id), nullptr, std::move(handler)));
}

void WatchedIaas::listVMs(const CallContext& context, const std::string& key, const std::string& value,
                          Handler<std::vector<InstanceInfo>> handler) {
  inner_.listVMs(context, key, value,
                 watched(call_of(Kind::list, context, key + "=" + value), nullptr, std::move(handler)));
}

void WatchedIaas::createVolume(const CallContext& context, const std::string& name, unsigned gigabytes,
                               const std::string& token, Handler<VolumeInfo> handler) {
  inner_.createVolume(context, name, gigabytes, token,
                      watched(call_of(Kind::volume, context, token), nullptr, std::move(handler)));
}

void WatchedIaas::attachVolume(const CallContext& context, const std::string& volume,
                               const std::string& instance, Handler<void> handler) {
  inner_.attachVolume(context, volume, instance,
                      watched(call_of(Kind::volume, context, volume), nullptr, std::move(handler)));
}

void WatchedIaas::deleteVolume(const CallContext& context, const std::string& volume, Handler<void> handler) {
  inner_.deleteVolume(context, volume,
                      watched(call_of(Kind::volume, context, volume), nullptr, std::move(handler)));
}

void WatchedIaas::listVolumes(const CallContext& context, Handler<std::vector<VolumeInfo>> handler) {
  inner_.listVolumes(context, watched(call_of(Kind::volume, context, {}), nullptr, std::move(handler)));
}

void WatchedAgent::call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
                        Handler<AgentReply> handler) {
  if (watch_ == nullptr) return inner_.call(context, endpoint, command, std::move(handler));
  std::string subject(context.subject);
  const std::uint64_t number = watch_->asked(subject, command, context.timeout);
  auto told = [this, number, subject = std::move(subject), command,
               done = std::move(handler)](Result<AgentReply> reply) mutable {
    if (watch_ != nullptr) watch_->answered(number, subject, command, reply);
    done(std::move(reply));
  };
  inner_.call(context, endpoint, command, std::move(told));
}

}  // namespace drover::scenario
