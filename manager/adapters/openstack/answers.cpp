#include "manager/adapters/openstack/answers.hpp"

#include <algorithm>
#include <charconv>

#include "manager/base/hash.hpp"

namespace drover::openstack {
namespace {

constexpr int kDepthMax = 64;
constexpr std::size_t kMessageMax = 300;
constexpr std::size_t kIdMax = 255;
constexpr long kRetryAfterMax = 3600;  // seconds

std::string shortened(std::string text) {
  // Markup and line breaks that some services put into their messages.
  for (const std::string_view mark : {"<br />", "\n", "\r", "\t"})
    for (auto found = text.find(mark); found != std::string::npos; found = text.find(mark))
      text.replace(found, mark.size(), " ");
  text.erase(std::unique(text.begin(), text.end(), [](char a, char b) { return a == ' ' && b == ' '; }),
             text.end());
  while (text.ends_with(' ')) text.pop_back();
  if (text.size() > kMessageMax) text = text.substr(0, kMessageMax) + "…";
  return text;
}

std::optional<Duration> retry_after(const http::Response& response) {
  const std::string* text = response.field("Retry-After");
  if (text == nullptr) return std::nullopt;
  long seconds = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
  if (error != std::errc{} || end != text->data() + text->size() || seconds < 0) return std::nullopt;
  return std::chrono::seconds(std::min(seconds, kRetryAfterMax));
}

bool mentions(const std::string& text, std::string_view word) { return text.find(word) != std::string::npos; }

// What the caller can do about an error of this kind.
const char* advice_for(ErrorCode code) {
  switch (code) {
    case ErrorCode::unauthenticated:
      return "; check user, password, project and domains";
    case ErrorCode::permission:
      return "; the user lacks a role for this in the project";
    case ErrorCode::quota:
      return "; delete some or ask for a higher quota";
    case ErrorCode::unavailable:
    case ErrorCode::internal:
      return "; try again, and look into the service's log when it stays so";
    default:
      return "";
  }
}

std::string address_of(const Json& addresses, bool floating) {
  std::string best;
  int best_rank = -1;
  if (!addresses.is_object()) return best;
  for (const auto& [network, entries] : addresses.items()) {
    if (!entries.is_array()) continue;
    for (const auto& entry : entries) {
      const std::string address = text_of(entry, "addr");
      if (address.empty() || address.size() > 64) continue;
      const Json& version = at(entry, "version");
      const bool is_four =
          version.is_number_integer() ? version == 4 : address.find(':') == std::string::npos;
      const bool is_floating = text_of(entry, "OS-EXT-IPS:type") == "floating";
      const int rank = (is_floating == floating ? 2 : 0) + (is_four ? 1 : 0);
      if (rank > best_rank) {
        best = address;
        best_rank = rank;
      }
    }
  }
  return best;
}

}  // namespace

std::optional<Json> parse_json(std::string_view text) {
  bool deep = false;
  const Json::parser_callback_t watch = [&deep](int depth, Json::parse_event_t, Json&) {
    deep = deep || depth > kDepthMax;
    return !deep;
  };
  Json json = Json::parse(text, watch, false);
  if (deep || json.is_discarded()) return std::nullopt;
  return json;
}

const Json& at(const Json& json, const char* name) {
  static const Json kNull;
  if (!json.is_object()) return kNull;
  const auto found = json.find(name);
  return found == json.end() ? kNull : *found;
}

std::string text_of(const Json& json, const char* name) {
  const Json& found = at(json, name);
  return found.is_string() ? found.get<std::string>() : std::string();
}

Result<Json> read_answer(const http::Response& response, const char* name, std::string_view what,
                         Effect effect) {
  auto json = parse_json(response.body);
  if (json && json->is_object() && json->contains(name)) return std::move((*json)[name]);
  return make_error(ErrorCode::protocol,
                    std::string(what) + ": the answer (status " + std::to_string(response.status) +
                        ") has no \"" + name +
                        "\": what is at this address is no OpenStack that drover knows",
                    effect, Retry::soon);
}

std::string message_of(const std::string& body) {
  const auto json = parse_json(body);
  if (!json || !json->is_object()) return {};
  if (const std::string direct = text_of(*json, "message"); !direct.empty()) return shortened(direct);
  for (const auto& [kind, value] : json->items()) {
    if (const std::string inner = text_of(value, "message"); !inner.empty()) return shortened(inner);
    if (value.is_string()) return shortened(value.get<std::string>());
  }
  return {};
}

Error error_of(const http::Response& response, std::string_view what, bool changes) {
  const int status = response.status;
  const std::string message = message_of(response.body);
  ErrorCode code = ErrorCode::internal;
  Retry retry = Retry::no;
  switch (status) {
    case 400:
    case 405:
    case 406:
    case 415:
      code = ErrorCode::invalid;
      break;
    case 401:
      code = ErrorCode::unauthenticated;
      break;
    case 403:
      code = mentions(message, "uota") || mentions(message, "over the limit") || mentions(message, "exceed")
                 ? ErrorCode::quota
                 : ErrorCode::permission;
      break;
    case 404:
    case 410:
      code = ErrorCode::not_found;
      break;
    case 409:
      code = ErrorCode::wrong_state;
      break;
    case 413:
      // Older ones say so of too many calls, with the time to wait; Cinder of a quota.
      code = response.field("Retry-After") != nullptr && !mentions(message, "uota") ? ErrorCode::throttled
                                                                                    : ErrorCode::quota;
      break;
    case 429:
      code = ErrorCode::throttled;
      break;
    case 502:
    case 503:
      code = ErrorCode::unavailable;
      break;
    case 504:
      code = ErrorCode::timeout;
      break;
    default:
      if (status < 500) code = ErrorCode::protocol;
      break;
  }
  if (code == ErrorCode::throttled || code == ErrorCode::quota) retry = Retry::later;
  if (status >= 500 || code == ErrorCode::wrong_state) retry = Retry::soon;
  const bool unclear = changes && (status >= 500 || status < 400);
  Error error =
      make_error(code,
                 std::string(what) + ": OpenStack answers " + std::to_string(status) + " " +
                     http::reason_of(status) + (message.empty() ? "" : ": " + message) + advice_for(code),
                 unclear ? Effect::possible : Effect::none, retry);
  error.retry_after = retry_after(response).value_or(Duration{0});
  return error;
}

std::optional<TimePoint> parse_time(std::string_view text) {
  if (text.size() < 19 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' ||
      text[16] != ':')
    return std::nullopt;
  int fields[6] = {};
  constexpr std::size_t kAt[6] = {0, 5, 8, 11, 14, 17};
  for (std::size_t i = 0; i < 6; ++i) {
    const char* begin = text.data() + kAt[i];
    const char* last = begin + (i == 0 ? 4 : 2);
    const auto [end, error] = std::from_chars(begin, last, fields[i]);
    if (error != std::errc{} || end != last || fields[i] < 0) return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(fields[0]),
                                         std::chrono::month(static_cast<unsigned>(fields[1])),
                                         std::chrono::day(static_cast<unsigned>(fields[2]))};
  // What nanoseconds can hold.
  if (!date.ok() || fields[0] < 1700 || fields[0] > 2250 || fields[3] > 23 || fields[4] > 59 ||
      fields[5] > 60)
    return std::nullopt;
  return TimePoint{std::chrono::sys_days(date).time_since_epoch()} + std::chrono::hours(fields[3]) +
         std::chrono::minutes(fields[4]) + std::chrono::seconds(fields[5]);
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !digit) return false;
  }
  return true;
}

