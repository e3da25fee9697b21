#include "scenarios/cloud/guarded_cloud.hpp"

#include <algorithm>

namespace drover::scenario {

std::size_t GuardedCloud::alive() const {
  return static_cast<std::size_t>(std::count_if(
      seen_.begin(), seen_.end(), [](const auto& entry) { return !is_gone(entry.second.state); }));
}

Error GuardedCloud::refuse(ErrorCode code, const std::string& why) {
  if (stopped_by_.empty()) stopped_by_ = why;
  return make_error(code, why);
}

void GuardedCloud::newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                               Handler<InstanceInfo> handler) {
  if (scheduler_.now() >= limits_.until)
    return handler(refuse(ErrorCode::permission, "the run's time (real.ttl) is up: no VM is made any more"));
  // What is being made may exist already: it counts.
  if (alive() + being_made_ >= limits_.max_instances)
    return handler(refuse(ErrorCode::permission, "the run may have " + std::to_string(limits_.max_instances) +
                                                     " VMs at most (real.max_instances)"));
  InstanceSpec tagged = spec;
  tagged.tags.emplace_back(kRunTag, limits_.run);
  tagged.tags.emplace_back(kUntilTag, limits_.until_text);
  ++being_made_;
  // Without an answer it stays counted: the VM may be there.
  cloud_.newInstance(context, tagged, limits_.run + ":" + token,
                     [this, done = std::move(handler)](Result<InstanceInfo> result) mutable {
                       if (result.has_value()) take(result.value());
                       if (result.has_value() || result.error().effect == Effect::none) --being_made_;
                       done(std::move(result));
                     });
}

void GuardedCloud::killInstance(const CallContext& context, const std::string& id, Handler<void> handler) {
  if (!seen_.contains(id))
    return handler(refuse(ErrorCode::permission, "VM " + id + " is none of this run's: it is not destroyed"));
  cloud_.killInstance(context, id, [this, id, done = std::move(handler)](Result<void> result) mutable {
    if (result.has_value() && !is_gone(seen_[id].state)) seen_[id].state = InstanceState::shutting_down;
    done(std::move(result));
  });
}

void GuardedCloud::getVMInfo(const CallContext& context, const std::string& id,
                             Handler<InstanceInfo> handler) {
  cloud_.getVMInfo(context, id, [this, id, done = std::move(handler)](Result<InstanceInfo> result) mutable {
    const auto known = seen_.find(id);
    if (result.has_value() && (known != seen_.end() || is_ours(result.value()))) take(result.value());
    if (result.has_error() && result.error().code == ErrorCode::not_found && known != seen_.end() &&
        is_gone(known->second.state))
      known->second.state = InstanceState::terminated;
    done(std::move(result));
  });
}

void GuardedCloud::listVMs(const CallContext& context, const std::string& key, const std::string& value,
                           Handler<std::vector<InstanceInfo>> handler) {
  cloud_.listVMs(context, key, value,
                 [this, done = std::move(handler)](Result<std::vector<InstanceInfo>> result) mutable {
                   if (result.has_value()) {
                     std::erase_if(result.value(),
                                   [this](const InstanceInfo& info) { return !is_ours(info); });
                     for (const InstanceInfo& info : result.value()) take(info);
                   }
                   done(std::move(result));
                 });
}

void GuardedCloud::createVolume(const CallContext&, const std::string&, unsigned, const std::string&,
                                Handler<VolumeInfo> handler) {
  handler(refuse(ErrorCode::permission, "a run on a real cloud buys no volumes"));
}

void GuardedCloud::attachVolume(const CallContext&, const std::string&, const std::string&,
                                Handler<void> handler) {
  handler(refuse(ErrorCode::permission, "a run on a real cloud touches no volumes"));
}

void GuardedCloud::deleteVolume(const CallContext&, const std::string&, Handler<void> handler) {
  handler(refuse(ErrorCode::permission, "a run on a real cloud touches no volumes"));
}

void GuardedCloud::listVolumes(const CallContext&, Handler<std::vector<VolumeInfo>> handler) {
  handler(std::vector<VolumeInfo>{});
}

}  // namespace drover::scenario
