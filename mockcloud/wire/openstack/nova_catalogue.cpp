// Compute's resources that are no servers: flavors, key pairs, limits, zones, and the older lists of images.
#include <algorithm>

#include "manager/system/digest.hpp"
#include "mockcloud/wire/openstack/ids.hpp"
#include "mockcloud/wire/openstack/nova.hpp"

namespace drover::wire::openstack {
namespace {

constexpr int kUnlimited = -1;
constexpr std::size_t kKeypairsMax = 100;
constexpr std::size_t kPublicKeyMax = 65'535;

bool is_key_name(const std::string& name) {
  return !name.empty() && name.size() <= 255 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == ' ' || c == '.' || c == '@';
  });
}

std::string fingerprint_of(const std::string& key) {
  const std::string digits = to_hex(sha256(key)).substr(0, 32);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); i += 2) text += (i == 0 ? "" : ":") + digits.substr(i, 2);
  return text;
}

}  // namespace

void Nova::catalogue(Exchange& exchange) {
  const auto& path = exchange.path;
  const std::string first = path.empty() ? std::string() : path[0];
  if (first == "flavors") return flavors(exchange);
  if (first == "images") {
    if (exchange.minor < 36) return images(exchange);
    return refuse(exchange, 404, "The resource could not be found.");
  }
  // What only administrators may ask for.
  for (const char* admins : {"os-services", "os-hypervisors", "os-aggregates", "os-agents", "os-migrations"})
    if (first == admins) return refuse_policy(exchange, "os_compute_api:" + first + ":list");
  Json body;
  if (first == "os-quota-sets" && (path.size() == 2 || path.size() == 3)) {
    if (exchange.request.method == "PUT")
      return refuse_policy(exchange, "os_compute_api:os-quota-sets:update");
    if (exchange.request.method != "GET") return refuse_route(exchange);
    Json quota;
    quota["id"] = path[1];
    quota.update(quota_json());
    if (path.size() == 3 && path[2] == "detail")
      for (auto& [key, value] : quota.items())
        if (key != "id") value = Json{{"limit", value}, {"in_use", 0}, {"reserved", 0}};
    if (path.size() == 3 && path[2] == "detail") quota["instances"]["in_use"] = backend_.cloud().quota_used();
    body["quota_set"] = quota;
    return answer(exchange, 200, body);
  }
  if (exchange.request.method != "GET") {
    if (first == "os-server-groups") return refuse_policy(exchange, "os_compute_api:os-server-groups:create");
    return refuse_route(exchange);
  }
  if (first == "limits" && path.size() == 1) return limits(exchange);
  if (first == "os-availability-zone") return zones(exchange);
  if (first == "extensions" && path.size() == 1) {
    body["extensions"] = Json::array();
    return answer(exchange, 200, body);
  }
  if (first == "os-server-groups" && path.size() == 1) {
    body["server_groups"] = Json::array();
    return answer(exchange, 200, body);
  }
  if (first == "os-floating-ips" && path.size() == 1 && exchange.minor < 36) {
    body["floating_ips"] = Json::array();
    return answer(exchange, 200, body);
  }
  if (first == "os-security-groups" && path.size() == 1 && exchange.minor < 36) {
    Json group;
    group["id"] = named_uuid("group", "default");
    group["name"] = "default";
    group["description"] = "Default security group";
    group["tenant_id"] = catalogue_.project_id();
    group["rules"] = Json::array();
    body["security_groups"] = Json::array({group});
    return answer(exchange, 200, body);
  }
  refuse_route(exchange);
}

void Nova::flavors(Exchange& exchange) {
  const auto& path = exchange.path;
  if (exchange.request.method != "GET") {
    if (exchange.is("POST", 1)) return refuse_policy(exchange, "os_compute_api:os-flavor-manage:create");
    if (exchange.is("DELETE", 2)) return refuse_policy(exchange, "os_compute_api:os-flavor-manage:delete");
    return refuse_route(exchange);
  }
  Json body;
  if (path.size() == 1 || (path.size() == 2 && path[1] == "detail")) {
    const bool detail = path.size() == 2;
    std::vector<Flavor> found;
    for (const auto& [key, value] : exchange.query) {
      const bool number =
          !value.empty() && value.size() < 10 &&
          std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
      if ((key == "minRam" || key == "minDisk") && !number)
        return refuse(exchange, 400, "Invalid " + key + " filter [" + value.substr(0, 80) + "]");
    }
    const auto least = [&](const char* name) {
      const std::string* value = exchange.parameter(name);
      return value != nullptr ? std::stoul(*value) : 0UL;
    };
    for (const Flavor& flavor : catalogue_.flavors())
      if (flavor.ram >= least("minRam") && flavor.disk >= least("minDisk")) found.push_back(flavor);
    bool more = false;
    const auto page = page_of(
        exchange, std::move(found), kPageMax, [](const Flavor& f) { return f.id; }, more);
    if (!page) return;
    body["flavors"] = Json::array();
    for (const Flavor& flavor : *page) body["flavors"].push_back(flavor_json(exchange, flavor, detail));
    if (more) {
      Json link;
      link["rel"] = "next";
      link["href"] = exchange.origin + "/compute/v2.1/" +
                     next_page(exchange, detail ? "flavors/detail" : "flavors", page->back().id);
      body["flavors_links"] = Json::array({link});
    }
    return answer(exchange, 200, body);
  }
  const auto flavor = catalogue_.flavor(path[1]);
  if (!flavor) return refuse(exchange, 404, "Flavor " + path[1].substr(0, 80) + " could not be found.");
  if (path.size() == 2)
    body["flavor"] = flavor_json(exchange, *flavor, true);
  else if (path.size() == 3 && path[2] == "os-extra_specs")
    body["extra_specs"] = Json::object();
  else
    return refuse_route(exchange);
  answer(exchange, 200, body);
}

