// What is asked of instances that exist.
#include <algorithm>

#include "manager/system/digest.hpp"
#include "mockcloud/wire/ec2/call.hpp"

namespace drover::wire::ec2 {
namespace {

constexpr Duration kInitializing{60s};  // until the status checks have passed

struct View {
  InstanceInfo info;
  const cloud::Instance* vm;
  Extras extras;
};

using Get = std::string (*)(const Backend& backend, const View& view);
struct FilterRow {
  std::string_view name;
  Get get;
};

constexpr FilterRow kFilters[] = {
    {"instance-id", [](const Backend&, const View& v) { return v.vm->id; }},
    {"instance-state-name",
     [](const Backend&, const View& v) { return std::string(state_of(v.info.state).name); }},
    {"instance-state-code",
     [](const Backend&, const View& v) { return std::to_string(state_of(v.info.state).code); }},
    {"image-id", [](const Backend&, const View& v) { return v.info.image; }},
    {"instance-type", [](const Backend&, const View& v) { return v.info.size; }},
    {"key-name", [](const Backend&, const View& v) { return v.extras.key_name; }},
    {"client-token",
     [](const Backend&, const View& v) { return v.vm->token.substr(0, v.vm->token.find('/')); }},
    {"reservation-id", [](const Backend&, const View& v) { return reservation_of(*v.vm, v.extras); }},
    {"owner-id", [](const Backend& b, const View&) { return b.settings().owner_id; }},
    {"private-ip-address", [](const Backend&, const View& v) { return v.info.address; }},
    {"network-interface.addresses.private-ip-address",
     [](const Backend&, const View& v) { return v.info.address; }},
    {"ip-address", [](const Backend&, const View& v) { return v.info.address; }},
    {"subnet-id", [](const Backend&, const View& v) { return v.vm->spec.network; }},
    {"vpc-id", [](const Backend& b, const View&) { return vpc_id(b); }},
    {"availability-zone", [](const Backend& b, const View& v) { return zone_shown(b, v.vm->zone); }},
    {"launch-time", [](const Backend&, const View& v) { return to_iso8601(v.info.created_at, true); }},
    {"launch-index", [](const Backend&, const View& v) { return std::to_string(v.extras.index); }},
    {"architecture", [](const Backend&, const View&) { return std::string("x86_64"); }},
    {"hypervisor", [](const Backend&, const View&) { return std::string("xen"); }},
    {"virtualization-type", [](const Backend&, const View&) { return std::string("hvm"); }},
    {"root-device-type", [](const Backend&, const View&) { return std::string("ebs"); }},
    {"tenancy", [](const Backend&, const View&) { return std::string("default"); }},
    {"monitoring-state", [](const Backend&, const View&) { return std::string("disabled"); }},
    {"instance-lifecycle", [](const Backend&, const View&) { return std::string(); }},
};

Answer<bool> passes(const Backend& backend, const std::vector<Filter>& filters, const View& view) {
  for (const Filter& filter : filters) {
    if (const auto tagged = passes_tag_filter(filter, shown_tags(view.info))) {
      if (!*tagged) return false;
      continue;
    }
    if (filter.name == "instance.group-id" || filter.name == "group-id" ||
        filter.name == "instance.group-name" || filter.name == "group-name") {
      std::vector<std::string> texts = view.extras.groups;
      if (texts.empty()) texts.emplace_back(kDefaultGroup);
      if (filter.name.ends_with("name"))
        for (std::string& id : texts) id = group_name(backend, id);
      if (!filter.matches_any(texts)) return false;
      continue;
    }
    const auto* row = std::find_if(std::begin(kFilters), std::end(kFilters),
                                   [&](const FilterRow& each) { return each.name == filter.name; });
    if (row == std::end(kFilters))
      return Fault{
          400, "InvalidParameterValue", "The filter '" + filter.name.substr(0, 100) + "' is invalid", {}};
    if (!filter.matches(row->get(backend, view))) return false;
  }
  return true;
}

// A filter that does not exist is an error although nothing may be there to be filtered.
Answer<void> check_filters(const Backend& backend, const std::vector<Filter>& filters) {
  static const cloud::Instance nobody{};
  for (const Filter& filter : filters) {
    DROVER_TRY(passes(backend, {filter}, View{InstanceInfo{}, &nobody, Extras{}}));
  }
  return success();
}

struct Page {
  std::size_t size = 0;  // 0: everything
  std::uint64_t after = 0;
};

Answer<Page> read_page(const Call& call, bool by_id) {
  Page page;
  DROVER_TRY(const auto size, call.query.number("MaxResults", 5, 1000));
  if (size && by_id)
    return Fault{400,
                 "InvalidParameterCombination",
                 "The parameter instancesSet cannot be used with the parameter maxResults",
                 {}};
  if (size) page.size = static_cast<std::size_t>(*size);
  if (const std::string token = call.query.value("NextToken"); !token.empty()) {
    DROVER_TRY(page.after, parse_page_token(token));
    if (page.size == 0) page.size = 1000;
  }
  return page;
}

// What a listing shows of one page: those that pass, and the token of the next page.
struct Listing {
  std::vector<View> views;
  std::string next;
};

Answer<Listing> choose(const Backend& backend, std::vector<InstanceInfo> infos,
                       const std::vector<Filter>& filters, const Page& page) {
  Listing listing;
  for (InstanceInfo& info : infos) {
    const cloud::Instance* vm = backend.cloud().instance(info.id);
    if (vm == nullptr || vm->number <= page.after) continue;
    View view{std::move(info), vm, read_extras(vm->spec.extras)};
    DROVER_TRY(const bool wanted, passes(backend, filters, view));
    if (!wanted) continue;
    if (page.size > 0 && listing.views.size() == page.size) {
      listing.next = to_page_token(listing.views.back().vm->number);
      break;
    }
    listing.views.push_back(std::move(view));
  }
  return listing;
}

void answer_instances(Call& call, const Listing& listing) {
  call.answer(
      [&](XmlWriter& xml) {
        xml.open("reservationSet");
        for (std::size_t i = 0; i < listing.views.size();) {
          const std::string reservation = reservation_of(*listing.views[i].vm, listing.views[i].extras);
          xml.open("item");
          xml.text("reservationId", reservation);
          xml.text("ownerId", call.backend.settings().owner_id);
          xml.open("groupSet");
          xml.close("groupSet");
          xml.open("instancesSet");
          do {
            const View& view = listing.views[i];
            write_instance(xml, call.backend, view.info, *view.vm, view.extras);
          } while (++i < listing.views.size() && !listing.views[i].extras.reservation.empty() &&
                   listing.views[i].extras.reservation == reservation);
          xml.close("instancesSet");
          xml.close("item");
        }
        xml.close("reservationSet");
        xml.maybe("nextToken", listing.next);
      },
      512 + 2560 * listing.views.size());
}

// The tag that a listing can be narrowed to before anything is copied, or ("", "").
std::pair<std::string, std::string> narrow_tag(const std::vector<Filter>& filters) {
  for (const Filter& filter : filters)
    if (filter.name.starts_with("tag:") && filter.name != "tag:Name" && filter.values.size() == 1 &&
        filter.values.front().find_first_of("*?\\") == std::string::npos)
      return {filter.name.substr(4), filter.values.front()};
  return {};
}

// Asks for the instances that a request is about, through the port: `then` gets what passes.
void list_instances(const CallPtr& call, std::function<void(Call&, const Listing&)> then) {
  auto filters = call->query.filters();
  if (filters.has_error()) return call->fail(filters.error());
  if (const auto valid = check_filters(call->backend, filters.value()); valid.has_error())
    return call->fail(valid.error());
  const auto ids = call->query.list("InstanceId");
  const auto page = read_page(*call, !ids.empty());
  if (page.has_error()) return call->fail(page.error());
  if (call->is_dry()) return;
  const auto finish = [call, then, filters = filters.value(),
                       page = page.value()](std::vector<InstanceInfo> infos) {
    const auto listing = choose(call->backend, std::move(infos), filters, page);
    if (listing.has_error()) return call->fail(listing.error());
    then(*call, listing.value());
  };
  if (ids.empty()) {
    const auto [key, value] = narrow_tag(filters.value());
    const CallContext context = call->context(call->backend.subject(call->request, nullptr));
    call->backend.calls().listVMs(context, key, value,
                                  [call, finish](Result<std::vector<InstanceInfo>> infos) {
                                    if (infos.has_error()) return call->fail(infos.error());
                                    finish(std::move(infos).value());
                                  });
    return;
  }
  const auto known = require_instances(call->backend, ids);
  if (known.has_error()) return call->fail(known.error());
  // The first one is asked for through the port, so that its faults apply; it stands for the request.
  const cloud::Instance* first = known.value().front();
  const CallContext context = call->context(call->backend.subject(call->request, first));
  call->backend.calls().getVMInfo(
      context, first->id, [call, finish, all = known.value()](Result<InstanceInfo> info) {
        if (info.has_error()) return call->fail(info.error());
        std::vector<InstanceInfo> infos{std::move(info).value()};
        for (std::size_t i = 1; i < all.size(); ++i) infos.push_back(call->cloud().info(*all[i]));
        std::sort(infos.begin(), infos.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
        finish(std::move(infos));
      });
}

void describe_instances(const CallPtr& call) { list_instances(call, answer_instances); }

void write_status(XmlWriter& xml, const Backend& backend, const View& view) {
  const bool running =
      view.info.state == InstanceState::running || view.info.state == InstanceState::rebooting;
  std::string status = "not-applicable";
  if (running) status = backend.now() - view.vm->state_since < kInitializing ? "initializing" : "ok";
  if (running && view.vm->paused) status = "impaired";
  xml.element("item", [&] {
    xml.text("instanceId", view.vm->id);
    xml.text("availabilityZone", zone_shown(backend, view.vm->zone));
    xml.element("instanceState", [&] {
      xml.number("code", state_of(view.info.state).code);
      xml.text("name", state_of(view.info.state).name);
    });
    for (const char* name : {"systemStatus", "instanceStatus"}) {
      xml.element(name, [&] {
        xml.text("status", status);
        if (!running) return;
        xml.element("details", [&] {
          xml.element("item", [&] {
            xml.text("name", "reachability");
            xml.text("status", status == "ok" ? "passed" : status == "impaired" ? "failed" : "initializing");
          });
        });
      });
    }
  });
}

void describe_status(const CallPtr& call) {
  const auto all = call->query.flag("IncludeAllInstances");
  if (all.has_error()) return call->fail(all.error());
  list_instances(call, [with_all = all.value()](Call& self, const Listing& listing) {
    self.answer([&](XmlWriter& xml) {
      xml.element("instanceStatusSet", [&] {
        for (const View& view : listing.views)
          if (with_all || state_of(view.info.state).code == 16) write_status(xml, self.backend, view);
      });
      xml.maybe("nextToken", listing.next);
    });
  });
}

// --- changes of state ---

struct Change {
  std::string id;
  StateName before;
};

void write_changes(XmlWriter& xml, const Call& call, const std::vector<Change>& changes) {
  xml.element("instancesSet", [&] {
    for (const Change& change : changes) {
      const StateName now = state_of(call.cloud().instance(change.id)->state);
      xml.element("item", [&] {
        xml.text("instanceId", change.id);
        const auto one = [&](const char* name, StateName state) {
          xml.element(name, [&] {
            xml.number("code", state.code);
            xml.text("name", state.name);
          });
        };
        one("currentState", now);
        one("previousState", change.before);
      });
    }
  });
}

// The instances that a change is asked of. Answers bad requests and dry runs itself: then empty.
std::vector<const cloud::Instance*> begin_change(const CallPtr& call) {
  const auto found = require_instances(call->backend, call->query.list("InstanceId"));
  if (found.has_error()) {
    call->fail(found.error());
    return {};
  }
  return call->is_dry() ? std::vector<const cloud::Instance*>{} : found.value();
}

void terminate_instances(const CallPtr& call) {
  const auto found = begin_change(call);
  if (found.empty()) return;
  for (const cloud::Instance* vm : found)
    if (call->backend.document("ec2.protected", vm->id) != nullptr)
      return call->fail(Fault{400,
                              "OperationNotPermitted",
                              "The instance '" + vm->id +
                                  "' may not be terminated. Modify its 'disableApiTermination' "
                                  "instance attribute and try again.",
                              {}});
  auto changes = std::make_shared<std::vector<Change>>();
  for (const cloud::Instance* vm : found) changes->push_back({vm->id, state_of(vm->state)});
  const CallContext context = call->context(call->backend.subject(call->request, found.front()));
  call->backend.calls().killInstance(context, found.front()->id, [call, changes](Result<void> first) {
    if (first.has_error()) return call->fail(first.error());
    for (std::size_t i = 1; i < changes->size(); ++i) (void)call->cloud().terminate((*changes)[i].id);
    call->answer([&](XmlWriter& xml) { write_changes(xml, *call, *changes); });
  });
}

Fault wrong_state(const cloud::Instance& vm, const char* what) {
  return {400,
          "IncorrectInstanceState",
          "The instance '" + vm.id + "' is not in a state from which it can be " + what + ".",
          {}};
}

// Stop, start, reboot: `may` says whether the state allows it, `does` whether there is something to do.
template <class May, class Does, class Act>
void change_state(const CallPtr& call, const char* site, const char* what, bool with_changes, May may,
                  Does does, Act act) {
  const auto found = begin_change(call);
  if (found.empty()) return;
  auto changes = std::make_shared<std::vector<Change>>();
  call->perform(
      site, call->backend.subject(call->request, found.front()),
      [found, changes, what, may, does, act](Call& self) -> Answer<void> {
        for (const cloud::Instance* vm : found)
          if (!may(vm->state)) return wrong_state(*vm, what);
        for (const cloud::Instance* vm : found) {
          changes->push_back({vm->id, state_of(vm->state)});
          if (!does(vm->state)) continue;
          const Result<void> done = act(self.cloud(), vm->id);
          if (done.has_error()) return fault_of(done.error());
        }
        return success();
      },
      [call, changes, with_changes](XmlWriter& xml) {
        if (with_changes)
          write_changes(xml, *call, *changes);
        else
          xml.flag("return", true);
      });
}

void stop_instances(const CallPtr& call) {
  change_state(
      call, "ec2.StopInstances", "stopped", true,
      [](InstanceState s) {
        return s == InstanceState::running || s == InstanceState::stopped || s == InstanceState::stopping;
      },
      [](InstanceState s) { return s == InstanceState::running; },
      [](cloud::Cloud& cloud, const std::string& id) { return cloud.stop_instance(id); });
}

void start_instances(const CallPtr& call) {
  change_state(
      call, "ec2.StartInstances", "started", true,
      [](InstanceState s) {
        return s == InstanceState::running || s == InstanceState::pending || s == InstanceState::stopped;
      },
      [](InstanceState s) { return s == InstanceState::stopped; },
      [](cloud::Cloud& cloud, const std::string& id) { return cloud.start_instance(id); });
}

void reboot_instances(const CallPtr& call) {
  change_state(
      call, "ec2.RebootInstances", "rebooted", false,
      [](InstanceState s) { return s == InstanceState::running || s == InstanceState::rebooting; },
      [](InstanceState s) { return s == InstanceState::running; },
      [](cloud::Cloud& cloud, const std::string& id) { return cloud.reboot_instance(id); });
}

// --- attributes ---

void describe_attribute(const CallPtr& call) {
  const auto vm = require_instance(call->backend, call->query.value("InstanceId"));
  if (vm.has_error()) return call->fail(vm.error());
  const std::string attribute = call->query.value("Attribute");
  std::string value;
  if (attribute == "instanceType") {
    value = vm.value()->spec.size;
  } else if (attribute == "userData") {
    value = base64_encode(vm.value()->spec.user_data);
  } else if (attribute == "disableApiTermination") {
    value = call->backend.document("ec2.protected", vm.value()->id) != nullptr ? "true" : "false";
  } else if (attribute == "instanceInitiatedShutdownBehavior") {
    value = "stop";
  } else if (attribute == "rootDeviceName") {
    value = "/dev/xvda";
  } else if (attribute == "sourceDestCheck") {
    value = "true";
  } else if (attribute == "ebsOptimized") {
    value = "false";
  } else {
    return call->fail(attribute.empty() ? missing_parameter("Attribute")
                                        : invalid_value(attribute, "attribute"));
  }
  call->perform(
      "ec2.DescribeInstanceAttribute", call->backend.subject(call->request, vm.value()),
      [](Call&) -> Answer<void> { return success(); },
      [id = vm.value()->id, attribute, value](XmlWriter& xml) {
        xml.text("instanceId", id);
        xml.element(attribute, [&] {
          if (!value.empty()) xml.text("value", value);
        });
      });
}

void modify_attribute(const CallPtr& call) {
  const auto vm = require_instance(call->backend, call->query.value("InstanceId"));
  if (vm.has_error()) return call->fail(vm.error());
  const auto protect = call->query.flag("DisableApiTermination.Value");
  if (protect.has_error()) return call->fail(protect.error());
  if (call->query.find("DisableApiTermination.Value") == nullptr)
    return call->fail(
        Fault{400, "UnsupportedOperation", "This cloud can only modify DisableApiTermination.", {}});
  call->perform(
      "ec2.ModifyInstanceAttribute", call->backend.subject(call->request, vm.value()),
      [id = vm.value()->id, on = protect.value()](Call& self) -> Answer<void> {
        if (on)
          self.backend.put("ec2.protected", id, "{}");
        else
          self.backend.erase("ec2.protected", id);
        return success();
      },
      [](XmlWriter& xml) { xml.flag("return", true); });
}

void console_output(const CallPtr& call) {
  const auto vm = require_instance(call->backend, call->query.value("InstanceId"));
  if (vm.has_error()) return call->fail(vm.error());
  call->perform(
      "ec2.GetConsoleOutput", call->backend.subject(call->request, vm.value()),
      [](Call&) -> Answer<void> { return success(); },
      [call, machine = vm.value()](XmlWriter& xml) {
        xml.text("instanceId", machine->id);
        xml.text("timestamp", to_iso8601(call->backend.now(), true));
        xml.text(
            "output",
            base64_encode(machine->powered ? "drover mock cloud: " + machine->id + " has booted\n" : ""));
      });
}

constexpr Action kActions[] = {{"DescribeInstances", describe_instances},
                               {"DescribeInstanceStatus", describe_status},
                               {"TerminateInstances", terminate_instances},
                               {"StopInstances", stop_instances},
                               {"StartInstances", start_instances},
                               {"RebootInstances", reboot_instances},
                               {"DescribeInstanceAttribute", describe_attribute},
                               {"ModifyInstanceAttribute", modify_attribute},
                               {"GetConsoleOutput", console_output}};

}  // namespace

std::span<const Action> instance_actions() { return kActions; }

}  // namespace drover::wire::ec2
