// Instances as EC2 shows them.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "manager/base/hash.hpp"
#include "mockcloud/wire/ec2/call.hpp"

namespace drover::wire::ec2 {
namespace {

std::string hex_of(std::uint64_t value, unsigned digits) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text(digits, '0');
  for (unsigned i = 0; i < digits && value != 0; ++i, value >>= 4U)
    text[digits - 1 - i] = kDigits[value & 15U];
  return text;
}

std::string dashed(std::string address) {
  std::replace(address.begin(), address.end(), '.', '-');
  return address;
}

void write_reason(XmlWriter& xml, const InstanceInfo& info) {
  std::string code, message;
  if (info.state == InstanceState::error) {
    code = "Server.InternalError";
    message = "Server.InternalError: " +
              (info.fault.empty() ? std::string("Internal error on launch") : info.fault);
  } else if (info.state == InstanceState::terminated || info.state == InstanceState::shutting_down ||
             info.state == InstanceState::stopped || info.state == InstanceState::stopping) {
    code = "Client.UserInitiatedShutdown";
    message = "Client.UserInitiatedShutdown: User initiated shutdown";
  }
  xml.text("reason", info.state == InstanceState::error ? code : "");
  if (code.empty()) return;
  xml.element("stateReason", [&] {
    xml.text("code", code);
    xml.text("message", message);
  });
}

void write_groups(XmlWriter& xml, const Backend& backend, const Extras& extras) {
  xml.element("groupSet", [&] {
    const auto one = [&](const std::string& id) {
      xml.element("item", [&] {
        xml.text("groupId", id);
        xml.text("groupName", group_name(backend, id));
      });
    };
    if (extras.groups.empty()) return one(kDefaultGroup);
    for (const std::string& id : extras.groups) one(id);
  });
}

void write_interface(XmlWriter& xml, const Backend& backend, const InstanceInfo& info,
                     const cloud::Instance& vm, const Extras& extras) {
  xml.element("item", [&] {
    xml.text("networkInterfaceId", "eni-" + hex_of(vm.number, 17));
    xml.text("subnetId", vm.spec.network);
    xml.text("vpcId", vpc_id(backend));
    xml.text("description", "");
    xml.text("ownerId", backend.settings().owner_id);
    xml.text("status", "in-use");
    xml.text("privateIpAddress", info.address);
    write_groups(xml, backend, extras);
    xml.element("privateIpAddressesSet", [&] {
      xml.element("item", [&] {
        xml.text("privateIpAddress", info.address);
        xml.flag("primary", true);
      });
    });
  });
}

}  // namespace

StateName state_of(InstanceState state) {
  switch (state) {
    case InstanceState::pending:
      return {0, "pending"};
    case InstanceState::running:
    case InstanceState::rebooting:
      return {16, "running"};
    case InstanceState::shutting_down:
      return {32, "shutting-down"};
    case InstanceState::stopping:
      return {64, "stopping"};
    case InstanceState::stopped:
      return {80, "stopped"};
    case InstanceState::terminated:
    case InstanceState::error:
      break;
  }
  return {48, "terminated"};
}

