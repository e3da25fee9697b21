// An Iaas that passes every call on to another one: what decorators and switches of the port are made of.
// They override what they change.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "manager/ports/iaas.hpp"

namespace drover {

class ForwardingIaas : public Iaas {
 public:
  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override {
    target().newInstance(context, spec, token, std::move(handler));
  }
  void killInstance(const CallContext& context, const std::string& id, Handler<void> handler) override {
    target().killInstance(context, id, std::move(handler));
  }
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override {
    target().getVMInfo(context, id, std::move(handler));
  }
  void listVMs(const CallContext& context, const std::string& key, const std::string& value,
               Handler<std::vector<InstanceInfo>> handler) override {
    target().listVMs(context, key, value, std::move(handler));
  }
  void createVolume(const CallContext& context, const std::string& name, unsigned gigabytes,
                    const std::string& token, Handler<VolumeInfo> handler) override {
    target().createVolume(context, name, gigabytes, token, std::move(handler));
  }
  void attachVolume(const CallContext& context, const std::string& volume, const std::string& instance,
                    Handler<void> handler) override {
    target().attachVolume(context, volume, instance, std::move(handler));
  }
  void deleteVolume(const CallContext& context, const std::string& volume, Handler<void> handler) override {
    target().deleteVolume(context, volume, std::move(handler));
  }
  void listVolumes(const CallContext& context, Handler<std::vector<VolumeInfo>> handler) override {
    target().listVolumes(context, std::move(handler));
  }

 protected:
  // Who is asked now; may change from call to call.
  virtual Iaas& target() = 0;
};

}  // namespace drover
