// The Iaas port with faults: wraps another implementation (the mock cloud, a real driver), asks the engine at
// each moment of each call, and traces every call and reply, so that the wrapped one need not. Holds no
// faults of its own; what it remembers are earlier answers, and those only for rules that can ask for them.
// Single-threaded; must outlive the calls under way and be outlived by `inner` and `engine`.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "manager/ports/iaas.hpp"
#include "mockcloud/cloud/snapshot.hpp"
#include "mockcloud/fault/engine.hpp"

namespace drover::fault {

class FaultyIaas final : public Iaas, public cloud::Lister {
 public:
  FaultyIaas(Iaas& inner, Engine& engine) : inner_(inner), engine_(engine) {}

  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override;
  void killInstance(const CallContext& context, const std::string& id, Handler<void> handler) override;
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override;
  void listVMs(const CallContext& context, const std::string& key, const std::string& value,
               Handler<std::vector<InstanceInfo>> handler) override;
  // The same call to rules and in the trace.
  void list_snapshot(const CallContext& context, const std::string& key, const std::string& value,
                     Handler<cloud::Snapshot> handler) override;
  void createVolume(const CallContext& context, const std::string& name, unsigned gigabytes,
                    const std::string& token, Handler<VolumeInfo> handler) override;
  void attachVolume(const CallContext& context, const std::string& volume, const std::string& instance,
                    Handler<void> handler) override;
  void deleteVolume(const CallContext& context, const std::string& volume, Handler<void> handler) override;
  void listVolumes(const CallContext& context, Handler<std::vector<VolumeInfo>> handler) override;

 private:
  Handler<InstanceInfo> without_tags(Handler<InstanceInfo> handler);
  Handler<InstanceInfo> without_name(Handler<InstanceInfo> handler);
  template <class Listing>
  using Seen = std::map<std::string, Listing>;  // by "key=value": what the caller was shown last
  template <class Listing, class List>
  void list_with(List list, Seen<Listing>& seen, const CallContext& context, const std::string& key,
                 const std::string& value, Handler<Listing> handler);
  template <class T>
  Handler<T> expiring(const std::string& token, Handler<T> handler);
  std::string as_sent(const std::string& token) const;

  // What was answered about one instance: the last answer, and the last that differed from it.
  struct Answers {
    InstanceInfo last;
    std::optional<InstanceInfo> before;
  };

  // Turns the answer back when asked to, else remembers it.
  void adjust_info(InstanceInfo& info, const CallFaults& faults);

  Iaas& inner_;
  Engine& engine_;
  std::map<std::string, Answers> answers_;  // by instance id
  Seen<std::vector<InstanceInfo>> listings_;
  Seen<cloud::Snapshot> snapshots_;
  std::vector<VolumeInfo> volumes_;
  std::uint64_t ignored_tokens_ = 0;
  std::map<std::string, unsigned> expired_tokens_;  // and how often
};

}  // namespace drover::fault
