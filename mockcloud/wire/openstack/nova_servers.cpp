// Servers: listed, shown, renamed, deleted.
#include <algorithm>
#include <charconv>

#include "mockcloud/wire/openstack/name_pattern.hpp"
#include "mockcloud/wire/openstack/nova.hpp"

namespace drover::wire::openstack {
namespace {

// What the schema of the listing's parameters knows; from 2.75 on, others are refused.
constexpr std::string_view kParameters[] = {
    "limit",
    "marker",
    "sort_key",
    "sort_dir",
    "name",
    "status",
    "image",
    "flavor",
    "ip",
    "ip6",
    "changes-since",
    "changes-before",
    "all_tenants",
    "reservation_id",
    "tags",
    "tags-any",
    "not-tags",
    "not-tags-any",
    "host",
    "hostname",
    "node",
    "project_id",
    "tenant_id",
    "user_id",
    "uuid",
    "vm_state",
    "task_state",
    "power_state",
    "deleted",
    "locked",
    "key_name",
    "created_at",
    "launched_at",
    "terminated_at",
    "availability_zone",
    "config_drive",
    "description",
    "display_name",
    "display_description",
    "access_ip_v4",
    "access_ip_v6",
    "auto_disk_config",
    "kernel_id",
    "ramdisk_id",
    "launch_index",
    "locked_by",
    "progress",
    "root_device_name",
    "soft_deleted",
    "hidden",
    "metadata",
};
constexpr std::string_view kStatuses[] = {"ACTIVE",      "BUILD",     "DELETED", "ERROR",
                                          "HARD_REBOOT", "PAUSED",    "REBOOT",  "RESIZE",
                                          "SHUTOFF",     "SUSPENDED", "UNKNOWN", "VERIFY_RESIZE"};

// What servers may be sorted by; all but four of them sort by the time of creation here.
constexpr std::string_view kSortKeys[] = {"access_ip_v4",
                                          "access_ip_v6",
                                          "auto_disk_config",
                                          "availability_zone",
                                          "config_drive",
                                          "created_at",
                                          "display_description",
                                          "display_name",
                                          "host",
                                          "hostname",
                                          "image_ref",
                                          "instance_type_id",
                                          "kernel_id",
                                          "key_name",
                                          "launch_index",
                                          "launched_at",
                                          "locked_by",
                                          "node",
                                          "power_state",
                                          "progress",
                                          "project_id",
                                          "ramdisk_id",
                                          "root_device_name",
                                          "task_state",
                                          "terminated_at",
                                          "updated_at",
                                          "user_id",
                                          "uuid",
                                          "vm_state",
                                          "locked"};

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

// Each comma-separated tag is one of the server's.
bool has_tags(const Server& server, const std::string& wanted, bool all) {
  const Json* tags = member(server.details, "tags");
  std::size_t begin = 0;
  bool any = false;
  while (begin <= wanted.size()) {
    const std::size_t end = std::min(wanted.find(',', begin), wanted.size());
    const std::string tag = wanted.substr(begin, end - begin);
    const bool has = tags != nullptr && std::find(tags->begin(), tags->end(), Json(tag)) != tags->end();
    if (all && !has) return false;
    any = any || has;
    begin = end + 1;
  }
  return all || any;
}

}  // namespace

struct Nova::Filter {
  std::optional<NamePattern> name, address;
  std::optional<std::string> status, image, flavor, tags, tags_any;
  std::optional<TimePoint> since, before;
  bool nothing = false;  // no server can be so
  std::string sort_key = "created_at";
  bool ascending = false;

