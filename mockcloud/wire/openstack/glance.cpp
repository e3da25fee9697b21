#include "mockcloud/wire/openstack/glance.hpp"

#include "manager/system/digest.hpp"

namespace drover::wire::openstack {
namespace {

constexpr std::size_t kPage = 25;  // Glance's default
constexpr std::size_t kPageMax = 1000;
constexpr int kMinors[] = {15, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};

}  // namespace

bool Glance::is_version(const Exchange& exchange) {
  return exchange.path.empty() || (exchange.path.size() == 1 && exchange.path[0] == "versions");
}

void Glance::versions(Exchange& exchange) {
  Json body;
  body["versions"] = Json::array();
  for (const int minor : kMinors) {
    Json version, link;
    version["id"] = "v2." + std::to_string(minor);
    version["status"] = minor == kMinors[0] ? "CURRENT" : "SUPPORTED";
    link["rel"] = "self";
    link["href"] = exchange.origin + "/image/v2/";
    version["links"] = Json::array({link});
    body["versions"].push_back(version);
  }
  answer(exchange, exchange.path.empty() ? 300 : 200, body);
}

void Glance::handle(const ExchangePtr& exchange) {
  if (exchange->path[0] != "v2") return refuse_route(*exchange);
  look_up(backend_, exchange, "glance.look_up", [this](Exchange& asked) { images(asked); });
}

Json Glance::image_json(const std::string& name) const {
  const std::string id = catalogue_.image_id(name), when = calendar_.text(kEpoch);
  Json image;
  image["name"] = name;
  image["disk_format"] = "raw";
  image["container_format"] = "bare";
  image["visibility"] = "public";
  image["size"] = 1024;
  image["virtual_size"] = 1024;
  image["status"] = "active";
  image["checksum"] = to_hex(sha256(name)).substr(0, 32);
  image["protected"] = false;
  image["min_ram"] = 0;
  image["min_disk"] = 0;
  image["owner"] = catalogue_.project_id();
  image["os_hidden"] = false;
  image["os_hash_algo"] = "sha256";
  image["os_hash_value"] = to_hex(sha256(name));
  image["id"] = id;
  image["created_at"] = when;
  image["updated_at"] = when;
  image["tags"] = Json::array();
  image["self"] = "/v2/images/" + id;
  image["file"] = "/v2/images/" + id + "/file";
  image["schema"] = "/v2/schemas/image";
  image["stores"] = "fs";
  return image;
}

void Glance::images(Exchange& exchange) {
  const auto& path = exchange.path;
  const bool reads = exchange.request.method == "GET" || exchange.request.method == "HEAD";
  Json body;
  if (reads && path.size() == 3 && path[1] == "schemas") {
    body["name"] = path[2].substr(0, 40);
    body["properties"] = Json::object();
    return answer(exchange, 200, body);
  }
  if (path.size() < 2 || path[1] != "images") return refuse_route(exchange);
  if (!reads)
    return refuse_policy(exchange, exchange.request.method == "POST" ? "add_image" : "modify_image");
  if (path.size() == 3) {
    for (const auto& name : catalogue_.images())
      if (catalogue_.image_id(name) == path[2]) return answer(exchange, 200, image_json(name));
    return refuse(exchange, 404, "No image found with ID " + path[2].substr(0, 80));
  }
  if (path.size() != 2) return refuse_route(exchange);
  std::vector<Json> found;
  for (const auto& name : catalogue_.images()) {
    const Json image = image_json(name);
    bool wanted = true;
    for (const auto& [key, value] : exchange.query) {
      if (key == "limit" || key == "marker" || key == "sort_key" || key == "sort_dir" || key == "sort")
        continue;
      if (key == "visibility" && value == "all") continue;
      const Json* field = member(image, key.c_str());
      // "in:a,b" lists several names.
      const bool among = value.starts_with("in:") &&
                         ("," + value.substr(3) + ",").find("," + name + ",") != std::string::npos;
      wanted = wanted && field != nullptr && field->is_string() && (*field == Json(value) || among);
    }
    if (wanted) found.push_back(image);
  }
  bool more = false;
  const auto page = page_of(
      exchange, std::move(found), exchange.parameter("limit") != nullptr ? kPageMax : kPage,
      [](const Json& image) { return image["id"].get<std::string>(); }, more);
  if (!page) return;
  body["images"] = *page;
  body["first"] = exchange.query.empty() ? std::string("/v2/images") : [&] {
    http::Fields rest;
    for (const auto& field : exchange.query)
      if (field.first != "marker") rest.push_back(field);
    return rest.empty() ? std::string("/v2/images") : "/v2/images?" + http::to_form(rest);
  }();
  body["schema"] = "/v2/schemas/images";
  // A page as long as the limit names a next one, which may be empty.
  if (exchange.parameter("limit") != nullptr) more = more || page->size() == limit_of(exchange, kPageMax);
  if (more && !page->empty())
    body["next"] = next_page(exchange, "/v2/images", page->back()["id"].get<std::string>());
  answer(exchange, 200, body);
}

}  // namespace drover::wire::openstack
