// One request to the EC2 face while it is being answered, and the tables of actions. Internal to this folder.
#pragma once

#include <memory>
#include <span>

#include "mockcloud/wire/backend.hpp"
#include "mockcloud/wire/ec2/query.hpp"
#include "mockcloud/wire/ec2/xml_writer.hpp"
#include "mockcloud/wire/face.hpp"

namespace drover::wire::ec2 {

http::Response error_response(const Fault& fault, const std::string& request_id);

// Shared by the handlers that its answer waits for. When the last of them is dropped unanswered, so is the
// client.
struct Call : std::enable_shared_from_this<Call> {
  Call(Backend& backend_, http::Request request_, Query query_, std::string action_, std::string version_,
       std::string request_id_, Respond respond_)
      : backend(backend_),
        request(std::move(request_)),
        query(std::move(query_)),
        action(std::move(action_)),
        version(std::move(version_)),
        request_id(std::move(request_id_)),
        respond(std::move(respond_)) {}

  Backend& backend;
  http::Request request;
  Query query;
  std::string action;
  std::string version;  // "2016-11-15"
  std::string request_id;
  Respond respond;
  std::string subject;  // of the context below; must live as long as the call

  cloud::Cloud& cloud() const { return backend.cloud(); }
  CallContext context(std::string for_whom) {
    subject = std::move(for_whom);
    CallContext context;
    context.subject = subject;
    return context;
  }