  bool admits(const Server& server, const Catalogue& catalogue, const Calendar& calendar) const {
    if (nothing || (server.state == InstanceState::terminated && !since && !before)) return false;
    const TimePoint updated = std::chrono::floor<std::chrono::seconds>(calendar.of(server.updated));
    return !(since && updated < *since) && !(before && updated > *before) &&
           !(name && !name->found_in(server.name)) && !(address && !address->found_in(server.address)) &&
           !(status && *status != status_of(server)) &&
           !(image && catalogue.image_id(server.image) != *image) &&
           !(flavor && catalogue.flavor_named(server.size).id != *flavor) &&
           !(tags && !has_tags(server, *tags, true)) && !(tags_any && !has_tags(server, *tags_any, false));
  }
};

std::optional<TimePoint> parse_time(std::string_view text) {
  // YYYY-MM-DD, then perhaps the time, a fraction, and the zone.
  const auto number = [&](std::size_t at, std::size_t digits) -> std::optional<int> {
    int value = 0;
    if (at + digits > text.size()) return std::nullopt;
    const char* begin = text.data() + at;
    const auto [end, error] = std::from_chars(begin, begin + digits, value);
    if (error != std::errc{} || end != begin + digits || value < 0) return std::nullopt;
    return value;
  };
  const auto year = number(0, 4), month = number(5, 2), day = number(8, 2);
  if (!year || !month || !day || text[4] != '-' || text[7] != '-') return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  // What nanoseconds can hold.
  if (!date.ok() || *year < 1700 || *year > 2250) return std::nullopt;
  TimePoint at{std::chrono::sys_days(date).time_since_epoch()};
  if (text.size() == 10) return at;
  const auto hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  if (!hour || !minute || !second || (text[10] != 'T' && text[10] != ' ') || text[13] != ':' ||
      text[16] != ':' || *hour > 23 || *minute > 59 || *second > 60)
    return std::nullopt;
  at += std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second);
  std::size_t rest = 19;
  if (rest < text.size() && text[rest] == '.') {
    ++rest;
    while (rest < text.size() && text[rest] >= '0' && text[rest] <= '9') ++rest;
  }
  const std::string_view zone = text.substr(rest);
  if (zone.empty() || zone == "Z") return at;
  const auto zone_hours = number(rest + 1, 2), zone_minutes = number(rest + 4, 2);
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-' && zone[0] != ' ') || zone[3] != ':' ||
      !zone_hours || !zone_minutes)
    return std::nullopt;
  const Duration offset = std::chrono::hours(*zone_hours) + std::chrono::minutes(*zone_minutes);
  return zone[0] == '-' ? at + offset : at - offset;
}

void Nova::not_found(Exchange& exchange, const std::string& uuid) const {
  refuse(exchange, 404, "Instance " + uuid.substr(0, 80) + " could not be found.");
}

std::optional<Nova::Filter> Nova::filter_of(Exchange& exchange) const {
  Filter filter;
  const auto bad = [&](const std::string& message) -> std::optional<Filter> {
    refuse(exchange, 400, message);
    return std::nullopt;
  };
  for (const auto& [key, value] : exchange.query) {
    const bool known =
        std::find(std::begin(kParameters), std::end(kParameters), key) != std::end(kParameters);
    if (!known && exchange.minor >= 75 && !key.starts_with('_'))
      return bad("'" + key.substr(0, 80) + "' does not match any of the regexes: '^_'");
    if (key == "all_tenants" && value != "0" && value != "False" && value != "false") {
      refuse_policy(exchange, std::string("os_compute_api:servers:") +
                                  (exchange.path.size() == 2 ? "detail" : "index") + ":get_all_tenants");
      return std::nullopt;
    }
    if (key == "name" || key == "ip") {
      // An address is compared from its beginning, a name anywhere.
      auto pattern = NamePattern::parse(key == "ip" ? "^" + value : value);
      if (!pattern)
        return bad("Invalid input for query parameters " + key + ". Value: " + value.substr(0, 255) + ". '" +
                   value.substr(0, 255) + "' is not a 'regex'");
      (key == "ip" ? filter.address : filter.name) = std::move(pattern);
    } else if (key == "status") {
      filter.status = upper(value);
      if (*filter.status == "DELETED") {
        refuse(exchange, 403, "Only administrators may list deleted instances");
        return std::nullopt;
      }
      if (std::find(std::begin(kStatuses), std::end(kStatuses), *filter.status) == std::end(kStatuses))
        filter.nothing = true;
    } else if (key == "image") {
      filter.image = value;
    } else if (key == "flavor") {
      filter.flavor = value;
    } else if (key == "ip6") {
      filter.nothing = true;  // the cloud's addresses are IPv4
    } else if (key == "tags" && exchange.minor >= 26) {
      filter.tags = value;
    } else if (key == "tags-any" && exchange.minor >= 26) {
      filter.tags_any = value;
    } else if (key == "changes-since" || (key == "changes-before" && exchange.minor >= 66)) {
      const auto at = parse_time(value);
      if (!at)
        return bad("Invalid input for query parameters " + key + ". Value: " + value.substr(0, 80) + ". '" +
                   value.substr(0, 80) + "' is not a 'date-time'");
      (key == "changes-since" ? filter.since : filter.before) = at;
    } else if (key == "sort_key") {
      if (std::find(std::begin(kSortKeys), std::end(kSortKeys), value) == std::end(kSortKeys))
        return bad("Invalid input for query parameters sort_key. Value: " + value.substr(0, 80) + ". '" +
                   value.substr(0, 80) + "' is not one of the columns that Nova sorts by");
      filter.sort_key = value;
    } else if (key == "sort_dir") {
      if (value != "asc" && value != "desc")
        return bad("Invalid input received: Unknown sort direction, must be 'desc' or 'asc'");
      filter.ascending = value == "asc";
    }
  }
  return filter;
}

