#include "mockcloud/wire/openstack/catalogue.hpp"

#include <algorithm>

#include "mockcloud/wire/openstack/ids.hpp"

namespace drover::wire::openstack {
namespace {

constexpr std::size_t kDoublingsMax = 6;

Flavor nth_flavor(std::size_t index, const std::string& name) {
  const auto doublings = std::min(index, kDoublingsMax);
  Flavor flavor;
  flavor.id = std::to_string(index + 1);
  flavor.name = name;
  flavor.vcpus <<= doublings;
  flavor.ram <<= doublings;
  flavor.disk <<= doublings;
  return flavor;
}

// The name among `names` whose id is `id`.
std::optional<std::string> name_of(const std::vector<std::string>& names, const char* kind,
                                   const std::string& id, bool strict) {
  for (const auto& name : names)
    if (named_uuid(kind, name) == id) return name;
  if (strict) return std::nullopt;
  return id;
}

std::string id_of(const std::vector<std::string>& names, const char* kind, const std::string& name) {
  const bool listed = std::find(names.begin(), names.end(), name) != names.end();
  return !listed && is_uuid(name) ? name : named_uuid(kind, name);
}

}  // namespace

std::vector<Flavor> Catalogue::flavors() const {
  std::vector<Flavor> all;
  for (const auto& size : backend_.cloud().config().sizes) all.push_back(nth_flavor(all.size(), size));
  return all;
}

std::optional<Flavor> Catalogue::flavor(const std::string& id) const {
  for (auto& each : flavors())
    if (each.id == id) return each;
  if (strict() || id.empty()) return std::nullopt;
  return flavor_named(id);
}

Flavor Catalogue::flavor_named(const std::string& size) const {
  for (auto& each : flavors())
    if (each.name == size) return each;
  Flavor flavor;
  flavor.id = flavor.name = size;
  return flavor;
}

std::optional<std::string> Catalogue::image_name(const std::string& id) const {
  return name_of(images(), "image", id, strict());
}
std::string Catalogue::image_id(const std::string& name) const { return id_of(images(), "image", name); }
std::optional<std::string> Catalogue::network_name(const std::string& id) const {
  return name_of(networks(), "network", id, strict());
}
std::string Catalogue::network_id(const std::string& name) const {
  return id_of(networks(), "network", name);
}
std::string Catalogue::subnet_id(const std::string& network) const { return named_uuid("subnet", network); }

std::string Catalogue::user_id(const std::string& account) const { return named_hex("user", account); }
std::string Catalogue::project_id() const { return named_hex("project", project()); }

Json links_of(const Exchange& exchange, const std::string& what, const std::string& id) {
  Json self, bookmark;
  self["rel"] = "self";
  self["href"] = exchange.origin + "/compute/v2.1/" + what + "/" + http::percent_encode(id);
  bookmark["rel"] = "bookmark";
  bookmark["href"] = exchange.origin + "/compute/" + what + "/" + http::percent_encode(id);
  return Json::array({self, bookmark});
}

Json flavor_json(const Exchange& exchange, const Flavor& flavor, bool detail) {
  Json json;
  json["id"] = flavor.id;
  json["name"] = flavor.name;
  if (detail) {
    json["ram"] = flavor.ram;
    json["disk"] = flavor.disk;
    if (exchange.minor < 75)
      json["swap"] = "";
    else
      json["swap"] = 0;
    json["OS-FLV-EXT-DATA:ephemeral"] = 0;
    json["OS-FLV-DISABLED:disabled"] = false;
    json["vcpus"] = flavor.vcpus;
    json["os-flavor-access:is_public"] = true;
    json["rxtx_factor"] = 1.0;
  }
  json["links"] = links_of(exchange, "flavors", flavor.id);
  if (exchange.minor >= 55) json["description"] = nullptr;
  if (detail && exchange.minor >= 61) json["extra_specs"] = Json::object();
  return json;
}

}  // namespace drover::wire::openstack
