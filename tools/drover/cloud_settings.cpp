#include "tools/drover/cloud_settings.hpp"

#include <cstdlib>
#include <fstream>

namespace drover::tools {
namespace {

using scenario::Field;
using scenario::FieldType;
using scenario::Settings;

constexpr std::size_t kSecretBytesMax = 16 * 1024;
constexpr std::size_t kFileMax = 64 * 1024;

constexpr std::string_view kAddresses[] = {"private", "public"};

constexpr Field kNodes[] = {
    {"manager_url", FieldType::text,
     "URL at which VMs reach the API; with the address that is listened on when left out"},
    {"token_file", FieldType::text,
     "file that holds the token of the agents; kept beside the journal when left out"},
    {"token_env", FieldType::identifier, "environment variable that holds it"},
    {"user_data_file", FieldType::text, "what every VM is given, instead of the script that makes it a node"},
    {"binary_url", FieldType::text, "where VMs fetch drover; it is in the image when left out"},
    {"binary_sha256", FieldType::text, "of what is fetched, in 64 hexadecimal digits"},
    {"packages", FieldType::text, "to install instead of Debian's packages of MariaDB"},
    {"buffer_pool_mb",
     FieldType::integer,
     "innodb_buffer_pool_size of every server",
     "128",
     {},
     {},
     5,
     1'000'000},
};

constexpr Field kEc2[] = {
    {"endpoint", FieldType::text, "URL of the API; https://ec2.<region>.amazonaws.com when left out"},
    {"region", FieldType::text, "AWS_REGION or AWS_DEFAULT_REGION when left out, else us-east-1"},
    {"access_key", FieldType::text, "AWS_ACCESS_KEY_ID when left out"},
    {"secret_key_file", FieldType::text, "file that holds the secret key"},
    {"secret_key_env", FieldType::identifier, "environment variable that holds it", "AWS_SECRET_ACCESS_KEY"},
    {"session_token_env", FieldType::identifier, "variable that holds the token of temporary credentials",
     "AWS_SESSION_TOKEN"},
    {"image", FieldType::text, "id of the image of every VM (ami-…)"},
    {"size", FieldType::text, "instance type of every VM", "t3.small"},
    {"key_name", FieldType::text, "key pair for people who log in"},
    {"security_groups", FieldType::texts, "ids (sg-…) or names; the network's default when left out"},
    {"subnet", FieldType::text, "id of the subnet; the account's default when left out"},
    {"availability_zone", FieldType::text, "zone of VMs and volumes; the cloud's choice when left out"},
    {"volume_type", FieldType::text, "type of volumes; the cloud's default when left out"},
    {"address", FieldType::choice, "which address of a VM is used", "private", {}, kAddresses},
    {"page_size", FieldType::integer, "instances a page of a listing", "1000", {}, {}, 5, 1000},
};

constexpr std::string_view kInterfaces[] = {"public", "internal", "admin"};
constexpr std::string_view kStackAddresses[] = {"fixed", "floating"};

constexpr Field kOpenStack[] = {
    {"auth_url", FieldType::text, "URL of Keystone; OS_AUTH_URL when left out"},
    {"region", FieldType::text, "OS_REGION_NAME when left out, else the catalogue's first"},
    {"interface", FieldType::choice, "which endpoints of the catalogue are used", "public", {}, kInterfaces},
    {"user", FieldType::text, "OS_USERNAME when left out"},
    {"user_domain", FieldType::text, "OS_USER_DOMAIN_NAME when left out, else Default"},
    {"project", FieldType::text, "OS_PROJECT_NAME when left out, else the user's own"},
    {"project_domain", FieldType::text, "OS_PROJECT_DOMAIN_NAME when left out, else Default"},
    {"password_file", FieldType::text, "file that holds the user's password"},
    {"password_env", FieldType::identifier, "environment variable that holds it", "OS_PASSWORD"},
    {"credential_id", FieldType::text, "application credential; OS_APPLICATION_CREDENTIAL_ID when left out"},
    {"credential_name", FieldType::text,
     "the same by name and user; OS_APPLICATION_CREDENTIAL_NAME when left out"},
    {"credential_secret_file", FieldType::text, "file that holds its secret"},
    {"credential_secret_env", FieldType::identifier, "environment variable that holds it",
     "OS_APPLICATION_CREDENTIAL_SECRET"},
    {"microversion", FieldType::integer, "of compute at most: 47 is 2.47", "47", {}, {}, 1, 999},
    {"image", FieldType::text, "image of every VM, by id or name"},
    {"flavor", FieldType::text, "flavor of every VM, by id or name"},
    {"network", FieldType::text, "network of every VM, by id or name, or auto or none"},
    {"key_name", FieldType::text, "key pair for people who log in"},
    {"security_groups", FieldType::texts, "names or ids; the project's default when left out"},
    {"availability_zone", FieldType::text, "zone of VMs; Nova's choice when left out"},
    {"config_drive", FieldType::boolean, "VMs get their user data from a disk too", "false"},
    {"address",
     FieldType::choice,
     "which address of a VM is used when it has both",
     "fixed",
     {},
     kStackAddresses},
};

constexpr Field kOpenNebula[] = {
    {"url", FieldType::text, "URL of XML-RPC; ONE_XMLRPC when left out, else http://127.0.0.1:2633/RPC2"},
    {"auth_file", FieldType::text,
     "file that holds user:password; ONE_AUTH when left out, else ~/.one/one_auth"},
    {"user", FieldType::text, "the user, when there is no auth_file"},
    {"password_file", FieldType::text, "file that holds the user's password or login token"},
    {"password_env", FieldType::identifier, "environment variable that holds it"},
    {"hashed", FieldType::boolean, "the server wants SHA-1 of the password (old ones)", "false"},
    {"image", FieldType::text, "image of every VM, by id or name"},
    {"network", FieldType::text, "network of every VM, by id or name"},
    {"cpu", FieldType::number, "cores of every VM", "1", {}, {}, 0, 1024},
    {"memory_mb", FieldType::integer, "memory of every VM", "1024", {}, {}, 16, 16'777'216},
    {"template_file", FieldType::text, "VM template with $NAME, $IMAGE_ID, … instead of the built-in one"},
    {"os", FieldType::text, "what $OS of the template stands for: arch=x86_64,boot=hd"},
    {"disk", FieldType::text, "what $DISK of the template stands for"},
    {"context", FieldType::text, "what $CONTEXT of the template stands for"},
    {"agent_script_file", FieldType::text,
     "start script with $MANAGER_IP and $MANAGER_PORT, given to VMs instead of nodes.user_data_file"},
};

constexpr Field kSections[] = {
    {"ca_file", FieldType::text, "certificates (PEM) that clouds are checked against, beside the system's"},
    {"nodes", FieldType::section, "VMs of a real cloud", "", kNodes},
    {"ec2", FieldType::section, "Amazon EC2, or a cloud that speaks its API", "", kEc2},
    {"openstack", FieldType::section, "OpenStack, with its own APIs", "", kOpenStack},
    {"opennebula", FieldType::section, "OpenNebula, over XML-RPC", "", kOpenNebula},
};

std::string text_or(const Settings& from, const std::string& key, std::string otherwise = {}) {
  return from.has(key) ? from.text(key) : std::move(otherwise);
}

std::vector<std::string> texts_of(const Settings& from, const char* key) {
  std::vector<std::string> texts;
  if (from.has(key))
    for (const auto& text : from.json(key)) texts.push_back(text.get<std::string>());
  return texts;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

Ec2Settings take_ec2(const Settings& from) {
  Ec2Settings to;
  std::string region = variable("AWS_REGION");
  if (region.empty()) region = variable("AWS_DEFAULT_REGION");
  to.driver.region = text_or(from, "ec2.region", region.empty() ? "us-east-1" : region);
  to.driver.endpoint = text_or(from, "ec2.endpoint", variable("AWS_ENDPOINT_URL"));
  to.driver.credentials.access_key = text_or(from, "ec2.access_key", variable("AWS_ACCESS_KEY_ID"));
  to.secret.file = text_or(from, "ec2.secret_key_file");
  to.secret.variable = from.text("ec2.secret_key_env");
  to.session_token.variable = from.text("ec2.session_token_env");
  to.image = text_or(from, "ec2.image");
  to.size = from.text("ec2.size");
  to.driver.key_name = text_or(from, "ec2.key_name");
  to.driver.security_groups = texts_of(from, "ec2.security_groups");
  to.driver.subnet = text_or(from, "ec2.subnet");
  to.driver.availability_zone = text_or(from, "ec2.availability_zone");
  to.driver.volume_type = text_or(from, "ec2.volume_type");
  to.driver.public_address = from.text("ec2.address") == "public";
  to.driver.page_size = static_cast<unsigned>(from.integer("ec2.page_size"));
  return to;
}

OpenStackSettings take_openstack(const Settings& from) {
  OpenStackSettings to;
  const auto take = [&](std::string& field, const char* key, const char* name) {
    const std::string known = variable(name);
    field = text_or(from, std::string("openstack.") + key, known.empty() ? field : known);
  };
  OpenStackConfig& driver = to.driver;
  take(driver.auth_url, "auth_url", "OS_AUTH_URL");
  take(driver.region, "region", "OS_REGION_NAME");
  driver.interface = from.text("openstack.interface");
  take(driver.user, "user", "OS_USERNAME");
  take(driver.user_domain, "user_domain", "OS_USER_DOMAIN_NAME");
  take(driver.project, "project", "OS_PROJECT_NAME");
  take(driver.project_domain, "project_domain", "OS_PROJECT_DOMAIN_NAME");
  take(driver.credential_id, "credential_id", "OS_APPLICATION_CREDENTIAL_ID");
  take(driver.credential_name, "credential_name", "OS_APPLICATION_CREDENTIAL_NAME");
  to.password.file = text_or(from, "openstack.password_file");
  to.password.variable = from.text("openstack.password_env");
  to.credential_secret.file = text_or(from, "openstack.credential_secret_file");
  to.credential_secret.variable = from.text("openstack.credential_secret_env");
  driver.microversion = static_cast<unsigned>(from.integer("openstack.microversion"));
  driver.image = text_or(from, "openstack.image");
  driver.flavor = text_or(from, "openstack.flavor");
  driver.network = text_or(from, "openstack.network");
  driver.key_name = text_or(from, "openstack.key_name");
  driver.security_groups = texts_of(from, "openstack.security_groups");
  driver.availability_zone = text_or(from, "openstack.availability_zone");
  driver.config_drive = from.boolean("openstack.config_drive");
  driver.floating_address = from.text("openstack.address") == "floating";
  return to;
}

OpenNebulaSettings take_opennebula(const Settings& from) {
  OpenNebulaSettings to;
  OpenNebulaConfig& driver = to.driver;
  const std::string url = variable("ONE_XMLRPC");
  driver.url = text_or(from, "opennebula.url", url.empty() ? driver.url : url);
  driver.user = text_or(from, "opennebula.user");
  to.password.file = text_or(from, "opennebula.password_file");
  to.password.variable = text_or(from, "opennebula.password_env");
  std::string auth = variable("ONE_AUTH");
  if (auth.empty()) auth = variable("HOME") + "/.one/one_auth";
  to.auth_file = text_or(from, "opennebula.auth_file", driver.user.empty() ? auth : std::string());
  driver.hashed = from.boolean("opennebula.hashed");
  driver.image = text_or(from, "opennebula.image");
  driver.network = text_or(from, "opennebula.network");
  driver.sizes = {
      {"small", from.number("opennebula.cpu"), static_cast<unsigned>(from.integer("opennebula.memory_mb"))}};
  to.template_file = text_or(from, "opennebula.template_file");
  to.agent_script_file = text_or(from, "opennebula.agent_script_file");
  driver.os = text_or(from, "opennebula.os");
  driver.disk = text_or(from, "opennebula.disk");
  driver.context = text_or(from, "opennebula.context");
  return to;
}

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

void check_url(const scenario::Node& section, const char* key, scenario::Problems& problems) {
  const auto* url = section.find(key);
  if (url != nullptr && !http::parse_url(url->text))
    problems.add(url->place, std::string(key) +
                                 " takes a URL such as https://cloud.example:5000/path, found " +
                                 scenario::describe(*url));
}

}  // namespace

std::span<const Field> cloud_sections() { return kSections; }

CloudSettings take_cloud_settings(const Settings& from) {
  CloudSettings to;
  to.nodes.manager_url = text_or(from, "nodes.manager_url");
  to.nodes.token.file = text_or(from, "nodes.token_file");
  to.nodes.token.variable = text_or(from, "nodes.token_env");
  to.nodes.user_data_file = text_or(from, "nodes.user_data_file");
  to.nodes.binary_url = text_or(from, "nodes.binary_url");
  to.nodes.binary_sha256 = text_or(from, "nodes.binary_sha256");
  to.nodes.packages = text_or(from, "nodes.packages");
  to.nodes.buffer_pool_mb = static_cast<unsigned>(from.integer("nodes.buffer_pool_mb"));
  to.ca_file = text_or(from, "ca_file");
  to.ec2 = take_ec2(from);
  to.openstack = take_openstack(from);
  to.opennebula = take_opennebula(from);
  return to;
}

void check_cloud_values(const scenario::Node& root, scenario::Problems& problems) {
  if (const auto* nodes = root.find("nodes")) {
    check_url(*nodes, "manager_url", problems);
    const auto* file = nodes->find("token_file");
    if (file != nullptr && nodes->find("token_env") != nullptr)
      problems.add(file->place, "token_file and token_env: give one of them, not both");
    const auto* url = nodes->find("binary_url");
    const auto* sum = nodes->find("binary_sha256");
    if ((url == nullptr) != (sum == nullptr))
      problems.add((url == nullptr ? sum : url)->place,
                   "binary_url and binary_sha256: give both, or none when drover is in the image");
    if (sum != nullptr && !is_sha256(sum->text))
      problems.add(sum->place, "binary_sha256 takes 64 hexadecimal digits, as sha256sum prints them");
  }
  if (const auto* ec2 = root.find("ec2")) check_url(*ec2, "endpoint", problems);
  if (const auto* openstack = root.find("openstack")) check_url(*openstack, "auth_url", problems);
  const auto* opennebula = root.find("opennebula");
  if (opennebula == nullptr) return;
  check_url(*opennebula, "url", problems);
  const auto* auth = opennebula->find("auth_file");
  if (auth != nullptr && opennebula->find("user") != nullptr)
    problems.add(auth->place,
                 "auth_file and user: give one of them, not both; the file holds user and password");
  const auto* cpu = opennebula->find("cpu");
  if (cpu != nullptr && !(cpu->number > 0))
    problems.add(cpu->place, "cpu takes a number above 0, found " + scenario::describe(*cpu));
}

Result<Secret> read_secret(const SecretPlace& place, const std::string& key) {
  if (!place.value.value.empty()) return place.value;
  Secret secret;
  const auto refuse = [&](const std::string& message) {
    return make_error(ErrorCode::unavailable, key + "_file: " + place.file + " " + message);
  };
  if (place.file.empty()) {
    secret.value = place.variable.empty() ? std::string() : variable(place.variable.c_str());
    return secret;
  }
  std::ifstream file(place.file, std::ios::binary);
  if (!file) return refuse("cannot be read; check that the file exists and may be read");
  secret.value.resize(kSecretBytesMax + 1);
  file.read(secret.value.data(), static_cast<std::streamsize>(secret.value.size()));
  secret.value.resize(static_cast<std::size_t>(file.gcount()));
  if (secret.value.size() > kSecretBytesMax) return refuse("is too large for a secret");
  while (secret.value.ends_with('\n') || secret.value.ends_with('\r')) secret.value.pop_back();
  if (secret.value.empty()) return refuse("is empty");
  return secret;
}

Result<std::string> read_setting_file(const std::string& path, const std::string& key) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kFileMax + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file && !file.eof())
    return make_error(ErrorCode::unavailable,
                      key + ": " + path + " cannot be read; check that the file exists and may be read");
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kFileMax)
    return make_error(ErrorCode::unavailable, key + ": " + path + " is above 64 KB");
  return text;
}

InstanceSpec vm_of(const std::string& cloud, const CloudSettings& settings, InstanceSpec otherwise) {
  if (cloud == "ec2") {
    if (!settings.ec2.image.empty()) otherwise.image = settings.ec2.image;
    otherwise.size = settings.ec2.size;
  } else if (cloud == "openstack") {
    const OpenStackConfig& driver = settings.openstack.driver;
    otherwise.image = driver.image;
    otherwise.size = driver.flavor;
    otherwise.network = driver.network;
  } else if (cloud == "opennebula") {
    const OpenNebulaConfig& driver = settings.opennebula.driver;
    otherwise.image = driver.image;
    otherwise.size = driver.sizes.front().name;
    otherwise.network = driver.network;
  }
  return otherwise;
}

}  // namespace drover::tools