void Nova::list(const ExchangePtr& exchange, bool detail) {
  const auto filter = filter_of(*exchange);
  if (!filter) return;
  exchange->subject = backend_.subject(exchange->request, nullptr, "list");
  CallContext context;
  context.subject = exchange->subject;
  backend_.list(context, {}, {},
                [this, exchange, filter = *filter, detail](const Result<cloud::Snapshot>& result) {
                  if (!result) return refuse(*exchange, result.error());
                  answer_list(*exchange, filter, result.value(), detail);
                });
}

void Nova::answer_list(Exchange& exchange, const Filter& filter, const cloud::Snapshot& listed, bool detail) {
  std::vector<Server> found;
  InstanceInfo info;
  for (std::size_t row = 0; row < listed.size(); ++row) {
    listed.tell(row, info);
    auto server = servers_.from(info);
    if (server && filter.admits(*server, catalogue_, calendar_)) found.push_back(std::move(*server));
  }
  for (Server& server : servers_.all_failed())
    if (filter.admits(server, catalogue_, calendar_)) found.push_back(std::move(server));
  const auto before = [&](const Server& a, const Server& b) {
    if (filter.sort_key == "display_name" && a.name != b.name) return a.name < b.name;
    if (filter.sort_key == "uuid") return a.uuid < b.uuid;
    if (filter.sort_key == "updated_at" && a.updated != b.updated) return a.updated < b.updated;
    if (a.created != b.created) return a.created < b.created;
    return a.order != b.order ? a.order < b.order : a.uuid < b.uuid;
  };
  std::sort(found.begin(), found.end(), before);
  if (!filter.ascending) std::reverse(found.begin(), found.end());
  bool more = false;
  const auto page = page_of(
      exchange, std::move(found), kPageMax, [](const Server& server) { return server.uuid; }, more);
  if (!page) return;
  Json body;
  body["servers"] = Json::array();
  for (const Server& server : *page)
    body["servers"].push_back(
        server_json(exchange, catalogue_, calendar_, server, detail ? View::listed : View::summary));
  if (more) {
    Json link;
    link["rel"] = "next";
    link["href"] = exchange.origin + "/compute/v2.1/" +
                   next_page(exchange, detail ? "servers/detail" : "servers", page->back().uuid);
    body["servers_links"] = Json::array({link});
  }
  answer(exchange, 200, body);
}

void Nova::with_server(const ExchangePtr& exchange, std::move_only_function<void(const Server&)> then) {
  const std::string uuid = exchange->path[1];
  const cloud::Instance* vm = servers_.instance(uuid);
  if (vm == nullptr)
    return look_up(backend_, exchange, "nova.look_up",
                   [this, uuid, then = std::move(then)](Exchange& asked) mutable {
                     const auto failed = servers_.failed(uuid);
                     if (!failed || failed->state == InstanceState::terminated) return not_found(asked, uuid);
                     then(*failed);
                   });
  exchange->subject = backend_.subject(exchange->request, vm);
  CallContext context;
  context.subject = exchange->subject;
  backend_.calls().getVMInfo(
      context, vm->id, [this, exchange, uuid, then = std::move(then)](Result<InstanceInfo> result) mutable {
        if (!result && result.error().code == ErrorCode::not_found) return not_found(*exchange, uuid);
        if (!result) return refuse(*exchange, result.error());
        const auto server = servers_.from(result.value());
        if (!server || server->state == InstanceState::terminated) return not_found(*exchange, uuid);
        then(*server);
      });
}