  // `content` writes what is inside the response element, behind the request's id.
  template <class Content>
  void answer(Content&& content, std::size_t size_hint = 1024) {
    std::string body;
    body.reserve(size_hint);
    XmlWriter xml(body);
    begin(body);
    content(xml);
    xml.close(action + "Response");
    send(200, std::move(body));
  }
  // `write(text, enough)` appends what comes next until `text` has `enough` bytes; false: that was all. What
  // is larger than one part is never in memory as a whole.
  template <class Write>
  void answer_in_parts(Write write) {
    constexpr std::size_t kPartBytes = std::size_t{1} << 20U;
    auto next = [self = shared_from_this(), write = std::move(write)](std::string& part) mutable {
      if (write(part, kPartBytes)) return true;
      XmlWriter(part).close(self->action + "Response");
      return false;
    };
    std::string body;
    begin(body);
    if (next(body))
      send(200, std::move(body), std::move(next));
    else
      send(200, std::move(body));
  }
  void answer_true() {
    answer([](XmlWriter& xml) { xml.flag("return", true); });
  }
  void fail(const Fault& fault) {
    auto last = std::exchange(respond, nullptr);
    if (last) last(error_response(fault, request_id));
  }
  void fail(const Error& error) { fail(fault_of(error)); }
  // Whether nothing must be done: a dry run, or a flag that cannot be read. Then this has been answered.
  bool is_dry() {
    const auto dry = query.flag("DryRun");
    if (dry.has_error()) {
      fail(dry.error());
      return true;
    }
    if (dry.value())
      fail(Fault{412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.", {}});
    return dry.value();
  }
  // A request that is none of the port's calls: `effect` may refuse with a Fault, `content` writes the
  // answer.
  template <class Effect_, class Content>
  void perform(std::string_view site, std::string for_whom, Effect_ effect, Content content) {
    if (is_dry()) return;
    subject = std::move(for_whom);
    auto refused = std::make_shared<std::optional<Fault>>();
    auto self = shared_from_this();
    backend.request(
        subject, site,
        [self, refused, effect = std::move(effect)]() mutable -> Result<void> {
          Answer<void> done = effect(*self);
          if (done.has_error()) *refused = done.error();
          return success();
        },
        [self, refused, content = std::move(content)](Result<void> result) mutable {
          if (result.has_error()) return self->fail(result.error());
          if (*refused) return self->fail(**refused);
          self->answer(content);
        });
  }

 private:
  void begin(std::string& body) const {
    body += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<";
    body += action + "Response xmlns=\"http://ec2.amazonaws.com/doc/" + version + "/\">";
    XmlWriter(body).text("requestId", request_id);
  }
  void send(int status, std::string body, std::move_only_function<bool(std::string&)> more = nullptr) {
    auto last = std::exchange(respond, nullptr);
    if (!last) return;
    WireResponse response;
    response.status = status;
    response.fields = {{"Content-Type", "text/xml;charset=UTF-8"},
                       {"x-amzn-RequestId", request_id},
                       {"Server", "AmazonEC2"}};
    response.body = std::move(body);
    response.more = std::move(more);
    last(std::move(response));
  }
};
using CallPtr = std::shared_ptr<Call>;

struct Action {
  std::string_view name;
  void (*handle)(const CallPtr& call);
};
std::span<const Action> instance_actions();   // instances.cpp
std::span<const Action> describe_actions();   // describe.cpp
std::span<const Action> launch_actions();     // launch.cpp
std::span<const Action> catalogue_actions();  // catalogue.cpp
std::span<const Action> tag_actions();        // tags.cpp
std::span<const Action> access_actions();     // access.cpp: key pairs and security groups
std::span<const Action> volume_actions();     // volumes.cpp

// --- instances as EC2 shows them (instance_xml.cpp) ---

struct StateName {
  int code;
  const char* name;
};
StateName state_of(InstanceState state);

// What this face keeps in InstanceSpec::extras.
struct Extras {
  std::string reservation;  // "" when the instance is alone in its own
  unsigned index = 0;       // of the launch
  std::string key_name;
  std::vector<std::string> groups;  // ids; empty: the default group
};
inline constexpr std::size_t kDigestDigits = 7;  // of what a request asked for, where it has a token
std::string to_text(const Extras& extras, const std::string& digest);
Extras read_extras(const std::string& text);

std::string reservation_of(const cloud::Instance& vm, const Extras& extras);
// One <item> of an instancesSet.
void write_instance(XmlWriter& xml, const Backend& backend, const InstanceInfo& info,
                    const cloud::Instance& vm, const Extras& extras);
// The Name tag and the others. An instance that was given no name has none.
Tags shown_tags(const InstanceInfo& info);
void write_tags(XmlWriter& xml, const Tags& tags);
inline constexpr std::string_view kUnnamed = "unnamed-";

// Zones are "us-east-1a" outside and may be "a" inside.
std::string zone_shown(const Backend& backend, const std::string& zone);
// "" for an unknown one.
std::string zone_inside(const Backend& backend, const std::string& shown);

// The id that an image goes by when its own name is no "ami-…": accepted, never shown.
std::string image_alias(const std::string& name);
std::string default_network(const Backend& backend);
std::string vpc_id(const Backend& backend);
inline constexpr const char* kDefaultGroup = "sg-00000001";
struct Group {
  std::string id;
  std::string name;
};
// By id or name. Errors: InvalidGroup.NotFound, InvalidGroupId.Malformed.
Answer<Group> find_group(const Backend& backend, const std::string& id_or_name, bool by_name);
std::string group_name(const Backend& backend, const std::string& id);

// The instance, when it exists and is still listed. Errors: InvalidInstanceID.NotFound or .Malformed.
Answer<const cloud::Instance*> require_instance(const Backend& backend, const std::string& id);
// All of them; one error names all that are missing.
Answer<std::vector<const cloud::Instance*>> require_instances(const Backend& backend,
                                                              const std::vector<std::string>& ids);

// Tags of what is no instance, by its id.
Tags resource_tags(const Backend& backend, const std::string& id);
void set_resource_tags(Backend& backend, const std::string& id, const Tags& tags);
// Whether the tags pass a filter "tag:KEY", "tag-key" or "tag-value"; nothing when it is none of these.
std::optional<bool> passes_tag_filter(const Filter& filter, const Tags& tags);

}  // namespace drover::wire::ec2