std::string to_text(const Extras& extras, const std::string& digest) {
  const bool plain = extras.reservation.empty() && extras.key_name.empty() && extras.groups.empty();
  if (plain && digest.empty()) return {};
  nlohmann::json json = nlohmann::json::object();
  if (!digest.empty()) json["d"] = digest;
  if (!extras.reservation.empty()) json["res"] = extras.reservation;
  if (extras.index > 0) json["index"] = extras.index;
  if (!extras.key_name.empty()) json["key"] = extras.key_name;
  if (!extras.groups.empty()) json["groups"] = extras.groups;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Extras read_extras(const std::string& text) {
  constexpr std::size_t kDigestAlone = 8 + kDigestDigits;  // {"d":"0123456"}
  Extras extras;
  if (text.empty() || (text.size() == kDigestAlone && text.starts_with("{\"d\":"))) return extras;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return extras;
  extras.reservation = json.value("res", "");
  extras.index = json.value("index", 0U);
  extras.key_name = json.value("key", "");
  if (const auto groups = json.find("groups"); groups != json.end() && groups->is_array())
    for (const auto& group : *groups)
      if (group.is_string()) extras.groups.push_back(group);
  return extras;
}

std::string reservation_of(const cloud::Instance& vm, const Extras& extras) {
  return extras.reservation.empty() ? "r-" + hex_of(vm.number, 17) : extras.reservation;
}

Tags shown_tags(const InstanceInfo& info) {
  Tags tags = info.tags;
  if (!info.name.empty() && !info.name.starts_with(kUnnamed)) tags.insert(tags.begin(), {"Name", info.name});
  return tags;
}

void write_tags(XmlWriter& xml, const Tags& tags) {
  if (tags.empty()) return;
  xml.element("tagSet", [&] {
    for (const auto& [key, value] : tags) {
      xml.open("item");
      xml.text("key", key);
      xml.text("value", value);
      xml.close("item");
    }
  });
}

void write_instance(XmlWriter& xml, const Backend& backend, const InstanceInfo& info,
                    const cloud::Instance& vm, const Extras& extras) {
  const StateName state = state_of(info.state);
  const std::string address =
      is_gone(info.state) || info.state == InstanceState::error ? std::string() : info.address;
  const bool has_address = !address.empty();
  const std::string host = has_address ? "ip-" + dashed(address) + ".ec2.internal" : std::string();
  xml.open("item");
  xml.text("instanceId", vm.id);
  xml.text("imageId", info.image);
  xml.element("instanceState", [&] {
    xml.number("code", state.code);
    xml.text("name", state.name);
  });
  xml.text("privateDnsName", host);
  xml.text("dnsName", has_address ? "ec2-" + dashed(address) + ".compute-1.amazonaws.com" : std::string());
  write_reason(xml, info);
  xml.maybe("keyName", extras.key_name);
  xml.number("amiLaunchIndex", extras.index);
  xml.open("productCodes");
  xml.close("productCodes");
  xml.text("instanceType", info.size);
  xml.text("launchTime", to_iso8601(info.created_at, true));
  xml.element("placement", [&] {
    xml.text("availabilityZone", zone_shown(backend, vm.zone));
    xml.text("groupName", "");
    xml.text("tenancy", "default");
  });
  xml.element("monitoring", [&] { xml.text("state", "disabled"); });
  xml.text("subnetId", vm.spec.network);
  xml.text("vpcId", vpc_id(backend));
  xml.maybe("privateIpAddress", address);
  xml.maybe("ipAddress", address);
  xml.flag("sourceDestCheck", true);
  write_groups(xml, backend, extras);
  xml.text("architecture", "x86_64");
  xml.text("rootDeviceType", "ebs");
  xml.text("rootDeviceName", "/dev/xvda");
  xml.open("blockDeviceMapping");
  xml.close("blockDeviceMapping");
  xml.text("virtualizationType", "hvm");
  xml.maybe("clientToken", vm.token.substr(0, vm.token.find('/')));
  write_tags(xml, shown_tags(info));
  xml.text("hypervisor", "xen");
  xml.element("networkInterfaceSet", [&] {
    if (has_address) write_interface(xml, backend, info, vm, extras);
  });
  xml.flag("ebsOptimized", false);
  xml.flag("enaSupport", true);
  xml.close("item");
}

std::string zone_shown(const Backend& backend, const std::string& zone) {
  return zone.size() == 1 ? backend.settings().region + zone : zone;
}

std::string zone_inside(const Backend& backend, const std::string& shown) {
  for (const std::string& zone : backend.cloud().config().zones)
    if (zone_shown(backend, zone) == shown || zone == shown) return zone;
  return {};
}

std::string image_alias(const std::string& name) { return "ami-" + hex_of(hash_text(name, 1), 16) + "0"; }

std::string default_network(const Backend& backend) {
  const auto& networks = backend.cloud().config().networks;
  return networks.empty() ? std::string("default") : networks.front();
}

std::string vpc_id(const Backend& backend) {
  return "vpc-" + hex_of(hash_text(backend.settings().owner_id, 2), 8);
}

Answer<const cloud::Instance*> require_instance(const Backend& backend, const std::string& id) {
  const std::string_view digits = std::string_view(id).substr(id.starts_with("i-") ? 2 : 0);
  const bool well_made = id.starts_with("i-") && (digits.size() >= 8 && digits.size() <= 17) &&
                         digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  if (!well_made)
    return Fault{400, "InvalidInstanceID.Malformed", "Invalid id: \"" + id.substr(0, 100) + "\"", {}};
  const cloud::Instance* vm = backend.cloud().instance(id);
  const bool forgotten = vm != nullptr && vm->state == InstanceState::terminated &&
                         backend.now() - vm->state_since >= backend.cloud().config().terminated_listed;
  if (vm == nullptr || forgotten)
    return Fault{400, "InvalidInstanceID.NotFound", "The instance ID '" + id + "' does not exist", {}};
  return vm;
}

Answer<std::vector<const cloud::Instance*>> require_instances(const Backend& backend,
                                                              const std::vector<std::string>& ids) {
  if (ids.empty()) return missing_parameter("InstanceId");
  std::vector<const cloud::Instance*> found;
  std::string missing;
  unsigned misses = 0;
  for (const std::string& id : ids) {
    const auto vm = require_instance(backend, id);
    if (vm.has_value()) {
      if (std::find(found.begin(), found.end(), vm.value()) == found.end()) found.push_back(vm.value());
      continue;
    }
    if (vm.error().code != "InvalidInstanceID.NotFound") return vm.error();
    missing += (missing.empty() ? "" : ", ") + id;
    ++misses;
  }
  if (misses == 0) return found;
  const std::string message = misses == 1 ? "The instance ID '" + missing + "' does not exist"
                                          : "The instance IDs '" + missing + "' do not exist";
  return Fault{400, "InvalidInstanceID.NotFound", message, {}};
}

}  // namespace drover::wire::ec2
