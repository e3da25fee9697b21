#include "manager/adapters/openstack/names.hpp"

#include <algorithm>

namespace drover::openstack {
namespace {

constexpr std::size_t kPagesMax = 10'000;
constexpr std::size_t kKeptMax = 10'000;
constexpr unsigned kLookUpsMax = 20;  // of unknown ids in one listing

Error none_called(const char* what, const std::string& name, const std::string& known) {
  return make_error(ErrorCode::invalid,
                    std::string("no ") + what + " of this cloud has the id or the name \"" +
                        name.substr(0, 255) + "\"; " +
                        (known.empty() ? "see what there is with `openstack " + std::string(what) + " list`"
                                       : "it has: " + known));
}

// "a, b, c", shortened.
std::string names_in(const std::vector<Json>& items) {
  std::string text;
  for (const Json& item : items) {
    if (text.size() > 200) return text + ", …";
    text += (text.empty() ? "" : ", ") + text_of(item, "name");
  }
  return text;
}

void keep(std::map<std::string, std::string>& names, const std::string& key, const std::string& value) {
  if (names.size() >= kKeptMax) names.clear();
  names[key] = value;
}

}  // namespace

const Names::Kind Names::kImage{Service::image, "image", "/images", nullptr, "images"};
const Names::Kind Names::kNetwork{Service::network, "network", "/networks", "network", "networks"};

Task<Result<std::vector<Json>>> list_all(Session& session, Service service, const std::string& path,
                                         const std::string& key, const Budget& budget) {
  std::vector<Json> all;
  std::string marker;
  const std::string more_key = key + "_links";
  for (std::size_t page = 0; page < kPagesMax; ++page) {
    ServiceCall call;
    call.service = service;
    call.path = path;
    if (!marker.empty())
      call.path +=
          (path.find('?') == std::string::npos ? "?marker=" : "&marker=") + http::percent_encode(marker);
    Result<http::Response> answer = co_await session.succeed(call, budget);
    if (!answer) co_return answer.error();
    const auto body = parse_json(answer.value().body);
    const bool usable = body && at(*body, key.c_str()).is_array();
    if (!usable)
      co_return make_error(ErrorCode::protocol, call.what() + ": the answer has no list of " + key,
                           Effect::none, Retry::soon);
    const Json& items = at(*body, key.c_str());
    for (const Json& item : items) all.push_back(item);
    const Json& links = at(*body, more_key.c_str());
    const bool linked = links.is_array() && std::any_of(links.begin(), links.end(), [](const Json& link) {
                          return text_of(link, "rel") == "next";
                        });
    const bool more = linked || !text_of(*body, "next").empty();
    if (!more || items.empty()) co_return all;
    const std::string last = text_of(items.back(), "id");
    if (last.empty() || last == marker) break;
    marker = last;
  }
  co_return make_error(ErrorCode::protocol,
                       std::string(to_text(service)) + " GET " + path + ": the listing does not end",
                       Effect::none, Retry::soon);
}

bool Names::forget() {
  const bool any = !images_.empty() || !flavors_.empty() || !networks_.empty();
  images_.clear();
  flavors_.clear();
  networks_.clear();
  return any;
}

Task<Result<std::string>> Names::look_up(const Kind& kind, const std::string& name, const Budget& budget) {
  if (is_uuid(name)) {
    ServiceCall call;
    call.service = kind.service;
    call.path = std::string(kind.collection) + "/" + name;
    Result<http::Response> answer = co_await session_.call(call, budget);
    if (!answer) co_return answer.error();
    if (answer.value().status == 200) co_return name;
    if (answer.value().status != 404) co_return error_of(answer.value(), call.what(), false);
  }
  const std::string path = std::string(kind.collection) + "?name=" + http::percent_encode(name);
  const std::string many = kind.many;
  Result<std::vector<Json>> listed = co_await list_all(session_, kind.service, path, many, budget);
  if (!listed) co_return listed.error();
  std::vector<std::string> found;
  for (const Json& item : listed.value()) {
    const bool usable = kind.service != Service::image || text_of(item, "status") == "active";
    if (usable && text_of(item, "name") == name && !text_of(item, "id").empty())
      found.push_back(text_of(item, "id"));
  }
  if (found.size() == 1) co_return found.front();
  if (found.empty()) co_return none_called(kind.what, name, "");
  std::string ids;
  for (const auto& id : found)
    if (ids.size() < 200) ids += (ids.empty() ? "" : ", ") + id;
  co_return make_error(ErrorCode::invalid, std::to_string(found.size()) + " " + kind.many + " are called \"" +
                                               name + "\": " + ids + "; use the id of the one that is meant");
}

Task<Result<std::string>> Names::find(const Kind& kind, const std::string& name, const Budget& budget) {
  Ids& known = kind.service == Service::image ? images_ : networks_;
  if (const auto found = known.find(name); found != known.end()) co_return found->second;
  Result<std::string> id = co_await look_up(kind, name, budget);
  if (!id) co_return id;
  keep(known, name, id.value());
  if (kind.service == Service::image) keep(image_names_, id.value(), name);
  co_return id;
}

Task<Result<std::string>> Names::image(const std::string& name, const Budget& budget) {
  Result<std::string> id = co_await find(kImage, name, budget);
  co_return id;
}

Task<Result<std::string>> Names::network(const std::string& name, const Budget& budget) {
  Result<std::string> id = co_await find(kNetwork, name, budget);
  co_return id;
}

Task<Result<std::string>> Names::find_flavor(const std::string& name, const Budget& budget) {
  ServiceCall call;
  call.path = "/flavors/" + http::percent_encode(name);
  Result<http::Response> answer = co_await session_.call(call, budget);
  if (!answer) co_return answer.error();
  if (answer.value().status == 200) {
    const auto flavor = read_answer(answer.value(), "flavor", call.what(), Effect::none);
    if (!flavor) co_return flavor.error();
    keep(flavor_names_, text_of(flavor.value(), "name"), name);
    co_return name;
  }
  if (answer.value().status != 404) co_return error_of(answer.value(), call.what(), false);
  const std::string path = "/flavors/detail", key = "flavors";
  Result<std::vector<Json>> listed = co_await list_all(session_, Service::compute, path, key, budget);
  if (!listed) co_return listed.error();
  std::vector<std::string> found;
  for (const Json& flavor : listed.value())
    if (text_of(flavor, "name") == name && !text_of(flavor, "id").empty())
      found.push_back(text_of(flavor, "id"));
  if (found.size() == 1) co_return found.front();
  if (found.empty()) co_return none_called("flavor", name, names_in(listed.value()));
  co_return make_error(ErrorCode::invalid,
                       "several flavors are called \"" + name + "\"; use the id of the one that is meant");
}

Task<Result<std::string>> Names::flavor(const std::string& name, const Budget& budget) {
  if (const auto found = flavors_.find(name); found != flavors_.end()) co_return found->second;
  Result<std::string> id = co_await find_flavor(name, budget);
  if (!id) co_return id;
  keep(flavors_, name, id.value());
  keep(flavor_names_, id.value(), name);
  co_return id;
}

// What the cloud calls an image; its id when it does not say.
Task<std::string> Names::image_name(const std::string& id, const Budget& budget) {
  ServiceCall call;
  call.service = Service::image;
  call.path = "/images/" + http::percent_encode(id);
  Result<http::Response> answer = co_await session_.call(call, budget);
  if (!answer) co_return id;
  std::string name = id;
  if (answer.value().status == 200)
    if (const auto image = parse_json(answer.value().body); image && !text_of(*image, "name").empty())
      name = text_of(*image, "name");
  if (id == session_.config().image) name = id;
  keep(image_names_, id, name);
  co_return name;
}

Task<std::string> Names::flavor_name(const std::string& id, const Budget& budget) {
  ServiceCall call;
  call.path = "/flavors/" + http::percent_encode(id);
  Result<http::Response> answer = co_await session_.call(call, budget);
  if (!answer) co_return id;
  std::string name = id;
  if (answer.value().status == 200) {
    const auto body = parse_json(answer.value().body);
    const std::string told = body ? text_of(at(*body, "flavor"), "name") : std::string();
    if (!told.empty()) name = told;
  }
  if (id == session_.config().flavor) name = id;
  keep(flavor_names_, id, name);
  co_return name;
}

Task<Result<void>> Names::name_all(std::vector<ServerAnswer>& servers, const Budget& budget) {
  unsigned asked = 0;
  for (ServerAnswer& server : servers) {
    server.info.image = server.image_id;
    if (const auto known = image_names_.find(server.image_id); known != image_names_.end()) {
      server.info.image = known->second;
    } else if (!server.image_id.empty() && asked < kLookUpsMax) {
      ++asked;
      std::string name = co_await image_name(server.image_id, budget);
      // One that fails would fail for the others, too.
      if (!image_names_.contains(server.image_id)) asked = kLookUpsMax;
      server.info.image = name;
    }
    const std::string told = server.flavor_name.empty() ? server.flavor_id : server.flavor_name;
    server.info.size = told;
    if (const auto known = flavor_names_.find(told); known != flavor_names_.end()) {
      server.info.size = known->second;
    } else if (server.flavor_name.empty() && !told.empty() && asked < kLookUpsMax) {
      ++asked;
      std::string name = co_await flavor_name(told, budget);
      if (!flavor_names_.contains(told)) asked = kLookUpsMax;
      server.info.size = name;
    }
    if (server.created) server.info.created_at = session_.local(*server.created);
  }
  co_return success();
}

}  // namespace drover::openstack