// The images as compute showed them until 2.35; libcloud reads them here.
void Nova::images(Exchange& exchange) {
  const auto& path = exchange.path;
  if (exchange.request.method != "GET" || path.size() > 2) return refuse_route(exchange);
  const bool detail = path.size() == 2;
  const auto image_json = [&](const std::string& name) {
    Json json;
    json["id"] = catalogue_.image_id(name);
    json["name"] = name;
    if (detail) {
      json["minRam"] = 0;
      json["minDisk"] = 0;
      json["metadata"] = Json::object();
      json["created"] = calendar_.text(kEpoch);
      json["updated"] = calendar_.text(kEpoch);
      json["status"] = "ACTIVE";
      json["progress"] = 100;
      json["OS-EXT-IMG-SIZE:size"] = 1024;
    }
    json["links"] = links_of(exchange, "images", catalogue_.image_id(name));
    Json alternate;
    alternate["rel"] = "alternate";
    alternate["type"] = "application/vnd.openstack.image";
    alternate["href"] = exchange.origin + "/image/images/" + catalogue_.image_id(name);
    json["links"].push_back(alternate);
    return json;
  };
  Json body;
  if (detail && path[1] != "detail") {
    for (const auto& name : catalogue_.images())
      if (catalogue_.image_id(name) == path[1]) {
        body["image"] = image_json(name);
        return answer(exchange, 200, body);
      }
    return refuse(exchange, 404, "Image not found.");
  }
  body["images"] = Json::array();
  const std::string* name = exchange.parameter("name");
  for (const auto& each : catalogue_.images())
    if (name == nullptr || *name == each) body["images"].push_back(image_json(each));
  answer(exchange, 200, body);
}

Json Nova::quota_json() const {
  const auto& config = backend_.cloud().config();
  Json quota;
  const auto limit = [](unsigned value) { return value == 0 ? kUnlimited : static_cast<int>(value); };
  quota["cores"] = kUnlimited;
  quota["fixed_ips"] = kUnlimited;
  quota["floating_ips"] = kUnlimited;
  quota["injected_file_content_bytes"] = 10240;
  quota["injected_file_path_bytes"] = 255;
  quota["injected_files"] = 5;
  quota["instances"] = limit(config.quota_instances);
  quota["key_pairs"] = kKeypairsMax;
  quota["metadata_items"] = kServerMetaMax;
  quota["ram"] = kUnlimited;
  quota["security_group_rules"] = kUnlimited;
  quota["security_groups"] = kUnlimited;
  quota["server_group_members"] = 10;
  quota["server_groups"] = 10;
  return quota;
}

void Nova::limits(Exchange& exchange) {
  const Json quota = quota_json();
  unsigned cores = 0, ram = 0, used = 0;
  backend_.cloud().for_each_instance([&](const cloud::Instance& vm) {
    if (!vm.counts_to_quota) return;
    const Flavor flavor = catalogue_.flavor_named(vm.spec.size);
    cores += flavor.vcpus;
    ram += flavor.ram;
    ++used;
  });
  Json absolute;
  absolute["maxTotalInstances"] = quota["instances"];
  absolute["maxTotalCores"] = kUnlimited;
  absolute["maxTotalRAMSize"] = kUnlimited;
  absolute["maxServerMeta"] = kServerMetaMax;
  absolute["maxImageMeta"] = 128;
  absolute["maxPersonality"] = 5;
  absolute["maxPersonalitySize"] = 10240;
  absolute["maxTotalKeypairs"] = kKeypairsMax;
  absolute["maxServerGroups"] = 10;
  absolute["maxServerGroupMembers"] = 10;
  absolute["maxTotalFloatingIps"] = kUnlimited;
  absolute["maxSecurityGroups"] = kUnlimited;
  absolute["maxSecurityGroupRules"] = kUnlimited;
  absolute["totalRAMUsed"] = ram;
  absolute["totalCoresUsed"] = cores;
  absolute["totalInstancesUsed"] = used;
  absolute["totalFloatingIpsUsed"] = 0;
  absolute["totalSecurityGroupsUsed"] = 0;
  absolute["totalServerGroupsUsed"] = 0;
  Json body;
  body["limits"]["rate"] = Json::array();
  body["limits"]["absolute"] = absolute;
  answer(exchange, 200, body);
}

