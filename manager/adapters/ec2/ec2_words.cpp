#include "manager/adapters/ec2/ec2_words.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "manager/adapters/ec2/ec2_cloud.hpp"
#include "manager/system/aws_signature.hpp"
#include "manager/system/digest.hpp"

namespace drover::ec2 {
namespace {

constexpr std::size_t kClientTokenMax = 64;
constexpr const char* kNameTag = "Name";

Error unreadable(const std::string& what) {
  return make_error(ErrorCode::protocol, "the cloud's answer cannot be understood: " + what);
}

std::string numbered(const std::string& name, std::size_t number) {
  return name + "." + std::to_string(number);
}

void add_tags(http::Fields& form, const std::string& name, const Tags& tags) {
  std::size_t number = 0;
  const auto add = [&](const std::string& key, const std::string& value) {
    const std::string tag = numbered("TagSpecification.1.Tag", ++number);
    form.emplace_back(tag + ".Key", key);
    form.emplace_back(tag + ".Value", value);
  };
  form.emplace_back("TagSpecification.1.ResourceType", "instance");
  if (!name.empty()) add(kNameTag, name);
  for (const auto& [key, value] : tags)
    if (key != kNameTag) add(key, value);
}

// Where VMs of the spec are attached to; "" for the cloud's own choice.
std::string subnet_of(const InstanceSpec& spec, const Ec2Config& config) {
  return spec.network.empty() || spec.network == "default" ? config.subnet : spec.network;
}

void add_network(http::Fields& form, const std::string& subnet, const Ec2Config& config) {
  // A public address can be asked for only of an interface, which then holds subnet and groups.
  const bool interface = config.public_address && !subnet.empty();
  const std::string prefix = interface ? "NetworkInterface.1." : "";
  if (interface) {
    form.emplace_back(prefix + "DeviceIndex", "0");
    form.emplace_back(prefix + "AssociatePublicIpAddress", "true");
  }
  if (!subnet.empty()) form.emplace_back(prefix + "SubnetId", subnet);
  std::size_t ids = 0, names = 0;
  for (const auto& group : config.security_groups)
    if (interface || group.starts_with("sg-"))
      form.emplace_back(numbered(prefix + "SecurityGroupId", ++ids), group);
    else
      form.emplace_back(numbered("SecurityGroup", ++names), group);
}

template <class T>
std::optional<T> number_in(pugi::xml_node node, const char* child) {
  const std::string_view text = node.child_value(child);
  T number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<InstanceState> state_in(pugi::xml_node item) {
  struct Row {
    unsigned code;
    std::string_view name;
    InstanceState state;
  };
  static constexpr Row rows[] = {{0, "pending", InstanceState::pending},
                                 {16, "running", InstanceState::running},
                                 {32, "shutting-down", InstanceState::shutting_down},
                                 {48, "terminated", InstanceState::terminated},
                                 {64, "stopping", InstanceState::stopping},
                                 {80, "stopped", InstanceState::stopped}};
  const pugi::xml_node node = item.child("instanceState");
  // The high byte is for Amazon's own use.
  const auto code = number_in<unsigned>(node, "code");
  for (const Row& row : rows)
    if (code ? (*code & 255U) == row.code : row.name == node.child_value("name")) return row.state;
  return std::nullopt;
}

// An instance that never came up: the cloud's failure, or that of something it is made of. What the user or a
// spot market ended is not among these.
bool is_failure(std::string_view reason) {
  for (const std::string_view known :
       {"Server.InternalError", "Server.InsufficientInstanceCapacity", "Client.InternalError",
        "Client.VolumeLimitExceeded", "Client.InvalidSnapshot.NotFound"})
    if (reason == known) return true;
  return false;
}

std::string text_in(pugi::xml_node node, const char* child) { return node.child_value(child); }

void read_tags(pugi::xml_node item, Tags& tags, std::string& name) {
  for (const pugi::xml_node tag : item.child("tagSet").children("item")) {
    const std::string key = text_in(tag, "key");
    if (key == kNameTag)
      name = text_in(tag, "value");
    else
      tags.emplace_back(key, text_in(tag, "value"));
  }
}

}  // namespace

std::string client_token(const std::string& token) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == ':' || c == '-';
  };
  const bool plain = std::all_of(token.begin(), token.end(), is_plain);
  return plain && token.size() < kClientTokenMax ? token : to_hex(sha256(token));
}

