// The calls of the Iaas port on volumes.
#include <algorithm>

#include "mockcloud/cloud/cloud_internal.hpp"

namespace drover::cloud {
namespace {

constexpr unsigned kGigabytesMax = 65'536;  // as EC2's io2

}  // namespace

void Cloud::createVolume(const CallContext& context, const std::string& name, unsigned gigabytes,
                         const std::string& token, Handler<VolumeInfo> handler) {
  call<VolumeInfo>(subject_or(context.subject, name), "cloud.createVolume", std::move(handler),
                   [this, name, gigabytes, token] { return create_volume(name, gigabytes, token); });
}

void Cloud::attachVolume(const CallContext& context, const std::string& volume, const std::string& instance,
                         Handler<void> handler) {
  call<void>(subject_or(context.subject, volume), "cloud.attachVolume", std::move(handler),
             [this, volume, instance] { return attach_volume(volume, instance); });
}

void Cloud::deleteVolume(const CallContext& context, const std::string& volume, Handler<void> handler) {
  call<void>(subject_or(context.subject, volume), "cloud.deleteVolume", std::move(handler),
             [this, volume] { return delete_volume(volume); });
}

void Cloud::listVolumes(const CallContext& context, Handler<std::vector<VolumeInfo>> handler) {
  call<std::vector<VolumeInfo>>(context.subject, "cloud.listVolumes", std::move(handler),
                                [this]() -> Result<std::vector<VolumeInfo>> {
                                  std::vector<VolumeInfo> listing;
                                  listing.reserve(volumes_.size());
                                  for (const auto& [number, volume] : volumes_)
                                    listing.push_back(info(volume));
                                  return listing;
                                });
}

VolumeInfo Cloud::info(const Volume& volume) const {
  VolumeInfo info;
  info.id = volume.id;
  info.name = volume.name;
  info.gigabytes = volume.gigabytes;
  if (volume.attached_to != 0) info.attached_to = instances_[volume.attached_to - 1].id;
  return info;
}

Result<VolumeInfo> Cloud::create_volume(const std::string& name, unsigned gigabytes,
                                        const std::string& token) {
  if (name.empty() || name.size() > 255 || gigabytes == 0 || gigabytes > kGigabytesMax)
    return make_error(ErrorCode::invalid,
                      "createVolume: a volume needs a name of 1 to 255 bytes and 1 to 65536 gigabytes");
  const std::string key = token.empty() ? token : "volume:" + token;
  const std::uint64_t digest = mix(hash_text(name), gigabytes);
  if (!key.empty()) {
    DROVER_TRY(const auto number, check_token(key, digest, "createVolume"));
    if (const auto found = volumes_.find(number); found != volumes_.end()) return info(found->second);
  }
  const bool too_many = config_.quota_volumes > 0 && volumes_.size() >= config_.quota_volumes;
  const bool too_large = config_.quota_gigabytes > 0 && gigabytes_ + gigabytes > config_.quota_gigabytes;
  if (too_many || too_large)
    return make_error(ErrorCode::quota,
                      "createVolume of \"" + name + "\": the quota of " +
                          (too_many ? std::to_string(config_.quota_volumes) + " volumes"
                                    : std::to_string(config_.quota_gigabytes) + " gigabytes") +
                          " is used up; delete some or raise the quota");
  const std::uint32_t number = next_volume_++;
  Volume& volume = volumes_[number];
  volume = Volume{number, make_id("vol-", number), name, gigabytes, 0};
  gigabytes_ += gigabytes;
  tables_->insert_volume(volume);
  if (!key.empty()) keep_token(key, digest, number);
  return info(volume);
}

Result<Volume*> Cloud::require_volume(std::string_view id) {
  const auto found = volumes_.find(parse_id("vol-", id));
  if (found != volumes_.end() && found->second.id == id) return &found->second;
  return make_error(ErrorCode::not_found,
                    "no volume " + std::string(id.substr(0, 80)) +
                        " in this cloud: it was deleted or never created here; check the id");
}

void Cloud::set_attachment(Volume& volume, std::uint32_t instance) {
  if (volume.attached_to != 0) std::erase(instances_[volume.attached_to - 1].volumes.make(), volume.number);
  volume.attached_to = instance;
  if (instance != 0) instances_[instance - 1].volumes.make().push_back(volume.number);
  tables_->save_volume(volume);
}

Result<void> Cloud::attach_volume(const std::string& volume, const std::string& instance) {
  DROVER_TRY(Volume * found, require_volume(volume));
  DROVER_TRY(Instance * vm, require(instance));
  if (found->attached_to == vm->number) return success();
  if (is_gone(vm->state) || found->attached_to != 0)
    return make_error(
        ErrorCode::wrong_state,
        "attachVolume: " + volume + " cannot be attached to " + instance + ": " +
            (found->attached_to != 0
                 ? "it is attached to " + instances_[found->attached_to - 1].id + "; detach it first"
                 : std::string("the instance is ") + drover::to_text(vm->state)));
  set_attachment(*found, vm->number);
  return success();
}

Result<void> Cloud::delete_volume(const std::string& volume) {
  const std::uint32_t number = parse_id("vol-", volume);
  if (number != 0 && number < next_volume_ && !volumes_.contains(number)) return success();
  DROVER_TRY(Volume * found, require_volume(volume));
  if (found->attached_to != 0 && instances_[found->attached_to - 1].live())
    return make_error(ErrorCode::wrong_state, "deleteVolume: " + volume + " is attached to " +
                                                  instances_[found->attached_to - 1].id +
                                                  "; detach it or terminate the instance first");
  if (found->attached_to != 0) set_attachment(*found, 0);
  gigabytes_ -= found->gigabytes;
  tables_->erase_volume(number);
  volumes_.erase(number);
  return success();
}

Result<void> Cloud::detach_volume(const std::string& volume) {
  Change change(*this);
  DROVER_TRY(Volume * found, require_volume(volume));
  if (found->attached_to != 0) set_attachment(*found, 0);
  return success();
}

}  // namespace drover::cloud
