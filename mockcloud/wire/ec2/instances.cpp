// What is done to instances that exist.
#include <algorithm>

#include "manager/system/digest.hpp"
#include "mockcloud/wire/ec2/call.hpp"

namespace drover::wire::ec2 {
namespace {

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
  std::string ids;  // one call of the port ends them all, or none when it is refused
  for (const cloud::Instance* vm : found) {
    changes->push_back({vm->id, state_of(vm->state)});
    ids += (ids.empty() ? "" : " ") + vm->id;
  }
  const CallContext context = call->context(call->backend.subject(call->request, found.front()));
  call->backend.calls().killInstance(context, ids, [call, changes](Result<void> ended) {
    if (ended.has_error()) return call->fail(ended.error());
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

constexpr Action kActions[] = {{"TerminateInstances", terminate_instances},
                               {"StopInstances", stop_instances},
                               {"StartInstances", start_instances},
                               {"RebootInstances", reboot_instances},
                               {"DescribeInstanceAttribute", describe_attribute},
                               {"ModifyInstanceAttribute", modify_attribute},
                               {"GetConsoleOutput", console_output}};

}  // namespace

std::span<const Action> instance_actions() { return kActions; }

}  // namespace drover::wire::ec2
