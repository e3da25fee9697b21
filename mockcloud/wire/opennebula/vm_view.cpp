#include "mockcloud/wire/opennebula/vm_view.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "manager/system/xml_rpc.hpp"

namespace drover::wire::opennebula {
namespace {

using nlohmann::json;

constexpr const char* kNotes = "one_vm";
constexpr std::string_view kIdPrefix = "i-";
constexpr std::size_t kIdDigits = 8;

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

json to_value(const one::Template& from) {
  json all = json::array();
  for (const one::Attribute& each : from) {
    if (!each.vector) {
      all.push_back(json::array({each.name, each.value}));
      continue;
    }
    json parts = json::array();
    for (const auto& [key, text] : each.parts) parts.push_back(json::array({key, text}));
    all.push_back(json::array({each.name, std::move(parts)}));
  }
  return all;
}

one::Template from_value(const json& all) {
  one::Template made;
  if (!all.is_array()) return made;
  for (const json& each : all) {
    one::Attribute attribute;
    attribute.name = each.at(0).get<std::string>();
    attribute.vector = each.at(1).is_array();
    if (attribute.vector) {
      for (const json& part : each.at(1))
        attribute.parts.emplace_back(part.at(0).get<std::string>(), part.at(1).get<std::string>());
    } else {
      attribute.value = each.at(1).get<std::string>();
    }
    made.push_back(std::move(attribute));
  }
  return made;
}

// "02:00:0a:00:00:01" of "10.0.0.1", as OpenNebula derives it.
std::string mac_of(const std::string& address) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string mac = "02:00";
  const char* at = address.data();
  const char* const end = address.data() + address.size();
  for (int octet = 0; octet < 4; ++octet) {
    unsigned value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc() || value > 255) return "02:00:00:00:00:00";
    mac += ':';
    mac += kDigits[value / 16];
    mac += kDigits[value % 16];
    at = next == end ? next : next + 1;
  }
  return mac;
}

// $VMID, $NAME and $NIC[IP, …] in the values of CONTEXT, as oned fills them in.
std::string filled(std::string text, const InstanceInfo& info) {
  const auto replace = [&](std::string_view mark, const std::string& value, bool with_brackets) {
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + value.size())) {
      std::size_t size = mark.size();
      if (with_brackets) {
        const auto close = text.find(']', at);
        if (close == std::string::npos) return;
        size = close - at + 1;
      }
      text.replace(at, size, value);
    }
  };
  replace("$VMID", std::to_string(vm_id(info.id)), false);
  replace("$NAME", info.name, false);
  replace("$NIC[IP", info.address, true);
  return text;
}

std::string disk_element(const Backend& backend, const InstanceInfo& info, bool whole) {
  const auto image = index_of(backend.cloud().config().images, info.image);
  std::string disk = data_element("CLONE", "YES") + data_element("CLONE_TARGET", "SYSTEM");
  if (whole) disk += data_element("CLUSTER_ID", "0");
  disk += data_element("DATASTORE", "default") + data_element("DATASTORE_ID", "1");
  if (whole) disk += data_element("DEV_PREFIX", "sd");
  disk += data_element("DISK_ID", "0") + data_element("DISK_SNAPSHOT_TOTAL_SIZE", "0") +
          data_element("IMAGE", info.image) +
          data_element("IMAGE_ID", image < 0 ? "" : std::to_string(image)) +
          data_element("LN_TARGET", "NONE") + data_element("SIZE", "10240");
  if (whole) disk += data_element("TARGET", "sda") + data_element("TM_MAD", "dummy");
  return element("DISK", disk + data_element("TYPE", "FILE"));
}

std::string nic_element(const Backend& backend, const InstanceInfo& info, const std::string& network,
                        bool whole) {
  std::string nic;
  if (whole) nic += data_element("AR_ID", "0") + data_element("BRIDGE", "br0");
  if (!info.address.empty())
    nic += data_element("IP", info.address) + data_element("MAC", mac_of(info.address));
  if (whole) nic += data_element("NAME", "NIC0");
  const auto index = index_of(backend.cloud().config().networks, network);
  nic += data_element("NETWORK", network) +
         data_element("NETWORK_ID", index < 0 ? "" : std::to_string(index)) + data_element("NIC_ID", "0") +
         data_element("SECURITY_GROUPS", "0");
  if (whole) nic += data_element("TARGET", "one-" + std::to_string(vm_id(info.id)) + "-0");
  return element("NIC", nic);
}

std::string context_element(const one::Template& from, const InstanceInfo& info,
                            const std::string& user_data) {
  one::Attribute context;
  if (const one::Attribute* asked = one::find(from, "CONTEXT"); asked != nullptr) context = *asked;
  if (context.parts.empty() && !user_data.empty()) context.set_part("USER_DATA", user_data);
  context.name = "CONTEXT";
  context.vector = true;
  for (auto& [key, value] : context.parts) value = filled(std::move(value), info);
  context.set_part("DISK_ID", "1");
  context.set_part("TARGET", "hda");
  if (!info.address.empty()) {
    context.set_part("ETH0_IP", info.address);
    context.set_part("ETH0_MAC", mac_of(info.address));
  }
  return one::write_xml({context});
}

