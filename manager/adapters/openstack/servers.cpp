#include "manager/adapters/openstack/servers.hpp"

#include <algorithm>

#include "manager/system/digest.hpp"

namespace drover::openstack {
namespace {

constexpr std::size_t kTextMax = 255;         // of a name, a metadata key and a value
constexpr std::size_t kItemsMax = 128;        // of metadata
constexpr std::size_t kUserDataMax = 65'535;  // characters of base64
constexpr std::size_t kUsedMax = 10'000;

Error mismatch(const InstanceSpec& spec) {
  return make_error(ErrorCode::already_exists, "newInstance of \"" + spec.name +
                                                   "\": the idempotency token was used before with other "
                                                   "parameters; use a new token for a new request");
}

// What fits into metadata whatever the token is.
std::string token_text(const std::string& token) {
  return token.size() <= kTextMax ? token : to_hex(sha256(token));
}

Error invalid(const InstanceSpec& spec, const std::string& what) {
  return make_error(ErrorCode::invalid, "newInstance of \"" + spec.name.substr(0, kTextMax) + "\": " + what);
}

Result<void> check_spec(const InstanceSpec& spec) {
  if (spec.name.empty() || spec.name.size() > kTextMax)
    return invalid(spec, "a server's name has 1 to 255 bytes in OpenStack");
  if (spec.tags.size() + 2 > kItemsMax)
    return invalid(spec, "Nova keeps 128 items of metadata, of which drover needs two: at most 126 tags");
  for (const auto& [key, value] : spec.tags) {
    if (key.empty() || key.size() > kTextMax || value.size() > kTextMax)
      return invalid(spec, "the tag \"" + key.substr(0, 40) +
                               "\": Nova's metadata takes keys of 1 to 255 bytes and values of at most 255");
    if (key == kTokenKey || key == kSpecKey) return invalid(spec, "the tag \"" + key + "\" is drover's own");
  }
  if ((spec.user_data.size() + 2) / 3 * 4 > kUserDataMax)
    return invalid(spec, "user_data has " + std::to_string(spec.user_data.size()) +
                             " bytes; Nova takes 49149: let the image fetch the rest");
  return success();
}

}  // namespace

void Servers::remember(const std::string& token, Used used) {
  if (token.empty()) return;
  if (!used_.contains(token)) used_order_.push_back(token);
  used_[token] = std::move(used);
  if (used_order_.size() <= kUsedMax) return;
  used_.erase(used_order_.front());
  used_order_.pop_front();
}

Task<Result<InstanceInfo>> Servers::read(const Json& server, const Budget& budget) {
  std::vector<ServerAnswer> one;
  auto answer = read_server(server, session_.config().floating_address);
  if (!answer) co_return answer.error();
  one.push_back(std::move(answer).value());
  Result<void> named = co_await names_.name_all(one, budget);
  if (!named) co_return named.error();
  co_return one.front().info;
}

Task<Result<InstanceInfo>> Servers::create(const InstanceSpec& spec, const std::string& token,
                                           const Budget& budget) {
  const auto checked = check_spec(spec);
  if (!checked) co_return checked.error();
  // Two at once with one token would both find nothing, and both create.
  while (in_flight_.contains(token)) {
    const Duration left = budget.deadline - session_.scheduler().now();
    Result<void> waited = co_await landed_.wait(std::max(left, Duration{0}));
    if (!waited)
      co_return make_error(
          ErrorCode::timeout,
          "newInstance of \"" + spec.name + "\": an earlier call with the same token is still under way",
          Effect::none, Retry::soon);
  }
  if (!token.empty()) in_flight_.insert(token);
  Result<InstanceInfo> result = co_await create_alone(spec, token, budget);
  if (!token.empty()) in_flight_.erase(token);
  landed_.notify_all();
  co_return result;
}

Task<Result<InstanceInfo>> Servers::create_alone(const InstanceSpec& spec, const std::string& token,
                                                 const Budget& budget) {
  const std::string digest = digest_of(spec);
  if (!token.empty()) {
    Result<std::optional<InstanceInfo>> found = co_await find(spec, token, digest, budget);
    if (!found) co_return found.error();
    if (found.value()) co_return *found.value();
  }
  Result<InstanceInfo> made = co_await post(spec, token, digest, budget);
  co_return made;
}

Task<Result<std::optional<InstanceInfo>>> Servers::find_used(const Used& used, const InstanceSpec& spec,
                                                             const Budget& budget) {
  Result<InstanceInfo> shown = co_await show(used.id, budget);
  if (shown) co_return std::optional<InstanceInfo>(shown.value());
  if (shown.error().code != ErrorCode::not_found) co_return shown.error();
  InstanceInfo gone;
  gone.id = used.id;
  gone.name = spec.name;
  gone.image = spec.image;
  gone.size = spec.size;
  gone.tags = spec.tags;
  gone.state = InstanceState::terminated;
  co_return std::optional<InstanceInfo>(gone);
}

Task<Result<std::optional<InstanceInfo>>> Servers::find(const InstanceSpec& spec, const std::string& token,
                                                        const std::string& digest, const Budget& budget) {
  if (const auto known = used_.find(token); known != used_.end()) {
    const Used used = known->second;
    if (used.digest != digest) co_return mismatch(spec);
    if (!used.id.empty()) {
      Result<std::optional<InstanceInfo>> found = co_await find_used(used, spec, budget);
      co_return found;
    }
    // Nova may still be at work on the call that was not answered.
    if (used.unclear) co_await sleep_for(session_.config().unclear_settle);
  }
  const std::string wanted = token_text(token), key = "servers";
  const std::string path = "/servers/detail?name=" + http::percent_encode(as_exact_pattern(spec.name)) +
                           "&limit=" + std::to_string(session_.config().page);
  Result<std::vector<Json>> listed = co_await list_all(session_, Service::compute, path, key, budget);
  if (!listed) co_return listed.error();
  for (const Json& server : listed.value()) {
    auto answer = read_server(server, session_.config().floating_address);
    if (!answer) co_return answer.error();
    if (answer.value().token != wanted || answer.value().info.name != spec.name) continue;
    if (answer.value().spec != digest) co_return mismatch(spec);
    Used used;
    used.id = answer.value().info.id;
    used.digest = digest;
    remember(token, used);
    Result<InstanceInfo> info = co_await read(server, budget);
    if (!info) co_return info.error();
    co_return std::optional<InstanceInfo>(info.value());
  }
  co_return std::optional<InstanceInfo>();
}

Task<Result<Servers::Places>> Servers::places(const InstanceSpec& spec, const Budget& budget) {
  const OpenStackConfig& config = session_.config();
  const std::string image = spec.image.empty() ? config.image : spec.image;
  const std::string flavor = spec.size.empty() ? config.flavor : spec.size;
  const std::string network = spec.network.empty() ? config.network : spec.network;
  if (image.empty()) co_return invalid(spec, "no image is named, neither by it nor by openstack.image");
  if (flavor.empty()) co_return invalid(spec, "no size is named, neither by it nor by openstack.flavor");
  Places found;
  Result<std::string> image_id = co_await names_.image(image, budget);
  if (!image_id) co_return image_id.error();
  found.image = image_id.value();
  Result<std::string> flavor_id = co_await names_.flavor(flavor, budget);
  if (!flavor_id) co_return flavor_id.error();
  found.flavor = flavor_id.value();
  found.network = network.empty() ? "auto" : network;
  if (found.network == "auto" || found.network == "none") co_return found;
  Result<std::string> network_id = co_await names_.network(network, budget);
  if (!network_id) co_return network_id.error();
  found.network = network_id.value();
  co_return found;
}

Result<std::string> Servers::body_for(const InstanceSpec& spec, const Places& places,
                                      const std::string& token, const std::string& digest) const {
  const OpenStackConfig& config = session_.config();
  Json server;
  server["name"] = spec.name;
  server["imageRef"] = places.image;
  server["flavorRef"] = places.flavor;
  const bool special = places.network == "auto" || places.network == "none";
  if (!special)
    server["networks"] = Json::array({Json{{"uuid", places.network}}});
  else if (session_.minor() >= 37)
    server["networks"] = places.network;
  Json metadata = Json::object();
  for (const auto& [key, value] : spec.tags) metadata[key] = value;
  if (!token.empty()) {
    metadata[kTokenKey] = token_text(token);
    metadata[kSpecKey] = digest;
  }
  server["metadata"] = metadata;
  if (!spec.user_data.empty()) server["user_data"] = base64_encode(spec.user_data);
  if (config.config_drive) server["config_drive"] = true;
  if (!config.key_name.empty()) server["key_name"] = config.key_name;
  if (!config.availability_zone.empty()) server["availability_zone"] = config.availability_zone;
  for (const std::string& group : config.security_groups)
    server["security_groups"].push_back(Json{{"name", group}});
  Json body;
  body["server"] = server;
  try {
    return body.dump();
  } catch (const Json::exception&) {
    return invalid(spec, "its name or a tag is no UTF-8 text, which JSON needs");
  }
}

Task<Result<InstanceInfo>> Servers::post(const InstanceSpec& spec, const std::string& token,
                                         const std::string& digest, const Budget& budget) {
  // The session must know compute's version before the body is written.
  Result<void> ready = co_await session_.open(budget);
  if (!ready) co_return ready.error();
  for (bool again = false;; again = true) {
    Result<Places> found = co_await places(spec, budget);
    if (!found) co_return found.error();
    auto body = body_for(spec, found.value(), token, digest);
    if (!body) co_return body.error();
    ServiceCall call;
    call.method = "POST";
    call.path = "/servers";
    call.body = std::move(body).value();
    call.changes = true;
    Used used;
    used.digest = digest;
    // Whatever ends this call from outside, the token has been used from here on.
    used.unclear = true;
    remember(token, used);
    Result<http::Response> answer = co_await session_.call(call, budget);
    if (answer && answer.value().status == 202) {
      const auto server = read_answer(answer.value(), "server", call.what(), Effect::possible);
      if (!server) co_return server.error();
      InstanceInfo info;
      info.id = text_of(server.value(), "id");
      if (info.id.empty() || info.id.size() > kTextMax)
        co_return make_error(ErrorCode::protocol, call.what() + ": the answer does not tell the server's id",
                             Effect::possible, Retry::soon);
      used.id = info.id;
      used.unclear = false;
      remember(token, used);
      info.name = spec.name;
      info.image = spec.image.empty() ? session_.config().image : spec.image;
      info.size = spec.size.empty() ? session_.config().flavor : spec.size;
      info.tags = spec.tags;
      info.created_at = session_.scheduler().now();
      co_return info;
    }
    Error error;
    if (answer)
      error = error_of(answer.value(), call.what() + " (\"" + spec.name + "\")", true);
    else
      error = answer.error();
    if (error.effect == Effect::possible) co_return error;
    used_.erase(token);
    std::erase(used_order_, token);
    // An id that was found earlier may be out of date: an image was replaced, a network made anew.
    const bool outdated = !again && error.code == ErrorCode::invalid && names_.forget();
    if (!outdated) co_return error;
  }
}

Task<Result<void>> Servers::kill(const std::string& id, const Budget& budget) {
  ServiceCall call;
  call.method = "DELETE";
  call.path = "/servers/" + http::percent_encode(id);
  call.changes = true;
  Result<http::Response> answer = co_await session_.call(call, budget);
  if (!answer) co_return answer.error();
  const int status = answer.value().status;
  if (status == 204 || status == 202 || status == 404) co_return success();
  co_return error_of(answer.value(), call.what(), true);
}

Task<Result<InstanceInfo>> Servers::show(const std::string& id, const Budget& budget) {
  if (id.empty() || id.size() > kTextMax)
    co_return make_error(ErrorCode::not_found,
                         "getVMInfo: no server has the id \"" + id.substr(0, 80) + "\"");
  ServiceCall call;
  call.path = "/servers/" + http::percent_encode(id);
  Result<http::Response> answer = co_await session_.succeed(call, budget);
  if (!answer) co_return answer.error();
  const auto server = read_answer(answer.value(), "server", call.what(), Effect::none);
  if (!server) co_return server.error();
  Result<InstanceInfo> info = co_await read(server.value(), budget);
  co_return info;
}

Task<Result<std::vector<InstanceInfo>>> Servers::list(const std::string& key, const std::string& value,
                                                      const Budget& budget) {
  // In the order of creation: what is created meanwhile comes at the end, and no page skips any.
  const std::string path =
      "/servers/detail?sort_key=created_at&sort_dir=asc&limit=" + std::to_string(session_.config().page);
  const std::string member = "servers";
  Result<std::vector<Json>> listed = co_await list_all(session_, Service::compute, path, member, budget);
  if (!listed) co_return listed.error();
  std::vector<ServerAnswer> servers;
  std::set<std::string> seen;
  for (const Json& each : listed.value()) {
    auto answer = read_server(each, session_.config().floating_address);
    if (!answer) co_return answer.error();
    const InstanceInfo& info = answer.value().info;
    const bool wanted = key.empty() || std::any_of(info.tags.begin(), info.tags.end(), [&](const auto& tag) {
                          return tag.first == key && tag.second == value;
                        });
    if (wanted && seen.insert(info.id).second) servers.push_back(std::move(answer).value());
  }
  Result<void> named = co_await names_.name_all(servers, budget);
  if (!named) co_return named.error();
  std::stable_sort(servers.begin(), servers.end(), [](const ServerAnswer& a, const ServerAnswer& b) {
    return a.info.created_at < b.info.created_at;
  });
  std::vector<InstanceInfo> infos;
  infos.reserve(servers.size());
  for (ServerAnswer& server : servers) infos.push_back(std::move(server.info));
  co_return infos;
}

}  // namespace drover::openstack
