// The Iaas port of one run on a real cloud: every VM carries the run's tag and the time when it is to be
// gone, there are never more of them than allowed, none is made after the run's time is up, and no VM of
// anybody else is seen or touched. Single-threaded.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "manager/ports/iaas.hpp"

namespace drover::scenario {

inline constexpr const char* kRunTag = "drover-run";
inline constexpr const char* kUntilTag = "drover-until";  // seconds since 1970

struct CloudLimits {
  std::string run;             // value of the run's tag; also in front of every token
  unsigned max_instances = 6;  // alive at once
  TimePoint until{};           // of the scheduler
  std::string until_text;      // the same as seconds since 1970
};

class GuardedCloud final : public Iaas {
 public:
  GuardedCloud(Iaas& cloud, const Scheduler& scheduler, CloudLimits limits)
      : cloud_(cloud), scheduler_(scheduler), limits_(std::move(limits)) {}

  // What was refused here, for the verdict; "" while nothing was.
  const std::string& stopped_by() const { return stopped_by_; }
  const CloudLimits& limits() const { return limits_; }
  // VMs of the run as last seen, by id.
  const std::map<std::string, InstanceInfo>& seen() const { return seen_; }
  std::size_t alive() const;
  std::size_t created() const { return seen_.size(); }

  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override;
  // permission for a VM that is not the run's.
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
  bool is_ours(const InstanceInfo& info) const { return info.tag(kRunTag) == limits_.run; }
  void take(const InstanceInfo& info) { seen_[info.id] = info; }
  Error refuse(ErrorCode code, const std::string& why);

  Iaas& cloud_;
  const Scheduler& scheduler_;
  const CloudLimits limits_;
  std::string stopped_by_;
  std::size_t being_made_ = 0;
  std::map<std::string, InstanceInfo> seen_;
};

}  // namespace drover::scenario
