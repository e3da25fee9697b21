#include "mockcloud/wire/openstack/volumes.hpp"

#include <charconv>

#include "mockcloud/wire/openstack/ids.hpp"
#include "mockcloud/wire/openstack/servers.hpp"

namespace drover::wire::openstack {
namespace {

constexpr const char* kDetails = "openstack.volume";
constexpr const char* kPending = "openstack.volume-pending";
constexpr std::string_view kPrefix = "vol-";

}  // namespace

std::string Volumes::uuid_of(const std::string& id) {
  if (!id.starts_with(kPrefix)) return {};
  std::uint32_t number = 0;
  const auto [last, error] = std::from_chars(id.data() + kPrefix.size(), id.data() + id.size(), number);
  if (error != std::errc{} || last != id.data() + id.size()) return {};
  return numbered_uuid(kVolumeKind, number);
}

std::string Volumes::id_of(const std::string& uuid) {
  const std::uint32_t number = number_of_uuid(kVolumeKind, uuid);
  if (number == 0) return {};
  std::string digits = std::to_string(number);
  if (digits.size() < 8) digits.insert(0, 8 - digits.size(), '0');
  return std::string(kPrefix) + digits;
}

const cloud::Volume* Volumes::find(const std::string& uuid) const {
  const auto& all = backend_.cloud().all_volumes();
  const auto found = all.find(number_of_uuid(kVolumeKind, uuid));
  return found == all.end() ? nullptr : &found->second;
}

std::string Volumes::keep_pending(const std::string& name, unsigned gigabytes, Json details) {
  std::string number = std::to_string(backend_.next_number(kPending));
  number.insert(0, 12 - std::min<std::size_t>(12, number.size()), '0');  // by age
  Json pending;
  pending["cloud_name"] = name;
  pending["gigabytes"] = gigabytes;
  pending["details"] = std::move(details);
  backend_.put(kPending, number, to_text(pending));
  return number;
}

void Volumes::forget_pending(const std::string& number) { backend_.erase(kPending, number); }

void Volumes::settle(const std::string& number, const std::string& id) {
  const std::string* text = backend_.document(kPending, number);
  if (text == nullptr) return;
  if (const auto pending = parse_json(*text))
    if (const Json* details = member(*pending, "details"); details != nullptr)
      backend_.put(kDetails, id, to_text(*details));
  forget_pending(number);
}

Json Volumes::details(const cloud::Volume& volume) {
  if (backend_.document(kDetails, volume.id) == nullptr) {
    std::string match;
    for (const auto& [number, text] : backend_.documents(kPending)) {
      const auto pending = parse_json(text);
      if (!pending || text_member(*pending, "cloud_name") != volume.name) continue;
      if (number_member(*pending, "gigabytes", 0, UINT32_MAX) != volume.gigabytes) continue;
      match = number;
      break;
    }
    if (!match.empty()) settle(match, volume.id);
  }
  const std::string* text = backend_.document(kDetails, volume.id);
  if (text == nullptr) return Json::object();
  return parse_json(*text).value_or(Json::object());
}

void Volumes::forget(const std::string& id) { backend_.erase(kDetails, id); }

}  // namespace drover::wire::openstack
