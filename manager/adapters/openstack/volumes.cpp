#include "manager/adapters/openstack/volumes.hpp"

#include <algorithm>

#include "manager/adapters/openstack/names.hpp"
#include "manager/base/hash.hpp"

namespace drover::openstack {
namespace {

constexpr std::size_t kTextMax = 255;
constexpr std::uint64_t kGigabytesMax = 1'000'000;

Result<VolumeInfo> read_volume(const Json& volume) {
  VolumeInfo info;
  info.id = text_of(volume, "id");
  const Json& size = at(volume, "size");
  if (info.id.empty() || info.id.size() > kTextMax || !size.is_number_unsigned() ||
      size.get<std::uint64_t>() > kGigabytesMax)
    return make_error(ErrorCode::protocol, "volume: a volume in the answer has no id, or no size that can be",
                      Effect::none, Retry::soon);
  info.name = text_of(volume, "name");
  info.gigabytes = size.get<unsigned>();
  info.tags = tags_of(at(volume, "metadata"));
  const Json& attachments = at(volume, "attachments");
  if (attachments.is_array() && !attachments.empty())
    info.attached_to = text_of(attachments.front(), "server_id");
  return info;
}

std::string digest_of(const std::string& name, unsigned gigabytes) {
  return std::to_string(mix(hash_text(name), gigabytes));
}

}  // namespace

Task<Result<void>> Volumes::require_service(const Budget& budget) {
  Result<void> ready = co_await session_.open(budget);
  if (!ready) co_return ready;
  if (session_.has(Service::volume)) co_return success();
  co_return make_error(
      ErrorCode::invalid,
      "this cloud has no volumes: its catalogue names no volume service (Cinder) in this region; "
      "use instances without volumes here");
}

Task<Result<VolumeInfo>> Volumes::create(const std::string& name, unsigned gigabytes,
                                         const std::string& token, const Budget& budget) {
  Result<void> ready = co_await require_service(budget);
  if (!ready) co_return ready.error();
  const std::string digest = digest_of(name, gigabytes), key = "volumes";
  if (!token.empty()) {
    // Cinder has no tokens of idempotency: the metadata remembers.
    const std::string path = "/volumes/detail?limit=1000";
    Result<std::vector<Json>> listed = co_await list_all(session_, Service::volume, path, key, budget);
    if (!listed) co_return listed.error();
    for (const Json& volume : listed.value()) {
      if (text_of(at(volume, "metadata"), kTokenKey) != token) continue;
      if (text_of(at(volume, "metadata"), kSpecKey) != digest)
        co_return make_error(
            ErrorCode::already_exists,
            "createVolume of \"" + name +
                "\": the idempotency token was used before with other parameters; use a new one");
      co_return read_volume(volume);
    }
  }
  Json volume;
  volume["name"] = name;
  volume["size"] = gigabytes;
  if (!session_.config().availability_zone.empty())
    volume["availability_zone"] = session_.config().availability_zone;
  if (!token.empty()) volume["metadata"] = Json{{kTokenKey, token}, {kSpecKey, digest}};
  Json body;
  body["volume"] = volume;
  ServiceCall call;
  call.service = Service::volume;
  call.method = "POST";
  call.path = "/volumes";
  call.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  call.changes = true;
  Result<http::Response> answer = co_await session_.succeed(call, budget);
  if (!answer) co_return answer.error();
  const auto made = read_answer(answer.value(), "volume", call.what(), Effect::possible);
  if (!made) co_return made.error();
  auto info = read_volume(made.value());
  if (info) co_return info;
  Error error = info.error();
  error.effect = Effect::possible;
  co_return error;
}

Task<Result<Json>> Volumes::show(const std::string& volume, const Budget& budget) {
  ServiceCall call;
  call.service = Service::volume;
  call.path = "/volumes/" + http::percent_encode(volume);
  Result<http::Response> answer = co_await session_.succeed(call, budget);
  if (!answer) co_return answer.error();
  auto shown = read_answer(answer.value(), "volume", call.what(), Effect::none);
  co_return shown;
}

Task<Result<void>> Volumes::wait_until_available(const std::string& volume, const Budget& budget) {
  for (;;) {
    Result<Json> shown = co_await show(volume, budget);
    if (!shown) co_return shown.error();
    const std::string status = text_of(shown.value(), "status");
    if (status != "creating" && status != "detaching") co_return success();
    if (session_.scheduler().later(session_.config().volume_poll) >= budget.deadline)
      co_return make_error(ErrorCode::wrong_state, "attachVolume: volume " + volume + " is still " + status,
                           Effect::none, Retry::soon);
    co_await sleep_for(session_.config().volume_poll);
  }
}

Task<Result<void>> Volumes::attach(const std::string& volume, const std::string& instance,
                                   const Budget& budget) {
  Result<void> ready = co_await require_service(budget);
  if (!ready) co_return ready;
  Result<void> available = co_await wait_until_available(volume, budget);
  if (!available) co_return available;
  ServiceCall call;
  call.method = "POST";
  call.path = "/servers/" + http::percent_encode(instance) + "/os-volume_attachments";
  Json body;
  body["volumeAttachment"]["volumeId"] = volume;
  call.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  call.changes = true;
  Result<http::Response> answer = co_await session_.call(call, budget);
  if (!answer) co_return answer.error();
  const int status = answer.value().status;
  if (status >= 200 && status < 300) co_return success();
  const Error refused = error_of(answer.value(), call.what(), true);
  if (status != 400 && status != 409) co_return refused;
  // Perhaps it is attached already, which is what was wanted; Nova refuses both with one status.
  Result<Json> shown = co_await show(volume, budget);
  if (!shown) co_return refused;
  const auto info = read_volume(shown.value());
  if (info && info.value().attached_to == instance) co_return success();
  Error error = refused;
  error.code = ErrorCode::wrong_state;
  co_return error;
}

Task<Result<void>> Volumes::remove(const std::string& volume, const Budget& budget) {
  Result<void> ready = co_await require_service(budget);
  if (!ready) co_return ready;
  ServiceCall call;
  call.service = Service::volume;
  call.method = "DELETE";
  call.path = "/volumes/" + http::percent_encode(volume);
  call.changes = true;
  Result<http::Response> answer = co_await session_.call(call, budget);
  if (!answer) co_return answer.error();
  const int status = answer.value().status;
  if ((status >= 200 && status < 300) || status == 404) co_return success();
  Error error = error_of(answer.value(), call.what(), true);
  if (status != 400 && status != 409) co_return error;
  // Cinder's 400 is about the volume's state, or its deletion has begun already.
  Result<Json> shown = co_await show(volume, budget);
  if (!shown && shown.error().code == ErrorCode::not_found) co_return success();
  if (shown && text_of(shown.value(), "status") == "deleting") co_return success();
  error.code = ErrorCode::wrong_state;
  co_return error;
}

Task<Result<std::vector<VolumeInfo>>> Volumes::list(const Budget& budget) {
  Result<void> ready = co_await require_service(budget);
  if (!ready) co_return ready.error();
  const std::string path = "/volumes/detail?limit=1000", key = "volumes";
  Result<std::vector<Json>> listed = co_await list_all(session_, Service::volume, path, key, budget);
  if (!listed) co_return listed.error();
  std::vector<VolumeInfo> infos;
  for (const Json& volume : listed.value()) {
    auto info = read_volume(volume);
    if (!info) co_return info.error();
    infos.push_back(std::move(info).value());
  }
  std::reverse(infos.begin(), infos.end());  // Cinder lists the newest first
  co_return infos;
}

}  // namespace drover::openstack