std::string as_exact_pattern(std::string_view name) {
  std::string pattern = "^";
  for (const char c : name) {
    if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern + "$";
}

InstanceState state_of(std::string_view status, std::string_view task_state, std::string_view vm_state) {
  if (status == "DELETED" || vm_state == "deleted") return InstanceState::terminated;
  if (task_state == "deleting" || task_state == "soft-deleting" || status == "SOFT_DELETED")
    return InstanceState::shutting_down;
  if (status == "ERROR" || status == "UNKNOWN") return InstanceState::error;
  if (status == "BUILD" || status == "REBUILD") return InstanceState::pending;
  if (status == "REBOOT" || status == "HARD_REBOOT" || task_state.starts_with("reboot"))
    return InstanceState::rebooting;
  if (status == "SHUTOFF" || status == "SUSPENDED" || status.starts_with("SHELVED"))
    return task_state == "powering-on" ? InstanceState::pending : InstanceState::stopped;
  if (task_state == "powering-off") return InstanceState::stopping;
  // ACTIVE, and what is ACTIVE in other words for a while: PAUSED, RESIZE, MIGRATING, PASSWORD, RESCUE, …
  return InstanceState::running;
}

Tags tags_of(const Json& metadata) {
  Tags tags;
  if (!metadata.is_object()) return tags;
  for (const auto& [key, value] : metadata.items())
    if (value.is_string() && key != kTokenKey && key != kSpecKey)
      tags.emplace_back(key, value.get<std::string>());
  return tags;
}

Result<ServerAnswer> read_server(const Json& server, bool floating_address) {
  ServerAnswer read;
  InstanceInfo& info = read.info;
  info.id = text_of(server, "id");
  const std::string status = text_of(server, "status");
  if (info.id.empty() || info.id.size() > kIdMax || status.empty())
    return make_error(ErrorCode::protocol, "compute: a server in the answer has no id or no status",
                      Effect::none, Retry::soon);
  info.name = text_of(server, "name");
  info.state =
      state_of(status, text_of(server, "OS-EXT-STS:task_state"), text_of(server, "OS-EXT-STS:vm_state"));
  info.address = address_of(at(server, "addresses"), floating_address);
  if (info.state == InstanceState::error) {
    info.fault = shortened(text_of(at(server, "fault"), "message"));
    if (status == "UNKNOWN") info.fault = "Nova does not know how the server is: its host does not answer";
    if (info.fault.empty()) info.fault = "Nova gives no reason";
  }
  read.image_id = text_of(at(server, "image"), "id");
  const Json& flavor = at(server, "flavor");
  read.flavor_id = text_of(flavor, "id");
  read.flavor_name = text_of(flavor, "original_name");
  const Json& metadata = at(server, "metadata");
  info.tags = tags_of(metadata);
  read.token = text_of(metadata, kTokenKey);
  read.spec = text_of(metadata, kSpecKey);
  read.created = parse_time(text_of(server, "created"));
  return read;
}

std::string digest_of(const InstanceSpec& spec) {
  std::uint64_t state = hash_text(spec.name);
  for (const std::string* text : {&spec.image, &spec.size, &spec.network, &spec.user_data})
    state = hash_text(*text, state);
  for (const auto& [key, value] : spec.tags) state = hash_text(value, hash_text(key, state));
  state = mix(state, spec.tags.size());
  std::string text(16, '0');
  for (std::size_t i = text.size(); i > 0; --i, state >>= 4U) text[i - 1] = "0123456789abcdef"[state & 15U];
  return text;
}

}  // namespace drover::openstack
