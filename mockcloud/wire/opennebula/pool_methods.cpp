// What there is in the cloud beside VMs and templates: images, networks, hosts (the zones), and the one
// cluster and the datastores that clients expect.
#include "mockcloud/wire/opennebula/exchange.hpp"
#include "mockcloud/wire/opennebula/vm_view.hpp"

namespace drover::wire::opennebula {
namespace {

constexpr const char* kVersion = "6.10.0";
constexpr std::int64_t kHostMemory = 16'777'216;  // kilobytes
constexpr std::int64_t kHostCpu = 800;
constexpr std::int64_t kMemoryOfVm = 1'048'576;

std::string ids_where(const Backend& backend, const char* name,
                      const std::function<bool(const cloud::Instance&)>& holds, std::int64_t* count) {
  std::string text;
  *count = 0;
  backend.cloud().for_each_instance([&](const cloud::Instance& vm) {
    if (vm.state == InstanceState::terminated || !holds(vm)) return;
    text += element("ID", vm_id(vm.id));
    ++*count;
  });
  return element(name, text);
}

std::string image(const Backend& backend, std::int64_t id) {
  const std::string& name = backend.cloud().config().images[static_cast<std::size_t>(id)];
  std::int64_t running = 0;
  const std::string vms = ids_where(
      backend, "VMS", [&](const cloud::Instance& vm) { return vm.spec.image == name; }, &running);
  return element(
      "IMAGE",
      element("ID", id) + owner_elements(backend) + text_element("NAME", name) + kPermissions +
          "<TYPE>0</TYPE><DISK_TYPE>0</DISK_TYPE><PERSISTENT>0</PERSISTENT><REGTIME>0</REGTIME>"
          "<MODTIME>0</MODTIME><SOURCE><![CDATA[dummy_path]]></SOURCE><PATH><![CDATA[/dev/null]]></PATH>"
          "<FORMAT><![CDATA[qcow2]]></FORMAT><FS><![CDATA[]]></FS><SIZE>10240</SIZE><STATE>" +
          std::string(running > 0 ? "2" : "1") + "</STATE><PREV_STATE>1</PREV_STATE>" +
          element("RUNNING_VMS", running) +
          "<CLONING_OPS>0</CLONING_OPS><CLONING_ID>-1</CLONING_ID><TARGET_SNAPSHOT>-1</TARGET_SNAPSHOT>"
          "<DATASTORE_ID>1</DATASTORE_ID><DATASTORE>default</DATASTORE>" +
          vms +
          "<CLONES></CLONES><APP_CLONES></APP_CLONES><TEMPLATE><DEV_PREFIX><![CDATA[sd]]></DEV_PREFIX>"
          "</TEMPLATE><SNAPSHOTS></SNAPSHOTS>");
}

std::string network(const Backend& backend, std::int64_t id) {
  const std::string& name = backend.cloud().config().networks[static_cast<std::size_t>(id)];
  std::int64_t used = 0;
  const std::string vms = ids_where(
      backend, "UPDATED_VMS", [&](const cloud::Instance& vm) { return vm.spec.network == name; }, &used);
  return element(
      "VNET",
      element("ID", id) + owner_elements(backend) + text_element("NAME", name) + kPermissions +
          "<CLUSTERS><ID>0</ID></CLUSTERS><BRIDGE><![CDATA[br0]]></BRIDGE>"
          "<BRIDGE_TYPE><![CDATA[linux]]></BRIDGE_TYPE><STATE><![CDATA[1]]></STATE>"
          "<PREV_STATE><![CDATA[1]]></PREV_STATE><PARENT_NETWORK_ID/><TEMPLATE_ID/>"
          "<VN_MAD><![CDATA[dummy]]></VN_MAD><PHYDEV/><VLAN_ID/><OUTER_VLAN_ID/>"
          "<VLAN_ID_AUTOMATIC>0</VLAN_ID_AUTOMATIC><OUTER_VLAN_ID_AUTOMATIC>0</OUTER_VLAN_ID_AUTOMATIC>" +
          element("USED_LEASES", used) + "<VROUTERS></VROUTERS>" + vms +
          "<OUTDATED_VMS></OUTDATED_VMS><UPDATING_VMS></UPDATING_VMS><ERROR_VMS></ERROR_VMS>"
          "<TEMPLATE><BRIDGE><![CDATA[br0]]></BRIDGE><SECURITY_GROUPS><![CDATA[0]]></SECURITY_GROUPS>"
          "<VN_MAD><![CDATA[dummy]]></VN_MAD></TEMPLATE><AR_POOL></AR_POOL>");
}

std::string host(const Backend& backend, std::int64_t id) {
  const std::string& zone = backend.cloud().config().zones[static_cast<std::size_t>(id)];
  std::int64_t count = 0;
  const std::string vms = ids_where(
      backend, "VMS", [&](const cloud::Instance& vm) { return vm.zone == zone; }, &count);
  return element(
      "HOST",
      element("ID", id) + text_element("NAME", "host-" + zone) +
          "<STATE>2</STATE><PREV_STATE>2</PREV_STATE><IM_MAD><![CDATA[dummy]]></IM_MAD>"
          "<VM_MAD><![CDATA[dummy]]></VM_MAD><CLUSTER_ID>0</CLUSTER_ID>"
          "<CLUSTER>default</CLUSTER>" +
          element("HOST_SHARE", element("MEM_USAGE", count * kMemoryOfVm) +
                                    element("CPU_USAGE", count * 100) + element("TOTAL_MEM", kHostMemory) +
                                    element("TOTAL_CPU", kHostCpu) + element("MAX_MEM", kHostMemory) +
                                    element("MAX_CPU", kHostCpu) + element("RUNNING_VMS", count) +
                                    "<VMS_THREAD>1</VMS_THREAD><DATASTORES></DATASTORES>"
                                    "<PCI_DEVICES/><NUMA_NODES/>") +
          vms + element("TEMPLATE", data_element("HOSTNAME", "host-" + zone)) + "<MONITORING/>");
}

std::string cluster(const Backend& backend, std::int64_t id) {
  const auto numbers = [](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += element("ID", static_cast<std::int64_t>(i));
    return text;
  };
  const cloud::CloudConfig& config = backend.cloud().config();
  return element("CLUSTER", element("ID", id) + "<NAME>default</NAME>" +
                                element("HOSTS", numbers(config.zones.size())) +
                                element("DATASTORES", numbers(2)) +
                                element("VNETS", numbers(config.networks.size())) + "<TEMPLATE></TEMPLATE>");
}

std::string datastore(const Backend& backend, std::int64_t id) {
  const bool system = id == 0;
  return element("DATASTORE", element("ID", id) + owner_elements(backend) +
                                  text_element("NAME", system ? "system" : "default") + kPermissions +
                                  "<DS_MAD><![CDATA[dummy]]></DS_MAD><TM_MAD><![CDATA[dummy]]></TM_MAD>"
                                  "<BASE_PATH><![CDATA[/var/lib/one/datastores]]></BASE_PATH>" +
                                  element("TYPE", system ? 1 : 0) +
                                  "<DISK_TYPE>0</DISK_TYPE><STATE>0</STATE><CLUSTERS><ID>0</ID></CLUSTERS>"
                                  "<TOTAL_MB>1048576</TOTAL_MB><FREE_MB>1048576</FREE_MB><USED_MB>0</USED_MB>"
                                  "<IMAGES></IMAGES><TEMPLATE></TEMPLATE>");
}

using Show = std::string (*)(const Backend&, std::int64_t);

void show_one(Backend& backend, Exchange exchange, const char* what, std::size_t count, Show show) {
  const std::string subject = backend.subject(exchange.http, nullptr, "opennebula");
  perform(backend, std::move(exchange), subject, [&backend, what, count, show](const Exchange& asked) {
    const std::int64_t id = asked.number(0);
    if (id < 0 || static_cast<std::size_t>(id) >= count)
      return refused(kNoExists, std::string("Error getting ") + what + " [" + std::to_string(id) + "].", id);
    return done(show(backend, id));
  });
}

void show_all(Backend& backend, Exchange exchange, const char* name, std::size_t count, Show show) {
  const std::string subject = backend.subject(exchange.http, nullptr, "opennebula");
  perform(backend, std::move(exchange), subject, [&backend, name, count, show](const Exchange& asked) {
    const std::int64_t start = asked.number(1), end = asked.number(2);
    if (asked.number(0) < -4) return refused(kApi, "Incorrect filter_flag");
    std::string text;
    for (std::size_t i = count; i-- > 0;) {
      const auto id = static_cast<std::int64_t>(i);
      if (end >= -1 && start != -1 && (id < start || (end != -1 && id > end))) continue;
      text += show(backend, id);
    }
    return done(element(name, text));
  });
}

void show_text(Backend& backend, Exchange exchange, std::string text) {
  const std::string subject = backend.subject(exchange.http, nullptr, "opennebula");
  perform(backend, std::move(exchange), subject,
          [text = std::move(text)](const Exchange&) { return done(text); });
}

const cloud::CloudConfig& catalogue(const Backend& backend) { return backend.cloud().config(); }

constexpr Method kMethods[] = {
    {"one.imagepool.info", "iii",
     [](Backend& b, Exchange e) {
       show_all(b, std::move(e), "IMAGE_POOL", catalogue(b).images.size(), image);
     }},
    {"one.image.info", "i|b",
     [](Backend& b, Exchange e) { show_one(b, std::move(e), "image", catalogue(b).images.size(), image); }},
    {"one.vnpool.info", "iii",
     [](Backend& b, Exchange e) {
       show_all(b, std::move(e), "VNET_POOL", catalogue(b).networks.size(), network);
     }},
    {"one.vn.info", "i|b",
     [](Backend& b, Exchange e) {
       show_one(b, std::move(e), "virtual network", catalogue(b).networks.size(), network);
     }},
    {"one.hostpool.info", "",
     [](Backend& b, Exchange e) { show_all(b, std::move(e), "HOST_POOL", catalogue(b).zones.size(), host); }},
    {"one.host.info", "i|b",
     [](Backend& b, Exchange e) { show_one(b, std::move(e), "host", catalogue(b).zones.size(), host); }},
    {"one.clusterpool.info", "",
     [](Backend& b, Exchange e) { show_all(b, std::move(e), "CLUSTER_POOL", 1, cluster); }},
    {"one.cluster.info", "i|b",
     [](Backend& b, Exchange e) { show_one(b, std::move(e), "cluster", 1, cluster); }},
    {"one.datastorepool.info", "",
     [](Backend& b, Exchange e) { show_all(b, std::move(e), "DATASTORE_POOL", 2, datastore); }},
    {"one.datastore.info", "i|b",
     [](Backend& b, Exchange e) { show_one(b, std::move(e), "datastore", 2, datastore); }},
    {"one.zonepool.info", "",
     [](Backend& b, Exchange e) {
       show_text(b, std::move(e),
                 "<ZONE_POOL><ZONE><ID>0</ID><NAME>OpenNebula</NAME><STATE>0</STATE><TEMPLATE></TEMPLATE>"
                 "<SERVER_POOL></SERVER_POOL></ZONE></ZONE_POOL>");
     }},
    {"one.zone.raftstatus", "",
     [](Backend& b, Exchange e) {
       show_text(b, std::move(e),
                 "<RAFT><SERVER_ID>-1</SERVER_ID><STATE>0</STATE><TERM>0</TERM><VOTEDFOR>-1</VOTEDFOR>"
                 "<COMMIT>0</COMMIT><LOG_INDEX>-1</LOG_INDEX><LOG_TERM>-1</LOG_TERM>"
                 "<FEDLOG_INDEX>-1</FEDLOG_INDEX></RAFT>");
     }},
    {"one.system.version", "", [](Backend& b, Exchange e) { show_text(b, std::move(e), kVersion); }},
    {"one.system.config", "",
     [](Backend& b, Exchange e) {
       show_text(b, std::move(e),
                 "<OPENNEBULA_CONFIGURATION><API_LIST_ORDER><![CDATA[DESC]]></API_LIST_ORDER>"
                 "</OPENNEBULA_CONFIGURATION>");
     }},
};

}  // namespace

std::span<const Method> pool_methods() { return kMethods; }

}  // namespace drover::wire::opennebula
