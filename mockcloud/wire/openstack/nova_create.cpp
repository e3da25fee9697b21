// POST /servers.
#include <algorithm>

#include "manager/system/digest.hpp"
#include "mockcloud/wire/openstack/ids.hpp"
#include "mockcloud/wire/openstack/nova.hpp"

namespace drover::wire::openstack {
namespace {

constexpr std::size_t kNameMax = 255;
constexpr std::size_t kUserDataMax = 65'535;  // characters of base64
constexpr std::uint64_t kServersMax = 100;    // of one request

// The last version in which a property is known, and the first; 0: always.
struct Property {
  std::string_view name;
  int from = 0;
  int until = 0;
};
constexpr Property kProperties[] = {
    {"name"},
    {"imageRef"},
    {"flavorRef"},
    {"networks"},
    {"metadata"},
    {"user_data"},
    {"key_name"},
    {"security_groups"},
    {"availability_zone"},
    {"config_drive"},
    {"min_count"},
    {"max_count"},
    {"return_reservation_id"},
    {"adminPass"},
    {"OS-DCF:diskConfig"},
    {"accessIPv4"},
    {"accessIPv6"},
    {"personality", 0, 56},
    {"block_device_mapping"},
    {"block_device_mapping_v2"},
    {"description", 19, 0},
    {"tags", 52, 0},
    {"hostname", 90, 0},
    {"trusted_image_certificates", 63, 0},
    {"host", 74, 0},
    {"hypervisor_hostname", 74, 0},
};

// What cannot be decoded is dropped, as Nova drops it: it accepts anything and stores it.
std::string decoded(const std::string& text) { return base64_decode(text).value_or(std::string()); }

}  // namespace

struct Nova::Creation {
  ExchangePtr exchange;
  InstanceSpec spec;
  Json details = Json::object();
  std::uint64_t least = 1;
  std::uint64_t most = 1;
  bool only_reservation = false;
  std::string reservation;
  std::string password;
  std::uint64_t made = 0;
  std::string first;  // UUID
};

std::string bad_field(const std::string& field, const Json& value, const std::string& why) {
  // A text stands in the message as it is; whatever else as Python prints it.
  const std::string shown = value.is_string() ? value.get<std::string>().substr(0, kNameMax) : quoted(value);
  return "Invalid input for field/attribute " + field.substr(0, kNameMax) + ". Value: " + shown + ". " + why;
}

bool check_name(Exchange& exchange, const Json& name) {
  std::string why;
  if (!name.is_string())
    why = quoted(name) + " is not of type 'string'";
  else if (name.get_ref<const std::string&>().find_first_not_of(' ') == std::string::npos)
    why = quoted(name) + " is too short";
  else if (name.get_ref<const std::string&>().size() > kNameMax)
    why = quoted(name) + " is too long";
  else
    return true;
  refuse(exchange, 400, bad_field("name", name, why));
  return false;
}

std::optional<Tags> metadata_of(Exchange& exchange, const Json& metadata) {
  const auto bad = [&](int status, const std::string& message) -> std::optional<Tags> {
    refuse(exchange, status, message);
    return std::nullopt;
  };
  if (!metadata.is_object())
    return bad(400, bad_field("metadata", metadata, quoted(metadata) + " is not of type 'object'"));
  Tags tags;
  for (const auto& [key, value] : metadata.items()) {
    if (key.empty() || key.size() > kNameMax)
      return bad(400, bad_field("metadata", metadata,
                                "'" + key.substr(0, 80) +
                                    "' does not match any of the regexes: '^[a-zA-Z0-9-_:. ]{1,255}$'"));
    if (!value.is_string())
      return bad(400, bad_field(key, value, quoted(value) + " is not of type 'string'"));
    if (value.get_ref<const std::string&>().size() > kNameMax)
      return bad(400, bad_field(key, value, quoted(value) + " is too long"));
    tags.emplace_back(key, value.get<std::string>());
  }
  if (tags.size() > kServerMetaMax)
    return bad(403, "Maximum number of metadata items exceeds " + std::to_string(kServerMetaMax));
  return tags;
}

bool Nova::check_body(Exchange& exchange, const Json& wanted) const {
  const auto bad = [&](const std::string& message) {
    refuse(exchange, 400, message);
    return false;
  };
  for (const char* required : {"name", "flavorRef"})
    if (!wanted.contains(required))
      return bad(bad_field("server", wanted, std::string("'") + required + "' is a required property"));
  if (exchange.minor >= 37 && member(wanted, "networks") == nullptr)
    return bad(bad_field("server", wanted, "'networks' is a required property"));
  for (const auto& [key, value] : wanted.items()) {
    const Property* found = nullptr;
    for (const Property& each : kProperties)
      if (each.name == key || "os:scheduler_hints" == key) found = &each;
    if (found == nullptr || exchange.minor < found->from ||
        (found->until != 0 && exchange.minor > found->until))
      return bad(
          bad_field("server", wanted,
                    "Additional properties are not allowed ('" + key.substr(0, 80) + "' was unexpected)"));
    const bool must_be_text = key == "user_data" || key == "key_name" || key == "availability_zone" ||
                              key == "adminPass" || key == "hostname";
    if (must_be_text && !value.is_string() && !value.is_null())
      return bad(bad_field(key, value, quoted(value) + " is not of type 'string'"));
  }
  return check_name(exchange, wanted["name"]);
}

bool Nova::read_places(Exchange& exchange, const Json& wanted, Creation& creation) const {
  const auto bad = [&](const std::string& message) {
    refuse(exchange, 400, message);
    return false;
  };
  const Json& flavor_ref = *member(wanted, "flavorRef");
  const std::string flavor_id = flavor_ref.is_string() ? flavor_ref.get<std::string>() : flavor_ref.dump();
  std::string image_id;
  if (const Json* ref = member(wanted, "imageRef"); ref != nullptr) {
    if (!ref->is_string()) return bad(bad_field("imageRef", *ref, quoted(*ref) + " is not of type 'string'"));
    image_id = ref->get<std::string>();
    // A link to the image is taken, too: its last part is the id.
    if (const auto slash = image_id.rfind('/'); slash != std::string::npos)
      image_id = image_id.substr(slash + 1);
    if (!image_id.empty() && !is_uuid(image_id))
      return bad(bad_field("imageRef", *ref, quoted(*ref) + " is not valid under any of the given schemas"));
  }
  if (const Json* devices = member(wanted, "block_device_mapping_v2");
      devices != nullptr && devices->is_array())
    for (const auto& device : *devices)
      if (image_id.empty() && text_member(device, "source_type") == "image")
        image_id = text_member(device, "uuid").value_or("");
  if (image_id.empty()) return bad("Missing imageRef attribute");
  const auto flavor = catalogue_.flavor(flavor_id);
  if (!flavor) return bad("Flavor " + flavor_id.substr(0, 80) + " could not be found.");
  const auto image = catalogue_.image_name(image_id);
  if (!image) return bad("Can not find requested image");
  creation.spec.size = flavor->name;
  creation.spec.image = *image;
  if (const auto zone = text_member(wanted, "availability_zone")) {
    const auto& zones = catalogue_.zones();
    if (std::find(zones.begin(), zones.end(), *zone) == zones.end())
      return bad("The requested availability zone is not available");
  }
  return read_network(exchange, wanted, creation);
}

bool Nova::read_network(Exchange& exchange, const Json& wanted, Creation& creation) const {
  const auto bad = [&](const std::string& message) {
    refuse(exchange, 400, message);
    return false;
  };
  const auto& known = catalogue_.networks();
  if (!known.empty()) creation.spec.network = known.front();
  const Json* networks = member(wanted, "networks");
  if (networks == nullptr) return true;
  if (networks->is_string() && exchange.minor >= 37) {
    if (*networks == Json("none")) {
      creation.details["no_network"] = true;
      return true;
    }
    if (*networks == Json("auto")) return true;
  }
  if (!networks->is_array())
    return bad(
        bad_field("networks", *networks, quoted(*networks) + " is not valid under any of the given schemas"));
  bool first = true;
  for (const auto& each : *networks) {
    const auto id = text_member(each, "uuid"), port = text_member(each, "port");
    if (port) return bad("Port id " + port->substr(0, 80) + " could not be found.");
    if (!id || !is_uuid(*id))
      return bad(bad_field("uuid", each, quoted(each) + " is not valid under any of the given schemas"));
    const auto name = catalogue_.network_name(*id);
    if (!name) return bad("Network " + *id + " could not be found.");
    // The cloud gives an instance one address: that of the first network.
    if (first) creation.spec.network = *name;
    first = false;
  }
  return true;
}

bool Nova::read_details(Exchange& exchange, const Json& wanted, Creation& creation) const {
  const auto bad = [&](const std::string& message) {
    refuse(exchange, 400, message);
    return false;
  };
  Json& details = creation.details;
  details["user"] = exchange.who.user;
  if (const auto key = text_member(wanted, "key_name")) {
    if (backend_.document(kKeypairs, *key) == nullptr) return bad("Invalid key_name provided.");
    details["key_name"] = *key;
  }
  if (const Json* groups = member(wanted, "security_groups"); groups != nullptr) {
    if (!groups->is_array()) return bad(bad_field("security_groups", *groups, "is not of type 'array'"));
    for (const auto& group : *groups) {
      const std::string name = text_member(group, "name").value_or("");
      if (name != "default" && name != named_uuid("group", "default"))
        return bad("Unable to find security_group with name or id '" + name.substr(0, 80) + "'");
      details["security_groups"] = Json::array({"default"});
    }
  }
  if (const auto data = text_member(wanted, "user_data")) {
    if (data->size() > kUserDataMax)
      return bad(bad_field("user_data", Json(*data), quoted(Json(*data)) + " is too long"));
    creation.spec.user_data = decoded(*data);
  }
  if (const Json* drive = member(wanted, "config_drive"); drive != nullptr)
    details["config_drive"] = *drive == Json(true) || *drive == Json("True") || *drive == Json("true");
  for (const char* each : {"description", "hostname"})
    if (const auto text = text_member(wanted, each)) details[each] = text->substr(0, kNameMax);
  if (const Json* tags = member(wanted, "tags"); tags != nullptr && exchange.minor >= 52) {
    if (!tags->is_array() || tags->size() > 50) return bad(bad_field("tags", *tags, "is too long"));
    for (const auto& tag : *tags)
      if (!tag.is_string() || tag.get<std::string>().empty() || tag.get<std::string>().size() > 60)
        return bad(bad_field("tags", *tags, quoted(tag) + " is not valid"));
    details["tags"] = *tags;
  }
  if (const Json* metadata = member(wanted, "metadata"); metadata != nullptr) {
    auto tags = metadata_of(exchange, *metadata);
    if (!tags) return false;
    creation.spec.tags = std::move(*tags);
  }
  return true;
}

bool Nova::read_counts(Exchange& exchange, const Json& wanted, Creation& creation) const {
  const auto bad = [&](const std::string& message) {
    refuse(exchange, 400, message);
    return false;
  };
  for (const char* each : {"min_count", "max_count"})
    if (const Json* value = member(wanted, each);
        value != nullptr && !number_member(wanted, each, 1, kServersMax))
      return bad(
          bad_field(each, *value, quoted(*value) + " is not between 1 and " + std::to_string(kServersMax)));
  creation.least = number_member(wanted, "min_count", 1, kServersMax).value_or(1);
  creation.most = number_member(wanted, "max_count", 1, kServersMax).value_or(creation.least);
  if (creation.least > creation.most) return bad("min_count must be <= max_count");
  const Json* reservation = member(wanted, "return_reservation_id");
  creation.only_reservation =
      reservation != nullptr && (*reservation == Json(true) || *reservation == Json("True"));
  const auto& config = backend_.cloud().config();
  if (config.quota_instances == 0) return true;
  const std::uint64_t used = backend_.cloud().quota_used();
  const std::uint64_t left = used < config.quota_instances ? config.quota_instances - used : 0;
  if (creation.least > left) {
    refuse(exchange, 403,
           "Quota exceeded for instances: Requested " + std::to_string(creation.most) +
               ", but already used " + std::to_string(used) + " of " +
               std::to_string(config.quota_instances) + " instances");
    return false;
  }
  creation.most = std::min(creation.most, left);
  return true;
}

void Nova::create(const ExchangePtr& exchange) {
  const auto body = body_of(*exchange);
  if (!body) return;
  const Json* wanted = member(*body, "server");
  if (wanted == nullptr || !wanted->is_object())
    return refuse(*exchange, 400, "'server' is a required property");
  auto creation = std::make_shared<Creation>();
  creation->exchange = exchange;
  creation->spec.name = text_member(*wanted, "name").value_or("");
  if (!check_body(*exchange, *wanted) || !read_places(*exchange, *wanted, *creation) ||
      !read_details(*exchange, *wanted, *creation) || !read_counts(*exchange, *wanted, *creation))
    return;
  creation->password = text_member(*wanted, "adminPass").value_or(backend_.token("openstack.password", 12));
  creation->reservation = "r-" + backend_.token("openstack.reservation", 8);
  creation->details["reservation"] = creation->reservation;
  exchange->subject = backend_.subject(exchange->request, creation->spec);
  create_next(creation);
}

void Nova::create_next(const std::shared_ptr<Creation>& creation) {
  InstanceSpec spec = creation->spec;
  if (creation->most > 1) spec.name += "-" + std::to_string(creation->made + 1);
  const std::string token = servers_.new_token();
  servers_.keep_details(token, creation->details);
  CallContext context;
  context.subject = creation->exchange->subject;
  backend_.calls().newInstance(
      context, spec, token, [this, creation, spec, token](Result<InstanceInfo> result) {
        std::string uuid;
        if (result) {
          const auto server = servers_.from(result.value());
          if (server) uuid = server->uuid;
        } else if (result.error().code == ErrorCode::capacity) {
          servers_.forget_details(token);
          uuid = servers_.keep_failed(spec, "No valid host was found. ", creation->details).uuid;
        } else if (creation->made < creation->least || result.error().code != ErrorCode::quota) {
          const Error& error = result.error();
          if (error.effect == Effect::none) servers_.forget_details(token);
          const auto& config = backend_.cloud().config();
          if (error.code == ErrorCode::quota)
            return refuse(*creation->exchange, 403,
                          "Quota exceeded for instances: Requested " + std::to_string(creation->most) +
                              ", but already used " + std::to_string(backend_.cloud().quota_used()) + " of " +
                              std::to_string(config.quota_instances) + " instances");
          return refuse(*creation->exchange, error);
        } else {
          servers_.forget_details(token);
          creation->most = creation->made;
        }
        if (result && uuid.empty())
          return refuse(*creation->exchange,
                        make_error(ErrorCode::internal, "the created instance is unknown"));
        if (!uuid.empty()) {
          if (creation->first.empty()) creation->first = uuid;
          ++creation->made;
        }
        if (creation->made >= creation->most) return finish(*creation);
        create_next(creation);
      });
}

void Nova::finish(Creation& creation) {
  Exchange& exchange = *creation.exchange;
  Json body;
  if (creation.only_reservation) {
    body["reservation_id"] = creation.reservation;
    return answer(exchange, 202, body);
  }
  Json& server = body["server"];
  server["id"] = creation.first;
  server["links"] = links_of(exchange, "servers", creation.first);
  server["OS-DCF:diskConfig"] = "MANUAL";
  server["security_groups"] = Json::array({Json{{"name", "default"}}});
  server["adminPass"] = creation.password;
  http::Response response;
  response.status = 202;
  response.fields.emplace_back("Location", exchange.origin + "/compute/v2.1/servers/" + creation.first);
  response.body = to_text(body);
  answer(exchange, std::move(response));
}

}  // namespace drover::wire::openstack
