// What is done to servers: actions, metadata, tags, attachments.
#include <algorithm>

#include "mockcloud/wire/openstack/ids.hpp"
#include "mockcloud/wire/openstack/nova.hpp"
#include "mockcloud/wire/openstack/volumes.hpp"

namespace drover::wire::openstack {
namespace {

// Actions that the mock cloud does, and Nova's word for them in messages.
struct Action {
  std::string_view name;
  const char* verb;
};
constexpr Action kActions[] = {
    {"os-start", "start"},
    {"os-stop", "stop"},
    {"reboot", "reboot"},
    {"pause", "pause"},
    {"unpause", "unpause"},
    {"suspend", "suspend"},
    {"resume", "resume"},
    {"lock", "lock"},
    {"unlock", "unlock"},
    {"os-getConsoleOutput", "get_console_output"},
    {"addSecurityGroup", "add_security_group"},
    {"removeSecurityGroup", "remove_security_group"},
};
// Actions that it has no counterpart for, and the rule by which it refuses them.
constexpr Action kRefused[] = {
    {"rebuild", "servers:rebuild"},
    {"resize", "servers:resize"},
    {"confirmResize", "servers:confirm_resize"},
    {"revertResize", "servers:revert_resize"},
    {"createImage", "servers:create_image"},
    {"createBackup", "os-create-backup"},
    {"changePassword", "os-admin-password"},
    {"rescue", "os-rescue"},
    {"unrescue", "os-unrescue"},
    {"shelve", "os-shelve:shelve"},
    {"unshelve", "os-shelve:unshelve"},
    {"migrate", "os-migrate-server:migrate"},
    {"os-migrateLive", "os-migrate-server:migrate_live"},
    {"os-resetState", "os-admin-actions:reset_state"},
    {"forceDelete", "os-deferred-delete:force"},
    {"restore", "os-deferred-delete:restore"},
    {"evacuate", "os-evacuate"},
    {"trigger_crash_dump", "servers:trigger_crash_dump"},
    {"os-getVNCConsole", "os-remote-consoles"},
    {"addFloatingIp", "os-floating-ips"},
    {"removeFloatingIp", "os-floating-ips"},
};

std::string cannot(const char* verb, const std::string& uuid, const std::string& state) {
  return std::string("Cannot '") + verb + "' instance " + uuid + " while it is in " + state;
}

}  // namespace

const cloud::Instance* Nova::changeable(Exchange& exchange, const char* verb) {
  const std::string& uuid = exchange.path[1];
  const cloud::Instance* vm = servers_.instance(uuid);
  if (vm != nullptr && vm->state != InstanceState::terminated) {
    exchange.subject = backend_.subject(exchange.request, vm);
    if (vm->state != InstanceState::shutting_down) return vm;
    refuse(exchange, 409, cannot(verb, uuid, "task_state deleting"));
    return nullptr;
  }
  const auto failed = servers_.failed(uuid);
  if (failed && failed->state != InstanceState::terminated)
    refuse(exchange, 409, cannot(verb, uuid, "vm_state error"));
  else if (exchange.path.size() > 2 && exchange.path[2] == "action")
    refuse(exchange, 404, "Instance " + uuid.substr(0, 80) + " has no mapping to a cell.");
  else
    not_found(exchange, uuid);
  return nullptr;
}

void Nova::action(const ExchangePtr& exchange) {
  const auto body = body_of(*exchange);
  if (!body) return;
  if (body->size() != 1) return refuse(*exchange, 400, "Malformed request body");
  const std::string name = body->begin().key();
  const Json argument = body->begin().value();
  for (const Action& each : kActions)
    if (each.name == name) return act(exchange, name, argument);
  for (const Action& each : kRefused)
    if (each.name == name) return refuse_policy(*exchange, std::string("os_compute_api:") + each.verb);
  refuse(*exchange, 400, "There is no such action: " + name.substr(0, 80));
}

void Nova::act(const ExchangePtr& exchange, const std::string& name, const Json& argument) {
  const char* verb = "";
  for (const Action& each : kActions)
    if (each.name == name) verb = each.verb;
  const cloud::Instance* vm = changeable(*exchange, verb);
  if (vm == nullptr) return;
  const std::string uuid = exchange->path[1], id = vm->id;
  if (name == "os-getConsoleOutput")
    return look_up(backend_, exchange, "nova.console", [this, id](Exchange& asked) {
      const cloud::Instance* now = backend_.cloud().instance(id);
      Json output;
      output["output"] = now == nullptr || now->state == InstanceState::pending
                             ? ""
                             : "Booting " + now->spec.image + "\n" + now->spec.name + " login: ";
      answer(asked, 200, output);
    });
  const bool group = name == "addSecurityGroup" || name == "removeSecurityGroup";
  if (group && text_member(argument, "name") != "default")
    return refuse(*exchange, 404, "Security group not found for project " + catalogue_.project_id() + ".");
  std::string type;
  if (name == "reboot") {
    type = text_member(argument, "type").value_or("");
    for (char& c : type)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (type != "SOFT" && type != "HARD")
      return refuse(*exchange, 400,
                    bad_field("type", argument.is_object() ? argument.value("type", Json()) : argument,
                              quoted(argument.is_object() ? argument.value("type", Json()) : argument) +
                                  " is not one of ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft']"));
  }
  const auto effect = [this, id, name]() -> Result<void> {
    cloud::Cloud& cloud = backend_.cloud();
    const cloud::Instance* now = cloud.instance(id);
    if (now == nullptr) return make_error(ErrorCode::not_found, "the instance is gone");
    if (name == "lock" || name == "unlock") {
      servers_.change_details(*now, "locked", name == "lock");
      return success();
    }
    if (name == "addSecurityGroup" || name == "removeSecurityGroup") return success();
    if (servers_.details(*now).value("locked", false))
      return make_error(ErrorCode::already_exists, "Instance " + servers_.uuid_of(*now) + " is locked");
    const bool running = now->state == InstanceState::running;
    const auto wrong = []() { return make_error(ErrorCode::wrong_state, "wrong state"); };
    if (name == "os-start") {
      DROVER_TRY(cloud.start_instance(id));
      servers_.change_details(*now, "starting", true);
      return success();
    }
    if (name == "os-stop") return cloud.stop_instance(id);
    if (name == "reboot") return running && now->paused ? Result<void>(wrong()) : cloud.reboot_instance(id);
    if (name == "pause" || name == "suspend")
      return running && !now->paused ? cloud.pause_instance(id) : Result<void>(wrong());
    return now->paused ? cloud.resume_instance(id) : Result<void>(wrong());
  };
  const char* site = name == "os-start"  ? "nova.start"
                     : name == "os-stop" ? "nova.stop"
                     : name == "reboot"  ? "nova.reboot"
                                         : "nova.action";
  backend_.request(exchange->subject, site, effect, [this, exchange, uuid, id, verb](Result<void> result) {
    if (result) return answer_empty(*exchange, 202);
    if (result.error().code != ErrorCode::wrong_state) return refuse(*exchange, result.error());
    const cloud::Instance* now = backend_.cloud().instance(id);
    const auto server = now != nullptr ? servers_.from(backend_.cloud().info(*now)) : std::nullopt;
    const char* task = server ? task_state_of(*server) : nullptr;
    // A server that is being built is told by its vm_state alone.
    const bool by_task = task != nullptr && server->state != InstanceState::pending;
    refuse(*exchange, 409,
           cannot(verb, uuid,
                  by_task ? std::string("task_state ") + task
                          : std::string("vm_state ") + (server ? vm_state_of(*server) : "deleted")));
  });
}

void Nova::metadata(const ExchangePtr& exchange) {
  Exchange& e = *exchange;
  const auto& path = e.path;
  const std::string method = e.request.method;
  if (path.size() > 4 || (path.size() == 3 && method != "GET" && method != "PUT" && method != "POST") ||
      (path.size() == 4 && method != "GET" && method != "PUT" && method != "DELETE"))
    return refuse_route(e);
  if (method == "GET")
    return with_server(exchange, [exchange](const Server& server) {
      Json all = Json::object(), body;
      for (const auto& [key, value] : server.metadata) all[key] = value;
      if (exchange->path.size() == 3) {
        body["metadata"] = all;
        return answer(*exchange, 200, body);
      }
      const std::string& key = exchange->path[3];
      if (!all.contains(key)) return refuse(*exchange, 404, "Metadata item was not found");
      body["meta"][key] = all[key];
      answer(*exchange, 200, body);
    });
  Tags given;
  if (method != "DELETE") {
    const auto body = body_of(e);
    if (!body) return;
    const char* name = path.size() == 3 ? "metadata" : "meta";
    const Json* found = member(*body, name);
    if (found == nullptr || body->size() != 1)
      return refuse(
          e, 400,
          std::string("Invalid input for field/attribute body. '") + name + "' is a required property");
    auto tags = metadata_of(e, *found);
    if (!tags) return;
    if (path.size() == 4 && (tags->size() != 1 || tags->front().first != path[3]))
      return refuse(e, 400, "Request body and URI mismatch");
    given = std::move(*tags);
  }
  const cloud::Instance* vm = changeable(e, "update_metadata");
  if (vm == nullptr) return;
  const bool replace = path.size() == 3 && method == "PUT";
  const std::string id = vm->id, dropped = method == "DELETE" ? path[3] : "";
  const auto effect = [this, id, given, replace, dropped]() -> Result<void> {
    const cloud::Instance* now = backend_.cloud().instance(id);
    if (now == nullptr) return make_error(ErrorCode::not_found, "the instance is gone");
    Tags tags = replace ? Tags() : now->spec.tags;
    const auto place = [&tags](const std::string& key) {
      return std::find_if(tags.begin(), tags.end(), [&](const auto& tag) { return tag.first == key; });
    };
    if (!dropped.empty()) {
      const auto found = place(dropped);
      if (found == tags.end()) return make_error(ErrorCode::not_found, "Metadata item was not found");
      tags.erase(found);
    }
    for (const auto& [key, value] : given) {
      if (const auto found = place(key); found != tags.end())
        found->second = value;
      else
        tags.emplace_back(key, value);
    }
    return backend_.cloud().set_tags(id, std::move(tags));
  };
  backend_.request(e.subject, "nova.metadata", effect, [this, exchange, id](Result<void> result) {
    if (!result) return refuse(*exchange, result.error());
    if (exchange->request.method == "DELETE") return answer_empty(*exchange, 204);
    Json body;
    const cloud::Instance* now = backend_.cloud().instance(id);
    const bool one = exchange->path.size() == 4;
    Json& shown = body[one ? "meta" : "metadata"] = Json::object();
    if (now != nullptr)
      for (const auto& [key, value] : now->spec.tags)
        if (!one || key == exchange->path[3]) shown[key] = value;
    answer(*exchange, 200, body);
  });
}

// Tags of servers since 2.26: kept beside the instance, whose own tags are Nova's metadata.
void Nova::server_tags(const ExchangePtr& exchange) {
  if (exchange->is("GET", 3))
    return with_server(exchange, [exchange](const Server& server) {
      Json body;
      const Json* tags = member(server.details, "tags");
      body["tags"] = tags != nullptr ? *tags : Json::array();
      answer(*exchange, 200, body);
    });
  if (!exchange->is("PUT", 3)) return refuse_route(*exchange);
  const auto body = body_of(*exchange);
  if (!body) return;
  const Json* tags = member(*body, "tags");
  if (tags == nullptr || !tags->is_array() || tags->size() > 50 ||
      !std::all_of(tags->begin(), tags->end(), [](const Json& tag) { return tag.is_string(); }))
    return refuse(*exchange, 400, "Invalid input for field/attribute tags. 'tags' is a required property");
  const cloud::Instance* vm = changeable(*exchange, "update_tags");
  if (vm == nullptr) return;
  const std::string id = vm->id;
  backend_.request(
      exchange->subject, "nova.tags",
      [this, id, tags = *tags]() -> Result<void> {
        if (const cloud::Instance* now = backend_.cloud().instance(id); now != nullptr)
          servers_.change_details(*now, "tags", tags);
        return success();
      },
      [exchange, tags = *tags](Result<void> result) {
        if (!result) return refuse(*exchange, result.error());
        Json shown;
        shown["tags"] = tags;
        answer(*exchange, 200, shown);
      });
}

void Nova::attachments(const ExchangePtr& exchange) {
  Exchange& e = *exchange;
  const auto& path = e.path;
  if (e.is("POST", 3)) return attach(exchange);
  const auto attachment = [](const std::string& server, const std::string& volume) {
    Json json;
    json["id"] = volume;
    json["serverId"] = server;
    json["volumeId"] = volume;
    json["device"] = "/dev/vdb";
    return json;
  };
  if (e.request.method == "GET" && path.size() <= 4)
    return with_server(exchange, [exchange, attachment](const Server& server) {
      Json body, all = Json::array();
      for (const auto& volume : server.volumes) {
        if (exchange->path.size() == 4 && exchange->path[3] != volume) continue;
        all.push_back(attachment(server.uuid, volume));
      }
      if (exchange->path.size() == 3) {
        body["volumeAttachments"] = all;
      } else if (all.empty()) {
        return refuse(
            *exchange, 404,
            "Instance " + server.uuid + " is not attached to volume " + exchange->path[3].substr(0, 80));
      } else {
        body["volumeAttachment"] = all[0];
      }
      answer(*exchange, 200, body);
    });
  if (!e.is("DELETE", 4)) return refuse_route(e);
  const cloud::Instance* vm = changeable(e, "detach_volume");
  if (vm == nullptr) return;
  const cloud::Volume* volume = Volumes(backend_).find(path[3]);
  if (volume == nullptr || volume->attached_to != vm->number)
    return refuse(e, 404, "Instance " + path[1] + " is not attached to volume " + path[3].substr(0, 80));
  const std::string id = volume->id;
  backend_.request(
      e.subject, "nova.detach_volume", [this, id] { return backend_.cloud().detach_volume(id); },
      [exchange](Result<void> result) {
        if (!result) return refuse(*exchange, result.error());
        answer_empty(*exchange, 202);
      });
}

void Nova::attach(const ExchangePtr& exchange) {
  const auto body = body_of(*exchange);
  if (!body) return;
  const Json* wanted = member(*body, "volumeAttachment");
  const auto uuid = wanted != nullptr ? text_member(*wanted, "volumeId") : std::nullopt;
  if (!uuid || !is_uuid(*uuid))
    return refuse(*exchange, 400,
                  "Invalid input for field/attribute volumeAttachment. 'volumeId' is a required property");
  const cloud::Instance* vm = changeable(*exchange, "attach_volume");
  if (vm == nullptr) return;
  const cloud::Volume* volume = Volumes(backend_).find(*uuid);
  if (volume == nullptr) return refuse(*exchange, 404, "Volume " + *uuid + " could not be found.");
  if (volume->attached_to != 0 && volume->attached_to != vm->number)
    return refuse(*exchange, 400,
                  "Invalid volume: volume " + *uuid + " already attached to instances: other");
  CallContext context;
  context.subject = exchange->subject;
  backend_.calls().attachVolume(context, volume->id, vm->id, [exchange, uuid = *uuid](Result<void> result) {
    if (!result) return refuse(*exchange, result.error());
    Json shown;
    Json& attachment = shown["volumeAttachment"];
    attachment["id"] = uuid;
    attachment["serverId"] = exchange->path[1];
    attachment["volumeId"] = uuid;
    attachment["device"] = "/dev/vdb";
    answer(*exchange, 200, shown);
  });
}

}  // namespace drover::wire::openstack