Result<http::Fields> run_parameters(const InstanceSpec& spec, const std::string& token,
                                    const Ec2Config& config) {
  for (const auto& [key, value] : spec.tags)
    if (key == kNameTag && value != spec.name)
      return make_error(ErrorCode::invalid, "newInstance of \"" + spec.name +
                                                "\": EC2 keeps an instance's name in its tag Name; leave the "
                                                "tag out, or give it the same value");
  http::Fields form{
      {"ImageId", spec.image}, {"InstanceType", spec.size}, {"MinCount", "1"}, {"MaxCount", "1"}};
  if (!token.empty()) form.emplace_back("ClientToken", client_token(token));
  if (!config.key_name.empty()) form.emplace_back("KeyName", config.key_name);
  const std::string& zone = spec.zone.empty() ? config.availability_zone : spec.zone;
  if (!zone.empty()) form.emplace_back("Placement.AvailabilityZone", zone);
  add_network(form, subnet_of(spec, config), config);
  if (!spec.user_data.empty()) form.emplace_back("UserData", base64_encode(spec.user_data));
  if (!spec.name.empty() || !spec.tags.empty()) add_tags(form, spec.name, spec.tags);
  return form;
}

Result<InstanceInfo> read_instance(pugi::xml_node item, bool public_address) {
  InstanceInfo info;
  info.id = text_in(item, "instanceId");
  if (info.id.empty()) return unreadable("an instance without instanceId");
  info.image = text_in(item, "imageId");
  info.size = text_in(item, "instanceType");
  info.address = text_in(item, public_address ? "ipAddress" : "privateIpAddress");
  read_tags(item, info.tags, info.name);
  const auto state = state_in(item);
  if (!state) return unreadable(info.id + " has no instanceState that is known");
  info.state = *state;
  const auto launched = aws::parse_iso8601(item.child_value("launchTime"));
  if (!launched) return unreadable(info.id + " has no launchTime");
  info.created_at = *launched;
  const pugi::xml_node reason = item.child("stateReason");
  const bool ended = *state == InstanceState::terminated || *state == InstanceState::stopped;
  if (ended && is_failure(reason.child_value("code"))) {
    info.state = InstanceState::error;
    info.fault = text_in(reason, "message");
    if (info.fault.empty()) info.fault = text_in(reason, "code");
  }
  return info;
}

Result<void> read_instances(pugi::xml_node root, bool public_address, std::vector<InstanceInfo>& to) {
  const pugi::xml_node reservations = root.child("reservationSet");
  if (!reservations) return unreadable("no reservationSet");
  for (const pugi::xml_node reservation : reservations.children("item"))
    for (const pugi::xml_node item : reservation.child("instancesSet").children("item")) {
      DROVER_TRY(auto info, read_instance(item, public_address));
      to.push_back(std::move(info));
    }
  return success();
}

Result<VolumeInfo> read_volume(pugi::xml_node item) {
  VolumeInfo info;
  info.id = text_in(item, "volumeId");
  if (info.id.empty()) return unreadable("a volume without volumeId");
  const auto size = number_in<unsigned>(item, "size");
  if (!size) return unreadable(info.id + " has no size");
  info.gigabytes = *size;
  read_tags(item, info.tags, info.name);
  for (const pugi::xml_node attachment : item.child("attachmentSet").children("item"))
    if (std::string_view(attachment.child_value("status")) != "detached")
      info.attached_to = text_in(attachment, "instanceId");
  return info;
}

Result<void> read_volumes(pugi::xml_node root, std::vector<VolumeInfo>& to) {
  const pugi::xml_node volumes = root.child("volumeSet");
  if (!volumes) return unreadable("no volumeSet");
  for (const pugi::xml_node item : volumes.children("item")) {
    const std::string_view status = item.child_value("status");
    if (status == "deleting" || status == "deleted") continue;
    DROVER_TRY(auto info, read_volume(item));
    to.push_back(std::move(info));
  }
  return success();
}

}  // namespace drover::ec2
