// What `drover serve` and `drover doctor` are told of real clouds: the sections ec2, openstack, opennebula
// and nodes of the configuration, and where secrets come from. Secrets are read when a driver is made, from a
// file or the environment; they are never on the command line, and a configuration names only their place.
#pragma once

#include <span>
#include <string>

#include "manager/adapters/ec2/ec2_cloud.hpp"
#include "manager/adapters/opennebula/opennebula_cloud.hpp"
#include "manager/adapters/openstack/openstack_cloud.hpp"
#include "manager/ports/agent.hpp"
#include "scenarios/engine/scenario_settings.hpp"
#include "scenarios/engine/schema_fields.hpp"

namespace drover::tools {

// Where a secret is. `value`, when it is not empty, is the secret itself (from the original's configuration,
// which holds it in clear); else the file; else the environment.
struct SecretPlace {
  Secret value;
  std::string file;
  std::string variable;
};

// What the VM of a real cloud is told, and how it is talked to.
struct NodeSettings {
  std::string manager_url;     // where VMs reach the API; "": the address that is listened on
  SecretPlace token;           // of the agents; nowhere: kept beside the journal
  std::string user_data_file;  // given to every VM instead of the built-in script; "" for none
  std::string binary_url, binary_sha256, packages;  // see AgentStart (manager/adapters/user_data.hpp)
  unsigned buffer_pool_mb = 128;
};

struct Ec2Settings {
  Ec2Config driver;  // without the secret
  SecretPlace secret, session_token;
  std::string image, size;
};

struct OpenStackSettings {
  OpenStackConfig driver;  // without secrets
  SecretPlace password, credential_secret;
};

struct OpenNebulaSettings {
  OpenNebulaConfig driver;  // without the password, and without what is in files
  SecretPlace password;
  std::string auth_file;  // "user:password", as OpenNebula's own tools have it; "" for none
  std::string template_file, agent_script_file;
};

struct CloudSettings {
  NodeSettings nodes;
  std::string ca_file;  // PEM, beside the system's
  Ec2Settings ec2;
  OpenStackSettings openstack;
  OpenNebulaSettings opennebula;
};

// Rows for the table of the whole configuration: one section a cloud, and `nodes`.
std::span<const scenario::Field> cloud_sections();

// From a checked configuration, and the usual variables of each cloud where it says nothing.
CloudSettings take_cloud_settings(const scenario::Settings& from);
// What the tables cannot say. `root` is the configuration.
void check_cloud_values(const scenario::Node& root, scenario::Problems& problems);

// Without its last line breaks. "" when the place is nowhere, or names the usual variable and that is not
// set. Errors: unavailable, naming `key` and never any of the content.
Result<Secret> read_secret(const SecretPlace& place, const std::string& key);

// What a file of the configuration holds, at most 64 KB. Errors: unavailable, naming `key`.
Result<std::string> read_setting_file(const std::string& path, const std::string& key);

// The image, size and network of every VM, as the driver of settings.cloud wants them.
InstanceSpec vm_of(const std::string& cloud, const CloudSettings& settings, InstanceSpec otherwise);

}  // namespace drover::tools
