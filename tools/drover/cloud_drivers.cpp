#include "tools/drover/cloud_drivers.hpp"

#include <chrono>

#include "manager/adapters/user_data.hpp"

namespace drover::tools {
namespace {

Result<CloudDriver> make_ec2(const Ec2Settings& settings, Scheduler& scheduler, HttpClient& client) {
  Ec2Config config = settings.driver;
  DROVER_TRY(const Secret secret, read_secret(settings.secret, "ec2.secret_key"));
  DROVER_TRY(const Secret session, read_secret(settings.session_token, "ec2.session_token"));
  config.credentials.secret = secret.value;
  config.credentials.session_token = session.value;
  DROVER_TRY(check_config(config));
  if (settings.image.empty())
    return make_error(
        ErrorCode::invalid,
        "ec2.image: set it to the id of the image that VMs run (ami-…); docs/real-clouds.md says "
        "what it must hold");
  auto cloud = std::make_unique<Ec2Cloud>(scheduler, client, std::move(config), wall_time);
  CloudDriver driver;
  driver.check = [raw = cloud.get()](const InstanceSpec& spec, Handler<std::vector<std::string>> handler) {
    raw->check(spec, std::move(handler));
  };
  driver.iaas = std::move(cloud);
  return driver;
}

Result<CloudDriver> make_openstack(const OpenStackSettings& settings, Scheduler& scheduler,
                                   HttpClient& client) {
  OpenStackConfig config = settings.driver;
  DROVER_TRY(config.password, read_secret(settings.password, "openstack.password"));
  DROVER_TRY(config.credential_secret,
             read_secret(settings.credential_secret, "openstack.credential_secret"));
  DROVER_TRY(check_config(config));
  auto cloud = std::make_unique<OpenStackCloud>(scheduler, client, std::move(config));
  CloudDriver driver;
  driver.check = [raw = cloud.get()](const InstanceSpec&, Handler<std::vector<std::string>> handler) {
    raw->check(std::move(handler));
  };
  driver.iaas = std::move(cloud);
  return driver;
}

// "user:password" in one file, as OpenNebula's own tools have it.
Result<void> take_auth_file(const std::string& path, OpenNebulaConfig& config) {
  SecretPlace place;
  place.file = path;
  DROVER_TRY(const Secret both, read_secret(place, "opennebula.auth"));
  const auto colon = both.value.find(':');
  if (colon == std::string::npos || colon == 0)
    return make_error(ErrorCode::unavailable, "opennebula.auth_file: " + path + " must hold user:password");
  config.user = both.value.substr(0, colon);
  config.password.value = both.value.substr(colon + 1);
  return success();
}

Result<CloudDriver> make_opennebula(const OpenNebulaSettings& settings, const std::string& manager_url,
                                    Scheduler& scheduler, HttpClient& client) {
  OpenNebulaConfig config = settings.driver;
  if (!settings.auth_file.empty()) {
    DROVER_TRY(take_auth_file(settings.auth_file, config));
  } else {
    DROVER_TRY(config.password, read_secret(settings.password, "opennebula.password"));
    if (config.password.value.empty())
      return make_error(ErrorCode::invalid,
                        "opennebula: no password: set password_file or password_env, or use auth_file alone");
  }
  if (!http::parse_url(config.url))
    return make_error(ErrorCode::invalid, "opennebula.url takes a URL such as http://127.0.0.1:2633/RPC2");
  if (!settings.template_file.empty()) {
    DROVER_TRY(config.template_text, read_setting_file(settings.template_file, "opennebula.template_file"));
  }
  if (!settings.agent_script_file.empty()) {
    DROVER_TRY(config.agent_script,
               read_setting_file(settings.agent_script_file, "opennebula.agent_script_file"));
  }
  if (const auto url = http::parse_url(manager_url)) {
    config.manager_ip = url->host;
    config.manager_port = url->port;
  }
  auto cloud = std::make_unique<OpenNebulaCloud>(scheduler, client, std::move(config));
  CloudDriver driver;
  driver.check = [raw = cloud.get()](const InstanceSpec&, Handler<std::vector<std::string>> handler) {
    raw->check(std::move(handler));
  };
  driver.iaas = std::move(cloud);
  return driver;
}

}  // namespace

bool is_real_cloud(const std::string& cloud) {
  return cloud == "ec2" || cloud == "openstack" || cloud == "opennebula";
}

TimePoint wall_time() {
  return TimePoint(std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()));
}

Result<CloudDriver> make_driver(const ServeSettings& settings, const std::string& manager_url,
                                Scheduler& scheduler, HttpClient& client) {
  if (settings.cloud == "openstack") return make_openstack(settings.clouds.openstack, scheduler, client);
  if (settings.cloud == "opennebula")
    return make_opennebula(settings.clouds.opennebula, manager_url, scheduler, client);
  if (settings.cloud == "ec2") return make_ec2(settings.clouds.ec2, scheduler, client);
  return make_error(ErrorCode::unavailable,
                    "--cloud " + settings.cloud + " is not available in this version");
}

Result<std::string> user_data_of(const ServeSettings& settings, const std::string& manager_url,
                                 const Secret& token, std::uint16_t agent_port) {
  const NodeSettings& nodes = settings.clouds.nodes;
  // OpenNebula's driver has the script of old configurations, with the manager's address filled in.
  if (settings.cloud == "opennebula" && !settings.clouds.opennebula.agent_script_file.empty())
    return std::string();
  if (!nodes.user_data_file.empty()) return read_setting_file(nodes.user_data_file, "nodes.user_data_file");
  const auto url = http::parse_url(manager_url);
  if (!url)
    return make_error(ErrorCode::invalid,
                      "nodes.manager_url: " + manager_url + " is no URL that VMs could reach");
  AgentStart agent;
  agent.manager_ip = url->host;
  agent.manager_port = url->port;
  agent.token = token;
  agent.agent_port = agent_port;
  agent.buffer_pool_mb = nodes.buffer_pool_mb;
  agent.binary_url = nodes.binary_url;
  agent.binary_sha256 = nodes.binary_sha256;
  agent.packages = nodes.packages;
  return render_user_data(agent);
}

}  // namespace drover::tools