void Nova::show(const ExchangePtr& exchange) {
  with_server(exchange, [this, exchange](const Server& server) {
    Json body;
    body["server"] = server_json(*exchange, catalogue_, calendar_, server, View::shown);
    answer(*exchange, 200, body);
  });
}

void Nova::update(const ExchangePtr& exchange) {
  const auto body = body_of(*exchange);
  if (!body) return;
  const Json* wanted = member(*body, "server");
  if (wanted == nullptr || !wanted->is_object())
    return refuse(*exchange, 400,
                  "Invalid input for field/attribute server. 'server' is a required property");
  for (const auto& [key, value] : wanted->items()) {
    const bool known = key == "name" || key == "accessIPv4" || key == "accessIPv6" ||
                       key == "OS-DCF:diskConfig" || (key == "description" && exchange->minor >= 19) ||
                       (key == "hostname" && exchange->minor >= 90);
    if (!known)
      return refuse(
          *exchange, 400,
          bad_field("server", *wanted,
                    "Additional properties are not allowed ('" + key.substr(0, 80) + "' was unexpected)"));
    if (key == "name" && !check_name(*exchange, value)) return;
  }
  with_server(exchange, [this, exchange, wanted = *wanted](const Server& server) {
    const auto name = text_member(wanted, "name");
    const auto description = text_member(wanted, "description");
    const std::string uuid = server.uuid;
    backend_.request(
        exchange->subject, "nova.update",
        [this, uuid, name, description]() -> Result<void> {
          const cloud::Instance* vm = servers_.instance(uuid);
          if (vm == nullptr) {
            auto failed = servers_.failed(uuid);
            if (failed && name) {
              failed->name = *name;
              servers_.change_failed(*failed);
            }
            return success();
          }
          if (description) servers_.change_details(*vm, "description", *description);
          return name ? backend_.cloud().rename(vm->id, *name) : Result<void>(success());
        },
        [this, exchange, uuid](Result<void> result) {
          if (!result) return refuse(*exchange, result.error());
          const cloud::Instance* vm = servers_.instance(uuid);
          const auto now = vm != nullptr ? servers_.from(backend_.cloud().info(*vm)) : servers_.failed(uuid);
          if (!now) return not_found(*exchange, uuid);
          Json shown;
          shown["server"] = server_json(*exchange, catalogue_, calendar_, *now, View::changed);
          answer(*exchange, 200, shown);
        });
  });
}

void Nova::remove(const ExchangePtr& exchange) {
  const std::string uuid = exchange->path[1];
  const cloud::Instance* vm = servers_.instance(uuid);
  if (vm == nullptr || vm->state == InstanceState::terminated)
    return look_up(backend_, exchange, "nova.delete", [this, uuid](Exchange& asked) {
      const auto failed = servers_.failed(uuid);
      if (!failed || failed->state == InstanceState::terminated) return not_found(asked, uuid);
      servers_.delete_failed(uuid);
      answer_empty(asked, 204);
    });
  const Json* locked = nullptr;
  const Json details = servers_.details(*vm);
  locked = member(details, "locked");
  if (locked != nullptr && *locked == Json(true))
    return refuse(*exchange, 409, "Instance " + uuid + " is locked");
  exchange->subject = backend_.subject(exchange->request, vm);
  CallContext context;
  context.subject = exchange->subject;
  backend_.calls().killInstance(context, vm->id, [this, exchange, uuid](Result<void> result) {
    if (!result && result.error().code == ErrorCode::not_found) return not_found(*exchange, uuid);
    if (!result) return refuse(*exchange, result.error());
    answer_empty(*exchange, 204);
  });
}

}  // namespace drover::wire::openstack
