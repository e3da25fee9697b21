// The calls on volumes.
#include <set>

#include "manager/adapters/ec2/ec2_cloud.hpp"
#include "manager/adapters/ec2/ec2_words.hpp"

namespace drover {
namespace {

constexpr std::size_t kPagesMax = 10'000;

// The first name of a disk that the instance does not use, in the range that Amazon recommends; "" for none.
std::string free_device(pugi::xml_node root) {
  std::set<std::string> used;
  const pugi::xml_node instance =
      root.child("reservationSet").child("item").child("instancesSet").child("item");
  for (const pugi::xml_node disk : instance.child("blockDeviceMapping").children("item"))
    used.insert(disk.child_value("deviceName"));
  for (char letter = 'f'; letter <= 'p'; ++letter)
    if (std::string name = std::string("/dev/sd") + letter; !used.contains(name)) return name;
  return {};
}

}  // namespace

Task<Result<std::string>> Ec2Cloud::volume_zone(Ec2Call like) {
  if (!config_.availability_zone.empty()) co_return config_.availability_zone;
  if (!zone_.empty()) co_return zone_;
  like.action = "DescribeAvailabilityZones";
  like.about.clear();
  like.changing = false;
  like.repeatable = true;
  like.parameters.clear();
  const Result<Ec2Answer> answered = co_await query_.ask(std::move(like));
  if (answered.has_error()) co_return answered.error();
  for (const pugi::xml_node item : answered.value().root().child("availabilityZoneInfo").children("item")) {
    const std::string_view state = item.child_value("zoneState");
    zone_ = item.child_value("zoneName");
    if (!zone_.empty() && (state.empty() || state == "available")) co_return zone_;
  }
  zone_.clear();
  co_return make_error(ErrorCode::unavailable,
                       "CreateVolume: the cloud names no zone that is available; set ec2.availability_zone",
                       Effect::none, Retry::later);
}

Task<Result<VolumeInfo>> Ec2Cloud::create_volume(Ec2Call call, std::string name) {
  if (auto checked = check_config(config_); checked.has_error()) co_return std::move(checked).error();
  Result<std::string> zone = co_await volume_zone(call);
  if (zone.has_error()) co_return std::move(zone).error();
  call.parameters.emplace_back("AvailabilityZone", std::move(zone).value());
  const std::string about = call.about;
  const Result<Ec2Answer> answered = co_await query_.ask(std::move(call));
  if (answered.has_error()) co_return answered.error();
  Result<VolumeInfo> info = ec2::read_volume(answered.value().root());
  if (info.has_error()) {
    Error error = std::move(info).error();
    error.message = "CreateVolume of " + about + ": " + error.message;
    error.effect = Effect::possible;
    co_return error;
  }
  if (!answered.value().root().child("tagSet")) info.value().name = name;
  co_return info;
}

Task<Result<void>> Ec2Cloud::attach(Ec2Call call, std::string volume, std::string instance) {
  if (auto checked = check_config(config_); checked.has_error()) co_return std::move(checked).error();
  Ec2Call look = call;
  look.action = "DescribeInstances";
  look.about = instance;
  look.changing = false;
  look.parameters = {{"InstanceId.1", instance}};
  const Result<Ec2Answer> seen = co_await query_.ask(std::move(look));
  if (seen.has_error()) co_return seen.error();
  const std::string device = free_device(seen.value().root());
  if (device.empty()) {
    co_return make_error(ErrorCode::quota, "AttachVolume of " + volume + ": " + instance +
                                               " uses every name from /dev/sdf to sdp");
  }
  look = call;
  call.parameters = {{"VolumeId", volume}, {"InstanceId", instance}, {"Device", device}};
  const Result<Ec2Answer> attached = co_await query_.ask(std::move(call));
  if (attached.has_value()) co_return success();
  Error error = attached.error();
  if (error.code != ErrorCode::wrong_state) co_return error;
  // It may be attached where it is wanted, by an earlier attempt.
  look.action = "DescribeVolumes";
  look.changing = false;
  look.parameters = {{"VolumeId.1", volume}};
  const Result<Volumes> volumes = co_await list_volumes(std::move(look));
  if (volumes.has_error()) co_return error;
  for (const VolumeInfo& info : volumes.value())
    if (info.id == volume && info.attached_to == instance) co_return success();
  co_return error;
}

Task<Result<void>> Ec2Cloud::delete_volume(Ec2Call call) {
  if (auto checked = check_config(config_); checked.has_error()) co_return std::move(checked).error();
  std::string code;
  const Result<Ec2Answer> answered = co_await query_.ask(std::move(call), &code);
  if (answered.has_value() || code == "InvalidVolume.NotFound") co_return success();
  co_return answered.error();
}

Task<Result<Ec2Cloud::Volumes>> Ec2Cloud::list_volumes(Ec2Call call) {
  if (auto checked = check_config(config_); checked.has_error()) co_return std::move(checked).error();
  Volumes volumes;
  std::string token;
  for (std::size_t pages = 1; pages <= kPagesMax; ++pages) {
    std::erase_if(call.parameters, [](const auto& field) { return field.first == "NextToken"; });
    if (!token.empty()) call.parameters.emplace_back("NextToken", token);
    const Result<Ec2Answer> page = co_await query_.ask(call);
    if (page.has_error()) co_return page.error();
    if (auto read = ec2::read_volumes(page.value().root(), volumes); read.has_error())
      co_return std::move(read).error();
    const std::string next = page.value().root().child_value("nextToken");
    if (next.empty()) co_return volumes;
    if (next == token) break;
    token = next;
  }
  co_return make_error(ErrorCode::protocol, "DescribeVolumes: the cloud's listing has no end");
}

}  // namespace drover
