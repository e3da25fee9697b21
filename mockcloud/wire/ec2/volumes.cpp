// Volumes, through the port where it has the call.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "mockcloud/wire/ec2/call.hpp"

namespace drover::wire::ec2 {
namespace {

constexpr const char* kNotFound = "InvalidVolume.NotFound";

const cloud::Volume* find_volume(const Backend& backend, const std::string& id) {
  for (const auto& [number, volume] : backend.cloud().all_volumes())
    if (volume.id == id) return &volume;
  return nullptr;
}

Answer<const cloud::Volume*> require_volume(const Backend& backend, const std::string& id) {
  if (id.empty()) return missing_parameter("VolumeId");
  if (!id.starts_with("vol-"))
    return Fault{400,
                 "InvalidParameterValue",
                 "Value (" + id.substr(0, 100) + ") for parameter volumeId is invalid. Expected: 'vol-...'.",
                 {}};
  if (const cloud::Volume* volume = find_volume(backend, id)) return volume;
  return Fault{400, kNotFound, "The volume '" + id.substr(0, 100) + "' does not exist.", {}};
}

nlohmann::json kept(const Backend& backend, const std::string& id) {
  const std::string* text = backend.document("ec2.volume", id);
  auto json = text == nullptr ? nlohmann::json() : nlohmann::json::parse(*text, nullptr, false);
  return json.is_object() ? json : nlohmann::json::object();
}

std::string zone_of(const Backend& backend, const std::string& id) {
  return kept(backend, id).value("zone", zone_shown(backend, backend.cloud().config().zones.front()));
}

void write_attachment(XmlWriter& xml, const Backend& backend, const std::string& volume,
                      const std::string& instance, const char* status) {
  xml.text("volumeId", volume);
  xml.text("instanceId", instance);
  xml.text("device", kept(backend, volume).value("device", "/dev/sdf"));
  xml.text("status", status);
  xml.text("attachTime", to_iso8601(backend.now(), true));
  xml.flag("deleteOnTermination", false);
}

void write_volume(XmlWriter& xml, const Backend& backend, const VolumeInfo& info) {
  xml.text("volumeId", info.id);
  xml.number("size", info.gigabytes);
  xml.text("snapshotId", "");
  xml.text("availabilityZone", zone_of(backend, info.id));
  xml.text("status", info.attached_to.empty() ? "available" : "in-use");
  xml.text("createTime", kept(backend, info.id).value("created", to_iso8601(backend.now(), true)));
  xml.element("attachmentSet", [&] {
    if (!info.attached_to.empty())
      xml.element("item", [&] { write_attachment(xml, backend, info.id, info.attached_to, "attached"); });
  });
  Tags tags = resource_tags(backend, info.id);
  if (!info.name.starts_with(kUnnamed)) tags.insert(tags.begin(), {"Name", info.name});
  write_tags(xml, tags);
  xml.text("volumeType", "gp3");
  xml.flag("encrypted", false);
  xml.flag("multiAttachEnabled", false);
}

void create_volume(const CallPtr& call) {
  const auto size = call->query.number("Size", 1, 16'384);
  if (size.has_error()) return call->fail(size.error());
  if (!size.value()) return call->fail(missing_parameter("Size"));
  const auto wanted = call->query.required("AvailabilityZone");
  if (wanted.has_error()) return call->fail(wanted.error());
  const std::string zone = zone_inside(call->backend, wanted.value());
  if (zone.empty())
    return call->fail(Fault{
        400, "InvalidZone.NotFound", "The zone '" + wanted.value().substr(0, 100) + "' does not exist.", {}});
  const auto specifications = call->query.tag_specifications();
  if (specifications.has_error()) return call->fail(specifications.error());
  if (call->is_dry()) return;
  Tags tags;
  for (const auto& each : specifications.value())
    if (each.resource_type == "volume") tags = each.tags;
  const std::string token = call->query.value("ClientToken");
  std::string name =
      std::string(kUnnamed) + (token.empty() ? std::to_string(call->cloud().volumes() + 1) : token);
  std::erase_if(tags, [&](const auto& tag) {
    if (tag.first == "Name" && !tag.second.empty()) name = tag.second;
    return tag.first == "Name";
  });
  const CallContext context = call->context(call->backend.subject(call->request, nullptr, name));
  call->backend.calls().createVolume(
      context, name, static_cast<unsigned>(*size.value()), token,
      [call, zone, tags](Result<VolumeInfo> made) {
        if (made.has_error()) {
          Fault fault = fault_of(made.error(), kNotFound);
          if (made.error().code == ErrorCode::quota) fault.code = "VolumeLimitExceeded";
          return call->fail(fault);
        }
        auto& backend = call->backend;
        const VolumeInfo& info = made.value();
        if (backend.document("ec2.volume", info.id) == nullptr) {
          const nlohmann::json json{{"zone", zone_shown(backend, zone)},
                                    {"created", to_iso8601(backend.now(), true)}};
          backend.put("ec2.volume", info.id, json.dump());
          set_resource_tags(backend, info.id, tags);
        }
        call->answer([&](XmlWriter& xml) { write_volume(xml, backend, info); });
      });
}

void describe_volumes(const CallPtr& call) {
  auto filters = call->query.filters();
  if (filters.has_error()) return call->fail(filters.error());
  const auto ids = call->query.list("VolumeId");
  for (const std::string& id : ids)
    if (const auto known = require_volume(call->backend, id); known.has_error())
      return call->fail(known.error());
  const auto size = call->query.number("MaxResults", 5, 1000);
  if (size.has_error()) return call->fail(size.error());
  std::uint64_t after = 0;
  if (const std::string token = call->query.value("NextToken"); !token.empty()) {
    const auto page = parse_page_token(token);
    if (page.has_error()) return call->fail(page.error());
    after = page.value();
  }
  if (call->is_dry()) return;
  const CallContext context = call->context(call->backend.subject(call->request, nullptr));
  call->backend.calls().listVolumes(context, [call, ids, after, most = size.value().value_or(0),
                                              wanted = filters.value()](Result<std::vector<VolumeInfo>> all) {
    if (all.has_error()) return call->fail(all.error());
    const auto& backend = call->backend;
    const auto passes = [&](const VolumeInfo& info) {
      if (!ids.empty() && std::find(ids.begin(), ids.end(), info.id) == ids.end()) return false;
      Tags tags = resource_tags(backend, info.id);
      tags.emplace_back("Name", info.name);
      return std::all_of(wanted.begin(), wanted.end(), [&](const Filter& filter) {
        if (const auto tagged = passes_tag_filter(filter, tags)) return *tagged;
        if (filter.name == "volume-id") return filter.matches(info.id);
        if (filter.name == "status") return filter.matches(info.attached_to.empty() ? "available" : "in-use");
        if (filter.name == "size") return filter.matches(std::to_string(info.gigabytes));
        if (filter.name == "availability-zone") return filter.matches(zone_of(backend, info.id));
        if (filter.name == "attachment.instance-id") return filter.matches(info.attached_to);
        return false;
      });
    };
    std::string next;
    call->answer([&](XmlWriter& xml) {
      std::int64_t shown = 0;
      std::uint64_t last = 0;
      xml.element("volumeSet", [&] {
        for (const VolumeInfo& info : all.value()) {
          const std::uint64_t number = std::strtoull(info.id.c_str() + 4, nullptr, 10);
          if (number <= after || !passes(info)) continue;
          if (most > 0 && shown == most) {
            next = to_page_token(last);
            break;
          }
          ++shown;
          last = number;
          xml.element("item", [&] { write_volume(xml, backend, info); });
        }
      });
      xml.maybe("nextToken", next);
    });
  });
}

void attach_volume(const CallPtr& call) {
  const auto volume = require_volume(call->backend, call->query.value("VolumeId"));
  if (volume.has_error()) return call->fail(volume.error());
  const auto vm = require_instance(call->backend, call->query.value("InstanceId"));
  if (vm.has_error()) return call->fail(vm.error());
  const std::string device = call->query.value("Device");
  if (device.empty()) return call->fail(missing_parameter("Device"));
  if (call->is_dry()) return;
  const std::string id = volume.value()->id, instance = vm.value()->id;
  const CallContext context = call->context(call->backend.subject(call->request, vm.value()));
  call->backend.calls().attachVolume(context, id, instance, [call, id, instance, device](Result<void> done) {
    if (done.has_error()) {
      Fault fault = fault_of(done.error(), kNotFound);
      if (done.error().code == ErrorCode::wrong_state) fault.code = "VolumeInUse";
      return call->fail(fault);
    }
    auto json = kept(call->backend, id);
    json["device"] = device;
    call->backend.put("ec2.volume", id, json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    call->answer([&](XmlWriter& xml) { write_attachment(xml, call->backend, id, instance, "attached"); });
  });
}

void detach_volume(const CallPtr& call) {
  const auto volume = require_volume(call->backend, call->query.value("VolumeId"));
  if (volume.has_error()) return call->fail(volume.error());
  const std::string id = volume.value()->id;
  if (volume.value()->attached_to == 0)
    return call->fail(Fault{400, "IncorrectState", "Volume '" + id + "' is in the 'available' state.", {}});
  const auto instance = std::make_shared<std::string>();
  call->perform(
      "ec2.DetachVolume", call->backend.subject(call->request, nullptr, id),
      [id, instance](Call& self) -> Answer<void> {
        const cloud::Volume* found = find_volume(self.backend, id);
        if (found == nullptr) return Fault{400, kNotFound, "The volume '" + id + "' does not exist.", {}};
        self.cloud().for_each_instance([&](const cloud::Instance& vm) {
          if (vm.number == found->attached_to) *instance = vm.id;
        });
        const auto done = self.cloud().detach_volume(id);
        if (done.has_error()) return fault_of(done.error(), kNotFound);
        return success();
      },
      [call, id, instance](XmlWriter& xml) {
        write_attachment(xml, call->backend, id, *instance, "detaching");
      });
}

void delete_volume(const CallPtr& call) {
  const auto volume = require_volume(call->backend, call->query.value("VolumeId"));
  if (volume.has_error()) return call->fail(volume.error());
  if (call->is_dry()) return;
  const std::string id = volume.value()->id;
  const CallContext context = call->context(call->backend.subject(call->request, nullptr, id));
  call->backend.calls().deleteVolume(context, id, [call, id](Result<void> done) {
    if (done.has_error()) {
      Fault fault = fault_of(done.error(), kNotFound);
      if (done.error().code == ErrorCode::wrong_state) fault.code = "VolumeInUse";
      return call->fail(fault);
    }
    call->backend.erase("ec2.volume", id);
    call->backend.erase("ec2.tags", id);
    call->answer_true();
  });
}

constexpr Action kActions[] = {{"CreateVolume", create_volume},
                               {"DescribeVolumes", describe_volumes},
                               {"AttachVolume", attach_volume},
                               {"DetachVolume", detach_volume},
                               {"DeleteVolume", delete_volume}};

}  // namespace

std::span<const Action> volume_actions() { return kActions; }

}  // namespace drover::wire::ec2
