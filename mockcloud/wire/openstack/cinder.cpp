#include "mockcloud/wire/openstack/cinder.hpp"

#include <algorithm>

#include "mockcloud/wire/openstack/ids.hpp"

namespace drover::wire::openstack {
namespace {

constexpr std::size_t kPageMax = 1000;
constexpr std::size_t kNameMax = 255;
constexpr unsigned kGigabytesMax = 65'536;

// The cloud needs a name where Cinder needs none.
std::string cloud_name(const std::string& name) { return name.empty() ? "volume" : name; }

bool is_metadata(const Json& metadata) {
  if (!metadata.is_object() || metadata.size() > 128) return false;
  for (const auto& [key, value] : metadata.items())
    if (key.empty() || key.size() > kNameMax || !value.is_string() ||
        value.get_ref<const std::string&>().size() > kNameMax)
      return false;
  return true;
}

}  // namespace

bool Cinder::is_version(const Exchange& exchange) {
  return exchange.path.empty() || (exchange.path.size() == 1 && exchange.path[0] == "v3");
}

void Cinder::versions(Exchange& exchange) {
  Json version, link, body;
  version["id"] = "v3.0";
  version["status"] = "CURRENT";
  version["version"] = "3.70";
  version["min_version"] = "3.0";
  version["updated"] = "2022-08-31T00:00:00Z";
  link["rel"] = "self";
  link["href"] = exchange.origin + "/volume/v3/";
  version["links"] = Json::array({link});
  version["media-types"] = Json::array();
  body["versions"] = Json::array({version});
  answer(exchange, exchange.path.empty() ? 300 : 200, body);
}

void Cinder::handle(const ExchangePtr& exchange) {
  Exchange& e = *exchange;
  auto& path = e.path;
  if (path[0] != "v3") return refuse_route(e);
  path.erase(path.begin());
  if (path.empty() || path[0] != catalogue_.project_id()) return refuse(e, 400, "Malformed request url");
  path.erase(path.begin());
  if (!path.empty() && path[0] == "volumes") return volumes(exchange);
  look_up(backend_, exchange, "cinder.look_up", [this](Exchange& asked) { other(asked); });
}

void Cinder::volumes(const ExchangePtr& exchange) {
  const Exchange& e = *exchange;
  const auto& path = e.path;
  if (e.is("GET", 1)) return list(exchange, false);
  if (e.is("GET", 2) && path[1] == "detail") return list(exchange, true);
  if (e.is("POST", 1)) return create(exchange);
  if (e.is("PUT", 2)) return change(exchange);
  if (e.is("DELETE", 2)) return remove(exchange);
  if (!e.is("GET", 2)) return refuse_route(*exchange);
  look_up(backend_, exchange, "cinder.look_up", [this](Exchange& asked) {
    const cloud::Volume* volume = volumes_.find(asked.path[1]);
    if (volume == nullptr)
      return refuse(asked, 404, "Volume " + asked.path[1].substr(0, 80) + " could not be found.");
    Json body;
    body["volume"] = volume_json(asked, *volume, true);
    answer(asked, 200, body);
  });
}

Json Cinder::volume_json(const Exchange& exchange, const cloud::Volume& volume, bool detail) {
  const Json details = volumes_.details(volume);
  const std::string uuid = Volumes::uuid_of(volume.id);
  const std::string base = exchange.origin + "/volume/v3/" + catalogue_.project_id() + "/volumes/" + uuid;
  Json json, self;
  json["id"] = uuid;
  json["name"] = text_member(details, "name").value_or(volume.name);
  self["rel"] = "self";
  self["href"] = base;
  json["links"] = Json::array({self});
  if (!detail) return json;
  const cloud::Instance* vm = nullptr;
  if (volume.attached_to != 0)
    backend_.cloud().for_each_instance([&](const cloud::Instance& each) {
      if (each.number == volume.attached_to && each.live()) vm = &each;
    });
  json["status"] = vm != nullptr ? "in-use" : "available";
  json["size"] = volume.gigabytes;
  json["availability_zone"] = catalogue_.zones().empty() ? "nova" : catalogue_.zones().front();
  json["created_at"] =
      text_member(details, "created").value_or(calendar_.text(kEpoch)).substr(0, 19) + ".000000";
  json["updated_at"] = nullptr;
  json["attachments"] = Json::array();
  if (vm != nullptr) {
    Json attachment;
    attachment["id"] = uuid;
    attachment["attachment_id"] = named_uuid("attachment", uuid);
    attachment["volume_id"] = uuid;
    attachment["server_id"] = Servers::uuid_of(*vm);
    attachment["host_name"] = nullptr;
    attachment["device"] = "/dev/vdb";
    json["attachments"].push_back(attachment);
  }
  json["description"] = nullptr;
  json["volume_type"] = "__DEFAULT__";
  json["snapshot_id"] = nullptr;
  json["source_volid"] = nullptr;
  const Json* metadata = member(details, "metadata");
  json["metadata"] = metadata != nullptr ? *metadata : Json::object();
  json["user_id"] = catalogue_.user_id(exchange.who.user);
  json["bootable"] = "false";
  json["encrypted"] = false;
  json["replication_status"] = nullptr;
  json["consistencygroup_id"] = nullptr;
  json["multiattach"] = false;
  return json;
}

void Cinder::list(const ExchangePtr& exchange, bool detail) {
  exchange->subject = backend_.subject(exchange->request, nullptr, "list");
  CallContext context;
  context.subject = exchange->subject;
  backend_.calls().listVolumes(context, [this, exchange, detail](Result<std::vector<VolumeInfo>> result) {
    if (!result) return refuse(*exchange, result.error());
    std::vector<Json> found;
    for (const VolumeInfo& info : result.value()) {
      const cloud::Volume* volume = volumes_.find(Volumes::uuid_of(info.id));
      if (volume == nullptr) continue;
      const Json json = volume_json(*exchange, *volume, true);
      const std::string *name = exchange->parameter("name"), *status = exchange->parameter("status");
      if ((name != nullptr && json["name"] != Json(*name)) ||
          (status != nullptr && json["status"] != Json(*status)))
        continue;
      found.push_back(detail ? json : volume_json(*exchange, *volume, false));
    }
    std::reverse(found.begin(), found.end());  // the newest first
    bool more = false;
    const auto page = page_of(
        *exchange, std::move(found), kPageMax, [](const Json& item) { return item["id"].get<std::string>(); },
        more);
    if (!page) return;
    Json body;
    body["volumes"] = *page;
    if (more) {
      Json link;
      link["rel"] = "next";
      link["href"] =
          exchange->origin + "/volume/v3/" + catalogue_.project_id() + "/" +
          next_page(*exchange, detail ? "volumes/detail" : "volumes", page->back()["id"].get<std::string>());
      body["volumes_links"] = Json::array({link});
    }
    answer(*exchange, 200, body);
  });
}

void Cinder::create(const ExchangePtr& exchange) {
  const auto body = body_of(*exchange);
  if (!body) return;
  const Json* wanted = member(*body, "volume");
  if (wanted == nullptr || !wanted->is_object())
    return refuse(*exchange, 400,
                  "Invalid input for field/attribute volume. 'volume' is a required property");
  const auto size = number_member(*wanted, "size", 1, kGigabytesMax);
  if (!size)
    return refuse(*exchange, 400,
                  "Invalid input for field/attribute size. Value: " + quoted(wanted->value("size", Json())) +
                      ". is not an integer from 1");
  const std::string name = text_member(*wanted, "name").value_or("");
  const Json metadata = wanted->value("metadata", Json::object());
  if (name.size() > kNameMax || !is_metadata(metadata))
    return refuse(*exchange, 400, "Invalid input for field/attribute metadata. Value: " + quoted(metadata));
  if (member(*wanted, "snapshot_id") != nullptr || member(*wanted, "source_volid") != nullptr ||
      member(*wanted, "imageRef") != nullptr)
    return refuse(*exchange, 400, "this cloud makes empty volumes only");
  const auto gigabytes = static_cast<unsigned>(*size);
  Json details;
  details["name"] = name;
  details["metadata"] = metadata;
  details["created"] = calendar_.text(backend_.now());
  const std::string pending = volumes_.keep_pending(cloud_name(name), gigabytes, details);
  exchange->subject = backend_.subject(exchange->request, nullptr, cloud_name(name));
  CallContext context;
  context.subject = exchange->subject;
  backend_.calls().createVolume(
      context, cloud_name(name), gigabytes, {}, [this, exchange, pending](Result<VolumeInfo> result) {
        if (!result) {
          if (result.error().effect == Effect::none) volumes_.forget_pending(pending);
          if (result.error().code == ErrorCode::quota)
            return refuse(*exchange, 413, result.error().message, "overLimit");
          return refuse(*exchange, result.error());
        }
        volumes_.settle(pending, result.value().id);
        const cloud::Volume* volume = volumes_.find(Volumes::uuid_of(result.value().id));
        if (volume == nullptr) return refuse(*exchange, 500, "the created volume is unknown");
        Json shown;
        shown["volume"] = volume_json(*exchange, *volume, true);
        shown["volume"]["status"] = "creating";
        answer(*exchange, 202, shown);
      });
}

void Cinder::change(const ExchangePtr& exchange) {
  const auto body = body_of(*exchange);
  if (!body) return;
  const Json* wanted = member(*body, "volume");
  if (wanted == nullptr || !wanted->is_object() ||
      (wanted->contains("metadata") && !is_metadata((*wanted)["metadata"])))
    return refuse(*exchange, 400, "Invalid input for field/attribute volume. Value: " + quoted(*body));
  exchange->subject = backend_.subject(exchange->request, nullptr, "volume");
  backend_.request(
      exchange->subject, "cinder.update",
      [this, uuid = exchange->path[1], wanted = *wanted]() -> Result<void> {
        const cloud::Volume* volume = volumes_.find(uuid);
        if (volume == nullptr)
          return make_error(ErrorCode::not_found, "Volume " + uuid.substr(0, 80) + " could not be found.");
        Json details = volumes_.details(*volume);
        if (const auto name = text_member(wanted, "name")) details["name"] = name->substr(0, kNameMax);
        if (const Json* metadata = member(wanted, "metadata"); metadata != nullptr)
          details["metadata"] = *metadata;
        const std::string number = volumes_.keep_pending(volume->name, volume->gigabytes, details);
        volumes_.settle(number, volume->id);
        return success();
      },
      [this, exchange](Result<void> result) {
        if (!result) return refuse(*exchange, result.error());
        const cloud::Volume* volume = volumes_.find(exchange->path[1]);
        if (volume == nullptr) return refuse(*exchange, 404, "Volume could not be found.");
        Json shown;
        shown["volume"] = volume_json(*exchange, *volume, true);
        answer(*exchange, 200, shown);
      });
}

void Cinder::remove(const ExchangePtr& exchange) {
  const std::string uuid = exchange->path[1];
  const cloud::Volume* volume = volumes_.find(uuid);
  if (volume == nullptr)
    return look_up(backend_, exchange, "cinder.delete", [uuid](Exchange& asked) {
      refuse(asked, 404, "Volume " + uuid.substr(0, 80) + " could not be found.");
    });
  const std::string id = volume->id;
  exchange->subject = backend_.subject(exchange->request, nullptr, id);
  CallContext context;
  context.subject = exchange->subject;
  backend_.calls().deleteVolume(context, id, [this, exchange, id](Result<void> result) {
    if (!result && result.error().code == ErrorCode::wrong_state)
      return refuse(
          *exchange, 400,
          "Invalid volume: Volume status must be available or error or error_restoring or "
          "error_extending or error_managing and must not be migrating, attached, belong to a group, "
          "have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer.");
    if (!result) return refuse(*exchange, result.error());
    volumes_.forget(id);
    answer_empty(*exchange, 202);
  });
}

void Cinder::other(Exchange& exchange) {
  const auto& path = exchange.path;
  Json body;
  if (exchange.request.method != "GET" || path.empty()) return refuse_route(exchange);
  const auto& config = backend_.cloud().config();
  const auto limit = [](unsigned value) { return value == 0 ? -1 : static_cast<int>(value); };
  if (path[0] == "types" && path.size() == 1) {
    Json type;
    type["id"] = named_uuid("volume-type", "default");
    type["name"] = "__DEFAULT__";
    type["is_public"] = true;
    type["description"] = "Default Volume Type";
    type["extra_specs"] = Json::object();
    body["volume_types"] = Json::array({type});
    return answer(exchange, 200, body);
  }
  if (path[0] == "os-availability-zone" && path.size() == 1) {
    body["availabilityZoneInfo"] = Json::array();
    for (const auto& name : catalogue_.zones())
      body["availabilityZoneInfo"].push_back(
          Json{{"zoneName", name}, {"zoneState", Json{{"available", true}}}});
    return answer(exchange, 200, body);
  }
  if (path[0] == "limits" && path.size() == 1) {
    std::uint64_t used = 0;
    for (const auto& [number, volume] : backend_.cloud().all_volumes()) used += volume.gigabytes;
    Json absolute;
    absolute["maxTotalVolumes"] = limit(config.quota_volumes);
    absolute["maxTotalVolumeGigabytes"] = limit(config.quota_gigabytes);
    absolute["totalVolumesUsed"] = backend_.cloud().volumes();
    absolute["totalGigabytesUsed"] = used;
    body["limits"]["rate"] = Json::array();
    body["limits"]["absolute"] = absolute;
    return answer(exchange, 200, body);
  }
  if (path[0] == "os-quota-sets" && path.size() == 2) {
    body["quota_set"]["id"] = path[1];
    body["quota_set"]["volumes"] = limit(config.quota_volumes);
    body["quota_set"]["gigabytes"] = limit(config.quota_gigabytes);
    body["quota_set"]["snapshots"] = -1;
    return answer(exchange, 200, body);
  }
  if ((path[0] == "snapshots" || path[0] == "backups") && path.size() <= 2) {
    body[path[0]] = Json::array();
    return answer(exchange, 200, body);
  }
  refuse_route(exchange);
}

}  // namespace drover::wire::openstack
