// What checkers see of the ports. The manager's calls as the manager makes them, and the answers as it gets
// them: between the manager (with its sabotage, if any) and the faults; and the cloud's answers as the cloud
// gives them.
#pragma once

#include <string>
#include <vector>

#include "manager/ports/agent.hpp"
#include "manager/ports/iaas.hpp"
#include "mockcloud/cloud/instance.hpp"

namespace drover::scenario {

struct IaasCall {
  enum class Kind : unsigned char { create, kill, look, list, volume };
  Kind kind{};
  std::string subject;  // "node-3"
  std::string object;   // create: the token; kill and look: the VM; list: "key=value"
  Duration timeout{};
};

struct IaasAnswer {
  const Error* error = nullptr;
  const InstanceInfo* info = nullptr;                // create, look
  const std::vector<InstanceInfo>* infos = nullptr;  // list
};

class PortWatch {
 public:
  virtual ~PortWatch() = default;
  // The number ties the answer to its call; an answer may never come, or come after the time-out.
  virtual std::uint64_t asked(const IaasCall& call, const InstanceSpec* spec) = 0;
  virtual void answered(std::uint64_t number, const IaasCall& call, const IaasAnswer& answer) = 0;
  virtual std::uint64_t asked(const std::string& subject, const AgentCommand& command, Duration timeout) = 0;
  virtual void answered(std::uint64_t number, const std::string& subject, const AgentCommand& command,
                        const Result<AgentReply>& reply) = 0;
};

// The cloud's own deeds and answers, below the faults. `asked` is when the call arrived.
class CloudWatch {
 public:
  virtual ~CloudWatch() = default;
  // After every change of an instance's state; at its creation `from` is pending.
  virtual void changed(const cloud::Instance& vm, InstanceState from) = 0;
  virtual void created(const InstanceSpec& spec, const std::string& token,
                       const Result<InstanceInfo>& answer) = 0;
  virtual void killed(const std::string& id, const Result<void>& answer) = 0;
  virtual void looked(const std::string& id, TimePoint asked, const Result<InstanceInfo>& answer) = 0;
  virtual void listed(const std::string& key, const std::string& value, TimePoint asked,
                      const Result<std::vector<InstanceInfo>>& answer) = 0;
};

// Decorators that tell `*watch`, which may be null and may change.
class WatchedIaas final : public Iaas {
 public:
  WatchedIaas(Iaas& inner, PortWatch*& watch) : inner_(inner), watch_(watch) {}
  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override;
  void killInstance(const CallContext& context, const std::string& id, Handler<void> handler) override;
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override;
  void listVMs(const CallContext& context, const std::string& key, const std::string& value,
               Handler<std::vector<InstanceInfo>> handler) override;
  void createVolume(const CallContext& context, const std::string& name, unsigned gigabytes,
                    const std::string& token, Handler<VolumeInfo> handler) override;
  void attachVolume(const CallContext& context, const std::string& volume, const std::string& instance,
                    Handler<void> handler) override;
  void deleteVolume(const CallContext& context, const std::string& volume, Handler<void> handler) override;
  void listVolumes(const CallContext& context, Handler<std::vector<VolumeInfo>> handler) override;

 private:
  template <class T>
  Handler<T> watched(IaasCall call, const InstanceSpec* spec, Handler<T> handler);

  Iaas& inner_;
  PortWatch*& watch_;
};

class WatchedAgent final : public Agent {
 public:
  WatchedAgent(Agent& inner, PortWatch*& watch) : inner_(inner), watch_(watch) {}
  void call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
            Handler<AgentReply> handler) override;

 private:
  Agent& inner_;
  PortWatch*& watch_;
};

}  // namespace drover::scenario