std::string template_element(const Backend& backend, const InstanceInfo& info, const cloud::Instance* vm,
                             const std::optional<VmNotes>& notes, bool whole) {
  const one::Template own = notes ? notes->of : one::Template{};
  const auto or_default = [&](const char* name, const char* otherwise) {
    const std::string value = one::value_of(own, name);
    return value.empty() ? std::string(otherwise) : value;
  };
  const bool disk = !notes || one::find(own, "DISK") != nullptr;
  const bool nic = !notes || one::find(own, "NIC") != nullptr;
  const std::string network = vm != nullptr ? vm->spec.network.str() : std::string();
  if (!whole) {
    std::string inner = text_element("CPU", or_default("CPU", "1")) +
                        text_element("MEMORY", or_default("MEMORY", "1024")) +
                        text_element("VCPU", one::value_of(own, "VCPU"));
    if (disk) inner += disk_element(backend, info, false);
    if (nic) inner += nic_element(backend, info, network, false);
    return element("TEMPLATE", inner);
  }
  one::Template rest;
  for (const one::Attribute& each : own)
    if (each.name != "DISK" && each.name != "NIC" && each.name != "CONTEXT" && each.name != "NAME")
      rest.push_back(each);
  if (one::find(rest, "CPU") == nullptr) rest.push_back(one::single("CPU", "1"));
  if (one::find(rest, "MEMORY") == nullptr) rest.push_back(one::single("MEMORY", "1024"));
  if (notes && notes->made_of >= 0)
    rest.push_back(one::single("TEMPLATE_ID", std::to_string(notes->made_of)));
  rest.push_back(one::single("VMID", std::to_string(vm_id(info.id))));
  std::string inner;
  const std::string user_data = vm != nullptr ? vm->spec.user_data : std::string();
  if (one::find(own, "CONTEXT") != nullptr || !user_data.empty())
    inner += context_element(own, info, user_data);
  if (disk) inner += disk_element(backend, info, true);
  if (nic) inner += nic_element(backend, info, network, true);
  return element("TEMPLATE", inner + one::write_xml(rest));
}

std::string user_element(const InstanceInfo& info, const std::optional<VmNotes>& notes) {
  one::Template user = notes ? notes->user : one::Template{};
  for (const auto& [key, value] : info.tags) one::set(user, one::single(one::tag_attribute(key), value));
  if (info.state == InstanceState::error) one::set(user, one::single("ERROR", info.fault));
  return element("USER_TEMPLATE", one::write_xml(user));
}

std::string history_element(const Backend& backend, const InstanceInfo& info, const cloud::Instance* vm,
                            bool whole) {
  if (vm == nullptr || info.state == InstanceState::pending) return "<HISTORY_RECORDS/>";
  const auto host = std::max<std::int64_t>(0, index_of(backend.cloud().config().zones, vm->zone));
  std::string inner = element("OID", vm_id(info.id)) + element("SEQ", 0);
  inner +=
      whole ? text_element("HOSTNAME", "host-" + vm->zone) : data_element("HOSTNAME", "host-" + vm->zone);
  inner += element("HID", host) + element("CID", 0);
  if (whole) {
    const std::int64_t ended = info.state == InstanceState::terminated ? seconds_of(vm->state_since) : 0;
    inner += element("STIME", seconds_of(info.created_at)) + element("ETIME", ended);
  }
  inner += element("DS_ID", 100) + data_element("VM_MAD", "dummy") + data_element("TM_MAD", "dummy");
  return element("HISTORY_RECORDS", element("HISTORY", inner + "<ACTION>0</ACTION>"));
}

}  // namespace

std::string instance_id(std::int64_t vm) {
  if (vm < 0 || vm >= UINT32_MAX) return {};
  const std::string digits = std::to_string(vm + 1);
  return std::string(kIdPrefix) +
         std::string(digits.size() < kIdDigits ? kIdDigits - digits.size() : 0, '0') + digits;
}

std::int64_t vm_id(const std::string& instance) {
  std::int64_t number = 0;
  if (instance.size() > kIdPrefix.size())
    std::from_chars(instance.data() + kIdPrefix.size(), instance.data() + instance.size(), number);
  return number - 1;
}

bool made_here(const cloud::Instance& vm) { return vm.spec.extras == kMadeHere; }

std::optional<VmNotes> notes_of(const Backend& backend, const std::string& instance) {
  const std::string* text = backend.document(kNotes, instance);
  if (text == nullptr) return std::nullopt;
  const json value = json::parse(*text);
  VmNotes notes;
  notes.of = from_value(value.at("template"));
  notes.user = from_value(value.at("user"));
  notes.held = value.at("held").get<bool>();
  notes.parked = value.at("parked").get<int>();
  notes.made_of = value.at("made_of").get<std::int64_t>();
  return notes;
}

