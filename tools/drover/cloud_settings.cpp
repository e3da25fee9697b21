#include "tools/drover/cloud_settings.hpp"

#include <cstdlib>
#include <fstream>

namespace drover::tools {
namespace {

using scenario::Field;
using scenario::FieldType;
using scenario::Settings;

constexpr std::size_t kSecretBytesMax = 16 * 1024;

constexpr std::string_view kAddresses[] = {"private", "public"};

constexpr Field kNodes[] = {
    {"manager_url", FieldType::text,
     "URL at which VMs reach the API; with the address that is listened on when left out"},
    {"token_file", FieldType::text,
     "file that holds the token of the agents; kept beside the journal when left out"},
    {"token_env", FieldType::identifier, "environment variable that holds it"},
    {"user_data_file", FieldType::text, "what every VM is given, instead of the built-in script"},
    {"ca_file", FieldType::text, "certificates (PEM) that clouds are checked against, beside the system's"},
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

constexpr Field kSections[] = {
    {"nodes", FieldType::section, "VMs of a real cloud", "", kNodes},
    {"ec2", FieldType::section, "Amazon EC2, or a cloud that speaks its API", "", kEc2},
};

std::string text_or(const Settings& from, const std::string& key, std::string otherwise = {}) {
  return from.has(key) ? from.text(key) : std::move(otherwise);
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
  if (from.has("ec2.security_groups"))
    for (const auto& group : from.json("ec2.security_groups"))
      to.driver.security_groups.push_back(group.get<std::string>());
  to.driver.subnet = text_or(from, "ec2.subnet");
  to.driver.availability_zone = text_or(from, "ec2.availability_zone");
  to.driver.volume_type = text_or(from, "ec2.volume_type");
  to.driver.public_address = from.text("ec2.address") == "public";
  to.driver.page_size = static_cast<unsigned>(from.integer("ec2.page_size"));
  return to;
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
  to.ca_file = text_or(from, "nodes.ca_file");
  to.ec2 = take_ec2(from);
  return to;
}

void check_cloud_values(const scenario::Node& root, scenario::Problems& problems) {
  if (const auto* nodes = root.find("nodes")) {
    check_url(*nodes, "manager_url", problems);
    const auto* file = nodes->find("token_file");
    if (file != nullptr && nodes->find("token_env") != nullptr)
      problems.add(file->place, "token_file and token_env: give one of them, not both");
  }
  if (const auto* ec2 = root.find("ec2")) check_url(*ec2, "endpoint", problems);
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

InstanceSpec vm_of(const std::string& cloud, const CloudSettings& settings, InstanceSpec otherwise) {
  if (cloud == "ec2") {
    if (!settings.ec2.image.empty()) otherwise.image = settings.ec2.image;
    otherwise.size = settings.ec2.size;
  }
  return otherwise;
}

}  // namespace drover::tools