void Nova::zones(Exchange& exchange) {
  if (exchange.path.size() == 2 && exchange.path[1] == "detail")
    return refuse_policy(exchange, "os_compute_api:os-availability-zone:detail");
  if (exchange.path.size() != 1) return refuse_route(exchange);
  Json body;
  body["availabilityZoneInfo"] = Json::array();
  for (const auto& name : catalogue_.zones()) {
    Json zone;
    zone["zoneName"] = name;
    zone["zoneState"]["available"] = true;
    zone["hosts"] = nullptr;
    body["availabilityZoneInfo"].push_back(zone);
  }
  answer(exchange, 200, body);
}

Json Nova::keypair_json(const Exchange& exchange, const std::string& name, const std::string& text) const {
  const Json stored = parse_json(text).value_or(Json::object());
  Json json;
  json["name"] = name;
  json["public_key"] = text_member(stored, "public_key").value_or("");
  json["fingerprint"] = text_member(stored, "fingerprint").value_or("");
  if (exchange.minor >= 2) json["type"] = text_member(stored, "type").value_or("ssh");
  return json;
}

void Nova::keypairs(const ExchangePtr& exchange) {
  Exchange& e = *exchange;
  if (e.is("POST", 1))
    return look_up(backend_, exchange, "nova.keypair", [this](Exchange& a) { create_keypair(a); });
  const bool known = e.is("GET", 1) || e.is("GET", 2) || e.is("DELETE", 2);
  if (!known) return refuse_route(e);
  look_up(backend_, exchange, "nova.keypair", [this](Exchange& asked) {
    Json body;
    if (asked.path.size() == 1) {
      body["keypairs"] = Json::array();
      for (const auto& [name, text] : backend_.documents(kKeypairs)) {
        Json entry;
        entry["keypair"] = keypair_json(asked, name, text);
        body["keypairs"].push_back(entry);
      }
      return answer(asked, 200, body);
    }
    const std::string& name = asked.path[1];
    const std::string* text = backend_.document(kKeypairs, name);
    if (text == nullptr)
      return refuse(
          asked, 404,
          "Keypair " + name.substr(0, 255) + " not found for user " + catalogue_.user_id(asked.who.user));
    if (asked.request.method == "DELETE") {
      backend_.erase(kKeypairs, name);
      return answer_empty(asked, asked.minor < 2 ? 202 : 204);
    }
    Json shown = keypair_json(asked, name, *text);
    shown["user_id"] = catalogue_.user_id(asked.who.user);
    shown["deleted"] = false;
    shown["created_at"] = calendar_.text(kEpoch);
    shown["updated_at"] = nullptr;
    shown["deleted_at"] = nullptr;
    shown["id"] = 1;
    body["keypair"] = shown;
    answer(asked, 200, body);
  });
}

void Nova::create_keypair(Exchange& exchange) {
  const auto body = body_of(exchange);
  if (!body) return;
  const Json* wanted = member(*body, "keypair");
  const auto name = wanted != nullptr ? text_member(*wanted, "name") : std::nullopt;
  if (!name)
    return refuse(
        exchange, 400,
        bad_field("keypair", wanted != nullptr ? *wanted : Json(), "'name' is a required property"));
  if (!is_key_name(*name))
    return refuse(exchange, 400,
                  "An invalid 'name' value was provided. The name must be: Only expected characters: [_- "
                  "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ]");
  if (backend_.document(kKeypairs, *name) != nullptr)
    return refuse(exchange, 409, "Key pair '" + *name + "' already exists.");
  if (backend_.documents(kKeypairs).size() >= kKeypairsMax)
    return refuse(exchange, 403, "Quota exceeded, too many key pairs.");
  const auto given = text_member(*wanted, "public_key");
  if (given && (given->size() > kPublicKeyMax || given->find(' ') == std::string::npos))
    return refuse(exchange, 400, "Keypair data is invalid: failed to generate fingerprint");
  if (!given && exchange.minor >= 92)
    return refuse(exchange, 400,
                  "Invalid input for field/attribute keypair. 'public_key' is a required property");
  // A made-up key: nothing logs in to a simulated machine with it.
  const std::string secret = given ? std::string() : backend_.token("openstack.key", 64);
  const std::string key =
      given ? *given
            : "ssh-rsa " + base64_encode(sha256(secret) + sha256(secret + "2")) + " Generated-by-Nova";
  Json stored;
  stored["public_key"] = key;
  stored["fingerprint"] = fingerprint_of(key);
  stored["type"] = text_member(*wanted, "type").value_or("ssh");
  backend_.put(kKeypairs, *name, to_text(stored));
  Json shown = keypair_json(exchange, *name, to_text(stored));
  if (!given)
    shown["private_key"] =
        "-----BEGIN RSA "
        "PRIVATE KEY-----\n" +
        base64_encode(secret) +
        "\n-----END RSA "
        "PRIVATE KEY-----\n";
  shown["user_id"] = catalogue_.user_id(exchange.who.user);
  Json answered;
  answered["keypair"] = shown;
  answer(exchange, exchange.minor < 2 ? 200 : 201, answered);
}

}  // namespace drover::wire::openstack
