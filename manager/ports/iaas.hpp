// The Iaas port, the documented IaaSClient: newInstance, killInstance, getVMInfo, listVMs, and volumes. The
// names of its methods are the documented ones. Implementations: mockcloud/cloud (simulation), drivers of
// real clouds (adapters), and decorators that inject faults (mockcloud/fault).
//
// Contract, held by one suite over every implementation (tests/contract/iaas_contract.hpp):
// - Every call answers its handler at most once. An Error says by `effect` whether something may have
// changed.
// - newInstance with a token already used and the same spec answers the first instance again; with another
// spec
//   it fails with already_exists. A token is remembered at least as long as its instance is listed.
// - killInstance of an instance that is gone succeeds.
// - getVMInfo of an unknown id fails with not_found. Right after creation a cloud may say so too.
// - listVMs may lag behind and shows terminated instances for a while, in the order of their creation.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "manager/runtime/task.hpp"

namespace drover {

enum class InstanceState : unsigned char {
  pending,
  running,
  rebooting,
  stopping,
  stopped,
  shutting_down,
  terminated,
  error,
};
inline constexpr int kInstanceStates = 8;
const char* to_text(InstanceState state);
// pending, running, rebooting, stopping, stopped and error instances hold resources; the others are going or
// gone.
inline bool is_gone(InstanceState state) {
  return state == InstanceState::shutting_down || state == InstanceState::terminated;
}

using Tags = std::vector<std::pair<std::string, std::string>>;  // key, value; keys are unique

// Tags that every VM of drover carries; the reconciler finds what is ours by them.
inline constexpr const char* kServiceTag = "drover-service";
inline constexpr const char* kNodeTag = "drover-node";

struct InstanceSpec {
  std::string name;
  std::string image;
  std::string size;
  std::string network;
  std::string user_data;
  Tags tags;
  std::string zone{};    // "" leaves the choice to the cloud
  std::string extras{};  // of one provider, as JSON text; means nothing to the port
  friend bool operator==(const InstanceSpec&, const InstanceSpec&) = default;
};

struct InstanceInfo {
  std::string id;
  std::string name;
  InstanceState state = InstanceState::pending;
  std::string address;  // empty until the cloud has assigned one
  std::string fault;    // why state is error, in the cloud's words
  std::string image;
  std::string size;
  Tags tags;
  TimePoint created_at{};

  // The value of a tag, or "".
  std::string tag(const std::string& key) const {
    for (const auto& [name_, value] : tags)
      if (name_ == key) return value;
    return {};
  }
};

struct VolumeInfo {
  std::string id;
  std::string name;
  unsigned gigabytes = 0;
  std::string attached_to;  // instance id or ""
  Tags tags;
};

// What a caller knows of a call, for traces and fault rules; a real driver may ignore it.
struct CallContext {
  std::string_view subject;  // the node or operation it is for ("node-3"); must outlive the call's initiation
  Duration timeout{10s};     // after this the caller no longer waits; drivers should give up too
};

class Iaas {
 public:
  virtual ~Iaas() = default;
  virtual void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                           Handler<InstanceInfo> handler) = 0;
  virtual void killInstance(const CallContext& context, const std::string& id, Handler<void> handler) = 0;
  virtual void getVMInfo(const CallContext& context, const std::string& id,
                         Handler<InstanceInfo> handler) = 0;
  // Instances whose tag `key` is `value`.
  virtual void listVMs(const CallContext& context, const std::string& key, const std::string& value,
                       Handler<std::vector<InstanceInfo>> handler) = 0;
  virtual void createVolume(const CallContext& context, const std::string& name, unsigned gigabytes,
                            const std::string& token, Handler<VolumeInfo> handler) = 0;
  virtual void attachVolume(const CallContext& context, const std::string& volume,
                            const std::string& instance, Handler<void> handler) = 0;
  virtual void deleteVolume(const CallContext& context, const std::string& volume, Handler<void> handler) = 0;
  virtual void listVolumes(const CallContext& context, Handler<std::vector<VolumeInfo>> handler) = 0;
};

}  // namespace drover
