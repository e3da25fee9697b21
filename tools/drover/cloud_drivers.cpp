#include "tools/drover/cloud_drivers.hpp"

#include <chrono>

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

}  // namespace

bool is_real_cloud(const std::string& cloud) {
  return cloud == "ec2" || cloud == "openstack" || cloud == "opennebula";
}

TimePoint wall_time() {
  return TimePoint(std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()));
}

Result<CloudDriver> make_driver(const ServeSettings& settings, Scheduler& scheduler, HttpClient& client) {
  if (settings.cloud == "ec2") return make_ec2(settings.clouds.ec2, scheduler, client);
  return make_error(ErrorCode::unavailable,
                    "--cloud " + settings.cloud + " is not available in this version");
}

}  // namespace drover::tools