VmNotes notes_or_default(const Backend& backend, const cloud::Instance& vm) {
  if (auto known = notes_of(backend, vm.id)) return std::move(*known);
  VmNotes notes;
  for (const char* name : {"DISK", "NIC"}) {
    one::Attribute attribute;
    attribute.name = name;
    attribute.vector = true;
    notes.of.push_back(std::move(attribute));
  }
  return notes;
}

void keep_notes(Backend& backend, const std::string& instance, const VmNotes& notes) {
  backend.put(kNotes, instance,
              dump({{"template", to_value(notes.of)},
                    {"user", to_value(notes.user)},
                    {"held", notes.held},
                    {"parked", notes.parked},
                    {"made_of", notes.made_of}}));
}

std::string to_json(const one::Template& from) { return dump(to_value(from)); }
one::Template template_from_json(const std::string& text) { return from_value(json::parse(text)); }

VmState vm_state(const InstanceInfo& info, const std::optional<VmNotes>& notes) {
  switch (info.state) {
    case InstanceState::pending:
      if (notes && notes->held) return {2, 0};
      return {3, info.address.empty() ? 1 : 2};
    case InstanceState::running:
    case InstanceState::rebooting:
      return {3, 3};
    case InstanceState::stopping:
      return {3, 18};
    case InstanceState::stopped:
      return {notes && notes->parked != 0 ? notes->parked : 8, 0};
    case InstanceState::shutting_down:
      return {3, 12};
    case InstanceState::terminated:
      return {6, 0};
    case InstanceState::error:
      return {3, 36};
  }
  return {};
}

std::string state_name(const VmState& state) {
  switch (state.state) {
    case 2:
      return "HOLD";
    case 4:
      return "STOPPED";
    case 5:
      return "SUSPENDED";
    case 6:
      return "DONE";
    case 8:
      return "POWEROFF";
    case 9:
      return "UNDEPLOYED";
    default:
      break;
  }
  switch (state.lcm) {
    case 1:
      return "PROLOG";
    case 2:
      return "BOOT";
    case 3:
      return "RUNNING";
    case 12:
      return "SHUTDOWN";
    case 18:
      return "SHUTDOWN_POWEROFF";
    case 36:
      return "BOOT_FAILURE";
    default:
      return "ACTIVE";
  }
}

std::string vm_element(const Backend& backend, const InstanceInfo& info, bool whole) {
  const cloud::Instance* vm = backend.cloud().instance(info.id);
  const auto notes = notes_of(backend, info.id);
  const VmState state = vm_state(info, notes);
  const bool ended = info.state == InstanceState::terminated && vm != nullptr;
  std::string inner =
      element("ID", vm_id(info.id)) + owner_elements(backend) + text_element("NAME", info.name);
  if (whole) inner += kPermissions;
  inner += element("LAST_POLL", 0) + element("STATE", state.state) + element("LCM_STATE", state.lcm);
  if (whole) inner += element("PREV_STATE", state.state) + element("PREV_LCM_STATE", state.lcm);
  inner += element("RESCHED", 0) + element("STIME", seconds_of(info.created_at)) +
           element("ETIME", ended ? seconds_of(vm->state_since) : 0) +
           text_element("DEPLOY_ID", info.state == InstanceState::pending ? "" : info.id);
  const std::string shape = template_element(backend, info, vm, notes, whole);
  if (whole)
    inner += "<MONITORING></MONITORING><SCHED_ACTIONS></SCHED_ACTIONS>" + shape;
  else
    inner += shape + "<MONITORING/>";
  inner += user_element(info, notes) + history_element(backend, info, vm, whole);
  if (whole) inner += "<BACKUPS><BACKUP_CONFIG/><BACKUP_IDS></BACKUP_IDS></BACKUPS>";
  return element("VM", inner);
}

std::string element(const char* name, const std::string& inner) {
  return std::string("<") + name + ">" + inner + "</" + name + ">";
}
std::string element(const char* name, std::int64_t number) { return element(name, std::to_string(number)); }
std::string text_element(const char* name, std::string_view text) {
  return element(name, xml_rpc::escape(text));
}
std::string data_element(const char* name, std::string_view text) {
  return element(name, xml_rpc::cdata(text));
}

std::string owner_elements(const Backend& backend) {
  const auto& accounts = backend.settings().accounts;
  const std::string owner = accounts.empty() ? "oneadmin" : accounts.front().name;
  return "<UID>0</UID><GID>0</GID>" + text_element("UNAME", owner) + "<GNAME>oneadmin</GNAME>";
}

std::int64_t seconds_of(TimePoint at) {
  return std::chrono::floor<std::chrono::seconds>(at.time_since_epoch()).count();
}

std::int64_t index_of(const std::vector<std::string>& catalogue, const std::string& name) {
  const auto found = std::find(catalogue.begin(), catalogue.end(), name);
  return found == catalogue.end() ? -1 : found - catalogue.begin();
}

}  // namespace drover::wire::opennebula
